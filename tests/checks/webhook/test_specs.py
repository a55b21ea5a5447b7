from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfp_k8s_manifest import releases
from kfp_k8s_manifest.checks.lint.untyped import check_untyped
from kfp_k8s_manifest.checks.webhook.specs import check_specs
from kfp_k8s_manifest.findings import ABSENT, Severity

ROOT = Path(__file__).resolve().parents[3]
SHARED = ROOT.parent / "shared"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
RULES = ROOT / "kfp_k8s_manifest" / "checks" / "rules"
NO_SPEC = "no pipeline spec is provided"
BAD_NAME = (
    "pipeline's name must contain only lowercase alphanumeric characters or '-' and must start with "
    "alphanumeric characters"
)
NO_CHARACTER = (
    "invalid v2 pipeline spec: name should consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character"
)
OTHER_VERSION = "KFP only supports schema version 2.1.0, but the pipeline spec has version "
UNDECODABLE = "unable to decode yaml document: yaml: unmarshal errors"
NO_MERGE = (
    "unable to decode yaml document: yaml: map merge requires map or sequence of maps as the value"
)
FORBIDDEN = "failed to marshal pipeline spec to YAML: yaml: control characters are not allowed"
LONG = "pipeline's name must contain no more than 128 characters"
KUBERNETES = {"platforms": {"kubernetes": {}}}


def shared(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{path} is missing")
        pytest.skip(f"{name} is not beside the project")
    return path


def spec(**members: Any) -> dict[str, Any]:
    whole = {"pipelineInfo": {"name": "p"}, "root": {"dag": {}}, "schemaVersion": "2.1.0"}
    return {key: value for key, value in {**whole, **members}.items() if value is not ABSENT}


def named(name: Any) -> dict[str, Any]:
    return spec(pipelineInfo={"name": name})


def found(
    pipeline: Any, platform: Any = ABSENT, target: str = "2.17"
) -> list[tuple[str, str, str, str]]:
    findings = check_specs(pipeline, platform, releases.target(target))
    return [(f.severity.value, f.rule, f.field, f.cluster_message) for f in findings]


WHOLE = "spec.pipelineSpec"
PLATFORM = "spec.platformSpec"
NAME = "spec.pipelineSpec.pipelineInfo.name"
VERSION = "spec.pipelineSpec.schemaVersion"


@pytest.mark.parametrize(
    ("pipeline", "platform"),
    [
        (spec(), ABSENT),
        (spec(), None),
        (spec(), KUBERNETES),
        (spec(root={}), ABSENT),
        (spec(pipelineInfo=ABSENT, pipeline_info={"name": "p"}), ABSENT),
        (spec(schemaVersion=ABSENT, schema_version="2.1.0"), ABSENT),
        (named("a" * 128), ABSENT),
        (named("0-a-"), ABSENT),
        (spec(), {"platforms": {"kubernetes": {"pipelineConfig": None}, "other": {}}}),
        (spec(deploymentSpec={"<<": {"a": 1}}), ABSENT),
        (spec(root={"<<": {"dag": {}}}), ABSENT),
        (spec(sdkVersion="1e3"), ABSENT),
    ],
)
def test_accepted(pipeline: Any, platform: Any) -> None:
    assert found(pipeline, platform) == []


@pytest.mark.parametrize(
    ("pipeline", "platform", "expected"),
    [
        *(
            (value, ABSENT, [("error", "spec-not-an-object", WHOLE, NO_SPEC)])
            for value in [None, ABSENT]
        ),
        *(
            (value, ABSENT, [("error", "spec-not-an-object", WHOLE, UNDECODABLE)])
            for value in ["text", "", 1, True, False, [], [spec()]]
        ),
        *(
            (spec(), value, [("error", "spec-not-an-object", PLATFORM, UNDECODABLE)])
            for value in ["text", "", 0, 1.5, False, []]
        ),
        # What the documents are is looked at before the name, and after what comes before them.
        (named("A_b"), "text", [("error", "spec-not-an-object", PLATFORM, UNDECODABLE)]),
        (
            spec(schemaVersion="2.0"),
            "text",
            [("error", "spec-schema-version", VERSION, OTHER_VERSION + "2.0")],
        ),
        # A null is no document.
        (None, spec(), [("warning", "spec-swapped", WHOLE, "")]),
        ("text", spec(), [("error", "spec-not-an-object", WHOLE, UNDECODABLE)]),
        (named(""), ABSENT, [("error", "spec-pipeline-name-empty", NAME, NO_SPEC)]),
        (named(None), ABSENT, [("error", "spec-pipeline-name-empty", NAME, NO_SPEC)]),
        (
            spec(pipelineInfo=ABSENT),
            KUBERNETES,
            [("error", "spec-pipeline-name-empty", NAME, NO_SPEC)],
        ),
        (spec(root=None), ABSENT, [("error", "spec-root-missing", f"{WHOLE}.root", NO_SPEC)]),
        (spec(root=ABSENT), ABSENT, [("error", "spec-root-missing", f"{WHOLE}.root", NO_SPEC)]),
        (
            {},
            ABSENT,
            [
                ("error", "spec-pipeline-name-empty", NAME, NO_SPEC),
                ("error", "spec-root-missing", f"{WHOLE}.root", NO_SPEC),
                (
                    "error",
                    "spec-schema-version",
                    VERSION,
                    OTHER_VERSION,
                ),
            ],
        ),
        (
            spec(schemaVersion="2.1.0 "),
            ABSENT,
            [
                (
                    "error",
                    "spec-schema-version",
                    VERSION,
                    OTHER_VERSION + "2.1.0 ",
                )
            ],
        ),
        # The type is told once, not again as a wrong version.
        (spec(schemaVersion=2.1), ABSENT, [("error", "spec-wrong-type", VERSION, NO_SPEC)]),
        (spec(root=5), ABSENT, [("error", "spec-wrong-type", f"{WHOLE}.root", NO_SPEC)]),
        (named(8), ABSENT, [("error", "spec-wrong-type", NAME, NO_SPEC)]),
        (named("a" * 129), ABSENT, [("error", "spec-pipeline-name", NAME, LONG)]),
        # 128 bytes are counted, not characters.
        (named("a" * 127 + "é"), ABSENT, [("error", "spec-pipeline-name", NAME, LONG)]),
        (named("a" * 126 + "é"), ABSENT, [("error", "spec-pipeline-name", NAME, BAD_NAME)]),
        (named("A_b"), ABSENT, [("error", "spec-pipeline-name", NAME, BAD_NAME)]),
        (named("-a"), ABSENT, [("error", "spec-pipeline-name", NAME, BAD_NAME)]),
        (named("a\n"), ABSENT, [("error", "spec-pipeline-name", NAME, BAD_NAME)]),
        (named("A_B"), ABSENT, [("error", "spec-pipeline-name", NAME, NO_CHARACTER)]),
        (
            spec(),
            spec(),
            [
                (
                    "error",
                    "spec-two-pipelines",
                    "spec.platformSpec",
                    "multiple pipeline specs provided",
                )
            ],
        ),
        (
            KUBERNETES,
            KUBERNETES,
            [
                (
                    "error",
                    "spec-two-platforms",
                    "spec.platformSpec",
                    "multiple platform specs provided",
                )
            ],
        ),
        # KFP goes by the content, not by the field.
        (KUBERNETES, spec(), [("warning", "spec-swapped", WHOLE, "")]),
        (
            spec(deploymentSpec={"<<": 5}),
            ABSENT,
            [
                (
                    "error",
                    "spec-merge-key",
                    f"{WHOLE}.deploymentSpec[<<]",
                    NO_MERGE,
                )
            ],
        ),
        (
            spec(deploymentSpec={"a": {"0o-17": 1}}),
            ABSENT,
            [
                (
                    "error",
                    "spec-string-read-as-number",
                    f"{WHOLE}.deploymentSpec.a[0o-17]",
                    NO_SPEC,
                )
            ],
        ),
        (
            spec(sdkVersion="0o-17"),
            ABSENT,
            [("error", "spec-string-read-as-number", f"{WHOLE}.sdkVersion", NO_SPEC)],
        ),
        (
            spec(deploymentSpec={"a": "0o+7"}),
            ABSENT,
            [("warning", "spec-string-read-as-number", f"{WHOLE}.deploymentSpec.a", "")],
        ),
        (
            spec(sdkVersion="a\x7f"),
            ABSENT,
            [
                (
                    "error",
                    "spec-control-character",
                    f"{WHOLE}.sdkVersion",
                    FORBIDDEN,
                )
            ],
        ),
        (
            spec(deploymentSpec={"a": float("nan")}),
            ABSENT,
            [("error", "spec-not-json", f"{WHOLE}.deploymentSpec.a", "")],
        ),
        (
            spec(deploymentSpec={"a": 10**400}),
            ABSENT,
            [("error", "spec-not-json", f"{WHOLE}.deploymentSpec.a", "")],
        ),
    ],
)
def test_verdicts(pipeline: Any, platform: Any, expected: list[tuple[str, str, str, str]]) -> None:
    assert found(pipeline, platform) == expected


def test_an_argo_workflow_is_one_error() -> None:
    workflow = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": {"a": []}}
    for target in ("2.14", "portable"):
        (finding,) = check_specs(workflow, None, releases.target(target))
        assert (finding.rule, finding.field) == ("spec-workflow", WHOLE)
        assert finding.cluster_message == NO_SPEC
        assert finding.message == (
            "spec.pipelineSpec: is an Argo Workflow, which KFP's compiler of version 1 wrote; a"
            " PipelineVersion takes the intermediate representation of version 2 only."
        )
    assert untyped(workflow, None, "2.17") == []


def test_a_pipeline_spec_beside_text_is_found_and_told() -> None:
    assert found("text", spec(), "2.14") == [("warning", "spec-swapped", WHOLE, "")]


def test_a_platform_spec_that_is_no_object_is_told_release_by_release() -> None:
    findings = check_specs(spec(), "text", releases.target("portable"))
    assert [(each.rule, each.severity.value, each.message) for each in findings] == [
        (
            "spec-not-an-object",
            "error",
            "spec.platformSpec: must be an object, not the string 'text' (KFP 2.15, 2.16 and 2.17).",
        ),
        (
            "platform-ignored",
            "warning",
            f"spec.platformSpec: must be an object, not the string 'text' (KFP 2.14){IGNORED}.",
        ),
    ]
    assert findings[0].hint == "Write it as an object, not as text."


LONGEST = "k" * 1022
BROKEN_KEY = "failed to marshal {} spec to YAML: yaml: did not find expected ',' or '}}'"
NEXT_LINE_KEY = "failed to marshal {} spec to YAML: yaml: line 1: did not find expected ',' or '}}'"


@pytest.mark.parametrize(
    ("key", "message", "target"),
    [
        ("\x85", NEXT_LINE_KEY, "2.14.0"),
        ("a\x85b", NEXT_LINE_KEY, "2.17"),
        # Nothing but its length as JSON counts; Go escapes these characters with six.
        (LONGEST + "k", BROKEN_KEY, "2.14.0"),
        ("é" * 1023, BROKEN_KEY, "2.17"),
        ("\n" * 512, BROKEN_KEY, "2.17"),
        ("<" * 171, BROKEN_KEY, "2.17"),
        ("\u2028" * 171, BROKEN_KEY, "2.14.0"),
        ("a\u2028b", NO_SPEC, "2.14.3"),
        ("\u2029", NO_SPEC, "2.17"),
    ],
)
def test_a_key_that_kfp_cannot_write(key: str, message: str, target: str) -> None:
    pipeline = spec(deploymentSpec={"a": [{key: 1}]})
    config = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {key: {}}}}}}
    for specs, kind in (((pipeline, ABSENT), "pipeline"), ((spec(), config), "platform")):
        (finding,) = check_specs(*specs, releases.target(target))
        assert (finding.severity, finding.rule) == (Severity.ERROR, "spec-key")
        assert (finding.path[1], finding.path[-1]) == (f"{kind}Spec", key)
        assert finding.on_key
        assert finding.cluster_message == message.format(kind)


@pytest.mark.parametrize(
    ("key", "target"),
    [
        (LONGEST, "2.17"),
        ("é" * 1022, "2.17"),
        ("\n" * 511, "2.17"),
        ("a\u2028b", "2.14.0"),
        ("a\u2029", "2.14.0"),
    ],
)
def test_a_key_that_kfp_can_write(key: str, target: str) -> None:
    assert found(spec(deploymentSpec={"a": [{key: 1}]}), target=target) == []


def test_a_platform_spec_that_is_ignored_or_loses_its_separators_is_not_written_again() -> None:
    def platform(name: str, key: str) -> dict[str, Any]:
        return {"platforms": {name: {"deploymentSpec": {"executors": {key: {}}}}}}

    ignored = found(spec(), platform("other", "a\u2028b"))
    assert [rule for _, rule, *_ in ignored] == ["platform-ignored"]
    assert found(spec(), platform("kubernetes", "\u2028\na")) == []
    for key in ("\u2028a", "\u2028\n\u2028", "a\n\u2029\nb"):
        assert [rule for _, rule, *_ in found(spec(), platform("kubernetes", key))] == ["spec-key"]


def test_a_key_that_only_later_releases_refuse_names_them() -> None:
    findings = check_specs(spec(deploymentSpec={"a\u2028b": 1}), None, releases.target("portable"))
    assert [finding.message for finding in findings] == [
        (
            "spec.pipelineSpec.deploymentSpec[a\u2028b]: the key 'a\\u2028b' holds U+2028 or U+2029,"
            " a line break for YAML, on which KFP fails (KFP 2.14.3 and later)."
        )
    ]


def test_a_next_line_in_a_value_is_read_as_a_space() -> None:
    (finding,) = check_specs(spec(sdkVersion="a\x85b"), None, releases.target("2.17"))
    assert (finding.rule, finding.severity.value) == ("next-line", "warning")
    assert finding.message == (
        "spec.pipelineSpec.sdkVersion: KFP reads U+0085 in 'a\\x85b' as a space; server-side apply"
        " and kustomize store it as one."
    )
    # And so it is judged.
    for text, read in (("a \x85 b", "a b"), ("\x85\x85", "\n"), ("a\x85\x85 \x85b", "a\n\nb")):
        (error,) = check_specs(spec(schemaVersion=text), None, releases.target("2.17"))
        assert error.cluster_message == OTHER_VERSION + read


IGNORED = ", so that KFP accepts the platform spec and silently ignores it"
LOST_SIZE = (
    f"must be a string, not the number 10{IGNORED}; what is lost is the settings of executors 'exec-a'"
    " and 'exec-b' and the pipeline's 'workspace'."
)
LOST_TEXT = (
    "is a text of several lines that starts with white space or an empty line, for which KFP writes"
    f" YAML that it cannot read back{IGNORED}; what is lost is the settings of executor 'e'."
)
TOO_NEW = "spec.pipelineSpec.root.taskConfigPassthroughs: is known only from KFP 2.15 on"


@pytest.mark.parametrize(
    ("platform", "field", "message"),
    [
        ({}, "spec.platformSpec.platforms", f"holds no platform named 'kubernetes'{IGNORED}."),
        (
            {"platforms": {}},
            "spec.platformSpec.platforms",
            f"holds no platform named 'kubernetes'{IGNORED}.",
        ),
        (
            {"platforms": {"kubernetes": None}},
            "spec.platformSpec.platforms[kubernetes]",
            f"is null, which this object must not hold{IGNORED}.",
        ),
        (
            {**KUBERNETES, "bogus": 1},
            "spec.platformSpec.bogus",
            f"unknown field 'bogus'{IGNORED}.",
        ),
        (
            {
                "platforms": {
                    "kubernetes": {
                        "deploymentSpec": {"executors": {"exec-b": {}, "exec-a": {}}},
                        "pipelineConfig": {"workspace": {"size": 10}},
                    }
                }
            },
            "spec.platformSpec.platforms[kubernetes].pipelineConfig.workspace.size",
            LOST_SIZE,
        ),
        (
            {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"e": {"a": ["\nb"]}}}}}},
            "spec.platformSpec.platforms[kubernetes].deploymentSpec.executors[e].a[0]",
            LOST_TEXT,
        ),
    ],
)
def test_an_ignored_platform_spec_is_told(platform: Any, field: str, message: str) -> None:
    (finding,) = check_specs(spec(), platform, releases.target("2.17"))
    assert finding.severity is Severity.WARNING
    assert (finding.rule, finding.field) == ("platform-ignored", field)
    assert finding.message == f"{field}: {message}"


@pytest.mark.parametrize("text", ["\nb", "a\n\nb", " a\nb", "a\n b"])
def test_texts_of_several_lines_are_fine_outside_of_lists(text: str) -> None:
    executors = {"e": {"a": {"b": text}}}
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}
    assert found(spec(), platform) == []


NEW = spec(root={"taskConfigPassthroughs": [{"field": "ENV"}]})


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            "2.14",
            f"{TOO_NEW}.",
        ),
        (
            "2.14.3",
            f"{TOO_NEW}.",
        ),
        ("2.15", None),
        ("kep", None),
        (
            "portable",
            f"{TOO_NEW} (KFP 2.14).",
        ),
    ],
)
def test_a_target_decides_which_fields_are_known(target: str, message: str | None) -> None:
    findings = check_specs(NEW, None, releases.target(target))
    assert [finding.message for finding in findings] == ([message] if message else [])
    assert all(
        finding.hint == "Remove it, or choose a target from 2.15 on." for finding in findings
    )


def test_what_all_releases_reject_names_none() -> None:
    pipeline = {**NEW, "pipelineInfo": {"name": "A"}}
    findings = check_specs(pipeline, None, releases.target("portable"))
    assert [(finding.rule, finding.message) for finding in findings] == [
        ("spec-field-too-new", f"{TOO_NEW} (KFP 2.14)."),
        (
            "spec-pipeline-name",
            (
                "spec.pipelineSpec.pipelineInfo.name: 'A' must consist of lower-case letters, digits and"
                " '-', and start with a letter or digit."
            ),
        ),
    ]


def test_a_removed_field_names_the_last_release() -> None:
    config = {"pipelineConfig": {"resourceTtl": 60}}
    pipeline = spec(root={"singlePlatformSpecs": [config]})
    assert check_specs(pipeline, None, releases.target("2.16")) == []
    (finding,) = check_specs(pipeline, None, releases.target("2.17"))
    assert finding.rule == "spec-field-removed"
    assert finding.message == (
        "spec.pipelineSpec.root.singlePlatformSpecs[0].pipelineConfig.resourceTtl: is unknown from"
        " KFP 2.17 on."
    )


def test_a_misspelt_field_gets_a_suggestion_and_its_place() -> None:
    tasks = {"train": {"cachingOption": {}}}
    pipeline = spec(components={"comp-a": {"dag": {"tasks": tasks}}})
    (finding,) = check_specs(pipeline, None, releases.target("2.17"))
    assert finding.message == (
        "spec.pipelineSpec.components[comp-a].dag.tasks[train].cachingOption: unknown field"
        " 'cachingOption'."
    )
    assert finding.hint == "Write 'cachingOptions' instead."
    assert finding.on_key
    assert finding.field == "spec.pipelineSpec.components[comp-a].dag.tasks[train].cachingOption"


def test_100_000_levels_end_quickly_with_an_error() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a": deep}
    assert [each[1] for each in found(spec(deploymentSpec=deep))] == ["spec-not-json"]


def test_a_document_that_is_broken_throughout_is_told_in_part_and_quickly() -> None:
    fields = {f"field{number}": 1 for number in range(50_000)}
    assert len(found(spec(**fields))) == 100
    assert len(found(spec(deploymentSpec=dict.fromkeys(fields, "\x7f")))) == 100
    assert len(untyped(spec(deploymentSpec=fields), None, "2.17")) == 100


def untyped(pipeline: Any, platform: Any, target: str) -> list[tuple[str, str, str]]:
    findings = check_untyped(pipeline, platform, releases.target(target))
    assert all(finding.severity is Severity.WARNING for finding in findings)
    return [(finding.rule, finding.field, finding.message) for finding in findings]


def test_untyped_parts() -> None:
    executor = {"container": {"image": "a", "args": [1], "comand": []}}
    pipeline = spec(deploymentSpec={"executors": {"exec-a": executor}})
    config = {"securityContext": {"runAsUser": 1}, "imagePullPolicy": None}
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-a": config}}}}}
    container = "spec.pipelineSpec.deploymentSpec.executors[exec-a].container"
    settings = "spec.platformSpec.platforms[kubernetes].deploymentSpec.executors[exec-a]"
    too_new = (
        "executor-config-field-too-new",
        f"{settings}.securityContext",
        (
            f"{settings}.securityContext: is known only from KFP 2.16 on; 2.15 refuses the whole"
            " configuration of executor 'exec-a' for it, and no run can start there."
        ),
    )
    expected = [
        (
            "deployment-invalid",
            f"{container}.args[0]",
            f"{container}.args[0]: must be a string, not the number 1.",
        ),
        (
            "deployment-unknown-field",
            f"{container}.comand",
            f"{container}.comand: unknown field 'comand'.",
        ),
    ]
    assert untyped(pipeline, platform, "2.16") == expected
    assert untyped(pipeline, platform, "2.15") == [*expected, too_new]


@pytest.mark.parametrize("value", [None, "text", [], {}, {"deploymentSpec": 1}, {"platforms": []}])
def test_untyped_parts_of_something_else_are_left_alone(value: Any) -> None:
    assert untyped(value, value, "portable") == []


# The packages that use what a release does not know, all of it in the untyped parts.
NEWER = {
    "missing_kubernetes_optional_inputs.yaml": 1,
    "nested_parallel_for_secret.yaml": 1,
    "parallel_for_secret.yaml": 1,
    "pipeline_with_importer_workspace.yaml": 1,
    "pipeline_with_secret_as_env.yaml": 1,
}


@pytest.mark.parametrize("target", ["2.14", "2.15", "2.16", "2.17", "kep", "portable"])
def test_the_corpus_is_clean_under_the_targets_that_know_its_fields(target: str) -> None:
    files = sorted(shared("corpus/ir").glob("*.yaml"))
    assert len(files) == 50
    counts = {}
    for file in files:
        documents = list(yaml.load_all(file.read_text(encoding="utf-8"), LOADER))
        pipeline, platform = (*documents, None)[:2]
        assert check_specs(pipeline, platform, releases.target(target)) == [], file.name
        warnings = untyped(pipeline, platform, target)
        if warnings:
            assert {rule.partition("-field")[2] for rule, _, _ in warnings} == {"-too-new"}
            assert all("is known only from KFP 2.15 on" in text for *_, text in warnings)
            counts[file.name] = len(warnings)
    assert counts == (NEWER if target in ("2.14", "portable") else {})


@pytest.fixture(scope="module")
def agreement() -> Any:
    location = importlib.util.spec_from_file_location("agreement", ROOT / "tools" / "agreement.py")
    assert location is not None
    assert location.loader is not None
    module = importlib.util.module_from_spec(location)
    location.loader.exec_module(module)
    return module


def test_the_recorded_verdicts_agree(agreement: Any) -> None:
    rows = list(agreement.rows(shared("reference/spec-verdicts.jsonl.gz")))
    assert len(rows) == 3000
    assert [difference for row in rows if (difference := agreement.spec(row))] == []
    # And the comparison can fail: a row with another verdict, message or place disagrees.
    row = next(row for row in rows if row["cause"])
    assert agreement.spec({**row, "allowed": True}).startswith("allowed is True")
    assert agreement.spec({**row, "message": "else"}).startswith("message is 'else'")
    moved = re.sub(r"line 1:[0-9]+", "line 1:1", row["cause"])
    assert " is at spec.pipelineSpec, ours at " in agreement.spec({**row, "cause": moved})


def test_the_verdicts_of_five_releases_agree(agreement: Any) -> None:
    rows = list(agreement.rows(shared("reference/go-verdicts.jsonl.gz")))
    assert len(rows) == 5746
    assert [difference for row in rows if (difference := agreement.verdicts(row))] == []
    row = next(row for row in rows if row["message"])
    other = {**row["allowed"], "2.16.0": True}
    assert agreement.verdicts({**row, "allowed": other}).startswith("2.16.0: allowed is True")
    assert agreement.verdicts({**row, "message": "else"}).startswith("2.17.0: message is 'else'")


def test_the_verdicts_on_updates_agree(agreement: Any) -> None:
    rows = list(agreement.rows(shared("reference/go-updates.jsonl.gz")))
    assert len(rows) == 921
    assert [difference for row in rows if (difference := agreement.updates(row))] == []
    row = next(row for row in rows if row["message"])
    assert agreement.updates({**row, "allowed": True}).startswith("allowed is True")
    assert agreement.updates({**row, "message": "else"}).startswith("message is 'else'")
