"""What is found in folders, and what of it is read."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path

import pytest

from kfp_k8s_manifest import validate
from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.validation.inputs import Input, find_inputs

MANIFEST = "apiVersion: pipelines.kubeflow.org/v2beta1\nkind: Pipeline\nmetadata: {name: train}\nspec: {displayName: train}\n"


def found(*paths: object) -> dict[str, Input]:
    return {each.name: each for each in find_inputs(map(str, paths), limit=1000)}


@pytest.mark.skipif(os.name == "nt", reason="there are no such files")
def test_a_folder_gives_regular_files_and_no_way_out(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.yaml").write_text(MANIFEST)
    (tmp_path / "m2").mkdir()
    (tmp_path / "m2" / "secret.yaml").write_text("kind: Pipeline\n")
    os.mkfifo(folder / "pipe.yaml")
    (folder / "again.yaml").symlink_to("deep/a.yaml")
    (folder / "zero.yaml").symlink_to("/dev/zero")
    (folder / "out.yaml").symlink_to("../m2/secret.yaml")
    (folder / "up.yaml").symlink_to("..")
    (folder / "link").symlink_to("deep")
    (folder / "odd.yaml").symlink_to("deep")
    (folder / "loop.yaml").symlink_to("loop.yaml")
    inputs = found(folder)
    assert {Path(name).name: each.skip for name, each in inputs.items()} == {
        "a.yaml": "",
        "again.yaml": "",
        "loop.yaml": "",
        "out.yaml": "a link that leaves the folder",
        "pipe.yaml": "neither a file nor a folder",
        "up.yaml": "a link that leaves the folder",
        "zero.yaml": "a link that leaves the folder",
    }
    report = validate(folder, ignore=["duplicate-object"])
    assert [each.rule for each in report.findings] == ["file-unreadable"]
    assert report.findings[0].file == f"{folder}/loop.yaml"
    assert [(Path(each.name).name, each.reason) for each in report.passed_over] == [
        ("out.yaml", "a link that leaves the folder"),
        ("pipe.yaml", "neither a file nor a folder"),
        ("up.yaml", "a link that leaves the folder"),
        ("zero.yaml", "a link that leaves the folder"),
    ]
    # Through a link that somebody names, the folder is the one behind it.
    assert [each.skip for each in found(folder / "link").values()] == [""]


@pytest.mark.skipif(os.name == "nt", reason="there are no such devices")
def test_a_device_that_somebody_names_has_the_limit(tmp_path: Path) -> None:
    (finding,) = validate("/dev/zero").findings
    assert finding.rule == "yaml-limit"
    assert validate("/dev/null", allow_empty=True).findings == ()
    (tmp_path / "link.yaml").symlink_to("/dev/zero")
    assert validate(tmp_path / "link.yaml").findings[0].rule == "yaml-limit"


@pytest.mark.skipif(os.name == "nt", reason="there are no such permissions")
def test_a_folder_that_cannot_be_read_is_told() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "a.yaml").write_text(MANIFEST)
        (folder / "closed").mkdir(mode=0)
        user = os.geteuid()
        # Root may read everything, and so is somebody else for a moment.
        if user == 0:
            os.seteuid(65534)
        try:
            (finding,) = validate(folder).findings
        finally:
            os.seteuid(user)
        assert (finding.rule, finding.file) == ("file-unreadable", f"{folder}/closed")
        assert finding.message == "The folder cannot be read: Permission denied."


@pytest.mark.skipif(os.name == "nt", reason="there are no such pipes")
def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(f"{MANIFEST}---\n{MANIFEST}",))
    writer.start()
    (finding,) = validate(pipe).findings
    writer.join()
    assert (finding.rule, finding.file, finding.line) == ("duplicate-object", str(pipe), 8)


def test_what_is_named_stays_named_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: x\n")
    for paths in ((tmp_path, tmp_path / "a.yaml"), (tmp_path / "a.yaml", tmp_path)):
        (only,) = found(*paths).values()
        assert only.explicit
    (only,) = found(tmp_path).values()
    assert not only.explicit


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no file or folder 'nowhere'"):
        found("nowhere")
    with pytest.raises(SourceError, match=r"no file matches '.*\.none'"):
        found(tmp_path / "*.none")
