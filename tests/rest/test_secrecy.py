"""Who may not do something in a namespace is not told what there is, where KFP does not tell it either."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest

from kfp_k8s_manifest.rest.authorization import Caller, Open
from kfp_k8s_manifest.rest.errors import Code, RestError
from tests.rest.model_store import ModelStore
from tests.rest.serving import Answer, Serving, filter_of, serving

PLACE = "team-a"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@dataclass
class OneMay(Open):
    """A stand-in for what the cluster says: the owner may do everything, and nobody else anything."""

    asked: list[str] = field(default_factory=list)

    async def check(self, caller: Caller, *, verb: str, namespace: str, **call: Any) -> None:
        self.asked.append(namespace)
        if caller.identity != ("owner",):
            name = call.get("name", "")
            raise RestError(Code.PERMISSION_DENIED, f"not {verb} {name} in {namespace}")


@pytest.fixture(scope="module", params=["database", "kubernetes"])
def server(request: pytest.FixtureRequest) -> Iterator[Serving]:
    """A server with a pipeline `there` and its version, in a namespace that others may not look into."""
    default = "kubeflow" if request.param == "kubernetes" else ""
    store = ModelStore(kind=request.param, default_namespace=default)
    options = {"authorizer": OneMay(), "multi_user": True}
    with serving(store, service=options) as found:
        answer = found.request("POST", f"~/pipelines/upload?name=there&namespace={PLACE}", *FILE)
        assert answer.status == 200, answer.body
        yield found


OWNER = {"kubeflow-userid": "owner"}
STRANGER = {"kubeflow-userid": "stranger"}
FORM = (
    b'--limit\r\nContent-Disposition: form-data; name="uploadfile"; filename="a.yaml"\r\n\r\n'
    b"pipelineInfo: {name: a}\nroot: {dag: {}}\nschemaVersion: 2.1.0\n\r\n--limit--\r\n"
)
FILE = (FORM, {"Content-Type": "multipart/form-data; boundary=limit", **OWNER})
UPLOADS = {"Content-Type": "multipart/form-data; boundary=limit", **STRANGER}


def ask(server: Serving, method: str, path: str, body: Any, headers: Any, word: str) -> Answer:
    """Send a request about a pipeline that is called so."""
    content = body
    if isinstance(body, dict):
        content = {key: value.replace("NAME", word) for key, value in body.items()}
    return server.request(method, path.replace("NAME", quote(word)), content, headers)


@pytest.mark.parametrize(
    ("method", "path", "body", "headers"),
    [
        ("GET", f"~/pipelines/names/NAME?namespace={PLACE}", None, STRANGER),
        ("GET", f"~/pipelines/names/NAME?namespace={PLACE}", None, {}),
        ("GET", "~/pipelines/names/NAME", None, STRANGER),
        ("GET", "~/pipelines/names/NAME?namespace=", None, {}),
        (
            "GET",
            f"~/pipelines?namespace={PLACE}&filter="
            + filter_of({"operation": "EQUALS", "key": "name", "string_value": "NAME"}),
            None,
            STRANGER,
        ),
        ("POST", "~/pipelines", {"name": "NAME", "namespace": PLACE}, STRANGER),
        ("POST", f"~/pipelines/upload?name=NAME&namespace={PLACE}", FORM, UPLOADS),
    ],
)
def test_a_name_that_is_there_and_one_that_is_not_get_one_answer(
    server: Serving, method: str, path: str, body: Any, headers: Any
) -> None:
    there = ask(server, method, path, body, headers, "there")
    nowhere = ask(server, method, path, body, headers, "nowhere")
    assert there.status in (400, 403, 404)
    assert there.status == nowhere.status
    assert there.body.replace(b"there", b"nowhere") == nowhere.body


def test_an_upload_to_a_pipeline_of_others_is_refused_as_one_to_none(server: Serving) -> None:
    listed = server.request("GET", f"~/pipelines?namespace={PLACE}", headers=OWNER).json
    (pipeline,) = listed["pipelines"]
    answers = [
        server.request("POST", f"~/pipelines/upload_version?pipelineid={each}", FORM, UPLOADS)
        for each in (pipeline["pipeline_id"], UNKNOWN)
    ]
    assert answers[0].status == 400
    assert answers[0].body == answers[1].body


def test_a_list_without_a_namespace_shows_nothing_of_others(server: Serving) -> None:
    for headers in (STRANGER, {}):
        for query in ("", "?namespace=", "?namespace=-", "?page_size=1", "?sort_by=name"):
            answer = server.request("GET", f"~/pipelines{query}", headers=headers)
            assert b"there" not in answer.body
            assert answer.status in (200, 403)
            assert answer.status != 200 or answer.json == {}


def test_a_page_token_shows_nothing_of_another_namespace(server: Serving) -> None:
    server.request("POST", "~/pipelines", {"name": "more", "namespace": PLACE}, OWNER)
    path = f"~/pipelines?namespace={PLACE}&page_size=1"
    token = quote(server.request("GET", path, headers=OWNER).json["next_page_token"], safe="")
    for place in ("", "other", "-"):
        path = f"~/pipelines?namespace={place}&page_token={token}"
        for headers in (STRANGER, OWNER):
            assert b"more" not in server.request("GET", path, headers=headers).body


def test_single_user_mode_has_no_secrets() -> None:
    with serving(service={"authorizer": Open()}) as found:
        found.request("POST", "~/pipelines", {"name": "there", "namespace": PLACE})
        assert found.request("GET", "~/pipelines/names/there").status == 200
