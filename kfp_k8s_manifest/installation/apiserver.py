"""The Kubernetes objects that install the REST API: from options to documents, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kfp_k8s_manifest.installation.parts import (
    DRAIN,
    GRACE,
    Installation,
    Object,
    addresses,
    probes,
)
from kfp_k8s_manifest.installation.webhooks import WebhookOptions, webhook_configurations
from kfp_k8s_manifest.model.kinds import GROUP, PIPELINE, PIPELINE_VERSION, PLURALS

__all__ = ["ApiServerOptions", "apiserver_manifests"]

_APP: Final = "kfp-k8s-apiserver"
_PORT: Final = 8888
_WEBHOOK_PORT: Final = 8443
# Mebibytes: the cache of ten thousand versions, uploads under way, and the webhooks' budgets.
_MEMORY: Final = 1024
_NAMESPACE_NAME: Final = "kubernetes.io/metadata.name"
_DATABASE_URL: Final = "KFP_K8S_DATABASE_URL"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServerOptions:
    """One installation of the REST API.

    Attributes:
        name: The name of all its objects, a DNS-1123 label.
        namespace: The namespace that the server runs in; the one it serves, but for multi-user mode.
        image: The server's container image.
        store: `kubernetes` or `database`.
        target: The target whose rules the webhooks apply.
        replicas: How many servers run.
        multi_user: Whether callers are told apart, and all namespaces are served.
        user_arguments: Further arguments of the server in multi-user mode: how it tells callers apart.
        database_secret: The Secret whose key `url` holds the database's URL.
        tls: Whether REST is served over HTTPS.
        webhooks: Whether the servers are the webhooks of the cluster as well (store `kubernetes`).
        cert_manager: True where cert-manager makes the certificate; else it is expected in the
            Secret `{name}-tls`.
        ca_bundle: The authorities of the server's certificate, PEM, or "" for cert-manager's.
        client_namespaces: The namespaces whose pods may call, besides the server's own; None for all.
        api_server_cidrs: The addresses of the cluster's API servers, which call the webhooks; empty where
            they are not known.
    """

    name: str
    namespace: str
    image: str
    store: str
    target: str
    replicas: int = 2
    multi_user: bool = False
    user_arguments: tuple[str, ...] = ()
    database_secret: str = ""
    tls: bool = True
    webhooks: bool = False
    cert_manager: bool = False
    ca_bundle: str = ""
    client_namespaces: tuple[str, ...] | None = ()
    api_server_cidrs: tuple[str, ...] = ()

    @property
    def has_certificate(self) -> bool:
        """True where the server needs a certificate, for REST or for the webhooks."""
        return self.tls or self.webhooks


def apiserver_manifests(options: ApiServerOptions) -> list[Object]:
    """Return all objects of an installation, in the order in which they are applied.

    The webhook configurations come last: from that moment on the API server asks the server.
    """
    installation = Installation(name=options.name, namespace=options.namespace, app=_APP)
    certificates = options.cert_manager and options.has_certificate
    ports = {"http": _PORT, **({"webhook": _WEBHOOK_PORT} if options.webhooks else {})}
    return [
        installation.account(),
        *_access(options, installation),
        installation.service(ports),
        *(installation.certificates() if certificates else ()),
        installation.deployment(
            _container(options, ports), replicas=options.replicas, tls=options.has_certificate
        ),
        installation.disruption_budget(),
        _network_policy(options, installation),
        *(_webhooks(options, installation) if options.webhooks else ()),
    ]


def _access(options: ApiServerOptions, installation: Installation) -> list[Object]:
    """Return the permissions: those of the store, where its objects are, and those of the checks."""
    documents: list[Object] = []
    if options.store == "kubernetes":
        namespaces = None if options.multi_user else (options.namespace,)
        documents += installation.access(_store_rules(), namespaces)
    if options.multi_user:
        reviews: list[Object] = [
            {
                "apiGroups": ["authentication.k8s.io"],
                "resources": ["tokenreviews"],
                "verbs": ["create"],
            },
            {
                "apiGroups": ["authorization.k8s.io"],
                "resources": ["subjectaccessreviews"],
                "verbs": ["create"],
            },
        ]
        documents += installation.access(reviews, None, suffix="-reviews")
    return documents


def _store_rules() -> list[Object]:
    pipelines, versions = PLURALS[PIPELINE], PLURALS[PIPELINE_VERSION]
    return [
        {
            "apiGroups": [GROUP],
            "resources": [pipelines, versions],
            "verbs": ["get", "list", "watch", "create", "update", "delete"],
        },
        {"apiGroups": [GROUP], "resources": [f"{versions}/status"], "verbs": ["patch"]},
        # An owner reference that blocks its owner's deletion asks for this, where the API server
        # enforces permissions of owner references.
        {"apiGroups": [GROUP], "resources": [f"{pipelines}/finalizers"], "verbs": ["update"]},
    ]


def _container(options: ApiServerOptions, ports: dict[str, int]) -> Object:
    arguments = [
        "apiserver",
        f"--pipelines-store={options.store}",
        "--host=",
        f"--port={_PORT}",
        f"--drain={DRAIN}",
        f"--grace={GRACE}",
    ]
    env: list[Object] = []
    if options.tls:
        arguments += ["--tls-cert=/tls/tls.crt", "--tls-key=/tls/tls.key"]
    else:
        arguments.append("--insecure-http")
    if options.store == "kubernetes":
        arguments.append(f"--namespace={options.namespace}")
        if options.webhooks:
            arguments += [
                f"--target={options.target}",
                f"--webhook-port={_WEBHOOK_PORT}",
                "--webhook-tls-cert=/tls/tls.crt",
                "--webhook-tls-key=/tls/tls.key",
            ]
        else:
            arguments.append("--disable-webhook")
    else:
        # Not an argument: the arguments of a pod may be read by many who may not read its Secrets.
        reference = {"name": options.database_secret, "key": "url"}
        env.append({"name": _DATABASE_URL, "valueFrom": {"secretKeyRef": reference}})
    if options.multi_user:
        arguments += ["--multi-user", *options.user_arguments]
    return {
        "name": "apiserver",
        "image": options.image,
        "args": arguments,
        "env": env,
        "ports": [
            {"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports.items()
        ],
        # KFP's API has nothing at /healthz.
        **probes("http", "HTTPS" if options.tls else "HTTP", live="/livez"),
        "resources": {
            "requests": {"cpu": "200m", "memory": "256Mi"},
            "limits": {"memory": f"{_MEMORY}Mi"},
        },
    }


def _network_policy(options: ApiServerOptions, installation: Installation) -> Object:
    """Return a policy on who reaches the server.

    Without multi-user mode whoever reaches the port may do everything; with it, whoever can set the
    identity header is whom it names. So the port is open to the pods of named namespaces alone, among them
    the proxy that sets the header. The server itself reaches the API server, its database and the hosts
    of packages, whose addresses a policy cannot name.
    """
    rest: Object = {"ports": [{"port": "http", "protocol": "TCP"}]}
    if options.client_namespaces is not None:
        names = [options.namespace, *options.client_namespaces]
        expression = {
            "key": _NAMESPACE_NAME,
            "operator": "In",
            "values": list(dict.fromkeys(names)),
        }
        rest["from"] = [{"namespaceSelector": {"matchExpressions": [expression]}}]
    ingress = [rest]
    if options.webhooks:
        hooks: Object = {"ports": [{"port": "webhook", "protocol": "TCP"}]}
        if options.api_server_cidrs:
            hooks["from"] = addresses(options.api_server_cidrs)
        ingress.append(hooks)
    return installation.network_policy(ingress)


def _webhooks(options: ApiServerOptions, installation: Installation) -> list[Object]:
    hooks = WebhookOptions(
        namespaces=(options.namespace,),
        everywhere=options.multi_user,
        ca_bundle=options.ca_bundle,
        cert_manager=options.cert_manager,
    )
    return webhook_configurations(installation, hooks, port=_WEBHOOK_PORT)
