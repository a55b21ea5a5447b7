"""A new interpreter for each source, where a fork is not to be had."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import IO

from kfp_k8s_manifest.compiler._output import Output
from kfp_k8s_manifest.compiler._request import Request
from kfp_k8s_manifest.compiler._words import ended, too_large, too_late, too_loud
from kfp_k8s_manifest.compiler._worker import CRASH, HEADER, OUTPUT_LIMIT, RESULT_LIMIT

__all__ = ["spawn_outcomes"]

_GRACE = 1
"""Seconds for an interpreter that has sent no outcome to end by itself."""

_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); del sys.argv[1:];"
    " from kfp_k8s_manifest.compiler._worker import main; main()"
)


def spawn_outcomes(
    requests: Sequence[Request], *, jobs: int, timeout: float | None
) -> Iterator[tuple[int, bytes]]:
    """Compile the sources; return their outcomes by their indexes, as they become ready."""
    executor = ThreadPoolExecutor(jobs)
    children = [_Child(request, timeout, several=len(requests) > 1) for request in requests]
    started = {executor.submit(child.run): index for index, child in enumerate(children)}
    return _read(executor, started, children)


def _read(
    executor: ThreadPoolExecutor, started: dict[Future[bytes], int], children: Sequence[_Child]
) -> Iterator[tuple[int, bytes]]:
    try:
        for future in as_completed(started):
            yield started[future], future.result()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        for child in children:
            child.stop()


class _Child:
    """The interpreter of one source."""

    def __init__(self, request: Request, timeout: float | None, *, several: bool) -> None:
        self._request, self._timeout = request, timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._sink = Output(request.source if several else None)
        self._problem = ""

    def stop(self) -> None:
        """End the interpreter if it runs."""
        if self._process is not None:
            _kill(self._process)

    def run(self) -> bytes:
        """Compile the source; return the outcome."""
        path = json.dumps(sys.path)
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
        process = self._process = subprocess.Popen(
            [sys.executable, *flags, "-c", _PROGRAM, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        threads = [
            threading.Thread(target=self._forward, args=(process, process.stderr), daemon=True),
            threading.Thread(target=self._watch, args=(process,), daemon=True),
        ]
        for thread in threads:
            thread.start()
        with contextlib.suppress(OSError):
            process.stdin.write(json.dumps(self._request.to_dict()).encode())
            process.stdin.close()
        outcome = self._receive(process.stdout)
        if outcome is None:
            # It is about to end by itself, and how is what there is to tell.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)
        _kill(process)
        code = process.wait()
        for thread in threads:
            thread.join(1)
        self._sink.close()
        process.stdout.close()
        if outcome is None or self._problem:
            problem = self._problem or ended(self._request.source, code)
            return json.dumps({"error": problem}).encode()
        return outcome

    def _receive(self, pipe: IO[bytes]) -> bytes | None:
        header = pipe.read(HEADER.size)
        if len(header) < HEADER.size or CRASH.startswith(header):
            return None
        (length,) = HEADER.unpack(header)
        if length > RESULT_LIMIT:
            self._problem = too_large(self._request.source)
            return None
        outcome = pipe.read(length)
        return outcome if len(outcome) == length else None

    def _forward(self, process: subprocess.Popen[bytes], pipe: IO[bytes]) -> None:
        with pipe:
            while data := os.read(pipe.fileno(), 2**16):
                self._sink.write(data)
                if self._sink.count > OUTPUT_LIMIT:
                    self._problem = too_loud(self._request.source)
                    _kill(process)
                    return

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """End the processes of a late source, and those that outlive its first."""
        try:
            process.wait(self._timeout)
        except subprocess.TimeoutExpired as error:
            self._problem = too_late(self._request.source, error.timeout)
        _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End an interpreter, and what it has started where it has a group of its own."""
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
