"""The commands need nothing that only Unix has. Windows itself is not tried."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from tests.conftest import ROOT

# What Python lacks on Windows, of all that this package could call. The interpreter's own parts
# (subprocess, signal.SIGKILL in it) keep theirs.
WITHOUT = """
    import multiprocessing, os, signal, subprocess, sys, runpy
    multiprocessing.set_start_method("spawn")
    for name in (
        "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_TMPFILE", "chown", "fchmod", "fchown", "fork",
        "forkpty", "getegid", "geteuid", "getgid", "getgroups", "getpgid", "getuid", "killpg",
        "lchown", "mkfifo", "nice", "register_at_fork", "sched_getaffinity", "setpgid", "setsid",
    ):
        if hasattr(os, name):
            delattr(os, name)
    for name in ("SIGALRM", "SIGCHLD", "SIGHUP", "SIGPIPE", "SIGUSR1", "SIGXCPU", "setitimer"):
        if hasattr(signal, name):
            delattr(signal, name)
    for name in ("fcntl", "grp", "pwd", "resource", "termios"):
        sys.modules[name] = None
    sys.argv[0] = "kfp-k8s"
    runpy.run_module("kfp_k8s_manifest", run_name="__main__", alter_sys=True)
"""


def run(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(WITHOUT), *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_compiling_and_checking_without_what_only_unix_has(tmp_path: Path) -> None:
    sources = [str(ROOT / "examples" / name / "pipeline.py") for name in ("hello_world", "nested")]
    run("compile", *sources, "-n", "team-a", "-o", "manifests/", cwd=tmp_path)
    # The second time each file is replaced.
    told = run("compile", *sources, "-n", "team-a", "-o", "manifests/", cwd=tmp_path)
    assert "hello-world.yaml: Pipeline hello-world" in told
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        *("hello-world.yaml", "manifests", "nested.yaml")
    ]
    told = run("validate", "manifests/", "--jobs", "2", cwd=tmp_path)
    assert "4 objects in 2 files, target portable: valid." in told
    assert run("fmt", "manifests/", cwd=tmp_path).startswith("0 to quote")
    run("crds", "-o", "crds.yaml", cwd=tmp_path)
    assert "hello-world" in run("extract", "manifests/hello-world.yaml", cwd=tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_ends_by_a_signal_where_the_loop_takes_none(number: signal.Signals) -> None:
    from kfp_k8s_manifest.serving.running import stop_on_signals

    class Loop(asyncio.SelectorEventLoop):
        """As on Windows."""

        def add_signal_handler(self, sig: object, callback: object, *args: object) -> None:
            raise NotImplementedError

    before = signal.getsignal(number)
    loop = Loop()

    async def serve() -> None:
        stopped = asyncio.Event()
        stop_on_signals(stopped.set, stopped.set)
        # To the thread that waits, as a signal to the process goes: it has to wake up for it.
        main = threading.main_thread().ident
        threading.Timer(0.1, signal.pthread_kill, [main, number]).start()
        await asyncio.wait_for(stopped.wait(), 30)

    try:
        loop.run_until_complete(serve())
    finally:
        signal.signal(number, before)
        loop.close()
