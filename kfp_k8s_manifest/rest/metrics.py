"""What the REST API counts and measures."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from kfp_k8s_manifest._version import __version__
from kfp_k8s_manifest.serving.metrics import SECONDS

__all__ = ["PREFIX", "Metrics"]

PREFIX = "kfp_k8s_apiserver_"


class Metrics:
    """The metrics of calls.

    Args:
        registry: Where they are registered.
        store: The kind of the store.
    """

    def __init__(self, registry: CollectorRegistry, store: str) -> None:
        self.calls = Counter(
            f"{PREFIX}calls_total",
            "Calls that were answered, by HTTP status; the call is 'none' where a request is none.",
            ("call", "code"),
            registry=registry,
        )
        self.call_seconds = Histogram(
            f"{PREFIX}call_seconds",
            "From the request's head to its answer.",
            ("call",),
            buckets=SECONDS,
            registry=registry,
        )
        self.abandoned = Counter(
            f"{PREFIX}abandoned_calls_total",
            "Calls whose client left before the answer.",
            registry=registry,
        )
        info = Gauge(
            f"{PREFIX}build_info",
            "Always 1; the labels tell version and store.",
            ("version", "store"),
            registry=registry,
        )
        info.labels(version=__version__, store=store).set(1)
