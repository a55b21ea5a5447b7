"""The API server calls webhooks over TLS with certificates of the tests' own authority."""

from __future__ import annotations

import base64
import datetime
import http.server
import json
import ssl
import threading
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from .certificates import CertificateAuthority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .certificates import KeyPair
    from .controlplane import ControlPlane

MESSAGE = "the webhook says no"


class Refuse(http.server.BaseHTTPRequestHandler):
    """A webhook that refuses everything."""

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        response = {"uid": review["request"]["uid"], "allowed": False}
        review = {
            "apiVersion": review["apiVersion"],
            "kind": review["kind"],
            "response": {**response, "status": {"message": MESSAGE, "code": 403}},
        }
        body = json.dumps(review).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class QuietServer(http.server.ThreadingHTTPServer):
    """A server that does not print a refused handshake, which is what some tests are about."""

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@pytest.fixture(scope="module")
def authority() -> CertificateAuthority:
    return CertificateAuthority("webhook-ca")


@pytest.fixture
def namespace(control_plane: ControlPlane) -> str:
    return control_plane.create_namespace(f"webhook-{uuid.uuid4().hex[:8]}")


@contextmanager
def serving(pair: KeyPair, folder: Path) -> Iterator[int]:
    """Serve the webhook on a free port, which is the value."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair.write(folder, "webhook"))
    with QuietServer(("127.0.0.1", 0), Refuse) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def configuration(kind: str, namespace: str, port: int, bundle: bytes) -> dict[str, object]:
    webhook = {
        "name": "refuse.example.com",
        "clientConfig": {
            "url": f"https://127.0.0.1:{port}/",
            "caBundle": base64.b64encode(bundle).decode(),
        },
        "rules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": ["configmaps"],
            }
        ],
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [webhook],
    }


def refusal(
    plane: ControlPlane, kind: str, namespace: str, port: int, bundle: bytes, *, seconds: float = 20
) -> str:
    """Install a webhook, and return why a ConfigMap cannot be created."""
    installed = configuration(kind, namespace, port, bundle)
    plane.kubectl("create", "-f", "-", stdin=json.dumps(installed))
    try:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            # The server learns of a new configuration a moment after it is stored.
            done = plane.kubectl(
                *("create", "configmap", "x", "-n", namespace, "--dry-run=server"), check=False
            )
            if done.returncode != 0:
                return done.stderr
            time.sleep(0.1)
        raise AssertionError(f"the webhook was not called within {seconds:g} s")
    finally:
        plane.kubectl("delete", f"{kind}WebhookConfiguration", namespace)


@pytest.mark.parametrize("kind", ["Mutating", "Validating"])
def test_the_api_server_trusts_our_authority(
    control_plane: ControlPlane,
    authority: CertificateAuthority,
    namespace: str,
    tmp_path: Path,
    kind: str,
) -> None:
    with serving(authority.issue_server(), tmp_path) as port:
        said = refusal(control_plane, kind, namespace, port, authority.certificate)

        assert f'admission webhook "refuse.example.com" denied the request: {MESSAGE}' in said


@pytest.mark.parametrize(
    ("reason", "hosts", "hours", "trusted"),
    [
        ("certificate signed by unknown authority", ["127.0.0.1"], 1, False),
        ("certificate has expired", ["127.0.0.1"], -1, True),
        ("certificate is valid for 127.0.0.2, not 127.0.0.1", ["127.0.0.2"], 1, True),
    ],
)
def test_the_api_server_checks_the_certificate(
    control_plane: ControlPlane,
    authority: CertificateAuthority,
    namespace: str,
    tmp_path: Path,
    reason: str,
    hosts: list[str],
    hours: int,
    trusted: bool,
) -> None:
    pair = authority.issue_server(hosts, lifetime=datetime.timedelta(hours=hours))
    bundle = (authority if trusted else CertificateAuthority("webhook-ca")).certificate
    with serving(pair, tmp_path) as port:
        said = refusal(control_plane, "Validating", namespace, port, bundle)

        assert 'failed calling webhook "refuse.example.com"' in said
        assert reason in said
