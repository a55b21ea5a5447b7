"""One process that imports kfp once and forks for each source.

It is forked from the caller before that has loaded anything of weight, so both load what they need
at the same time. It runs no user code itself: it starts the sources' processes, forwards what they
print, enforces the limits, and hands each outcome to the caller. When the caller goes away, however
that happens, the other end of the `lifeline` pipe closes, and it ends them all.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import signal
import struct
import sys
import time
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from kfp_k8s_manifest.compiler._output import Output
from kfp_k8s_manifest.compiler._request import Request
from kfp_k8s_manifest.compiler._words import ended, server_ended, too_large, too_late, too_loud
from kfp_k8s_manifest.compiler._worker import (
    CRASH,
    HEADER,
    OUTPUT_LIMIT,
    RESULT_LIMIT,
    TIME_IS_UP,
    work,
)
from kfp_k8s_manifest.errors import SourceError

__all__ = ["fork_outcomes"]

_FRAME = struct.Struct(">qQ")
"""What precedes an outcome on its way to the caller: the source's index, and the length."""

_NO_SOURCE = -1
"""The index of an outcome that concerns all sources."""

_LOOK = 0.05
"""Seconds between two looks at whether a process has ended without a word."""

_GRACE = 0.5
"""Seconds for a late source to say where it is."""


def fork_outcomes(
    requests: Sequence[Request], *, jobs: int, timeout: float | None
) -> Iterator[tuple[int, bytes]]:
    """Start the server; return the sources' outcomes by their indexes, as they become ready."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    results, theirs = os.pipe()
    lifeline, ours = os.pipe()
    server = os.fork()
    if server == 0:
        os.close(results)
        os.close(ours)
        _run(requests, theirs, lifeline, jobs, timeout)
    os.close(theirs)
    os.close(lifeline)
    return _read(server, results, ours, len(requests))


def _read(server: int, results: int, lifeline: int, count: int) -> Iterator[tuple[int, bytes]]:
    try:
        with os.fdopen(results, "rb") as file:
            for _ in range(count):
                header = file.read(_FRAME.size)
                if len(header) < _FRAME.size:
                    break
                index, length = _FRAME.unpack(header)
                outcome = file.read(length)
                if index == _NO_SOURCE:
                    raise SourceError(outcome.decode())
                count -= 1
                yield index, outcome
    finally:
        os.close(lifeline)
        if count:
            # It may be importing kfp, and would see the closed pipe only afterwards.
            with contextlib.suppress(ProcessLookupError):
                os.kill(server, signal.SIGTERM)
        _, status = os.waitpid(server, 0)
    if count:
        raise SourceError(server_ended(os.waitstatus_to_exitcode(status)))


def _run(
    requests: Sequence[Request], results: int, lifeline: int, jobs: int, timeout: float | None
) -> NoReturn:
    """Be the server; never return into the caller's code."""
    status = 1
    try:
        # Ctrl-C reaches the whole group; the caller decides what it means.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(1))
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        # Nothing but the caller writes to standard output.
        os.dup2(2, 1)
        try:
            import kfp_k8s_manifest.compiler.calls
            import kfp_k8s_manifest.compiler.modules  # noqa: F401
        except Exception as error:  # noqa: BLE001 (whatever an import can raise)
            traceback.print_exc()
            text = f"kfp cannot be imported: {type(error).__name__}: {error}"
            _forward(results, _NO_SOURCE, text.encode())
        else:
            if len(requests) > jobs:
                _prepare(requests)
            gc.freeze()
            _Server(results, lifeline, timeout, several=len(requests) > 1).serve(requests, jobs)
        status = 0
    except SystemExit:
        pass
    except BrokenPipeError:
        # The caller is gone.
        pass
    except BaseException:  # noqa: BLE001 (nothing may get back into the caller's code)
        traceback.print_exc()
    finally:
        os._exit(status)


def _prepare(requests: Sequence[Request]) -> None:
    """Do once what each source's process would do again."""
    from kfp_k8s_manifest.compiler._reads import folder_prefix, loaded_files
    from kfp_k8s_manifest.compiler._warmup import warm_up

    # What is wrong with kfp is told where a source meets it.
    with contextlib.suppress(Exception):
        warm_up()
    for root in {each.watch for each in requests if each.watch is not None}:
        loaded_files(folder_prefix(root))


class _Child:
    """The process of one source, as the server sees it."""

    def __init__(
        self, index: int, request: Request, pid: int, result: int, output: int, sink: Output
    ) -> None:
        self.index, self.request, self.pid = index, request, pid
        self.result, self.output, self.sink = result, output, sink
        self.started = time.monotonic()
        self.asked = False
        self.received = bytearray()
        self.code: int | None = None

    def read_output(self) -> bool:
        """Forward what was printed; return False at the end of it."""
        data = os.read(self.output, 2**16)
        self.sink.write(data)
        return bool(data)

    def read_result(self) -> bool:
        """Take what has come of the outcome; return False at the end of it."""
        data = os.read(self.result, 2**16)
        self.received += data
        return bool(data)

    def read_rest(self) -> None:
        """Read what both pipes hold, once the process has ended and as far as its limit."""
        with contextlib.suppress(BlockingIOError):
            while self.read_result() and self.announced() <= RESULT_LIMIT:
                pass
        with contextlib.suppress(BlockingIOError):
            while self.read_output() and self.sink.count <= OUTPUT_LIMIT:
                pass

    def outcome(self) -> bytes | None:
        """Return the outcome once it is complete."""
        end = HEADER.size + self.announced()
        has_header = len(self.received) >= HEADER.size and not self.has_crashed()
        complete = has_header and len(self.received) >= end
        return bytes(self.received[HEADER.size : end]) if complete else None

    def announced(self) -> int:
        """Return the length that the outcome will have, as far as known."""
        known = len(self.received) >= HEADER.size and not self.has_crashed()
        return int(HEADER.unpack_from(self.received)[0]) if known else 0

    def has_crashed(self) -> bool:
        """Tell whether Python's last words have come instead of an outcome."""
        return CRASH.startswith(self.received[: len(CRASH)])


class _Server:
    """The loop that starts the processes and listens to them."""

    def __init__(
        self, results: int, lifeline: int, timeout: float | None, *, several: bool
    ) -> None:
        self._results, self._lifeline, self._timeout = results, lifeline, timeout
        self._several = several
        self._running: list[_Child] = []
        self._selector = selectors.DefaultSelector()
        self._selector.register(lifeline, selectors.EVENT_READ)

    def serve(self, requests: Sequence[Request], jobs: int) -> None:
        """Compile all sources."""
        waiting = deque(enumerate(requests))
        try:
            while waiting or self._running:
                while waiting and len(self._running) < jobs:
                    self._start(*waiting.popleft())
                for key, _ in self._selector.select(_LOOK):
                    if key.fd == self._lifeline:
                        return
                    # The end of either pipe says nothing: a grandchild may hold it open, or user
                    # code may have closed it. What counts is the outcome, or the process's end.
                    with contextlib.suppress(BlockingIOError):
                        if not key.data():
                            self._selector.unregister(key.fd)
                for child in tuple(self._running):
                    self._look_at(child)
        finally:
            for child in self._running:
                _kill(child)

    def _start(self, index: int, request: Request) -> None:
        result, result_end = os.pipe()
        output, output_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            for number in (result, output, *self._descriptors()):
                os.close(number)
            _become(request, result_end, output_end)
        os.close(result_end)
        os.close(output_end)
        label = request.source if self._several else None
        child = _Child(index, request, pid, result, output, Output(label))
        for number, read in ((result, child.read_result), (output, child.read_output)):
            os.set_blocking(number, False)
            self._selector.register(number, selectors.EVENT_READ, read)
        self._running.append(child)

    def _descriptors(self) -> list[int]:
        """Return what the server has open and no source may see."""
        pipes = [number for child in self._running for number in (child.result, child.output)]
        own = [self._results, self._lifeline, *pipes]
        fileno = getattr(self._selector, "fileno", None)
        return [*own, fileno()] if fileno else own

    def _look_at(self, child: _Child) -> None:
        """Finish a source that has sent its outcome, has ended, or goes beyond a limit."""
        beyond = child.sink.count > OUTPUT_LIMIT or child.announced() > RESULT_LIMIT
        if beyond or child.outcome() is not None or _has_ended(child):
            self._finish(child)
        elif self._timeout is not None:
            late = time.monotonic() - child.started - self._timeout
            if late > 0 and not child.asked and TIME_IS_UP is not None:
                child.asked = True
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, TIME_IS_UP)
            elif late > _GRACE:
                self._finish(child)

    def _finish(self, child: _Child) -> None:
        code = _kill(child)
        child.read_rest()
        child.sink.close()
        for number in (child.result, child.output):
            with contextlib.suppress(KeyError):
                self._selector.unregister(number)
            os.close(number)
        self._running.remove(child)
        from kfp_k8s_manifest.compiler._traces import crash_text
        from kfp_k8s_manifest.compiler.modules import place

        name, outcome, where = child.request.source, child.outcome(), ""
        if outcome is not None and outcome.startswith(b'{"late"'):
            where, outcome = json.loads(outcome)["late"], None
        if child.sink.count > OUTPUT_LIMIT:
            outcome = _error(too_loud(name))
        elif child.announced() > RESULT_LIMIT:
            outcome = _error(too_large(name))
        elif outcome is None and self._timeout is not None and child.asked:
            outcome = _error(too_late(name, self._timeout) + where)
        elif outcome is None:
            if child.has_crashed():
                where = crash_text(child.received.decode("utf-8", "replace"), place(child.request))
            outcome = _error(ended(name, code) + where)
        _forward(self._results, child.index, outcome)


def _error(text: str) -> bytes:
    return json.dumps({"error": text}).encode()


def _become(request: Request, result: int, output: int) -> NoReturn:
    """Be the process of one source."""
    try:
        # A session of its own: one signal ends all that it starts, and Ctrl-C is not for it.
        os.setsid()
        for number in (1, 2):
            os.dup2(output, number)
        os.close(output)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        work(request, result)
    except BaseException:  # noqa: BLE001 (nothing may get back into the server's code)
        traceback.print_exc()
    finally:
        os._exit(1)


def _forward(results: int, index: int, outcome: bytes) -> None:
    rest = memoryview(_FRAME.pack(index, len(outcome)) + outcome)
    while rest:
        rest = rest[os.write(results, rest) :]


def _has_ended(child: _Child) -> bool:
    """Tell whether a process has ended, and leave its number taken where that is possible."""
    waitid: Any = getattr(os, "waitid", None)
    if waitid is not None:
        return waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    pid, status = os.waitpid(child.pid, os.WNOHANG)
    if pid:
        child.code = os.waitstatus_to_exitcode(status)
    return bool(pid)


def _kill(child: _Child) -> int:
    """End a source's process and all that it has started; return the exit code of the first."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # It has not made its own group yet, or has ended.
        if child.code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
    if child.code is None:
        child.code = os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1])
    return child.code
