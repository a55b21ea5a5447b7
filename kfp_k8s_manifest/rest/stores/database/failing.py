"""What is told of a database that does not answer."""

from __future__ import annotations

from kfp_k8s_manifest.rest.errors import Code, RestError

__all__ = ["unavailable"]


def unavailable(why: str = "") -> RestError:
    """Return the refusal of a call that the database did not answer (503)."""
    return RestError(
        Code.UNAVAILABLE,
        "The database does not answer" + (f": {why}" if why else "") + ". Try again later",
    )
