"""Repair what can be read of several texts, and tell the rest apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kfp_k8s_manifest.errors import KfpK8sError
from kfp_k8s_manifest.validation.inputs import Input
from kfp_k8s_manifest.validation.others import looks_like_template, names_group
from kfp_k8s_manifest.validation.repair import Repaired, repair
from kfp_k8s_manifest.yaml.limits import DEFAULT_LIMITS

__all__ = ["Attempt", "repair_all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of repairing one text.

    Attributes:
        source: The text.
        repaired: The outcome, or None where there is none.
        refused: Why it cannot be repaired, with its name; or "".
        passed_over: Why a file of a folder is not for this command; or "".
    """

    source: Input
    repaired: Repaired | None = None
    refused: str = ""
    passed_over: str = ""


def repair_all(inputs: Iterable[Input]) -> Iterator[Attempt]:
    """Yield what comes of repairing each text, in order; nothing is written.

    Args:
        inputs: The texts.
    """
    limit = DEFAULT_LIMITS.size
    for each in inputs:
        if each.skip:
            yield Attempt(source=each, passed_over=each.skip)
            continue
        data = b""
        try:
            data = each.read(limit)
            if len(data) > limit:
                refused = f"{each.name}: larger than {limit:,} bytes, so it was not read"
            else:
                repaired = repair(data.decode("utf-8"), source=each.name)
                yield Attempt(source=each, repaired=repaired)
                continue
        except OSError as error:
            refused = f"{each.name}: cannot be read: {error.strerror or error}"
            yield Attempt(source=each, refused=refused)
            continue
        except UnicodeDecodeError as error:
            refused = f"{each.name}: not text in UTF-8: {error.reason}"
        except KfpK8sError as error:
            refused = str(error)
        # In a folder there may be text of any kind.
        if not each.explicit and not names_group(data):
            yield Attempt(source=each, passed_over="it is not read as YAML or JSON")
        elif not each.explicit and looks_like_template(data):
            yield Attempt(source=each, passed_over="it is a template")
        else:
            yield Attempt(source=each, refused=refused)
