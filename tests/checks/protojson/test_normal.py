"""The normal form of specs, against the protobuf classes that kfp has of them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format, struct_pb2
from kfp.pipeline_spec import pipeline_spec_pb2

from kfp_k8s_manifest import releases
from kfp_k8s_manifest.checks.protojson import check
from kfp_k8s_manifest.checks.protojson.normal import normalise

CORPUS = Path(__file__).parents[3].parent / "shared" / "corpus" / "ir"
NEWEST = releases.generations()[-1]
PIPELINE = "ml_pipelines.PipelineSpec"
PLATFORM = "ml_pipelines.PlatformSpec"
CLASSES = {
    PIPELINE: pipeline_spec_pb2.PipelineSpec,
    PLATFORM: pipeline_spec_pb2.PlatformSpec,
}


def by_protobuf(message: str, value: dict[str, Any]) -> Any:
    """Return what protobuf's own classes for Python write of what they have read."""
    parsed = json_format.ParseDict(value, CLASSES[message]())
    return json.loads(json_format.MessageToJson(parsed, ensure_ascii=False))


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not part of the project")
def test_compiled_pipelines_have_the_normal_form_of_protobuf() -> None:
    count = 0
    for path in sorted(CORPUS.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            message = PLATFORM if "platforms" in document else PIPELINE
            if check(message, document, [NEWEST]):
                continue
            assert normalise(message, document) == by_protobuf(message, document), path
            count += 1
    assert count > 40


class Maker:
    """Makes messages with all kinds of fields and spellings, that a strict reader accepts."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def message(self, name: str, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        chosen: set[str] = set()
        for facts in releases.message_fields(name).values():
            if not facts.known_to(NEWEST) or self.random.random() < 0.45:
                continue
            if facts.oneof in chosen:
                continue
            if facts.oneof:
                chosen.add(facts.oneof)
            value = self.field(facts, depth)
            if value is not None or self.random.random() < 0.1:
                made[self.random.choice((facts.name, facts.proto_name))] = value
        return made

    def field(self, facts: releases.IRField, depth: int) -> Any:
        if depth <= 0 and facts.type in releases.type_names()[0]:
            return None
        if facts.map_key:
            names = self.random.sample(("a", "task-10", "é", "x_y"), self.random.randrange(3))
            return {name: self.element(facts.type, depth) for name in names}
        if facts.repeated:
            return [self.element(facts.type, depth) for _ in range(self.random.randrange(3))]
        return self.element(facts.type, depth)

    def element(self, type_: str, depth: int) -> Any:
        pick = self.random.choice
        if type_ == "string":
            return pick(("", "text", "é😀", "12", "\n"))
        if type_ == "bool":
            return pick((True, False))
        if type_ == "double":
            return pick((0, 0.0, 1.5, 3, 3.0, "2.50", "NaN", "Infinity", "-Infinity", 1e21, "1e2"))
        if type_ in ("int32", "uint32"):
            return pick((0, 5, 5.0, "7", "1e2", 0.0))
        if type_ in ("int64", "uint64"):
            return pick((0, 5, 5.0, "7", "0", 2**53 - 1, "9223372036854775807"))
        if type_ in releases.type_names()[1]:
            values = [v for v in releases.enum_values(type_).values() if v.known_to(NEWEST)]
            one = pick(values)
            return pick((one.name, one.number))
        if type_ == "google.protobuf.Duration":
            return pick(("0s", "3600s", "1.5s", "0.000001s", "1.000000001s", "5.10s"))
        if type_ == "google.protobuf.Struct":
            return pick(({}, {"a_b": 0, "c": [], "d": None, "e": 2**53 + 1}, {"x": {"y": [1.0]}}))
        if type_ == "google.protobuf.Value":
            return pick((None, 0, "", False, [], {}, 1.0, [None, {"a": 2.5}], 2**60 + 1, 1e300))
        return self.message(type_, depth - 1)


@pytest.mark.parametrize("message", [PIPELINE, PLATFORM])
def test_generated_messages_have_the_normal_form_of_protobuf(message: str) -> None:
    made = 0
    for seed in range(400):
        value = Maker(seed).message(message, 6)
        if check(message, value, [NEWEST]):
            # A null that stands in a list or map.
            continue
        assert normalise(message, value) == by_protobuf(message, value), seed
        made += 1
    assert made > 200


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ({"sdk_version": "x", "schemaVersion": ""}, {"sdkVersion": "x"}),
        ({"root": None, "components": {}}, {}),
        ({"root": {}}, {"root": {}}),
        (
            {"deploymentSpec": {"snake_case": 0, "a": [], "b": False, "n": 9007199254740993}},
            {"deploymentSpec": {"snake_case": 0, "a": [], "b": False, "n": 9007199254740992}},
        ),
    ],
)
def test_examples(given: dict[str, Any], normal: dict[str, Any]) -> None:
    before = json.dumps(given)
    assert normalise(PIPELINE, given) == normal
    assert json.dumps(given) == before


def parameter(**fields: Any) -> dict[str, Any]:
    return {"root": {"inputDefinitions": {"parameters": {"p": fields}}}}


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ({"parameterType": 3, "isOptional": False}, {"parameterType": "STRING"}),
        ({"parameterType": 0}, {}),
        ({"parameterType": 99}, {"parameterType": 99}),
        (
            {"parameterType": 3.0, "defaultValue": None},
            {"parameterType": "STRING", "defaultValue": None},
        ),
        ({"defaultValue": 1e21}, {"defaultValue": 1e21}),
        ({"defaultValue": 3.0}, {"defaultValue": 3}),
    ],
)
def test_parameters(given: dict[str, Any], normal: dict[str, Any]) -> None:
    assert normalise(PIPELINE, parameter(**given)) == parameter(**normal)


def test_numbers_that_are_whole_are_integers() -> None:
    normal = normalise(PIPELINE, {"deploymentSpec": {"a": 3.0, "b": -0.0, "c": 1e20, "d": 1e21}})
    assert json.dumps(normal["deploymentSpec"]) == (
        '{"a": 3, "b": -0.0, "c": 100000000000000000000, "d": 1e+21}'
    )


def test_a_struct_of_protobuf_keeps_doubles_alone() -> None:
    """What the comparison rests on."""
    struct = struct_pb2.Struct()
    json_format.ParseDict({"a": 2**53 + 1}, struct)
    assert struct["a"] == 2**53
