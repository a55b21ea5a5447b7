"""Who calls, and what they may do: asked of the cluster for every call in multi-user mode.

As KFP does it: the caller is named by a header that the proxy before this server sets, or by a bearer
token that the cluster reviews; then the cluster is asked whether this user, without groups, may do
what the call does to `pipelines`. The KEP asks besides for `pipelineversions` where a call is about
versions and the store is the cluster itself; KFP 2.17 does not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from kfp_k8s_manifest.cluster import ApiError
from kfp_k8s_manifest.cluster.async_client import AsyncClient
from kfp_k8s_manifest.cluster.operations import send_raw
from kfp_k8s_manifest.cluster.requests import create
from kfp_k8s_manifest.cluster.resource_types import ResourceType
from kfp_k8s_manifest.errors import ClusterError
from kfp_k8s_manifest.model.ir import JsonValue
from kfp_k8s_manifest.model.kinds import GROUP, VERSION
from kfp_k8s_manifest.rest.errors import Code, RestError
from kfp_k8s_manifest.rest.texts import is_utf8
from kfp_k8s_manifest.serving.timeouts import timeout

__all__ = ["ANONYMOUS", "Authorizer", "Caller", "MultiUser", "Open", "Resource", "Verb"]

Verb = Literal["create", "delete", "get", "list", "update"]
"""What a call does, as RBAC names it."""

Resource = Literal["pipelines", "pipelineversions"]
"""What a call is about."""

_log: Final = logging.getLogger(__name__)

_ACCESS_REVIEWS: Final = ResourceType(
    group="authorization.k8s.io",
    version="v1",
    plural="subjectaccessreviews",
    kind="SubjectAccessReview",
    namespaced=False,
)
_TOKEN_REVIEWS: Final = ResourceType(
    group="authentication.k8s.io",
    version="v1",
    plural="tokenreviews",
    kind="TokenReview",
    namespaced=False,
)
# The version that KFP names when it asks, whatever version its API is of.
_ASKED_VERSION: Final = "v1beta1"
_BEARER: Final = "Bearer "
# The namespaces that stand for "shared by all".
_SHARED: Final = frozenset({"", "-"})
_READS: Final = frozenset({"get", "list"})
_SERVER_TOO_SLOW: Final = 504
_NO_IDENTITY: Final = "Failed to check authorization. User identity is empty in the request header"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Caller:
    """What a request says of who sends it. Its `repr` tells no tokens.

    Attributes:
        identity: The values of the identity header, one for each time that it is sent.
        authorization: The values of `Authorization`, likewise.
    """

    identity: tuple[str, ...] = ()
    authorization: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Caller(identity={self.identity!r}, …)"


ANONYMOUS: Final = Caller()


class Authorizer(Protocol):
    """Decides whether a caller may do something."""

    async def check(
        self,
        caller: Caller,
        *,
        verb: Verb,
        namespace: str,
        name: str = "",
        resource: Resource = "pipelines",
    ) -> None:
        """Let a call pass, or refuse it.

        Args:
            caller: Who calls.
            verb: What the call does.
            namespace: Where; "" and `-` stand for what is shared by all namespaces: everybody reads
                it, and who changes it must be allowed to in the server's own namespace.
            name: What KFP asks about: the pipeline's name, that of a version which is created, or ""
                for a list.
            resource: What the call is about. Of versions it is asked whether the caller may do this to
                any: what their objects are called is not known of all.

        Raises:
            RestError: 401 for a caller who is unknown, 403 for one who must not, 503 where the cluster
                does not answer, 500 where it refuses to tell.
        """

    async def close(self) -> None:
        """End what is open to decide it."""


class Open:
    """Lets everybody do everything: single-user mode."""

    async def check(
        self,
        caller: Caller,
        *,
        verb: Verb,
        namespace: str,
        name: str = "",
        resource: Resource = "pipelines",
    ) -> None:
        """Let the call pass."""

    async def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiUser:
    """Asks the cluster for every call.

    Attributes:
        client: The connection to the cluster, which is closed with this; its account may create
            `tokenreviews` and `subjectaccessreviews`.
        prefix: What the identity header's value must begin with; it is cut off.
        audience: The audience that a bearer token must be made for.
        pod_namespace: The namespace that counts for changes of what is shared.
        shared_read: True to let everybody read everything.
        authorize: `pipelines` to ask as KFP 2.17 does, `kep` to ask besides for `pipelineversions`
            where a call is about versions.
        timeout: The seconds that one question to the cluster may take.
    """

    client: AsyncClient
    prefix: str = ""
    audience: str = "pipelines.kubeflow.org"
    pod_namespace: str = "kubeflow"
    shared_read: bool = False
    authorize: Literal["pipelines", "kep"] = "pipelines"
    timeout: float = 10.0

    async def check(
        self,
        caller: Caller,
        *,
        verb: Verb,
        namespace: str,
        name: str = "",
        resource: Resource = "pipelines",
    ) -> None:
        """Let the call pass, or refuse it: see `Authorizer.check`."""
        if verb in _READS and (self.shared_read or namespace in _SHARED):
            return
        if namespace in _SHARED:
            namespace = self.pod_namespace
        user = await self._identify(caller)
        asked = _attributes("pipelines", _ASKED_VERSION, verb, namespace, name)
        await self._review(user, asked)
        if resource == "pipelineversions" and self.authorize == "kep":
            await self._review(user, _attributes(resource, VERSION, verb, namespace, ""))

    async def close(self) -> None:
        """Close the connection to the cluster."""
        await self.client.close()

    async def _identify(self, caller: Caller) -> str:
        """Return the caller's name: what the header says, else what the cluster says of the token."""
        user = self._named(caller.identity) or await self._reviewed(caller.authorization)
        if not user:
            raise RestError(Code.UNAUTHENTICATED, _NO_IDENTITY)
        return user

    def _named(self, values: tuple[str, ...]) -> str:
        """Return the name in the identity header, or "" where there is none that counts."""
        # Of two values one may come from the caller and one from the proxy, so neither counts.
        if len(values) != 1 or not values[0].startswith(self.prefix):
            return ""
        return _text(values[0][len(self.prefix) :])

    async def _reviewed(self, values: tuple[str, ...]) -> str:
        """Return the name of a bearer token's owner, or "" where the cluster knows none."""
        if len(values) != 1 or not values[0].startswith(_BEARER):
            return ""
        token = _text(values[0][len(_BEARER) :])
        if not token:
            return ""
        status = await self._ask(_TOKEN_REVIEWS, {"token": token, "audiences": [self.audience]})
        audiences, user = status.get("audiences"), status.get("user")
        # A cluster that knows nothing of audiences answers none, and then the token may be for another.
        if not isinstance(audiences, list) or self.audience not in audiences:
            return ""
        if status.get("authenticated") is not True or not isinstance(user, Mapping):
            return ""
        return _text(user.get("username"))

    async def _review(self, user: str, attributes: Mapping[str, str]) -> None:
        """Refuse what the cluster does not allow a user."""
        status = await self._ask(
            _ACCESS_REVIEWS, {"user": user, "resourceAttributes": dict(attributes)}
        )
        if status.get("allowed") is not True or status.get("denied") is True:
            raise RestError(
                Code.PERMISSION_DENIED,
                f"User '{user}' is not authorized with reason: {status.get('reason') or ''}"
                f" (request: {_in_go(attributes)})",
            )

    async def _ask(self, reviews: ResourceType, spec: Mapping[str, JsonValue]) -> Mapping[str, Any]:
        """Have the cluster review something; return the status that it answers."""
        request = create(
            reviews, {"apiVersion": reviews.api_version, "kind": reviews.kind, "spec": dict(spec)}
        )
        try:
            async with timeout(self.timeout):
                answer = await self.client.run(send_raw(request), patience=self.timeout)
        except asyncio.TimeoutError as error:
            _log.warning("the cluster has not answered %s in %s s", request, self.timeout)
            raise RestError(Code.UNAVAILABLE, "Service unavailable") from error
        except ClusterError as error:
            _log.warning("the cluster does not tell what a caller may do: %s", error)
            if isinstance(error, ApiError) and not _passes(error):
                raise RestError(Code.INTERNAL, "Internal Server Error") from error
            raise RestError(Code.UNAVAILABLE, "Service unavailable") from error
        status = answer.get("status")
        return status if isinstance(status, Mapping) else {}


def _passes(error: ApiError) -> bool:
    """Tell whether the same question may be answered later."""
    return error.code == _SERVER_TOO_SLOW or error.retry_after is not None


def _attributes(
    resource: str, version: str, verb: str, namespace: str, name: str
) -> dict[str, str]:
    return {
        "namespace": namespace,
        "verb": verb,
        "group": GROUP,
        "version": version,
        "resource": resource,
        "name": name,
    }


def _in_go(attributes: Mapping[str, str]) -> str:
    """Return attributes as Go prints them, which is what KFP answers."""
    stated = {key.title(): value for key, value in attributes.items()}
    name = stated.pop("Name")
    fields = "".join(f"{key}:{value}," for key, value in stated.items())
    rest = "FieldSelector:nil,LabelSelector:nil,"
    return f"&ResourceAttributes{{{fields}Subresource:,Name:{name},{rest}}}"


def _text(value: object) -> str:
    """Return a text, or "" for something else, and for one that is no Unicode."""
    return value if isinstance(value, str) and is_utf8(value) else ""
