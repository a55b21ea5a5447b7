"""Which HTTP proxy leads to an API server."""

from __future__ import annotations

import urllib.request
from urllib.parse import SplitResult, urlsplit

from kfp_k8s_manifest.cluster.config import ClusterConfig
from kfp_k8s_manifest.errors import ClusterError

__all__ = ["find_proxy"]


def find_proxy(config: ClusterConfig) -> SplitResult | None:
    """Return the URL of the proxy: the configuration's, else the environment's, else None.

    Args:
        config: How to reach the cluster.

    Raises:
        ClusterError: It is no HTTP proxy.
    """
    server = urlsplit(config.server)
    url = config.proxy
    if not url and not urllib.request.proxy_bypass(server.hostname or ""):
        url = urllib.request.getproxies().get(server.scheme, "")
    if not url:
        return None
    proxy = urlsplit(url if "://" in url else f"http://{url}")
    if proxy.scheme != "http":
        raise ClusterError(f"the proxy {url!r} is not an HTTP proxy, and no other kind is known")
    return proxy
