"""A cluster as the recorded conversations had it: its namespaces, our webhooks, its controllers."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from kfp_k8s_manifest.cluster import ClusterConfig, load_config
from kfp_k8s_manifest.yaml import load_all
from tests.apiserver.controlplane import ControlPlane
from tests.apiserver.webhook_server import LIST, Webhook
from tests.rest.replay import Command, Scenario

from .granting import grant
from .installations import collection, pipeline, version

NAMESPACE = "kubeflow"
OTHERS = ("alice-ns", "bob-ns")
# The name that KFP gives both configurations of webhooks.
CONFIGURATION = "pipelineversions.pipelines.kubeflow.org"
_KINDS = ("PipelineVersion", "Pipeline")
# The recordings waited as long after each command, for watches and webhooks to be told.
_AFTER_KUBECTL = 0.4
_SECONDS_TO_SETTLE = 30.0


class Kubeflow:
    """The namespaces of the conversations on a running cluster.

    Args:
        plane: The cluster, with our CRDs; its controllers are started.
        folder: An empty folder.
    """

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane = plane
        for name in (NAMESPACE, *OTHERS):
            plane.create_namespace(name)
        watched = [word for name in (NAMESPACE, *OTHERS) for word in ("--watch", name)]
        self._webhook = Webhook.install(
            plane, folder, target="2.17", scope=watched, name="conversations"
        )
        plane.kubectl("delete", "-f", "-", stdin=self._webhook.manifests)
        documents: Any = [each.value for each in load_all(self._webhook.manifests)]
        for document in documents:
            document["metadata"]["name"] = CONFIGURATION
        self._configurations = json.dumps({**LIST, "items": documents})

    @property
    def config(self) -> ClusterConfig:
        """How the server of the API reaches the cluster."""
        return load_config(str(self.plane.kubeconfig))

    def prepare(self, scenario: Scenario) -> None:
        """Empty the store, and let callers do what they may do in a scenario."""
        self.remove_everything()
        self._install_webhooks()
        for user, places in scenario.roles.items():
            for place, verbs in places.items():
                grant(self.plane, user, place, verbs)

    def remove_everything(self) -> None:
        """Remove all pipelines and versions, and wait until they are gone."""
        for kind in _KINDS:
            for place in (NAMESPACE, *OTHERS):
                answer = self.plane.request("DELETE", collection(place, kind))
                assert answer.status == 200, answer.body
        deadline = time.monotonic() + _SECONDS_TO_SETTLE
        while any(self._items(place, kind) for place in (NAMESPACE, *OTHERS) for kind in _KINDS):
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def _items(self, place: str, kind: str) -> list[Any]:
        items: list[Any] = self.plane.request("GET", collection(place, kind)).json()["items"]
        return items

    def _install_webhooks(self) -> None:
        """Install the webhooks where a scenario has removed them, and wait until they are asked."""
        self.plane.kubectl("apply", "-f", "-", stdin=self._configurations)
        self.plane.request("POST", collection(NAMESPACE, "Pipeline"), pipeline("known"))
        lost, broken = version("lost-v1", "lost"), version("known-v1", "known")
        broken["spec"]["pipelineSpec"]["schemaVersion"] = "1"
        deadline = time.monotonic() + _SECONDS_TO_SETTLE
        path = collection(NAMESPACE, "PipelineVersion") + "?dryRun=All"
        for obj in (lost, broken):
            while b"denied the request" not in self.plane.request("POST", path, obj).body:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        self.plane.request("DELETE", f"{collection(NAMESPACE, 'Pipeline')}/known")

    def kubectl(self, arguments: list[str], stdin: str) -> Command:
        """Run kubectl as the cluster's administrator, and let what it did be told."""
        done = self.plane.kubectl(*arguments, stdin=stdin, check=False)
        time.sleep(_AFTER_KUBECTL)
        return Command(exit=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def stop(self) -> None:
        """Stop the webhooks' server."""
        self._webhook.server.stop(grace=0)
