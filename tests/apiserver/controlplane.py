"""A real Kubernetes control plane for the tests: etcd, kube-apiserver, our controllers.

Everything listens on 127.0.0.1, on free ports, and lives in one temporary folder. Requests are
authorised with RBAC, admission is Kubernetes' default (both admission webhook plugins included),
and users are made by signing client certificates, so that least-privilege rules can be tested.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .certificates import CertificateAuthority, KeyPair, signing_keys
from .kubectl import Kubectl
from .processes import Server, free_ports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

ADMINISTRATOR = "test-administrator"
CONTROLLERS = "kube-controllers"
_SECONDS_TO_START = 120.0
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What the API server answered.

    Attributes:
        status: the HTTP code.
        headers: the header fields.
        body: the body as it came.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body, parsed as JSON."""
        return json.loads(self.body)


class ControlPlane:
    """A running control plane; use it as a context manager.

    Args:
        binaries: the folder with the programs.
        folder: an empty folder of this control plane's own; logs stay there.

    Attributes:
        server: the API server's URL.
        kubectl: kubectl as the cluster's administrator.
    """

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self.folder = folder
        self.authority = CertificateAuthority("test-cluster-ca")
        self.server = ""
        self._servers: list[Server] = []
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._administrator = self.authority.issue_client(ADMINISTRATOR, ["system:masters"])
        home = folder / "home"
        home.mkdir(parents=True)
        self.kubeconfig = folder / "administrator.kubeconfig"
        self.kubectl = Kubectl(program=binaries / "kubectl", home=home, kubeconfig=self.kubeconfig)

    def __enter__(self) -> ControlPlane:
        attempt = 1
        while not self._try_to_start(self.folder / f"try-{attempt}", last=attempt == _ATTEMPTS):
            attempt += 1
        return self

    def _try_to_start(self, folder: Path, *, last: bool) -> bool:
        """Start everything; return False if another try with other ports may succeed."""
        try:
            self._start(folder)
        except BaseException as error:
            # Control-C included: nothing may go on running.
            self.stop()
            if last or "address already in use" not in str(error):
                raise
            return False
        return True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _start(self, folder: Path) -> None:
        folder.mkdir()
        etcd_port, peer_port, api_port = free_ports(3)
        etcd_url = f"http://127.0.0.1:{etcd_port}"
        etcd = self._launch(
            "etcd",
            [
                f"--data-dir={folder / 'etcd'}",
                f"--listen-client-urls={etcd_url}",
                f"--advertise-client-urls={etcd_url}",
                f"--listen-peer-urls=http://127.0.0.1:{peer_port}",
                # A test run's data need not survive a power cut.
                "--unsafe-no-fsync",
            ],
            folder,
        )
        etcd.wait_until(lambda: _answers(etcd_port, "/health"), seconds=_SECONDS_TO_START)
        self.server = f"https://127.0.0.1:{api_port}"
        self.write_kubeconfig(self.kubeconfig, self._administrator)
        self._contexts.clear()
        api = self._launch("kube-apiserver", self._api_flags(folder, etcd_url, api_port), folder)
        api.wait_until(self._is_ready, seconds=_SECONDS_TO_START)

    def _api_flags(self, folder: Path, etcd_url: str, port: int) -> list[str]:
        """Write the API server's keys and return its command line."""
        authority = folder / "ca.crt"
        authority.write_bytes(self.authority.certificate)
        serving, serving_key = self.authority.issue_server().write(folder, "apiserver")
        private, public = signing_keys()
        tokens = KeyPair(certificate=public, key=private)
        token_public, token_private = tokens.write(folder, "service-accounts")
        return [
            f"--etcd-servers={etcd_url}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--tls-cert-file={serving}",
            f"--tls-private-key-file={serving_key}",
            f"--client-ca-file={authority}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
            # A loopback address is no valid endpoint of the service "kubernetes".
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={token_public}",
            f"--service-account-signing-key-file={token_private}",
        ]

    def _launch(self, name: str, flags: Sequence[str], folder: Path) -> Server:
        server = Server(name, [self._binaries / name, *flags], log_folder=folder, environ={})
        self._servers.append(server)
        return server

    def _is_ready(self) -> bool:
        # The namespace "default" is made by the server itself, a moment after it is ready.
        try:
            return all(
                self.request("GET", path).status == http.client.OK
                for path in ("/readyz", "/api/v1/namespaces/default")
            )
        except OSError:
            return False

    def stop(self) -> None:
        """End every process, the youngest first."""
        while self._servers:
            # Nothing that they could still save is of any use.
            self._servers.pop().stop(grace=2)

    @property
    def has_controllers(self) -> bool:
        """Whether garbage collection can be tested: the envtest programs have none."""
        return (self._binaries / CONTROLLERS).is_file()

    def start_controllers(self) -> Server:
        """Start the garbage collector and the namespace controller.

        They look for new resource types every second.
        """
        return self._launch(
            CONTROLLERS, [f"--kubeconfig={self.kubeconfig}", "--resync=1s"], self.folder
        )

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        user: KeyPair | None = None,
        timeout: float = 60,
    ) -> Response:
        """Send one HTTP request to the API server.

        Args:
            method: the HTTP method.
            path: path and query.
            body: bytes or text as they are, anything else as JSON; None for no body.
            content_type: of the body.
            headers: further header fields.
            user: the client certificate to send; the administrator's if None.
            timeout: seconds for each step of the exchange.

        Returns:
            The answer, whatever its code.
        """
        if isinstance(body, str):
            body = body.encode()
        elif body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        context = self._context(user or self._administrator)
        target = urlsplit(self.server)
        connection = http.client.HTTPSConnection(
            target.hostname or "", target.port, timeout=timeout, context=context
        )
        sent = {"Accept": "application/json", **(headers or {})}
        if body is not None:
            sent["Content-Type"] = content_type
        with contextlib.closing(connection):
            connection.request(method, path, body=body, headers=sent)
            answer = connection.getresponse()
            return Response(
                status=answer.status, headers=dict(answer.getheaders()), body=answer.read()
            )

    def _context(self, user: KeyPair) -> ssl.SSLContext:
        """Return the TLS settings of a user; made once, since Python reads keys from files."""
        name = user.certificate.decode()
        if name not in self._contexts:
            context = ssl.create_default_context(cadata=self.authority.certificate.decode())
            paths = user.write(self.folder, f"user-{len(self._contexts)}")
            context.load_cert_chain(*paths)
            self._contexts[name] = context
        return self._contexts[name]

    def create_namespace(self, name: str, labels: Mapping[str, str] | None = None) -> str:
        """Create a namespace and return its name.

        Raises:
            AssertionError: if the server refuses, for instance because it exists.
        """
        metadata = {"name": name, "labels": dict(labels or {})}
        answer = self.request(
            "POST",
            "/api/v1/namespaces",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata},
        )
        if answer.status != http.client.CREATED:
            raise AssertionError(f"creating the namespace {name}: {answer.body.decode()}")
        return name

    def user(self, name: str, groups: Sequence[str] = ()) -> KeyPair:
        """Return a client certificate of a user, who has no permission by being made."""
        return self.authority.issue_client(name, groups)

    def user_kubeconfig(self, name: str, groups: Sequence[str] = ()) -> Path:
        """Return a kubeconfig of a user, who has no permission by being made."""
        path = self.folder / f"{base64.b32encode(name.encode()).decode().rstrip('=')}.kubeconfig"
        self.write_kubeconfig(path, self.user(name, groups))
        return path

    def kubectl_as(self, name: str, groups: Sequence[str] = ()) -> Kubectl:
        """Return kubectl with the credentials of a user."""
        return Kubectl(
            program=self.kubectl.program,
            home=self.kubectl.home,
            kubeconfig=self.user_kubeconfig(name, groups),
        )

    def write_kubeconfig(self, path: Path, user: KeyPair) -> None:
        """Write a kubeconfig for a client certificate, with everything inside one file."""

        def encode(data: bytes) -> str:
            return base64.b64encode(data).decode()

        cluster = {
            "server": self.server,
            "certificate-authority-data": encode(self.authority.certificate),
        }
        credentials = {
            "client-certificate-data": encode(user.certificate),
            "client-key-data": encode(user.key),
        }
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": credentials}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        }
        path.touch(mode=0o600)
        # JSON is YAML too, and needs no library.
        path.write_text(json.dumps(config, indent=2), encoding="utf-8")

    def logs(self, *, lines: int) -> str:
        """Return the last lines of every log, for a failure's report."""
        parts = []
        for path in sorted(self.folder.rglob("*.log")):
            text = path.read_text(encoding="utf-8", errors="replace").splitlines()
            parts.append("\n".join([f"--- {path.relative_to(self.folder)}", *text[-lines:]]))
        return "\n".join(parts)


def _answers(port: int, path: str) -> bool:
    """Return whether a plain HTTP server on 127.0.0.1 answers a GET with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    with contextlib.closing(connection):
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
