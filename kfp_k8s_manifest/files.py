"""Files are replaced atomically: a killed process leaves the old file or the new one.

What is on its way lies in a folder `.kfp-k8s-*.tmp` beside the file. Its name is hidden from patterns,
and it has a `.gitignore` of its own that hides it from git. Whoever writes holds a lock on it, which
the system releases when the process dies, however it dies; so the next run knows what is stale, and
removes it.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import ModuleType
from typing import TypeVar

from kfp_k8s_manifest.errors import OutputError, UsageError

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows: nothing is locked there, and nothing stale is removed.
    fcntl = None

__all__ = ["is_descriptor", "remove_stale", "write_text", "write_texts"]

PathT = TypeVar("PathT", bound="str | os.PathLike[str]")

_PREFIX, _SUFFIX = ".kfp-k8s-", ".tmp"
_MANY = 8
"""As many files are on their way to the disk at a time."""
_SOURCES = (".py", ".ipynb")
_DESCRIPTOR = re.compile(r"/dev/(?:fd/(\d+)|std(out|err))|/proc/self/fd/(\d+)")


def write_text(path: str | os.PathLike[str], text: str) -> list[str]:
    """Write a text file in UTF-8, all or nothing.

    Args:
        path: Where to; `~` stands for the home folder. Missing folders are made, and a symbolic
            link is followed. A device, a pipe, and one of the process's own descriptors such as
            `/dev/stdout`, is written to directly.
        text: The whole content.

    Returns:
        What the caller should tell: that other names of the file keep its old content.

    Raises:
        OutputError: The file cannot be written; whatever stood there before still does.
        UsageError: The name is that of Python code or of a notebook.
    """
    return write_texts({path: text})


def write_texts(texts: Mapping[PathT, str]) -> list[str]:
    """Write several text files: all are complete on the disk before the first one is replaced.

    Returns:
        What the caller should tell, as `write_text` does.

    Raises:
        OutputError: One cannot be written; the message names it. If that happens before the first
            is replaced, none is changed.
        UsageError: A name is that of Python code or of a notebook.
    """
    named: Iterable[tuple[str | os.PathLike[str], str]] = texts.items()
    contents = {os.fspath(given): text.encode("utf-8") for given, text in named}
    for given in contents:
        if given.lower().endswith(_SOURCES):
            raise UsageError(
                f"{given} is no name for what is written: {os.path.splitext(given)[1]} belongs to"  # noqa: PTH122
                " source code"
            )
    stage = _Stage()
    path = ""
    try:
        for path, content in contents.items():
            stage.add(path, content)
        for written, wait in stage.written():
            path = written
            wait()
        for path in stage.paths():
            stage.put(path)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; nothing was changed there"
        ) from error
    finally:
        stage.close()
    return stage.notes


def is_descriptor(path: str) -> bool:
    """Tell whether a path names one of the process's own descriptors, such as `/dev/stdout`."""
    return _DESCRIPTOR.fullmatch(path) is not None


class _Stage:
    """What is complete on the disk, and not yet in its place.

    Attributes:
        notes: What should be told of files that were replaced.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._folders: dict[str, _Folder] = {}
        self._staged: dict[str, tuple[str, str]] = {}
        self._writes: dict[str, Callable[[], None]] = {}
        self._made: list[str] = []

    def add(self, path: str, content: bytes) -> None:
        """Take a content that is written beside its goal; write to the goal if that is no file."""
        given = os.path.expanduser(path)  # noqa: PTH111
        if _write_directly(given, content):
            return
        goal = os.path.realpath(given)
        folder, _ = os.path.split(goal)
        old = _stat(goal)
        if old is not None and stat.S_ISDIR(old.st_mode):
            raise IsADirectoryError(21, "it is a folder")
        if old is not None and not os.access(goal, os.W_OK):
            # A rename would replace a write-protected file, which its owner did not mean.
            raise PermissionError(13, "the file is write-protected")
        self._make(folder)
        if folder not in self._folders:
            self._folders[folder] = _Folder(folder)
        temporary, write = self._folders[folder].writing(str(len(self._staged)), content, old)
        self._staged[path], self._writes[path] = (temporary, goal), write
        if old is not None and old.st_nlink > 1:
            self.notes.append(
                f"{path} had {old.st_nlink} names (hard links); the others keep the old content"
            )

    def written(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """Yield each path with what returns once its content is on the disk beside its goal."""
        if len(self._writes) < _MANY:
            yield from self._writes.items()
            return
        # A disk takes as long for one file as for those that wait beside it.
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_MANY) as pool:
            waiting = {path: pool.submit(write) for path, write in self._writes.items()}
            for path, future in waiting.items():
                yield path, future.result

    def paths(self) -> list[str]:
        """Return what has not been put into its place."""
        return list(self._staged)

    def put(self, path: str) -> None:
        """Replace a file by its new content."""
        temporary, goal = self._staged[path]
        os.replace(temporary, goal)  # noqa: PTH105 (both are plain strings)
        # From now on the folders that were made have something in them.
        self._made.clear()
        del self._staged[path]

    def close(self) -> None:
        """Remove what has not been put into its place."""
        for folder in self._folders.values():
            folder.remove()
        for folder_made in reversed(self._made):
            with contextlib.suppress(OSError):
                os.rmdir(folder_made)  # noqa: PTH106

    def _make(self, folder: str) -> None:
        """Make a folder and those above it."""
        missing = []
        while not os.path.isdir(folder):  # noqa: PTH112
            missing.append(folder)
            above = os.path.dirname(folder)  # noqa: PTH120
            if above == folder:
                break
            folder = above
        for each in reversed(missing):
            with contextlib.suppress(FileExistsError):
                os.mkdir(each)  # noqa: PTH102
                self._made.append(each)
            if not os.path.isdir(each):  # noqa: PTH112
                raise NotADirectoryError(20, f"{each} is not a folder")


class _Folder:
    """A folder for what is on its way, beside the files that it will become.

    Args:
        beside: The folder of those files.
    """

    def __init__(self, beside: str) -> None:
        remove_stale(beside)
        self._lock = -1
        while self._lock < 0:
            self._path = os.path.join(beside, f"{_PREFIX}{os.urandom(6).hex()}{_SUFFIX}")  # noqa: PTH118
            os.mkdir(self._path, 0o700)  # noqa: PTH102
            # Another run may take it to be stale before the lock is on it, and remove it.
            self._lock = _locked(self._path, wait=True)
        if not self._hide_at_once():
            self._write(".gitignore", b"*\n")

    def _hide_at_once(self) -> bool:
        """Let `.gitignore` appear with its content, since a moment without would show it to git."""
        if not hasattr(os, "O_TMPFILE") or self._lock <= 0:
            return False
        with contextlib.suppress(OSError):
            number = os.open(self._path, os.O_WRONLY | os.O_TMPFILE, 0o600)
            with os.fdopen(number, "wb", buffering=0) as file:
                file.write(b"*\n")
                # The folder's descriptor makes Python follow the link, as the system needs it.
                os.link(f"/proc/self/fd/{number}", ".gitignore", src_dir_fd=self._lock,
                        dst_dir_fd=self._lock)  # fmt: skip
            return True
        return False

    def writing(
        self, name: str, content: bytes, old: os.stat_result | None
    ) -> tuple[str, Callable[[], None]]:
        """Return a path, and what writes it down to the disk with the owner and mode of another.

        Args:
            name: Its name here.
            content: Its content.
            old: What will be replaced, whose owner and mode it gets; or None.
        """
        path = os.path.join(self._path, name)  # noqa: PTH118
        return path, partial(self._write, name, content, old, durable=True)

    def _write(
        self,
        name: str,
        content: bytes,
        old: os.stat_result | None = None,
        *,
        durable: bool = False,
    ) -> None:
        path = os.path.join(self._path, name)  # noqa: PTH118
        # The system takes the umask off the mode of a new file.
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            if old is not None and hasattr(os, "fchown"):
                new = os.fstat(number)
                if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
                    # Only root may give a file away; others own what they write.
                    with contextlib.suppress(PermissionError):
                        os.fchown(number, old.st_uid, old.st_gid)
                os.fchmod(number, stat.S_IMODE(old.st_mode))
            if durable:
                os.fsync(number)

    def remove(self) -> None:
        """Remove the folder with what is left in it."""
        _remove(self._path)
        if self._lock > 0:
            os.close(self._lock)


_BINARY = getattr(os, "O_BINARY", 0)


def _locked(path: str, *, wait: bool) -> int:
    """Lock a folder, until its descriptor is closed or the process dies.

    Returns:
        The descriptor; 0 where the platform cannot lock a folder; -1 if another process has the
        lock, or has just removed the folder.
    """
    if fcntl is None:
        return 0
    try:
        number = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return -1
    try:
        fcntl.flock(number, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        there = _stat(path)
        if there is not None and os.path.samestat(there, os.fstat(number)):
            return number
    except BlockingIOError:
        pass
    except OSError:
        # The file system has no locks: nothing here can be told to be stale.
        if wait:
            return number
    os.close(number)
    return -1


def remove_stale(folder: str) -> None:
    """Remove what killed runs have left in a folder, and nothing that may be in use."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        stale = [e.path for e in entries if e.name.startswith(_PREFIX) and e.name.endswith(_SUFFIX)]
        for path in stale:
            lock = _locked(path, wait=False)
            if lock > 0:
                _remove(path)
                os.close(lock)


def _remove(path: str) -> None:
    """Remove a folder of ours, which has files only."""
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        # The file that hides the others goes last.
        for name in sorted((entry.path for entry in entries), key=lambda p: p.endswith("ignore")):
            with contextlib.suppress(OSError):
                os.unlink(name)  # noqa: PTH108
    with contextlib.suppress(OSError):
        os.rmdir(path)  # noqa: PTH106


def _write_directly(path: str, content: bytes) -> bool:
    """Write to a device, a pipe or an open descriptor; return False for anything else."""
    match = _DESCRIPTOR.fullmatch(path)
    if match:
        # Never by its path: where a shell has redirected it to a file, that file is not replaced.
        number = {"out": 1, "err": 2}.get(match[2]) or int(match[1] or match[3])
        _write_all(os.dup(number), content)
        return True
    old = _stat(path)
    if old is None or stat.S_ISREG(old.st_mode) or stat.S_ISDIR(old.st_mode):
        return False
    _write_all(os.open(path, os.O_WRONLY), content)
    return True


def _write_all(number: int, content: bytes) -> None:
    with os.fdopen(number, "wb") as file:
        file.write(content)


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return None
