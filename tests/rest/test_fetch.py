"""Packages are fetched from real servers on this machine, to which an own resolver leads."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from kfp_k8s_manifest.rest.archives import MAX_SIZE
from kfp_k8s_manifest.rest.errors import RestError
from kfp_k8s_manifest.rest.fetch import Fetcher
from kfp_k8s_manifest.rest.urls import FetchPolicy
from tests.apiserver.certificates import CertificateAuthority

HOST = "files.example"
PACKAGE = b"pipelineInfo:\n  name: x\n"


class FixedResolver(AbstractResolver):
    """Leads hosts to addresses, whatever port was asked for."""

    def __init__(self, places: dict[str, tuple[str, int]]) -> None:
        self.places = places
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        self.asked.append(host)
        if host not in self.places:
            raise OSError(f"{host} is not known")
        address, at = self.places[host]
        return [
            ResolveResult(
                hostname=host, host=address, port=at or port, family=family, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        pass


async def answer(request: web.Request) -> web.StreamResponse:
    name = request.path.removeprefix("/")
    if name == "missing.yaml":
        raise web.HTTPNotFound
    if name == "slow.yaml":
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"a")
        await asyncio.sleep(30)
    if name == "large.yaml":
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(MAX_SIZE // (1 << 20) + 1):
            await response.write(bytes(1 << 20))
        return response
    if name == "packed.yaml":
        return web.Response(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    if name.startswith("to/"):
        raise web.HTTPFound(request.query["u"])
    if name == "round":
        raise web.HTTPFound("/round")
    if name == "headers":
        return web.json_response(dict(request.headers))
    return web.Response(body=PACKAGE)


@asynccontextmanager
async def serving(context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def fetched(
    path: str,
    *,
    for_version: bool = False,
    timeout: float = 10.0,
    scheme: str = "http",
    places: dict[str, str] | None = None,
) -> tuple[str, bytes]:
    async with serving() as port:
        known = {HOST: ("127.0.0.1", port), **{h: (a, 0) for h, a in (places or {}).items()}}
        policy = FetchPolicy(domains=("*.example",), allow_http=True, timeout=timeout)
        loopback_only = Fetcher(
            policy,
            resolver=FixedResolver(known),
            is_private=lambda address: not address.is_loopback,
        )
        try:
            return await loopback_only.fetch(f"{scheme}://{HOST}/{path}", for_version=for_version)
        finally:
            await loopback_only.close()


def refusal(path: str, **options: object) -> str:
    with pytest.raises(RestError) as caught:
        asyncio.run(fetched(path, **options))  # type: ignore[arg-type]
    assert caught.value.status == 400
    return caught.value.text


def test_a_package() -> None:
    assert asyncio.run(fetched("folder/hello.yaml")) == ("hello.yaml", PACKAGE)
    assert asyncio.run(fetched("folder/hello.yaml", timeout=0)) == ("hello.yaml", PACKAGE)


def test_the_name_has_the_query_with_it() -> None:
    assert asyncio.run(fetched("folder/hello.yaml?x=1")) == ("hello.yaml?x=1", PACKAGE)


def test_nothing_compressed_is_asked_for_and_nobody_is_named() -> None:
    _, content = asyncio.run(fetched("headers"))
    assert b'"Accept-Encoding": "identity"' in content
    assert b"Authorization" not in content
    assert b"Cookie" not in content


def test_a_redirect_within_the_list() -> None:
    assert asyncio.run(fetched("to/a.yaml?u=%2Fb.yml")) == ("a.yaml?u=%2Fb.yml", PACKAGE)


@pytest.mark.parametrize(
    "to",
    [
        "https://elsewhere.org/a.yaml",
        f"http://{HOST}:8080/a.yaml",
        "http://127.0.0.1/a.yaml",
        "file:///etc/passwd",
        "http://private.example/a.yaml",
    ],
)
def test_a_redirect_out_of_the_list(to: str) -> None:
    places = {"private.example": "10.0.0.1"}
    assert refusal(f"to/a.yaml?u={to}", places=places) == "Pipeline URL validation failed"


def test_redirects_without_end() -> None:
    assert refusal("round") == (
        f"Failed to fetch pipeline spec with url: http://{HOST}/round: more than 10 redirects"
    )


def test_an_answer_that_is_not_200() -> None:
    assert refusal("missing.yaml") == (
        f"error fetching pipeline spec from http://{HOST}/missing.yaml - request returned 404 Not"
        " Found"
    )
    assert refusal("missing.yaml", for_version=True) == (
        f"Failed to fetch pipeline spec with url: http://{HOST}/missing.yaml. Request returned 404"
        " Not Found"
    )


def test_an_answer_that_is_too_large() -> None:
    assert refusal("large.yaml").startswith("File size too large (")


def test_an_answer_that_is_too_slow() -> None:
    assert refusal("slow.yaml", timeout=0.5) == (
        f"Failed to fetch pipeline spec with url: http://{HOST}/slow.yaml: no whole answer within"
        " 0.5 seconds"
    )


def test_an_answer_that_is_compressed_on_the_way() -> None:
    assert refusal("packed.yaml") == (
        f"Failed to fetch pipeline spec with url: http://{HOST}/packed.yaml: the answer is"
        " compressed, which was not asked for"
    )


def test_a_server_that_does_not_speak_tls() -> None:
    assert refusal("a.yaml", scheme="https") == (
        f"Failed to fetch pipeline spec with url: https://{HOST}/a.yaml: the server cannot be"
        " reached"
    )


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1"])
def test_a_host_that_leads_to_a_private_address_is_never_connected_to(address: str) -> None:
    async def run() -> None:
        async with serving() as port:
            policy = FetchPolicy(domains=("*.example",), allow_http=True, validate=False)
            resolver = FixedResolver({HOST: (address, port)})
            fetcher = Fetcher(policy, resolver=resolver)
            try:
                await fetcher.fetch(f"http://{HOST}/a.yaml", for_version=False)
            finally:
                await fetcher.close()

    with pytest.raises(RestError) as caught:
        asyncio.run(run())
    assert caught.value.text == "Pipeline URL validation failed"
    assert caught.value.detail == (
        "packages are fetched from the hosts that the server allows (--url-domain), over HTTPS at port 443"
        " (HTTP with --url-http), and never from private addresses"
    )
    assert caught.value.status == 400


def test_an_unknown_host() -> None:
    async def run() -> None:
        fetcher = Fetcher(FetchPolicy(domains=("*.example",)), resolver=FixedResolver({}))
        try:
            await fetcher.fetch(f"https://{HOST}/a.yaml", for_version=False)
        finally:
            await fetcher.close()

    with pytest.raises(RestError) as caught:
        asyncio.run(run())
    assert caught.value.text == (
        f"Failed to fetch pipeline spec with url: https://{HOST}/a.yaml: the server cannot be"
        " reached"
    )


def test_https_with_a_certificate_that_is_trusted_and_one_that_is_not(tmp_path: Path) -> None:
    authority = CertificateAuthority()
    certificate, key = authority.issue_server((HOST,)).write(tmp_path, "server")
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cadata=authority.certificate.decode())

    async def run(context: ssl.SSLContext | None) -> tuple[str, bytes]:
        async with serving(server) as port:
            fetcher = Fetcher(
                FetchPolicy(domains=(HOST,)),
                resolver=FixedResolver({HOST: ("127.0.0.1", port)}),
                is_private=lambda _: False,
                context=context,
            )
            try:
                return await fetcher.fetch(f"https://{HOST}/a.yaml", for_version=False)
            finally:
                await fetcher.close()

    assert asyncio.run(run(trusting)) == ("a.yaml", PACKAGE)
    with pytest.raises(RestError, match="the server cannot be reached"):
        asyncio.run(run(None))
