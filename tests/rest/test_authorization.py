"""Who calls and what they may do, with a stand-in for the cluster: what a real one does is in tests/e2e."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from kfp_k8s_manifest.cluster import ClusterConfig
from kfp_k8s_manifest.cluster.async_client import AsyncClient
from kfp_k8s_manifest.cluster.operations import Operation
from kfp_k8s_manifest.rest.authorization import ANONYMOUS, Caller, MultiUser, Open
from kfp_k8s_manifest.rest.errors import Code, RestError
from tests.cluster.fake_api import Asked, FakeApi, fake_api

from .serving import serving

ACCESS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"
NO_IDENTITY = "Failed to check authorization. User identity is empty in the request header"
ALICE = Caller(identity=("alice@example.com",))


def everything_allowed(asked: Asked) -> tuple[int, Any]:
    return 201, {"status": {"allowed": True}}


def check(
    answer: Callable[[Asked], Any], caller: Caller, call: dict[str, str], **options: Any
) -> FakeApi:
    """Have one call checked against a cluster that answers so; return what it was asked."""

    async def run(url: str) -> None:
        authorizer = MultiUser(client=AsyncClient(ClusterConfig(server=url)), **options)
        try:
            await authorizer.check(caller, **{"verb": "get", "namespace": "team-a", **call})
        finally:
            await authorizer.close()

    with fake_api(answer) as api:
        asyncio.run(run(api.url))
    return api


def refused(*args: Any, **options: Any) -> RestError:
    with pytest.raises(RestError) as caught:
        check(*args, **options)
    return caught.value


def attributes(api: FakeApi) -> list[dict[str, str]]:
    return [each.body["spec"]["resourceAttributes"] for each in api.asked]


def test_single_user_mode_lets_everybody_do_everything() -> None:
    asyncio.run(Open().check(ANONYMOUS, verb="delete", namespace="team-a", name="train"))


def test_the_cluster_is_asked_as_kfp_asks_it() -> None:
    api = check(everything_allowed, ALICE, {"verb": "update", "name": "train"})
    (asked,) = api.asked
    assert asked.path == ACCESS
    assert asked.body == {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": "alice@example.com",
            "resourceAttributes": {
                "namespace": "team-a",
                "verb": "update",
                "group": "pipelines.kubeflow.org",
                "version": "v1beta1",
                "resource": "pipelines",
                "name": "train",
            },
        },
    }


def test_a_refusal_says_what_was_asked_and_why_not() -> None:
    def no(asked: Asked) -> tuple[int, Any]:
        return 201, {"status": {"allowed": False, "reason": "nobody may"}}

    error = refused(no, ALICE, {"verb": "list"})
    assert error.code is Code.PERMISSION_DENIED
    assert error.text == (
        "User 'alice@example.com' is not authorized with reason: nobody may (request:"
        " &ResourceAttributes{Namespace:team-a,Verb:list,Group:pipelines.kubeflow.org,"
        "Version:v1beta1,Resource:pipelines,Subresource:,Name:,FieldSelector:nil,LabelSelector:nil,})"
    )


@pytest.mark.parametrize(
    "status",
    [
        {},
        None,
        {"allowed": "true"},
        {"allowed": 1},
        {"allowed": True, "denied": True},
        [],
    ],
)
def test_whatever_is_no_clear_yes_is_a_no(status: Any) -> None:
    error = refused(lambda asked: (201, {"status": status}), ALICE, {})
    assert error.code is Code.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("caller", "prefix"),
    [
        (ANONYMOUS, ""),
        (Caller(identity=("",)), ""),
        (Caller(identity=("alice@example.com", "bob@example.com")), ""),
        (Caller(identity=("alice@example.com", "alice@example.com")), ""),
        (Caller(identity=("alice@example.com",)), "accounts.google.com:"),
        (Caller(identity=("accounts.google.com:",)), "accounts.google.com:"),
        (Caller(identity=("al\udce9ce",)), ""),
        (Caller(authorization=("Basic YTpi",)), ""),
        (Caller(authorization=("Bearer ",)), ""),
        (Caller(authorization=("bearer token",)), ""),
        (Caller(authorization=("Bearer one", "Bearer two")), ""),
    ],
)
def test_who_does_not_say_who_they_are_is_nobody(caller: Caller, prefix: str) -> None:
    def never(asked: Asked) -> tuple[int, Any]:
        raise AssertionError(asked)

    error = refused(never, caller, {}, prefix=prefix)
    assert (error.code, error.text) == (Code.UNAUTHENTICATED, NO_IDENTITY)


def test_the_prefix_of_the_header_is_cut_off() -> None:
    caller = Caller(identity=("accounts.google.com:alice@example.com",))
    api = check(everything_allowed, caller, {}, prefix="accounts.google.com:")
    assert api.asked[0].body["spec"]["user"] == "alice@example.com"


def reviewed(status: dict[str, Any]) -> Callable[[Asked], tuple[int, Any]]:
    """Answer a token's review with a status, and everything else with yes."""

    def answer(asked: Asked) -> tuple[int, Any]:
        return (201, {"status": status}) if asked.path == TOKENS else everything_allowed(asked)

    return answer


OWNED = {
    "authenticated": True,
    "audiences": ["pipelines.kubeflow.org"],
    "user": {"username": "system:serviceaccount:team-a:robot", "groups": ["ignored"]},
}


@pytest.mark.parametrize("identity", [(), ("",), ("one", "two")])
def test_a_token_names_its_owner_where_no_header_names_anybody(identity: tuple[str, ...]) -> None:
    caller = Caller(identity=identity, authorization=("Bearer secret",))
    api = check(reviewed(OWNED), caller, {})
    token, access = api.asked
    assert token.body["spec"] == {"token": "secret", "audiences": ["pipelines.kubeflow.org"]}
    assert access.body["spec"]["user"] == "system:serviceaccount:team-a:robot"
    assert set(access.body["spec"]) == {"user", "resourceAttributes"}


def test_where_a_header_names_the_caller_no_token_is_looked_at() -> None:
    caller = Caller(identity=("alice@example.com",), authorization=("Bearer secret",))
    assert [each.path for each in check(everything_allowed, caller, {}).asked] == [ACCESS]


@pytest.mark.parametrize(
    "change",
    [
        {"authenticated": False, "error": "invalid bearer token"},
        {"authenticated": "true"},
        {"audiences": ["https://kubernetes.default.svc"]},
        {"audiences": None},
        {"audiences": "pipelines.kubeflow.org"},
        {"user": {}},
        {"user": {"username": ""}},
        {"user": {"username": 7}},
        {"user": None},
    ],
)
def test_a_token_of_nobody_or_for_another_service_names_nobody(change: dict[str, Any]) -> None:
    caller = Caller(authorization=("Bearer secret",))
    error = refused(reviewed({**OWNED, **change}), caller, {})
    assert (error.code, error.text) == (Code.UNAUTHENTICATED, NO_IDENTITY)


@pytest.mark.parametrize("namespace", ["", "-"])
def test_everybody_reads_what_is_shared_and_few_change_it(namespace: str) -> None:
    for verb in ("get", "list"):
        call = {"verb": verb, "namespace": namespace}
        assert check(everything_allowed, ANONYMOUS, call).asked == []
    for verb in ("create", "update", "delete"):
        call = {"verb": verb, "namespace": namespace}
        assert refused(everything_allowed, ANONYMOUS, call).code is Code.UNAUTHENTICATED
        api = check(everything_allowed, ALICE, call, pod_namespace="own")
        assert [each["namespace"] for each in attributes(api)] == ["own"]


def test_shared_read_opens_all_reading_and_no_writing() -> None:
    for verb in ("get", "list"):
        assert check(everything_allowed, ANONYMOUS, {"verb": verb}, shared_read=True).asked == []
    for verb in ("create", "update", "delete"):
        error = refused(everything_allowed, ANONYMOUS, {"verb": verb}, shared_read=True)
        assert error.code is Code.UNAUTHENTICATED


def test_the_kep_asks_for_versions_besides() -> None:
    call = {"resource": "pipelineversions", "name": "train"}
    asked = attributes(check(everything_allowed, ALICE, call, authorize="kep"))
    assert [(each["resource"], each["version"], each["name"]) for each in asked] == [
        ("pipelines", "v1beta1", "train"),
        ("pipelineversions", "v2beta1", ""),
    ]
    assert len(attributes(check(everything_allowed, ALICE, {}, authorize="kep"))) == 1
    assert len(attributes(check(everything_allowed, ALICE, call))) == 1


def test_the_second_question_can_be_answered_with_no() -> None:
    def pipelines_alone(asked: Asked) -> tuple[int, Any]:
        resource = asked.body["spec"]["resourceAttributes"]["resource"]
        return 201, {"status": {"allowed": resource == "pipelines"}}

    call = {"verb": "delete", "resource": "pipelineversions", "name": "train"}
    error = refused(pipelines_alone, ALICE, call, authorize="kep")
    assert error.code is Code.PERMISSION_DENIED
    assert "Version:v2beta1,Resource:pipelineversions,Subresource:,Name:," in error.text


def test_a_cluster_that_does_not_answer_in_time_is_no_yes() -> None:
    done = threading.Event()

    def late(asked: Asked) -> tuple[int, Any]:
        done.wait(30)
        return everything_allowed(asked)

    async def run(url: str) -> RestError:
        authorizer = MultiUser(client=AsyncClient(ClusterConfig(server=url)), timeout=0.2)
        with pytest.raises(RestError) as caught:
            await authorizer.check(ALICE, verb="get", namespace="team-a")
        await authorizer.close()
        done.set()
        return caught.value

    with fake_api(late) as api:
        error = asyncio.run(run(api.url))
    assert (error.code, error.text) == (Code.UNAVAILABLE, "Service unavailable")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, Code.INTERNAL),
        (404, Code.INTERNAL),
        (500, Code.INTERNAL),
        (504, Code.UNAVAILABLE),
    ],
)
@pytest.mark.parametrize("caller", [ALICE, Caller(authorization=("Bearer secret",))])
def test_a_cluster_that_refuses_to_tell_is_no_yes(
    status: int, code: Code, caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    error = refused(lambda asked: (status, {"reason": "No", "message": "why"}), caller, {})
    assert error.code is code
    # The caller is not told what the cluster says of this server's own account; its log is.
    assert "why" not in error.text
    assert "why" in caplog.text
    assert "secret" not in caplog.text


def test_a_cluster_that_has_too_much_to_do_is_asked_again() -> None:
    answers = iter([(429, {}), (201, {"status": {"allowed": True}})])
    api = check(lambda asked: next(answers), ALICE, {})
    assert len(api.asked) == 2


def test_a_cluster_that_cannot_be_reached_is_no_yes() -> None:
    async def run() -> RestError:
        authorizer = MultiUser(client=AsyncClient(ClusterConfig(server="http://127.0.0.1:1")))
        with pytest.raises(RestError) as caught:
            await authorizer.check(ALICE, verb="get", namespace="team-a")
        await authorizer.close()
        return caught.value

    assert asyncio.run(run()).code is Code.UNAVAILABLE


def test_a_caller_is_not_shown_with_its_token() -> None:
    caller = Caller(identity=("alice",), authorization=("Bearer secret",))
    assert repr(caller) == "Caller(identity=('alice',), …)"


class Answering(AsyncClient):
    """A client that answers when it is told to."""

    def __init__(self) -> None:
        super().__init__(ClusterConfig(server="http://127.0.0.1:1"))
        self.asked = asyncio.Event()
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def run(self, operation: Operation[Any], *, patience: float = 30.0) -> Any:
        self.asked.set()
        return await self.answer


def test_a_call_is_cancelled_also_in_the_moment_of_the_answer() -> None:
    """Who waits for the end of a cancelled task would wait for ever."""

    async def run() -> None:
        client = Answering()
        call = MultiUser(client=client).check(ALICE, verb="get", namespace="team-a")
        task = asyncio.create_task(call)
        await client.asked.wait()
        client.answer.set_result({"status": {"allowed": True}})
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


class Closing(AsyncClient):
    """A client that tells how often it was closed."""

    closed = 0

    async def close(self) -> None:
        self.closed += 1
        await super().close()


def test_a_server_that_ends_closes_its_connections_to_the_cluster() -> None:
    with fake_api(everything_allowed) as api:
        client = Closing(ClusterConfig(server=api.url))
        users = {"authorizer": MultiUser(client=client), "multi_user": True}
        with serving(service=users, identity_header="user") as server:
            answer = server.request("GET", "~/pipelines?namespace=n", headers={"user": "alice"})
            assert answer.status == 200
            assert (len(api.asked), client.closed) == (1, 0)
        assert client.closed == 1
