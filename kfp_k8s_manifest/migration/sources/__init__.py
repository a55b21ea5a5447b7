"""Where the pipelines of a server are read: its REST API, or its database."""

from __future__ import annotations

from typing import Protocol

from kfp_k8s_manifest.errors import KfpK8sError
from kfp_k8s_manifest.migration.records import RecordPage, ServerPipeline, ServerVersion

__all__ = ["ServerError", "ServerRefusalError", "ServerUncertainError", "Source"]


class ServerError(KfpK8sError):
    """The server cannot be reached, does not let us in, or makes no sense: there is no going on."""


class ServerRefusalError(KfpK8sError):
    """The server has refused one request, and may answer others.

    Args:
        text: What is told.
        status: The HTTP status.
        message: The server's own words.
    """

    def __init__(self, text: str, *, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(text)


class ServerUncertainError(ServerRefusalError):
    """A request has failed that should not simply be sent again: it may have been carried out."""


class Source(Protocol):
    """Reads pipelines and versions, page by page, by age; several threads may do so.

    Every method may raise `ServerError` and `ServerRefusalError`.
    """

    @property
    def name(self) -> str:
        """What messages and the journal call it, without secrets."""

    @property
    def requests(self) -> int:
        """How many requests were sent, those sent again included."""

    def namespaces(self) -> list[str] | None:
        """Return the namespaces that have pipelines, "" for those that are shared; None: unknown."""

    def pipelines(self, namespace: str, token: str, size: int) -> RecordPage[ServerPipeline]:
        """Return a page of the pipelines of a namespace; "" for a standalone server."""

    def versions(self, pipeline_id: str, token: str, size: int) -> RecordPage[ServerVersion]:
        """Return a page of the versions of a pipeline."""

    @property
    def tells_sources(self) -> bool:
        """Whether a version without a code source URL has none indeed."""

    def notes(self) -> list[str]:
        """Return what should be told of all that was read."""

    def stop(self) -> None:
        """Let nobody wait any longer before a request is sent again."""

    def close(self) -> None:
        """Close connections."""
