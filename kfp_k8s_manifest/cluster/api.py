"""What this package asks a cluster, and the implementation over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from kfp_k8s_manifest.cluster._http import ApiClient, ApiError
from kfp_k8s_manifest.cluster.config import load_config
from kfp_k8s_manifest.errors import ClusterError
from kfp_k8s_manifest.model.ir import JsonValue
from kfp_k8s_manifest.model.kinds import API_VERSION, GROUP, PIPELINE, PIPELINE_VERSION, PLURALS

__all__ = ["Cluster", "KubernetesCluster", "connect", "object_path"]

Object = Mapping[str, JsonValue]

_PAGE: Final = "200"
_METADATA_ONLY: Final = (
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
)
_HOOKS: Final = ("validatingwebhookconfigurations", "mutatingwebhookconfigurations")


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
    return KubernetesCluster(ApiClient(load_config(kubeconfig, context)))


def object_path(plural: str, namespace: str | None, name: str = "") -> str:
    """Return the URL path of objects of KFP's group.

    Args:
        plural: `pipelines` or `pipelineversions`.
        namespace: The namespace; None for all.
        name: An object's name, or "" for the collection.
    """
    from urllib.parse import quote

    place = f"/namespaces/{quote(namespace, safe='')}" if namespace is not None else ""
    return f"/apis/{API_VERSION}{place}/{plural}" + (f"/{quote(name, safe='')}" if name else "")


class KubernetesCluster:
    """A cluster, asked over HTTP.

    Args:
        client: The client to ask with.
    """

    def __init__(self, client: ApiClient) -> None:
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
        found = self._list(object_path(PLURALS[PIPELINE], namespace), accept=_METADATA_ONLY)
        return sorted(f"{o['metadata']['namespace']}/{o['metadata']['name']}" for o in found)

    def pipelines(self, namespace: str | None = None) -> list[Object]:
        """Return the Pipelines of a namespace, or of all."""
        return self._list(object_path(PLURALS[PIPELINE], namespace))

    def versions(self, namespace: str | None = None) -> list[Object]:
        """Return the PipelineVersions of a namespace, or of all."""
        return self._list(object_path(PLURALS[PIPELINE_VERSION], namespace))

    def pipeline(self, namespace: str, name: str) -> Object | None:
        """Return a Pipeline, or None where there is none of that name."""
        return self._get(object_path(PLURALS[PIPELINE], namespace, name))

    def version(self, namespace: str, name: str) -> Object | None:
        """Return a PipelineVersion, or None where there is none of that name."""
        return self._get(object_path(PLURALS[PIPELINE_VERSION], namespace, name))

    def crd(self, plural: str) -> Object | None:
        """Return the CustomResourceDefinition `{plural}.pipelines.kubeflow.org`, or None."""
        return self._get(
            f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.{GROUP}"
        )

    def webhook_configurations(self) -> list[Object]:
        """Return all validating and mutating webhook configurations, with their kind."""
        found: list[Object] = []
        for plural in _HOOKS:
            kind = "Validating" if plural.startswith("v") else "Mutating"
            items = self._list(f"/apis/admissionregistration.k8s.io/v1/{plural}")
            found += [{**item, "kind": f"{kind}WebhookConfiguration"} for item in items]
        return found

    def can(self, verb: str, resource: str, namespace: str = "", *, group: str = "") -> bool:
        """Tell whether the current user may do something, in a namespace or ("") everywhere."""
        attributes = {"verb": verb, "group": group, "resource": resource, "namespace": namespace}
        answer = self._client.request(
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            body={
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": attributes},
            },
        )
        return bool(answer["status"].get("allowed"))

    def endpoints(self, namespace: str, service: str) -> int | None:
        """Return how many ready endpoints a service has, or None where there is no service."""
        if self._get(f"/api/v1/namespaces/{namespace}/services/{service}") is None:
            return None
        slices = self._list(
            f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
            labelSelector=f"kubernetes.io/service-name={service}",
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
        plural = f"{str(obj['kind']).lower()}s"
        created: Object = self._client.request(
            "POST", object_path(plural, namespace), query={"dryRun": "All"}, body=obj
        )
        return created

    def server_version(self) -> str:
        """Return the API server's version, such as `v1.34.1`."""
        return str(self._client.request("GET", "/version").get("gitVersion", ""))

    def _get(self, path: str) -> Object | None:
        try:
            found: Object = self._client.request("GET", path)
        except ApiError as error:
            if error.code == 404:
                return None
            raise
        return found

    def _list(self, path: str, *, accept: str = "application/json", **query: str) -> list[Object]:
        """Return all objects of a collection, page by page."""
        for attempt in range(2):
            items: list[Object] = []
            token = ""
            try:
                while True:
                    page = {**query, "limit": _PAGE, **({"continue": token} if token else {})}
                    answer = self._client.request("GET", path, query=page, accept=accept)
                    items += answer.get("items") or ()
                    token = (answer.get("metadata") or {}).get("continue") or ""
                    if not token:
                        return items
            except ApiError as error:
                if error.code == 404 and path.startswith(f"/apis/{API_VERSION}"):
                    plural = path.rpartition("/")[2]
                    raise ClusterError(
                        f"the cluster at {self.server} does not know {plural} of {API_VERSION}:"
                        " its CRD is missing (`kfp-k8s crds | kubectl apply -f -` installs it)"
                    ) from error
                # The list grew too old between two pages; it has to be read anew.
                if error.code != 410 or attempt:
                    raise
        raise AssertionError("unreachable")
