"""What a server says of an object against what a manifest or a cluster says of it. Pure.

Both sides become the same fields; the content of a version is compared as KFP reads it, so that
what KFP leaves out (default values, other spellings of keys) makes no difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from kfp_k8s_manifest.errors import KfpK8sError
from kfp_k8s_manifest.findings import ABSENT, format_path
from kfp_k8s_manifest.gitops.changes import differences
from kfp_k8s_manifest.migration.objects import CREATED_AT, ORIGINAL_ID, original_name
from kfp_k8s_manifest.migration.records import ServerPipeline, ServerVersion
from kfp_k8s_manifest.model.ir import JsonValue, digest
from kfp_k8s_manifest.model.kinds import PIPELINE
from kfp_k8s_manifest.model.trees import mapping_at, string_at
from kfp_k8s_manifest.rest.specs import from_object

__all__ = [
    "Difference",
    "Match",
    "Names",
    "compare_fields",
    "digests",
    "fields_of_object",
    "fields_of_pipeline",
    "fields_of_version",
    "names_of",
    "spec_differences",
]

Match = Literal["id", "original-name", "name"]
"""How a server's record is found among objects: by the id that it had on that server; by the API name
that it had before the export (a server into which the folder was imported); or by the object's own name
(a server over the Kubernetes store)."""

_MOST: Final = 20

SPECS: Final = ("spec.pipelineSpec", "spec.platformSpec")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A field in which two sides differ.

    Attributes:
        field: The object's field, as a path.
        server: What the server says, as JSON; None where it says nothing.
        object: What the object says.
    """

    field: str
    server: JsonValue
    object: JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """By what an object can be found.

    Attributes:
        kind: Its kind.
        namespace: Its namespace, or "".
        object_name: Its `metadata.name`.
        original_id: The id that it had first, or "".
        name: The API name that a server over the Kubernetes store answers.
        original_name: The API name that it had first.
        pipeline: The name of its Pipeline object; of a Pipeline, its own.
    """

    kind: str
    namespace: str
    object_name: str
    original_id: str
    name: str
    original_name: str
    pipeline: str


def names_of(obj: Mapping[str, Any]) -> Names:
    """Return by what an object can be found."""
    kind, own = string_at(obj, "kind"), string_at(obj, "metadata", "name")
    is_pipeline = kind == PIPELINE
    name = own if is_pipeline else string_at(obj, "spec", "versionName") or own
    return Names(
        kind=kind,
        namespace=string_at(obj, "metadata", "namespace"),
        object_name=own,
        original_id=string_at(obj, "metadata", "annotations", ORIGINAL_ID),
        name=name,
        original_name=original_name(obj, name),
        pipeline=own if is_pipeline else string_at(obj, "spec", "pipelineName"),
    )


def fields_of_object(obj: Mapping[str, Any], match: Match) -> dict[str, JsonValue]:
    """Return what an object says, by field; the specs as they are.

    Args:
        obj: The object.
        match: How it was found: what is another on such a server is left out.
    """
    names = names_of(obj)
    name = names.name if match == "name" else names.original_name
    fields: dict[str, JsonValue] = {
        "name": name,
        "spec.displayName": string_at(obj, "spec", "displayName") or name,
        "spec.description": string_at(obj, "spec", "description"),
        "spec.tags": dict(mapping_at(obj, "spec", "tags")),
    }
    if match == "id":
        fields["created-at"] = string_at(obj, "metadata", "annotations", CREATED_AT)
    if names.kind == PIPELINE:
        return fields
    spec = mapping_at(obj, "spec")
    return {
        **fields,
        "spec.codeSourceURL": string_at(obj, "spec", "codeSourceURL"),
        "spec.pipelineSpecURI": string_at(obj, "spec", "pipelineSpecURI"),
        "spec.pipelineSpec": spec.get("pipelineSpec"),
        "spec.platformSpec": spec.get("platformSpec"),
    }


def fields_of_pipeline(record: ServerPipeline, match: Match) -> dict[str, JsonValue]:
    """Return what a server says of a pipeline, by the object's fields."""
    return _common(record, match)


def fields_of_version(
    record: ServerVersion, match: Match, *, tells_sources: bool
) -> dict[str, JsonValue]:
    """Return what a server says of a version, by the object's fields.

    Args:
        record: What it says.
        match: How the object was found.
        tells_sources: False for a server that keeps code source URLs to itself.
    """
    fields = {
        **_common(record, match),
        "spec.pipelineSpecURI": record.package_url,
        "spec.pipelineSpec": record.pipeline_spec,
        "spec.platformSpec": record.platform_spec or None,
    }
    if tells_sources or record.code_source_url:
        fields["spec.codeSourceURL"] = record.code_source_url
    return fields


def _common(record: ServerPipeline | ServerVersion, match: Match) -> dict[str, JsonValue]:
    fields: dict[str, JsonValue] = {
        "name": record.name,
        "spec.displayName": record.display_name or record.name,
        "spec.description": record.description,
        "spec.tags": dict(record.tags),
    }
    if match == "id":
        fields["created-at"] = record.created_at
    return fields


def digests(fields: Mapping[str, JsonValue]) -> dict[str, str]:
    """Return a digest of each field, so that thousands of objects can be remembered.

    Raises:
        SourceError: A field holds what JSON cannot express.
    """
    return {key: digest(value) for key, value in fields.items()}


def compare_fields(
    server: Mapping[str, JsonValue], obj: Mapping[str, JsonValue], specs: Mapping[str, Any]
) -> Iterator[Difference]:
    """Yield the fields in which a server's record and an object differ.

    Args:
        server: The fields of the record; what it does not have is not compared.
        obj: The fields of the object.
        specs: The object's `spec`.
    """
    for key, said in server.items():
        if key in SPECS or key not in obj:
            continue
        for path, was, now in differences(said, obj[key], ()):
            suffix = format_path(path)
            field = f"{key}{'' if suffix.startswith('[') or not suffix else '.'}{suffix}"
            yield Difference(field=field, server=_value(was), object=_value(now))
    if SPECS[0] in server:
        yield from spec_differences(server, specs)


def spec_differences(
    server: Mapping[str, JsonValue], spec: Mapping[str, Any]
) -> Iterator[Difference]:
    """Yield how the content of a version differs, as KFP reads it."""
    raw = {key: spec.get(key.removeprefix("spec.")) for key in SPECS}
    if not list(differences({key: server[key] for key in SPECS}, raw, ())):
        return
    try:
        found = from_object(spec)
    except KfpK8sError as error:
        yield Difference(field=SPECS[0], server=None, object=f"KFP cannot read it: {error}")
        return
    read = {SPECS[0]: found.pipeline, SPECS[1]: found.platform}
    for count, (path, was, now) in enumerate(
        differences({key: server[key] for key in SPECS}, read, ())
    ):
        if count == _MOST:
            yield Difference(field=SPECS[0], server=None, object="… and more")
            return
        field = f"{path[0]}.{format_path(path[1:])}".rstrip(".")
        yield Difference(field=field, server=_value(was), object=_value(now))


def _value(value: Any) -> JsonValue:
    return None if value is ABSENT else value
