"""The server's Prometheus metrics, in a registry of its own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.process_collector import ProcessCollector

from kfp_k8s_manifest._version import __version__

__all__ = ["CONTENT_TYPE_LATEST", "Metrics"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """What the server counts and measures."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        prefix = "kfp_k8s_webhook_"
        self.reviews = Counter(
            f"{prefix}reviews_total",
            "Reviews answered, by verdict: allowed, refused or unknown (could not be judged).",
            ("hook", "operation", "verdict"),
            registry=self.registry,
        )
        self.findings = Counter(
            f"{prefix}refusals_total",
            "Causes of refusals, by rule.",
            ("rule",),
            registry=self.registry,
        )
        self.review_seconds = Histogram(
            f"{prefix}review_seconds",
            "From the request's last byte to the answer, lookups included.",
            ("hook",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.lookup_seconds = Histogram(
            f"{prefix}lookup_seconds",
            "Reading a Pipeline from the API server.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.lookup_failures = Counter(
            f"{prefix}lookup_failures_total",
            "Pipelines that could not be looked up.",
            registry=self.registry,
        )
        self.bad_requests = Counter(
            f"{prefix}bad_requests_total",
            "Requests that were no reviews, by HTTP status.",
            ("status",),
            registry=self.registry,
        )
        self.connections = Gauge(
            f"{prefix}connections", "Open connections.", registry=self.registry
        )
        self.ready = Gauge(
            f"{prefix}ready", "1 where the server takes reviews.", registry=self.registry
        )
        self.certificate_expires = Gauge(
            f"{prefix}certificate_expiry_timestamp_seconds",
            "When the served certificate expires, in seconds since the epoch.",
            registry=self.registry,
        )
        self.certificate_reloads = Counter(
            f"{prefix}certificate_reloads_total",
            "Times the certificate was read again, by outcome.",
            ("outcome",),
            registry=self.registry,
        )
        info = Gauge(
            f"{prefix}build_info",
            "Always 1; the labels tell version and target.",
            ("version", "target"),
            registry=self.registry,
        )
        self._info = info

    def started(self, target: str) -> None:
        """Note which target's rules are applied."""
        self._info.labels(version=__version__, target=target).set(1)

    def text(self) -> bytes:
        """Return all of it in Prometheus' text format."""
        return bytes(generate_latest(self.registry))
