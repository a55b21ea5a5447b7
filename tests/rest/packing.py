"""Archives for the tests."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Sequence


def tar(*entries: tuple[str, bytes], extra: Sequence[tarfile.TarInfo] = ()) -> bytes:
    """Return a tar.gz of names and contents, behind what stands in front."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for info in extra:
            archive.addfile(info)
        for name, content in entries:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def packed(*entries: tuple[str, bytes]) -> bytes:
    """Return a zip file of names and contents."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()
