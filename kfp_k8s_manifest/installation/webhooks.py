"""The Kubernetes objects that install the webhooks: from options to documents, nothing else."""

from __future__ import annotations

import base64
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
from kfp_k8s_manifest.model.kinds import GROUP, PIPELINE, PIPELINE_VERSION, PLURALS, VERSION

__all__ = ["InstallOptions", "WebhookOptions", "install_manifests", "webhook_configurations"]

_APP: Final = "kfp-k8s-webhook"
_PORT: Final = 8443
_SERVICE_PORT: Final = 443
# Mebibytes that a server has; the limits of `webhook serve` are made for it.
_MEMORY: Final = 256
_NAMESPACE_NAME: Final = "kubernetes.io/metadata.name"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookOptions:
    """What the cluster asks webhooks about, and how it reaches them.

    Attributes:
        failure_policy: What happens to a request while no server answers: `Fail` or `Ignore`.
        namespaces: The namespaces whose PipelineVersions are judged.
        selector: Labels of such namespaces, in place of their names.
        everywhere: True where those of all namespaces are judged.
        ca_bundle: The authorities of the server's certificate, PEM, or "" where cert-manager
            fills them in.
        cert_manager: True where cert-manager makes the certificate; else it is expected in the
            Secret `{name}-tls`.
        url: The URL of a server that runs elsewhere, or "" for the Service of the installation.
    """

    failure_policy: str = "Fail"
    namespaces: tuple[str, ...] = ()
    selector: tuple[tuple[str, str], ...] = ()
    everywhere: bool = False
    ca_bundle: str = ""
    cert_manager: bool = False
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallOptions(WebhookOptions):
    """One installation of the webhooks alone.

    Attributes:
        name: The name of all its objects, a DNS-1123 label.
        namespace: The namespace that the server runs in.
        image: The server's container image.
        target: The target whose rules it applies.
        replicas: How many servers run.
        api_server_cidrs: The addresses of the cluster's API servers, in CIDR notation; empty where they
            are not known.
    """

    name: str
    namespace: str
    image: str
    target: str
    replicas: int = 2
    api_server_cidrs: tuple[str, ...] = ()

    @property
    def cluster_wide(self) -> bool:
        """True where the namespaces to read Pipelines in are not known by name."""
        return self.everywhere or bool(self.selector)


def install_manifests(options: InstallOptions) -> list[Object]:
    """Return all objects of an installation, in the order in which they are applied.

    The webhook configurations come last: from that moment on the API server asks the server.
    """
    installation = Installation(name=options.name, namespace=options.namespace, app=_APP)
    webhooks = webhook_configurations(installation, options, port=_SERVICE_PORT)
    if options.url:
        return webhooks
    return [
        installation.account(),
        *_access(options, installation),
        installation.service({"https": _SERVICE_PORT}),
        *(installation.certificates() if options.cert_manager else ()),
        installation.deployment(_container(options), replicas=options.replicas, tls=True),
        installation.disruption_budget(),
        _network_policy(options, installation),
        *webhooks,
    ]


def _access(options: InstallOptions, installation: Installation) -> list[Object]:
    """Return the permissions: to get Pipelines, where the judged versions are, and no more."""
    rules: list[Object] = [
        {"apiGroups": [GROUP], "resources": [PLURALS[PIPELINE]], "verbs": ["get"]}
    ]
    return installation.access(rules, None if options.cluster_wide else options.namespaces)


def _container(options: InstallOptions) -> Object:
    return {
        "name": "webhook",
        "image": options.image,
        "args": [
            "webhook",
            "serve",
            f"--target={options.target}",
            "--certificate=/tls/tls.crt",
            "--key=/tls/tls.key",
            f"--port={_PORT}",
            f"--drain={DRAIN}",
            f"--grace={GRACE}",
        ],
        "ports": [{"name": "https", "containerPort": _PORT, "protocol": "TCP"}],
        **probes("https", "HTTPS"),
        "resources": {
            "requests": {"cpu": "100m", "memory": "96Mi"},
            "limits": {"memory": f"{_MEMORY}Mi"},
        },
    }


def _network_policy(options: InstallOptions, installation: Installation) -> Object:
    """Return a policy that opens the one port: to the API servers, or to anybody.

    The API server is no pod, so no selector can name it, and its addresses differ from cluster to
    cluster. Where they are known, nobody else reaches the port, and the server reaches nobody else. Else
    whoever reaches the port can ask for verdicts. They tell, among other things, whether a Pipeline
    of some name exists in a namespace that the server may read.
    """
    ports: list[Object] = [{"port": "https", "protocol": "TCP"}]
    blocks = addresses(options.api_server_cidrs)
    if not blocks:
        return installation.network_policy([{"ports": ports}])
    # The port of an API server differs from that of its Service, and from cluster to cluster.
    return installation.network_policy([{"from": blocks, "ports": ports}], [{"to": blocks}])


def webhook_configurations(
    installation: Installation, options: WebhookOptions, *, port: int
) -> list[Object]:
    """Return both webhook configurations of an installation.

    Args:
        installation: The installation.
        options: What is asked, and how.
        port: The port of its Service.
    """
    annotations = {}
    if options.cert_manager:
        annotations["cert-manager.io/inject-ca-from"] = (
            f"{installation.namespace}/{installation.name}"
        )
    documents = []
    for verb in ("mutate", "validate"):
        hook: Object = {
            "name": f"{PLURALS[PIPELINE_VERSION]}.{GROUP}",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "timeoutSeconds": 10,
            "failurePolicy": options.failure_policy,
            "matchPolicy": "Equivalent",
            "clientConfig": _client(
                installation, options, port, f"/webhooks/{verb}-pipelineversion"
            ),
            "rules": [
                {
                    "apiGroups": [GROUP],
                    "apiVersions": [VERSION],
                    "resources": [PLURALS[PIPELINE_VERSION]],
                    "operations": ["CREATE", "UPDATE"],
                    "scope": "Namespaced",
                }
            ],
        }
        if verb == "mutate":
            # Another webhook may change the object after us; what we set does not add up.
            hook["reinvocationPolicy"] = "IfNeeded"
        selector = _namespace_selector(options)
        if selector:
            hook["namespaceSelector"] = selector
        documents.append(
            installation.object(
                "admissionregistration.k8s.io/v1",
                "MutatingWebhookConfiguration"
                if verb == "mutate"
                else "ValidatingWebhookConfiguration",
                f"{installation.name}-{installation.namespace}",
                cluster=True,
                annotations=annotations,
                webhooks=[hook],
            )
        )
    return documents


def _client(installation: Installation, options: WebhookOptions, port: int, path: str) -> Object:
    client: Object
    if options.url:
        client = {"url": options.url.rstrip("/") + path}
    else:
        service = {"name": installation.name, "namespace": installation.namespace}
        client = {"service": {**service, "path": path, "port": port}}
    if options.ca_bundle:
        client["caBundle"] = base64.b64encode(options.ca_bundle.encode()).decode("ascii")
    return client


def _namespace_selector(options: WebhookOptions) -> Object:
    if options.everywhere:
        return {}
    if options.selector:
        return {"matchLabels": dict(options.selector)}
    names = list(options.namespaces)
    return {"matchExpressions": [{"key": _NAMESPACE_NAME, "operator": "In", "values": names}]}
