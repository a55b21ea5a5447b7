"""The file in an upload: one part of a `multipart/form-data` body.

The body is in memory already, so the parts are found by their boundary and none is copied but the one that
is wanted. Pure, and linear in the body's size.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message
from typing import Final

from kfp_k8s_manifest.errors import KfpK8sError

__all__ = ["FormError", "UploadedFile", "read_file"]

# As many as Go reads.
_PARTS: Final = 1000
_HEAD: Final = 16 * 1024
# RFC 2046 allows 70 characters.
_BOUNDARY: Final = 200


class FormError(KfpK8sError):
    """The body is no form, or has no such file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedFile:
    """A file of a form.

    Attributes:
        name: Its name, without folders.
        content: Its bytes.
    """

    name: str
    content: bytes


def read_file(content_type: str, body: bytes, field: str) -> UploadedFile:
    """Return the first file of a field.

    Args:
        content_type: The request's `Content-Type`.
        body: The request's body.
        field: The field's name.

    Raises:
        FormError: The body is no form, is cut off, or has no such file.
    """
    found: UploadedFile | None = None
    delimiter = _delimiter(content_type)
    start = _first(body, delimiter)
    # All parts are looked at, as the server does: a form that is cut off is no form.
    for _ in range(_PARTS):
        head_end = body.find(b"\r\n\r\n", start, start + _HEAD)
        # A part without any header begins with the empty line itself.
        content = start + 2 if body.startswith(b"\r\n", start) else head_end + 4
        if content == 3:
            raise FormError("a part of the form has no end of its head")
        end = body.find(b"\r\n" + delimiter, content - 2)
        if end < 0:
            raise FormError("the form is cut off")
        position = end + 2 + len(delimiter)
        if found is None:
            found = _file(body[start : max(content - 4, start)], body, content, end, field)
        if body.startswith(b"--", position):
            if found is None:
                raise FormError(f"the form has no file {field!r}")
            return found
        start = _after_line(body, position)
    raise FormError(f"the form has more than {_PARTS} parts")


def _delimiter(content_type: str) -> bytes:
    header = Message()
    header["Content-Type"] = content_type.replace("\r", " ").replace("\n", " ")
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise FormError(f"the content type is {content_type[:100]!r}, no form with a boundary")
    if not 0 < len(boundary) <= _BOUNDARY:
        raise FormError("the boundary of the form is empty or too long")
    return b"--" + boundary.encode("utf-8", "surrogateescape")


def _first(body: bytes, delimiter: bytes) -> int:
    """Return where the first part begins; what stands before it does not count."""
    if body.startswith(delimiter):
        position = len(delimiter)
    else:
        position = body.find(b"\r\n" + delimiter)
        if position < 0:
            raise FormError("the form does not begin")
        position += 2 + len(delimiter)
    if body.startswith(b"--", position):
        raise FormError("the form is empty")
    return _after_line(body, position)


def _after_line(body: bytes, position: int) -> int:
    """Return what follows the line of a boundary, behind which spaces may stand."""
    end = body.find(b"\r\n", position, position + 100)
    if end < 0 or body[position:end].strip(b" \t"):
        raise FormError("the form is malformed behind a boundary")
    return end + 2


def _file(head: bytes, body: bytes, start: int, end: int, field: str) -> UploadedFile | None:
    """Return a part where it is a file of the field."""
    try:
        lines = head.decode().split("\r\n")
    except UnicodeDecodeError as error:
        raise FormError("the head of a part of the form is not valid UTF-8") from error
    header = Message()
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-disposition":
            header["Content-Disposition"] = value.strip()
            break
    if header.get_content_disposition() != "form-data":
        return None
    if header.get_param("name", header="content-disposition") != field:
        return None
    name = (header.get_filename() or "").rpartition("/")[2]
    # A value in place of a file has no file name.
    return UploadedFile(name=name, content=body[start:end]) if name else None
