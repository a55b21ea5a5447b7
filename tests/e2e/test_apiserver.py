"""The real program `kfp-k8s apiserver` on a real cluster: the store, the client, and both webhooks."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kfp
import pytest

from tests.apiserver.certificates import CertificateAuthority
from tests.rest.client_calls import READS, WRITES, Session, fill
from tests.rest.process import Running, running

from .installations import pipeline, version

if TYPE_CHECKING:
    from .installations import Installation

pytestmark = pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")


@pytest.fixture(scope="module")
def authority() -> CertificateAuthority:
    return CertificateAuthority("apiserver")


@pytest.fixture(scope="module")
def certificates(authority: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    authority.issue_server().write(folder, "tls")
    return folder


@pytest.fixture
def namespace(installation: Installation) -> str:
    return installation.namespace("apiserver")


@pytest.fixture
def server(
    installation: Installation, namespace: str, certificates: Path, tmp_path: Path
) -> Iterator[Running]:
    """The REST API and the webhooks, in one process."""
    options = [
        *("--pipelines-store", "kubernetes"),
        *("--kubeconfig", str(installation.plane.kubeconfig), "--namespace", namespace),
        *("--webhook-host", "127.0.0.1", "--webhook-port", "0", "--target", "2.17"),
        *("--webhook-tls-cert", f"{certificates}/tls.crt"),
        *("--webhook-tls-key", f"{certificates}/tls.key"),
    ]
    with running(tmp_path, *options, servers=2) as found:
        yield found


def review(port: int, authority: CertificateAuthority, obj: dict[str, Any]) -> dict[str, Any]:
    """Have a version judged by the mutating webhook, which looks its Pipeline up."""
    body = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "1",
            "kind": {
                "group": "pipelines.kubeflow.org",
                "version": "v2beta1",
                "kind": "PipelineVersion",
            },
            "operation": "CREATE",
            "namespace": obj["metadata"].get("namespace", ""),
            "object": obj,
        },
    }
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=context)
    headers = {"Content-Type": "application/json"}
    path = "/webhooks/mutate-pipelineversion"
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    assert answer.status == 200, content
    return dict(json.loads(content)["response"])


def test_the_client_gets_what_a_database_gives_it(server: Running, tmp_path: Path) -> None:
    """One table of calls, against the cluster and against a database: field by field the same."""
    (tmp_path / "database").mkdir()
    with running(tmp_path / "database") as other:
        sessions = [
            Session(kfp.Client(host=each.url, namespace="kubeflow"), tmp_path)
            for each in (server, other)
        ]
        answers = []
        for session in sessions:
            fill(session)
            answers.append({**session.play(READS), **session.play(WRITES)})
    of_cluster, of_database = answers
    for name, answer in of_database.items():
        assert of_cluster[name] == answer, name


def test_webhooks_in_the_same_process(
    server: Running, namespace: str, authority: CertificateAuthority
) -> None:
    session = Session(kfp.Client(host=server.url, namespace="kubeflow"), Path())
    body = pipeline("train")
    session.api.pipeline_service_create_pipeline({"name": body["metadata"]["name"]})
    good = version("train-v1", of="train")
    good["metadata"]["namespace"] = namespace
    assert review(server.ports[1], authority, good)["allowed"] is True
    bad = version("train-v1", of="missing")
    bad["metadata"]["namespace"] = namespace
    refused = review(server.ports[1], authority, bad)
    assert refused["allowed"] is False
    # Neither port serves what belongs to the other.
    for port, secure, path in (
        (server.ports[0], False, "/webhooks/validate-pipelineversion"),
        (server.ports[1], True, "/apis/v2beta1/pipelines"),
    ):
        connection: http.client.HTTPConnection
        if secure:
            context = ssl.create_default_context(cadata=authority.certificate.decode())
            connection = http.client.HTTPSConnection("127.0.0.1", port, context=context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", path)
        assert connection.getresponse().status in (404, 405)
        connection.close()


def test_webhooks_alone(
    installation: Installation,
    namespace: str,
    certificates: Path,
    authority: CertificateAuthority,
    tmp_path: Path,
) -> None:
    options = [
        "--global-kubernetes-webhook-mode",
        *("--kubeconfig", str(installation.plane.kubeconfig)),
        *("--webhook-host", "127.0.0.1", "--webhook-port", "0"),
        *("--webhook-tls-cert", f"{certificates}/tls.crt"),
        *("--webhook-tls-key", f"{certificates}/tls.key"),
    ]
    installation.post(namespace, pipeline("train"))
    with running(tmp_path, *options) as found:
        good = version("train-v1", of="train")
        good["metadata"]["namespace"] = namespace
        assert review(found.ports[0], authority, good)["allowed"] is True
        assert len(found.entries("listening")) == 1
    # Nothing else is there: no database was made.
    assert not list(tmp_path.glob("*.db"))


def test_without_the_webhooks(installation: Installation, namespace: str, tmp_path: Path) -> None:
    kubeconfig = str(installation.plane.kubeconfig)
    options = ["--pipelines-store", "kubernetes", "--disable-webhook", "--kubeconfig", kubeconfig]
    with running(tmp_path, *options, "-n", namespace) as found:
        health = kfp.Client(host=found.url, namespace="kubeflow").get_kfp_healthz()
        assert health.multi_user is False
        assert len(found.entries("listening")) == 1


def test_a_cluster_that_is_not_there(tmp_path: Path) -> None:
    import subprocess
    import sys

    config = tmp_path / "config"
    config.write_text(
        json.dumps(
            {
                "clusters": [{"name": "a", "cluster": {"server": "http://127.0.0.1:9"}}],
                "contexts": [{"name": "a", "context": {"cluster": "a"}}],
                "current-context": "a",
            }
        )
    )
    command = [sys.executable, "-m", "kfp_k8s_manifest", "apiserver", "--port", "0"]
    options = ["--pipelines-store", "kubernetes", "--disable-webhook", "--kubeconfig", str(config)]
    result = subprocess.run(
        [*command, *options], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith("Error: ")
    assert "127.0.0.1:9" in last
