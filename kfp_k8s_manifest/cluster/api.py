"""What this package's commands ask a cluster, and the implementation through a client."""

from __future__ import annotations

from typing import Any, Final, Protocol

from kfp_k8s_manifest.cluster import operations, requests
from kfp_k8s_manifest.cluster.answers import UnknownTypeError
from kfp_k8s_manifest.cluster.client import Client
from kfp_k8s_manifest.cluster.config import load_config
from kfp_k8s_manifest.cluster.requests import Object, Request
from kfp_k8s_manifest.cluster.resource_types import PIPELINE_VERSIONS, PIPELINES, ResourceType
from kfp_k8s_manifest.model.kinds import GROUP, PIPELINE

__all__ = ["Cluster", "KubernetesCluster", "connect"]

_CRDS: Final = ResourceType(
    group="apiextensions.k8s.io",
    version="v1",
    plural="customresourcedefinitions",
    kind="CustomResourceDefinition",
    namespaced=False,
)
_HOOKS: Final = tuple(
    ResourceType(
        group="admissionregistration.k8s.io",
        version="v1",
        plural=f"{kind.lower()}s",
        kind=kind,
        namespaced=False,
    )
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
)
_ACCESS_REVIEWS: Final = ResourceType(
    group="authorization.k8s.io",
    version="v1",
    plural="selfsubjectaccessreviews",
    kind="SelfSubjectAccessReview",
    namespaced=False,
)
_RECURRING: Final = ResourceType(
    group="kubeflow.org", version="v1beta1", plural="scheduledworkflows", kind="ScheduledWorkflow"
)
_NAMESPACES: Final = ResourceType(
    group="", version="v1", plural="namespaces", kind="Namespace", namespaced=False
)
_SERVICES: Final = ResourceType(group="", version="v1", plural="services", kind="Service")
_SLICES: Final = ResourceType(
    group="discovery.k8s.io", version="v1", plural="endpointslices", kind="EndpointSlice"
)
# What Kubeflow's profile controller labels the namespace of a profile with.
_USERS: Final = {"app.kubernetes.io/part-of": "kubeflow-profile"}


class Cluster(Protocol):
    """What this package asks a cluster. Every method may raise `ClusterError`."""

    @property
    def server(self) -> str:
        """The API server's URL."""

    @property
    def namespace(self) -> str:
        """The namespace that counts where none is named."""

    def known_pipelines(self, namespace: str | None = None) -> list[str]:
        """Return the Pipelines as `namespace/name`, sorted; None for all namespaces."""

    def pipelines(self, namespace: str | None = None) -> list[Object]:
        """Return the Pipelines of a namespace, or of all."""

    def versions(self, namespace: str | None = None) -> list[Object]:
        """Return the PipelineVersions of a namespace, or of all."""

    def pipeline(self, namespace: str, name: str) -> Object | None:
        """Return a Pipeline, or None where there is none of that name."""

    def version(self, namespace: str, name: str) -> Object | None:
        """Return a PipelineVersion, or None where there is none of that name."""

    def crd(self, plural: str) -> Object | None:
        """Return the CustomResourceDefinition `{plural}.pipelines.kubeflow.org`, or None."""

    def webhook_configurations(self) -> list[Object]:
        """Return all validating and mutating webhook configurations, with their kind."""

    def can(self, verb: str, resource: str, namespace: str = "", *, group: str = "") -> bool:
        """Tell whether the current user may do something, in a namespace or ("") everywhere."""

    def endpoints(self, namespace: str, service: str) -> int | None:
        """Return how many ready endpoints a service has, or None where there is no service."""

    def dry_run(self, obj: Object, namespace: str) -> Object:
        """Create an object without storing it; the whole of admission runs."""

    def server_version(self) -> str:
        """Return the API server's version, such as `v1.34.1`."""


def connect(kubeconfig: str | None = None, context: str | None = None) -> KubernetesCluster:
    """Return the cluster that kubectl would talk to. No request is sent yet.

    Args:
        kubeconfig: A kubeconfig file; None for kubectl's own choice, or a pod's service account.
        context: The context's name; None for the current one.

    Raises:
        ClusterError: There is no usable configuration.
    """
    return KubernetesCluster(Client(load_config(kubeconfig, context)))


class KubernetesCluster:
    """A cluster, asked over HTTP.

    Args:
        client: The client to ask with.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        self._client.close()

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._client.config.server

    @property
    def namespace(self) -> str:
        """The namespace that counts where none is named."""
        return self._client.config.namespace

    def known_pipelines(self, namespace: str | None = None) -> list[str]:
        """Return the Pipelines as `namespace/name`, sorted; None for all namespaces."""
        page = self._client.run(
            operations.list_all(
                requests.list_objects(PIPELINES, namespace=namespace, metadata_only=True)
            )
        )
        return sorted("/".join(_key(item)) for item in page.items)

    def pipelines(self, namespace: str | None = None) -> list[Object]:
        """Return the Pipelines of a namespace, or of all."""
        return self._list(PIPELINES, namespace)

    def versions(self, namespace: str | None = None) -> list[Object]:
        """Return the PipelineVersions of a namespace, or of all."""
        return self._list(PIPELINE_VERSIONS, namespace)

    def pipeline(self, namespace: str, name: str) -> Object | None:
        """Return a Pipeline, or None where there is none of that name."""
        return self._client.run(operations.find(requests.get(PIPELINES, name, namespace=namespace)))

    def version(self, namespace: str, name: str) -> Object | None:
        """Return a PipelineVersion, or None where there is none of that name."""
        return self._client.run(
            operations.find(requests.get(PIPELINE_VERSIONS, name, namespace=namespace))
        )

    def user_namespaces(self) -> list[str]:
        """Return the namespaces of Kubeflow's users; all namespaces where none is marked so."""
        first = requests.list_objects(_NAMESPACES, metadata_only=True)
        items = self._client.run(operations.list_all(first)).items
        metadata = [each["metadata"] for each in items]
        users = [each for each in metadata if _USERS.items() <= (each.get("labels") or {}).items()]
        return sorted(str(each["name"]) for each in users or metadata)

    def recurring_runs(self, namespace: str) -> list[Object]:
        """Return the recurring runs (ScheduledWorkflows) of a namespace; none without their CRD."""
        try:
            return self._list(_RECURRING, namespace)
        except UnknownTypeError:
            return []

    def delete(self, kind: str, namespace: str, name: str, *, uid: str) -> None:
        """Delete an object; it is well if it is gone already.

        Args:
            kind: `Pipeline` or `PipelineVersion`.
            namespace: Its namespace.
            name: Its name.
            uid: Its uid: an object that has taken its name since is not deleted.

        Raises:
            ApiError: Another object has the name (409), or the server refuses.
        """
        resource = PIPELINES if kind == PIPELINE else PIPELINE_VERSIONS
        request = requests.delete(resource, name, namespace=namespace, uid=uid)
        self._client.run(operations.find(request))

    def crd(self, plural: str) -> Object | None:
        """Return the CustomResourceDefinition `{plural}.pipelines.kubeflow.org`, or None."""
        return self._client.run(operations.find(requests.get(_CRDS, f"{plural}.{GROUP}")))

    def webhook_configurations(self) -> list[Object]:
        """Return all validating and mutating webhook configurations, with their kind."""
        return [
            {**item, "kind": resource.kind} for resource in _HOOKS for item in self._list(resource)
        ]

    def can(self, verb: str, resource: str, namespace: str = "", *, group: str = "") -> bool:
        """Tell whether the current user may do something, in a namespace or ("") everywhere."""
        review: Object = {
            "apiVersion": _ACCESS_REVIEWS.api_version,
            "kind": _ACCESS_REVIEWS.kind,
            "spec": {
                "resourceAttributes": {
                    "verb": verb,
                    "group": group,
                    "resource": resource,
                    "namespace": namespace,
                }
            },
        }
        answer = self._client.send(requests.create(_ACCESS_REVIEWS, review))
        status = answer.get("status")
        return isinstance(status, dict) and status.get("allowed") is True

    def endpoints(self, namespace: str, service: str) -> int | None:
        """Return how many ready endpoints a service has, or None where there is no service."""
        service_request = requests.get(_SERVICES, service, namespace=namespace)
        if self._client.run(operations.find(service_request)) is None:
            return None
        slices: list[Any] = self._list(
            _SLICES, namespace, labels=f"kubernetes.io/service-name={service}"
        )
        ready = [
            endpoint
            for each in slices
            for endpoint in each.get("endpoints") or ()
            # An unknown state is to be taken for ready, says the API.
            if (endpoint.get("conditions") or {}).get("ready") is not False
        ]
        return len(ready)

    def dry_run(self, obj: Object, namespace: str) -> Object:
        """Create an object without storing it; the whole of admission runs."""
        resource = next(r for r in (PIPELINES, PIPELINE_VERSIONS) if r.kind == obj["kind"])
        request = requests.create(resource, obj, namespace=namespace, dry_run=True)
        return self._client.send(request)

    def server_version(self) -> str:
        """Return the API server's version, such as `v1.34.1`."""
        answer = self._client.run(operations.send_raw(Request(method="GET", path="/version")))
        return str(answer.get("gitVersion", ""))

    def _list(
        self, resource: ResourceType, namespace: str | None = None, *, labels: str = ""
    ) -> list[Object]:
        first = requests.list_objects(resource, namespace=namespace, labels=labels)
        return list(self._client.run(operations.list_all(first)).items)


def _key(obj: Object) -> tuple[str, str]:
    metadata = obj.get("metadata")
    found = metadata if isinstance(metadata, dict) else {}
    return str(found.get("namespace", "")), str(found.get("name", ""))
