"""The two uploads over HTTP, on the plain model of a store."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from kfp_k8s_manifest.rest.archives import MAX_SIZE
from kfp_k8s_manifest.rest.authorization import Open
from kfp_k8s_manifest.rest.errors import Code, RestError
from kfp_k8s_manifest.rest.values import NewPipeline, NewVersion, PipelineRecord, VersionRecord
from tests.rest.model_store import ModelStore
from tests.rest.packing import packed, tar
from tests.rest.serving import HELLO, Answer, Serving, form, serving

NO_TAGS = "Failed to parse tags query parameter. Expected JSON object with string keys and values"


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def empty(request: pytest.FixtureRequest) -> None:
    if "server" in request.fixturenames:
        store = request.getfixturevalue("server").store
        store.pipelines.clear()
        store.versions.clear()


def refusal(answer: Answer) -> tuple[int, str, str]:
    """Return status, content type without its parameters, and text of a refusal."""
    content = answer.json
    assert content.keys() == {"error_message", "error_details"}
    assert content["error_details"].startswith(content["error_message"])
    return answer.status, answer.headers["Content-Type"].partition(";")[0], content["error_message"]


def plain(answer: Answer) -> tuple[int, bytes]:
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    return answer.status, answer.body


def test_a_pipeline(server: Serving) -> None:
    tags = quote(json.dumps({"a": "b", "c": None}))
    answer = server.upload(f"upload?name=n&display_name=%C3%9C+%2B&description=d&tags={tags}")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Grpc-Metadata-Content-Type"] is None
    pipeline = answer.json
    assert {**pipeline, "pipeline_id": 0, "created_at": 0} == {
        "pipeline_id": 0,
        "display_name": "Ü +",
        "name": "n",
        "description": "d",
        "created_at": 0,
        "tags": {"a": "b", "c": ""},
    }
    (version,) = server.store.versions.values()
    assert (version.name, version.display_name, version.description) == ("n", "Ü +", "d")
    assert (version.tags, version.package_url) == ({}, None)


@pytest.mark.parametrize(
    ("query", "name", "display_name"),
    [
        ("", "file.yaml", "file.yaml"),
        ("?name=&display_name=", "file.yaml", "file.yaml"),
        ("?display_name=d", "d", "d"),
        ("?name=n", "n", "n"),
        ("?name=n&name=m&display_name=d", "n", "d"),
    ],
)
def test_default_names(server: Serving, query: str, name: str, display_name: str) -> None:
    made = server.upload(f"upload{query}", file="dir/file.yaml").json
    assert (made["name"], made["display_name"]) == (name, display_name)
    path = f"upload_version?pipelineid={made['pipeline_id']}&{query[1:]}"
    again = server.upload(path, file="dir/file.yaml")
    assert refusal(again) == (409, "application/json", "Failed to create a pipeline version")


def test_a_version(server: Serving) -> None:
    pipeline = server.upload("upload?name=p").json["pipeline_id"]
    tags = quote('{"k": "v"}')
    made = server.upload(
        f"upload_version?name=v&pipelineid={pipeline}&description=d&tags={tags}"
    ).json
    assert made["pipeline_spec"]["root"]["dag"]["tasks"].keys() == {"print"}
    assert (made["name"], made["description"], made["tags"]) == ("v", "d", {"k": "v"})


def test_any_method_uploads(server: Serving) -> None:
    body, headers = form(("uploadfile", "a.yaml", HELLO.encode()))
    for method in ("PUT", "GET", "PATCH", "DELETE"):
        path = f"~/pipelines/upload?name={method.lower()}"
        assert server.request(method, path, body, headers).status == 200


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_archives(server: Serving, kind: str) -> None:
    data = (packed if kind == "zip" else tar)(("pipeline.yaml", HELLO.encode()))
    assert server.upload("upload?name=n", data, file=f"a.{kind}").status == 200


REFUSED = "Failed to read a pipeline spec file"


@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("a.txt", b"text"),
        ("a.zip", b"PK\x03\x04broken"),
        ("a.tar.gz", gzip.compress(b"no tar", mtime=0)),
        ("a.zip", packed(("readme.txt", b""))),
        ("a.zip", packed(("pipeline.yaml", b" " * (MAX_SIZE + 1)))),
        ("a.tar.gz", tar(("pipeline.yaml", b" " * (MAX_SIZE + 1)))),
        ("a.yaml", b" " * (MAX_SIZE + 1)),
    ],
    ids=range(7),
)
def test_files_that_hold_no_package(server: Serving, file: str, data: bytes) -> None:
    assert refusal(server.upload("upload?name=n", data, file=file)) == (400, "text/plain", REFUSED)
    pipeline = server.upload("upload?name=p").json["pipeline_id"]
    version = server.upload(f"upload_version?name=v&pipelineid={pipeline}", data, file=file)
    assert refusal(version) == (400, "text/plain", "Failed to create a pipeline version")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "unknown template format"),
        ("a: b", "unknown template format"),
        (HELLO.replace("name: hello", "name: Hello"), None),
        (HELLO.replace("2.1.0", "2.0.0"), None),
        (f"{HELLO}\n---\n{HELLO}", "multiple pipeline specs provided"),
    ],
)
def test_packages_that_are_no_pipelines(server: Serving, text: str, message: str | None) -> None:
    message = (
        message
        or {
            "name: Hello": "pipeline's name must contain only lowercase alphanumeric characters or '-' and"
            " must start with alphanumeric characters",
            "2.0.0": "KFP only supports schema version 2.1.0, but the pipeline spec has version 2.0.0",
        }["name: Hello" if "Hello" in text else "2.0.0"]
    )
    assert refusal(server.upload("upload?name=n", text)) == (400, "application/json", message)
    assert not server.store.pipelines


def test_a_large_package(server: Serving) -> None:
    """It is read in a thread; another call is answered meanwhile."""
    padding = "".join(f"# {number}\n" for number in range(200_000))
    answer = server.upload("upload?name=n", HELLO + padding)
    assert answer.status == 200
    assert server.request("GET", "~/pipelines").json["total_size"] == 1


def test_a_request_that_is_larger_than_any_package(server: Serving) -> None:
    answer = server.request(
        "POST", "~/pipelines/upload", headers={"Content-Length": str(MAX_SIZE * 2)}
    )
    assert answer.status == 413


@pytest.mark.parametrize("path", ["upload", "upload_version"])
def test_requests_without_a_file(server: Serving, path: str) -> None:
    text = {
        "upload": "Failed to read pipeline from file",
        "upload_version": "Failed to create a pipeline version",
    }[path]
    wanted = (400, "text/plain", text)
    whole = f"~/pipelines/{path}"
    body, headers = form(("file", "a.yaml", HELLO.encode()))
    assert refusal(server.request("POST", whole, body, headers)) == wanted
    assert refusal(server.request("GET", whole)) == wanted
    assert refusal(server.request("POST", whole, {"name": "x"})) == wanted
    good, headers = form(("uploadfile", "a.yaml", HELLO.encode()))
    for query in ("?name=%zz", "?name=a;b", "?name=%ff"):
        assert refusal(server.request("POST", whole + query, good, headers)) == wanted


@pytest.mark.parametrize(
    ("query", "body"),
    [
        (f"name={'n' * 129}", "Pipeline.Name length cannot exceed 128"),
        (f"name={'%C3%BC' * 65}", "Pipeline.Name length cannot exceed 128"),
        (f"name=n&namespace={'n' * 64}", "Pipeline.Namespace length cannot exceed 63"),
    ],
)
def test_names_that_are_too_long(server: Serving, query: str, body: str) -> None:
    answer = plain(server.upload(f"upload?{query}"))
    assert answer == (400, f"Invalid input error: {body}\n".encode())


def test_versions_without_a_parent(server: Serving) -> None:
    wanted = (400, "text/plain", "Failed to create a pipeline version")
    for query in ("", "?pipelineid=", "?pipelineid=x", "?pipelineId=x", "?pipeline_id=x"):
        assert refusal(server.upload(f"upload_version{query}")) == wanted
    # The name is looked at before.
    answer = plain(server.upload(f"upload_version?pipelineid=x&name={'v' * 128}"))
    assert answer == (400, b"Invalid input error: PipelineVersion.Name length cannot exceed 127\n")


@pytest.mark.parametrize(
    "tags",
    ["a=b", "[]", '{"a": 1}', '{"a": "b"', "1", '"a"', '{"a": {}}', '{"\\ud800": ""}', "[" * 9999],
)
def test_tags_that_are_no_object_of_texts(server: Serving, tags: str) -> None:
    path = f"upload?name=n&tags={quote(tags)}"
    assert refusal(server.upload(path)) == (400, "text/plain", NO_TAGS)


def test_tags_that_break_the_rules(server: Serving) -> None:
    answer = server.upload(f"upload?name=n&tags={quote(json.dumps({'a.b': 'c'}))}")
    text = "tag key \"a.b\" must not contain '.' character"
    assert refusal(answer) == (400, "application/json", text)


class Refusing(ModelStore):
    """Refuses every creation."""

    error = RestError(Code.UNIMPLEMENTED, "this store is read only")

    async def create_pipeline_with_version(
        self, new: NewPipeline, version: NewVersion
    ) -> tuple[PipelineRecord, VersionRecord]:
        raise self.error


def test_refusals_of_the_store() -> None:
    store = Refusing()
    with serving(store) as server:
        answer = refusal(server.upload("upload?name=n"))
        assert answer == (501, "application/json", "this store is read only")
        store.error = RestError(Code.INTERNAL, "the disk is full")
        answer = refusal(server.upload("upload?name=n"))
        assert answer == (
            500,
            "application/json",
            "Failed to create a pipeline and a pipeline version",
        )


def detail(answer: Answer) -> str:
    """Return what `error_details` tells besides `error_message`."""
    content = answer.json
    return str(content["error_details"].removeprefix(content["error_message"]))


def test_what_the_message_does_not_tell_is_in_the_details(server: Serving) -> None:
    pipeline = server.upload("upload?name=n").json["pipeline_id"]
    assert [
        detail(answer)
        for answer in (
            server.request("POST", "~/pipelines/upload"),
            server.upload("upload?name=m", "text", file="a.txt"),
            server.upload("upload?name=n"),
            server.upload(f"upload_version?name=n&pipelineid={pipeline}"),
            server.upload("upload_version?name=n"),
            server.upload("upload_version?name=n&pipelineid=x"),
            server.upload("upload?name=m&tags=1"),
        )
    ] == [
        ": the content type is '', no form with a boundary",
        ": Unexpected pipeline file format. Support .zip, .tar.gz, .json or YAML",
        ": Failed to create a new pipeline. The name n already exists. Please specify a new name",
        ": Failed to create a new pipeline version. The name n already exist. Specify a new name",
        ": the parameter pipelineid is missing",
        ": Pipeline x not found",
        "",
    ]


class Nobody(Open):
    """Lets nobody do anything."""

    async def check(self, *_: object, **__: object) -> None:
        raise RestError(Code.PERMISSION_DENIED, "no")


def test_who_must_not_upload() -> None:
    with serving(service={"multi_user": True, "authorizer": Nobody()}) as server:
        wanted = (400, "text/plain", "Failed to create a pipeline")
        for query in ("name=n&namespace=a", "name=n", "name=n&tags=x"):
            answer = server.upload(f"upload?{query}")
            assert (refusal(answer), detail(answer)) == (wanted, ": no")
        store = server.store
        store.pipelines["p"] = PipelineRecord(id="p", name="p", display_name="p", namespace="a")
        answer = server.upload("upload_version?name=v&pipelineid=p")
        assert refusal(answer) == (400, "text/plain", "Failed to create a pipeline version")
        assert detail(answer) == ": there is no such pipeline, or you may not add versions to it"
