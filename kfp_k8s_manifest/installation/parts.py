"""What the installations of our servers have in common: names, labels, pods, certificates. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kfp_k8s_manifest.model.ir import JsonValue

__all__ = ["DRAIN", "GRACE", "Installation", "Object", "addresses", "probes"]

Object = dict[str, JsonValue]

DRAIN: Final = 10
"""Seconds in which a server still answers everything after it was told to end."""
GRACE: Final = 20
"""Seconds that its last requests may take after that."""

_USER: Final = 65532
# Else each thread keeps memory of its own that the others cannot use, and the buffers of a crowd of
# connections, once freed, are kept as well.
_ALLOCATION: Final = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
_LABEL: Final = "app.kubernetes.io"
_RBAC: Final = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One server of ours in a cluster, and the objects that any such server needs.

    Attributes:
        name: The name of all its objects, a DNS-1123 label.
        namespace: The namespace that the server runs in.
        app: What it is, for the label `app.kubernetes.io/name`.
    """

    name: str
    namespace: str
    app: str

    @property
    def selector(self) -> dict[str, str]:
        """The labels by which its pods are found."""
        return {f"{_LABEL}/name": self.app, f"{_LABEL}/instance": self.name}

    @property
    def labels(self) -> dict[str, str]:
        """The labels of all its objects."""
        return {**self.selector, f"{_LABEL}/part-of": "kubeflow-pipelines"}

    @property
    def tls_secret(self) -> str:
        """The Secret with its certificate."""
        return f"{self.name}-tls"

    def object(
        self, api_version: str, kind: str, name: str, /, *, cluster: bool = False,
        namespace: str = "", annotations: Mapping[str, str] | None = None, **rest: JsonValue,
    ) -> Object:  # fmt: skip
        """Return an object with our labels; of the cluster, or of a namespace."""
        metadata: Object = {"name": name, "labels": self.labels}
        if not cluster:
            metadata["namespace"] = namespace or self.namespace
        if annotations:
            metadata["annotations"] = dict(annotations)
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}

    def account(self) -> Object:
        """Return the account that the server runs under."""
        return self.object("v1", "ServiceAccount", self.name)

    def access(
        self, rules: list[Object], namespaces: tuple[str, ...] | None, *, suffix: str = ""
    ) -> list[Object]:
        """Return roles with these rules, bound to the account.

        Args:
            rules: The rules.
            namespaces: Where they hold; None for the whole cluster.
            suffix: What tells these roles from others of the installation.
        """
        name = f"{self.name}-{self.namespace}{suffix}"
        if namespaces is None:
            return self._role("ClusterRole", name, rules, cluster=True)
        documents: list[Object] = []
        for namespace in namespaces:
            documents += self._role("Role", name, rules, namespace=namespace)
        return documents

    def _role(self, kind: str, name: str, rules: list[Object], **where: Any) -> list[Object]:
        version = f"{_RBAC}/v1"
        subjects = [{"kind": "ServiceAccount", "name": self.name, "namespace": self.namespace}]
        reference = {"apiGroup": _RBAC, "kind": kind, "name": name}
        return [
            self.object(version, kind, name, **where, rules=rules),
            self.object(
                version, f"{kind}Binding", name, **where, roleRef=reference, subjects=subjects
            ),
        ]

    def service(self, ports: Mapping[str, int]) -> Object:
        """Return the Service: its ports, by the name of the container's port."""
        spec = {
            "selector": self.selector,
            "ports": [
                {"name": name, "port": port, "targetPort": name, "protocol": "TCP"}
                for name, port in ports.items()
            ],
        }
        return self.object("v1", "Service", self.name, spec=spec)

    def certificates(self) -> list[Object]:
        """Return what makes cert-manager issue the certificate.

        It is signed by an authority of the installation's own and not by itself: when it is renewed,
        the authority that clients trust stays the same, so there is no moment at which the two do not
        fit.
        """
        version, authority = "cert-manager.io/v1", f"{self.name}-ca"
        host = f"{self.name}.{self.namespace}.svc"

        def issued_by(name: str) -> Object:
            return {"group": "cert-manager.io", "kind": "Issuer", "name": name}

        return [
            self.object(version, "Issuer", f"{self.name}-root", spec={"selfSigned": {}}),
            self.object(
                version,
                "Certificate",
                authority,
                spec={
                    "isCA": True,
                    # X.509 has room for 64 characters in it; nobody looks it up.
                    "commonName": authority[:64],
                    "duration": "87600h",
                    "secretName": authority,
                    "privateKey": {"algorithm": "ECDSA", "size": 256},
                    "issuerRef": issued_by(f"{self.name}-root"),
                },
            ),
            self.object(version, "Issuer", self.name, spec={"ca": {"secretName": authority}}),
            self.object(
                version,
                "Certificate",
                self.name,
                spec={
                    "secretName": self.tls_secret,
                    "dnsNames": [host, f"{host}.cluster.local"],
                    "usages": ["digital signature", "server auth"],
                    "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
                    "issuerRef": issued_by(self.name),
                },
            ),
        ]

    def deployment(self, container: Object, *, replicas: int, tls: bool) -> Object:
        """Return the Deployment of a container, which gets what it may need and no more.

        Args:
            container: Its name, image, arguments, ports, probes, resources; `env` is added to.
            replicas: How many pods run.
            tls: Whether the certificate is mounted, under `/tls`.
        """
        mounts: list[Object] = [{"name": "tmp", "mountPath": "/tmp"}]
        volumes: list[Object] = [
            {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}}
        ]
        if tls:
            secret = {"secretName": self.tls_secret, "defaultMode": 0o444}
            mounts.insert(0, {"name": "tls", "mountPath": "/tls", "readOnly": True})
            volumes.insert(0, {"name": "tls", "secret": secret})
        env = [{"name": name, "value": value} for name, value in _ALLOCATION.items()]
        contained: Object = {
            **container,
            "env": [*env, *container.get("env", [])],
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": mounts,
        }
        spec = {
            "replicas": replicas,
            "selector": {"matchLabels": self.selector},
            # A new server is ready before an old one goes.
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "template": {
                "metadata": {"labels": self.labels},
                "spec": self._pod(contained, volumes),
            },
        }
        return self.object("apps/v1", "Deployment", self.name, spec=spec)

    def _pod(self, container: Object, volumes: list[Object]) -> Object:
        return {
            "serviceAccountName": self.name,
            # Drain, grace, and some seconds to end.
            "terminationGracePeriodSeconds": DRAIN + GRACE + 10,
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
                    "labelSelector": {"matchLabels": self.selector},
                }
            ],
            "containers": [container],
            "volumes": volumes,
        }

    def disruption_budget(self) -> Object:
        """Return the budget that keeps a server running while nodes are drained."""
        # Not `minAvailable: 1`, which would block the drain of a node for ever with one replica.
        spec = {"maxUnavailable": 1, "selector": {"matchLabels": self.selector}}
        return self.object("policy/v1", "PodDisruptionBudget", self.name, spec=spec)

    def network_policy(self, ingress: list[Object], egress: list[Object] | None = None) -> Object:
        """Return the policy on who reaches the server, and (if not None) whom it reaches."""
        spec: Object = {
            "podSelector": {"matchLabels": self.selector},
            "policyTypes": ["Ingress"] if egress is None else ["Ingress", "Egress"],
            "ingress": ingress,
        }
        if egress is not None:
            spec["egress"] = egress
        return self.object("networking.k8s.io/v1", "NetworkPolicy", self.name, spec=spec)


def addresses(cidrs: tuple[str, ...]) -> list[Object]:
    """Return addresses as a NetworkPolicy names them."""
    return [{"ipBlock": {"cidr": cidr}} for cidr in cidrs]


def probes(port: str, scheme: str, *, live: str = "/healthz") -> Object:
    """Return the probes of a container.

    Args:
        port: The name of the container's port.
        scheme: `HTTP` or `HTTPS`.
        live: The path that tells that the server answers at all.
    """

    def probe(path: str, period: int) -> Object:
        request = {"path": path, "port": port, "scheme": scheme}
        return {"httpGet": request, "periodSeconds": period, "timeoutSeconds": 3}

    return {
        "startupProbe": {**probe(live, 2), "failureThreshold": 30},
        "livenessProbe": {**probe(live, 10), "failureThreshold": 3},
        "readinessProbe": {**probe("/readyz", 2), "failureThreshold": 1},
    }
