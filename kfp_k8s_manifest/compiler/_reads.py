"""What a source reads below a folder while it is compiled, by Python's audit events.

A file that is opened, a folder that is listed, a module that is looked for: the result depends on
them, and on those that were looked for and are not there. What Python cannot see (other processes,
the network) makes the result one that nobody can tell to be still right.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import os
import sys
from functools import cache
from typing import Any, Final

__all__ = ["Reads", "folder_prefix", "loaded_files"]

_OPAQUE: Final = frozenset(
    {
        *("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system"),
        *("pty.spawn", "socket.connect", "subprocess.Popen"),
    }
)


def folder_prefix(path: str) -> str:
    """Return what the paths of all files below a folder begin with."""
    return path.rstrip(os.sep) + os.sep


@cache
def loaded_files(root: str) -> tuple[str, ...]:
    """Return the files below a folder whose modules are loaded, as of the first call.

    A process that forks asks before it does: there are thousands of modules, and each look at one
    makes a fork copy the memory that it lies in.

    Args:
        root: The folder's path, with a slash at its end.
    """
    files = (getattr(module, "__file__", None) for module in tuple(sys.modules.values()))
    return tuple(file for file in files if isinstance(file, str) and file.startswith(root))


class Reads:
    """Notes what is read; once watching has begun, it does not end before the process does.

    Args:
        root: The folder, without links, below which reading counts.
    """

    def __init__(self, root: str) -> None:
        self._root = folder_prefix(root)
        self._prefix = os.path.realpath(sys.prefix) + os.sep
        self._files: set[str] = set()
        self._listed: set[str] = set()
        self._searched: dict[str, set[str]] = {}
        self._places: dict[str, str] = {}
        self._opaque = ""
        self._on = False

    def watch(self) -> None:
        """Begin to note what is read."""
        finder: Any = importlib.machinery.FileFinder
        original = finder.find_spec

        def noting_find_spec(found: Any, fullname: str, target: Any = None) -> Any:
            if self._on:
                folder = self._below(found.path)
                if folder:
                    tail = fullname.rpartition(".")[2]
                    self._searched.setdefault(folder, set()).add(tail)
            return original(found, fullname, target)

        finder.find_spec = noting_find_spec
        for file in loaded_files(self._root):
            self._add(self._files, file)
        self._on = True
        sys.addaudithook(self._note)

    def result(self) -> dict[str, Any]:
        """Return what was read, as JSON has it, and stop noting."""
        self._on = False
        return {
            "files": sorted(self._files),
            "listed": sorted(self._listed),
            "searched": {folder: sorted(names) for folder, names in sorted(self._searched.items())},
            "opaque": self._opaque,
        }

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on:
            return
        if event == "open":
            self._note_open(*arguments)
        elif event in ("os.listdir", "os.scandir"):
            # The import system lists folders to find modules, which are noted by name.
            caller = sys._getframe(1).f_code.co_filename
            if not caller.startswith("<frozen importlib"):
                self._add(self._listed, arguments[0] if arguments[0] is not None else os.curdir)
        elif event == "sqlite3.connect":
            self._add(self._files, arguments[0])
        elif event == "import" and arguments[1] is not None:
            # The system opens an extension module, and Python does not see that.
            self._add(self._files, arguments[1])
        elif event in _OPAQUE and not self._opaque:
            self._opaque = event

    def _note_open(self, path: Any, mode: Any, flags: Any) -> None:
        if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR) == os.O_WRONLY:
            return
        if isinstance(mode, str) and mode[:1] in ("w", "x", "a") and "+" not in mode:
            return
        self._add(self._files, path)

    def _add(self, places: set[str], path: Any) -> None:
        try:
            below = self._below(os.fsdecode(path))
        except TypeError:
            # A descriptor: whoever opened it was seen.
            return
        if below:
            places.add(below)

    def _below(self, path: str) -> str:
        """Return a path without its links where it counts, else ""."""
        if not os.path.isabs(path):  # noqa: PTH117
            path = os.path.join(os.getcwd(), path)  # noqa: PTH109, PTH118
        if path not in self._places:
            self._places[path] = self._place(path)
        return self._places[path]

    def _place(self, path: str) -> str:
        if path.endswith(".pyc"):
            with contextlib.suppress(ValueError):
                path = importlib.util.source_from_cache(path)
        try:
            real = os.path.realpath(path)
        except (OSError, ValueError):
            return ""
        if not (real + os.sep).startswith(self._root) or real.startswith(self._prefix):
            return ""
        return "" if f"{os.sep}site-packages{os.sep}" in real else real
