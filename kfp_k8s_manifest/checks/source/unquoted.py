"""Strings that lost their quotes: what the author wrote as text and Kubernetes reads otherwise.

`08`, `1e3`, `yes` or `y` without quotes are a number or a boolean for Go's YAML. Where a string is
asked for, some check has a finding about the value already, and this module lets it name the cause:
the text in the file. Where the cluster takes any value, such as a constant for a STRING parameter,
it alone says that what is stored is not what was written. Keys that change, such as a parameter
named `y` that becomes `true`, are found as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, Protocol

from kfp_k8s_manifest.checks.server.decode import METADATA_FIELDS
from kfp_k8s_manifest.checks.words import json_type, shown
from kfp_k8s_manifest.findings import Finding, Path, Severity, format_path
from kfp_k8s_manifest.releases import message_fields, type_names

__all__ = [
    "UNQUOTED_KEY",
    "UNQUOTED_VALUE",
    "Source",
    "check_keys",
    "explain_unquoted",
    "lost_strings",
]

UNQUOTED_VALUE: Final = "yaml-unquoted-value"
UNQUOTED_KEY: Final = "yaml-unquoted-key"

_SPEC_STRINGS: Final = frozenset(
    {
        "codeSourceURL",
        "description",
        "displayName",
        "pipelineName",
        "pipelineSpecURI",
        "versionName",
    }
)
_NOT_STRINGS: Final = frozenset({"blockOwnerDeletion", "controller", "generation"})
_WORDS: Final = {"number": "the number", "bool": "the boolean"}


class Source(Protocol):
    """What is asked of the text that an object was read from."""

    def plain_text(self, path: Path) -> str | None:
        """Return the text of a scalar that is written without quotes, or None."""

    def renamed_keys(self, path: Path) -> Mapping[str, str]:
        """Return the keys of a mapping that are read otherwise than written, and their texts."""


def explain_unquoted(
    findings: Iterable[Finding], obj: Mapping[str, Any], source: Source, prefix: Path = ()
) -> list[Finding]:
    """Let findings whose cause is a string without quotes say so.

    Args:
        findings: What the checks found in the object.
        obj: The object.
        source: Where it was read from.
        prefix: The path of the object in the source's document.

    Returns:
        The same findings in the same order, with other messages and hints. A note becomes a
        warning of its own rule where the value is not the one that was written.
    """
    return [_explained(finding, obj, source, prefix) for finding in findings]


def _explained(finding: Finding, obj: Mapping[str, Any], source: Source, prefix: Path) -> Finding:
    value = finding.value
    if finding.on_key or json_type(value) not in _WORDS or not _wants_string(finding, obj):
        return finding
    text = source.plain_text((*prefix, *finding.path))
    if text is None:
        return finding
    read = shown(value)
    changed = text not in (read, read.removesuffix(".0"))
    if finding.severity is Severity.NOTE:
        if not changed:
            return finding
        finding = replace(finding, rule=UNQUOTED_VALUE, severity=Severity.WARNING)
    place = format_path(finding.path)
    return replace(
        finding,
        message=f"{place} is written unquoted, {text}; Kubernetes reads"
        f" {_WORDS[json_type(value)]} {read} where a string is expected.",
        hint=f"Quote it: {_quoted(text)}; `kfp-k8s fmt --fix` does.",
    )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def check_keys(paths: Iterable[Path], source: Source, prefix: Path = ()) -> list[Finding]:
    """Find the keys that Kubernetes reads otherwise than they are written.

    Args:
        paths: The mappings to look at, such as those of `mappings_with_odd_keys`.
        source: Where it was read from.
        prefix: The path of the object in the source's document.
    """
    findings: list[Finding] = []
    for path in paths:
        for becomes, text in source.renamed_keys((*prefix, *path)).items():
            findings.append(
                Finding(
                    rule=UNQUOTED_KEY,
                    severity=Severity.WARNING,
                    message=f"{format_path(path) or 'the object'} has a key written unquoted,"
                    f" {text}; Kubernetes reads {becomes!r}.",
                    path=(*path, becomes),
                    value=becomes,
                    hint=f"Quote it: {_quoted(text)}; `kfp-k8s fmt --fix` does.",
                    on_key=True,
                )
            )
    return findings


def _wants_string(finding: Finding, obj: Mapping[str, Any]) -> bool:
    """Tell whether a finding is about a value in whose place a string is expected."""
    path = finding.path
    if finding.rule == "constant-not-string":
        return True
    return bool(path) and _expects_string(path, obj)


def lost_strings(obj: Mapping[str, Any], constants: Iterable[Path] = ()) -> list[Path]:
    """Return the places where a string is expected, and a number or a boolean stands.

    Args:
        obj: An object of ours.
        constants: Further places that are known to expect a string.
    """
    known = set(constants)
    found: list[Path] = []
    stack: list[tuple[Any, Path]] = [(obj, ())]
    while stack:
        tree, path = stack.pop()
        entries = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for key, value in entries:
            place: Path = (*path, key)
            if isinstance(value, (dict, list)):
                stack.append((value, place))
            elif isinstance(value, (bool, int, float)) and (
                place in known or _expects_string(place, obj)
            ):
                found.append(place)
    return sorted(found, key=str)


def _expects_string(path: Path, obj: Mapping[str, Any]) -> bool:
    head, *rest = path
    if path[-1] in ("defaultValue", "default_value"):
        return _declared_type(path, obj) in ("STRING", 3)
    if head in ("apiVersion", "kind"):
        return not rest
    if head == "metadata" and rest:
        known = rest[0] in METADATA_FIELDS
        return known and path[-1] not in _NOT_STRINGS and rest[0] != "managedFields"
    if head != "spec" or not rest:
        return False
    if rest[0] in _ROOTS:
        return len(rest) > 1 and wants_string(rest)
    return (rest[0] in _SPEC_STRINGS and len(rest) == 1) or (rest[0] == "tags" and len(rest) == 2)


def _declared_type(path: Path, obj: Mapping[str, Any]) -> Any:
    """Return the `parameterType` beside a default value."""
    place: Any = obj
    for key in path[:-1]:
        place = place[key]
    if not isinstance(place, Mapping):
        return None
    return place.get("parameterType", place.get("parameter_type"))


_ROOTS: Final = {
    "pipelineSpec": "ml_pipelines.PipelineSpec",
    "platformSpec": "ml_pipelines.PlatformSpec",
}
# Where the IR says Struct, and KFP reads a message.
_STRUCTS: Final = {
    ("ml_pipelines.PipelineSpec", "deploymentSpec"): "ml_pipelines.PipelineDeploymentConfig",
    (
        "ml_pipelines.PlatformDeploymentConfig",
        "executors",
    ): "kfp_kubernetes.KubernetesExecutorConfig",
}


def wants_string(path: Iterable[str | int]) -> bool:
    """Tell whether the IR has a string at a path below `spec`.

    Args:
        path: Such as `("pipelineSpec", "schemaVersion")`.
    """
    head, *steps = path
    messages = frozenset(type_names()[0])
    current = _ROOTS[str(head)]
    while steps:
        if current not in messages:
            return False
        name = steps.pop(0)
        fields = message_fields(current)
        field = fields.get(str(name)) or next(
            (each for each in fields.values() if each.proto_name == name), None
        )
        if field is None:
            return False
        current = _STRUCTS.get((current, field.name), field.type)
        if (field.repeated or field.map_key) and steps:
            steps.pop(0)
        elif field.repeated or field.map_key:
            return False
    return current in ("string", "google.protobuf.Duration") or current in type_names()[1]
