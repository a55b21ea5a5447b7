"""What is opened, and how much of it is read."""

from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path

import pytest

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.reading import read_found, read_input, read_named


@pytest.mark.parametrize("read", [read_named, read_found])
def test_one_byte_more_than_the_limit_tells_that_there_is_more(tmp_path: Path, read) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert read(path, limit=6) == read(path, limit=5) == read(str(path), limit=4) == b"12345"
    assert read(path, limit=3) == b"1234"
    (tmp_path / "link").symlink_to(path)
    assert read(tmp_path / "link", limit=5) == b"12345"
    for wrong in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(OSError, match=r"directory|No such file|regular"):
            read(wrong, limit=1)


@pytest.mark.skipif(os.name == "nt", reason="there are no such pipes and devices")
def test_a_pipe_or_a_device_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(OSError, match="it is not a regular file"):
            read_found(tmp_path / name, limit=1)


@pytest.mark.skipif(os.name == "nt", reason="there are no such pipes and devices")
def test_a_pipe_or_a_device_that_somebody_named_is_read_up_to_the_limit(tmp_path: Path) -> None:
    assert read_named("/dev/zero", limit=3) == b"\0" * 4
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"text",))
    writer.start()
    assert read_named(pipe, limit=10) == b"text"
    writer.join()


class Stream:
    """A standard input with some bytes in it."""

    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


@pytest.mark.parametrize("path", ["-", "file"])
def test_an_input_is_read_up_to_its_limit(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_bytes(b"12345")
    monkeypatch.setattr(sys, "stdin", Stream(b"12345"))
    assert read_input(path, limit=5) == b"12345"
    monkeypatch.setattr(sys, "stdin", Stream(b"12345"))
    assert read_named(path, limit=3) == b"1234"
    monkeypatch.setattr(sys, "stdin", Stream(b"12345"))
    with pytest.raises(SourceError) as caught:
        read_input(path, limit=4)
    name = "<stdin>" if path == "-" else path
    assert str(caught.value) == f"{name}: larger than 4 bytes, so it was not read"


def test_an_input_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    by_name = "name the files in it, such as with the shell's *.py or *.yaml"
    for path, why in (
        (tmp_path / "nope", "cannot be read: No such file or directory"),
        (tmp_path, f"it is a folder; {by_name}"),
    ):
        with pytest.raises(SourceError) as caught:
            read_input(str(path), limit=5)
        assert str(caught.value) == f"{path}: {why}"
