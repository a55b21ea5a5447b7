"""A cluster as the recorded conversations had it: namespaces, controllers, our server with its webhooks."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.request
from pathlib import Path
from typing import Any

from kfp_k8s_manifest.cluster import ClusterConfig, load_config
from kfp_k8s_manifest.installation.crds import crds
from kfp_k8s_manifest.installation.parts import Installation
from kfp_k8s_manifest.installation.webhooks import WebhookOptions, webhook_configurations
from kfp_k8s_manifest.model.kinds import GROUP, PLURALS
from kfp_k8s_manifest.releases import target
from tests.apiserver.certificates import CertificateAuthority
from tests.apiserver.controlplane import ControlPlane
from tests.apiserver.webhook_server import LIST, log_in, run
from tests.rest.process import Running, running
from tests.rest.replay import Command, Scenario

from .granting import grant
from .installations import collection, pipeline, version

NAMESPACE = "kubeflow"
PLACES = (NAMESPACE, "alice-ns", "bob-ns")
TARGET = "2.17"
HEADER = "kubeflow-userid"
# The name that KFP gives both configurations of webhooks.
CONFIGURATION = f"{PLURALS['PipelineVersion']}.{GROUP}"
# Sees what there is in all namespaces.
_WATCHER = "watcher@example.com"
_KINDS = ("PipelineVersion", "Pipeline")
# The recordings waited as long after each command, for watches and webhooks to be told.
_AFTER_KUBECTL = 0.4
_SECONDS_TO_SETTLE = 30.0


class Kubeflow:
    """A cluster with our CRDs, and two servers of the REST API with the permissions that we write.

    One is in single-user mode, the other in multi-user mode; each has the webhooks in its process.

    Args:
        binaries: The folder with the cluster's programs.
        folder: An empty folder.

    Attributes:
        plane: The cluster.
        single: The server in single-user mode.
        multi: The server in multi-user mode.
    """

    plane: ControlPlane
    single: Running
    multi: Running

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._folder = folder
        self._stack = contextlib.ExitStack()
        # Whose webhooks are installed, and what callers may do.
        self._judging: Running | None = None
        self._granted: object = None

    def __enter__(self) -> Kubeflow:
        with contextlib.ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self, stack: contextlib.ExitStack) -> None:
        self.plane = stack.enter_context(ControlPlane(self._binaries, self._folder / "plane"))
        documents = json.dumps({**LIST, "items": crds(target(TARGET))})
        self.plane.kubectl("apply", "--server-side", "-f", "-", stdin=documents)
        names = [f"crd/{plural}.{GROUP}" for plural in PLURALS.values()]
        self.plane.kubectl("wait", "--for=condition=Established", *names)
        self.plane.start_controllers()
        for name in PLACES:
            self.plane.create_namespace(name)
            grant(self.plane, _WATCHER, name, ["list"])
        certificate = self._certificate()
        self.single = self._serve(stack, "single", *certificate)
        self.multi = self._serve(
            stack,
            "multi",
            *("--multi-user", "--authorize", "pipelines", *certificate),
            *("--identity-header", HEADER, "--identity-prefix", ""),
        )

    def _certificate(self) -> list[str]:
        """Make the webhooks' certificate; return the options that name it."""
        authority = CertificateAuthority("webhooks")
        certificate, key = authority.issue_server().write(self._folder, "webhooks")
        self._authority = authority.certificate.decode()
        options = {"cert": certificate, "key": key}
        return [
            word for name, path in options.items() for word in (f"--webhook-tls-{name}", str(path))
        ]

    def _serve(self, stack: contextlib.ExitStack, name: str, *options: str) -> Running:
        """Start a server with an account of its own."""
        folder = self._folder / name
        folder.mkdir()
        kubeconfig = self._account(folder, name, multi_user="--multi-user" in options)
        return stack.enter_context(
            running(
                folder,
                *("--pipelines-store", "kubernetes", "--namespace", NAMESPACE),
                *("--kubeconfig", str(kubeconfig), "--target", TARGET, *options),
                *("--webhook-host", "127.0.0.1", "--webhook-port", "0"),
                servers=2,
            )
        )

    def _account(self, folder: Path, name: str, *, multi_user: bool) -> Path:
        """Make the account and the permissions that our manifests state; log in as it."""
        mode = ["--multi-user"] if multi_user else []
        run(
            *("apiserver", "manifests", "--name", name, "-n", NAMESPACE, "--disable-webhook"),
            *("--insecure-http", "-o", str(folder / "all.json"), *mode),
        )
        items = json.loads((folder / "all.json").read_text())["items"]
        return log_in(self.plane, folder, items, name, NAMESPACE)

    @property
    def config(self) -> ClusterConfig:
        """The configuration with the permissions of the server in single-user mode."""
        return load_config(str(self._folder / "single" / "kubeconfig"))

    @property
    def reviewer(self) -> ClusterConfig:
        """The configuration with the permissions of the server in multi-user mode."""
        return load_config(str(self._folder / "multi" / "kubeconfig"))

    def prepare(self, scenario: Scenario) -> None:
        """Empty the store, and let callers do what they may do in a scenario."""
        judging = self.multi if scenario.multi_user else self.single
        if self._judging is not judging:
            self._install_webhooks(judging, PLACES[-1] if scenario.multi_user else NAMESPACE)
            self._judging = judging
        self._remove_everything()
        self.grant(scenario)

    def grant(self, scenario: Scenario) -> None:
        """Let callers do what they may do in a scenario, and nothing else."""
        if scenario.roles == self._granted:
            return
        self._granted = scenario.roles
        for user, places in scenario.roles.items():
            for place in PLACES:
                grant(self.plane, user, place, places.get(place, []))

    def _remove_everything(self) -> None:
        """Remove all pipelines and versions, and wait until the servers know it."""
        for kind in _KINDS:
            for place in PLACES:
                answer = self.plane.request("DELETE", collection(place, kind))
                assert answer.status == 200, answer.body
        deadline = time.monotonic() + _SECONDS_TO_SETTLE
        while self._left():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def _left(self) -> bool:
        """Tell whether a server still lists something."""
        urls = [f"{self.single.url}/apis/v2beta1/pipelines"]
        urls += [f"{self.multi.url}/apis/v2beta1/pipelines?namespace={place}" for place in PLACES]
        for url in urls:
            request = urllib.request.Request(url, headers={HEADER: _WATCHER})
            with urllib.request.urlopen(request, timeout=30) as answer:
                if json.load(answer):
                    return True
        return False

    def _install_webhooks(self, server: Running, place: str) -> None:
        """Install a server's webhooks, and wait until they judge what is put into a namespace."""
        (port,) = [int(each["port"]) for each in server.entries("listening") if each["tls"]]
        documents: Any = webhook_configurations(
            Installation(name="webhooks", namespace=NAMESPACE, app="kfp-k8s-webhook"),
            WebhookOptions(
                everywhere=True,
                ca_bundle=self._authority,
                url=f"https://127.0.0.1:{port}",
            ),
            port=port,
        )
        for document in documents:
            document["metadata"]["name"] = CONFIGURATION
        self.plane.kubectl("apply", "-f", "-", stdin=json.dumps({**LIST, "items": documents}))
        self.plane.request("POST", collection(place, "Pipeline"), pipeline("known"))
        broken = version("known-v1", "known")
        broken["spec"]["pipelineSpec"]["schemaVersion"] = "1"
        path = collection(place, "PipelineVersion") + "?dryRun=All"
        deadline = time.monotonic() + _SECONDS_TO_SETTLE
        # One is taken and changed, the other refused: both webhooks are asked, and may read.
        for obj, sign in ((version("known-v1", "known"), b"pipeline-id"), (broken, b"must be")):
            while sign not in (body := self.plane.request("POST", path, obj).body):
                assert time.monotonic() < deadline, body
                time.sleep(0.1)

    def kubectl(self, arguments: list[str], stdin: str) -> Command:
        """Run kubectl as the cluster's administrator, and let what it did be told."""
        done = self.plane.kubectl(*arguments, stdin=stdin, check=False)
        if any("webhookconfiguration" in each for each in arguments):
            self._judging = None
        time.sleep(_AFTER_KUBECTL)
        return Command(exit=done.returncode, stdout=done.stdout, stderr=done.stderr)
