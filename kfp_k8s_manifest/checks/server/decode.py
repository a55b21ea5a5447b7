"""Decoding: what the API server refuses before it looks at any rule.

The types of `apiVersion` and `kind`, and the typed decoding of `metadata` into Kubernetes'
`ObjectMeta` (`k8s.io/apimachinery/pkg/apis/meta/v1`), which is case-sensitive and lets null stand
for the zero value. Unknown fields are collected, for `crd` to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.first import First
from kfp_k8s_manifest.checks.schema import OBJECT_META, Expected, MetaField
from kfp_k8s_manifest.checks.words import (
    described,
    finding,
    go_quote,
    json_type,
    quoting,
    shown,
)
from kfp_k8s_manifest.findings import ABSENT, Finding, Path
from kfp_k8s_manifest.golang.numbers import INT64_MAX, INT64_MIN
from kfp_k8s_manifest.golang.times import time_problem
from kfp_k8s_manifest.model.kinds import API_VERSION, GROUP, KINDS
from kfp_k8s_manifest.spelling import closest

__all__ = ["DecodedMeta", "check_type_meta", "decode_metadata"]

_SET_BY_SERVER: Final = "Remove it; the API server sets it."


class DecodedMeta:
    """An object's `metadata`, decoded as the API server does, with what went wrong.

    Attributes:
        values: The fields that could be decoded; null values are left out.
        unknown: The fields that `ObjectMeta` does not have: path and value.
        wrong: The paths of the fields of a wrong type, or that are no times.
        findings: What is said of them. With any of them the API server stops here.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.unknown: list[tuple[Path, Any]] = []
        self.wrong: set[Path] = set()
        self.findings: list[Finding] = []
        self._first = First()

    def concerns(self, path: Path) -> bool:
        """Tell whether a field, or one that it lies in, could not be decoded."""
        return any(path[:length] in self.wrong for length in range(len(path) + 1))

    def note(self, path: Path) -> bool:
        """Note that a field could not be decoded; tell whether it is to be said in words."""
        self.wrong.add(path)
        return self._first.passes(registry.METADATA_TYPE, ("metadata",))

    def close(self) -> None:
        """Say how many more fields of a wrong type there are than were told."""
        self.findings += self._first.rest()

    def mismatch(
        self, path: Path, value: Any, wanted: str, go_field: str, go_type: str, hint: str = ""
    ) -> None:
        """Note a value of a wrong type."""
        if not self.note(path):
            return
        where = f"Go struct field {go_field}" if go_field else "Go value"
        said = f"json: cannot unmarshal {json_type(value)}"
        # For an integer Go tells the number as well, in a notation of its own.
        if not (go_type == "int64" and json_type(value) == "number"):
            said += f" into {where} of type {go_type}"
        self.findings.append(
            finding(
                registry.METADATA_TYPE,
                path,
                f"must be {wanted}, not {described(value)}.",
                value=value,
                hint=hint,
                cluster_message=said,
            )
        )


Decoder = Callable[[Any, Path, str, DecodedMeta], Any]


def check_type_meta(obj: Mapping[str, Any]) -> list[Finding]:
    """Check `apiVersion` and `kind`.

    Args:
        obj: The object; anything of the group `pipelines.kubeflow.org`, or with one of its kinds.
    """
    findings = []
    for rule, key, example in _TYPE_META:
        value = obj.get(key)
        if value is None or value == "":
            text = "is missing; without it Kubernetes cannot tell what the object is."
            said = f"{key} not set"
        elif not isinstance(value, str):
            text = f"must be a string, not {described(value)}."
            said = f"{key} isn't string type"
        else:
            continue
        value = obj.get(key, ABSENT)
        hint = f"Write {example}."
        findings.append(finding(rule, (key,), text, value=value, hint=hint, cluster_message=said))
    return findings or _unserved(obj["apiVersion"], obj["kind"])


_TYPE_META: Final = (
    (registry.API_VERSION, "apiVersion", repr(API_VERSION)),
    (registry.KIND, "kind", " or ".join(map(repr, KINDS))),
)


def _unserved(api_version: str, kind: str) -> list[Finding]:
    if api_version == API_VERSION and kind in KINDS:
        return []
    message = f"no matches for kind {go_quote(kind)} in version {go_quote(api_version)}"
    if api_version != API_VERSION:
        text = f"must be {API_VERSION!r}, not {shown(api_version)}: it is the only version of"
        text += f" {GROUP} that the released CRDs serve."
        return [
            finding(
                registry.API_VERSION,
                ("apiVersion",),
                text,
                value=api_version,
                cluster_message=message,
            )
        ]
    meant = closest(kind, KINDS)
    text = f"must be 'Pipeline' or 'PipelineVersion', not {shown(kind)}; case counts."
    hint = f"Write {meant!r}." if meant else "Write 'Pipeline' or 'PipelineVersion'."
    return [finding(registry.KIND, ("kind",), text, value=kind, hint=hint, cluster_message=message)]


def decode_metadata(obj: Mapping[str, Any]) -> DecodedMeta:
    """Decode `metadata` as the API server does.

    Args:
        obj: The object.
    """
    out = DecodedMeta()
    metadata = obj.get("metadata")
    if metadata is None:
        return out
    if not isinstance(metadata, dict):
        out.mismatch(("metadata",), metadata, "an object", "", "v1.ObjectMeta")
        return out
    out.values = _struct(metadata, ("metadata",), "ObjectMeta", _META, out)
    out.close()
    return out


def _struct(
    tree: Mapping[str, Any],
    path: Path,
    go_struct: str,
    fields: Mapping[str, Decoder],
    out: DecodedMeta,
    parent: str = "",
) -> dict[str, Any]:
    values = {}
    for key, value in tree.items():
        decode = fields.get(key)
        if decode is None:
            out.unknown.append(((*path, key), value))
        elif value is not None:
            go_field = f"{go_struct}.{parent}.{key}" if parent else f"{go_struct}.{key}"
            values[key] = decode(value, (*path, key), go_field, out)
    return values


def _string(go_type: str) -> Decoder:
    def decode(value: Any, path: Path, go_field: str, out: DecodedMeta) -> str:
        if isinstance(value, str):
            return value
        hint = f"{quoting(value)}." if isinstance(value, (bool, int, float)) else ""
        out.mismatch(path, value, "a string", go_field, go_type, hint)
        return ""

    return decode


def _bool(value: Any, path: Path, go_field: str, out: DecodedMeta) -> bool:
    if not isinstance(value, bool):
        out.mismatch(path, value, "a boolean", go_field, "bool")
        return False
    return value


def _int64(value: Any, path: Path, go_field: str, out: DecodedMeta) -> int:
    # A double with an integral value is written without its fraction on the way.
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        value = int(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or not INT64_MIN <= value <= INT64_MAX:
        out.mismatch(path, value, "an integer of 64 bits", go_field, "int64")
        return 0
    number: int = value
    return number


def _time(value: Any, path: Path, go_field: str, out: DecodedMeta) -> str:
    if not isinstance(value, str):
        out.mismatch(path, value, "a time, as a string", go_field, "string", _SET_BY_SERVER)
        return ""
    problem = time_problem(value)
    if problem and out.note(path):
        out.findings.append(
            finding(
                registry.METADATA_TYPE,
                path,
                f"{shown(value)} is not a time of RFC 3339 ({problem}); for example"
                " '2026-01-31T09:00:00Z'.",
                value=value,
                hint=_SET_BY_SERVER,
                # Go's package `time` quotes what is not printable in a way of its own.
                cluster_message="parsing time "
                + (go_quote(value) if value.isascii() and value.isprintable() else ""),
            )
        )
    return value


def _map_of(decode_value: Decoder, go_type: str) -> Decoder:
    def decode(value: Any, path: Path, go_field: str, out: DecodedMeta) -> dict[str, Any]:
        if not isinstance(value, dict):
            out.mismatch(path, value, "an object with strings", go_field, f"map[string]{go_type}")
            return {}
        return {
            key: "" if each is None else decode_value(each, (*path, key), go_field, out)
            for key, each in value.items()
        }

    return decode


def _list_of(decode_item: Decoder, go_type: str) -> Decoder:
    def decode(value: Any, path: Path, go_field: str, out: DecodedMeta) -> list[Any]:
        if not isinstance(value, list):
            out.mismatch(path, value, "a list of strings", go_field, f"[]{go_type}")
            return []
        return [
            "" if each is None else decode_item(each, (*path, index), go_field, out)
            for index, each in enumerate(value)
        ]

    return decode


def _struct_list(go_struct: str, fields: Mapping[str, Decoder]) -> Decoder:
    def decode(value: Any, path: Path, go_field: str, out: DecodedMeta) -> list[dict[str, Any]]:
        if not isinstance(value, list):
            out.mismatch(path, value, "a list of objects", go_field, f"[]v1.{go_struct}")
            return []
        items = []
        for index, each in enumerate(value):
            if isinstance(each, dict):
                place = (*path, index)
                items.append(_struct(each, place, go_struct, fields, out, str(path[-1])))
            else:
                if each is not None:
                    place = (*path, index)
                    out.mismatch(place, each, "an object", go_field, f"v1.{go_struct}")
                items.append({})
        return items

    return decode


def _anything(value: Any, path: Path, go_field: str, out: DecodedMeta) -> Any:
    del path, go_field, out
    return value


def _decoder(field: MetaField) -> Decoder:
    """Return what decodes a field of `ObjectMeta`, or of an object inside it."""
    if field.type is Expected.OBJECT:
        # All that `ObjectMeta` has are lists of them.
        return _struct_list(field.go_type, _decoders(field.fields))
    one = _string(field.go_type) if field.type is Expected.STRING else _ONE[field.type]
    if field.many == "map":
        return _map_of(one, field.go_type)
    return _list_of(one, field.go_type) if field.many == "list" else one


def _decoders(fields: Mapping[str, MetaField]) -> Mapping[str, Decoder]:
    return {name: _decoder(field) for name, field in fields.items()}


_ONE: Final[Mapping[Expected, Decoder]] = {
    Expected.TIME: _time,
    Expected.BOOLEAN: _bool,
    Expected.NUMBER: _int64,
    Expected.ANYTHING: _anything,
}
_META: Final = _decoders(OBJECT_META)
