"""Where results go: files, pipes, descriptors and streams that fail, for all commands alike."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, Run

HELLO = str(ROOT / "examples" / "hello_world" / "pipeline.py")
MANIFEST = ROOT / "examples" / "hello_world" / "manifests.yaml"
COMMAND = f"{sys.executable} -m kfp_k8s_manifest"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}

# Each command that writes a result, with an argument that makes it one.
RESULTS = {
    "compile": f"compile {HELLO}",
    "crds": "crds",
    "schema": "schema --kind Pipeline",
    "extract": f"extract {MANIFEST}",
    "validate": f"validate {MANIFEST}",
    "fmt": f"fmt --fix - < {MANIFEST}",
    "rules": "rules",
    "explain": "explain metadata-name",
    "name": "name suggest Some_Name",
    "completion": "completion bash",
    "help": "--help",
    "version": "--version",
}


def shell(command: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", *options, "-c", command],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("name", RESULTS)
def test_a_standard_output_that_takes_nothing(tmp_path: Path, name: str) -> None:
    for redirection, reason in ((">/dev/full", "No space left on device"), (">&-", "it is closed")):
        done = shell(f"{COMMAND} {RESULTS[name]} {redirection}", tmp_path)
        assert done.returncode == 1
        last = done.stderr.splitlines()[-1]
        assert last == f"Error: cannot write to the standard output: {reason}"
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", RESULTS)
def test_a_pipe_that_nobody_reads_is_no_error(tmp_path: Path, name: str) -> None:
    done = shell(f"{COMMAND} {RESULTS[name]} | true", tmp_path)
    assert "Error" not in done.stderr
    assert "Traceback" not in done.stderr


def test_closed_streams_are_not_written_to_by_mistake(kfp_k8s: Run, tmp_path: Path) -> None:
    done = shell(f"{COMMAND} compile {HELLO} -o out.yaml <&- >&- 2>&-", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    kfp_k8s("compile", HELLO, "-o", "expected.yaml")
    assert (tmp_path / "out.yaml").read_bytes() == (tmp_path / "expected.yaml").read_bytes()
    done = shell(f"{COMMAND} compile - <&-", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Error: <stdin>: the file is empty" in done.stderr


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", ">(cat)"])
def test_paths_that_are_streams(kfp_k8s: Run, tmp_path: Path, name: str) -> None:
    expected = kfp_k8s("compile", HELLO).stdout
    # A pipe, and a file that the shell has opened: it must not be replaced under the shell.
    done = shell(f"{COMMAND} compile {HELLO} -o {name} | cat", tmp_path)
    assert done.stdout == expected
    command = f"echo before; {COMMAND} compile {HELLO} -o {name}; sleep 0.2; echo after"
    done = shell(f"{{ {command}; }} > file", tmp_path)
    assert (tmp_path / "file").read_text() == f"before\n{expected}after\n"


def test_manifests_are_utf8_whatever_the_terminal_is_set_to(kfp_k8s: Run, tmp_path: Path) -> None:
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    (tmp_path / "m.yaml").write_text(MANIFEST.read_text().replace("hello", "Grüße"), "utf-8")
    done = kfp_k8s("extract", "m.yaml", env=environment)
    assert done.returncode == 0, done.stderr
    assert "Grüße" in done.stdout
    assert yaml.safe_load(done.stdout)


def test_an_output_that_is_a_source(kfp_k8s: Run, tmp_path: Path) -> None:
    shutil.copy(HELLO, tmp_path / "src.py")
    shutil.copy(MANIFEST, tmp_path / "m.yaml")
    text = kfp_k8s("extract", "m.yaml").stdout
    (tmp_path / "ir.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "link.yaml").symlink_to("ir.yaml")
    (tmp_path / "hard.yaml").hardlink_to(tmp_path / "ir.yaml")
    (tmp_path / "hello-world.yaml").write_text(text, encoding="utf-8")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for arguments, output, source in (
        (("compile", "src.py", "-o", "src.py"), "src.py", "src.py"),
        (("compile", "ir.yaml", "-o", "./ir.yaml"), "./ir.yaml", "ir.yaml"),
        (("compile", "ir.yaml", "-o", "link.yaml"), "link.yaml", "ir.yaml"),
        (("compile", "ir.yaml", "-o", "hard.yaml"), "hard.yaml", "ir.yaml"),
        (("compile", "hello-world.yaml", "-o", "./"), "hello-world.yaml", "hello-world.yaml"),
        (("extract", "m.yaml", "-o", "m.yaml"), "m.yaml", "m.yaml"),
        (("validate", "m.yaml", "-o", "m.yaml"), "m.yaml", "m.yaml"),
    ):
        for force in ((), ("--force",) if arguments[0] != "validate" else ()):
            done = kfp_k8s(*arguments, *force)
            assert done.returncode == 2
            assert done.stderr.splitlines()[-1] == (
                f"Error: the output {output} is the source {source}; choose another name for it"
            )
    for command in ("compile src.py", "crds", "schema", "extract m.yaml", "validate m.yaml"):
        for name in ("new.py", "new.ipynb"):
            done = kfp_k8s(*command.split(), "-o", name)
            assert done.returncode == 2
            assert done.stderr.splitlines()[-1].startswith(
                f"Error: {name} is no name for what is written: .{name.partition('.')[2]} belongs"
            )
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


IR = "pipelineInfo:\n  name: p\nroot: {}\nschemaVersion: 2.1.0\n"
THEIRS = {
    "words.txt": "Some words.\n",
    "README.md": "# Title\n\nWords\n\n```yaml\napiVersion: v1\nkind: Pipeline\n```\n",
    "values.yaml": "image: a\nreplicas: 2\n",
    "a.json": '{"a": 1}',
    "list.json": "[1]",
    "broken.json": '{"apiVersion": "v1", "kind": "List"',
    "data.csv": "a,b\n1,2\n",
    "binary": "\0\1\2",
    "setup.cfg": "[metadata]\nname = a\n",
}
OURS = {
    "manifest.yaml": MANIFEST.read_text(encoding="utf-8"),
    "list.yaml": "---\napiVersion: v1\nkind: List\nitems:\n- kind: Pipeline\n",
    "quoted.yml": "\"apiVersion\": v1\n'kind': List\n# end\n...\n",
    "list.json": '{"apiVersion": "v1", "kind": "List", "items": []}',
    "ir.yaml": IR,
    "kfps.yaml": f"# PIPELINE DEFINITION\n#   x: str [Default: 'a\nb']\n{IR}",
    "empty.yaml": "",
    "blank": " \n",
}


@pytest.mark.parametrize("name", [*THEIRS, *OURS])
def test_what_somebody_else_wrote_is_kept(kfp_k8s: Run, tmp_path: Path, name: str) -> None:
    text = THEIRS.get(name) if name in THEIRS and name != "list.json" else None
    for content, kept in ((THEIRS.get(name), True), (OURS.get(name), False)):
        if content is None:
            continue
        (tmp_path / name).write_text(content, encoding="utf-8")
        done = kfp_k8s("crds", "-o", name)
        assert done.returncode == int(kept), done.stderr
        if kept:
            assert done.stderr == (
                f"Error: {name} exists, and holds nothing that this program writes; choose another"
                " name, or pass --force to replace it\n"
            )
            assert (tmp_path / name).read_text(encoding="utf-8") == content
            assert kfp_k8s("crds", "-o", name, "--force").returncode == 0
        assert "CustomResourceDefinition" in (tmp_path / name).read_text(encoding="utf-8")
    del text


def test_compile_keeps_what_somebody_else_wrote(kfp_k8s: Run, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "hello-world.yaml").write_text("mine: yes\n")
    for arguments in (("-o", "d/"), ("-o", "d/hello-world.yaml")):
        done = kfp_k8s("compile", HELLO, *arguments)
        assert done.returncode == 1
        assert "d/hello-world.yaml exists, and holds nothing that this program" in done.stderr
        assert (tmp_path / "d" / "hello-world.yaml").read_text() == "mine: yes\n"
    assert kfp_k8s("compile", HELLO, "-o", "d/", "--force").returncode == 0
    # What was written is replaced without a word, in either format.
    for name in ("d/hello-world.yaml", "d/new.json", "d/new.json"):
        assert kfp_k8s("compile", HELLO, "-o", name).returncode == 0


def test_missing_folders_and_other_names(kfp_k8s: Run, tmp_path: Path) -> None:
    assert kfp_k8s("compile", HELLO, "-o", "new/folder/x.yaml").returncode == 0
    assert kfp_k8s("compile", HELLO, "-o", "other/folder/").returncode == 0
    (tmp_path / "hard.yaml").hardlink_to(tmp_path / "new" / "folder" / "x.yaml")
    done = kfp_k8s("compile", HELLO, "-o", "hard.yaml")
    assert done.stderr.splitlines()[0] == (
        "warning: hard.yaml had 2 names (hard links); the others keep the old content"
    )
    # A failure leaves no new folder behind.
    done = kfp_k8s("compile", HELLO, "-o", "hard.yaml/below/x.yaml")
    assert done.returncode == 1
    assert "hard.yaml is not a folder; nothing was changed there" in done.stderr
    done = kfp_k8s("compile", HELLO, "-o", "fresh/x.yaml", "--label", "-=x")
    assert (done.returncode, (tmp_path / "fresh").exists()) == (1, False)


def test_a_missing_file_is_one_exit_code_in_every_command(kfp_k8s: Run) -> None:
    for arguments in (
        ("compile", "no.py"),
        ("compile", "no.yaml"),
        ("compile", "--py", "no.py"),
        ("dsl", "compile", "--py", "no.py", "--output", "x.yaml"),
        ("validate", "no.yaml"),
        ("validate", "no*.yaml"),
        ("validate", str(MANIFEST), "--previous", "no.yaml"),
        ("fmt", "no.yaml"),
        ("extract", "no.yaml"),
        ("run", "--local", "no.yaml"),
        ("get", "--kubeconfig", "no"),
        ("doctor", "--kubeconfig", "no"),
        ("webhook", "manifests", "--ca-bundle", "no"),
        ("webhook", "serve", "--certificate", "no", "--key", "no"),
    ):
        done = kfp_k8s(*arguments)
        assert (done.returncode, done.stdout) == (1, ""), (arguments, done.stderr)
        assert done.stderr.startswith("Error: "), (arguments, done.stderr)


@pytest.mark.parametrize("command", ["compile loop.py", "validate -", "compile -", "fmt -"])
def test_ctrl_c_is_130(tmp_path: Path, command: str) -> None:
    code = "import os\nopen('ready', 'w')\nwhile True: pass\n"
    (tmp_path / "loop.py").write_text(code)
    process = subprocess.Popen(
        [sys.executable, "-m", "kfp_k8s_manifest", *command.split()],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As in a terminal: the whole group is told.
        start_new_session=True,
    )
    try:
        end = time.monotonic() + 60
        if "loop" in command:
            while not (tmp_path / "ready").exists() and time.monotonic() < end:
                time.sleep(0.05)
        else:
            # It reads what does not come; there is no sign of that but the open folder of its state.
            while "pipe" not in wchan(process.pid) and time.monotonic() < end:
                time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, stderr) == (130, "Interrupted.\n")


def wchan(process: int) -> str:
    """Return what a process waits for in the kernel."""
    return Path(f"/proc/{process}/wchan").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ("compile", "one.py"),
        ("compile", "one.py", "two.yaml", "-o", "out/"),
        ("compile", "clear.yaml", "--target", "2.17"),
        ("extract", "\x1b[2J.yaml"),
    ],
)
def test_a_terminal_obeys_no_message(
    kfp_k8s: Run, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "one.py").write_text("raise ValueError('\\x1b[2J\\u202e\\n\\tend')\n")
    (tmp_path / "two.yaml").write_text('? "\\e[2J"\n: 1\n')
    tasks = '{dag: {tasks: {"\\e[2Jx": {taskInfo: {name: x}, componentRef: {name: comp-x}}}}}'
    (tmp_path / "clear.yaml").write_text(
        f"pipelineInfo: {{name: p}}\nschemaVersion: 2.1.0\nroot: {tasks}\n"
    )
    done = kfp_k8s(*arguments)
    assert "\\x1b[2J" in done.stderr
    assert not {"\x1b", "\u202e"} & set(done.stderr)
    assert arguments[1] != "one.py" or "\\u202e\n\tend" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("compile", "m.py", "--pipeline-parameters", "[" * 100_000),
        ("prune", "--inventory", "deep.json"),
    ],
)
def test_json_that_is_nested_too_deeply(
    kfp_k8s: Run, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "m.py").write_text("")
    done = kfp_k8s(*arguments)
    assert done.returncode in (1, 2)
    assert "maximum recursion depth exceeded" in done.stderr
    assert "Traceback" not in done.stderr
