"""Addresses on the web of git remotes."""

from __future__ import annotations

import pytest

from kfp_k8s_manifest.git import web_url


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("https://example.com/team/repo.git", "https://example.com/team/repo"),
        ("https://example.com/team/repo/", "https://example.com/team/repo"),
        ("https://user:token@example.com/team/repo.git", "https://example.com/team/repo"),
        ("https://example.com:8443/team/repo", "https://example.com:8443/team/repo"),
        ("http://example.com/repo", "https://example.com/repo"),
        ("git@example.com:team/repo.git", "https://example.com/team/repo"),
        ("ssh://git@example.com:2222/team/repo.git", "https://example.com/team/repo"),
        ("git://example.com/repo.git", "https://example.com/repo"),
        ("/srv/repo.git", ""),
        ("../repo", ""),
        ("file:///srv/repo.git", ""),
        ("", ""),
    ],
)
def test_web_url(remote: str, url: str) -> None:
    assert web_url(remote) == url
