"""Which URLs a package may be fetched from, before anything is asked of the network.

Source: the rules of KFP's API server 2.17.0 (`PIPELINE_URL_*`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from yarl import URL

from kfp_k8s_manifest.rest.errors import invalid

__all__ = ["DEFAULT_DOMAINS", "FetchPolicy", "allowed", "is_url", "private", "require_url"]

DEFAULT_DOMAINS: Final = (
    "storage.googleapis.com",
    "s3.amazonaws.com",
    "github.com",
    "raw.githubusercontent.com",
)
"""The hosts that are always allowed."""

_PORTS: Final = {"https": 443, "http": 80}

_PRIVATE: Final = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "::/128",
            "::1/128",
            "fc00::/7",
            "fe80::/10",
        ),
    )
)

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):|(:)")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_USER: Final = re.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")
_HOST: Final = re.compile(
    r"(?:\[[^\[\]^{}|\\`]*\]|(?:[^\x00-\x20\x7f#%/?@\[\]^{}|\\`:]|:(?=.*:)|%[89A-Fa-f][0-9A-Fa-f])*)(?::[0-9]*)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchPolicy:
    """What may be fetched.

    Attributes:
        domains: Further hosts that are allowed; `*` in one stands for any text.
        allow_http: Whether `http` is allowed besides `https`.
        timeout: Seconds for all of a download; 0 for 30, as KFP takes it.
        validate: Whether scheme, port and host are looked at; addresses always are.
    """

    domains: tuple[str, ...] = ()
    allow_http: bool = False
    timeout: float = 30.0
    validate: bool = True


def is_url(text: str) -> bool:
    """Tell whether Go's `url.ParseRequestURI` takes a text: an absolute URL, or an absolute path.

    Args:
        text: What a caller gave as the URL of a package.
    """
    if not text or _CONTROL.search(text):
        return False
    match = _SCHEME.match(text)
    if match is not None and match[2]:
        return False
    rest = text[match.end() if match else 0 :].partition("?")[0]
    if not rest.startswith("/"):
        return match is not None or text == "*"
    if match is not None and rest.startswith("//"):
        authority, slash, path = rest[2:].partition("/")
        user, at, host = authority.rpartition("@")
        if (at and not _USER.fullmatch(user)) or not _HOST.fullmatch(host):
            return False
        rest = slash + path
    return not _BAD_ESCAPE.search(rest)


def require_url(text: str, *, for_version: bool) -> None:
    """Refuse what is no URL at all.

    Args:
        text: What a caller gave as the URL of a package.
        for_version: Whether CreatePipelineVersion asks, which has words of its own.

    Raises:
        RestError: It is none (400).
    """
    if is_url(text):
        return
    if for_version:
        raise invalid(
            "Failed to create a pipeline version due to invalid pipeline spec URI. PipelineSpecURI:"
            f" {text}. Please specify a valid URL"
        )
    raise invalid(f"invalid pipeline spec URL: {text}")


def allowed(url: URL, policy: FetchPolicy) -> bool:
    """Tell whether a URL may be asked, as far as its text tells.

    Args:
        url: Where a package is, or where an answer leads on to.
        policy: What may be fetched.
    """
    host = (url.raw_host or "").lower().removesuffix(".")
    if url.scheme not in _PORTS or not host:
        return False
    try:
        # Such a host is never looked up.
        if private(ip_address(host)):
            return False
    except ValueError:
        pass
    if not policy.validate:
        return True
    if url.scheme == "http" and not policy.allow_http:
        return False
    if url.port != _PORTS[url.scheme]:
        return False
    return any(
        re.fullmatch(".*".join(map(re.escape, domain.lower().removesuffix(".").split("*"))), host)
        for domain in (*DEFAULT_DOMAINS, *policy.domains)
    )


def private(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether an address is none of the open internet, and so never asked.

    Args:
        address: One that a host resolves to. An IPv4 address in an IPv6 one counts as itself.
    """
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            address = inner
        elif address in _NAT64:
            address = IPv4Address(int(address) & 0xFFFFFFFF)
    return address.is_multicast or any(
        address in network for network in _PRIVATE if network.version == address.version
    )


_NAT64: Final = ip_network("64:ff9b::/96")
