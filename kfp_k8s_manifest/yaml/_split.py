"""From bytes to the parts of a stream that Kubernetes reads one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from kfp_k8s_manifest.errors import YamlError

__all__ = ["Chunk", "decode", "split"]

_SEPARATOR = re.compile(r"^---.*$", re.MULTILINE)
_SURROGATE = re.compile("[\ud800-\udfff]")
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Chunk(NamedTuple):
    """A part of a stream that is handed to the YAML parser by itself.

    Attributes:
        text: The text, with LF after every line.
        line: The one-based line of the stream where the text starts.
        column: How many characters before the text stand on that line.
        json: Whether it was read as JSON.
    """

    # No dataclass: making one takes a millisecond at every start of the command.
    text: str
    line: int
    column: int = 0
    json: bool = False


def decode(data: str | bytes, *, source: str) -> str:
    """Decode a stream, as strictly as Kubernetes.

    Args:
        data: The stream; bytes are UTF-8.
        source: Its name, for errors.

    Returns:
        The text, still with its byte order mark and its line ends.

    Raises:
        YamlError: The bytes are not UTF-8; the position is that of the first wrong byte.
    """
    if isinstance(data, str):
        match = _SURROGATE.search(data)
        if match is not None:
            raise YamlError(
                f"a lone surrogate ({match.group()!r}), which no text encoding can hold",
                source=source,
                line=data.count("\n", 0, match.start()) + 1,
                column=match.start() - data.rfind("\n", 0, match.start()),
            )
        return data
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if data[:2] in _UTF16_MARKS:
            raise YamlError(
                "the text is UTF-16; Kubernetes reads UTF-8", source=source, line=1
            ) from None
        before = data[: error.start]
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8")) + 1
        raise YamlError(
            f"byte 0x{data[error.start]:02x} is not UTF-8, which Kubernetes reads",
            source=source,
            line=before.count(b"\n") + 1,
            column=column,
        ) from None


def split(text: str, *, line: int, column: int, source: str) -> Iterator[Chunk]:
    """Split a stream the way the API machinery does, before any YAML is parsed.

    Every line that starts with `---` separates, wherever it stands, and may hold only a comment
    beside. A separator is left in front of a part that has nothing before it.

    Args:
        text: The stream.
        line: The one-based line where it starts.
        column: How many characters of that line come before.
        source: Its name, for errors.

    Yields:
        The parts, empty ones left out.

    Raises:
        YamlError: Something else than a comment follows a separator.
    """
    if not text:
        return
    # Go's line reader drops one CR in front of each LF and ends the last line.
    text = text.replace("\r\n", "\n")
    if not text.endswith("\n"):
        text += "\n"
    start, start_line, at = 0, line, 0
    for match in _SEPARATOR.finditer(text):
        line += text.count("\n", at, match.start())
        at = match.start()
        rest = match.group()[3:].strip(" \t\r")
        if rest and not rest.startswith("#"):
            raise YamlError(
                f"{rest[:40]!r} follows the document separator ---; Kubernetes allows only a "
                "comment there",
                source=source,
                line=line,
                column=(column if line == start_line and not at else 0) + 4,
            )
        if match.start() > start:
            yield Chunk(text=text[start : match.start()], line=start_line, column=column)
            start, start_line, column = min(match.end() + 1, len(text)), line + 1, 0
    if start < len(text):
        yield Chunk(text=text[start:], line=start_line, column=column)
