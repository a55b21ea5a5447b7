from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from kfp_k8s_manifest.admission.review import BadReviewError, Hook, parse, review, wanted
from kfp_k8s_manifest.checks.webhook.specs import check_specs
from kfp_k8s_manifest.findings import Severity
from kfp_k8s_manifest.releases import target

Make = Callable[..., Any]
RELEASES = ["2.14.0", "2.14.3", "2.15", "2.16", "2.17", "kep", "portable"]
PIPELINE_LABEL = "pipelines.kubeflow.org/pipeline"
ID_LABEL = "pipelines.kubeflow.org/pipeline-id"


def judge(document: Any, hook: Hook, release: str, pipelines: Any) -> dict[str, Any]:
    untouched = copy.deepcopy(document)
    answer = review(document, hook=hook, target=target(release), pipelines=pipelines)
    assert document == untouched
    assert answer["apiVersion"] == "admission.k8s.io/v1"
    assert answer["kind"] == "AdmissionReview"
    response = answer["response"]
    assert response["uid"] == "705ab4f5-6393-11e8-b7cc-42010a800002"
    json.dumps(answer)
    return dict(response)


def patch_of(response: dict[str, Any]) -> list[dict[str, Any]]:
    assert response["patchType"] == "JSONPatch"
    return list(json.loads(base64.b64decode(response["patch"])))


@pytest.mark.parametrize("release", RELEASES)
def test_mutation_on_creation(
    version: Make, admission_review: Make, known: Make, uid: str, release: str
) -> None:
    pipelines = known("team-a/train")
    response = judge(admission_review(version()), Hook.MUTATE, release, pipelines)
    labels = {ID_LABEL: uid, PIPELINE_LABEL: "train"}
    if release == "kep":
        del labels[PIPELINE_LABEL]
    assert response["allowed"] is True
    assert patch_of(response) == [
        {"op": "add", "path": "/metadata/labels", "value": labels},
        {
            "op": "add",
            "path": "/metadata/ownerReferences",
            "value": [
                {
                    "apiVersion": "pipelines.kubeflow.org/v2beta1",
                    "kind": "Pipeline",
                    "name": "train",
                    "uid": uid,
                    "blockOwnerDeletion": True,
                }
            ],
        },
    ]
    assert pipelines.asked == ["team-a/train"]


def test_mutation_leaves_what_it_does_not_know(
    version: Make, admission_review: Make, known: Make, uid: str
) -> None:
    obj = version(unknown={"deep": [1]})
    obj["metadata"] |= {
        "labels": {"team": "vision", ID_LABEL: "stale"},
        "ownerReferences": [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "1"},
            {
                "apiVersion": "pipelines.kubeflow.org/v2beta1",
                "kind": "Pipeline",
                "name": "train",
                "uid": "stale",
                "controller": False,
            },
        ],
    }
    response = judge(admission_review(obj), Hook.MUTATE, "2.17", known("team-a/train"))
    assert patch_of(response) == [
        {"op": "replace", "path": "/metadata/labels/pipelines.kubeflow.org~1pipeline-id",
         "value": uid},
        {"op": "add", "path": "/metadata/labels/pipelines.kubeflow.org~1pipeline",
         "value": "train"},
        {"op": "replace", "path": "/metadata/ownerReferences/1/uid", "value": uid},
        {"op": "add", "path": "/metadata/ownerReferences/1/blockOwnerDeletion", "value": True},
    ]  # fmt: skip
    assert len(response["warnings"]) == 1
    assert "stale" in response["warnings"][0]


@pytest.mark.parametrize("release", RELEASES)
def test_nothing_is_patched_twice(
    version: Make, admission_review: Make, known: Make, uid: str, release: str
) -> None:
    obj = version()
    labels = {ID_LABEL: uid} if release == "kep" else {ID_LABEL: uid, PIPELINE_LABEL: "train"}
    obj["metadata"] |= {
        "labels": labels,
        "ownerReferences": [
            {
                "apiVersion": "pipelines.kubeflow.org/v2beta1",
                "kind": "Pipeline",
                "name": "train",
                "uid": uid,
                "blockOwnerDeletion": True,
            }
        ],
    }
    document = admission_review(obj, obj, "UPDATE")
    assert judge(document, Hook.MUTATE, release, known("team-a/train")) == {
        "uid": document["request"]["uid"],
        "allowed": True,
    }


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("operation", ["CREATE", "UPDATE"])
def test_a_missing_pipeline_is_refused(
    version: Make, admission_review: Make, known: Make, release: str, operation: str
) -> None:
    old = version() if operation == "UPDATE" else None
    document = admission_review(version(), old, operation)
    # It exists, but in another namespace.
    response = judge(document, Hook.MUTATE, release, known("team-b/train"))
    assert response["allowed"] is False
    assert "patch" not in response
    status = response["status"]
    assert (status["code"], status["reason"]) == (400, "BadRequest")
    assert "spec.pipelineName: 'train' is no Pipeline in namespace 'team-a'" in status["message"]
    assert status["details"]["causes"][0]["field"] == "spec.pipelineName"


@pytest.mark.parametrize("name", ["", None])
def test_no_pipeline_name(version: Make, admission_review: Make, known: Make, name: Any) -> None:
    pipelines = known()
    response = judge(admission_review(version(pipelineName=name)), Hook.MUTATE, "2.17", pipelines)
    assert response["allowed"] is False
    assert pipelines.asked == []


def test_an_object_without_spec(admission_review: Make, known: Make, version: Make) -> None:
    obj = version()
    del obj["spec"]
    for hook in Hook:
        assert judge(admission_review(obj), hook, "2.17", known())["allowed"] is False


@pytest.mark.parametrize(
    ("release", "length", "end", "allowed", "label"),
    [
        ("2.14.0", 63, "a", True, 63),
        ("2.14.0", 64, "a", False, 0),
        ("2.14.3", 64, "a", True, 63),
        ("2.17", 100, "a", True, 63),
        ("2.17", 64, ".a", False, 0),
        ("portable", 64, "a", False, 0),
        ("kep", 253, "a", True, 0),
    ],
)
def test_the_label_of_a_long_name(
    version: Make,
    admission_review: Make,
    known: Make,
    release: str,
    length: int,
    end: str,
    allowed: bool,
    label: int,
) -> None:
    name = "p" * (length - len(end)) + end
    response = judge(
        admission_review(version(pipelineName=name)),
        Hook.MUTATE,
        release,
        known(f"team-a/{name}"),
    )
    assert response["allowed"] is allowed
    if allowed:
        labels = patch_of(response)[0]["value"]
        assert len(labels.get(PIPELINE_LABEL, "")) == label


@pytest.mark.parametrize("release", RELEASES)
def test_a_valid_version_is_allowed(
    version: Make, admission_review: Make, known: Make, release: str
) -> None:
    pipelines = known("team-a/train")
    response = judge(admission_review(version()), Hook.VALIDATE, release, pipelines)
    assert response == {"uid": response["uid"], "allowed": True}
    # The released validating webhooks look nothing up, the KEP's does.
    assert bool(pipelines.asked) == (release == "kep")


def test_the_kep_looks_the_pipeline_up_when_validating(
    version: Make, admission_review: Make, known: Make
) -> None:
    response = judge(admission_review(version()), Hook.VALIDATE, "kep", known())
    assert response["allowed"] is False
    assert "is no Pipeline" in response["status"]["message"]


def test_the_kep_wants_equal_names(version: Make, admission_review: Make, known: Make) -> None:
    obj = version()
    obj["spec"]["pipelineSpec"]["pipelineInfo"]["name"] = "train"
    for release, allowed in (("kep", False), ("2.17", True)):
        response = judge(admission_review(obj), Hook.VALIDATE, release, known("team-a/train"))
        assert response["allowed"] is allowed


def broken(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    return change


@pytest.mark.parametrize(
    "change",
    [
        broken(lambda s: s["pipelineSpec"].pop("root")),
        broken(lambda s: s["pipelineSpec"].update(schemaVersion="2.0.0")),
        broken(lambda s: s["pipelineSpec"]["pipelineInfo"].update(name="Train")),
        broken(lambda s: s["pipelineSpec"]["pipelineInfo"].update(name="")),
        broken(lambda s: s["pipelineSpec"]["root"]["dag"]["tasks"]["say"].update(taskInf={})),
        broken(lambda s: s.update(pipelineSpec="text")),
        broken(lambda s: s.update(platformSpec=copy.deepcopy(s["pipelineSpec"]))),
    ],
)
def test_the_message_is_that_of_the_offline_finding(
    version: Make, admission_review: Make, known: Make, change: Callable[[dict[str, Any]], Any]
) -> None:
    obj = version()
    change(obj["spec"])
    response = judge(admission_review(obj), Hook.VALIDATE, "2.17", known())
    spec = obj["spec"]
    offline = check_specs(spec["pipelineSpec"], spec.get("platformSpec"), target("2.17"))
    errors = [finding for finding in offline if finding.severity is Severity.ERROR]
    assert response["allowed"] is False
    assert errors
    for finding in errors:
        assert finding.message in response["status"]["message"]
    assert [cause["field"] for cause in response["status"]["details"]["causes"]] == [
        finding.field for finding in errors
    ]


def test_an_ignored_platform_spec_is_a_warning(
    version: Make, admission_review: Make, known: Make
) -> None:
    obj = version(platformSpec={"platforms": {"kubernets": {}}})
    response = judge(admission_review(obj), Hook.VALIDATE, "2.17", known())
    assert response["allowed"] is True
    assert any("platformSpec" in warning for warning in response["warnings"])


def test_warnings_keep_to_the_limits_of_the_api_server(
    version: Make, admission_review: Make, known: Make
) -> None:
    obj = version()
    tasks = obj["spec"]["pipelineSpec"]["root"]["dag"]["tasks"]
    for number in range(60):
        task = copy.deepcopy(tasks["say"])
        task["componentRef"]["name"] = f"comp-{'x' * 250}-{number}"
        tasks[f"say-{number}"] = task
    response = judge(admission_review(obj), Hook.VALIDATE, "2.17", known())
    assert response["allowed"] is True
    assert max(map(len, response["warnings"])) <= 256
    assert sum(map(len, response["warnings"])) <= 4096
    assert "further warnings" in response["warnings"][-1]


def updated(change: Callable[[dict[str, Any]], Any], version: Make) -> tuple[Any, Any]:
    old, new = version(displayName="Old"), version(displayName="Old")
    old["metadata"]["generation"] = new["metadata"]["generation"] = 1
    change(new)
    # The API server prunes what it does not know, so that is no new generation.
    new["spec"].pop("pruned", None)
    if new["spec"] != old["spec"]:
        new["metadata"]["generation"] = 2
    return old, new


OLD = {"2.14.0", "2.14.3", "2.15", "2.16", "kep", "portable"}


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(
    ("change", "refused_by"),
    [
        (lambda o: None, set()),
        (lambda o: o["metadata"].update(labels={"a": "b"}), set()),
        (lambda o: o["metadata"].update(annotations={"a": "b"}), set()),
        (lambda o: o.update(status={"conditions": []}), set()),
        (lambda o: o["spec"].update(displayName="New"), OLD),
        # The CRD may be newer than the webhook: old ones look at the generation alone.
        (lambda o: o["spec"].update(tags={"a": "b"}), OLD),
        (lambda o: o["spec"].update(newer=1), OLD),
        (lambda o: o["spec"].update(pruned=1), set()),
        (lambda o: o["spec"].update(description="New"), set(RELEASES)),
        (lambda o: o["spec"].update(pipelineName="other"), set(RELEASES)),
        (lambda o: o["spec"].pop("pipelineSpec"), set(RELEASES)),
        (lambda o: o["spec"]["pipelineSpec"].update(sdkVersion="x"), set(RELEASES)),
        (
            lambda o: (
                o["spec"].update(displayName="New"),
                o["spec"]["pipelineSpec"].update(sdkVersion="x"),
            ),
            set(RELEASES),
        ),
    ],
)
def test_updates(
    version: Make,
    admission_review: Make,
    known: Make,
    release: str,
    change: Callable[[dict[str, Any]], Any],
    refused_by: set[str],
) -> None:
    old, new = updated(change, version)
    response = judge(admission_review(new, old, "UPDATE"), Hook.VALIDATE, release, known())
    assert response["allowed"] is (release not in refused_by)
    if not response["allowed"]:
        assert response["status"]["code"] == 400
        assert "a PipelineVersion is immutable" in response["status"]["message"]


def test_an_update_does_not_judge_the_content_again(
    version: Make, admission_review: Make, known: Make
) -> None:
    # It may have been stored before the webhook was there; its labels must be changeable.
    old = version(pipelineSpec={"not": "a pipeline"})
    new = copy.deepcopy(old)
    new["metadata"]["labels"] = {"a": "b"}
    response = judge(admission_review(new, old, "UPDATE"), Hook.VALIDATE, "2.17", known())
    assert response["allowed"] is True


@pytest.mark.parametrize("hook", Hook)
@pytest.mark.parametrize(
    "request_",
    [
        {"operation": "DELETE", "object": None, "oldObject": {}},
        {"operation": "CONNECT", "object": None},
        {"operation": "UPDATE", "subResource": "status", "oldObject": {"spec": {"a": 1}}},
    ],
)
def test_what_is_not_judged_is_allowed(
    version: Make, admission_review: Make, known: Make, hook: Hook, request_: dict[str, Any]
) -> None:
    pipelines = known()
    document = admission_review(version(), None, "CREATE")
    document["request"].update(request_)
    response = judge(document, hook, "2.17", pipelines)
    assert response == {"uid": response["uid"], "allowed": True}
    assert pipelines.asked == []


def test_finalizers_can_be_removed_when_the_pipeline_is_gone(
    version: Make, admission_review: Make, known: Make
) -> None:
    old = version()
    old["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a/b"]}
    new = copy.deepcopy(old)
    new["metadata"]["finalizers"] = []
    pipelines = known()
    for hook in Hook:
        assert judge(admission_review(new, old, "UPDATE"), hook, "2.17", pipelines)["allowed"]
    new["spec"]["description"] = "changed"
    document = admission_review(new, old, "UPDATE")
    assert not judge(document, Hook.VALIDATE, "2.17", pipelines)["allowed"]


def test_the_namespace_is_the_request_s(version: Make, admission_review: Make, known: Make) -> None:
    obj = version()
    del obj["metadata"]["namespace"]
    pipelines = known("team-a/train")
    assert judge(admission_review(obj), Hook.MUTATE, "2.17", pipelines)["allowed"] is True
    assert pipelines.asked == ["team-a/train"]


def test_a_dry_run_gets_the_same_answer(version: Make, admission_review: Make, known: Make) -> None:
    pipelines = known("team-a/train")
    answers = [
        judge(admission_review(version(), dryRun=dry), Hook.MUTATE, "2.17", pipelines)
        for dry in (False, True)
    ]
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "the body is not a JSON object, so it is no AdmissionReview"),
        ([], "the body is not a JSON object, so it is no AdmissionReview"),
        ({}, "the body is of kind None and apiVersion None, not an AdmissionReview"),
        ({"kind": "Pod", "apiVersion": "v1"}, "the body is of kind 'Pod' and apiVersion 'v1'"),
        (
            {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1beta1"},
            "apiVersion 'admission.k8s.io/v1beta1', not an AdmissionReview of admission.k8s.io/v1",
        ),
        (
            {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"},
            "request is missing",
        ),
        (
            {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": "x"},
            "request is not a mapping",
        ),
    ],
)
def test_bad_documents(known: Make, document: Any, message: str) -> None:
    with pytest.raises(BadReviewError, match=re.escape(message)):
        review(document, hook=Hook.VALIDATE, target=target("2.17"), pipelines=known())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"uid": ""}, "request.uid is missing"),
        ({"uid": 5}, "request.uid is not a string"),
        ({"operation": "PATCH"}, "request.operation is 'PATCH', not one of CREATE, UPDATE"),
        ({"object": None}, "request.object is missing, which CREATE has"),
        ({"object": [1]}, "request.object is not a mapping"),
        ({"object": {"metadata": []}}, "request.object.metadata is not a mapping"),
        ({"operation": "UPDATE"}, "request.oldObject is missing, which UPDATE has"),
        ({"namespace": {}}, "request.namespace is not a string"),
        (
            {"kind": {"group": "", "version": "v1", "kind": "Pod"}},
            "the request is about 'Pod' of '/v1'; this webhook judges PipelineVersion",
        ),
        (
            {
                "kind": {
                    "group": "pipelines.kubeflow.org",
                    "version": "v2beta1",
                    "kind": "Pipeline",
                }
            },
            "the request is about 'Pipeline'",
        ),
        ({"kind": None}, "the request is about None of 'None/None'"),
    ],
)
def test_bad_requests(
    version: Make, admission_review: Make, known: Make, change: dict[str, Any], message: str
) -> None:
    document = admission_review(version(), **change)
    with pytest.raises(BadReviewError, match=re.escape(message)):
        review(document, hook=Hook.MUTATE, target=target("2.17"), pipelines=known())


def test_wanted_tells_what_to_fetch(version: Make, admission_review: Make) -> None:
    request = parse(admission_review(version()))
    assert wanted(request, hook=Hook.MUTATE, target=target("2.17")) == ("team-a", "train")
    assert wanted(request, hook=Hook.VALIDATE, target=target("2.17")) is None
    assert wanted(request, hook=Hook.VALIDATE, target=target("kep")) == ("team-a", "train")
