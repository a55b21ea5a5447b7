"""The Kubernetes objects that install the webhooks: from options to documents, nothing else."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kfp_k8s_manifest.model.ir import JsonValue
from kfp_k8s_manifest.model.kinds import GROUP, PIPELINE, PIPELINE_VERSION, PLURALS, VERSION

__all__ = ["InstallOptions", "install_manifests", "webhook_configurations"]

Object = dict[str, JsonValue]

_PORT: Final = 8443
_USER: Final = 65532
_DRAIN: Final = 10
_GRACE: Final = 20
# Mebibytes that a server has; the limits of `webhook serve` are made for it.
_MEMORY: Final = 256

# Else each thread keeps memory of its own that the others cannot use, and the buffers of a crowd of
# connections, once freed, are kept as well.
_ALLOCATION: Final = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
_LABEL: Final = "app.kubernetes.io"
_NAMESPACE_NAME: Final = "kubernetes.io/metadata.name"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallOptions:
    """One installation of the webhooks.

    Attributes:
        name: The name of all its objects, a DNS-1123 label.
        namespace: The namespace that the server runs in.
        image: The server's container image.
        target: The target whose rules it applies.
        replicas: How many servers run.
        failure_policy: What happens to a request while no server answers: `Fail` or `Ignore`.
        namespaces: The namespaces whose PipelineVersions are judged.
        selector: Labels of such namespaces, in place of their names.
        everywhere: True where those of all namespaces are judged.
        ca_bundle: The authorities of the server's certificate, PEM, or "" where cert-manager
            fills them in.
        cert_manager: True where cert-manager makes the certificate; else it is expected in the
            Secret `{name}-tls`.
        url: The URL of a server that runs elsewhere, or "" for the Service of this installation.
        api_server_cidrs: The addresses of the cluster's API servers, in CIDR notation; empty where they
            are not known.
    """

    name: str
    namespace: str
    image: str
    target: str
    replicas: int = 2
    failure_policy: str = "Fail"
    namespaces: tuple[str, ...] = ()
    selector: tuple[tuple[str, str], ...] = ()
    everywhere: bool = False
    ca_bundle: str = ""
    cert_manager: bool = False
    url: str = ""
    api_server_cidrs: tuple[str, ...] = ()

    @property
    def cluster_wide(self) -> bool:
        """True where the namespaces to read Pipelines in are not known by name."""
        return self.everywhere or bool(self.selector)


def install_manifests(options: InstallOptions) -> list[Object]:
    """Return all objects of an installation, in the order in which they are applied.

    The webhook configurations come last: from that moment on the API server asks the server.
    """
    if options.url:
        return webhook_configurations(options)
    documents = [
        _object(options, "v1", "ServiceAccount", options.name),
        *_access(options),
        _service(options),
        *(_certificates(options) if options.cert_manager else ()),
        _deployment(options),
        _disruption_budget(options),
        _network_policy(options),
    ]
    return [*documents, *webhook_configurations(options)]


def _object(
    options: InstallOptions, api_version: str, kind: str, name: str, /, *, cluster: bool = False,
    namespace: str = "", annotations: Mapping[str, str] | None = None, **rest: JsonValue,
) -> Object:  # fmt: skip
    metadata: Object = {"name": name, "labels": _labels(options)}
    if not cluster:
        metadata["namespace"] = namespace or options.namespace
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def _labels(options: InstallOptions) -> dict[str, str]:
    return {**_selector_labels(options), f"{_LABEL}/part-of": "kubeflow-pipelines"}


def _selector_labels(options: InstallOptions) -> dict[str, str]:
    return {f"{_LABEL}/name": "kfp-k8s-webhook", f"{_LABEL}/instance": options.name}


def _access(options: InstallOptions) -> list[Object]:
    """Return the permissions: to get Pipelines, where the judged versions are, and no more."""
    rules = [{"apiGroups": [GROUP], "resources": [PLURALS[PIPELINE]], "verbs": ["get"]}]
    subjects = [{"kind": "ServiceAccount", "name": options.name, "namespace": options.namespace}]
    rbac = "rbac.authorization.k8s.io/v1"
    scoped = f"{options.name}-{options.namespace}"

    def pair(kind: str, name: str, **where: Any) -> list[Object]:
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
        return [
            _object(options, rbac, kind, name, **where, rules=rules),
            _object(
                options, rbac, f"{kind}Binding", name, **where, roleRef=reference, subjects=subjects
            ),
        ]

    if options.cluster_wide:
        return pair("ClusterRole", scoped, cluster=True)
    documents: list[Object] = []
    for namespace in options.namespaces:
        documents += pair("Role", scoped, namespace=namespace)
    return documents


def _service(options: InstallOptions) -> Object:
    spec = {
        "selector": _selector_labels(options),
        "ports": [{"name": "https", "port": 443, "targetPort": "https", "protocol": "TCP"}],
    }
    return _object(options, "v1", "Service", options.name, spec=spec)


def _certificates(options: InstallOptions) -> list[Object]:
    """Return what makes cert-manager issue the certificate.

    It is signed by an authority of the installation's own and not by itself: when it is renewed,
    the authority that the API server trusts stays the same, so there is no moment at which the two
    do not fit.
    """
    version, authority = "cert-manager.io/v1", f"{options.name}-ca"
    host = f"{options.name}.{options.namespace}.svc"

    def issued_by(name: str) -> Object:
        return {"group": "cert-manager.io", "kind": "Issuer", "name": name}

    return [
        _object(options, version, "Issuer", f"{options.name}-root", spec={"selfSigned": {}}),
        _object(
            options,
            version,
            "Certificate",
            authority,
            spec={
                "isCA": True,
                "commonName": authority,
                "duration": "87600h",
                "secretName": authority,
                "privateKey": {"algorithm": "ECDSA", "size": 256},
                "issuerRef": issued_by(f"{options.name}-root"),
            },
        ),
        _object(options, version, "Issuer", options.name, spec={"ca": {"secretName": authority}}),
        _object(
            options,
            version,
            "Certificate",
            options.name,
            spec={
                "secretName": f"{options.name}-tls",
                "dnsNames": [host, f"{host}.cluster.local"],
                "usages": ["digital signature", "server auth"],
                "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
                "issuerRef": issued_by(options.name),
            },
        ),
    ]


def _deployment(options: InstallOptions) -> Object:
    pod: Object = {
        "serviceAccountName": options.name,
        # Drain, grace, and some seconds to end.
        "terminationGracePeriodSeconds": _DRAIN + _GRACE + 10,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": _selector_labels(options)},
            }
        ],
        "containers": [_container(options)],
        "volumes": [
            {"name": "tls", "secret": {"secretName": f"{options.name}-tls", "defaultMode": 0o444}},
            {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
        ],
    }
    spec = {
        "replicas": options.replicas,
        "selector": {"matchLabels": _selector_labels(options)},
        # A new server is ready before an old one goes.
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
        },
        "template": {"metadata": {"labels": _labels(options)}, "spec": pod},
    }
    return _object(options, "apps/v1", "Deployment", options.name, spec=spec)


def _container(options: InstallOptions) -> Object:
    def probe(path: str, period: int) -> Object:
        request = {"path": path, "port": "https", "scheme": "HTTPS"}
        return {"httpGet": request, "periodSeconds": period, "timeoutSeconds": 3}

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
            f"--drain={_DRAIN}",
            f"--grace={_GRACE}",
        ],
        "env": [{"name": name, "value": value} for name, value in _ALLOCATION.items()],
        "ports": [{"name": "https", "containerPort": _PORT, "protocol": "TCP"}],
        "startupProbe": {**probe("/healthz", 2), "failureThreshold": 30},
        "livenessProbe": {**probe("/healthz", 10), "failureThreshold": 3},
        "readinessProbe": {**probe("/readyz", 2), "failureThreshold": 1},
        "resources": {
            "requests": {"cpu": "100m", "memory": "96Mi"},
            "limits": {"memory": f"{_MEMORY}Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "tls", "mountPath": "/tls", "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }


def _disruption_budget(options: InstallOptions) -> Object:
    # Not `minAvailable: 1`, which would block the drain of a node for ever with one replica.
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": _selector_labels(options)}}
    return _object(options, "policy/v1", "PodDisruptionBudget", options.name, spec=spec)


def _network_policy(options: InstallOptions) -> Object:
    """Return a policy that opens the one port: to the API servers, or to anybody.

    The API server is no pod, so no selector can name it, and its addresses differ from cluster to
    cluster. Where they are known, nobody else reaches the port, and the server reaches nobody else. Else
    whoever reaches the port can ask for verdicts. They tell, among other things, whether a Pipeline
    of some name exists in a namespace that the server may read.
    """
    port: Object = {"port": "https", "protocol": "TCP"}
    spec: Object = {"podSelector": {"matchLabels": _selector_labels(options)}}
    blocks = [{"ipBlock": {"cidr": cidr}} for cidr in options.api_server_cidrs]
    if blocks:
        spec["policyTypes"] = ["Ingress", "Egress"]
        spec["ingress"] = [{"from": blocks, "ports": [port]}]
        # The port of an API server differs from that of its Service, and from cluster to cluster.
        spec["egress"] = [{"to": blocks}]
    else:
        spec["policyTypes"] = ["Ingress"]
        spec["ingress"] = [{"ports": [port]}]
    return _object(options, "networking.k8s.io/v1", "NetworkPolicy", options.name, spec=spec)


def webhook_configurations(options: InstallOptions) -> list[Object]:
    """Return both webhook configurations of an installation."""
    annotations = {}
    if options.cert_manager:
        annotations["cert-manager.io/inject-ca-from"] = f"{options.namespace}/{options.name}"
    documents = []
    for verb in ("mutate", "validate"):
        hook: Object = {
            "name": f"{PLURALS[PIPELINE_VERSION]}.{GROUP}",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "timeoutSeconds": 10,
            "failurePolicy": options.failure_policy,
            "matchPolicy": "Equivalent",
            "clientConfig": _client(options, f"/webhooks/{verb}-pipelineversion"),
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
            _object(
                options,
                "admissionregistration.k8s.io/v1",
                "MutatingWebhookConfiguration"
                if verb == "mutate"
                else "ValidatingWebhookConfiguration",
                f"{options.name}-{options.namespace}",
                cluster=True,
                annotations=annotations,
                webhooks=[hook],
            )
        )
    return documents


def _client(options: InstallOptions, path: str) -> Object:
    client: Object
    if options.url:
        client = {"url": options.url.rstrip("/") + path}
    else:
        service = {"name": options.name, "namespace": options.namespace}
        client = {"service": {**service, "path": path, "port": 443}}
    if options.ca_bundle:
        client["caBundle"] = base64.b64encode(options.ca_bundle.encode()).decode("ascii")
    return client


def _namespace_selector(options: InstallOptions) -> Object:
    if options.everywhere:
        return {}
    if options.selector:
        return {"matchLabels": dict(options.selector)}
    names = list(options.namespaces)
    return {"matchExpressions": [{"key": _NAMESPACE_NAME, "operator": "In", "values": names}]}
