"""Where the Kubernetes API is and who we are: kubeconfig files, tokens, plugins, proxies."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from kfp_k8s_manifest.cluster import ClusterConfig, load_config
from kfp_k8s_manifest.cluster.auth import Authentication
from kfp_k8s_manifest.cluster.proxies import find_proxy
from kfp_k8s_manifest.errors import ClusterError


def write(path: Path, **user: Any) -> Path:
    config = {
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1/"}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "team-a"}},
            {"name": "two", "context": {"cluster": "c"}},
        ],
        "current-context": "one",
    }
    path.write_text(json.dumps(config))
    return path


@pytest.fixture(autouse=True)
def no_other_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_contexts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "config", token="secret")
    config = load_config(str(path))
    assert (config.server, config.namespace, config.token) == (
        "http://127.0.0.1:1",
        "team-a",
        "secret",
    )
    assert "secret" not in repr(config)
    assert load_config(str(path), "two").namespace == "default"
    with pytest.raises(ClusterError, match=r"there is no context 'three' .there are: one, two"):
        load_config(str(path), "three")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/missing:{path}")
    assert load_config().token == "secret"
    monkeypatch.delenv("KUBECONFIG")
    (tmp_path / "home" / ".kube").mkdir(parents=True)
    write(tmp_path / "home" / ".kube" / "config", token="home")
    assert load_config().token == "home"


def test_files_are_merged_and_the_first_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tmp_path / "first"
    first.write_text(json.dumps({"users": [{"name": "u", "user": {"token": "first"}}]}))
    second = write(tmp_path / "second", token="second")
    monkeypatch.setenv("KUBECONFIG", f"{first}:{second}")
    config = load_config()
    assert (config.token, config.namespace) == ("first", "team-a")


def test_files_beside_the_kubeconfig(tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    (folder / "crt.pem").write_text("CERT")
    path = write(
        folder / "config",
        **{
            "client-certificate": "crt.pem",
            "client-key-data": base64.b64encode(b"KEY").decode(),
            "tokenFile": "token",
        },
    )
    config = load_config(str(path))
    assert config.client_certificate == ("CERT", "KEY")
    assert config.token_file == str(folder / "token")


@pytest.mark.parametrize(
    ("user", "message"),
    [
        ({"client-certificate": "nope"}, "client-certificate cannot be read"),
        ({"client-certificate-data": "%%"}, "client-certificate cannot be read"),
        ({"client-key-data": ""}, ""),
        ({"client-certificate-data": "Q0VSVA=="}, "only one of client-certificate and client-key"),
        ({"auth-provider": {"name": "gcp"}}, "auth-provider, which Kubernetes removed"),
    ],
)
def test_bad_users(tmp_path: Path, user: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "config", **user)
    if not message:
        load_config(str(path))
        return
    with pytest.raises(ClusterError, match=message):
        load_config(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "cannot be read"),
        ("[]", "is not a mapping"),
        ("", "no current-context is set"),
        ("current-context: x", "there is no context 'x' .there are: none"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ClusterError, match=message):
        load_config(str(path))


def test_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="no cluster is configured"):
        load_config()
    with pytest.raises(ClusterError, match="'nope' does not exist"):
        load_config("nope")


def test_a_token_file_is_read_again(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one\n")
    authentication = Authentication(ClusterConfig(server="http://x", token_file=str(token)))
    assert authentication.headers() == {"Authorization": "Bearer one"}
    token.write_text("two")
    assert authentication.headers() == {"Authorization": "Bearer one"}
    authentication.expire()
    assert authentication.headers() == {"Authorization": "Bearer two"}
    token.unlink()
    authentication.expire()
    with pytest.raises(ClusterError, match=r"the token file .* cannot be read"):
        authentication.headers()


def plugin(tmp_path: Path, script: str) -> ClusterConfig:
    program = tmp_path / "plugin"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    path = write(
        tmp_path / "config",
        exec={
            "command": "./plugin",
            "args": ["a"],
            "env": [{"name": "WHO", "value": "me"}],
            "apiVersion": "client.authentication.k8s.io/v1",
            "installHint": "Install it.",
        },
    )
    return load_config(str(path))


def test_an_exec_plugin(tmp_path: Path) -> None:
    script = """echo x >> "$(dirname "$0")/calls"
echo '{"status": {"token": "'$WHO-$1'"}}'"""
    config = plugin(tmp_path, script)
    authentication = Authentication(config)
    for _ in range(3):
        assert authentication.headers() == {"Authorization": "Bearer me-a"}
    assert (tmp_path / "calls").read_text().split() == ["x"]
    authentication.expire()
    authentication.headers()
    assert (tmp_path / "calls").read_text().split() == ["x", "x"]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo no >&2; exit 3", "exited 3: no"),
        ("echo text", "printed no ExecCredential"),
        ("echo '{\"status\": {}}'", "printed no credentials"),
    ],
)
def test_exec_plugins_that_fail(tmp_path: Path, script: str, message: str) -> None:
    with pytest.raises(ClusterError, match=message):
        Authentication(plugin(tmp_path, script)).headers()
    (tmp_path / "plugin").unlink()
    with pytest.raises(ClusterError, match=r"is not installed. Install it\."):
        Authentication(load_config(str(tmp_path / "config"))).headers()


def test_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    config = ClusterConfig(server="https://api.example.com")
    for name in ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert find_proxy(config) is None
    monkeypatch.setenv("https_proxy", "http://env.example.com:8080")
    found = find_proxy(config)
    assert found is not None
    assert found.netloc == "env.example.com:8080"
    monkeypatch.setenv("no_proxy", "api.example.com")
    assert find_proxy(config) is None
    found = find_proxy(ClusterConfig(server="https://api.example.com", proxy="own.example.com:1"))
    assert found is not None
    assert found.netloc == "own.example.com:1"
    with pytest.raises(ClusterError, match=r"'socks5://x' is not an HTTP proxy"):
        find_proxy(ClusterConfig(server="https://api.example.com", proxy="socks5://x"))
