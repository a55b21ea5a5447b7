"""The real webhook server, as a process of its own, behind real webhook configurations."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .certificates import CertificateAuthority
from .processes import Server

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .controlplane import ControlPlane

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "system-of-webhooks"


@dataclass
class Webhook:
    """A running webhook server.

    Attributes:
        plane: The cluster that it is for.
        name: The name of its installation.
        folder: Where its certificate and log lie.
        authority: Who signed its certificate.
        server: The process.
        port: Its port on 127.0.0.1.
        manifests: What its installation consists of.
    """

    plane: ControlPlane
    name: str
    folder: Path
    authority: CertificateAuthority
    server: Server
    port: int
    manifests: str

    @classmethod
    def install(
        cls,
        plane: ControlPlane,
        folder: Path,
        *,
        target: str,
        scope: Sequence[str],
        options: Sequence[str] = (),
        name: str = "hooks",
    ) -> Webhook:
        """Start a server, and apply the configurations that our command writes for it.

        Args:
            plane: The cluster.
            folder: An empty folder.
            target: Whose rules it applies.
            scope: `--watch NAMESPACE` or `--global`.
            options: Further options of `webhook manifests`.
            name: The name of the installation.
        """
        authority = CertificateAuthority(f"{name}-ca")
        authority.issue_server().write(folder, "tls")
        (folder / "ca.pem").write_bytes(authority.certificate)
        kubeconfig = cls._least_privileged(plane, folder, name, scope, target)
        server = cls._start(folder, kubeconfig, target)
        port = cls._port(server, folder)
        command = ["webhook", "manifests", "--name", name, "-n", "default"]
        command += ["--ca-bundle", str(folder / "ca.pem"), "--url", f"https://127.0.0.1:{port}"]
        manifests = run(*command, *scope, *options)
        plane.kubectl("apply", "-f", "-", stdin=manifests)
        return cls(plane, name, folder, authority, server, port, manifests)

    @classmethod
    def _least_privileged(
        cls, plane: ControlPlane, folder: Path, name: str, scope: Sequence[str], target: str
    ) -> Path:
        """Apply the service account and permissions of an installation; log in as it."""
        documents = run(
            *("webhook", "manifests", "--name", name, "-n", "default", "--cert-manager"),
            *("--target", target, "-o", str(folder / "all.json")),
            *scope,
        )
        assert documents == ""
        items = json.loads((folder / "all.json").read_text())["items"]
        return log_in(plane, folder, items, name, "default")

    @staticmethod
    def _start(folder: Path, kubeconfig: Path, target: str, port: int = 0) -> Server:
        return Server(
            "webhook",
            [
                *(sys.executable, "-m", "kfp_k8s_manifest", "webhook", "serve"),
                *("--host", "127.0.0.1", "--port", str(port), "--target", target),
                *("--certificate", folder / "tls.crt", "--key", folder / "tls.key"),
                *("--kubeconfig", kubeconfig, "--reload", "0.2", "--drain", "1"),
            ],
            log_folder=folder,
        )

    @staticmethod
    def _port(server: Server, folder: Path) -> int:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for line in (folder / "webhook.log").read_text().splitlines():
                entry = json.loads(line)
                if entry["message"] == "listening":
                    return int(entry["port"])
            time.sleep(0.1)
        raise AssertionError((folder / "webhook.log").read_text())

    def entries(self) -> list[dict[str, object]]:
        """Return the log, without a line that is being written."""
        lines = (self.folder / "webhook.log").read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def restart(self, target: str) -> None:
        """Start the server anew on the same port, after it was stopped."""
        (self.folder / "webhook.log").unlink()
        self.server = self._start(self.folder, self.folder / "kubeconfig", target, self.port)
        self._port(self.server, self.folder)

    def remove(self) -> None:
        """Remove the configurations, then the server."""
        self.plane.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=self.manifests)
        self.server.stop()


LIST = {"apiVersion": "v1", "kind": "List"}
ACCESS = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")


def log_in(
    plane: ControlPlane, folder: Path, objects: Iterable[Any], account: str, namespace: str
) -> Path:
    """Apply the service account and the permissions of an installation; log in as it.

    Args:
        plane: The cluster.
        folder: Where the configuration is written.
        objects: All objects of the installation.
        account: The name of the service account.
        namespace: Its namespace.

    Returns:
        The configuration.
    """
    access = [each for each in objects if each["kind"] in ACCESS]
    plane.kubectl("apply", "-f", "-", stdin=json.dumps({**LIST, "items": access}))
    token = plane.kubectl("create", "token", account, "-n", namespace).stdout.strip()
    (folder / "cluster-ca.pem").write_bytes(plane.authority.certificate)
    cluster = {"server": plane.server, "certificate-authority": "cluster-ca.pem"}
    config = {
        "clusters": [{"name": "a", "cluster": cluster}],
        "users": [{"name": "a", "user": {"token": token}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "current-context": "a",
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    return path


def run(*arguments: str) -> str:
    """Run our command and return what it printed."""
    import subprocess

    done = subprocess.run(
        [sys.executable, "-m", "kfp_k8s_manifest", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
