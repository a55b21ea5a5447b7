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
_ENTRIES: Final = 1000
"""Entries of an archive that are looked at; a package has a few."""


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
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            name = _chosen(names, "zip")
            # Of two entries of one name the first counts.
            with archive.open(archive.infolist()[names.index(name)]) as entry:
                return _limited(entry.read(MAX_SIZE + 1))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
        # RuntimeError: encrypted; NotImplementedError, a kind of it: an unknown compression.
        raise invalid(f"The zip file cannot be read: {error}") from error


def _from_tar(data: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            unpacked = _limited(stream.read(MAX_SIZE + 1))
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
            members = archive.getmembers()[:_ENTRIES]
            names = [member.name for member in members]
            entry = archive.extractfile(members[names.index(_chosen(names, "tar.gz"))])
            if entry is None:
                raise invalid("The tar.gz file holds no pipeline package, but a folder or link")
            return entry.read()
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
        raise invalid(f"The tar.gz file cannot be read: {error}") from error


def _chosen(names: list[str], kind: str) -> str:
    """Return the name of the entry that is the package: `pipeline.yaml`, else the first."""
    if _PACKAGE in names:
        return _PACKAGE
    if not names:
        raise invalid(f"The {kind} file is empty")
    if not names[0].endswith((".yaml", ".yml")):
        raise invalid(
            f"The {kind} file has no {_PACKAGE}, and its first entry does not end in .yaml or .yml"
        )
    return names[0]


def _limited(data: bytes) -> bytes:
    if len(data) > MAX_SIZE:
        raise invalid(
            f"The package is larger than {MAX_SIZE} bytes once it is unpacked, the most that is read"
        )
    return data
