"""User code runs in a process of its own; nothing of one source reaches another or the command.

These run the real entry point, which forks. `test_spawn.py` has what is different without a fork.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.compiler.snippets import PIPELINE, write
from tests.conftest import ROOT, Run


def names(text: str) -> list[str]:
    return [item["metadata"]["name"] for item in yaml.safe_load_all(text)]


def test_helpers_of_one_name_do_not_meet(kfp_k8s: Run, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name, "common.py", f"NAME = 'from-{name}'\n")
        write(tmp_path / name, "lib/deep.py", f"IMAGE = 'registry/{name}:1'\n")
        write(tmp_path / name, "pipeline.py", "from common import NAME\n" + PIPELINE)
        # A folder without __init__.py, and one that comes through sys.path.
        write(
            tmp_path / name,
            "other.py",
            "import sys; sys.path.insert(0, __file__.rpartition('/')[0] + '/lib')\n"
            "from lib.deep import IMAGE\nimport deep\nassert deep.IMAGE == IMAGE\n"
            "NAME = 'other-' + IMAGE.partition('/')[2].partition(':')[0]\n" + PIPELINE,
        )
    done = kfp_k8s(
        *("compile", "a/pipeline.py", "b/pipeline.py", "b/other.py", "a/other.py"),
        *("--only", "pipeline"),
    )
    assert done.returncode == 0, done.stderr
    assert names(done.stdout) == ["from-a", "from-b", "other-b", "other-a"]


def test_what_a_source_changes_stays_with_it(kfp_k8s: Run, tmp_path: Path) -> None:
    changes = (
        "import os, sys, signal, atexit, threading, time, json, kfp\n"
        "os.chdir('/')\nos.environ['LEAK'] = '1'\nsys.path.insert(0, 'leak')\n"
        "json.leak = kfp.leak = True\nkfp.dsl.component = None\nsys.modules['leak'] = json\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "atexit.register(print, 'from atexit', flush=True)\n"
        "threading.Thread(target=lambda: time.sleep(60)).start()\n"
        "NAME = 'changes'\n"
    )
    looks = (
        "import os, sys, signal, json, kfp, threading\n"
        "assert os.getcwd() != '/' and 'LEAK' not in os.environ and 'leak' not in sys.path\n"
        "assert not hasattr(json, 'leak') and not hasattr(kfp, 'leak') and kfp.dsl.component\n"
        "assert 'leak' not in sys.modules and threading.active_count() == 1\n"
        "assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL\n"
        "assert signal.getsignal(signal.SIGINT) == signal.default_int_handler\n"
        "NAME = 'looks'\n"
    )
    write(tmp_path, "a.py", changes + PIPELINE)
    write(tmp_path, "b.py", looks + PIPELINE)
    for order in (["a.py", "b.py"], ["b.py", "a.py"]):
        done = kfp_k8s("compile", *order, "-o", "out/", "--only", "pipeline")
        assert done.returncode == 0, done.stderr
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
            "changes.yaml",
            "looks.yaml",
        ]
        assert "from atexit" not in done.stderr + done.stdout


def test_what_sources_print_is_marked(kfp_k8s: Run, tmp_path: Path) -> None:
    noisy = (
        "import os, sys\nprint('one')\nprint('two', file=sys.stderr)\n"
        "os.system('echo three; echo four >&2')\nprint('no end', end='')\nNAME = '{}'\n"
    )
    write(tmp_path, "a.py", noisy.format("a") + PIPELINE)
    write(tmp_path, "b.py", noisy.format("b") + PIPELINE)
    alone = kfp_k8s("compile", "a.py", "--only", "pipeline")
    assert names(alone.stdout) == ["a"]
    assert alone.stderr == "one\ntwo\nthree\nfour\nno end\n"
    both = kfp_k8s("compile", "a.py", "b.py", "--only", "pipeline")
    assert names(both.stdout) == ["a", "b"]
    expected = [
        f"[{name}.py] {word}" for name in "ab" for word in ("one", "two", "three", "four", "no end")
    ]
    assert sorted(both.stderr.splitlines()) == sorted(expected)


ENDS = {
    "sys.exit(0)": "the module raised SystemExit\n",
    "os._exit(0)": "the module ended its process, with exit code 0, before its pipeline was"
    " compiled: it called os._exit, or closed what its result goes through\n",
    "os.closerange(0, 99)": "the module ended its process, with exit code 1, before its pipeline",
    "os.kill(os.getpid(), 9)": "the module's process was ended by signal 9 (SIGKILL); is there"
    " enough memory?\n",
    "import ctypes; ctypes.string_at(0)": "the module's process was ended by signal 11 (SIGSEGV);"
    ' it was at\n  File "{file}", line 2, in <module>\n    import ctypes; ctypes.string_at(0)\n',
    "os.fork() and os._exit(3)": "the module ended its process, with exit code 3, before",
    "while True: pass": "not done after 3 s, the time limit (--timeout); it was at\n"
    '  File "{file}", line 2, in <module>\n    while True: pass\n',
    "for s in range(1, 32):\n  if s not in (9, 19): signal.signal(s, signal.SIG_IGN)\n"
    "while True: pass": "not done after 3 s, the time limit (--timeout)\n",
    "for _ in range(2**15): os.write(1, b'x\\n' * 2**15)": "the module printed more than 16 MiB"
    " and was ended\n",
    "input()": "the module raised EOFError\n",
    "raise KeyboardInterrupt": "the module raised KeyboardInterrupt\n",
    "os.kill(os.getppid(), 9)": None,
}


@pytest.mark.parametrize("code", ENDS)
def test_a_source_that_ends_is_an_error_with_its_name(
    kfp_k8s: Run, tmp_path: Path, code: str
) -> None:
    file = write(tmp_path, "ends.py", f"import os, sys, signal\n{code}\nNAME = 'ends'\n{PIPELINE}")
    write(tmp_path, "fine.py", f"NAME = 'fine'\n{PIPELINE}")
    limit = ("--timeout", "3") if "while" in code else ()
    done = kfp_k8s("compile", "ends.py", "-o", "out.yaml", *limit)
    assert (done.returncode, done.stdout) == (1, "")
    message = ENDS[code]
    if message is None:
        assert done.stderr == (
            "Error: the process that starts one for each source was ended by signal 9 (SIGKILL);"
            " is there enough memory?\n"
        )
    else:
        assert f"Error: ends.py: {message.format(file=file)}" in done.stderr[-2000:]
        done = kfp_k8s("compile", "fine.py", "ends.py", "-o", "out/", *limit)
        assert done.returncode == 1
        assert len([x for x in done.stderr.splitlines() if x.startswith("Error: ")]) == 1
    assert not (tmp_path / "out.yaml").exists()
    assert not (tmp_path / "out").exists()


KEEPS_GOING = {
    "os.fork()": "",
    "sys.stdout.close(); sys.stderr.close()": "",
    "sys.stdout = None; sys.stderr = 'no stream'; sys.__stdout__ = None": "",
    "class Bad:\n  def flush(self): raise SystemExit(4)\nsys.stdout = Bad()": "",
    "import atexit; atexit.register(print, 'late')": "",
    "import threading; threading.Thread(target=__import__('time').sleep, args=[99]).start()": "",
    "os.chdir('/')": "",
}


@pytest.mark.parametrize("code", KEEPS_GOING)
def test_what_does_no_harm(kfp_k8s: Run, tmp_path: Path, code: str) -> None:
    write(tmp_path, "odd.py", f"import os, sys\n{code}\nNAME = 'odd'\n{PIPELINE}")
    done = kfp_k8s("compile", "odd.py", "--only", "pipeline")
    assert (done.returncode, names(done.stdout), done.stderr) == (0, ["odd"], "")
    done = kfp_k8s("compile", "odd.py", "-o", "sub/")
    assert (tmp_path / "sub" / "odd.yaml").is_file(), done.stderr


def test_all_failing_sources_are_told(kfp_k8s: Run, tmp_path: Path) -> None:
    write(tmp_path, "a.py", "raise ValueError('a')\n")
    write(tmp_path, "b.py", f"NAME = 'b'\n{PIPELINE}")
    write(tmp_path, "c.yaml", "")
    write(tmp_path, "d.py", "raise ValueError('d')\n")
    done = kfp_k8s("compile", "a.py", "b.py", "c.yaml", "d.py", "-o", "out/")
    assert done.returncode == 1
    told = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert [line.split(":")[1] for line in told] == [" c.yaml", " a.py", " d.py"]
    assert not (tmp_path / "out").exists()


def running(mark: str) -> list[int]:
    """Return the processes whose environment has a mark."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if mark.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def wait_until(check: object, seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_command(tmp_path: Path, number: signal.Signals) -> None:
    loop = "import subprocess\nsubprocess.Popen(['sleep', '600'])\nopen('ready', 'w')\n"
    file = write(tmp_path, "loop.py", loop + "while True: pass\n")
    mark = f"KFP_K8S_TEST_MARK={tmp_path}"
    process = subprocess.Popen(
        [sys.executable, "-m", "kfp_k8s_manifest", "compile", file.name, "-o", "out.yaml"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "KFP_K8S_TEST_MARK": str(tmp_path)},
        stderr=subprocess.PIPE,
    )
    try:
        assert wait_until((tmp_path / "ready").exists, 60)
        # The command, the process that forks, the source's, and what that has started.
        assert len(running(mark)) == 4
        process.send_signal(number)
        process.wait(20)
        assert wait_until(lambda: not running(mark))
    finally:
        for pid in running(mark):
            os.kill(pid, signal.SIGKILL)
        process.communicate()


def test_what_a_source_leaves_running_is_ended(kfp_k8s: Run, tmp_path: Path) -> None:
    code = "import subprocess\nsubprocess.Popen(['sleep', '600'])\nNAME = 'a'\n"
    write(tmp_path, "a.py", code + PIPELINE)
    done = kfp_k8s("compile", "a.py", env={"KFP_K8S_TEST_MARK": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    if sys.platform == "linux":
        assert wait_until(lambda: not running(f"KFP_K8S_TEST_MARK={tmp_path}"))


ODD_VALUES = {
    "class E(BaseException):\n  def __str__(self): raise ValueError('no')\nraise E": (
        'odd.py:absent: the module raised E\nTraceback (most recent call last):\n  File "{file}", line'
        " 4, in <module>\n    raise E\nodd.E: <"
    ),
    "raise ValueError('x' * 10**6)": f"\nValueError: {'x' * 6654}…{'x' * 3333}\n",
    "def __getattr__(name):\n  raise OSError(name)": (
        "odd.py:absent: the module raised OSError\nTraceback (most recent call last):\n  File"
        ' "{file}", line 3, in __getattr__\n    raise OSError(name)\nOSError: absent\n'
    ),
    "class P:\n  def __repr__(self): raise ValueError('no')\nabsent = P()": (
        "odd.py: 'absent' is <odd.P object at 0x"
    ),
}


@pytest.mark.parametrize("code", ODD_VALUES)
def test_values_whose_own_code_raises_are_told(kfp_k8s: Run, tmp_path: Path, code: str) -> None:
    file = write(tmp_path, "odd.py", f"import os\n{code}\nNAME = 'odd'\n{PIPELINE}")
    done = kfp_k8s("compile", "odd.py:absent")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: odd.py")
    assert ODD_VALUES[code].format(file=file) in done.stderr


def test_a_value_that_is_no_use_yet_stands_in_nobodys_way(kfp_k8s: Run, tmp_path: Path) -> None:
    code = (
        "class Lazy:\n  @property\n  def __class__(self): raise RuntimeError('no context')\n"
        "lazy = Lazy()\nNAME = 'lazy'\n"
    )
    write(tmp_path, "lazy.py", code + PIPELINE)
    done = kfp_k8s("compile", "lazy.py", "--only", "pipeline")
    assert (done.returncode, names(done.stdout), done.stderr) == (0, ["lazy"], "")
