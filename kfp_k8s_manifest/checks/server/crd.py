"""The schema of the released CRDs: nulls, types, patterns and required fields.

The API server prunes what the schema does not know (see `unknown`), drops nulls, and validates what
is left; `status` is dropped before it is validated. What stands below `pipelineSpec` and
`platformSpec` has no schema here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from kfp_k8s_manifest import naming
from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.first import First
from kfp_k8s_manifest.checks.server.names import server_path
from kfp_k8s_manifest.checks.words import (
    described,
    finding,
    go_quote,
    json_type,
    quoting,
    schema_type,
    shown,
    valid_name,
)
from kfp_k8s_manifest.findings import ABSENT, Finding, Path
from kfp_k8s_manifest.model.kinds import PIPELINE_VERSION
from kfp_k8s_manifest.releases import CrdField, FieldType, Target
from kfp_k8s_manifest.releases import target as named_target

__all__ = ["CrdFacts", "check_crd", "crd_facts", "known_fields"]


def known_fields(kind: str, target: Target) -> Mapping[str, CrdField]:
    """Return the fields of a kind's `spec` that any release of the target knows, by name."""
    return crd_facts(kind, target).fields


class CrdFacts(NamedTuple):
    """What the CRDs of a target say about the `spec` of a kind.

    Attributes:
        target: The target.
        fields: The fields that any release of the target knows, by name.
        missing: The fields of any release at all that some release of the target lacks, and the
            names of these releases.
    """

    # No dataclass: making one takes a millisecond at every start of the command.
    target: Target
    fields: Mapping[str, CrdField]
    missing: Mapping[str, tuple[str, ...]]


_known_facts: dict[tuple[str, str], CrdFacts] = {}


def crd_facts(kind: str, target: Target) -> CrdFacts:
    """Return what the CRDs of a target say about the `spec` of a kind, made once for each."""
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
    facts = CrdFacts(
        target=target,
        fields=fields,
        missing={name: releases for name, releases in missing.items() if releases},
    )
    _known_facts[kind, target.name] = facts
    return facts


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
            finding(
                registry.STATUS_IGNORED,
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
        first = First()
        for key, each in value.items():
            if each is None:
                if first.passes(registry.NULL_FIELD, path):
                    yield _null((*path, key), "string")
            elif not isinstance(each, str) and first.passes(registry.CRD_TYPE, path):
                yield _wrong_type((*path, key), each, "string")
        yield from first.rest()
    elif not isinstance(value, str):
        yield _wrong_type(path, value, "string")
    else:
        yield from _check_string(value, field)


def _null(path: Path, wanted: str) -> Finding:
    return finding(
        registry.NULL_FIELD,
        path,
        "is null: `kubectl create` and `kubectl apply` drop it, but server-side apply rejects the"
        " object.",
        value=None,
        hint='Remove it, or write "".' if wanted == "string" else "Remove it.",
        cluster_message=f'{server_path(path)} in body must be of type {wanted}: "null"',
    )


def _required(name: str, value: Any) -> Finding:
    return finding(
        registry.CRD_REQUIRED,
        ("spec", name),
        ("is null, which counts as missing" if value is None else "is missing")
        + "; the CRD requires it (the pipeline's intermediate representation).",
        value=value,
        hint="Write the object with `kfp-k8s compile`, from a pipeline or its IR file.",
        cluster_message=f"spec.{name}: Required value",
    )


_WORDS: Final = {"object": "an object", "string": "a string"}


def _wrong_type(path: Path, value: Any, wanted: str) -> Finding:
    found = schema_type(value)
    hint = ""
    if wanted == "string" and json_type(value) in ("number", "bool"):
        hint = f"{quoting(value)}."
    return finding(
        registry.CRD_TYPE,
        path,
        f"must be {_WORDS[wanted]}, not {described(value)}.",
        value=value,
        hint=hint,
        cluster_message=f"{server_path(path)} in body must be of type {wanted}: {go_quote(found)}",
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
        said = f"{server_path(path)}: Too long: may not be more than {limit} bytes"
    elif field.pattern and not _compiled(field.pattern).search(value):
        said = f"{server_path(path)} in body should match '{field.pattern}'"
    else:
        return
    # `versionName` is the only field of the released CRDs with a pattern or a length.
    yield finding(
        registry.CRD_VERSION_NAME,
        path,
        f"{shown(value)} {'; '.join(naming.version_name_problems(value))}.",
        value=value,
        hint=valid_name(value, "version-name"),
        cluster_message=said,
    )
