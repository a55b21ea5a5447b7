"""The lock of a repository: one build at a time."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator

from kfp_k8s_manifest.errors import OutputError
from kfp_k8s_manifest.state_folder import state_folder

__all__ = ["locked"]


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
        # Through a link that came with the repository, somebody's file would be emptied.
        number = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    except OSError as error:
        reason = "it is a link; delete it" if path.is_symlink() else error.strerror
        raise OutputError(f"cannot open {path}: {reason}") from error
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OutputError(f"cannot open {path}: it is no file; delete it")
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
