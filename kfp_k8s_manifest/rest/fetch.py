"""Packages from URLs: only from hosts that are allowed, never from private addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kfp_k8s_manifest.rest.errors import invalid

__all__ = ["DEFAULT_DOMAINS", "FetchPolicy", "Fetcher", "is_url"]

DEFAULT_DOMAINS: Final = (
    "storage.googleapis.com",
    "s3.amazonaws.com",
    "github.com",
    "raw.githubusercontent.com",
)
"""The hosts that are always allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchPolicy:
    """What may be fetched.

    Attributes:
        domains: Further hosts that are allowed; `*` in one stands for any text.
        allow_http: Whether `http` is allowed besides `https`.
        timeout: Seconds for all of a download.
        validate: Whether scheme, port and host are looked at; addresses always are.
    """

    domains: tuple[str, ...] = ()
    allow_http: bool = False
    timeout: float = 30.0
    validate: bool = True


def is_url(text: str) -> bool:
    """Tell whether a text is a URL at all, for the server: with a scheme, or an absolute path."""
    return bool(text) and (text.startswith("/") or ":" in text)


class Fetcher:
    """Fetches packages.

    Args:
        policy: What may be fetched.
    """

    def __init__(self, policy: FetchPolicy) -> None:
        self._policy = policy

    async def close(self) -> None:
        """End connections."""

    async def fetch(self, url: str, *, for_version: bool) -> tuple[str, bytes]:
        """Fetch a package.

        Args:
            url: Where it is, for which `is_url` holds.
            for_version: Whether CreatePipelineVersion asks, which has words of its own for an answer
                that is not 200.

        Returns:
            The name that the file type follows from (the last segment of the URL, with its query),
            and the content as it came.

        Raises:
            RestError: 400 where the URL is not allowed, where something else than 200 is answered or
                the answer is too large; 503 where nothing is answered.
        """
        del url, for_version
        raise invalid("Pipeline URL validation failed")
