"""Servers that the tests start: they end with the test run, however it ends."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_PR_SET_PDEATHSIG = 1
# Loaded here and not in the child: between fork and exec as little as possible may happen.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class ServerError(Exception):
    """A server did not start, or died; the message ends with the last lines of its log."""


def free_ports(count: int) -> list[int]:
    """Return `count` different ports of 127.0.0.1 that nobody listens on.

    They are free at the time of the call, and nothing keeps them so: whoever starts a server on
    one must be ready to try again with another.
    """
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Server:
    """One running program with its log file.

    It has a process group of its own, so that Ctrl-C reaches the tests first and these stop
    their servers in the right order, and so that its own children end with it. On Linux the
    kernel kills it when the test process dies without a chance to clean up.

    Args:
        name: what to call it in messages; also the log's file name.
        command: the program and its arguments.
        log_folder: where the log goes.
        environ: its whole environment; inherited if None.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log_folder: Path,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = log_folder / f"{name}.log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environ,
                start_new_session=True,
                preexec_fn=_die_with_parent if _LIBC is not None else None,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.poll() is None

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Wait until `ready` returns True.

        Raises:
            ServerError: if the server ends before, or the time is up.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.is_running:
                code = self._process.returncode
                raise ServerError(f"{self.name} ended with code {code}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise ServerError(
                    f"{self.name} was not ready after {seconds:g} s:\n{self.log_tail()}"
                )
            time.sleep(0.05)

    def log_tail(self, lines: int = 40) -> str:
        """Return the last lines of the log."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program's process group, if it still runs."""
        if self.is_running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def stop(self, *, grace: float = 5.0) -> int:
        """End the program, with SIGKILL after `grace` seconds, and return its exit code."""
        self.send(signal.SIGTERM)
        try:
            return self._process.wait(timeout=grace)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            return self._process.wait()


def _die_with_parent() -> None:
    """Ask the kernel, in the child, to kill it when the thread that started it ends."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
