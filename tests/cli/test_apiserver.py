"""Wrong usage of `kfp-k8s apiserver`; what it serves is tested in tests/rest."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import Run

PLAIN = (
    "lets everybody on the way read and change what is sent: pass --tls-cert and --tls-key, or"
    " --insecure-http where something in front sees to that"
)
LABEL = (
    "must be a DNS-1123 label: lower-case letters, digits and '-', with a letter or digit at both ends"
    " (for example 'team-a')"
)
NOT_REST = "is about the REST API, which --global-kubernetes-webhook-mode does not serve"
NO_WEBHOOKS = "is about the webhooks, and none are served"
NO_CLUSTER = (
    "is about the cluster, which is asked with --pipelines-store kubernetes or --multi-user"
)
NO_PACKAGES = "is about packages from URLs, which --pipelines-store kubernetes or database takes"
ALONE = ["--global-kubernetes-webhook-mode", "--webhook-tls-cert", "a", "--webhook-tls-key", "b"]
DATABASE = ["--pipelines-store", "database", "--database-secret", "a"]
HTTPS_ALONE = (
    "the webhooks are called over HTTPS alone: pass --webhook-tls-cert and --webhook-tls-key"
)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host", "0.0.0.0"], f"plain HTTP on 0.0.0.0 {PLAIN}"),
        (["--host", ""], f"plain HTTP on all addresses {PLAIN}"),
        (["--host", "example.com"], f"plain HTTP on example.com {PLAIN}"),
        (["--tls-cert", "a"], "--tls-cert and --tls-key belong together"),
        (
            ["--pipelines-store", "kubernetes", "--webhook-tls-key", "a"],
            "--webhook-tls-cert and --webhook-tls-key belong together",
        ),
        (["--pipelines-store", "kubernetes"], f"{HTTPS_ALONE}, or --disable-webhook"),
        (["--global-kubernetes-webhook-mode"], HTTPS_ALONE),
        (
            ["--global-kubernetes-webhook-mode", "--disable-webhook"],
            "--global-kubernetes-webhook-mode and --disable-webhook leave nothing to serve",
        ),
        # What would be ignored.
        (["--folder", "a"], "--folder is about --pipelines-store files"),
        (
            ["--pipelines-store", "files", "--database-url", "sqlite:///a.db"],
            "--database-url is about --pipelines-store database",
        ),
        (["--disable-webhook"], "--disable-webhook is about --pipelines-store kubernetes"),
        (["--webhook-tls-key", "a"], f"--webhook-tls-key {NO_WEBHOOKS}"),
        (["--webhook-host", ""], f"--webhook-host {NO_WEBHOOKS}"),
        (["--webhook-port", "8443"], f"--webhook-port {NO_WEBHOOKS}"),
        (
            ["--pipelines-store", "kubernetes", "--disable-webhook", "--target", "2.17"],
            f"--target {NO_WEBHOOKS}",
        ),
        (["--kubeconfig", "a"], f"--kubeconfig {NO_CLUSTER}"),
        (["--pipelines-store", "files", "--context", "a"], f"--context {NO_CLUSTER}"),
        (
            ["-n", "team-a"],
            "--namespace is about --pipelines-store kubernetes or files, or --multi-user",
        ),
        (["--pipelines-store", "files", "--url-domain", "a"], f"--url-domain {NO_PACKAGES}"),
        (["--pipelines-store", "files", "--no-url-validation"], f"--url-validation {NO_PACKAGES}"),
        (["--no-url-validation", "--url-http"], "--url-http is about --url-validation"),
        (["--reload", "1"], "--reload is about certificates, and none is used"),
        ([*ALONE, "--port", "1"], f"--port {NOT_REST}"),
        ([*ALONE, "--multi-user"], f"--multi-user {NOT_REST}"),
        ([*ALONE, "--tls-cert", "a", "--tls-key", "b"], f"--tls-cert {NOT_REST}"),
        (
            [*ALONE, "--pipelines-store", "database"],
            (
                "--pipelines-store database and --global-kubernetes-webhook-mode contradict each other: the"
                " webhooks are asked about objects of the cluster"
            ),
        ),
        (
            ["--insecure-http", "--tls-cert", "a", "--tls-key", "b"],
            (
                "--insecure-http and --tls-cert exclude each other; a certificate for the webhooks alone is"
                " --webhook-tls-cert"
            ),
        ),
        (
            ["--multi-user", "--authorize", "kep"],
            (
                "--authorize kep is about --pipelines-store kubernetes: of other versions the cluster knows"
                " nothing"
            ),
        ),
        # What could not work.
        (["--pipelines-store", "files", "-n", "A_"], f"--namespace 'A_' {LABEL}"),
        *(
            (
                [*command, "--multi-user", "--identity-header", "a b"],
                "--identity-header 'a b' is no name of a header field (for example kubeflow-userid)",
            )
            for command in ([], ["manifests", "--disable-webhook"])
        ),
        (
            ["--multi-user", "--identity-header", "Authorization"],
            "--identity-header: 'authorization' has the callers' tokens, which are looked at anyway",
        ),
        (
            ["--multi-user", "--token-audience", ""],
            "--token-audience is empty: then tokens that are made for any server would count",
        ),
        (
            ["--url-domain", "https://example.com"],
            (
                "--url-domain 'https://example.com' is no host: leave out scheme, port and path (for example"
                " packages.example.com or *.example.com)"
            ),
        ),
        (["--shared-read"], "--shared-read is about --multi-user"),
        (["--authorize", "kep"], "--authorize is about --multi-user"),
        (
            ["manifests", "--disable-webhook", "--authorize", "kep"],
            "--authorize is about --multi-user",
        ),
        (
            ["manifests", *DATABASE, "--multi-user", "--authorize", "kep"],
            "--authorize is about --pipelines-store kubernetes",
        ),
        (["manifests", *DATABASE, "--target", "2.17"], f"--target {NO_WEBHOOKS}"),
        (
            ["manifests", "--disable-webhook", "--api-server-cidr", "10.0.0.7/32"],
            f"--api-server-cidr {NO_WEBHOOKS}",
        ),
        (
            ["manifests", *DATABASE, "--ca-bundle", "a"],
            (
                f"--ca-bundle {NO_WEBHOOKS}: put the server's certificate into the Secret NAME-tls, or pass"
                " --cert-manager"
            ),
        ),
        (
            ["manifests", "--disable-webhook", "--image", ""],
            "--image '' is no container image (for example kfp-k8s-apiserver:0.1.0)",
        ),
        (
            ["manifests", "--disable-webhook", "--client-namespace", "A_"],
            f"--client-namespace 'A_' {LABEL}",
        ),
        (
            ["manifests", "--disable-webhook", "--identity-header", "a"],
            "--identity-header is about --multi-user",
        ),
        (
            ["manifests", "--disable-webhook", "--name", "1a"],
            "--name '1a' must begin with a letter, since a Service is called so (for example 'ml-pipeline')",
        ),
        (
            ["--port", "1", "manifests"],
            "--port is about serving: put the options of manifests behind its name",
        ),
    ],
)
def test_contradictions(kfp_k8s: Run, options: list[str], message: str) -> None:
    result = kfp_k8s("apiserver", *options)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"Error: {message}\n"


def test_the_server_of_many_users_is_told_what_the_manifests_were_told(kfp_k8s: Run) -> None:
    """And nothing else: variables of the shell that writes them are not the server's."""
    options = [
        *("--identity-header", "kubeflow-userid", "--identity-prefix", ""),
        *("--authorize", "pipelines", "--shared-read"),
    ]
    result = kfp_k8s(
        *("apiserver", "manifests", "--disable-webhook", "--multi-user", "-o", "-", *options),
        env={"TOKEN_REVIEW_AUDIENCE": "a", "REQUIRE_NAMESPACE_FOR_PIPELINES": "true"},
    )
    assert (result.returncode, result.stderr) == (0, "")
    (deployment,) = (
        each for each in yaml.safe_load_all(result.stdout) if each["kind"] == "Deployment"
    )
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    found = container["args"]
    assert sorted(found[found.index("--multi-user") :]) == [
        "--authorize=pipelines",
        "--identity-header=kubeflow-userid",
        "--identity-prefix=",
        "--multi-user",
        "--shared-read",
    ]


def test_a_variable_that_could_not_work(kfp_k8s: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINE_URL_ALLOWED_DOMAINS", "a.example.com, b.example.com:8443")
    result = kfp_k8s("apiserver", "--port", "0")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "Error: PIPELINE_URL_ALLOWED_DOMAINS 'b.example.com:8443' is no host: leave out scheme, port and"
        " path (for example packages.example.com or *.example.com)\n"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--read-timeout", "0"], "'--read-timeout': 0.0 is not in the range x>0."),
        (["--reload", "0"], "'--reload': 0.0 is not in the range x>0."),
        (["--drain", "inf"], "'--drain': 'inf' is not below 1,000,000,000 seconds"),
        (["--grace", "nan"], "'--grace': 'nan' is not below 1,000,000,000 seconds"),
        (["--grace", "1h"], "'--grace': '1h' is not a valid number of seconds."),
    ],
)
def test_times_that_nobody_can_wait(kfp_k8s: Run, options: list[str], message: str) -> None:
    """Nothing would be answered, a processor be busy with looking at files, and no signal be heard."""
    result = kfp_k8s("apiserver", *options)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1] == f"Error: Invalid value for {message}"


def test_a_wrong_value_names_the_variable_that_it_is_from(
    kfp_k8s: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINE_URL_TIMEOUT", "30s")
    result = kfp_k8s("apiserver", "--port", "0")
    assert (result.returncode, result.stdout) == (2, "")
    assert "'--url-timeout' (env var: 'PIPELINE_URL_TIMEOUT'): '30s'" in result.stderr


def test_a_database_that_cannot_be_used(kfp_k8s: Run, tmp_path: Path) -> None:
    result = kfp_k8s("apiserver", "--port", "0", "--database-url", f"sqlite:///{tmp_path}/no/a.db")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("Error: ")
    assert "Traceback" not in result.stderr


def test_an_address_that_is_taken(kfp_k8s: Run) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = kfp_k8s("apiserver", "--port", str(port))
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"Error: cannot listen on 127.0.0.1:{port}: Address already in use")
    assert last.endswith("; choose another port")


@pytest.mark.parametrize("package", ["aiohttp", "prometheus_client", "sqlalchemy"])
def test_a_missing_extra_is_named(kfp_k8s: Run, tmp_path: Path, package: str) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None; sys.argv[1:] = ['apiserver', '--port', '0'];"
        "from kfp_k8s_manifest.__main__ import main; main()"
    )
    import subprocess

    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr == (
        f"Error: {package} is not installed: pip install 'kfp-k8s-manifest[apiserver]'\n"
    )
