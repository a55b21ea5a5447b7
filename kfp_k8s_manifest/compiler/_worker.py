"""What runs in the process of one source: the user's code, and kfp's compiler on what it defines.

The process was made by `_forkserver` or `_spawn` for this one source, so nothing here is put back
afterwards. It ends without running what the user's code registered with `atexit` and without
waiting for its threads, once the result is on its way.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import io
import json
import os
import signal
import struct
import sys
import traceback
from typing import TYPE_CHECKING, Any

from kfp_k8s_manifest.errors import KfpK8sError, SourceError, UsageError

if TYPE_CHECKING:
    from types import FrameType

    from kfp_k8s_manifest.compiler._request import Request

__all__ = ["CRASH", "HEADER", "OUTPUT_LIMIT", "RESULT_LIMIT", "TIME_IS_UP", "main", "work"]

HEADER = struct.Struct(">Q")
"""What precedes an outcome in a pipe: its length in bytes."""

CRASH = b"Fatal Python error"
"""How the stack begins that Python writes in the place of an outcome when it crashes."""

OUTPUT_LIMIT = 16 * 2**20
"""The bytes that one source may print."""

RESULT_LIMIT = 64 * 2**20
"""The bytes of JSON that one source's pipelines may come to."""

TIME_IS_UP = getattr(signal, "SIGXCPU", None)
"""The signal that asks a source for the line it is at. User code has no other use for it."""


def work(request: Request, result: int) -> None:
    """Compile one source, send the outcome and end the process.

    Args:
        request: The source.
        result: The file descriptor of the pipe that takes the outcome.
    """
    process = os.getpid()
    # Every start of the command turns this off for its own short life; user code may need it.
    gc.enable()
    sys.dont_write_bytecode = True
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 (it lives as long as we)
    sys.stdout = sys.__stdout__ = _stream(1)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _stream(2)  # type: ignore[misc]
    # What Python writes when it crashes takes the place of the outcome, which will not come.
    faulthandler.enable(result, all_threads=False)
    if TIME_IS_UP is not None:
        _report_line_on(TIME_IS_UP, request, result)
    status = 1
    try:
        outcome = _outcome(request)
        # A fork in user code comes back here as well, and must not send a second result.
        if os.getpid() == process:
            if TIME_IS_UP is not None:
                signal.signal(TIME_IS_UP, signal.SIG_IGN)
            _flush()
            _send(result, outcome)
            status = 0
    finally:
        os._exit(status)


def _stream(number: int) -> io.TextIOWrapper:
    """Return a new stream on a descriptor, which stays open if user code closes the stream."""
    raw = open(number, "wb", buffering=0, closefd=False)  # noqa: SIM115
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding="utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )


def _report_line_on(number: int, request: Request, result: int) -> None:
    """Answer the end of the time limit with the user's line, and end."""
    process = os.getpid()

    def on_signal(_: int, frame: FrameType | None) -> None:
        if os.getpid() != process:
            return
        from kfp_k8s_manifest.compiler._traces import stack_text
        from kfp_k8s_manifest.compiler.modules import place

        where = stack_text(frame, place(request))
        _flush()
        _send(result, {"late": where})
        os._exit(1)

    signal.signal(number, on_signal)


def _outcome(request: Request) -> dict[str, Any]:
    try:
        return _compile(request)
    except KfpK8sError as error:
        return {"error": str(error), "usage": isinstance(error, UsageError)}
    except BaseException:  # noqa: BLE001 (the caller raises it)
        return {"bug": traceback.format_exc()}


def _compile(request: Request) -> dict[str, Any]:
    from kfp_k8s_manifest.compiler._traces import words
    from kfp_k8s_manifest.compiler.calls import execution_caching, package_text, pipeline_ir
    from kfp_k8s_manifest.compiler.modules import load, origin

    options: dict[str, Any] = {
        "pipeline_parameters": dict(request.parameters),
        "type_check": request.type_check,
    }
    made: list[dict[str, Any]] = []
    reads = None
    if request.watch is not None:
        from kfp_k8s_manifest.compiler._reads import Reads

        reads = Reads(request.watch)
        reads.watch()
    package = ""
    with execution_caching(enabled=request.caching):
        loaded = load(request)
        for pipeline in loaded.pipelines:
            try:
                if request.package is not None:
                    package = package_text(pipeline, request.package, **options)
                    continue
                ir = pipeline_ir(pipeline, **options)
            except (ValueError, TypeError, NotImplementedError) as error:
                raise SourceError(f"{request.source}: {words(error)}") from error
            except Exception as error:
                raise SourceError(
                    f"{request.source}: kfp raised {type(error).__name__}: {words(error)}"
                ) from error
            made.append(
                {"spec": ir.pipeline_spec, "platform": ir.platform_spec, "origin": origin(pipeline)}
            )
    return {
        "file": loaded.file,
        "pipelines": made,
        "used": loaded.used,
        "package": package,
        "reads": None if reads is None else reads.result(),
    }


def _flush() -> None:
    """Let what user code printed go out, into whatever it has made of the streams."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(BaseException):
            stream.flush()  # type: ignore[union-attr]


def _send(number: int, outcome: dict[str, Any]) -> None:
    data = json.dumps(outcome).encode("ascii")
    rest = memoryview(HEADER.pack(len(data)) + data)
    while rest:
        rest = rest[os.write(number, rest) :]


def main() -> None:
    """Compile the one source that standard input describes, in an interpreter made for it.

    The outcome takes the place of standard output; what user code prints joins standard error.
    """
    from kfp_k8s_manifest.compiler._request import Request

    request = Request(**json.loads(sys.stdin.buffer.read()))
    result = os.dup(1)
    os.dup2(2, 1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    work(request, result)
