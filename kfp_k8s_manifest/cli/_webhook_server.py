"""The server of the admission webhooks, for the commands that run it. Needs the extra `webhook`."""

from __future__ import annotations

from kfp_k8s_manifest.admission.app import make_app
from kfp_k8s_manifest.admission.lookup import PipelineLookup
from kfp_k8s_manifest.admission.metrics import PREFIX, Metrics
from kfp_k8s_manifest.cluster import ClusterConfig
from kfp_k8s_manifest.releases import target as find_target
from kfp_k8s_manifest.serving.bodies import Bodies, BodyLimits
from kfp_k8s_manifest.serving.metrics import ServerMetrics
from kfp_k8s_manifest.serving.server import Server, ServerOptions

__all__ = ["REVIEW_LIMIT", "webhook_server"]

REVIEW_LIMIT = 8 * 1024 * 1024
"""Bytes of a review, by default."""


def webhook_server(
    config: ClusterConfig,
    target: str,
    options: ServerOptions,
    *,
    read_timeout: float,
    body_limit: int = REVIEW_LIMIT,
) -> tuple[Server, PipelineLookup]:
    """Make the server, and what looks Pipelines up for it.

    Args:
        config: The cluster.
        target: The name of the target whose rules count.
        options: How it listens.
        read_timeout: Seconds for a body to arrive.
        body_limit: The greatest size of a review, in bytes.
    """
    found = find_target(target)
    lookup = PipelineLookup(config)
    metrics = ServerMetrics(PREFIX)
    bodies = Bodies(BodyLimits(most=body_limit, arrival=read_timeout))
    app = make_app(found, lookup, Metrics(metrics.registry, found.name), bodies)
    return Server(app, options, metrics), lookup
