"""How answers are written: the gateway's, the uploads', and those in plain text."""

from __future__ import annotations

import io
import json
from typing import Final

from aiohttp import web

from kfp_k8s_manifest.rest.errors import Code, GatewayError, RestError

__all__ = ["plain", "refusal", "success", "upload_refusal", "upload_success"]

_JSON: Final = "application/json"
_TEXT: Final = "text/plain; charset=utf-8"
_AT_ONCE: Final = 128 * 1024
_STATUS: Final = "type.googleapis.com/google.rpc.Status"


def success(body: bytes) -> web.Response:
    """Return the answer to a call that succeeded.

    Args:
        body: JSON.
    """
    headers = {"Content-Type": _JSON, "Grpc-Metadata-Content-Type": "application/grpc"}
    # A large body that is written at once is copied by what of it the connection does not yet take.
    return web.Response(body=body if len(body) <= _AT_ONCE else io.BytesIO(body), headers=headers)


def refusal(error: RestError) -> web.Response:
    """Return the answer to a call that is refused."""
    content: dict[str, object] = {"code": int(error.code), "message": error.text}
    if not isinstance(error, GatewayError):
        content["details"] = [{"@type": _STATUS, "code": int(error.code), "message": error.text}]
    headers = {"Content-Type": _JSON}
    if error.code is Code.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = error.text
    return web.Response(status=error.status, body=_write(content), headers=headers)


def upload_success(body: bytes) -> web.Response:
    """Return the answer to an upload that succeeded, or to a health check.

    Args:
        body: JSON.
    """
    return web.Response(body=body, headers={"Content-Type": _JSON})


def upload_refusal(status: int, text: str, *, creating: bool) -> web.Response:
    """Return the answer to an upload that is refused.

    Args:
        status: The HTTP status.
        text: Why.
        creating: Whether it came as far as the creation; before it KFP names no JSON.
    """
    body = _write({"error_message": text, "error_details": text})
    headers = {"Content-Type": _JSON if creating else _TEXT}
    return web.Response(status=status, body=body, headers=headers)


def plain(status: int, text: str, *, sniffable: bool = False) -> web.Response:
    """Return an answer in plain text.

    Args:
        status: The HTTP status.
        text: The answer.
        sniffable: True to leave out the field that forbids browsers to guess its type.
    """
    headers = {"Content-Type": _TEXT}
    if not sniffable:
        headers["X-Content-Type-Options"] = "nosniff"
    return web.Response(status=status, body=text.encode("utf-8", "replace"), headers=headers)


def _write(content: object) -> bytes:
    # A text may quote bytes of a request that are no UTF-8.
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
