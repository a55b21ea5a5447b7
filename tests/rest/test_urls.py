from __future__ import annotations

from ipaddress import ip_address

import pytest
from yarl import URL

from kfp_k8s_manifest.rest.errors import RestError
from kfp_k8s_manifest.rest.urls import FetchPolicy, allowed, is_url, private, require_url

DEFAULT = FetchPolicy()


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com/a.yaml",
        "http://example.com",
        "https://user:pw@evil.com:8443/a.yaml",
        "HTTPS://[::1]/a",
        "ftp://x/y",
        "file:///etc/passwd",
        "s3://bucket/a.yaml",
        "//github.com/a",
        "/a",
        "https://",
        "mailto:someone",
        "https://github.com/a b",
        "https://github.com/a?x=%zz",
        "*",
    ],
)
def test_what_go_takes_for_a_url(text: str) -> None:
    assert is_url(text)
    require_url(text, for_version=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "hello.yaml",
        ":8080/a",
        "1http://a",
        "a b://c",
        "https://git hub.com/a",
        "https://github.com:port/a",
        "https://github.com/%zz",
        "https://github.com/a\n",
        "https://a^b/c",
        "https://[::1/a",
        "https://us er@a/c",
    ],
)
def test_what_is_no_url_to_go(text: str) -> None:
    assert not is_url(text)


def test_what_is_no_url_is_refused_in_the_words_of_each_call() -> None:
    with pytest.raises(RestError, match=r"^invalid pipeline spec URL: x$"):
        require_url("x", for_version=False)
    with pytest.raises(RestError) as caught:
        require_url("x", for_version=True)
    assert caught.value.text == (
        "Failed to create a pipeline version due to invalid pipeline spec URI. PipelineSpecURI: x."
        " Please specify a valid URL"
    )
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com/a.yaml",
        "https://GitHub.com./a.yaml",
        "https://github.com:443/a.yaml",
        "HTTPS://raw.githubusercontent.com/a",
        "https://storage.googleapis.com/b/c",
        "https://s3.amazonaws.com/b/c",
    ],
)
def test_what_is_allowed_without_settings(text: str) -> None:
    assert allowed(URL(text), DEFAULT)


@pytest.mark.parametrize(
    "text",
    [
        "http://example.com/a.yaml",
        "https://example.com/a.yaml",
        "https://127.0.0.1/a.yaml",
        "https://localhost/a.yaml",
        "https://github.com:8443/a.yaml",
        "http://github.com/a.yaml",
        "ftp://github.com/a.yaml",
        "file:///etc/passwd",
        "https://user:pw@evil.com/a.yaml",
        "https://github.com@evil.com/a.yaml",
        "https://github.com.evil.com/a",
        "https://evil-github.com/a",
        "HTTPS://[::1]/a",
        "s3://bucket/a.yaml",
        "//github.com/a",
        "/a",
        "https://",
    ],
)
def test_what_is_not_allowed_without_settings(text: str) -> None:
    assert not allowed(URL(text), DEFAULT)


def test_further_hosts() -> None:
    policy = FetchPolicy(domains=("*.example.com", "Files.Internal."))
    assert allowed(URL("https://a.b.example.com/x"), policy)
    assert allowed(URL("https://files.internal/x"), policy)
    assert allowed(URL("https://github.com/x"), policy)
    assert not allowed(URL("https://example.com/x"), policy)
    assert not allowed(URL("https://a.example.com.evil.org/x"), policy)
    assert not allowed(URL("https://aXexample.com/x"), policy)


def test_plain_http_only_where_it_is_allowed() -> None:
    policy = FetchPolicy(allow_http=True)
    assert allowed(URL("http://github.com/x"), policy)
    assert allowed(URL("http://github.com:80/x"), policy)
    assert not allowed(URL("http://github.com:443/x"), policy)
    assert not allowed(URL("http://github.com:8080/x"), policy)


def test_private_addresses_stay_refused_where_urls_are_not_looked_at() -> None:
    policy = FetchPolicy(validate=False, domains=("*",))
    assert allowed(URL("http://anything.example:8080/x"), policy)
    assert not allowed(URL("http://127.0.0.1:8080/x"), policy)
    assert not allowed(URL("http://[fd00:ec2::254]/x"), policy)
    assert not allowed(URL("gopher://anything.example/x"), policy)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "224.0.0.1",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "ff02::1",
    ],
)
def test_private_addresses(address: str) -> None:
    assert private(ip_address(address))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "172.32.0.1", "11.0.0.1", "2606:4700::1", "::ffff:8.8.8.8"]
)
def test_public_addresses(address: str) -> None:
    assert not private(ip_address(address))
