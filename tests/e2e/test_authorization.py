"""Who may call the REST API, decided by a real cluster with RBAC."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from kfp_k8s_manifest.cluster import load_config
from kfp_k8s_manifest.cluster.async_client import AsyncClient
from kfp_k8s_manifest.rest.authorization import Caller, MultiUser
from kfp_k8s_manifest.rest.errors import Code, RestError

from .granting import grant, let_ask
from .installations import Installation

AUDIENCE = "pipelines.kubeflow.org"
ACCOUNT = "rest-server"
ALICE = Caller(identity=("alice@example.com",))

Check = Callable[..., "RestError | None"]


@pytest.fixture(scope="module")
def namespace(installation: Installation) -> str:
    """A namespace in which alice may read, and the server's account may ask the cluster."""
    let_ask(installation.plane, ACCOUNT)
    name = installation.plane.create_namespace("authorization")
    grant(installation.plane, "alice@example.com", name, ["get", "list"])
    return name


@pytest.fixture
def check(installation: Installation, namespace: str) -> Check:
    """Check a call, and return why it is refused."""
    config = load_config(str(installation.plane.user_kubeconfig(ACCOUNT)))

    def run(caller: Caller, call: dict[str, Any], **options: Any) -> RestError | None:
        async def ask() -> RestError | None:
            authorizer = MultiUser(client=AsyncClient(config), **options)
            try:
                await authorizer.check(caller, **{"namespace": namespace, **call})
            except RestError as error:
                return error
            finally:
                await authorizer.close()
            return None

        return asyncio.run(ask())

    return run


def test_rbac_decides(check: Check, namespace: str) -> None:
    assert check(ALICE, {"verb": "get", "name": "train"}) is None
    assert check(ALICE, {"verb": "list"}) is None
    for verb in ("create", "update", "delete"):
        error = check(ALICE, {"verb": verb, "name": "train"})
        assert error is not None
        assert error.code is Code.PERMISSION_DENIED
        assert error.text == (
            "User 'alice@example.com' is not authorized with reason:  (request:"
            f" &ResourceAttributes{{Namespace:{namespace},Verb:{verb},"
            "Group:pipelines.kubeflow.org,Version:v1beta1,Resource:pipelines,Subresource:,"
            "Name:train,FieldSelector:nil,LabelSelector:nil,})"
        )


def test_nobody_else_may_do_it_nor_may_alice_elsewhere(check: Check) -> None:
    for caller, place in (
        (Caller(identity=("Alice@example.com",)), {}),
        (Caller(identity=("bob@example.com",)), {}),
        (Caller(identity=("system:serviceaccount:default:default",)), {}),
        (ALICE, {"namespace": "kube-system"}),
        (ALICE, {"namespace": "no-such-namespace"}),
        (ALICE, {"namespace": "*"}),
    ):
        error = check(caller, {"verb": "list", **place})
        assert error is not None, (caller, place)
        assert error.code is Code.PERMISSION_DENIED


def test_the_kep_asks_for_versions_besides(
    check: Check, installation: Installation, namespace: str
) -> None:
    call = {"verb": "list", "resource": "pipelineversions"}
    assert check(ALICE, call) is None
    error = check(ALICE, call, authorize="kep")
    assert error is not None
    assert error.text == (
        "User 'alice@example.com' is not authorized with reason:  (request:"
        f" &ResourceAttributes{{Namespace:{namespace},Verb:list,Group:pipelines.kubeflow.org,"
        "Version:v2beta1,Resource:pipelineversions,Subresource:,Name:,FieldSelector:nil,"
        "LabelSelector:nil,})"
    )
    both = ("pipelines", "pipelineversions")
    grant(installation.plane, "carol@example.com", namespace, ["list"], both)
    carol = Caller(identity=("carol@example.com",))
    assert check(carol, call, authorize="kep") is None


def test_a_service_account_calls_with_a_token_made_for_the_api(
    check: Check, installation: Installation, namespace: str
) -> None:
    kubectl = installation.plane.kubectl
    kubectl("create", "serviceaccount", "robot", "-n", namespace)
    grant(installation.plane, f"system:serviceaccount:{namespace}:robot", namespace, ["get"])

    def token(*options: str) -> Caller:
        made = kubectl("create", "token", "robot", "-n", namespace, *options).stdout.strip()
        return Caller(authorization=(f"Bearer {made}",))

    robot = token("--audience", AUDIENCE)
    assert check(robot, {"verb": "get"}) is None
    denied = check(robot, {"verb": "delete"})
    assert denied is not None
    assert denied.text.startswith(f"User 'system:serviceaccount:{namespace}:robot' is not")
    changed = Caller(authorization=(robot.authorization[0][:-4] + "AAAA",))
    for_another = token("--audience", "another-service")
    for_the_cluster = token()
    for caller in (for_another, for_the_cluster, changed, Caller(authorization=("Bearer x",))):
        error = check(caller, {"verb": "get"})
        assert error is not None
        assert error.code is Code.UNAUTHENTICATED
    assert check(for_another, {"verb": "get"}, audience="another-service") is None


def test_a_server_that_may_not_ask_lets_nobody_in(installation: Installation) -> None:
    async def ask() -> RestError:
        config = load_config(str(installation.plane.user_kubeconfig("nobody-at-all")))
        authorizer = MultiUser(client=AsyncClient(config))
        with pytest.raises(RestError) as caught:
            await authorizer.check(ALICE, verb="get", namespace="default")
        await authorizer.close()
        return caught.value

    assert asyncio.run(ask()).code is Code.INTERNAL
