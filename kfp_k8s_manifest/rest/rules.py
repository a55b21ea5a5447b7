"""What every store refuses alike: too long names, and tags that break their rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kfp_k8s_manifest.checks.words import go_quote
from kfp_k8s_manifest.golang.sizes import byte_size
from kfp_k8s_manifest.rest.errors import invalid

__all__ = [
    "MAX_NAMESPACE",
    "MAX_PIPELINE_NAME",
    "MAX_TAG",
    "MAX_TAGS",
    "MAX_VERSION_NAME",
    "check_length",
    "check_tags",
    "too_long",
]

MAX_PIPELINE_NAME: Final = 128
"""Bytes of a pipeline's name."""

MAX_VERSION_NAME: Final = 127
"""Bytes of a version's name."""

MAX_NAMESPACE: Final = 63
"""Bytes of a namespace's name."""

MAX_TAGS: Final = 20
"""Tags of an object."""

MAX_TAG: Final = 63
"""Characters, not bytes, of a tag's key, and of its value."""


def too_long(field: str, value: str, most: int) -> str:
    """Return what is wrong with a text that is too long, or "".

    Args:
        field: What it is, such as `Pipeline.Name`.
        value: The text.
        most: The greatest number of bytes.
    """
    if byte_size(value) <= most:
        return ""
    return f"{field} length cannot exceed {most}"


def check_length(field: str, value: str, most: int) -> None:
    """Refuse a text that is too long: see `too_long`.

    Raises:
        RestError: It is (400).
    """
    problem = too_long(field, value, most)
    if problem:
        raise invalid(problem)


def check_tags(tags: Mapping[str, str]) -> None:
    """Refuse tags that break the rules: 20 at the most, of 63 characters, without dots in their keys.

    Raises:
        RestError: They do (400).
    """
    if len(tags) > MAX_TAGS:
        raise invalid(f"number of tags ({len(tags)}) exceeds maximum of {MAX_TAGS} per entity")
    for key, value in tags.items():
        if not key:
            raise invalid("tag key cannot be empty")
        if "." in key:
            raise invalid(f"tag key {go_quote(key)} must not contain '.' character")
        if len(key) > MAX_TAG:
            raise invalid(f"tag key {go_quote(key)} exceeds maximum length of {MAX_TAG} characters")
        if len(value) > MAX_TAG:
            raise invalid(
                f"tag value {go_quote(value)} for key {go_quote(key)} exceeds maximum length of"
                f" {MAX_TAG} characters"
            )
