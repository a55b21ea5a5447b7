"""Packages from URLs: only from hosts that are allowed, never from private addresses."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver
from yarl import URL

from kfp_k8s_manifest.rest.archives import MAX_SIZE, too_large
from kfp_k8s_manifest.rest.errors import RestError, invalid
from kfp_k8s_manifest.rest.urls import FetchPolicy, allowed, private
from kfp_k8s_manifest.serving.timeouts import timeout

__all__ = ["Fetcher"]

_REFUSED: Final = "Pipeline URL validation failed"
# One sentence for all that is not allowed: which of it holds would tell of names in the server's network.
_ALLOWED: Final = (
    "packages are fetched from the hosts that the server allows (--url-domain), over HTTPS at port 443 (HTTP"
    " with --url-http), and never from private addresses"
)
_REDIRECTS: Final = 10
_LOOKUP_SECONDS: Final = 5.0
_SECONDS: Final = 30.0
_CONNECTIONS: Final = 8
"""How many downloads run at a time; each may hold a whole package."""

IsPrivate = Callable[["ipaddress.IPv4Address | ipaddress.IPv6Address"], bool]


class Fetcher:
    """Fetches packages.

    Proxies that the environment names are not used: addresses could not be checked behind one.

    Args:
        policy: What may be fetched.
        resolver: Looks hosts up; None for the system's resolver.
        is_private: Tells which addresses are never connected to.
        context: For the certificates of servers; None for the system's.
    """

    def __init__(
        self,
        policy: FetchPolicy,
        *,
        resolver: AbstractResolver | None = None,
        is_private: IsPrivate = private,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._policy = policy
        self._resolver = resolver
        self._is_private = is_private
        self._context = context
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """End connections."""
        if self._session is not None:
            await self._session.close()

    async def fetch(self, url: str, *, for_version: bool) -> tuple[str, bytes]:
        """Fetch a package.

        Args:
            url: Where it is, for which `urls.is_url` holds.
            for_version: Whether CreatePipelineVersion asks, which has words of its own for an answer
                that is not 200.

        Returns:
            The name that the file type follows from (the last segment of the URL, with its query),
            and the content as it came.

        Raises:
            RestError: 400 where the URL is not allowed, nothing or something else than 200 is
                answered, or the answer is too large.
        """
        seconds = self._policy.timeout or _SECONDS
        try:
            async with timeout(seconds):
                content = await self._download(url, for_version=for_version)
        except (asyncio.TimeoutError, TimeoutError):
            reason = f"no whole answer within {seconds:g} seconds"
            raise _failed(url, reason) from None
        except _PrivateError as error:
            raise invalid(_REFUSED, detail=_ALLOWED) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _failed(url, "the server cannot be reached") from error
        return url.rstrip("/").rpartition("/")[2], content

    async def _download(self, url: str, *, for_version: bool) -> bytes:
        session = self._opened()
        try:
            at = URL(url)
        except ValueError:
            raise invalid(_REFUSED, detail=_ALLOWED) from None
        for _ in range(_REDIRECTS + 1):
            if not allowed(at, self._policy):
                raise invalid(_REFUSED, detail=_ALLOWED)
            async with session.get(at, allow_redirects=False) as response:
                leads_to = response.headers.get("Location")
                if response.status not in (301, 302, 303, 307, 308) or leads_to is None:
                    return await _content(response, url, for_version=for_version)
                at = at.join(URL(leads_to))
        raise _failed(url, f"more than {_REDIRECTS} redirects")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            inner = self._resolver or DefaultResolver()
            connector = aiohttp.TCPConnector(
                resolver=_GuardedResolver(inner, self._is_private),
                # What was checked is what is connected to.
                use_dns_cache=False,
                ssl=self._context or True,
                limit=_CONNECTIONS,
                force_close=True,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                # Nothing is unpacked on the way, so that the size that is counted is the real one.
                headers={"Accept-Encoding": "identity", "User-Agent": "kfp-k8s-apiserver"},
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None),
                trust_env=False,
            )
        return self._session


async def _content(response: aiohttp.ClientResponse, url: str, *, for_version: bool) -> bytes:
    if response.status != 200:
        answered = f"{response.status} {response.reason or ''}".strip()
        if for_version:
            raise invalid(
                f"Failed to fetch pipeline spec with url: {url}. Request returned {answered}"
            )
        raise invalid(f"error fetching pipeline spec from {url} - request returned {answered}")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise _failed(url, "the answer is compressed, which was not asked for")
    content = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        content += chunk
        if len(content) > MAX_SIZE:
            raise too_large(max(len(content), response.content_length or 0))
    return bytes(content)


def _failed(url: str, reason: str) -> RestError:
    return invalid(f"Failed to fetch pipeline spec with url: {url}: {reason}")


class _PrivateError(Exception):
    """A host leads to an address that is never connected to."""


class _GuardedResolver(AbstractResolver):
    """Looks hosts up, and gives none of the addresses where one of them is private."""

    def __init__(self, inner: AbstractResolver, is_private: IsPrivate) -> None:
        self._inner = inner
        self._is_private = is_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        async with timeout(_LOOKUP_SECONDS):
            found = await self._inner.resolve(host, port, family)
        for each in found:
            # A link-local address may come with its interface.
            address = ipaddress.ip_address(each["host"].partition("%")[0])
            if self._is_private(address):
                raise _PrivateError(f"{host} leads to {address}")
        return found

    async def close(self) -> None:
        await self._inner.close()
