"""What the webhooks count and measure."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from kfp_k8s_manifest._version import __version__
from kfp_k8s_manifest.serving.metrics import SECONDS

__all__ = ["PREFIX", "Metrics"]

PREFIX = "kfp_k8s_webhook_"


class Metrics:
    """The metrics of reviews.

    Args:
        registry: Where they are registered.
        target: The name of the target whose rules are applied.
    """

    def __init__(self, registry: CollectorRegistry, target: str) -> None:
        self.reviews = Counter(
            f"{PREFIX}reviews_total",
            "Reviews judged, by verdict: allowed or refused.",
            ("hook", "operation", "verdict"),
            registry=registry,
        )
        self.findings = Counter(
            f"{PREFIX}refusals_total",
            "Causes of refusals, by rule.",
            ("rule",),
            registry=registry,
        )
        self.review_seconds = Histogram(
            f"{PREFIX}review_seconds",
            "From the request's last byte to the answer, lookups included.",
            ("hook",),
            buckets=SECONDS,
            registry=registry,
        )
        self.lookup_seconds = Histogram(
            f"{PREFIX}lookup_seconds",
            "Reading a Pipeline from the API server.",
            buckets=SECONDS,
            registry=registry,
        )
        self.lookup_failures = Counter(
            f"{PREFIX}lookup_failures_total",
            "Pipelines that could not be looked up.",
            registry=registry,
        )
        self.impossible = Counter(
            f"{PREFIX}impossible_reviews_total",
            "Reviews that could not be judged and were refused, by code: 400, 413, 503.",
            ("code",),
            registry=registry,
        )
        self.abandoned = Counter(
            f"{PREFIX}abandoned_reviews_total",
            "Reviews whose client left before the answer.",
            registry=registry,
        )
        info = Gauge(
            f"{PREFIX}build_info",
            "Always 1; the labels tell version and target.",
            ("version", "target"),
            registry=registry,
        )
        info.labels(version=__version__, target=target).set(1)
