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
        (
            ["--webhook-tls-cert", "a", "--webhook-tls-key", "b"],
            "--webhook-tls-cert is about the webhooks, and none are served",
        ),
        (["--webhook-port", "1"], "--webhook-port is about the webhooks, and none are served"),
        (["--webhook-host", "a"], "--webhook-host is about the webhooks, and none are served"),
        (
            ["--pipelines-store", "kubernetes", "--disable-webhook", "--target", "2.17"],
            "--target is about the webhooks, and none are served",
        ),
        (["--kubeconfig", "a"], "--kubeconfig is about a cluster, and none is asked"),
        (["--context", "a"], "--context is about a cluster, and none is asked"),
        *(
            (
                ["--global-kubernetes-webhook-mode", option, *value],
                f"{option} is about REST, and the webhooks are served alone",
            )
            for option, *value in (
                ("--multi-user",),
                ("--pipelines-store", "database"),
                ("--insecure-http",),
                ("--url-domain", "a"),
                ("--url-validation",),
            )
        ),
        (["--shared-read"], "--shared-read is about --multi-user"),
        (["--authorize", "kep"], "--authorize is about --multi-user"),
        (
            ["manifests", "--disable-webhook", "--authorize", "kep"],
            "--authorize is about --multi-user",
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
            ["manifests", "--disable-webhook", "--target", "2.17"],
            "--target is about the webhooks, and none are served",
        ),
        (
            ["manifests", "--disable-webhook", "--name", "1a"],
            "--name '1a' must begin with a letter, since a Service is called so (for example 'ml-pipeline')",
        ),
        *(
            (
                [*command, "--multi-user", "--identity-header", "a b"],
                "--identity-header 'a b' is no name of a header field (for example 'kubeflow-userid')",
            )
            for command in ([], ["manifests", "--disable-webhook"])
        ),
        (
            ["--multi-user", "--identity-header", "Authorization"],
            "--identity-header: 'authorization' has the callers' tokens, which are looked at anyway",
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
