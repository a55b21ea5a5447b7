"""Files are replaced atomically, or not at all."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kfp_k8s_manifest.errors import OutputError, UsageError
from kfp_k8s_manifest.files import write_text, write_texts
from tests.conftest import ROOT


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_gets_the_permissions_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "é\n")
    finally:
        os.umask(before)
    assert (tmp_path / "a").read_bytes() == "é\n".encode()
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_an_old_file_keeps_its_permissions_and_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("old")
    real.chmod(0o600)
    link.symlink_to(real)
    write_text(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o600


def test_a_failure_changes_none_of_several_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(OutputError) as caught:
        write_texts({tmp_path / "new" / "b": "new", tmp_path / "a" / "b": "new"})
    assert str(caught.value) == (
        f"cannot write {tmp_path}/a/b: {tmp_path}/a is not a folder; nothing was changed there"
    )
    assert (tmp_path / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write_texts({tmp_path / "x" / "y" / "a": "1", tmp_path / "x" / "b": "2"})
    assert (tmp_path / "x" / "y" / "a").read_text() == "1"
    assert names(tmp_path / "x") == ["b", "y"]
    assert names(tmp_path / "x" / "y") == ["a"]


@pytest.mark.parametrize("name", ["a.py", "a.ipynb", "A.PY"])
def test_source_code_is_not_replaced(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(UsageError) as caught:
        write_texts({tmp_path / "fine": "x", path: "x"})
    assert str(caught.value) == (
        f"{path} is no name for what is written: {path.suffix} belongs to source code"
    )
    assert list(tmp_path.iterdir()) == []


def test_other_names_of_a_file_are_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert write_text(tmp_path / "a", "new") == [
        f"{tmp_path}/a had 2 names (hard links); the others keep the old content"
    ]
    assert (tmp_path / "b").read_text() == "old"
    assert write_text(tmp_path / "a", "newer") == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives away")
def test_as_root_owner_and_mode_stay(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    os.chown(path, 1234, 2345)
    path.chmod(0o2640)
    write_text(path, "new")
    found = path.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (1234, 2345, 0o2640)


@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}"])
def test_an_open_descriptor_is_written_to_and_stays_open(tmp_path: Path, name: str) -> None:
    file = tmp_path / "file"
    file.write_text("before ")
    number = os.open(file, os.O_WRONLY | os.O_APPEND)
    inode = file.stat().st_ino
    try:
        write_text(name.format(number), "one ")
        write_text(name.format(number), "two")
        assert file.read_text() == "before one two"
        assert file.stat().st_ino == inode
    finally:
        os.close(number)
    with pytest.raises(OutputError, match="Bad file descriptor"):
        write_text(name.format(number), "three")


@pytest.mark.parametrize("text", ["\ud800"])
def test_text_that_utf8_cannot_hold_leaves_nothing_behind(tmp_path: Path, text: str) -> None:
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "a", text)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="it is a folder"):
        write_text(tmp_path, "x")


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    write_text(pipe, "hello")
    assert reader.communicate(timeout=10)[0] == b"hello"


# Forks for each line that it reads, and says the number of the new process once that writes.
WRITERS = """
import os, sys
from kfp_k8s_manifest.files import write_texts
for line in sys.stdin:
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        while True:
            for word in ("new", "old"):
                write_texts({path: f"{word}\\n" * 20_000 for path in line.split()})
"""


@contextlib.contextmanager
def writers() -> Iterator[Callable[..., int]]:
    """Yield what starts a process that replaces files without end, and returns its number."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITERS],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def start(*paths: Path) -> int:
            assert process.stdin is not None
            assert process.stdout is not None
            print(*paths, file=process.stdin, flush=True)
            return int(process.stdout.readline())

        yield start
        process.kill()


def test_a_killed_process_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    """Killed 200 times at random moments, while others write to the same files."""
    paths = [tmp_path / "out.yaml", tmp_path / "below" / "out.yaml"]
    whole = {word: f"{word}\n" * 20_000 for word in ("old", "new")}
    for path in paths:
        write_text(path, whole["old"])
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "-A"], cwd=tmp_path, check=True)
    moments = random.Random(8)
    left = 0
    with writers() as start:
        for _ in range(50):
            for process in [start(*paths) for _ in range(4)]:
                time.sleep(moments.uniform(0, 0.005))
                os.kill(process, signal.SIGKILL)
            for path in paths:
                assert path.read_text() in whole.values()
            # What was left behind is hidden from patterns and from git.
            found = glob.glob("**/*", root_dir=tmp_path, recursive=True)  # noqa: PTH207 (as shells)
            assert sorted(found) == ["below", "below/out.yaml", "out.yaml"]
            assert set(tmp_path.rglob("*.yaml")) == set(paths)
            assert untracked(tmp_path) == []
            left += len([path for path in tmp_path.rglob(".kfp-k8s-*.tmp") if path.is_dir()])
    assert left > 0
    # The next run removes it, once the system has ended what was killed and let go of its locks.
    end = time.monotonic() + 60
    while True:
        for path in paths:
            write_text(path, whole["old"])
        if not list(tmp_path.rglob(".kfp-k8s-*.tmp")) or time.monotonic() > end:
            break
        time.sleep(0.05)
    assert names(tmp_path) == [".git", "below", "out.yaml"]
    assert names(tmp_path / "below") == ["out.yaml"]


def untracked(folder: Path) -> list[str]:
    command = ["git", "ls-files", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def test_what_is_in_use_is_not_removed(tmp_path: Path) -> None:
    with writers() as start:
        running = [start(tmp_path / name) for name in ("a.yaml", "a.yaml", "b.yaml")]
        try:
            end = time.monotonic() + 2
            while time.monotonic() < end:
                write_text(tmp_path / "c.yaml", "x")
            for process in running:
                # Whoever fails to write has ended, with a traceback.
                assert "Z" not in status(process)
        finally:
            for process in running:
                os.kill(process, signal.SIGKILL)


def status(process: int) -> str:
    """Return the state of a process, as ps tells it."""
    command = ["ps", "-o", "stat=", "-p", str(process)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_of_many_files_one_that_cannot_be_written_changes_none(tmp_path: Path) -> None:
    """Many files are on their way to the disk at a time."""
    texts = {str(tmp_path / f"{number}" / "out.yaml"): f"{number}\n" for number in range(40)}
    write_texts(texts)
    before = {path: Path(path).read_text(encoding="utf-8") for path in texts}
    assert before == texts
    bad = tmp_path / "7" / "out.yaml" / "below.yaml"
    with pytest.raises(OutputError, match=r"below.yaml: .*; nothing was changed there"):
        write_texts({**dict.fromkeys(texts, "new\n"), str(bad): "new\n"})
    assert {path: Path(path).read_text(encoding="utf-8") for path in texts} == before
    assert all(names(Path(path).parent) == ["out.yaml"] for path in texts)


def test_the_one_of_many_files_that_the_disk_refuses_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {str(tmp_path / f"{number}.yaml"): "x" * (number + 1) for number in range(40)}
    real = os.fsync

    def refuse(number: int) -> None:
        # A disk that is full cannot be had in a test.
        if os.fstat(number).st_size == 24:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(number)

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OutputError) as caught:
        write_texts(texts)
    assert str(caught.value) == (
        f"cannot write {tmp_path / '23.yaml'}: No space left on device; nothing was changed there"
    )
    assert names(tmp_path) == []
