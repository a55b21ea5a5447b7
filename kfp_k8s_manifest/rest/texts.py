"""Texts that came as bytes: those that are no UTF-8 stand in them as lone surrogates (`surrogateescape`)."""

from __future__ import annotations

__all__ = ["is_utf8", "shown"]


def is_utf8(text: str) -> bool:
    """Tell whether a text has a form in UTF-8: whether no lone surrogate is in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(text: str) -> str:
    """Return a text with replacement characters for the bytes that are no UTF-8.

    Args:
        text: A text whose lone surrogates are such bytes.
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
