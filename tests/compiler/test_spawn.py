"""Where a fork is not to be had, as in a process with threads, each source gets an interpreter."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kfp_k8s_manifest.compiler.isolation import Request, Result, compile_sources
from tests.compiler.snippets import PIPELINE, write


@pytest.fixture(autouse=True)
def thread() -> Iterator[None]:
    """A second thread, which keeps this process from forking."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    yield
    end.set()
    thread.join()


def compile_files(*files: Path, timeout: float | None = 60, **options: Any) -> list[Result]:
    requests = [Request(source=file.name, kind="file", path=str(file), **options) for file in files]
    found = sorted(compile_sources(requests, timeout=timeout), key=lambda result: result.index)
    assert [result.request for result in found] == requests
    return found


def error(result: Result) -> str:
    assert result.error is not None
    return str(result.error)


def test_sources_are_compiled_apart(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    files = []
    for name in ("a", "b"):
        write(tmp_path / name, "common.py", f"NAME = '{name}'\n")
        code = f"print('from {name}')\nimport os\nos.chdir('/')\nfrom common import NAME\n"
        files.append(write(tmp_path / name, f"{name}.py", code + PIPELINE))
    before = Path.cwd(), dict(os.environ), list(sys.path)
    results = compile_files(*files)
    assert [pipe.ir.name for result in results for pipe in result.pipelines] == ["a", "b"]
    assert [result.file for result in results] == [str(file) for file in files]
    assert (Path.cwd(), dict(os.environ), list(sys.path)) == before
    captured = capfd.readouterr()
    assert captured.out == ""
    assert sorted(captured.err.splitlines()) == ["[a.py] from a", "[b.py] from b"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1 / 0", "the module raised ZeroDivisionError"),
        ("os._exit(0)", "the module ended its process, with exit code 0, before its pipeline was"),
        ("os.abort()", "the module's process was ended by signal 6 (SIGABRT)"),
        ("while True: pass", "not done after 4 s, the time limit (--timeout)"),
        ("for _ in range(2**15): os.write(1, b'x' * 2**16)", "printed more than 16 MiB"),
    ],
)
def test_errors(tmp_path: Path, code: str, message: str) -> None:
    file = write(tmp_path, "bad.py", f"import os\n{code}\n")
    (result,) = compile_files(file, timeout=4 if "while" in code else None)
    assert error(result).startswith("bad.py: ")
    assert message in error(result)


def test_what_is_left_running_does_not_hold_the_caller_up(tmp_path: Path) -> None:
    code = "import subprocess\nsubprocess.Popen(['sleep', '600'])\nNAME = 'a'\n"
    (result,) = compile_files(write(tmp_path, "a.py", code + PIPELINE), timeout=None)
    assert [pipe.ir.name for pipe in result.pipelines] == ["a"]
