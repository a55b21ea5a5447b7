"""The real program `kfp-k8s apiserver` on a real cluster: the store, the client, and both webhooks."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kfp
import kfp_server_api
import pytest

from tests.apiserver.certificates import CertificateAuthority
from tests.rest.client_calls import READS, WRITES, Session, fill
from tests.rest.process import Running, running
from tests.rest.serving import HELLO

from .granting import grant, let_ask
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


@pytest.mark.parametrize("store", ["kubernetes", "database"])
def test_many_users(installation: Installation, namespace: str, tmp_path: Path, store: str) -> None:
    """The cluster's own roles decide, asked by an account that may ask and, for objects, write."""
    plane = installation.plane
    account = f"server-of-{namespace}"
    let_ask(plane, account)
    verbs = ["create", "get", "list", "update", "delete"]
    kinds = ("pipelines", "pipelineversions")
    grant(plane, "alice@example.com", namespace, verbs, kinds)
    grant(plane, "carol@example.com", namespace, ["get", "list"], kinds)
    options = ["--pipelines-store", store, "--multi-user", "--namespace", "kubeflow"]
    if store == "kubernetes":
        options.append("--disable-webhook")
        kubeconfig = installation.plane.kubeconfig
    else:
        kubeconfig = plane.user_kubeconfig(account)
    # As Kubeflow's installations have it: the variable for the prefix is set, and empty.
    env = {"KUBEFLOW_USERID_HEADER": "kubeflow-userid", "KUBEFLOW_USERID_PREFIX": ""}
    with running(tmp_path, *options, "--kubeconfig", str(kubeconfig), env=env) as found:
        alice = _client(found, "alice@example.com")
        made = alice.upload_pipeline(_package(tmp_path), "train", namespace=namespace)
        assert made.namespace == namespace
        listed = alice.list_pipelines(namespace=namespace)
        assert [each.name for each in listed.pipelines] == ["train"]
        carol = _client(found, "carol@example.com")
        versions = carol.list_pipeline_versions(made.pipeline_id)
        assert versions.total_size == 1
        for user, status in (("carol@example.com", 403), ("mallory", 403), ("", 401)):
            client = _client(found, user)
            with pytest.raises(kfp_server_api.ApiException) as caught:
                client.delete_pipeline(made.pipeline_id)
            assert caught.value.status == status
        with pytest.raises(kfp_server_api.ApiException) as caught:
            _client(found, "mallory").list_pipelines(namespace=namespace)
        assert f"Namespace:{namespace},Verb:list" in caught.value.body
        client = _client(found, "mallory")
        with pytest.raises(kfp_server_api.ApiException) as caught:
            client.get_pipeline_version(
                made.pipeline_id, versions.pipeline_versions[0].pipeline_version_id
            )
        assert caught.value.status == 403
    assert "alice" not in "".join(str(each) for each in found.entries("call"))


def test_the_kep_asks_for_versions_too(
    installation: Installation, namespace: str, tmp_path: Path
) -> None:
    """A user who may do everything to pipelines and nothing to versions: `kep` refuses, `pipelines` does not."""
    grant(installation.plane, "dave@example.com", namespace, ["create", "get", "list"])
    options = ["--pipelines-store", "kubernetes", "--multi-user", "--disable-webhook"]
    options += ["--kubeconfig", str(installation.plane.kubeconfig), "--identity-header", "who"]
    env = {"KUBEFLOW_USERID_PREFIX": ""}
    for authorize, refused in (("kep", True), ("pipelines", False)):
        with running(tmp_path, *options, "--authorize", authorize, env=env) as found:
            client = _client(found, "dave@example.com", header="who")
            assert client.list_pipelines(namespace=namespace).total_size is None
            if refused:
                with pytest.raises(kfp_server_api.ApiException) as caught:
                    client.upload_pipeline(_package(tmp_path), "train", namespace=namespace)
                assert caught.value.status == 400
            else:
                client.upload_pipeline(_package(tmp_path), "train", namespace=namespace)


def _client(server: Running, user: str, header: str = "kubeflow-userid") -> kfp.Client:
    client = kfp.Client(host=server.url, namespace="kubeflow")
    if user:
        for api in (client._pipelines_api, client._upload_api):
            api.api_client.set_default_header(header, user)
    return client


def _package(folder: Path) -> str:
    path = folder / "hello.yaml"
    path.write_text(HELLO)
    return str(path)
