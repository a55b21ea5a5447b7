"""What is taken out of an uploaded or fetched file: YAML as it is, or the package in an archive."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
import zlib
from typing import Final

from kfp_k8s_manifest.rest.errors import RestError, invalid

__all__ = ["MAX_SIZE", "too_large", "unpack"]

MAX_SIZE: Final = 32 * 1024 * 1024
"""Bytes of a file that are received, and of a package that are unpacked."""

_TEXTS: Final = (".yaml", ".yml", ".json")
_PACKAGE: Final = "pipeline.yaml"
_YAML: Final = (".yaml", ".yml")
_ENTRIES: Final = 10_000
"""Entries that an archive may have; a package has a few."""
_MOST_UNPACKED: Final = 8 * MAX_SIZE
"""Bytes that are unpacked while an entry is looked for."""


def too_large(size: int) -> RestError:
    """Return the refusal of a file that is too large.

    Args:
        size: Its bytes, as far as they are known.
    """
    return invalid(
        f"File size too large ({size} bytes). Maximum supported size: {MAX_SIZE}. Compress the"
        " package, or make it smaller"
    )


def unpack(file_name: str, data: bytes) -> bytes:
    """Return the text of a package.

    Args:
        file_name: How the file is called; `.yaml`, `.yml` and `.json` are taken as they are.
        data: Its content.

    Raises:
        RestError: It is no such file, holds no package, or is too large (400).
    """
    if len(data) > MAX_SIZE:
        raise too_large(len(data))
    if file_name.endswith(_TEXTS):
        return data
    if len(data) > 2 and data.startswith(b"PK"):
        return _from_zip(data)
    if data.startswith(b"\x1f\x8b"):
        return _from_tar(data)
    raise invalid("Unexpected pipeline file format. Support .zip, .tar.gz, .json or YAML")


def _from_zip(data: bytes) -> bytes:
    if data.count(b"PK\x01\x02") > _ENTRIES:
        raise invalid(f"The zip file has more than {_ENTRIES} entries")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            # Of two entries of one name the first counts.
            chosen = next((each for each in entries if each.filename == _PACKAGE), None)
            if chosen is None:
                if not entries:
                    raise invalid("The zip file is empty")
                chosen = entries[0]
                if not chosen.filename.endswith(_YAML):
                    raise _no_package("zip")
            if chosen.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise invalid("The zip file is compressed in a way that is not read; use deflate")
            with archive.open(chosen) as entry:
                return _limited(entry.read(MAX_SIZE + 1))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
        # Encrypted, or of a later version of the format: both are kinds of RuntimeError.
        raise invalid(f"The zip file cannot be read: {error}") from error


def _from_tar(data: bytes) -> bytes:
    first: bytes | None = None
    count = 0
    try:
        stream = _Unpacked(data)
        with tarfile.open(fileobj=stream, mode="r|") as archive:  # type: ignore[call-overload]
            for member in archive:
                count += 1
                if count > _ENTRIES:
                    raise invalid(f"The tar.gz file has more than {_ENTRIES} entries")
                if member.name == _PACKAGE:
                    return _entry(archive, member)
                if count == 1 and member.name.endswith(_YAML) and not member.isdir():
                    first = _entry(archive, member)
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        raise invalid(f"The tar.gz file cannot be read: {error}") from error
    if not count:
        raise invalid("The tar.gz file is empty")
    if first is None:
        raise _no_package("tar.gz")
    return first


def _entry(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    entry = archive.extractfile(member) if member.isreg() else None
    if entry is None:
        raise invalid("The tar.gz file has something else than a file for a package")
    return _limited(entry.read(MAX_SIZE + 1))


class _Unpacked:
    """The content of a gzip file, up to a limit."""

    def __init__(self, data: bytes) -> None:
        self._stream = gzip.GzipFile(fileobj=io.BytesIO(data))
        self._left = _MOST_UNPACKED

    def read(self, size: int) -> bytes:
        content = self._stream.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise invalid(
                f"The tar.gz file is larger than {_MOST_UNPACKED} bytes once it is unpacked, the"
                " most that is read"
            )
        return content


def _no_package(kind: str) -> RestError:
    return invalid(
        f"The {kind} file has no {_PACKAGE}, and its first entry does not end in .yaml or .yml"
    )


def _limited(data: bytes) -> bytes:
    if len(data) > MAX_SIZE:
        raise invalid(
            f"The package is larger than {MAX_SIZE} bytes once it is unpacked, the most that is read"
        )
    return data
