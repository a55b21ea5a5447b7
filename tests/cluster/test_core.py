"""Requests, answers and dialogues of the Kubernetes API as tables, without IO."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import pytest
import yaml

from kfp_k8s_manifest.cluster import (
    PIPELINES,
    ApiError,
    Object,
    Page,
    ResourceType,
    operations,
    requests,
)
from kfp_k8s_manifest.cluster.answers import TOO_DEEP, Answer, pause_before_retry, read_event
from kfp_k8s_manifest.cluster.requests import Request
from kfp_k8s_manifest.cluster.watching import Connect, Pause, ReadLine, watch
from kfp_k8s_manifest.errors import ClusterError, InvalidNameError

BASE = "/apis/pipelines.kubeflow.org/v2beta1"
NODES = ResourceType(group="", version="v1", plural="nodes", kind="Node", namespaced=False)
OBJ: dict[str, Any] = {
    "apiVersion": "pipelines.kubeflow.org/v2beta1",
    "kind": "Pipeline",
    "metadata": {"name": "train", "namespace": "a"},
}


@pytest.mark.parametrize(
    ("request_", "method", "target"),
    [
        (
            requests.get(PIPELINES, "train", namespace="a"),
            "GET",
            f"{BASE}/namespaces/a/pipelines/train",
        ),
        (requests.get(NODES, "n"), "GET", "/api/v1/nodes/n"),
        (requests.list_objects(PIPELINES), "GET", f"{BASE}/pipelines?limit=100"),
        (
            requests.list_objects(PIPELINES, namespace="a", size=5, labels="x=y", fields="f=g"),
            "GET",
            f"{BASE}/namespaces/a/pipelines?labelSelector=x%3Dy&fieldSelector=f%3Dg&limit=5",
        ),
        (
            requests.next_page(requests.list_objects(PIPELINES), "t/="),
            "GET",
            f"{BASE}/pipelines?limit=100&continue=t%2F%3D",
        ),
        (
            requests.watch_objects(requests.list_objects(PIPELINES, labels="x"), "12", seconds=9),
            "GET",
            (
                f"{BASE}/pipelines?labelSelector=x&resourceVersion=12&watch=true"
                "&allowWatchBookmarks=true&timeoutSeconds=9"
            ),
        ),
        (requests.create(PIPELINES, OBJ), "POST", f"{BASE}/namespaces/a/pipelines"),
        (
            requests.create(PIPELINES, OBJ, namespace="b", dry_run=True, field_manager="me"),
            "POST",
            f"{BASE}/namespaces/b/pipelines?fieldManager=me&dryRun=All",
        ),
        (
            requests.update(PIPELINES, OBJ, dry_run=True),
            "PUT",
            f"{BASE}/namespaces/a/pipelines/train?dryRun=All",
        ),
        *(
            (
                make(PIPELINES, OBJ, field_manager="me", strict=True),
                method,
                f"{BASE}/namespaces/a/pipelines{name}?fieldManager=me&fieldValidation=Strict",
            )
            for make, method, name in (
                (requests.create, "POST", ""),
                (requests.update, "PUT", "/train"),
            )
        ),
        (
            requests.apply(PIPELINES, OBJ, field_manager="me"),
            "PATCH",
            f"{BASE}/namespaces/a/pipelines/train?fieldManager=me",
        ),
        (
            requests.apply(PIPELINES, OBJ, field_manager="me", force=True, dry_run=True),
            "PATCH",
            f"{BASE}/namespaces/a/pipelines/train?fieldManager=me&force=true&dryRun=All",
        ),
        (
            requests.patch(PIPELINES, "train", {}, namespace="a", subresource="status"),
            "PATCH",
            f"{BASE}/namespaces/a/pipelines/train/status",
        ),
        (
            requests.delete(PIPELINES, "train", namespace="a", dry_run=True),
            "DELETE",
            f"{BASE}/namespaces/a/pipelines/train",
        ),
    ],
)
def test_requests(request_: Request, method: str, target: str) -> None:
    assert (request_.method, request_.target) == (method, target)
    assert str(request_) == f"{method} {target.partition('?')[0]}"


@pytest.mark.parametrize(
    ("request_", "content_type", "body"),
    [
        (requests.create(PIPELINES, OBJ), "application/json", OBJ),
        (
            requests.patch(PIPELINES, "p", {"a": None}, namespace="a"),
            "application/merge-patch+json",
            {"a": None},
        ),
        (
            requests.patch(PIPELINES, "p", [{"op": "test"}], patch_type="json", namespace="a"),
            "application/json-patch+json",
            [{"op": "test"}],
        ),
        (
            requests.delete(PIPELINES, "p", namespace="a", propagation="Orphan", uid="u"),
            "application/json",
            {
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "propagationPolicy": "Orphan",
                "preconditions": {"uid": "u"},
                "dryRun": [],
            },
        ),
        (
            # Beside a body the server does not look at the query's dryRun.
            requests.delete(PIPELINES, "p", namespace="a", dry_run=True),
            "application/json",
            {
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "propagationPolicy": "Background",
                "preconditions": {},
                "dryRun": ["All"],
            },
        ),
    ],
)
def test_bodies(request_: Request, content_type: str, body: Any) -> None:
    assert request_.content_type == content_type
    assert request_.body is not None
    assert json.loads(request_.body) == body


def test_metadata_alone() -> None:
    one = requests.get(PIPELINES, "p", namespace="a", metadata_only=True)
    many = requests.list_objects(PIPELINES, metadata_only=True)
    for request, kind in (
        (one, "PartialObjectMetadata"),
        (many, "PartialObjectMetadataList"),
        (requests.watch_objects(many, "1"), "PartialObjectMetadata"),
    ):
        assert request.accept == f"application/json;as={kind};g=meta.k8s.io;v=v1,application/json"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a%2fb"])
def test_names_that_would_change_the_path(name: str) -> None:
    message = f"{name!r} cannot be the name of an object: it is no part of a path"
    for make in (
        lambda: requests.get(PIPELINES, name, namespace="a"),
        lambda: requests.get(PIPELINES, "p", namespace=name),
        lambda: requests.create(PIPELINES, {"metadata": {"name": "p", "namespace": name}}),
        lambda: requests.update(PIPELINES, {"metadata": {"name": name, "namespace": "a"}}),
    ):
        with pytest.raises(InvalidNameError) as caught:
            make()
        assert str(caught.value) == message


def test_odd_names_are_quoted() -> None:
    request = requests.get(PIPELINES, "a b?c#d&e", namespace="ü")
    assert request.target == f"{BASE}/namespaces/%C3%BC/pipelines/a%20b%3Fc%23d%26e"


def test_what_is_applied_is_yaml() -> None:
    """Of JSON the server's YAML reader refuses long keys, and it folds NEL."""
    value = "NEL \x85, DEL \x7f, C1 \x9f, LS \u2028, PS \u2029, BOM \ufeff, 😀, \t, \x01, é, 08, y"
    obj = {**OBJ, "spec": {"k" * 2000: value, "y": 1.5}}
    request = requests.apply(PIPELINES, obj, field_manager="x")
    assert request.content_type == "application/apply-patch+yaml"
    assert request.body is not None
    assert yaml.safe_load(request.body) == obj


def answered(code: int, body: Any = b"", **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(
        status=code,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        body=content,
    )


def status(code: int, reason: str, message: str) -> Answer:
    body = {"kind": "Status", "metadata": {}, "code": code, "reason": reason, "message": message}
    return answered(code, body)


def carry_out(operation: Generator[Request, Answer, Any], *answers: Answer) -> Any:
    """Return what an operation returns after some answers, and its requests."""
    asked = [next(operation)]
    for answer in answers[:-1]:
        asked += [operation.send(answer)]
    with pytest.raises(StopIteration) as result:
        operation.send(answers[-1])
    return result.value.value, asked


GET = requests.get(PIPELINES, "train", namespace="a")
PLACE = f"GET {BASE}/namespaces/a/pipelines/train"

WRONG_ANSWERS = {
    "text": (answered(200, b"<html>"), f"{PLACE} with something else than JSON: <html>"),
    "empty": (answered(200), f"{PLACE} with something else than JSON: "),
    "half": (answered(200, b'{"a": '), f'{PLACE} with something else than JSON: {{"a":'),
    "deep": (
        answered(200, b"[" * 100_000),
        f"{PLACE} with something else than JSON: {'[' * 300}…",
    ),
    "list": (answered(200, []), f"{PLACE} with no JSON object: []"),
    "number": (answered(200, 1), f"{PLACE} with no JSON object: 1"),
    "nothing": (answered(200, {}), f"{PLACE} with something else than an object: {{}}"),
    "metadata": (
        answered(200, {"metadata": []}),
        f'{PLACE} with something else than an object: {{"metadata": []}}',
    ),
    "status": (
        answered(200, {"kind": "Status", "metadata": {}}),
        f'{PLACE} with something else than an object: {{"kind": "Status", "metadata": {{}}}}',
    ),
}


@pytest.mark.parametrize("name", WRONG_ANSWERS)
def test_answers_that_make_no_sense(name: str) -> None:
    answer, message = WRONG_ANSWERS[name]
    for operation in (operations.send(GET), operations.find(GET)):
        with pytest.raises(ClusterError) as caught:
            carry_out(operation, answer)
        assert str(caught.value) == f"the API server answered {message}"


REFUSALS = [
    (status(403, "Forbidden", "no"), 403, "Forbidden", f"403 Forbidden to {PLACE}: no"),
    (status(409, "Conflict", ""), 409, "Conflict", f"409 Conflict to {PLACE}"),
    (answered(500, b"oh\n"), 500, "", f"500 to {PLACE}: oh"),
    (answered(502), 502, "", f"502 to {PLACE}"),
    (answered(400, [1]), 400, "", f"400 to {PLACE}: [1]"),
    (
        answered(302, b"moved", location="https://login.example.com"),
        302,
        "",
        f"302 to {PLACE}: it leads to https://login.example.com",
    ),
    (answered(304), 304, "", f"304 to {PLACE}"),
]


@pytest.mark.parametrize(("answer", "code", "reason", "message"), REFUSALS)
def test_refusals(answer: Answer, code: int, reason: str, message: str) -> None:
    for operation in (operations.send(GET), operations.find(GET)):
        with pytest.raises(ApiError) as caught:
            carry_out(operation, answer)
        assert (caught.value.code, caught.value.reason) == (code, reason)
        assert str(caught.value) == f"the API server answered {message}"


def test_long_messages_are_cut() -> None:
    with pytest.raises(ApiError) as caught:
        carry_out(operations.send(GET), status(422, "Invalid", "x" * 1_000_000))
    assert len(str(caught.value)) < 5000
    with pytest.raises(ApiError) as caught:
        carry_out(operations.send(GET), answered(500, b"\xff" * 1_000_000))
    assert len(str(caught.value)) < 1000


def test_nothing_found_and_nothing_known() -> None:
    missing = status(404, "NotFound", "no such")
    assert carry_out(operations.find(GET), missing)[0] is None
    with pytest.raises(ApiError, match="404 NotFound"):
        carry_out(operations.send(GET), missing)
    delete = requests.delete(PIPELINES, "train", namespace="a")
    assert carry_out(operations.find(delete), missing)[0] is None
    assert carry_out(operations.find(delete), status(200, "", ""))[0] is not None
    unknown = answered(404, b"404 page not found\n")
    first = requests.list_objects(PIPELINES)
    for operation in (operations.find(GET), operations.send(GET), operations.list_all(first)):
        with pytest.raises(ClusterError) as caught:
            carry_out(operation, unknown)  # type: ignore[arg-type]
        assert str(caught.value) == (
            "the cluster does not know pipelines of pipelines.kubeflow.org/v2beta1: its CRD is"
            " missing (`kfp-k8s crds | kubectl apply -f -` installs it)"
        )
    with pytest.raises(ClusterError, match=r"^the cluster does not know nodes of v1$"):
        carry_out(operations.send(requests.get(NODES, "n")), unknown)


@pytest.mark.parametrize(
    ("answer", "pause"),
    [
        (answered(200), None),
        (answered(429), 1.0),
        (answered(429, retry_after="7"), 7.0),
        (answered(429, retry_after="0"), 0.1),
        (answered(429, retry_after="Wed, 21 Oct 2015 07:28:00 GMT"), 1.0),
        (answered(429, retry_after="-1"), 1.0),
        (answered(503, retry_after="2"), 2.0),
        (answered(503), None),
        (answered(409, retry_after="2"), None),
    ],
)
def test_when_to_ask_again(answer: Answer, pause: float | None) -> None:
    assert pause_before_retry(answer) == pause


def page(*names: str, token: str = "", version: str = "5") -> Answer:
    items = [{"metadata": {"name": name}} for name in names]
    return answered(
        200, {"items": items, "metadata": {"continue": token, "resourceVersion": version}}
    )


def names_of(page: Page) -> list[str]:
    return [item["metadata"]["name"] for item in page.items]  # type: ignore[index,call-overload]


def test_a_list_is_read_page_by_page() -> None:
    first = requests.list_objects(PIPELINES, size=1)
    found, asked = carry_out(operations.list_all(first), page("a", token="t"), page("b"))
    assert names_of(found) == ["a", "b"]
    assert found.resource_version == "5"
    assert [request.target.partition("?")[2] for request in asked] == [
        "limit=1",
        "limit=1&continue=t",
    ]
    one, _ = carry_out(operations.list_page(first, "t"), page("a", token="u"))
    assert (names_of(one), one.token) == (["a"], "u")


def test_a_list_that_grows_too_old_is_begun_anew() -> None:
    first = requests.list_objects(PIPELINES)
    gone = status(410, "Expired", "too old")
    found, _ = carry_out(
        operations.list_all(first), page("a", token="t"), gone, page("b", token="t"), page("c")
    )
    assert names_of(found) == ["b", "c"]
    with pytest.raises(ApiError, match="410 Expired"):
        carry_out(operations.list_all(first), *[page("a", token="t"), gone] * 3)
    with pytest.raises(ApiError, match="410 Expired"):
        carry_out(operations.list_all(first), gone)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({}, "no list of objects"),
        ({"items": {}}, "no list of objects"),
        ({"items": "text"}, "no list of objects"),
        ({"items": [1]}, "a list of something else than objects"),
        ([], "no JSON object: []"),
    ],
)
def test_lists_that_make_no_sense(body: Any, what: str) -> None:
    with pytest.raises(ClusterError) as caught:
        carry_out(operations.list_all(requests.list_objects(PIPELINES)), answered(200, body))
    assert str(caught.value) == f"the API server answered GET {BASE}/pipelines with {what}"


def test_an_empty_list_may_be_null() -> None:
    found, _ = carry_out(
        operations.list_all(requests.list_objects(PIPELINES)), answered(200, {"items": None})
    )
    assert found.items == ()


def line(kind: str, name: str, version: Any) -> bytes:
    obj = {"metadata": {"name": name, "resourceVersion": version}}
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


GONE = b'{"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old"}}\n'


@pytest.mark.parametrize(
    "text", [b"x\n", b"{}\n", b"[]\n", line("OTHER", "a", "1"), line("ADDED", "a", None)]
)
def test_lines_that_are_no_events(text: bytes) -> None:
    with pytest.raises(ClusterError, match=r"^the API server answered GET .* with a line that is"):
        read_event(GET, text)


class Dialogue:
    """A watch, played by hand."""

    def __init__(self, **options: Any) -> None:
        self.watch = watch(requests.list_objects(PIPELINES), **options)
        self.step: Any = next(self.watch)

    def reply(self, value: Any = None) -> Any:
        self.step = self.watch.send(value)
        return self.step

    def fail(self, error: ClusterError) -> Any:
        self.step = self.watch.throw(error)
        return self.step

    def list(self, *names: str, version: str) -> None:
        """Answer the list, and see it told; the next step connects from its version."""
        assert isinstance(self.step, Request)
        event = self.reply(page(*names, version=version))
        assert (event.type, event.resource_version) == ("LISTED", version)
        assert [obj["metadata"]["name"] for obj in event.objects] == list(names)
        self.reply()

    def connect(self, version: str) -> None:
        assert isinstance(self.step, Connect)
        assert f"resourceVersion={version}&" in self.step.request.target
        assert isinstance(self.reply(answered(200)), ReadLine)

    def read(self, text: bytes | None) -> Any:
        """Answer the wanted line; return the event that it makes, or else the next step."""
        assert isinstance(self.step, ReadLine)
        found = self.reply(text)
        if not isinstance(found, (Request, Connect, Pause)):
            self.reply()
        return found

    def pause(self, seconds: float) -> None:
        assert self.step == Pause(seconds)
        self.reply()


@pytest.mark.parametrize(
    ("opening", "closing"), [('{"a\\"[[{":', "}"), ("[", "]"), ('[{"x":', "}]")]
)
def test_what_python_cannot_read_is_cut(opening: str, closing: str) -> None:
    deep = opening * 5000 + "1" + closing * 5000
    text = f'{{"items": [{{"metadata": {{"name": "a"}}, "spec": {deep}, "b": "}}]"}}, {{"c": [{{}}]}}]}}'
    answer = answered(200, text.encode())
    first = requests.list_objects(PIPELINES)
    with pytest.raises(ClusterError, match="with something else than JSON"):
        carry_out(operations.list_all(first), answer)
    shallow = requests.list_objects(PIPELINES, shallow=True)
    found, _ = carry_out(operations.list_all(shallow), answer)
    one, other = found.items
    assert (one["metadata"], one["b"]) == ({"name": "a"}, "}]")
    assert json.dumps(TOO_DEEP) in json.dumps(one["spec"])
    assert other == {"c": [{}]}
    # An answer that is broken besides is none.
    with pytest.raises(ClusterError, match="with something else than JSON"):
        carry_out(operations.list_all(shallow), answered(200, text.encode()[:-1]))


def test_a_page_that_fails_is_asked_for_again_alone() -> None:
    dialogue = Dialogue()
    second = dialogue.reply(page("a", token="t"))
    assert second.target.endswith("&continue=t")
    busy = answered(429, {"kind": "Status"}, Retry_After="3")
    for fail, seconds in (
        (lambda: dialogue.fail(ClusterError("away")), 1.0),
        (lambda: dialogue.reply(busy), 1.0),
        (lambda: dialogue.reply(Answer(status=429, headers={"retry-after": "3"})), 3.0),
    ):
        assert fail() == Pause(seconds)
        assert dialogue.reply() == second
    event = dialogue.reply(page("b", version="7"))
    assert [obj["metadata"]["name"] for obj in event.objects] == ["a", "b"]
    # Not for ever.
    dialogue = Dialogue(patience=2.5)
    second = dialogue.reply(page("a", token="t"))
    for _ in range(2):
        assert dialogue.fail(ClusterError("away")) == Pause(1.0)
        assert dialogue.reply() == second
    assert dialogue.fail(ClusterError("away")) == Pause(1.0)
    assert "continue" not in dialogue.reply().target
    dialogue = Dialogue(patience=0)
    dialogue.reply(page("a", token="t"))
    with pytest.raises(ClusterError, match="away"):
        dialogue.fail(ClusterError("away"))


def test_what_is_kept_of_objects() -> None:
    def keep(obj: Object) -> str:
        metadata = obj["metadata"]
        assert isinstance(metadata, dict)
        return str(metadata["name"])

    first = requests.list_objects(PIPELINES)
    found, _ = carry_out(operations.list_all(first, keep), page("a", token="t"), page("b"))
    assert found.items == ("a", "b")
    told: Any = watch(first, keep=keep)
    next(told)
    assert told.send(page("a", "b", version="5")).objects == ("a", "b")
    told.send(None)
    told.send(answered(200))
    assert told.send(line("ADDED", "c", "6")).objects == ("c",)


def test_a_watch_tells_all_and_goes_on_where_it_ended() -> None:
    dialogue = Dialogue()
    dialogue.list("a", version="5")
    dialogue.connect("5")
    for kind, version in (("ADDED", "6"), ("MODIFIED", "7"), ("DELETED", "8")):
        event = dialogue.read(line(kind, "b", version))
        assert (event.type, event.resource_version) == (kind, version)
        assert event.objects[0]["metadata"]["name"] == "b"
    event = dialogue.read(line("BOOKMARK", "", "20"))
    assert (event.type, event.objects, event.resource_version) == ("BOOKMARK", (), "20")
    # The server ends every answer after some minutes.
    dialogue.read(None)
    dialogue.connect("20")
    # Nothing came at all: so as not to ask without end, there is a pause.
    dialogue.read(None)
    dialogue.pause(1.0)
    dialogue.connect("20")


def test_a_watch_that_lost_events_tells_all_anew() -> None:
    dialogue = Dialogue()
    dialogue.list("a", version="5")
    dialogue.connect("5")
    dialogue.read(line("ADDED", "b", "6"))
    dialogue.read(GONE)
    dialogue.list("c", version="30")
    dialogue.connect("30")
    # The same as an answer of its own. Nothing was told in between, so there is a pause.
    for seconds in (1.0, 1.0):
        dialogue.read(None)
        dialogue.pause(seconds)
        assert isinstance(dialogue.step, Connect)
        dialogue.reply(status(410, "Expired", "too old"))
        dialogue.pause(2 * seconds)
        dialogue.list("d", version="40")
        dialogue.connect("40")


def test_a_watch_is_patient_and_not_for_ever() -> None:
    dialogue = Dialogue(patience=10.0)
    lost = ClusterError("cannot be reached")
    assert isinstance(dialogue.fail(lost), Pause)
    dialogue.pause(1.0)
    dialogue.reply(status(500, "InternalError", "etcd"))
    dialogue.pause(2.0)
    dialogue.list(version="5")
    dialogue.connect("5")
    # A success, and so all patience again.
    dialogue.read(b"half a li")
    dialogue.pause(1.0)
    dialogue.reply(answered(429, retry_after="4"))
    dialogue.pause(4.0)
    dialogue.reply(answered(503))
    dialogue.pause(4.0)
    with pytest.raises(ClusterError) as caught:
        dialogue.fail(lost)
    assert caught.value is lost


def test_a_watch_that_is_refused_ends() -> None:
    dialogue = Dialogue()
    with pytest.raises(ApiError, match="403 Forbidden"):
        dialogue.reply(status(403, "Forbidden", "no"))
    dialogue = Dialogue()
    with pytest.raises(ClusterError, match="its CRD is missing"):
        dialogue.reply(answered(404, b"404 page not found\n"))
