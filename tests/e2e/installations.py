"""Clusters with our CRDs and our webhooks, for every target, with few API servers.

A cluster has one version of the CRDs, so each generation of them needs an API server of its own.
Inside one, the webhooks of several targets stand side by side: each judges the namespaces that
carry its label.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kfp_k8s_manifest.installation.crds import crds
from kfp_k8s_manifest.model.kinds import GROUP, PLURALS
from kfp_k8s_manifest.releases import target as find_target
from tests.apiserver.controlplane import ControlPlane
from tests.apiserver.webhook_server import LIST, Webhook

if TYPE_CHECKING:
    from pathlib import Path

    from tests.apiserver.controlplane import Response

API = f"{GROUP}/v2beta1"
LABEL = "e2e.example.com/target"
_SECONDS_TO_SETTLE = 30.0


@dataclass(kw_only=True)
class Installation:
    """One target's webhooks on a running cluster.

    Attributes:
        target: The target whose rules the webhook server applies; a single release by its own
            name, such as 2.17.0.
        plane: The cluster, which has this target's CRDs.
        webhook: The server's process, behind webhook configurations.
    """

    target: str
    plane: ControlPlane
    webhook: Webhook
    _namespaces: int = field(default=0, init=False)

    def namespace(self, prefix: str) -> str:
        """Create a new namespace whose objects these webhooks judge, and return its name."""
        self._namespaces += 1
        slug = self.target.replace(".", "-")
        return self.create_namespace(f"{prefix}-{slug}-{self._namespaces}")

    def create_namespace(self, name: str) -> str:
        """Create a namespace of that name whose objects these webhooks judge."""
        return self.plane.create_namespace(name, {LABEL: self.target})

    def post(self, namespace: str, obj: Any, **query: str) -> Response:
        """Create an object as kubectl does, with unknown fields refused.

        Args:
            namespace: Where it is created.
            obj: The object.
            query: Further parameters, such as `dryRun="All"`.
        """
        path = collection(namespace, obj["kind"])
        text = "&".join(f"{key}={value}" for key, value in query.items())
        return self.plane.request("POST", f"{path}?fieldValidation=Strict&{text}", obj)

    def stored(self, namespace: str, kind: str = "PipelineVersion") -> dict[str, dict[str, Any]]:
        """Return all objects of a kind in a namespace, by name."""
        answer = self.plane.request("GET", collection(namespace, kind))
        assert answer.status == 200, answer.body
        return {item["metadata"]["name"]: item for item in answer.json()["items"]}


class Installations:
    """Starts what is asked for, once, and stops all of it at the end.

    Args:
        binaries: The folder with etcd, kube-apiserver and kubectl.
        folder: An empty folder.
    """

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._folder = folder
        self._planes: dict[str, ControlPlane] = {}
        self._installed: dict[tuple[str, ...], Installation] = {}

    def __call__(self, target: str) -> Installation:
        """Return the installation of a target; the first call starts it.

        Targets of the same releases, such as 2.17 and 2.17.0, share one.
        """
        key = tuple(release.name for release in find_target(target).releases)
        if key not in self._installed:
            self._installed[key] = self._install(key[0] if len(key) == 1 else target)
        return self._installed[key]

    def plane(self, target: str) -> ControlPlane:
        """Return the cluster that has the CRDs of a target; the first call starts it."""
        documents = json.dumps({**LIST, "items": crds(find_target(target))})
        if documents not in self._planes:
            plane = ControlPlane(self._binaries, self._folder / f"plane-{len(self._planes)}")
            plane.__enter__()
            # Known from now on, so that it is stopped whatever happens.
            self._planes[documents] = plane
            plane.kubectl("apply", "--server-side", "-f", "-", stdin=documents)
            names = [f"crd/{plural}.{GROUP}" for plural in PLURALS.values()]
            plane.kubectl("wait", "--for=condition=Established", *names)
        return self._planes[documents]

    def _install(self, target: str) -> Installation:
        plane = self.plane(target)
        slug = target.replace(".", "-")
        folder = self._folder / f"webhook-{slug}"
        folder.mkdir()
        selector = ["--namespace-selector", f"{LABEL}={target}"]
        webhook = Webhook.install(plane, folder, target=target, scope=selector, name=f"e2e-{slug}")
        installation = Installation(target=target, plane=plane, webhook=webhook)
        _settle(installation)
        return installation

    @property
    def planes(self) -> list[ControlPlane]:
        """The clusters that run."""
        return list(self._planes.values())

    def stop(self) -> None:
        """Stop every server."""
        servers = [installation.webhook.server for installation in self._installed.values()]
        with ThreadPoolExecutor() as pool:
            # They wait for reviews that nobody will send.
            list(pool.map(lambda server: server.stop(grace=0), servers))
            list(pool.map(ControlPlane.stop, self._planes.values()))
        self._installed.clear()
        self._planes.clear()


def _settle(installation: Installation) -> None:
    """Wait until the API server asks both webhooks, of which it learns one by one."""
    namespace = installation.namespace("settle")
    created = installation.post(namespace, pipeline("known"))
    assert created.status == 201, created.body
    lost, broken = version("lost-v1", "lost"), version("known-v1", "known")
    broken["spec"]["pipelineSpec"]["schemaVersion"] = "1"
    deadline = time.monotonic() + _SECONDS_TO_SETTLE
    for obj in (lost, broken):
        while True:
            answer = installation.post(namespace, obj, dryRun="All")
            if b"denied the request" in answer.body:
                break
            assert time.monotonic() < deadline, answer.body
            time.sleep(0.1)


def collection(namespace: str, kind: str) -> str:
    """Return the path of all objects of one kind in a namespace."""
    return f"/apis/{API}/namespaces/{namespace}/{PLURALS[kind]}"


def pipeline(name: str, **spec: Any) -> dict[str, Any]:
    """Return a Pipeline without a namespace."""
    return {"apiVersion": API, "kind": "Pipeline", "metadata": {"name": name}, "spec": spec}


def version(name: str, of: str, **spec: Any) -> dict[str, Any]:
    """Return a PipelineVersion without a namespace, which every target takes."""
    content = {
        "pipelineInfo": {"name": name},
        "root": {"dag": {"tasks": {}}},
        "schemaVersion": "2.1.0",
    }
    return {
        "apiVersion": API,
        "kind": "PipelineVersion",
        "metadata": {"name": name},
        "spec": {"pipelineName": of, "pipelineSpec": content, **spec},
    }
