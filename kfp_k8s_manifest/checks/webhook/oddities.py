"""Words for what does not survive the webhook's journey through YAML."""

from __future__ import annotations

from typing import Final

from kfp_k8s_manifest.checks.webhook.explain import placed
from kfp_k8s_manifest.checks.webhook.judge import UNREADABLE
from kfp_k8s_manifest.checks.webhook.view import MAX_DEPTH, Oddity
from kfp_k8s_manifest.checks.webhook.words import shown
from kfp_k8s_manifest.findings import Finding, Path, Severity

__all__ = ["CHANGED", "FATAL", "oddity"]

CHANGED: Final = "string-read-as-number"
FATAL: Final = frozenset({"not-json", "too-deep", "control-character"})


def oddity(odd: Oddity, root: Path, severity: Severity, message: str = "") -> Finding:
    """Return the finding of something that does not survive the webhook's journey through YAML.

    Args:
        odd: What it is.
        root: Where the document lies in the object.
        severity: How bad it is.
        message: What the webhook says, where it is not of the kind's own.
    """
    rule, text, hint, own = _ODDITIES[odd.kind](odd)
    path = (*root, *odd.path)
    if own and path[1] == "platformSpec":
        own = own.replace("pipeline spec", "platform spec")
    return Finding(
        rule=rule,
        severity=severity,
        message=placed(text, path),
        path=path,
        value=odd.value,
        hint=hint,
        cluster_message=message or own,
        on_key=odd.on_key,
    )


def _what(odd: Oddity) -> str:
    if odd.on_key:
        return f"the key {odd.path[-1]!r}"
    return shown(odd.value)


def _changed(odd: Oddity) -> tuple[str, str, str, str]:
    text = (
        f"KFP writes the string {odd.value!r} as YAML and reads it back as the number {odd.number}"
    )
    return "spec-string-read-as-number", text, "use another spelling of it", ""


def _number_key(odd: Oddity) -> tuple[str, str, str, str]:
    text = (
        f"KFP writes {_what(odd)} as YAML and reads it back as the number {odd.number}, which is "
        "no key for JSON"
    )
    return "spec-string-read-as-number", text, "use another name for the key", ""


def _not_json(odd: Oddity) -> tuple[str, str, str, str]:
    what = f"the key {odd.path[-1]!r}" if odd.on_key else f"the value {odd.value!r}"[:120]
    return "spec-not-json", f"{what} cannot be written as JSON", "", ""


def _too_deep(odd: Oddity) -> tuple[str, str, str, str]:
    del odd
    text = f"the document is nested more than {MAX_DEPTH:,} levels deep, which no reader accepts"
    return "spec-not-json", text, "", "exceeded max depth"


def _control(odd: Oddity) -> tuple[str, str, str, str]:
    text = (
        f"{_what(odd)} holds a character that YAML forbids (DEL, a C1 control character, U+FFFE or "
        "U+FFFF), on which KFP fails"
    )
    message = "failed to marshal pipeline spec to YAML: yaml: control characters are not allowed"
    return "spec-control-character", text, "remove the character, or write it escaped", message


def _merge_key(odd: Oddity) -> tuple[str, str, str, str]:
    del odd
    text = "KFP reads the key '<<' as a merge, which takes an object or a list of objects only"
    return "spec-merge-key", text, "use another name for the key", UNREADABLE


_ODDITIES: Final = {
    "string-read-as-number": _changed,
    "number-key": _number_key,
    "not-json": _not_json,
    "too-deep": _too_deep,
    "control-character": _control,
    "merge-key": _merge_key,
}
