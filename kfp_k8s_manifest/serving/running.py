"""Runs servers as a program: until a signal comes."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from kfp_k8s_manifest.serving.server import Server

__all__ = ["run", "serve", "stop_on_signals"]

_SAME_SECONDS = 0.5


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine in an event loop that tells when a socket can be read; Windows' own does not.

    Args:
        main: The coroutine.
    """
    if sys.version_info >= (3, 11):
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(main)
    else:
        if sys.platform == "win32":
            asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())
        asyncio.run(main)


async def serve(
    *servers: Server,
    prepare: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Run servers until SIGTERM or SIGINT comes; another SIGINT then ends requests under way.

    Args:
        servers: The servers.
        prepare: Awaited before they listen.

    Raises:
        KfpK8sError: A server cannot start; those that have are stopped.
    """
    _raise_file_limit()
    if prepare is not None:
        await prepare()
    started: list[Server] = []
    try:
        for server in servers:
            await server.start()
            started.append(server)
    except BaseException:
        await asyncio.gather(*(server.stop(drain=0) for server in started))
        raise
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    stopped_at = 0.0

    def stop() -> None:
        nonlocal stopped_at
        if not stopped.is_set():
            stopped_at = loop.time()
            stopped.set()

    def interrupt() -> None:
        # One Ctrl-C may come twice: from the terminal, and from a program in between that passes it on.
        if stopped.is_set() and loop.time() > stopped_at + _SAME_SECONDS:
            for server in servers:
                server.hurry()
        stop()

    stop_on_signals(stop, interrupt)
    await stopped.wait()
    await asyncio.gather(*(server.stop() for server in servers))


def stop_on_signals(terminate: Callable[[], None], interrupt: Callable[[], None]) -> None:
    """Call functions in the running loop on each signal.

    Args:
        terminate: Called on SIGTERM.
        interrupt: Called on SIGINT, as Ctrl-C sends it.
    """
    loop = asyncio.get_running_loop()
    handlers = {signal.SIGTERM: terminate, signal.SIGINT: interrupt}
    try:
        for number, handle in handlers.items():
            loop.add_signal_handler(number, handle)
    except NotImplementedError:  # Windows: handlers of Python's, which wake the loop.
        for number in handlers:
            signal.signal(
                number, lambda sent, _: loop.call_soon_threadsafe(handlers[signal.Signals(sent)])
            )


def _raise_file_limit() -> None:
    """Allow as many open files as the system lets us: each connection is one."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
