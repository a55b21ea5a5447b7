"""The CRDs' fields, the mutating and the validating webhook."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.parity.base import REMOVE, Row, patched, pipeline, row, version

RELEASES = ("2.14", "2.15", "2.16", "2.17", "portable")
SPEC = "spec.pipelineSpec"
TASK = f"{SPEC}.root.dag.tasks.fit"
NO_SPEC = "no pipeline spec is provided"

STRINGS = {
    "Pipeline": ("displayName", "description"),
    "PipelineVersion": ("displayName", "description", "codeSourceURL", "pipelineSpecURI"),
}
VERSION_NAMES: list[tuple[str, str, bool]] = [
    ("one character", "a", True),
    ("253 characters", "v" * 253, True),
    ("254 characters", "v" * 254, False),
    ("dots", "v1..2", True),
    ("dash first", "-v", False),
    ("dot last", "v.", False),
    ("capital", "V1", False),
    ("empty", "", False),
]
# The name of the Pipeline; whether 2.14.0 takes it, and whether later releases do.
LABELS: list[tuple[str, str, bool, bool]] = [
    ("63 characters", "p" * 63, True, True),
    ("64 characters", "p" * 64, False, True),
    ("cut behind a dash", "p" * 62 + "-p", False, False),
    ("cut behind a dot", "p" * 62 + ".p", False, False),
    ("dash at 62", "p" * 61 + "-pp", False, True),
    ("253 characters", "p" * 253, False, True),
]
# Path, value, rule or "", the webhook's words.
WEBHOOK: list[tuple[str, str, Any, str, str]] = [
    ("schema version 2.1", f"{SPEC}.schemaVersion", "2.1", "spec-schema-version", "KFP only supports schema version 2.1.0"),
    ("schema version with a space", f"{SPEC}.schemaVersion", "2.1.0 ", "spec-schema-version", "KFP only supports"),
    ("schema version 2.0.0", f"{SPEC}.schemaVersion", "2.0.0", "spec-schema-version", "KFP only supports"),
    ("no schema version", f"{SPEC}.schemaVersion", REMOVE, "spec-schema-version", "KFP only supports"),
    ("name of 128 bytes", f"{SPEC}.pipelineInfo.name", "a" * 128, "", ""),
    ("name of 129 bytes", f"{SPEC}.pipelineInfo.name", "a" * 129, "spec-pipeline-name", "no more than 128 characters"),
    ("name that ends in a dash", f"{SPEC}.pipelineInfo.name", "a-", "", ""),
    ("name that is a digit", f"{SPEC}.pipelineInfo.name", "1", "", ""),
    ("name that begins with a dash", f"{SPEC}.pipelineInfo.name", "-a", "spec-pipeline-name", "lowercase alphanumeric"),
    ("name with a dot", f"{SPEC}.pipelineInfo.name", "a.b", "spec-pipeline-name", "lowercase alphanumeric"),
    ("name with a capital", f"{SPEC}.pipelineInfo.name", "Train", "spec-pipeline-name", "lowercase alphanumeric"),
    ("empty name", f"{SPEC}.pipelineInfo.name", "", "spec-pipeline-name-empty", NO_SPEC),
    ("no name", f"{SPEC}.pipelineInfo", {}, "spec-pipeline-name-empty", NO_SPEC),
    ("no pipelineInfo", f"{SPEC}.pipelineInfo", REMOVE, "spec-pipeline-name-empty", NO_SPEC),
    ("no root", f"{SPEC}.root", REMOVE, "spec-root-missing", NO_SPEC),
    ("null root", f"{SPEC}.root", None, "spec-root-missing", NO_SPEC),
    ("snake case", f"{TASK}.caching_options", {"enable_cache": True}, "", ""),
    ("both spellings", f"{SPEC}.schema_version", "2.1.0", "spec-duplicate-field", NO_SPEC),
    ("unknown field", f"{SPEC}.bogus", 1, "spec-unknown-field", NO_SPEC),
    ("unknown field deep inside", f"{TASK}.cachingOptions", {"enabled": True}, "spec-unknown-field", NO_SPEC),
    ("a number for a string", f"{SPEC}.sdkVersion", 2, "spec-wrong-type", NO_SPEC),
    ("a list for a string", f"{SPEC}.sdkVersion", [], "spec-wrong-type", NO_SPEC),
    ("null for a string", f"{SPEC}.sdkVersion", None, "", ""),
    ("a string for a boolean", f"{TASK}.cachingOptions", {"enableCache": "true"}, "spec-wrong-type", NO_SPEC),
    ("a boolean", f"{TASK}.cachingOptions", {"enableCache": True}, "", ""),
    ("a list for an object", f"{TASK}.cachingOptions", [], "spec-wrong-type", NO_SPEC),
    ("null for an object", f"{TASK}.cachingOptions", None, "", ""),
    ("null in a list", f"{TASK}.dependentTasks", [None], "spec-null-in-list", NO_SPEC),
    ("an empty list", f"{TASK}.dependentTasks", [], "", ""),
    ("null in a map", f"{SPEC}.components.comp-fit", None, "spec-null-in-map", NO_SPEC),
    ("a oneof set twice", f"{SPEC}.components.comp-fit.dag", {"tasks": {}}, "spec-oneof-set-twice", NO_SPEC),
    ("a oneof set to null besides", f"{SPEC}.components.comp-fit.dag", None, "", ""),
    ("an unknown enum value", f"{TASK}.triggerPolicy", {"strategy": "NEVER"}, "spec-unknown-enum-value", NO_SPEC),
    ("an enum value", f"{TASK}.triggerPolicy", {"strategy": "ALL_UPSTREAM_TASKS_SUCCEEDED"}, "", ""),
    ("an enum value as a number", f"{TASK}.triggerPolicy", {"strategy": 1}, "", ""),
    ("an integer as text", f"{TASK}.retryPolicy", {"maxRetryCount": "3"}, "", ""),
    ("an integer with a fraction of zero", f"{TASK}.retryPolicy", {"maxRetryCount": 3.0}, "", ""),
    ("an integer with a fraction", f"{TASK}.retryPolicy", {"maxRetryCount": 3.5}, "spec-bad-value", NO_SPEC),
    ("the greatest int32", f"{TASK}.retryPolicy", {"maxRetryCount": 2**31 - 1}, "", ""),
    ("beyond int32", f"{TASK}.retryPolicy", {"maxRetryCount": 2**31}, "spec-bad-value", NO_SPEC),
    ("a duration", f"{TASK}.retryPolicy", {"backoffDuration": "3600s"}, "", ""),
    ("a duration with a fraction", f"{TASK}.retryPolicy", {"backoffDuration": "0.5s"}, "", ""),
    ("a duration without a unit", f"{TASK}.retryPolicy", {"backoffDuration": "3600"}, "spec-bad-value", NO_SPEC),
    ("a duration in minutes", f"{TASK}.retryPolicy", {"backoffDuration": "1m"}, "spec-bad-value", NO_SPEC),
    ("a double as text", f"{TASK}.retryPolicy", {"backoffFactor": "1.5"}, "", ""),
    ("a double that is none", f"{TASK}.retryPolicy", {"backoffFactor": "fast"}, "spec-bad-value", NO_SPEC),
]  # fmt: skip
# Path, value, the first release that knows it.
SINCE: list[tuple[str, Any, str]] = [
    (f"{SPEC}.components.comp-fit.taskConfigPassthroughs", [{"field": "RESOURCES"}], "2.15"),
    (f"{SPEC}.components.comp-fit.inputDefinitions.parameters.x.literals", ["8"], "2.16"),
]
UPDATES: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("label", {"metadata.labels": {"team": "a"}}, RELEASES),
    ("annotation", {"metadata.annotations": {"a": "b"}}, RELEASES),
    ("displayName", {"spec.displayName": "Better"}, ("2.17",)),
    ("description", {"spec.description": "Better"}, ()),
    ("pipelineSpec", {f"{SPEC}.sdkVersion": "kfp-2.15.0"}, ()),
    ("codeSourceURL", {"spec.codeSourceURL": "https://example.com"}, ()),
    ("platformSpec", {"spec.platformSpec": {"platforms": {"kubernetes": {}}}}, ()),
    ("nothing", {}, RELEASES),
    # It raises the generation, which is all that the webhooks before 2.17 look at.
    ("an empty description", {"spec.description": ""}, ("2.17",)),
]


def rows() -> Iterator[Row]:
    yield from _crd()
    yield from _names()
    for words, path, value, rule, says in WEBHOOK:
        rules = [rule] if rule else []
        for target in ("2.14", "2.17"):
            yield row(f"{words} ({target})", *rules, change={path: value}, target=target, says=says)
    for path, value, since in SINCE:
        field = path.rpartition(".")[2]
        for target in RELEASES:
            known = target != "portable" and target >= since
            rules = [] if known else ["spec-field-too-new"]
            yield row(f"{field} under {target}", *rules, change={path: value}, target=target, says="" if known else NO_SPEC)  # fmt: skip
    yield from _platform()
    yield from _updates()


def _crd() -> Iterator[Row]:
    for kind, base in (("Pipeline", pipeline()), ("PipelineVersion", version())):
        for field in STRINGS[kind]:
            for value, good in (("text", True), ("", True), (8, False), (True, False), ([], False), ({}, False)):  # fmt: skip
                yield row(
                    f"{kind} {field} = {value!r}",
                    *([] if good else ["crd-type"]),
                    change={f"spec.{field}": value},
                    of=base,
                    before=[] if kind == "Pipeline" else None,
                )
        for target in RELEASES:
            yield row(
                f"{kind} tags under {target}",
                *([] if target == "2.17" else ["unknown-field"]),
                change={"spec.tags": {"team": "a"}},
                of=base,
                before=[] if kind == "Pipeline" else None,
                target=target,
            )
        for words, value, good in (("number", 1, False), ("text", "1", True)):
            yield row(
                f"{kind} tag with a {words}",
                *([] if good else ["crd-type"]),
                change={"spec.tags": {"team": value}},
                of=base,
                before=[] if kind == "Pipeline" else None,
            )
        yield row(f"{kind} with an unknown field", "unknown-field", change={"spec.bogus": 1}, of=base, before=[] if kind == "Pipeline" else None)  # fmt: skip
        yield row(f"{kind} with an unknown field at the top", "unknown-field", change={"bogus": 1}, of=base, before=[] if kind == "Pipeline" else None)  # fmt: skip
    yield row("a Pipeline without spec", change={"spec": REMOVE}, of=pipeline(), before=[])
    for target in RELEASES:
        yield row(
            f"versionName under {target}",
            *([] if target == "2.17" else ["unknown-field"]),
            change={"spec.versionName": "train-v1"},
            target=target,
        )
    for words, name, good in VERSION_NAMES:
        yield row(
            f"versionName: {words}",
            *([] if good else ["crd-version-name"]),
            change={"spec.versionName": name},
            says="" if good else "spec.versionName",
        )
    yield row("no pipelineSpec", "crd-required", change={SPEC: REMOVE})
    yield row("null pipelineSpec", "crd-required", change={SPEC: None})
    for target, says in (("2.14", NO_SPEC), ("2.17", "unable to decode yaml document")):
        yield row(f"pipelineSpec is text ({target})", "spec-not-an-object", change={SPEC: "text"}, says=says, target=target)  # fmt: skip
    for words, key, target, good in (
        ("NEL", "a\x85b", "2.14.0", False),
        ("NEL", "a\x85b", "2.17", False),
        ("LS", "a\u2028b", "2.14.0", True),
        ("LS", "a\u2028b", "2.14.3", False),
        ("PS", "a\u2029b", "2.17", False),
        ("1,022 characters", "k" * 1022, "2.17", True),
        ("1,023 characters", "k" * 1023, "2.17", False),
    ):
        yield row(
            f"a key of {words} under {target}",
            *([] if good else ["spec-key"]),
            change={f"{SPEC}.root.inputDefinitions.parameters.rows.defaultValue": {key: 1}},
            warn=["parameter-default-type"],
            target=target,
        )
    yield row("a version without spec", "pipeline-not-found", change={"spec": REMOVE})


def _names() -> Iterator[Row]:
    for words, name, early, late in LABELS:
        for target in ("2.14.0", "2.14", "2.14.3", "2.15", "2.16", "2.17", "portable", "kep"):
            good = (early or target not in ("2.14.0", "2.14", "portable")) and (
                late or target == "2.14.0"
            )
            yield row(
                f"pipeline name of {words} under {target}",
                *([] if good or target == "kep" else ["pipeline-label"]),
                change={"spec.pipelineName": name},
                before=[pipeline(name)],
                target=target,
            )
    there = [pipeline(), patched(pipeline("other"), {"metadata.namespace": "team-b"})]
    for words, change, rules, warn in (
        ("there", {}, [], []),
        ("not there", {"spec.pipelineName": "absent"}, ["pipeline-not-found"], []),
        ("empty", {"spec.pipelineName": ""}, ["pipeline-not-found"], []),
        ("missing", {"spec.pipelineName": REMOVE}, ["pipeline-not-found"], []),
        ("invalid", {"spec.pipelineName": "Train Model"}, ["pipeline-not-found"], []),
        ("a number", {"spec.pipelineName": 8}, ["crd-type"], []),
        ("in another namespace", {"spec.pipelineName": "other", "metadata.namespace": "team-a"}, ["pipeline-not-found"], []),
        ("in the same namespace", {"spec.pipelineName": "other", "metadata.namespace": "team-b"}, [], []),
        ("in a namespace that is not told", {"spec.pipelineName": "other"}, [], ["pipeline-namespace"]),
    ):  # fmt: skip
        yield row(f"pipeline {words}", *rules, change=change, before=there, warn=warn)
    for label, value, warn in (
        ("pipelines.kubeflow.org/pipeline", "train", []),
        ("pipelines.kubeflow.org/pipeline", "mine", ["webhook-overwrites"]),
        ("pipelines.kubeflow.org/pipeline-id", "7", ["webhook-overwrites"]),
    ):
        yield row(f"label {label} = {value}", change={"metadata.labels": {label: value}}, warn=warn)
    for name, rules in (("train-v1", []), ("train", ["kep-pipeline-info-name"])):
        for target in ("kep", "2.17", "portable"):
            found = rules if target == "kep" else []
            yield row(f"pipelineInfo.name {name} under {target}", *found, change={f"{SPEC}.pipelineInfo.name": name}, target=target)  # fmt: skip


def _platform() -> Iterator[Row]:
    executors = {"exec-fit": {"nodeSelector": {"labels": {"gpu": "yes"}}}}
    good = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}
    for words, platform, rules, warn in (
        ("with a node selector", good, [], []),
        ("null", None, [], []),
        ("of another platform", {"platforms": {"vertex": {}}}, [], ["platform-ignored"]),
        ("empty", {}, [], ["platform-ignored"]),
        ("with an unknown field", {**good, "bogus": 1}, [], ["platform-ignored"]),
        ("a second pipeline spec", version()["spec"]["pipelineSpec"], ["spec-two-pipelines"], []),
    ):
        for target in ("2.14", "2.17"):
            yield row(f"platformSpec {words} ({target})", *rules, change={"spec.platformSpec": platform}, warn=warn, target=target)  # fmt: skip
    for target, rules, warn in (
        ("2.14", [], ["platform-ignored"]),
        ("2.15", ["spec-not-an-object"], []),
        ("2.17", ["spec-not-an-object"], []),
        ("portable", ["spec-not-an-object"], ["platform-ignored"]),
    ):
        says = "unable to decode yaml document" if rules else ""
        yield row(f"platformSpec text ({target})", *rules, change={"spec.platformSpec": "text"}, warn=warn, target=target, says=says)  # fmt: skip
    config = "spec.platformSpec.platforms.kubernetes.deploymentSpec.executors"
    for words, value, warn in (
        ("known", {"nodeSelector": {"labels": {}}}, []),
        ("unknown", {"nodeSelectr": {}}, ["executor-config-unknown-field"]),
        ("invalid", {"nodeSelector": []}, ["executor-config-invalid"]),
        ("new", {"securityContext": {"runAsUser": 1}}, ["executor-config-field-too-new"]),
    ):
        yield row(f"executor config: {words}", change={config: {"exec-fit": value}}, warn=warn, target="2.15")  # fmt: skip
    container = f"{SPEC}.deploymentSpec.executors.exec-fit.container"
    for words, value, warn in (
        ("known", {"image": "a:1", "command": ["x"]}, []),
        ("unknown", {"image": "a:1", "comand": ["x"]}, ["deployment-unknown-field"]),
        ("invalid", {"image": "a:1", "command": "x"}, ["deployment-invalid"]),
    ):
        yield row(f"deployment: {words}", change={container: value}, warn=warn)


def _updates() -> Iterator[Row]:
    for words, change, allowed in UPDATES:
        for target in (*RELEASES, "2.14.3", "kep"):
            fine = target in allowed or (target in ("2.14.3", "kep") and "2.14" in allowed)
            if target == "kep" and words in ("displayName", "platformSpec", "codeSourceURL"):
                continue
            says = "" if fine else "Pipeline spec is immutable; only"
            yield row(
                f"update of {words} under {target}",
                *([] if fine else ["version-immutable"]),
                change=change,
                previous=version(),
                target=target,
                says=says,
            )
    for target in RELEASES:
        yield row(
            f"update of a Pipeline under {target}",
            change={"spec.description": "Better"},
            of=pipeline(),
            previous=pipeline(),
            before=[],
            target=target,
        )
    tagged = patched(version(), {"spec.tags": {"a": "b"}})
    yield row("update of tags under 2.17", of=tagged, previous=version())
