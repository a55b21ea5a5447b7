"""The real webhook server in a process of its own, with the memory that its manifest gives it."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfp_k8s_manifest.installation.webhooks import InstallOptions, install_manifests
from tests.apiserver.certificates import CertificateAuthority
from tests.conftest import ROOT

__all__ = ["Attacked", "attacked", "end", "manifest", "program"]

# The limit counts for addresses, of which a program takes more than it uses: so it is the harder one.
_LIMITED = """
import resource, runpy, sys
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
runpy.run_module("kfp_k8s_manifest", run_name="__main__", alter_sys=True)
"""


def program(limit: int | None) -> list[str]:
    """Return the beginning of our command line, with so many bytes of memory, or (None) any."""
    begin = ["-m", "kfp_k8s_manifest"] if limit is None else ["-c", _LIMITED, str(limit)]
    return [sys.executable, *begin]


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end; end it where it does not."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass
class Attacked:
    """A server that is about to be attacked.

    Attributes:
        process: The process.
        port: Its port on 127.0.0.1.
        authority: The file with the authority of its certificate.
        log: Its log.
    """

    process: subprocess.Popen[bytes]
    port: int
    authority: Path
    log: Path

    def connection(self, timeout: float = 60.0) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=str(self.authority))
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=context)

    def post(self, path: str, body: bytes, timeout: float = 60.0) -> tuple[int, bytes]:
        """Send a request over a new connection."""
        connection = self.connection(timeout)
        try:
            connection.request(
                "POST", path, body=body, headers={"Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def peak(self) -> float:
        """Return the most memory that the server has had, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def manifest() -> tuple[int, dict[str, str]]:
    """Return the memory limit of our own manifest, in MiB, and the environment."""
    options = InstallOptions(name="a", namespace="a", image="a", target="2.17", namespaces=("a",))
    (deployment,) = (d for d in install_manifests(options) if d["kind"] == "Deployment")
    container: Any = deployment["spec"]["template"]["spec"]["containers"][0]  # type: ignore[index,call-overload]
    limit = container["resources"]["limits"]["memory"]
    assert limit.endswith("Mi")
    return int(limit[:-2]), {each["name"]: each["value"] for each in container["env"]}


@contextmanager
def attacked(
    folder: Path, api: str, *, limited: bool = True, options: tuple[str, ...] = ()
) -> Iterator[Attacked]:
    """Run a server with the memory limit of the manifest.

    Args:
        folder: An empty folder.
        api: The URL of the Kubernetes API.
        limited: False to leave the limit out, to see how much is taken.
        options: Further options of `webhook serve`.
    """
    authority = CertificateAuthority("attacked")
    authority.issue_server().write(folder, "tls")
    (folder / "ca.pem").write_bytes(authority.certificate)
    config = {
        "clusters": [{"name": "a", "cluster": {"server": api}}],
        "contexts": [{"name": "a", "context": {"cluster": "a"}}],
        "current-context": "a",
    }
    (folder / "config").write_text(json.dumps(config))
    limit, environment = manifest()
    command = [
        *program(limit * 2**20 if limited else None),
        "webhook",
        "serve",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
    ]
    command += ["--certificate", f"{folder}/tls.crt", "--key", f"{folder}/tls.key", "--drain", "0"]
    command += ["--target", "2.17", "--kubeconfig", f"{folder}/config", *options]
    log = folder / "log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stderr=stderr
        )
    try:
        yield Attacked(process, _port(process, log), folder / "ca.pem", log)
    finally:
        end(process)


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_text().splitlines():
            entry = json.loads(line)
            if entry["message"] == "listening":
                return int(entry["port"])
        time.sleep(0.05)
    raise AssertionError(log.read_text())
