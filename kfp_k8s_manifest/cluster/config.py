"""Where the Kubernetes API is and who we are: kubeconfig files, or a pod's service account.

Files are chosen and merged as kubectl does it: `--kubeconfig`, else the files in `KUBECONFIG`, else
`~/.kube/config`; of entries with one name the first counts. Without any of these files, and inside
a pod, the service account is used.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kfp_k8s_manifest.errors import ClusterError

__all__ = ["ClusterConfig", "ExecPlugin", "in_cluster_config", "load_config"]

_SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecPlugin:
    """A program that prints credentials (`client.authentication.k8s.io`).

    Attributes:
        command: The program and its arguments.
        env: What is added to its environment.
        api_version: The version of `ExecCredential` that it speaks.
        cluster: What it is told of the cluster, or None where it did not ask for that.
        hint: What its author says to those who have not installed it.
    """

    command: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()
    api_version: str = "client.authentication.k8s.io/v1"
    cluster: Mapping[str, Any] | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ClusterConfig:
    """How to reach an API server. Its `repr` tells no secrets.

    Attributes:
        server: The URL, without a slash at its end.
        namespace: The namespace that counts where none is named.
        ca: The certificate authorities, PEM, or "" for those of the system.
        verify: False where the server's certificate is not looked at.
        tls_server_name: The name in that certificate, or "" for the URL's host.
        client_certificate: Certificate and key, PEM, or None.
        token: A bearer token, or "".
        token_file: A file with such a token, which is replaced from time to time, or "".
        exec_plugin: A program that prints credentials, or None.
        proxy: The URL of an HTTP proxy, or "" for that of the environment.
        headers: Further header fields, such as those of impersonation.
    """

    server: str
    namespace: str = "default"
    ca: str = ""
    verify: bool = True
    tls_server_name: str = ""
    client_certificate: tuple[str, str] | None = None
    token: str = ""
    token_file: str = ""
    exec_plugin: ExecPlugin | None = None
    proxy: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        return f"ClusterConfig(server={self.server!r}, namespace={self.namespace!r}, …)"


def load_config(kubeconfig: str | None = None, context: str | None = None) -> ClusterConfig:
    """Find out how to reach the cluster.

    Args:
        kubeconfig: A kubeconfig file; None for kubectl's own choice.
        context: The context's name; None for the current one.

    Raises:
        ClusterError: A file cannot be read, an entry is missing, or there is no configuration.
    """
    if kubeconfig:
        paths = [Path(kubeconfig).expanduser()]
    elif os.environ.get("KUBECONFIG"):
        listed = os.environ["KUBECONFIG"].split(os.pathsep)
        paths = [Path(each).expanduser() for each in listed if each]
    else:
        paths = [Path.home() / ".kube" / "config"]
    existing = [path for path in paths if path.is_file()]
    if kubeconfig and not existing:
        raise ClusterError(f"the kubeconfig {kubeconfig!r} does not exist")
    if existing:
        return _from_files(existing, context)
    if context is None and "KUBERNETES_SERVICE_HOST" in os.environ:
        return in_cluster_config()
    raise ClusterError(
        f"no cluster is configured: {', '.join(map(str, paths)) or 'KUBECONFIG'} does not exist, and"
        " this is no pod of a cluster. Set KUBECONFIG or pass --kubeconfig"
    )


def in_cluster_config(folder: Path = _SERVICE_ACCOUNT) -> ClusterConfig:
    """Return the configuration of the pod that this program runs in.

    Args:
        folder: Where the service account is mounted.

    Raises:
        ClusterError: There is no service account.
    """
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{part}", "") for part in ("HOST", "PORT"))
    if not host:
        raise ClusterError("KUBERNETES_SERVICE_HOST is not set, so this is no pod of a cluster")
    try:
        ca = (folder / "ca.crt").read_text(encoding="ascii")
        namespace = (folder / "namespace").read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise ClusterError(f"the pod's service account cannot be read: {error}") from error
    return ClusterConfig(
        server=f"https://{f'[{host}]' if ':' in host else host}:{port or 443}",
        namespace=namespace or "default",
        ca=ca,
        token_file=str(folder / "token"),
    )


def _from_files(paths: list[Path], context: str | None) -> ClusterConfig:
    merged: dict[str, dict[str, tuple[Mapping[str, Any], Path]]] = {
        "clusters": {}, "users": {}, "contexts": {}
    }  # fmt: skip
    current = context or ""
    for path in paths:
        content = _read_yaml(path)
        current = current or str(content.get("current-context") or "")
        for section, entries in merged.items():
            for entry in content.get(section) or ():
                body = entry.get(section[:-1]) if isinstance(entry, Mapping) else None
                if isinstance(body, Mapping):
                    entries.setdefault(str(entry.get("name")), (body, path.parent))
    where = ", ".join(map(str, paths))
    if not current:
        raise ClusterError(f"{where}: no current-context is set; pass --context")

    def entry_of(section: str, name: Any) -> tuple[Mapping[str, Any], Path]:
        if str(name) not in merged[section]:
            known = ", ".join(merged[section]) or "none"
            raise ClusterError(f"{where}: there is no {section[:-1]} {name!r} (there are: {known})")
        return merged[section][str(name)]

    chosen, _ = entry_of("contexts", current)
    cluster, cluster_folder = entry_of("clusters", chosen.get("cluster"))
    user: Mapping[str, Any] = {}
    user_folder = cluster_folder
    if chosen.get("user"):
        user, user_folder = entry_of("users", chosen.get("user"))
    return _config(chosen, cluster, cluster_folder, user, user_folder)


def _read_yaml(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ClusterError(f"the kubeconfig {path} cannot be read: {error}") from error
    if content is not None and not isinstance(content, Mapping):
        raise ClusterError(f"the kubeconfig {path} is not a mapping")
    return content or {}


def _config(
    context: Mapping[str, Any],
    cluster: Mapping[str, Any],
    cluster_folder: Path,
    user: Mapping[str, Any],
    user_folder: Path,
) -> ClusterConfig:
    server = str(cluster.get("server") or "")
    if not server.startswith(("https://", "http://")):
        raise ClusterError(f"the cluster's server is {server!r}, not an http(s) URL")
    if "auth-provider" in user:
        raise ClusterError(
            "the user has an auth-provider, which Kubernetes removed in 1.26; use its exec plugin"
        )
    certificate = _pem(user, "client-certificate", user_folder)
    key = _pem(user, "client-key", user_folder)
    if bool(certificate) != bool(key):
        raise ClusterError("the user has only one of client-certificate and client-key")
    impersonate = [("Impersonate-User", user.get("as")), ("Impersonate-Uid", user.get("as-uid"))]
    impersonate += [("Impersonate-Group", group) for group in user.get("as-groups") or ()]
    token_file = user.get("tokenFile")
    return ClusterConfig(
        server=server.rstrip("/"),
        namespace=str(context.get("namespace") or "default"),
        ca=_pem(cluster, "certificate-authority", cluster_folder),
        verify=cluster.get("insecure-skip-tls-verify") is not True,
        tls_server_name=str(cluster.get("tls-server-name") or ""),
        client_certificate=(certificate, key) if certificate else None,
        token=str(user.get("token") or ""),
        token_file=str(user_folder / str(token_file)) if token_file else "",
        exec_plugin=_exec(user.get("exec"), cluster, user_folder),
        proxy=str(cluster.get("proxy-url") or ""),
        headers=tuple((name, str(value)) for name, value in impersonate if value),
    )


def _pem(entry: Mapping[str, Any], key: str, folder: Path) -> str:
    data, path = entry.get(f"{key}-data"), entry.get(key)
    try:
        if data:
            return base64.b64decode(str(data), validate=True).decode("ascii")
        return (folder / str(path)).read_text(encoding="ascii") if path else ""
    except (OSError, ValueError, binascii.Error) as error:
        raise ClusterError(f"the kubeconfig's {key} cannot be read: {error}") from error


def _exec(spec: Any, cluster: Mapping[str, Any], folder: Path) -> ExecPlugin | None:
    if not isinstance(spec, Mapping):
        return None
    command = str(spec.get("command") or "")
    # A path with a slash is relative to the kubeconfig; a bare name is looked up in PATH.
    if "/" in command:
        command = str(folder / command)
    told = {key: cluster[key] for key in ("server", "certificate-authority-data") if key in cluster}
    return ExecPlugin(
        command=(command, *map(str, spec.get("args") or ())),
        env=tuple((str(e.get("name")), str(e.get("value"))) for e in spec.get("env") or ()),
        api_version=str(
            spec.get("apiVersion") or ExecPlugin.__dataclass_fields__["api_version"].default
        ),
        cluster=told if spec.get("provideClusterInfo") is True else None,
        hint=str(spec.get("installHint") or ""),
    )
