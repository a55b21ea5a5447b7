"""How answers are written: the gateway's, the uploads', and those in plain text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

from kfp_k8s_manifest.rest.errors import Code, GatewayError, RestError

__all__ = ["plain", "refusal", "success", "upload_refusal", "upload_success"]

_JSON: Final = "application/json"
_TEXT: Final = "text/plain; charset=utf-8"
# Below what the allocator takes from the system each time.
_PART: Final = 64 * 1024
_STATUS: Final = "type.googleapis.com/google.rpc.Status"


def success(body: bytes | Sequence[bytes]) -> web.Response:
    """Return the answer to a call that succeeded.

    Args:
        body: JSON, as a whole or in pieces.
    """
    headers = {"Content-Type": _JSON, "Grpc-Metadata-Content-Type": "application/grpc"}
    return web.Response(body=body if isinstance(body, bytes) else _Pieces(body), headers=headers)


class _Pieces(Payload):
    """A body that is sent in parts.

    As a whole, megabytes would be copied several times: when they are joined, when the head is put in front
    of them, and whenever the connection takes some and not the rest.
    """

    def __init__(self, pieces: Sequence[bytes]) -> None:
        super().__init__(pieces)
        self._size = sum(map(len, pieces))

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return b"".join(self._value).decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        part: list[bytes] = []
        size = 0
        for piece in self._value:
            part.append(piece)
            size += len(piece)
            if size >= _PART:
                await writer.write(b"".join(part))
                part, size = [], 0
        if part:
            await writer.write(b"".join(part))


def refusal(error: RestError) -> web.Response:
    """Return the answer to a call that is refused."""
    message = _in_full(error.text, error.detail)
    content: dict[str, object] = {"code": int(error.code), "message": message}
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


def upload_refusal(status: int, text: str, *, creating: bool, detail: str = "") -> web.Response:
    """Return the answer to an upload that is refused.

    Args:
        status: The HTTP status.
        text: Why, in KFP's words.
        detail: What these do not tell, or "".
        creating: Whether it came as far as the creation; before it KFP names no JSON.
    """
    body = _write({"error_message": text, "error_details": _in_full(text, detail)})
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


def _in_full(text: str, detail: str) -> str:
    return f"{text}: {detail}" if detail else text


def _write(content: object) -> bytes:
    # A text may quote bytes of a request that are no UTF-8.
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace")
