"""Prometheus metrics of a server, in a registry of its own process."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.process_collector import ProcessCollector

__all__ = ["CONTENT_TYPE_LATEST", "SECONDS", "ServerMetrics"]

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The buckets of histograms of seconds."""


class ServerMetrics:
    """What every server counts and measures. What is served adds its own metrics to the registry.

    Args:
        prefix: What the names of the metrics begin with, such as `kfp_k8s_webhook_`.
        registry: The registry, where several servers share one.

    Attributes:
        registry: The registry.
    """

    def __init__(self, prefix: str, registry: CollectorRegistry | None = None) -> None:
        if registry is None:
            registry = CollectorRegistry()
            ProcessCollector(registry=registry)
        self.registry = registry
        self.bad_requests = Counter(
            f"{prefix}bad_requests_total",
            "Requests that were answered by an HTTP error, by status.",
            ("status",),
            registry=registry,
        )
        self.connections = Gauge(f"{prefix}connections", "Open connections.", registry=registry)
        self.silent = Gauge(
            f"{prefix}silent_connections",
            "Connections that have not sent anything yet.",
            registry=registry,
        )
        self.ready = Gauge(
            f"{prefix}ready", "1 where the server takes requests.", registry=registry
        )
        self.certificate_expires = Gauge(
            f"{prefix}certificate_expiry_timestamp_seconds",
            "When the served certificate expires, in seconds since the epoch.",
            registry=registry,
        )
        self.certificate_reloads = Counter(
            f"{prefix}certificate_reloads_total",
            "Times the certificate was read again, by outcome.",
            ("outcome",),
            registry=registry,
        )

    def text(self) -> bytes:
        """Return all of the registry in Prometheus' text format."""
        return bytes(generate_latest(self.registry))
