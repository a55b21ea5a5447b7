"""The schema of the released CRDs: unknown fields, nulls, types, patterns and required fields.

The API server prunes what the schema does not know (with strict field validation it refuses the
object instead), drops nulls, and validates what is left; `status` is dropped before it is
validated. What stands below `pipelineSpec` and `platformSpec` has no schema here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from kfp_k8s_manifest import naming
from kfp_k8s_manifest.checks._common import (
    PIPELINE_VERSION,
    closest,
    described,
    error,
    go_quote,
    json_type,
    note,
    schema_type,
    shown,
    warning,
)
from kfp_k8s_manifest.checks.decode import METADATA_FIELDS
from kfp_k8s_manifest.findings import ABSENT, Finding, Path
from kfp_k8s_manifest.releases import CrdField, FieldType, Target
from kfp_k8s_manifest.releases import target as named_target

__all__ = ["check_crd", "check_unknown", "known_fields"]

_TOP: Final = ("apiVersion", "kind", "metadata", "spec")
_CONDITION: Final = ("type", "status", "reason", "message")
_DEEPEST: Final = 100
_Unknown = tuple[Path, Any, str]


def known_fields(kind: str, target: Target) -> Mapping[str, CrdField]:
    """Return the fields of a kind's `spec` that any release of the target knows, by name."""
    return _facts(kind, target).fields


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What the CRDs of a target say about the `spec` of a kind.

    Attributes:
        target: The target.
        fields: The fields that any release of the target knows, by name.
        missing: The fields of any release at all that some release of the target lacks, and the
            names of these releases.
    """

    target: Target
    fields: Mapping[str, CrdField]
    missing: Mapping[str, tuple[str, ...]]


_known_facts: dict[tuple[str, str], _Facts] = {}


def _facts(kind: str, target: Target) -> _Facts:
    # To hash a target costs more than all the rest of a check, so the cache goes by its name.
    facts = _known_facts.get((kind, target.name))
    if facts is not None and facts.target is target:
        return facts
    fields: dict[str, CrdField] = {}
    for release in target.releases:
        fields.update(release.fields(kind))
    everywhere = {
        name for release in named_target("portable").releases for name in release.fields(kind)
    }
    missing = {
        name: tuple(release.name for release in target.releases_without_field(kind, name))
        for name in sorted(everywhere)
    }
    facts = _Facts(
        target=target,
        fields=fields,
        missing={name: releases for name, releases in missing.items() if releases},
    )
    _known_facts[kind, target.name] = facts
    return facts


def check_unknown(
    obj: Mapping[str, Any],
    kind: str,
    target: Target,
    *,
    in_metadata: Sequence[tuple[Path, Any]] = (),
    strict: bool = True,
) -> list[Finding]:
    """Check for fields that the API server does not know.

    Args:
        obj: The object.
        kind: `Pipeline` or `PipelineVersion`.
        target: The releases whose CRDs count.
        in_metadata: The unknown fields that `decode_metadata` found.
        strict: True where the API server refuses them, as kubectl asks it to from release 1.25 on;
            False where it drops them in silence.
    """
    unknown: list[_Unknown] = [(path, value, "") for path, value in in_metadata]
    facts = _facts(kind, target)
    fields, missing = facts.fields, facts.missing
    for key, value in obj.items():
        if key == "spec":
            unknown += _unknown_in_spec(value, fields, missing)
        elif key == "status" and kind == PIPELINE_VERSION:
            unknown += _unknown_in_status(value)
        elif key not in _TOP:
            unknown.append(((key,), value, ""))
    return [
        _unknown_field(path, value, why, kind, fields, strict=strict)
        for path, value, why in unknown
    ]


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
    *,
    strict: bool,
) -> Finding:
    dotted = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)[1:]
    said = f'unknown field "{dotted}"'
    if releases:
        text = f"is not a field of a {kind} in {releases}"
        hint = "Remove it, or name a target that knows it (for example --target 2.17)."
    else:
        text = f"is not a field that Kubernetes knows in a {kind}"
        meant = _meant(path, fields)
        hint = f"Did you mean {meant}?" if meant else "Remove it."
    if strict:
        text += "; with strict field validation, kubectl's default, the object is rejected."
        return error("unknown-field", path, text, value=value, hint=hint, cluster_message=said)
    text += f"; the API server drops it, so {described(value)}, is lost."
    return warning("unknown-field", path, text, value=value, hint=hint, cluster_message=said)


def _meant(path: Path, fields: Mapping[str, CrdField]) -> str:
    """Return the path of the field that an unknown one most likely means, or ""."""
    key = str(path[-1])
    if len(path) == 1:
        if key in fields:
            return f"spec.{key}"
        return f"metadata.{key}" if key in METADATA_FIELDS else closest(key, (*_TOP, "status"))
    if path[0] == "metadata" and len(path) == 2:
        return f"spec.{key}" if key in fields else closest(key, METADATA_FIELDS)
    if path[0] == "spec" and len(path) == 2:
        near = closest(key, fields)
        if not near and key in METADATA_FIELDS:
            return f"metadata.{key}"
        return near
    return ""


def check_crd(obj: Mapping[str, Any], kind: str, target: Target) -> list[Finding]:
    """Check an object's `spec` and `status` against the CRD, as the API server validates them.

    Args:
        obj: The object.
        kind: `Pipeline` or `PipelineVersion`.
        target: The releases whose CRDs count.
    """
    findings = list(_check_spec(obj.get("spec", ABSENT), kind, target))
    if kind == PIPELINE_VERSION and obj.get("status") is not None:
        findings.append(
            note(
                "status-ignored",
                ("status",),
                "is dropped when the object is created or applied; only KFP writes it.",
                value=obj["status"],
                hint="Remove it.",
            )
        )
    return findings


def _check_spec(spec: Any, kind: str, target: Target) -> Iterator[Finding]:
    if spec is ABSENT:
        return
    if spec is None:
        yield _null(("spec",), "object")
        return
    if not isinstance(spec, dict):
        yield _wrong_type(("spec",), spec, "object")
        return
    for name, field in known_fields(kind, target).items():
        if name in spec:
            yield from _check_field(spec[name], field)
        elif field.required:
            yield _required(name, ABSENT)


def _check_field(value: Any, field: CrdField) -> Iterator[Finding]:
    path = ("spec", field.name)
    if field.type is FieldType.SCHEMALESS:
        if value is None and field.required:
            yield _required(field.name, None)
    elif value is None:
        yield _null(path, "object" if field.type is FieldType.MAP else "string")
    elif field.type is FieldType.MAP:
        if not isinstance(value, dict):
            yield _wrong_type(path, value, "object")
            return
        for key, each in value.items():
            if each is None:
                yield _null((*path, key), "string")
            elif not isinstance(each, str):
                yield _wrong_type((*path, key), each, "string")
    elif not isinstance(value, str):
        yield _wrong_type(path, value, "string")
    else:
        yield from _check_string(value, field)


def _dotted(path: Path) -> str:
    return ".".join(str(part) for part in path)


def _null(path: Path, wanted: str) -> Finding:
    return warning(
        "null-field",
        path,
        "is null: `kubectl create` and `kubectl apply` drop it, but server-side apply rejects"
        " the object.",
        value=None,
        hint='Remove the field, or write "".' if wanted == "string" else "Remove the field.",
        cluster_message=f'{_dotted(path)} in body must be of type {wanted}: "null"',
    )


def _required(name: str, value: Any) -> Finding:
    return error(
        "crd-required",
        ("spec", name),
        ("is null, which counts as missing" if value is None else "is missing")
        + "; the CRD requires it (the pipeline's intermediate representation).",
        value=value,
        hint="`kfp-k8s build` writes the whole object from a pipeline or its IR file.",
        cluster_message=f"spec.{name}: Required value",
    )


_WORDS: Final = {"object": "a mapping", "string": "a string"}


def _wrong_type(path: Path, value: Any, wanted: str) -> Finding:
    found = schema_type(value)
    hint = ""
    if wanted == "string" and json_type(value) in ("number", "bool"):
        hint = "Write it in quotes."
    return error(
        "crd-type",
        path,
        f"must be {_WORDS[wanted]}, not {described(value)}.",
        value=value,
        hint=hint,
        cluster_message=f"{_dotted(path)} in body must be of type {wanted}: {go_quote(found)}",
    )


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Return a CRD's pattern as Go reads it: `$` is the very end, never before a newline."""
    ends = pattern.endswith("$") and not pattern.endswith(r"\$")
    return re.compile(pattern[:-1] + r"\Z" if ends else pattern, re.ASCII)


def _check_string(value: str, field: CrdField) -> Iterator[Finding]:
    path = ("spec", field.name)
    limit = field.max_length
    if limit is not None and len(value) > limit:
        said = f"{_dotted(path)}: Too long: may not be more than {limit} bytes"
    elif field.pattern and not _compiled(field.pattern).search(value):
        said = f"{_dotted(path)} in body should match '{field.pattern}'"
    else:
        return
    # `versionName` is the only field of the released CRDs with a pattern or a length.
    yield error(
        "crd-version-name",
        path,
        f"{shown(value)} {'; '.join(naming.version_name_problems(value))}.",
        value=value,
        hint="`kfp-k8s name suggest --for version-name` makes one that passes.",
        cluster_message=said,
    )
