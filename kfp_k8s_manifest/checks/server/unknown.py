"""Fields that the API server does not know: what `strict decoding error: unknown field` is about.

The API server prunes what neither Kubernetes nor the CRD knows; with strict field validation, which
kubectl asks for, it refuses the object instead. What stands below `pipelineSpec` and `platformSpec`
is kept whatever it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.first import First
from kfp_k8s_manifest.checks.schema import OBJECT_META
from kfp_k8s_manifest.checks.server.crd import crd_facts
from kfp_k8s_manifest.checks.server.names import server_path
from kfp_k8s_manifest.checks.words import (
    finding,
    writing,
)
from kfp_k8s_manifest.findings import Finding, Path
from kfp_k8s_manifest.model.kinds import PIPELINE_VERSION
from kfp_k8s_manifest.releases import CrdField, FieldType, Target
from kfp_k8s_manifest.spelling import closest

__all__ = ["check_unknown"]

_TOP: Final = ("apiVersion", "kind", "metadata", "spec")
_CONDITION: Final = ("type", "status", "reason", "message")
_DEEPEST: Final = 100
_Unknown = tuple[Path, Any, str]


def check_unknown(
    obj: Mapping[str, Any],
    kind: str,
    target: Target,
    *,
    in_metadata: Sequence[tuple[Path, Any]] = (),
) -> list[Finding]:
    """Check for fields that the API server does not know.

    Args:
        obj: The object.
        kind: `Pipeline` or `PipelineVersion`.
        target: The releases whose CRDs count.
        in_metadata: The unknown fields that `decode_metadata` found.
    """
    unknown: list[_Unknown] = [(path, value, "") for path, value in in_metadata]
    facts = crd_facts(kind, target)
    fields, missing = facts.fields, facts.missing
    for key, value in obj.items():
        if key == "spec":
            unknown += _unknown_in_spec(value, fields, missing)
        elif key == "status" and kind == PIPELINE_VERSION:
            unknown += _unknown_in_status(value)
        elif key not in _TOP:
            unknown.append(((key,), value, ""))
    first = First()
    findings = [
        _unknown_field(path, value, why, kind, fields)
        for path, value, why in unknown
        if first.passes(registry.UNKNOWN_FIELD, ())
    ]
    return [*findings, *first.rest()]


def _unknown_in_spec(
    spec: Any, fields: Mapping[str, CrdField], missing: Mapping[str, tuple[str, ...]]
) -> Iterator[_Unknown]:
    if not isinstance(spec, dict):
        yield from _below(spec, ("spec",))
        return
    for key, value in spec.items():
        path = ("spec", key)
        field = fields.get(key)
        if key in missing:
            yield path, value, _span(missing[key])
        elif field is None:
            yield path, value, ""
        elif field.type is FieldType.MAP and isinstance(value, dict):
            for name, each in value.items():
                yield from _below(each, (*path, name))
        elif field.type is not FieldType.SCHEMALESS:
            yield from _below(value, path)


def _below(value: Any, path: Path) -> Iterator[_Unknown]:
    """Yield the fields inside a value that ought to be a scalar: each of them is unknown."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield (*path, key), each, ""
    elif isinstance(value, list):
        # Lists of lists may be very deep, so no recursion; what is deeper than this is rejected for
        # its type anyway.
        stack = [(path, value)]
        while stack:
            place, items = stack.pop()
            if len(place) > _DEEPEST:
                continue
            for index, each in enumerate(items):
                if isinstance(each, dict):
                    for key, inner in each.items():
                        yield (*place, index, key), inner, ""
                elif isinstance(each, list):
                    stack.append(((*place, index), each))


def _unknown_in_status(status: Any) -> Iterator[_Unknown]:
    if not isinstance(status, dict):
        yield from _below(status, ("status",))
        return
    for key, value in status.items():
        if key != "conditions":
            yield ("status", key), value, ""
        elif not isinstance(value, list):
            yield from _below(value, ("status", key))
        else:
            for index, condition in enumerate(value):
                place = ("status", key, index)
                if not isinstance(condition, dict):
                    yield from _below(condition, place)
                    continue
                for name, each in condition.items():
                    if name not in _CONDITION:
                        yield (*place, name), each, ""
                    else:
                        yield from _below(each, (*place, name))


def _span(releases: tuple[str, ...]) -> str:
    """Return releases in words, such as `2.14.0 to 2.16.0`."""
    if releases == ("kep",):
        return "the KEP"
    words = releases[0] if len(releases) == 1 else f"{releases[0]} to {releases[-1]}"
    return f"KFP {words}"


def _unknown_field(
    path: Path,
    value: Any,
    releases: str,
    kind: str,
    fields: Mapping[str, CrdField],
) -> Finding:
    said = f'unknown field "{server_path(path)}"'
    if releases:
        text = f"is not a field of a {kind} in {releases}"
        hint = "Remove it, or check against a target that knows it, such as --target 2.17."
    else:
        text = f"is not a field that Kubernetes knows in a {kind}"
        hint = _advice(path, fields)
    text += "; with strict field validation, kubectl's default, the object is rejected."
    return finding(
        registry.UNKNOWN_FIELD,
        path,
        text,
        value=value,
        hint=hint,
        cluster_message=said,
        on_key=True,
    )


def _advice(path: Path, fields: Mapping[str, CrdField]) -> str:
    """Return what to do about a field that nobody knows: it is misspelt, misplaced or too much."""
    key = str(path[-1])
    siblings: Iterable[str] = ()
    if len(path) == 1:
        siblings = _TOP
    elif len(path) == 2:
        siblings = {"metadata": OBJECT_META, "spec": fields}.get(str(path[0]), ())
    homes = [
        place
        for place, known in (("spec", fields), ("metadata", OBJECT_META))
        if siblings and key in known
    ]
    # What lies at the top belongs into `spec` first; what is spelt well is only misplaced.
    meant = "" if homes else closest(key, siblings)
    if meant:
        return f"{writing(meant)} instead."
    return f"Move it to {homes[0]}.{key}." if homes else "Remove it."
