"""The server of the REST API, for the command that runs it. Needs the extra `apiserver`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from kfp_k8s_manifest.cluster import ClusterConfig
from kfp_k8s_manifest.cluster.async_client import AsyncClient
from kfp_k8s_manifest.rest.app import Build, make_app
from kfp_k8s_manifest.rest.archives import MAX_SIZE
from kfp_k8s_manifest.rest.authorization import Authorizer, MultiUser, Open
from kfp_k8s_manifest.rest.fetch import Fetcher
from kfp_k8s_manifest.rest.metrics import PREFIX, Metrics
from kfp_k8s_manifest.rest.service import Service
from kfp_k8s_manifest.rest.urls import FetchPolicy
from kfp_k8s_manifest.serving.bodies import Bodies, BodyLimits
from kfp_k8s_manifest.serving.metrics import ServerMetrics
from kfp_k8s_manifest.serving.server import Server, ServerOptions

if TYPE_CHECKING:
    from kfp_k8s_manifest.rest.stores import Store

__all__ = ["LIVE", "RestOptions", "StoreOptions", "UserOptions", "rest_server"]

LIVE = "/livez"
"""Where a probe asks whether the server answers at all; KFP's API has nothing at /healthz."""

# A form is a little larger than the package in it.
_BODY_LIMIT = MAX_SIZE + 2**20

# Bytes a second: packages come over slow lines, too.
_SLOWEST = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """Where pipelines are.

    Attributes:
        kind: `database`, `kubernetes` or `files`.
        database_url: The database's URL.
        folder: The folder of manifests.
        namespace: The server's own namespace.
    """

    kind: str
    database_url: str
    folder: str
    namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserOptions:
    """How callers are told apart; with `enabled` False they are not, and the rest is not looked at.

    Attributes:
        enabled: Whether they are.
        identity_header: The header field that names the caller.
        identity_prefix: What its value begins with.
        audience: The audience of bearer tokens.
        authorize: `kep` or `pipelines`.
        shared_read: Whether everybody reads everything.
        require_namespace: Whether calls must name a namespace.
    """

    enabled: bool = False
    identity_header: str = ""
    identity_prefix: str = ""
    audience: str = ""
    authorize: Literal["kep", "pipelines"] = "kep"
    shared_read: bool = False
    require_namespace: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RestOptions:
    """All that makes a server of the REST API.

    Attributes:
        store: Where pipelines are.
        users: How callers are told apart.
        fetching: What may be fetched from URLs.
        server: How it listens.
        read_timeout: Seconds for a body to arrive, besides those that its size allows it.
    """

    store: StoreOptions
    users: UserOptions = field(default_factory=UserOptions)
    fetching: FetchPolicy = field(default_factory=FetchPolicy)
    server: ServerOptions
    read_timeout: float = 10.0


def rest_server(options: RestOptions, config: ClusterConfig | None) -> Server:
    """Make the server. It opens its store when it starts, and closes it when it stops.

    Args:
        options: What it does.
        config: The cluster, where the store or the authorisation needs one.

    Raises:
        KfpK8sError: The store cannot be used, as far as can be told already.
    """
    store = _store(options.store, config, multi_user=options.users.enabled)
    service = Service(
        store,
        _authorizer(options, config),
        Fetcher(options.fetching),
        multi_user=options.users.enabled,
        require_namespace=options.users.require_namespace,
    )
    metrics = ServerMetrics(PREFIX)
    app = make_app(
        service,
        Metrics(metrics.registry, store.kind),
        Bodies(
            BodyLimits(
                most=_BODY_LIMIT,
                large_budget=3 * _BODY_LIMIT,
                arrival=options.read_timeout,
                slowest=_SLOWEST,
            )
        ),
        identity_header=options.users.identity_header,
        # KFP's own variables.
        build=Build(
            commit=os.environ.get("COMMIT_SHA") or "unknown",
            tag=os.environ.get("TAG_NAME") or "unknown",
        ),
    )
    return Server(app, options.server, metrics, live=LIVE, check=store.ready)


def _store(options: StoreOptions, config: ClusterConfig | None, *, multi_user: bool) -> Store:
    if options.kind == "database":
        from kfp_k8s_manifest.rest.stores.database import DatabaseStore

        return DatabaseStore(options.database_url)
    if options.kind == "files":
        from kfp_k8s_manifest.rest.stores.files import FilesStore

        return FilesStore(options.folder, namespace=options.namespace)
    assert config is not None
    from kfp_k8s_manifest.rest.stores.kubernetes import KubernetesStore

    client = AsyncClient(config)
    return KubernetesStore(client, namespace=options.namespace, all_namespaces=multi_user)


def _authorizer(options: RestOptions, config: ClusterConfig | None) -> Authorizer:
    users = options.users
    if not users.enabled:
        return Open()
    assert config is not None
    return MultiUser(
        client=AsyncClient(config),
        prefix=users.identity_prefix,
        audience=users.audience,
        pod_namespace=options.store.namespace,
        shared_read=users.shared_read,
        # Of the other stores' versions the cluster knows nothing.
        authorize=users.authorize if options.store.kind == "kubernetes" else "pipelines",
    )
