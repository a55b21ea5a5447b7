"""Rows about texts: several objects, sizes, and YAML as Kubernetes reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.parity.base import Row, patched, pipeline, row, version

HEAD = """\
apiVersion: pipelines.kubeflow.org/v2beta1
kind: Pipeline
metadata:
  name: train
spec:
  description: Trains.
"""
# A scalar without quotes, and whether Kubernetes reads a string.
SCALARS: list[tuple[str, bool]] = [
    ("text", True), ("y", False), ("Y", False), ("yes", False), ("Yes", False), ("yEs", True),
    ("n", False), ("no", False), ("on", False), ("off", False), ("OFF", False), ("true", False),
    ("True", False), ("tRue", True), ("false", False), ("08", False), ("8", False), ("-1", False),
    ("+1", False), ("1.5", False), (".5", False), ("1e3", False), ("12345e7", False), ("1e", True),
    ("0o17", False), ("0x1F", False), ("0b11", False), ("1_000", False), ("1:30", True),
    ("2026-01-31", True), ("2026-01-31T09:00:00Z", True), ("1.2.3", True), ("v1", True),
    ("0x", True), ("'08'", True), ('"y"', True), ("!!str 8", True), ("1.", False), ("e3", True),
]  # fmt: skip


def rows() -> Iterator[Row]:
    for text, is_string in SCALARS:
        for kind in ("displayName", "description"):
            yield row(
                f"{kind}: {text}",
                *([] if is_string else ["crd-type"]),
                text=HEAD.replace("description: Trains.", f"{kind}: {text}"),
                before=[],
                says="" if is_string else "must be of type string",
            )
    yield from _yaml()
    yield from _sets()
    for size, warn, rules in (
        (200_000, [], []),
        (270_000, ["size-client-apply"], []),
        (1_560_000, ["size-client-apply"], []),
        (1_580_000, [], ["size-etcd"]),
        (3_140_000, [], ["size-etcd"]),
        (3_150_000, [], ["size-request"]),
    ):
        yield row(
            f"an object of {size} bytes",
            *rules,
            of=patched(pipeline(), {"spec.description": "x" * size}),
            before=[],
            warn=warn,
        )


def _yaml() -> Iterator[Row]:
    for words, text, rules in (
        ("a duplicate key", HEAD + "  description: Twice.\n", ["yaml-invalid"]),
        ("a tab", HEAD.replace("  name", "\tname"), ["yaml-invalid"]),
        ("an unclosed quote", HEAD.replace("Trains.", '"Trains.'), ["yaml-invalid"]),
        ("an unknown anchor", HEAD.replace("Trains.", "*a"), ["yaml-invalid"]),
        ("an anchor", HEAD.replace("Trains.", "&a Trains.") + "  displayName: *a\n", []),
        ("CRLF", HEAD.replace("\n", "\r\n"), []),
        ("a byte order mark", "\ufeff" + HEAD, []),
        ("a final document end", HEAD + "...\n", []),
        ("empty documents", "---\n---\n" + HEAD + "---\n", []),
        ("a comment only", "# nothing\n", []),
        ("JSON", json.dumps(pipeline()), []),
        ("a List", json.dumps({"apiVersion": "v1", "kind": "List", "items": [pipeline()]}), []),
        ("another kind", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n", []),
    ):
        yield row(f"YAML with {words}", *rules, text=text, before=[])


def _sets() -> Iterator[Row]:
    def stream(*objects: object) -> str:
        return "---\n".join(json.dumps(each) + "\n" for each in objects)

    second = patched(version(), {"metadata.name": "train-v2"})
    second["spec"]["pipelineSpec"]["pipelineInfo"]["name"] = "train-v2"
    named = patched(version(), {"metadata.name": "train-v3", "spec.versionName": "v3"})
    twin = patched(named, {"metadata.name": "other-v3"})
    for words, text, rules, warn in (
        ("a Pipeline and its version", stream(pipeline(), version()), [], []),
        ("the version first", stream(version(), pipeline()), [], []),
        ("a version alone", stream(version()), ["pipeline-not-found"], []),
        ("one name twice", stream(pipeline(), pipeline()), ["duplicate-object"], []),
        ("two versions", stream(pipeline(), version(), second), [], []),
        (
            "one name in two namespaces",
            stream(pipeline(), patched(pipeline(), {"metadata.namespace": "b"})),
            [],
            [],
        ),
        ("a composite name", stream(pipeline(), named), [], []),
        ("one REST name twice", stream(pipeline(), named, twin), [], ["rest-name-collision"]),
    ):
        yield row(f"a set with {words}", *rules, text=text, before=[], warn=warn)
