"""YAML as Kubernetes reads it, many documents with one run of kubectl."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from .conftest import reference
from .kubectl import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .kubectl import Kubectl

    Reader = Callable[[Iterable[str]], list[Any]]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("08", 8),
        ("12345e7", 123450000000),
        ("0o755", 493),
        ("y", True),
        ("1.0", 1),
        ("~", None),
        ("'08'", "08"),
        ('"y"', "y"),
        ("|-\n  a\n  b", "a\nb"),
        ("[null, {y: n}]", [None, {"true": False}]),
        ("9223372036854775807", 9223372036854775807),
        ("'\r'", " "),
        ("'<&>\u2028\U0001f600'", "<&>\u2028\U0001f600"),
    ],
)
def test_go_reads_a_value(go_reader: Reader, text: str, value: object) -> None:
    (document,) = go_reader([f"value: {text}\n"])

    assert document == {"value": value}
    assert type(document["value"]) is type(value)


@pytest.mark.parametrize("header", ["|", "|-", "|+", ">+", "|2+"])
def test_go_reads_the_end_of_a_document_the_same_in_a_stream(
    go_reader: Reader, header: str
) -> None:
    text = f"value: {header}\n  a\n\n\n"
    # What cannot be read makes each document be read alone.
    alone = go_reader([text, "value: [\n"])

    assert go_reader([text, text]) == [alone[0], alone[0]]
    assert alone[0] == {"value": {"|": "a\n", "|-": "a"}.get(header, "a\n\n\n")}


def test_go_reads_a_missing_final_line_break_as_if_it_were_there(go_reader: Reader) -> None:
    text = "value: |\n  a"
    alone = go_reader([text, "value: [\n"])

    assert go_reader([text, text]) == [alone[0], alone[0]] == [{"value": "a\n"}] * 2


def test_go_reads_whole_manifests_unchanged(go_reader: Reader) -> None:
    manifest: dict[str, Any] = {
        "apiVersion": "pipelines.kubeflow.org/v2beta1",
        "kind": "Pipeline",
        "metadata": {"name": "train", "labels": {}},
        "spec": {"displayName": "08", "tags": {"y": "n"}},
    }
    # What this project is about: PyYAML leaves all three without quotes.
    plain = {**manifest, "spec": {"displayName": 8, "tags": {"true": False}}}

    assert go_reader(
        [
            yaml.safe_dump(manifest),
            yaml.safe_dump(manifest, default_style='"'),
            json.dumps(manifest),
            json.dumps(manifest, indent=2),
        ]
    ) == [plain, manifest, manifest, manifest]


def test_go_reads_goes_on_after_what_cannot_be_read(go_reader: Reader) -> None:
    assert go_reader(["value: 1\n", "value: [\n", "value: {~: 1}\n", "value: 2\n"]) == [
        {"value": 1},
        Unreadable(
            "error converting YAML to JSON: yaml: line 3: did not find expected node content"
        ),
        Unreadable(
            "error converting YAML to JSON: unsupported map key of type: %!s(<nil>), "
            "key: <nil>, value: 1"
        ),
        {"value": 2},
    ]


def test_go_reads_one_document_a_text(go_reader: Reader) -> None:
    manifest = "apiVersion: v1\nkind: ConfigMap\n"

    with pytest.raises(AssertionError, match="each must be exactly one document"):
        go_reader([f"{manifest}---\n{manifest}"])


def test_go_reads_nothing(go_reader: Reader) -> None:
    assert go_reader([]) == []


def test_go_reads_as_the_reference_says(go_reader: Reader) -> None:
    with gzip.open(reference("yaml-scalars.jsonl.gz"), "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]

    values = go_reader(f"value: {row['text']}\n" for row in rows)

    for row, read in zip(rows, values, strict=True):
        if "error" in row:
            assert isinstance(read, Unreadable), row
            assert read.message.endswith(row["error"])
        else:
            expected = row["value"]
            if row["type"] in {"integer", "number"}:
                expected = json.loads(expected)
            assert read == {"value": expected}, row


def test_kubectl_knows_nothing_of_the_users_configuration(offline_kubectl: Kubectl) -> None:
    assert offline_kubectl.json("config", "view")["contexts"] is None
