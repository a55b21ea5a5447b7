from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfp_k8s_manifest import releases
from kfp_k8s_manifest.checks import protojson

SPEC = "ml_pipelines.PipelineSpec"
TASK = "ml_pipelines.PipelineTaskSpec"
RETRY = "ml_pipelines.PipelineTaskSpec.RetryPolicy"
PARAMETER = "ml_pipelines.ComponentInputsSpec.ParameterSpec"
INPUT = "ml_pipelines.TaskInputsSpec.InputParameterSpec"
ARTIFACT = "ml_pipelines.TaskOutputsSpec.OutputArtifactSpec"
SECURITY = "kfp_kubernetes.SecurityContext"


def judged(message: str, value: Any, generation: str = "2.17.0") -> list[tuple[str, str, str]]:
    problems = protojson.check(message, value, [generation])
    return [(problem.kind, ".".join(map(str, problem.path)), problem.cause) for problem in problems]


# What Go's protojson says, for one field of each type at the edges of what it takes.
ACCEPTED = [
    (SPEC, {}),
    (SPEC, {"pipelineInfo": {"name": "a"}, "root": {}, "components": {}, "deploymentSpec": {}}),
    (SPEC, {"pipeline_info": {"name": "a"}, "default_pipeline_root": "gs://bucket"}),
    (SPEC, {"pipelineInfo": None, "components": None, "deploymentSpec": None, "sdkVersion": None}),
    (SPEC, {"deploymentSpec": {"any": [None, {"thing": 1.5}], "": True}}),
    (TASK, {"dependentTasks": []}),
    (TASK, {"dependentTasks": None}),
    (TASK, {"triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}}),
    (TASK, {"triggerPolicy": {"strategy": 2}}),
    (TASK, {"triggerPolicy": {"strategy": 99}}),
    (TASK, {"triggerPolicy": {"strategy": -(2**31)}}),
    (PARAMETER, {"defaultValue": None, "literals": [None, 1, "a", {}]}),
    (PARAMETER, {"defaultValue": {"a": [1]}}),
    (PARAMETER, {"isOptional": False, "parameterType": "LIST"}),
    (INPUT, {"runtimeValue": {"constant": 1}, "componentInputParameter": None}),
    (INPUT, {"runtimeValue": {"constant": None}}),
    (ARTIFACT, {"properties": {"a": {"constant": None}}}),
    *((RETRY, {"maxRetryCount": value}) for value in [0, -1, 1.0, 2**31 - 1, -(2**31), 1e2]),
    *(
        (RETRY, {"maxRetryCount": text})
        for text in [
            "0",
            "-0",
            "1.0",
            "1.50e1",
            "100e-2",
            "0e99999999999",
            "1,",
            "1 2",
            "1é",
            "1e,",
        ]
    ),
    *(
        (SECURITY, {"runAsUser": value})
        for value in [2**63 - 1024, -(2**63) + 1024, "-9223372036854775808"]
    ),
    *((RETRY, {"backoffFactor": value}) for value in [1, 1.5, 1e300, "NaN", "-Infinity", "1e3"]),
    *(
        (RETRY, {"backoffDuration": text})
        for text in ["0s", "1s", "1.s", ".5s", ".s", "-.s", "+1s", "-0s", "0.123456789s"]
    ),
    (RETRY, {"backoffDuration": "315576000000.999999999s"}),
]

REJECTED = [
    (SPEC, [], "wrong-type", "", "unexpected token ["),
    (SPEC, None, "wrong-type", "", "unexpected token null"),
    (SPEC, {"nope": 1}, "unknown-field", "nope", 'unknown field "nope"'),
    (SPEC, {"nope": None}, "unknown-field", "nope", 'unknown field "nope"'),
    (SPEC, {"PipelineInfo": {}}, "unknown-field", "PipelineInfo", 'unknown field "PipelineInfo"'),
    (
        SPEC,
        {"sdk_version": "a", "sdkVersion": "a"},
        "duplicate-field",
        "sdk_version",
        'duplicate field "sdk_version"',
    ),
    (
        SPEC,
        {"sdkVersion": None, "sdk_version": None},
        "duplicate-field",
        "sdk_version",
        'duplicate field "sdk_version"',
    ),
    (SPEC, {"deploymentSpec": []}, "wrong-type", "deploymentSpec", "unexpected token ["),
    (SPEC, {"deploymentSpec": "inf"}, "wrong-type", "deploymentSpec", 'unexpected token "inf"'),
    (SPEC, {"components": {"a": None}}, "null-in-map", "components.a", "unexpected token null"),
    (
        SPEC,
        {"sdkVersion": 1.0},
        "wrong-type",
        "sdkVersion",
        "invalid value for string field sdkVersion: 1",
    ),
    (
        TASK,
        {"dependentTasks": ["a", None]},
        "null-in-list",
        "dependentTasks.1",
        "invalid value for string field dependentTasks: null",
    ),
    (TASK, {"dependentTasks": "a"}, "wrong-type", "dependentTasks", 'unexpected token "a"'),
    (
        TASK,
        {"triggerPolicy": {"strategy": "all_upstream_tasks_completed"}},
        "unknown-enum-value",
        "triggerPolicy.strategy",
        'invalid value for enum field strategy: "all_upstream_tasks_completed"',
    ),
    (
        TASK,
        {"triggerPolicy": {"strategy": 2**31}},
        "bad-value",
        "triggerPolicy.strategy",
        "invalid value for enum field strategy: 2147483648",
    ),
    (
        TASK,
        {"cachingOptions": {"enableCache": "true"}},
        "wrong-type",
        "cachingOptions.enableCache",
        'invalid value for bool field enableCache: "true"',
    ),
    (PARAMETER, {"literals": None}, "wrong-type", "literals", "unexpected token null"),
    (
        INPUT,
        {"runtimeValue": {}, "componentInputParameter": "a"},
        "oneof-set-twice",
        "runtimeValue",
        'error parsing "runtimeValue", oneof kind is already set',
    ),
    (
        "ml_pipelines.ValueOrRuntimeParameter",
        {"constant": None, "runtimeParameter": "a"},
        "oneof-set-twice",
        "runtimeParameter",
        'error parsing "runtimeParameter", oneof value is already set',
    ),
    *(
        (
            RETRY,
            {"maxRetryCount": value},
            "bad-value",
            "maxRetryCount",
            f"invalid value for int32 field maxRetryCount: {text}",
        )
        for value, text in [
            (1.5, "1.5"),
            (2**31, "2147483648"),
            (-(2**31) - 1, "-2147483649"),
            (1e21, "1e+21"),
            ("", '""'),
            (" 1", '" 1"'),
            ("1\xa0", '"1\xa0"'),
            ("0x1", '"0x1"'),
            ("01", '"01"'),
            ("1e", '"1e"'),
            ("+1", '"+1"'),
            ("1e+,", '"1e+,"'),
            ("1e-1", '"1e-1"'),
            ("1_0", '"1_0"'),
            ("2147483648", '"2147483648"'),
        ]
    ),
    (
        RETRY,
        {"maxRetryCount": True},
        "wrong-type",
        "maxRetryCount",
        "invalid value for int32 field maxRetryCount: true",
    ),
    (
        SECURITY,
        {"runAsUser": 2**63 - 1},
        "bad-value",
        "runAsUser",
        # A double has no such number, and Go writes the shortest digits of the next one.
        "invalid value for int64 field runAsUser: 9223372036854776000",
    ),
    *(
        (
            RETRY,
            {"backoffFactor": text},
            "bad-value",
            "backoffFactor",
            f"invalid value for double field backoffFactor: {json.dumps(text)}",
        )
        for text in ["", "nan", "inf", "1e400", " 1", "1e,", ".5"]
    ),
    *(
        (
            RETRY,
            {"backoffDuration": text},
            "bad-value",
            "backoffDuration",
            f"invalid google.protobuf.Duration value {json.dumps(text)}",
        )
        for text in ["", "s", "1", "-s", "+s", "01s", "1s ", "1m", "0.1234567890s", "9" * 20 + "s"]
    ),
    (
        RETRY,
        {"backoffDuration": "315576000001s"},
        "bad-value",
        "backoffDuration",
        'google.protobuf.Duration value out of range: "315576000001s"',
    ),
    (
        RETRY,
        {"backoffDuration": 3600},
        "wrong-type",
        "backoffDuration",
        "unexpected token 3600",
    ),
]


@pytest.mark.parametrize(("message", "value"), ACCEPTED)
def test_accepted(message: str, value: Any) -> None:
    assert judged(message, value) == []


@pytest.mark.parametrize(("message", "value", "kind", "path", "cause"), REJECTED)
def test_rejected(message: str, value: Any, kind: str, path: str, cause: str) -> None:
    assert judged(message, value) == [(kind, path, cause)]


def test_all_problems_are_told_in_the_order_in_which_go_reads() -> None:
    value = {
        "zzz": 1,
        "sdk_version": 1,
        "root": {"dag": {"tasks": {"b": {"taskInfo": {"name": 1}}, "a": {"nope": 1}}}},
        "AAA": 1,
    }
    assert [path for _, path, _ in judged(SPEC, value)] == [
        "AAA",
        "root.dag.tasks.a.nope",
        "root.dag.tasks.b.taskInfo.name",
        "sdk_version",
        "zzz",
    ]


@pytest.mark.parametrize(
    ("generations", "rejecting"),
    [
        (["2.17.0"], set()),
        (["2.15.0"], set()),
        (["2.14.0"], {"2.14.0"}),
        (["2.14.0", "2.15.0"], {"2.14.0"}),
    ],
)
def test_a_field_is_rejected_by_the_releases_that_do_not_know_it(
    generations: list[str], rejecting: set[str]
) -> None:
    value = {"root": {"taskConfigPassthroughs": [{"field": "ENV"}]}}
    problems = protojson.check(SPEC, value, generations)
    assert {each for problem in problems for each in problem.generations} == rejecting
    assert all(problem.since == "2.15.0" for problem in problems)


def test_below_a_limited_field_only_the_others_judge() -> None:
    value = {"task_config_passthroughs": [{"field": "NOPE"}]}
    problems = protojson.check("ml_pipelines.ComponentSpec", value, ["2.14.0", "2.15.0"])
    assert [(problem.cause, set(problem.generations)) for problem in problems] == [
        ('unknown field "task_config_passthroughs"', {"2.14.0"}),
        ('invalid value for enum field field: "NOPE"', {"2.15.0"}),
    ]


@pytest.mark.parametrize("message", releases.type_names()[0])
def test_every_message_of_the_data_compiles(message: str) -> None:
    if message in ("google.rpc.Status", "ml_pipelines.PipelineTaskFinalStatus"):
        # Nothing that is checked reaches them, and they hold a google.protobuf.Any.
        with pytest.raises(NotImplementedError, match=r"google\.protobuf\.Any"):
            protojson.check(message, {}, releases.generations())
    else:
        assert protojson.check(message, {}, releases.generations()) == []


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.text(max_size=4)
    | st.floats(-9, 9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=3)
            | st.sampled_from(["root", "dag", "tasks", "components", "pipelineInfo"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_judged_without_a_crash_and_at_places_that_exist(value: Any) -> None:
    for problem in protojson.check(SPEC, value, releases.generations()):
        node = value
        for step in problem.path:
            node = node[step]
        assert node is problem.value or node == problem.value
