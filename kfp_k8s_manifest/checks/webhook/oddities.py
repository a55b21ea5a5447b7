"""Findings about what does not survive the webhook's journey through YAML."""

from __future__ import annotations

from typing import Final, NamedTuple

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.registry import Rule
from kfp_k8s_manifest.checks.webhook.judge import NO_SPEC, UNREADABLE
from kfp_k8s_manifest.checks.webhook.view import MAX_DEPTH, MAX_KEY, NEXT_LINE, Oddity
from kfp_k8s_manifest.checks.words import finding, shown
from kfp_k8s_manifest.findings import Finding, Path, Severity
from kfp_k8s_manifest.releases import Target

__all__ = ["CHANGED", "FATAL", "HARMLESS", "harmless", "oddity", "separator"]

CHANGED: Final = "string-read-as-number"
HARMLESS: Final = frozenset({CHANGED, "next-line", "number-key"})
FATAL: Final = frozenset({"not-json", "too-deep", "control-character", "next-line-key", "long-key"})


class _Said(NamedTuple):
    """The rule, the sentence without its full stop, the hint, and what the webhook says."""

    rule: Rule
    text: str
    hint: str = ""
    message: str = ""


def oddity(
    odd: Oddity,
    root: Path,
    message: str = "",
    *,
    where: str = "",
    severity: Severity | None = None,
) -> Finding:
    """Return the finding of something that does not survive the webhook's journey through YAML.

    Args:
        odd: What it is.
        root: Where the document lies in the object.
        message: What the webhook says, where it is not of the kind's own.
        where: For which releases, in words.
        severity: The severity, where it is not the worst of the rule's.
    """
    said = _ODDITIES[odd.kind](odd)
    path = (*root, *odd.path)
    own = said.message
    if own and path[1] == "platformSpec":
        own = own.replace("failed to marshal pipeline spec", "failed to marshal platform spec")
    return finding(
        said.rule,
        path,
        f"{said.text}{where}.",
        value=odd.value,
        hint=said.hint,
        cluster_message=message or own,
        on_key=odd.on_key,
        severity=severity,
    )


def harmless(odd: Oddity, root: Path) -> Finding:
    """Return the warning about something that KFP accepts and turns into something else.

    Args:
        odd: What it is, of a kind that is `HARMLESS`.
        root: Where the document lies in the object.
    """
    return oddity(odd, root, severity=Severity.WARNING)


def separator(odd: Oddity, root: Path, target: Target) -> Finding:
    """Return the error of a key that only some releases cannot write.

    Args:
        odd: The key.
        root: Where the document lies in the object.
        target: All releases that count.
    """
    everywhere = all(release.writes_specs_twice for release in target.releases)
    return oddity(odd, root, where="" if everywhere else " (KFP 2.14.3 and later)")


def _what(odd: Oddity) -> str:
    return f"the key {shown(odd.path[-1])}" if odd.on_key else shown(odd.value)


def _changed(odd: Oddity) -> _Said:
    text = (
        f"KFP writes the string {_what(odd)} as YAML and reads it back as the number {odd.number}"
    )
    return _Said(registry.SPEC_STRING_READ_AS_NUMBER, text, "Use another spelling of it.")


def _number_key(odd: Oddity) -> _Said:
    text = (
        f"KFP writes {_what(odd)} as YAML and reads it back as the number {odd.number}, which is no"
        " key for JSON"
    )
    return _Said(registry.SPEC_STRING_READ_AS_NUMBER, text, "Use another name for the key.")


def _not_json(odd: Oddity) -> _Said:
    return _Said(registry.SPEC_NOT_JSON, f"{_what(odd)} cannot be written as JSON")


def _too_deep(odd: Oddity) -> _Said:
    del odd
    text = f"is nested more than {MAX_DEPTH:,} levels deep, which no reader accepts"
    return _Said(registry.SPEC_NOT_JSON, text, message="exceeded max depth")


def _control(odd: Oddity) -> _Said:
    return _Said(
        registry.SPEC_CONTROL_CHARACTER,
        f"{_what(odd)} holds a character that YAML forbids (DEL, a C1 control character, U+FFFE or"
        " U+FFFF), on which KFP fails",
        "Remove the character.",
        "failed to marshal pipeline spec to YAML: yaml: control characters are not allowed",
    )


def _next_line(odd: Oddity) -> _Said:
    text = (
        f"KFP reads U+0085 in {_what(odd)} as a space; server-side apply and kustomize store it as"
        " one"
    )
    return _Said(registry.NEXT_LINE, text, "Write another line break, or a space.")


def _next_line_key(odd: Oddity) -> _Said:
    return _Said(
        registry.SPEC_KEY,
        f"{_what(odd)} holds U+0085, a line break for YAML, on which KFP fails",
        "Remove the character from the key.",
        "failed to marshal pipeline spec to YAML: yaml: line"
        f" {str(odd.path[-1]).count(NEXT_LINE)}: did not find expected ',' or '}}'",
    )


def _long_key(odd: Oddity) -> _Said:
    return _Said(
        registry.SPEC_KEY,
        f"{_what(odd)} is longer than {MAX_KEY - 2:,} characters as JSON writes it, on which KFP"
        " fails",
        "Use a shorter key.",
        "failed to marshal pipeline spec to YAML: yaml: did not find expected ',' or '}'",
    )


def _separator_key(odd: Oddity) -> _Said:
    text = f"{_what(odd)} holds U+2028 or U+2029, a line break for YAML, on which KFP fails"
    return _Said(registry.SPEC_KEY, text, "Remove the character from the key.", NO_SPEC)


def _merge_key(odd: Oddity) -> _Said:
    del odd
    text = "KFP reads the key '<<' as a merge, which takes an object or a list of objects only"
    return _Said(registry.SPEC_MERGE_KEY, text, "Use another name for the key.", UNREADABLE)


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
