"""The servers of the tests end with the test run, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .processes import Server, ServerError, free_ports

SLEEP = [sys.executable, "-c", "import time; time.sleep(300)"]

PARENT = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from processes import Server
print(Server("sleeper", [sys.executable, "-c", "import time; time.sleep(300)"],
             log_folder=Path(sys.argv[2])).pid, flush=True)
time.sleep(300)
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").split()[2] != "Z"
    except OSError:
        return False


def wait_for_death(pid: int, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_a_killed_test_run_leaves_no_server(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, Path(__file__).parent, tmp_path],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
    assert is_alive(pid)

    parent.kill()
    parent.wait()

    assert wait_for_death(pid)


def test_stopping_ends_grandchildren_too(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(300)\n"
    )
    server = Server("family", [sys.executable, "-c", script], log_folder=tmp_path)
    server.wait_until(lambda: server.log.read_text(encoding="utf-8") != "", seconds=20)
    grandchild = int(server.log.read_text(encoding="utf-8"))

    assert server.stop() == -signal.SIGTERM

    assert not server.is_running
    assert wait_for_death(grandchild)


def test_a_server_deaf_to_sigterm_is_killed(tmp_path: Path) -> None:
    script = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('deaf', flush=True)\n"
        "time.sleep(300)\n"
    )
    server = Server("deaf", [sys.executable, "-c", script], log_folder=tmp_path)
    server.wait_until(lambda: "deaf" in server.log_tail(), seconds=20)

    assert server.stop(grace=0.2) == -signal.SIGKILL


def test_a_server_that_dies_at_once_is_told_with_its_log(tmp_path: Path) -> None:
    server = Server(
        "broken", [sys.executable, "-c", "print('no such flag'); exit(3)"], log_folder=tmp_path
    )

    with pytest.raises(ServerError) as caught:
        server.wait_until(lambda: False, seconds=20)

    assert str(caught.value) == "broken ended with code 3:\nno such flag"


def test_a_server_that_is_never_ready_is_told(tmp_path: Path) -> None:
    server = Server("slow", SLEEP, log_folder=tmp_path)
    try:
        with pytest.raises(ServerError, match=r"slow was not ready after 0\.1 s"):
            server.wait_until(lambda: False, seconds=0.1)
    finally:
        server.stop()


def test_stopping_twice_is_harmless(tmp_path: Path) -> None:
    server = Server("sleeper", SLEEP, log_folder=tmp_path)

    assert server.stop() == server.stop() == -signal.SIGTERM


def test_servers_are_not_in_the_test_runs_process_group(tmp_path: Path) -> None:
    server = Server("sleeper", SLEEP, log_folder=tmp_path)
    try:
        assert os.getpgid(server.pid) == server.pid != os.getpgid(0)
    finally:
        server.stop()


def test_free_ports_are_different() -> None:
    ports = free_ports(20)

    assert len(set(ports)) == 20
    assert all(1024 <= port <= 65535 for port in ports)
