"""Words for what does not survive the webhook's journey through YAML."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from kfp_k8s_manifest.checks.webhook.explain import placed
from kfp_k8s_manifest.checks.webhook.judge import NO_SPEC, UNREADABLE
from kfp_k8s_manifest.checks.webhook.view import MAX_DEPTH, MAX_KEY, NEXT_LINE, Oddity
from kfp_k8s_manifest.checks.webhook.words import shown
from kfp_k8s_manifest.findings import Finding, Path, Severity
from kfp_k8s_manifest.releases import Target

__all__ = ["CHANGED", "FATAL", "HARMLESS", "oddity", "separator"]

CHANGED: Final = "string-read-as-number"
HARMLESS: Final = frozenset({CHANGED, "next-line", "number-key"})
FATAL: Final = frozenset({"not-json", "too-deep", "control-character", "next-line-key", "long-key"})


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
        own = own.replace("failed to marshal pipeline spec", "failed to marshal platform spec")
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


def separator(odd: Oddity, root: Path, target: Target) -> Finding:
    """Return the error of a key that only some releases cannot write.

    Args:
        odd: The key.
        root: Where the document lies in the object.
        target: All releases that count.
    """
    found = oddity(odd, root, Severity.ERROR)
    if all(release.writes_specs_twice for release in target.releases):
        return found
    return replace(found, message=f"{found.message} (KFP 2.14.3 and later)")


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


def _next_line(odd: Oddity) -> tuple[str, str, str, str]:
    text = f"KFP reads U+0085 in {_what(odd)} as a space; server-side apply and kustomize store it as one"
    return "next-line", text, "write another line break, or a space", ""


def _next_line_key(odd: Oddity) -> tuple[str, str, str, str]:
    text = f"{_what(odd)} holds U+0085, a line break for YAML, on which KFP fails"
    message = (
        f"failed to marshal pipeline spec to YAML: yaml: line {str(odd.path[-1]).count(NEXT_LINE)}: "
        "did not find expected ',' or '}'"
    )
    return "spec-key", text, "remove the character from the key", message


def _long_key(odd: Oddity) -> tuple[str, str, str, str]:
    key = str(odd.path[-1])
    text = (
        f"the key {shown(key)} is longer than {MAX_KEY - 2:,} characters as JSON writes it, on which "
        "KFP fails"
    )
    message = "failed to marshal pipeline spec to YAML: yaml: did not find expected ',' or '}'"
    return "spec-key", text, "use a shorter key", message


def _separator_key(odd: Oddity) -> tuple[str, str, str, str]:
    text = f"{_what(odd)} holds U+2028 or U+2029, a line break for YAML, on which KFP fails"
    return "spec-key", text, "remove the character from the key", NO_SPEC


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
    "next-line": _next_line,
    "next-line-key": _next_line_key,
    "long-key": _long_key,
    "separator-key": _separator_key,
}
