"""The folder `.kfp-k8s/` of a repository, and the lock in it: one build at a time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from kfp_k8s_manifest.errors import OutputError

__all__ = ["STATE_FOLDER", "locked", "state_folder"]

STATE_FOLDER: Final = ".kfp-k8s"
"""The one folder for what builds remember; git ignores it, and it may be deleted at any time."""


def state_folder(root: str) -> Path:
    """Return the folder for what builds remember, and make it where it is missing.

    Args:
        root: The repository's root.

    Raises:
        OutputError: It cannot be made.
    """
    folder = Path(root) / STATE_FOLDER
    if folder.is_symlink():
        raise OutputError(f"{folder} is a link; delete it, a build makes a folder in its place")
    try:
        folder.mkdir(exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror}") from error
    return folder


@contextlib.contextmanager
def locked(root: str, *, wait: bool, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Keep other builds out of a repository.

    Args:
        root: The repository's root.
        wait: Whether to wait while another one works.
        on_wait: Told, once, what is waited for.

    Raises:
        OutputError: Another one works, and is not waited for.
    """
    path = state_folder(root) / "lock"
    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise OutputError(f"cannot open {path}: {error.strerror}") from error
    try:
        if not _try_lock(number):
            holder = os.pread(number, 20, 0).decode("ascii", "replace").strip()
            who = f"process {holder}" if holder.isdigit() else "another process"
            if not wait:
                raise OutputError(
                    f"another build ({who}) works in this repository; run this one again when it"
                    " has ended, or without --no-wait"
                )
            on_wait(f"waiting for another build ({who}) in this repository")
            _lock(number)
        os.ftruncate(number, 0)
        os.pwrite(number, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        # The end of the process, however it comes, lets the lock go as well.
        os.close(number)


try:
    import fcntl
except ImportError:  # Windows

    def _try_lock(number: int) -> bool:
        import msvcrt

        try:
            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True

    def _lock(number: int) -> None:
        import time

        while not _try_lock(number):
            time.sleep(0.2)

else:

    def _try_lock(number: int) -> bool:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _lock(number: int) -> None:
        fcntl.flock(number, fcntl.LOCK_EX)
