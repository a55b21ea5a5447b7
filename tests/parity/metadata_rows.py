"""Names, labels, annotations, owners and what else stands in `metadata`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.parity.base import API, REMOVE, Row, pipeline, row

NAMES: list[tuple[str, str, bool]] = [
    ("one character", "a", True),
    ("a digit", "1", True),
    ("253 characters", "a" * 253, True),
    ("254 characters", "a" * 254, False),
    ("dots and dashes", "a.b-c.1", True),
    ("two dashes", "a--b", True),
    ("two dots", "a..b", False),
    ("dash first", "-a", False),
    ("dash last", "a-", False),
    ("dot first", ".a", False),
    ("dot last", "a.", False),
    ("dash before dot", "a-.b", False),
    ("capital", "Train", False),
    ("underscore", "a_b", False),
    ("space", "a b", False),
    ("accent", "é", False),
    ("line feed last", "a\n", False),
    ("empty", "", False),
]
NAMESPACES: list[tuple[str, str, bool]] = [
    ("one character", "a", True),
    ("63 characters", "n" * 63, True),
    ("64 characters", "n" * 64, False),
    ("a dot", "a.b", False),
    ("capital", "A", False),
    ("dash first", "-a", False),
    ("dash last", "a-", False),
    ("underscore", "a_b", False),
]
LABEL_VALUES: list[tuple[str, str, bool]] = [
    ("empty", "", True),
    ("63 characters", "x" * 63, True),
    ("64 characters", "x" * 64, False),
    ("all kinds of characters", "A.b_c-9", True),
    ("dash first", "-a", False),
    ("dot last", "a.", False),
    ("underscore alone", "_", False),
    ("space", "a b", False),
    ("slash", "a/b", False),
    ("accent", "é", False),
]
LABEL_KEYS: list[tuple[str, str, bool]] = [
    ("63 characters", "k" * 63, True),
    ("64 characters", "k" * 64, False),
    ("prefix of 253 characters", "p" * 253 + "/k", True),
    ("prefix of 254 characters", "p" * 254 + "/k", False),
    ("prefix and name", "example.com/Team_a.b", True),
    ("two slashes", "a/b/c", False),
    ("no prefix before the slash", "/a", False),
    ("no name behind the slash", "a/", False),
    ("capital in the prefix", "A/b", False),
    ("space", "a b", False),
    ("dash first", "-a", False),
]
OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "u"}
OWNERS: list[tuple[str, list[Any], bool]] = [
    ("complete", [OWNER], True),
    ("twice the same", [OWNER, OWNER], True),
    ("no apiVersion", [{**OWNER, "apiVersion": ""}], False),
    ("apiVersion of three parts", [{**OWNER, "apiVersion": "a/b/c"}], False),
    ("no kind", [{k: v for k, v in OWNER.items() if k != "kind"}], False),
    ("no name", [{**OWNER, "name": ""}], False),
    ("no uid", [{**OWNER, "uid": ""}], False),
    ("one controller", [{**OWNER, "controller": True}], True),
    ("two controllers", [{**OWNER, "controller": True}, {**OWNER, "uid": "w", "controller": True}], False),
]  # fmt: skip
FINALIZERS: list[tuple[str, list[str], bool]] = [
    ("with a prefix", ["example.com/cleanup"], True),
    ("a space", ["a b"], False),
    ("64 characters", ["f" * 64], False),
    ("orphan alone", ["orphan"], True),
    ("orphan and foreground", ["orphan", "foregroundDeletion"], False),
]
# Fields that the decoder types, and values of a wrong type.
TYPES: list[tuple[str, Any, str]] = [
    ("name", 8, "into Go struct field ObjectMeta.name of type string"),
    ("namespace", True, "ObjectMeta.namespace"),
    ("generateName", 1.5, "ObjectMeta.generateName"),
    ("labels", {"a": 1}, "ObjectMeta.labels"),
    ("labels", {"a": None}, ""),
    ("labels", [], "ObjectMeta.labels"),
    ("labels", None, ""),
    ("annotations", {"a": False}, "ObjectMeta.annotations"),
    ("annotations", "text", "ObjectMeta.annotations"),
    ("annotations", {}, ""),
    ("finalizers", [1], "ObjectMeta.finalizers"),
    ("finalizers", "a", "ObjectMeta.finalizers"),
    ("ownerReferences", {}, "ObjectMeta.ownerReferences"),
    ("ownerReferences", None, ""),
]


def rows() -> Iterator[Row]:
    for kind, base in (("version", None), ("pipeline", pipeline())):
        for words, name, good in NAMES:
            own = base and {"spec": {}}
            yield row(
                f"{kind} name: {words}",
                *([] if good else ["metadata-name"]),
                change={"metadata.name": name, **(own or {})},
                of=base,
                before=[pipeline()] if base is None else [],
                says="" if good else "metadata.name",
            )
    for words, name, good in NAMESPACES:
        yield row(
            f"namespace: {words}",
            *([] if good else ["metadata-namespace"]),
            change={"metadata.namespace": name},
            of=pipeline(),
            before=[],
        )
    yield from _keyed()
    for words, owners, good in OWNERS:
        yield row(
            f"owner: {words}",
            *([] if good else ["metadata-owner-reference"]),
            change={"metadata.ownerReferences": owners},
        )
    for words, finalizers, good in FINALIZERS:
        yield row(
            f"finalizer: {words}",
            *([] if good else ["metadata-finalizer"]),
            change={"metadata.finalizers": finalizers},
        )
    for number, (field, value, says) in enumerate(TYPES):
        yield row(
            f"type {number} of metadata.{field}",
            *(["metadata-type"] if says else []),
            change={f"metadata.{field}": value},
            says=says,
        )
    yield from _others()


def _keyed() -> Iterator[Row]:
    for words, value, good in LABEL_VALUES:
        yield row(
            f"label value: {words}",
            *([] if good else ["metadata-label-value"]),
            change={"metadata.labels": {"team": value}},
            says="" if good else "metadata.labels: Invalid value",
        )
    for words, key, good in LABEL_KEYS:
        yield row(
            f"label key: {words}",
            *([] if good else ["metadata-label-key"]),
            change={"metadata.labels": {key: "x"}},
            says="" if good else "metadata.labels: Invalid value",
        )
        # The case of an annotation's key does not count.
        fine = good or words == "capital in the prefix"
        yield row(
            f"annotation key: {words}",
            *([] if fine else ["metadata-annotation-key"]),
            change={"metadata.annotations": {key: "x"}},
        )
    for size, good in ((262_144, True), (262_145, False)):
        yield row(
            f"annotations of {size} bytes",
            *([] if good else ["metadata-annotations-size"]),
            change={"metadata.annotations": {"a": "x" * (size - 1)}},
            # There is no room for kubectl's own copy either way.
            warn=["size-client-apply"] if good else [],
            says="" if good else "metadata.annotations: Too long",
        )


def _others() -> Iterator[Row]:
    generated = {"metadata.name": REMOVE, "metadata.generateName": "train-"}
    yield row("generateName instead of a name", change=generated, warn=["generate-name"])
    yield row(
        "a bad generateName",
        "metadata-generate-name",
        "metadata-name",
        change={**generated, "metadata.generateName": "Train"},
    )
    yield row("no name", "metadata-name", change={"metadata.name": REMOVE}, says="name or generateName is required")  # fmt: skip
    yield row("no metadata", "metadata-name", change={"metadata": REMOVE})
    yield row("resourceVersion", "metadata-resource-version", change={"metadata.resourceVersion": "7"})  # fmt: skip
    yield row("empty resourceVersion", change={"metadata.resourceVersion": ""})
    # What the API server overwrites without a word is a note.
    for field, value, warn in (
        ("uid", "u", ["metadata-server-field"]),
        ("generation", 3, []),
        ("creationTimestamp", "2026-01-31T09:00:00Z", []),
    ):
        yield row(f"metadata.{field}", change={f"metadata.{field}": value}, warn=warn)
    yield row("a time that is none", "metadata-type", change={"metadata.creationTimestamp": "now"})
    yield row("unknown field of metadata", "unknown-field", change={"metadata.lables": {}})
    for version, good in ((API, True), ("pipelines.kubeflow.org/v1", False), ("", False)):
        yield row(
            f"apiVersion {version or 'empty'}",
            *([] if good else ["api-version"]),
            change={"apiVersion": version},
        )
    yield row("kind in lower case", "kind", change={"kind": "pipelineversion"})
