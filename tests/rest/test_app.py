"""The API over HTTP, on the plain model of a store."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from kfp_k8s_manifest.rest.authorization import Caller, Open
from kfp_k8s_manifest.rest.errors import Code, RestError
from kfp_k8s_manifest.rest.values import PipelineRecord
from tests.rest.model_store import ModelStore
from tests.rest.serving import HELLO, Serving, filter_of, form, serving

NO_URL = (
    "Failed to create a pipeline version due to invalid pipeline spec URI. PipelineSpecURI: a. Please"
    " specify a valid URL"
)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def server() -> Iterator[Serving]:
    with serving() as running:
        yield running


def create(server: Serving, name: str, **more: Any) -> str:
    answer = server.request("POST", "~/pipelines", {"name": name, **more})
    assert answer.status == 200, answer.body
    return str(answer.json["pipeline_id"])


def test_the_life_of_a_pipeline(server: Serving) -> None:
    assert server.request("GET", "~/pipelines").body == b"{}"
    made = server.request(
        "POST", "~/pipelines", {"name": "a", "displayName": "Ä", "tags": {"k": "v"}}
    )
    pipeline = made.json
    assert {**pipeline, "pipeline_id": "", "created_at": ""} == {
        "pipeline_id": "",
        "display_name": "Ä",
        "name": "a",
        "created_at": "",
        "tags": {"k": "v"},
    }
    path = f"~/pipelines/{pipeline['pipeline_id']}"
    assert server.request("GET", path).json == pipeline
    assert server.request("GET", "~/pipelines/names/a").json == pipeline
    assert server.request("GET", "~/pipelines?page_size=1").json == {
        "pipelines": [pipeline],
        "total_size": 1,
    }
    updated = server.request("PATCH", path, {"display_name": "B", "tags": {}})
    assert updated.json == {
        **{k: v for k, v in pipeline.items() if k != "tags"},
        "display_name": "B",
    }
    assert server.request("DELETE", path).body == b"{}"
    unknown = f"Pipeline {pipeline['pipeline_id']} not found"
    assert server.request("GET", path).refusal == (404, 5, unknown)


def test_the_life_of_a_version(server: Serving) -> None:
    pipeline = create(server, "p")
    path = f"~/pipelines/{pipeline}/versions"
    url = "https://example.com/a/b.yaml"
    server.files.files[url] = HELLO.encode()
    made = server.request(
        "POST",
        path,
        {
            "pipeline_id": "anything",
            "display_name": "v1",
            "code_source_url": "https://example.com",
            "package_url": {"pipeline_url": url},
        },
    ).json
    assert made["package_url"] == {"pipeline_url": url}
    assert made["pipeline_spec"]["pipelineInfo"] == {"name": "hello"}
    assert (made["name"], made["pipeline_id"]) == ("v1", pipeline)
    version = f"{path}/{made['pipeline_version_id']}"
    assert server.request("GET", version).json == made
    # A version is found by its own id, whatever its path says of its pipeline.
    elsewhere = version.replace(pipeline, "elsewhere")
    assert server.request("PATCH", elsewhere, {"tags": {"a": "b"}}).json["tags"] == {"a": "b"}
    listed = server.request("GET", f"{path}?sort_by=name&pageSize=10").json
    assert [each["name"] for each in listed["pipeline_versions"]] == ["v1"]
    text = (
        f"Failed to delete pipeline with id {pipeline} as it has existing pipeline versions (e.g."
        f" {made['pipeline_version_id']}). Set cascade=true to delete all versions"
    )
    assert server.request("DELETE", f"~/pipelines/{pipeline}").refusal == (400, 3, text)
    assert server.request("DELETE", version).body == b"{}"
    gone = f"PipelineVersion {made['pipeline_version_id']} not found"
    assert server.request("GET", version).refusal == (404, 5, gone)
    assert server.request("GET", "~/pipelines/x/versions").refusal[2] == "Pipeline x not found"


def test_pages(server: Serving) -> None:
    names = [f"p{number}" for number in range(5)]
    for name in names:
        create(server, name)
    seen: list[str] = []
    token = ""
    while True:
        page = server.request("GET", f"~/pipelines?page_size=2&page_token={token}").json
        seen += [each["name"] for each in page["pipelines"]]
        assert page["total_size"] == 5
        token = page.get("next_page_token", "")
        if not token:
            break
    assert seen == names
    named = filter_of({"operation": 1, "key": "display_name", "stringValue": "p3"})
    found = server.request("GET", f"~/pipelines?filter={named}").json
    assert [each["name"] for each in found["pipelines"]] == ["p3"]


@pytest.mark.parametrize(
    ("method", "path", "body", "text"),
    [
        ("POST", "~/pipelines", {}, "name is required"),
        ("POST", "~/pipelines", {"name": "ü" * 65}, "Pipeline.Name length cannot exceed 128"),
        (
            "POST",
            "~/pipelines",
            {"name": "a", "namespace": "n" * 64},
            "Pipeline.Namespace length cannot exceed 63",
        ),
        (
            "POST",
            "~/pipelines",
            {"name": "a", "tags": {"a.b": ""}},
            "tag key \"a.b\" must not contain '.' character",
        ),
        ("POST", "~/pipelines/create", {}, "invalid pipeline spec URL: "),
        (
            "POST",
            "~/pipelines/create",
            {"pipeline_version": {"package_url": {"pipeline_url": "https://x.example/a"}}},
            "Pipeline URL validation failed",
        ),
        (
            "POST",
            "~/pipelines/x/versions",
            {},
            "Failed to create a pipeline version. Package URL is nil",
        ),
        (
            "POST",
            "~/pipelines/x/versions",
            {"package_url": {}},
            "Failed to create a pipeline version. Package URL is empty",
        ),
        (
            "POST",
            "~/pipelines/x/versions",
            {"package_url": {"pipeline_url": "a"}},
            "Failed to create a pipeline version. Parent pipeline id is empty",
        ),
        (
            "POST",
            "~/pipelines/x/versions",
            {"pipeline_id": "x", "package_url": {"pipeline_url": "a"}},
            "name is required",
        ),
        (
            "POST",
            "~/pipelines/x/versions",
            {"pipeline_id": "x", "name": "v" * 128, "package_url": {"pipeline_url": "a"}},
            "PipelineVersion.Name length cannot exceed 127",
        ),
        (
            "POST",
            "~/pipelines/x/versions",
            {"pipeline_id": "x", "name": "v", "package_url": {"pipeline_url": "a"}},
            NO_URL,
        ),
        ("GET", "~/pipelines/", None, "Failed to get a pipeline. Pipeline id cannot be empty"),
        ("PATCH", "~/pipelines/", {}, "Failed to update a pipeline. Pipeline id cannot be empty"),
        ("DELETE", "~/pipelines/", None, "Failed to delete a pipeline due missing pipeline id"),
        (
            "PATCH",
            "~/pipelines/x/versions/",
            {},
            "Failed to update a pipeline version. Pipeline version id cannot be empty",
        ),
        (
            "DELETE",
            "~/pipelines/x/versions/",
            None,
            "Failed to delete a pipeline version due missing pipeline version id",
        ),
        ("GET", "~/pipelines?page_size=-1", None, "The page size should be greater than 0. Got -1"),
        ("GET", "~/pipelines?page_token=x", None, "Invalid page token"),
    ],
)
def test_calls_that_make_no_sense(
    server: Serving, method: str, path: str, body: Any, text: str
) -> None:
    assert server.request(method, path, body).refusal == (400, 3, text)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "text"),
    [
        ("GET", "~/nothing", None, 404, 5, "Not Found"),
        ("PUT", "~/pipelines", None, 501, 12, "Method Not Allowed"),
        (
            "POST",
            "~/pipelines",
            b"[]",
            400,
            3,
            "proto: syntax error (line 1:1): unexpected token [",
        ),
        (
            "GET",
            "~/pipelines?page_size=x",
            None,
            400,
            3,
            'parsing field "page_size": strconv.ParseInt: parsing "x": invalid syntax',
        ),
    ],
)
def test_requests_that_are_no_calls(
    server: Serving, method: str, path: str, body: Any, status: int, code: int, text: str
) -> None:
    answer = server.request(method, path, body)
    assert (answer.status, answer.json) == (status, {"code": code, "message": text})


def test_headers_of_answers(server: Serving) -> None:
    good = server.request("GET", "~/pipelines").headers
    assert (good["Content-Type"], good["Grpc-Metadata-Content-Type"]) == (
        "application/json",
        "application/grpc",
    )
    bad = server.request("GET", "~/pipelines/x").headers
    assert bad["Content-Type"] == "application/json"
    assert bad["Grpc-Metadata-Content-Type"] is None
    for path, text in (("/", b"404 page not found\n"), ("/healthz", b"404 page not found\n")):
        answer = server.request("GET", path)
        assert (answer.status, answer.body) == (404, text)
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    moved = server.request("GET", "~//pipelines?a=b")
    assert (moved.status, moved.headers["Location"], moved.body) == (
        301,
        "/apis/v2beta1/pipelines?a=b",
        b"",
    )
    broken = server.request("GET", "~/pipelines/%zz")
    assert (broken.status, broken.body) == (400, b"400 Bad Request")


def test_health_and_probes(server: Serving) -> None:
    health = {"commit_sha": "unknown", "tag_name": "unknown", "multi_user": False}
    whole = {**health, "pipeline_store": "database"}
    for method in ("GET", "POST", "DELETE"):
        assert server.request(method, "~/healthz").json == whole
    assert server.request("GET", "/apis/v1beta1/healthz").json == health
    head = server.request("HEAD", "~/healthz")
    assert (head.status, head.body) == (200, b"")
    assert server.request("GET", "/livez").body == b"ok\n"
    assert server.request("GET", "/readyz").status == 200
    server.store.is_ready = False
    assert server.request("GET", "/readyz").status == 503
    assert server.request("GET", "/livez").status == 200


def test_tags_are_cleared_by_a_header_too(server: Serving) -> None:
    path = f"~/pipelines/{create(server, 'a', tags={'k': 'v'})}"
    other = {"Grpc-Metadata-X-Clear-Tags": "true"}
    assert server.request("PATCH", path, {}, other).json["tags"] == {"k": "v"}
    kept = server.request("PATCH", path, {"tags": {"n": "w"}}, {"X-Clear-Tags": "true"})
    assert kept.json["tags"] == {"n": "w"}
    assert "tags" not in server.request("PATCH", path, {}, {"X-Clear-Tags": "true"}).json


def test_a_form_in_place_of_another_method(server: Serving) -> None:
    for name in "abc":
        create(server, name)
    path = f"~/pipelines/{create(server, 'd')}"
    listed = server.request(
        "POST", "~/pipelines", b"page_size=2", {**FORM, "X-HTTP-Method-Override": "GET"}
    )
    assert len(listed.json["pipelines"]) == 2
    twice = server.request("POST", f"{path}/versions/", b"", FORM)
    assert twice.refusal == (404, 5, "PipelineVersion  not found")
    assert server.request("POST", path, b"", FORM).json["name"] == "d"
    deleted = server.request("POST", path, b"", {**FORM, "X-HTTP-Method-Override": "DELETE"})
    assert (deleted.status, deleted.body) == (200, b"{}")
    # What belongs to the query is read with it, and is no message.
    assert server.request("POST", "~/pipelines", b'{"name": "e"}', FORM).status == 200


@pytest.mark.parametrize(
    ("timeout", "status", "text"),
    [
        ("1n", 504, "context deadline exceeded"),
        ("-1S", 504, "context deadline exceeded"),
        ("x", 400, "invalid grpc-timeout: x"),
        ("1", 400, "invalid grpc-timeout: 1"),
        ("9999999999999999999S", 400, "invalid grpc-timeout: 9999999999999999999S"),
    ],
)
def test_timeouts(server: Serving, timeout: str, status: int, text: str) -> None:
    answer = server.request("GET", "~/pipelines", headers={"Grpc-Timeout": timeout})
    assert (answer.status, answer.json["message"]) == (status, text)
    assert "details" not in answer.json
    for good in ("10S", "1H", "999999999999H", "+5M"):
        assert server.request("GET", "~/pipelines", headers={"Grpc-Timeout": good}).status == 200


class SlowStore(ModelStore):
    """Takes its time, or fails, when a pipeline is got."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0
        self.error: Exception | None = None

    async def get_pipeline(self, pipeline_id: str) -> PipelineRecord:
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        return await super().get_pipeline(pipeline_id)


def test_a_timeout_ends_a_call(caplog: pytest.LogCaptureFixture) -> None:
    store = SlowStore()
    store.seconds = 30.0
    with serving(store) as server:
        answer = server.request("GET", "~/pipelines/x", headers={"Grpc-Timeout": "50m"})
        assert (answer.status, answer.json["code"]) == (504, 4)


def test_faults_of_ours_tell_nothing_and_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    store = SlowStore()
    store.error = ZeroDivisionError("a secret")
    with serving(store) as server:
        answer = server.request("GET", "~/pipelines/x", headers={"X-Request-Id": "abc-1"})
        assert answer.refusal == (500, 13, "Internal Server Error")
        assert answer.headers["X-Request-Id"] == "abc-1"
        uploaded = server.upload("upload_version?pipelineid=x")
        assert uploaded.status == 500
        assert uploaded.json["error_message"] == "Internal Server Error"
        store.error = RestError(Code.UNAVAILABLE, "Service unavailable")
        assert server.request("GET", "~/pipelines/x").refusal == (503, 14, "Service unavailable")
    (first, _) = [each for each in caplog.records if each.exc_info]
    assert first.getMessage() == "a call failed"
    assert first.fields == {"requestId": "abc-1"}  # type: ignore[attr-defined]


def test_request_ids(server: Serving) -> None:
    def id_for(sent: str) -> str:
        return str(
            server.request("GET", "~/pipelines", headers={"X-Request-Id": sent}).headers[
                "X-Request-Id"
            ]
        )

    assert id_for("01H:ab+c=@_.-z") == "01H:ab+c=@_.-z"
    for bad in ("", "a b", "a/b", "a;b", "é", "x" * 129, "a\tb"):
        made = id_for(bad)
        assert len(made) == 32
        assert made.isalnum()
    # What is refused before it is a call has one, too.
    refused = server.request("POST", "~/pipelines", b"x", {"Content-Encoding": "gzip"})
    assert (refused.status, len(refused.headers["X-Request-Id"])) == (415, 32)


def test_the_log_has_no_contents_and_no_tokens(
    server: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    headers = {"Authorization": "Bearer hidden-token", "Cookie": "hidden-cookie"}
    server.request("POST", "~/pipelines?x=hidden-query", {"name": "hidden-body"}, headers)
    server.request("POST", "~/pipelines?x=hidden-query", b"{hidden-body", headers)
    entries = [each.fields for each in caplog.records if each.getMessage() == "call"]  # type: ignore[attr-defined]
    assert [entry["status"] for entry in entries] == [200, 400]
    assert "hidden" not in json.dumps(entries)
    assert {*entries[0]} == {
        "requestId", "method", "path", "call", "status", "milliseconds", "peer",
    }  # fmt: skip


def test_metrics_count_calls_by_status(server: Serving) -> None:
    create(server, "a")
    server.request("POST", "~/pipelines", {"name": "a"})
    server.request("GET", "~/nothing")
    server.request("GET", "~/" + "x" * 1000)
    text = server.request("GET", "/metrics").body.decode()
    lines = set(text.splitlines())
    assert 'kfp_k8s_apiserver_calls_total{call="CreatePipeline",code="200"} 1.0' in lines
    assert 'kfp_k8s_apiserver_calls_total{call="CreatePipeline",code="409"} 1.0' in lines
    assert 'kfp_k8s_apiserver_calls_total{call="none",code="404"} 2.0' in lines
    assert 'kfp_k8s_apiserver_call_seconds_count{call="CreatePipeline"} 2.0' in lines
    # The labels are ours: nobody makes a series by what they send.
    assert "xxx" not in text


def test_a_client_that_leaves_is_counted() -> None:
    store = SlowStore()
    store.seconds = 30.0
    with serving(store) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            sock.sendall(b"GET /apis/v2beta1/pipelines/x HTTP/1.1\r\nHost: a\r\n\r\n")
            while "ready" not in server.request("GET", "/metrics").body.decode():
                pass
        wanted = "kfp_k8s_apiserver_abandoned_calls_total 1.0"
        for _ in range(200):
            if wanted in server.request("GET", "/metrics").body.decode():
                break
            asyncio.run(asyncio.sleep(0.1))
        else:
            raise AssertionError("the call was not given up")


def test_the_message_tells_what_the_words_of_kfp_do_not(
    server: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    package = {"package_url": {"pipeline_url": "https://x.example/a"}}
    answer = server.request("POST", "~/pipelines/create", {"pipeline_version": package})
    assert answer.json["message"] == "Pipeline URL validation failed: it is not there"
    assert answer.refusal == (400, 3, "Pipeline URL validation failed")
    (entry,) = [each.fields for each in caplog.records if each.message == "call"]  # type: ignore[attr-defined]
    assert entry["reason"] == "it is not there"
    assert "x.example" not in str(entry)


def test_messages_have_a_limit(server: Serving) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
        head = f"POST /apis/v2beta1/pipelines HTTP/1.1\r\nHost: a\r\nContent-Length: {5 * 2**20}\r\n\r\n"
        sock.sendall(head.encode())
        assert sock.recv(100).startswith(b"HTTP/1.1 413 ")


class Knows(Open):
    """Lets `alice` do everything in `team-a`, everybody read what is shared, and nobody more."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    async def check(self, caller: Caller, *, verb: str, namespace: str, name: str = "",
                    resource: str = "pipelines") -> None:  # fmt: skip
        self.asked.append((verb, namespace, name, resource))
        if verb in ("get", "list") and namespace == "":
            return
        if caller.identity != ("alice",):
            raise RestError(Code.UNAUTHENTICATED, "who?")
        if namespace != "team-a":
            raise RestError(Code.PERMISSION_DENIED, "no")


def test_multi_user_mode() -> None:
    knows = Knows()
    alice = {"Who": "alice"}
    options = {"service": {"multi_user": True, "authorizer": knows}, "identity_header": "Who"}
    with serving(**options) as server:
        assert server.request("GET", "~/healthz").json["multi_user"] is True
        body = {"name": "a", "namespace": "team-a"}
        anonymous = server.request("POST", "~/pipelines", body)
        assert anonymous.refusal == (401, 16, "who?")
        assert anonymous.headers["WWW-Authenticate"] == "who?"
        elsewhere = {**body, "namespace": "team-b"}
        assert server.request("POST", "~/pipelines", elsewhere, alice).refusal == (403, 7, "no")
        # A request that makes no sense is told so, whoever sends it.
        assert server.request("POST", "~/pipelines", {}).refusal[0] == 400
        pipeline = server.request("POST", "~/pipelines", body, alice).json
        assert pipeline["namespace"] == "team-a"
        path = f"~/pipelines/{pipeline['pipeline_id']}"
        for method in ("GET", "PATCH", "DELETE"):
            assert server.request(method, path).refusal[0] == 401
            assert server.request(method, f"{path}x").refusal[0] == 404
        # By its name alone, in no namespace, it is not there for those who must not see it.
        name = "~/pipelines/names/a"
        assert server.request("GET", name).refusal == (404, 5, "Namespace/Pipeline /a not found")
        assert server.request("GET", f"{name}?namespace=team-a").refusal[0] == 401
        assert server.request("GET", f"{name}?namespace=team-a", headers=alice).json == pipeline
        assert server.request("GET", "~/pipelines?namespace=team-a").refusal[0] == 401
        assert server.request("GET", "~/pipelines").body == b"{}"
        # Two values of the identity header reach the authorizer as two.
        assert server.request("GET", path, headers={"who": "alice"}).json == pipeline
    assert ("create", "team-a", "a", "pipelines") in knows.asked
    assert ("list", "team-a", "", "pipelines") in knows.asked


def test_versions_in_multi_user_mode() -> None:
    knows = Knows()
    alice = {"Who": "alice"}
    with serving(
        service={"multi_user": True, "authorizer": knows}, identity_header="Who"
    ) as server:
        body, headers = form(("uploadfile", "a.yaml", HELLO.encode()))
        upload = "~/pipelines/upload?name=a&namespace=team-a"
        pipeline = server.request("POST", upload, body, {**headers, **alice}).json
        path = f"~/pipelines/{pipeline['pipeline_id']}/versions"
        (version,) = server.request("GET", path, headers=alice).json["pipeline_versions"]
        one = f"{path}/{version['pipeline_version_id']}"
        for method, found in (("GET", path), ("GET", one), ("PATCH", one), ("DELETE", one)):
            assert server.request(method, found).refusal[0] == 401
        assert server.request("GET", f"{path}/x").refusal[0] == 404
        assert server.request("DELETE", one, headers=alice).body == b"{}"
    asked = knows.asked
    assert ("create", "team-a", "", "pipelineversions") in asked
    assert ("list", "team-a", "", "pipelineversions") in asked
    assert ("get", "team-a", "a", "pipelineversions") in asked
    assert ("delete", "team-a", "a", "pipelineversions") in asked


def test_a_namespace_may_be_required() -> None:
    options = {"multi_user": True, "authorizer": Knows(), "require_namespace": True}
    text = "Namespace is required for pipeline operations"
    with serving(service=options) as server:
        for method, path, body in (
            ("POST", "~/pipelines", {"name": "a"}),
            ("GET", "~/pipelines", None),
            ("GET", "~/pipelines/names/a", None),
        ):
            assert server.request(method, path, body).refusal == (400, 3, text)
        uploaded = server.upload("upload?name=a")
        assert (uploaded.status, uploaded.body) == (400, f"Invalid input error: {text}\n".encode())


def test_a_list_of_megabytes_arrives_whole(server: Serving) -> None:
    texts = ["é" * 150_000, "b", "c" * 70_000, "d" * 500_000]
    packages = [HELLO.replace("[hello]", f"['{text}']") for text in texts]
    pipeline = server.upload("upload?name=v0", packages[0]).json["pipeline_id"]
    for number, package in enumerate(packages[1:], 1):
        path = f"upload_version?name=v{number}&pipelineid={pipeline}"
        assert server.upload(path, package).status == 200
    answer = server.request("GET", f"~/pipelines/{pipeline}/versions?sort_by=name")
    assert int(answer.headers["Content-Length"]) == len(answer.body)
    assert answer.headers["Content-Type"] == "application/json"
    listed = answer.json["pipeline_versions"]
    executors = [each["pipeline_spec"]["deploymentSpec"]["executors"] for each in listed]
    assert [each["exec-print"]["container"]["args"] for each in executors] == [[t] for t in texts]
