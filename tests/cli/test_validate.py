"""`kfp-k8s validate` through the real entry point, on real files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kfp_k8s_manifest import validate, validate_text
from kfp_k8s_manifest.errors import SourceError

PROJECT = Path(__file__).parents[2]

PIPELINE = """\
apiVersion: pipelines.kubeflow.org/v2beta1
kind: Pipeline
metadata:
  name: train
spec:
  displayName: train
"""
VERSION = """\
apiVersion: pipelines.kubeflow.org/v2beta1
kind: PipelineVersion
metadata:
  name: train-v1
spec:
  pipelineName: train
  pipelineSpec:
    schemaVersion: 2.1.0
    pipelineInfo: {name: train-v1}
    root:
      dag:
        tasks:
          fit:
            taskInfo: {name: fit}
            componentRef: {name: comp-fit}
    components:
      comp-fit: {executorLabel: exec-fit}
    deploymentSpec:
      executors:
        exec-fit:
          container: {image: "python:3.11"}
"""
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def call(
        *arguments: str, text: str | bytes = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "kfp_k8s_manifest", "validate", *arguments],
            input=text if isinstance(text, bytes) else text.encode(),
            capture_output=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(PROJECT), **environment},
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    return call


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_valid(run: Run, tmp_path: Path) -> None:
    write(tmp_path, a=PIPELINE + "---\n" + VERSION + "---\n" + CONFIG_MAP)
    done = run("a.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "2 objects in 1 file (1 of other kinds skipped), target portable: valid.\n"
    )


def test_invalid(run: Run, tmp_path: Path) -> None:
    write(tmp_path, a=PIPELINE.replace("displayName: train", "displayName: 08"))
    done = run("a.yaml", "--target", "2.17")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == (
        "a.yaml:6:16: error[crd-type]: spec.displayName: is written unquoted, `08`; Kubernetes reads"
        " the number 8 where a string is expected.\n"
        "  6 |   displayName: 08\n"
        "    |                ^\n"
        "  in Pipeline train\n"
        '  fix: Quote it: "08"; `kfp-k8s fmt --fix` does.\n'
        "  the cluster says: spec.displayName in body must be of type string:"
        ' "integer"\n'
        "\n"
        "1 object in 1 file, target 2.17: invalid; 1 error.\n"
    )


def test_a_folder(run: Run, tmp_path: Path) -> None:
    write(tmp_path, b=PIPELINE, a__version=VERSION, **{"c__.hidden": "{"})
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.yaml").write_text("{")
    (tmp_path / "notes.txt").write_text("{")
    (tmp_path / "c" / "list.yml").write_text("- 1\n- 2\n")
    (tmp_path / "c" / "config.json").write_text('{"apiVersion": "v1", "kind": "Secret"}')
    done = run(".", "--format", "json")
    assert done.returncode == 0, done.stdout
    report = json.loads(done.stdout)
    assert report["summary"] == {
        "files": 4,
        "objects": 2,
        "skipped": 2,
        "files_skipped": 0,
        "errors": 0,
        "warnings": 0,
        "notes": 0,
    }
    names = [file.name for file in validate(tmp_path).files]
    assert [name.removeprefix(f"{tmp_path}/") for name in names] == [
        "b.yaml",
        "a/version.yaml",
        "c/config.json",
        "c/list.yml",
    ]


def test_patterns_and_names_are_read_once(tmp_path: Path) -> None:
    write(tmp_path, a__b__p=PIPELINE, v=VERSION)
    report = validate([tmp_path / "v.yaml", f"{tmp_path}/**/*.yaml", tmp_path / "a/../v.yaml"])
    assert sorted(Path(file.name).name for file in report.files) == ["p.yaml", "v.yaml"]
    assert report.ok()
    with pytest.raises(SourceError, match="no file matches"):
        validate(f"{tmp_path}/*.nothing")


def test_standard_input(run: Run) -> None:
    text = json.dumps({"kind": "List", "apiVersion": "v1", "items": [{"kind": "Pipeline"}]})
    done = run("-", "--format", "github", text=text)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0].startswith("::error line=1,")
    assert "1 object in 1 file" in done.stdout
    empty = run("-", text="")
    assert (empty.returncode, empty.stderr) == (1, "")
    assert empty.stdout == (
        "<stdin>: error[nothing-to-check]: There is no Pipeline or PipelineVersion in it.\n"
        "  fix: Name what holds them, or pass --allow-empty where there may be none.\n"
        "\n"
        "0 objects in 1 file, target portable: invalid; 1 error.\n"
    )
    allowed = run("-", "--allow-empty", text="")
    assert (allowed.returncode, allowed.stderr) == (0, "")
    assert allowed.stdout == "0 objects in 1 file, target portable: nothing to check.\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (b"a: b\nc: d: e\n", 2, "Mapping values"),
        (b"a: 1\nb: 2\na: 3\n", 3, "'a'"),
        (b"\tkind: a\n", 1, ""),
        (b"a: \xff\n", 1, "UTF-8"),
        ("a: b\n".encode("utf-16"), 1, "UTF-16"),
        (b"a: *x\n", 1, "x"),
        (b"a: .nan\n", 1, "nan"),
    ],
)
def test_text_that_is_not_read(run: Run, text: bytes, line: int, words: str) -> None:
    done = run("-", "--format", "json", text=text)
    assert done.returncode == 1
    (finding,) = json.loads(done.stdout)["findings"]
    assert (finding["rule"], finding["file"]) == ("yaml-invalid", "<stdin>")
    assert finding["line"] == line
    assert words in finding["message"]


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 100_000 + "]" * 100_000,
        '{"a":' * 100_000 + "1" + "}" * 100_000,
        "a: [" + "0," * 500_000 + "0]",
        "---\n" * 100_000,
        "#" + "x" * (16 * 1024 * 1024),
    ],
    ids=["deep YAML", "deep JSON", "many values", "many documents", "large"],
)
def test_text_that_is_beyond_the_limits(run: Run, text: str) -> None:
    done = run("-", text=text)
    assert done.returncode == 1
    assert "error[yaml-limit]" in done.stdout
    assert done.stdout.endswith("invalid; 1 error, 1 file could not be checked.\n")


def test_a_document_that_is_no_object_counts_where_somebody_named_it(tmp_path: Path) -> None:
    write(tmp_path, a="- 1\n", b="name: x\n", c=PIPELINE)
    assert validate(tmp_path).findings == ()
    assert [each.rule for each in validate(tmp_path / "a.yaml").findings] == ["object-type"]
    found = validate(tmp_path / "b.yaml")
    assert [each.rule for each in found.findings] == ["api-version", "kind"]
    assert (found.objects, found.skipped) == (0, 0)
    named = validate([tmp_path / "a.yaml", tmp_path / "b.yaml"], skip_others=True)
    assert (named.findings, named.skipped, named.ok()) == ((), 2, True)


def test_a_file_that_cannot_be_read(run: Run, tmp_path: Path) -> None:
    write(tmp_path, a=PIPELINE)
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")
    done = run(".")
    assert done.returncode == 1
    assert done.stdout == (
        "gone.yaml: error[file-unreadable]: The file cannot be read: No such file or directory.\n"
        "\n"
        "1 object in 2 files, target portable: invalid; 1 error, 1 file could not be checked.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Missing argument"),
        ((".", "--target", "1.0"), "target '1.0' is not known"),
        ((".", "--select", "nothing"), "'nothing' is neither a rule"),
        ((".", "--format", "xml"), "xml"),
    ],
)
def test_wrong_usage(run: Run, arguments: tuple[str, ...], words: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert words in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere.yaml",), "there is no file or folder 'nowhere.yaml'"),
        (("*.nothing",), "no file matches '*.nothing'"),
        ((".", "--previous", "nowhere"), "there is no file or folder 'nowhere'"),
    ],
)
def test_what_is_not_there(run: Run, arguments: tuple[str, ...], message: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"Error: {message}\n")


def test_strict_select_and_ignore(run: Run, tmp_path: Path) -> None:
    odd = VERSION.replace("container: {image:", "container: {comand: [a], image:")
    write(tmp_path, a=odd.replace("train-v1", "Train"))
    assert run("a.yaml", "--assume-pipelines").returncode == 1
    only = run("a.yaml", "--assume-pipelines", "--select", "deployment")
    assert only.returncode == 0
    assert "1 warning." in only.stdout
    strict = run("a.yaml", "--assume-pipelines", "--select", "deployment", "--strict")
    assert strict.returncode == 1
    less = validate(tmp_path, assume_pipelines=True, ignore=["metadata", "deployment", "spec"])
    assert less.findings == ()


def test_known_pipelines(tmp_path: Path) -> None:
    write(tmp_path, a=VERSION, b=VERSION.replace("name: train-v1\nspec", "name: v\n  namespace: b\nspec"))  # fmt: skip
    assert [(Path(each.file).name, each.rule, each.line) for each in validate(tmp_path).findings] == [
        ("a.yaml", "pipeline-not-found", 6),
        ("b.yaml", "pipeline-not-found", 7),
    ]  # fmt: skip
    assert validate(tmp_path, known_pipelines=["train"]).ok()
    assert validate(tmp_path, assume_pipelines=True).ok()
    report = validate(tmp_path, known_pipelines=["b/train"])
    # The first names no namespace, so it is found only if it is applied to that one.
    assert [each.rule for each in report.findings] == ["pipeline-namespace"]
    assert report.ok()


def test_duplicates_across_files(tmp_path: Path) -> None:
    write(
        tmp_path,
        a=PIPELINE,
        b=PIPELINE,
        c=PIPELINE.replace("displayName: train", "displayName: Other"),
    )
    findings = validate(tmp_path).findings
    assert [(Path(each.file).name, each.rule, each.line) for each in findings] == [
        ("b.yaml", "duplicate-object", 4),
        ("c.yaml", "duplicate-object", 4),
    ]
    assert "the same content" in findings[0].message
    assert "another content" in findings[1].message


def test_previous(run: Run, tmp_path: Path) -> None:
    write(tmp_path, old__a=PIPELINE + "---\n" + VERSION)
    write(tmp_path, new__b=VERSION.replace("python:3.11", "python:3.12"))
    done = run("new", "--previous", "old", "--format", "json")
    assert done.returncode == 1
    (finding,) = json.loads(done.stdout)["findings"]
    assert (finding["rule"], finding["field"]) == ("version-immutable", "spec.pipelineSpec")
    # The Pipeline of the previous state exists.
    assert validate(tmp_path / "old", previous=[tmp_path / "old"]).findings == ()
    group = "apiVersion: pipelines.kubeflow.org/v2beta1\n"
    for path, text in ((tmp_path / "old", f"{group}a: b: c"), (tmp_path / "old/a.yaml", "a: b: c")):
        (tmp_path / "old" / "a.yaml").write_text(text)
        with pytest.raises(SourceError, match=r"old/a\.yaml:[12]"):
            validate(tmp_path / "new", previous=[path])
    # In a folder there may be text of any kind, and templates.
    for text in ("a: b: c", f"{group}name: {{{{ .Values.name }}}}\n"):
        (tmp_path / "old" / "a.yaml").write_text(text)
        assert validate(tmp_path / "new", previous=[tmp_path / "old"], assume_pipelines=True).ok()


def test_previous_git(run: Run, tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )

    write(tmp_path, deep__a=PIPELINE + "---\n" + VERSION, other=CONFIG_MAP)
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "first")
    (tmp_path / "deep" / "a.yaml").unlink()
    write(tmp_path, deep__b=VERSION.replace("python:3.11", "python:3.12"))
    done = run("deep", "--previous-git", "HEAD")
    assert done.returncode == 1
    assert "error[version-immutable]" in done.stdout
    assert "pipeline-not-found" not in done.stdout
    assert run("deep", "--previous-git", "HEAD", "--ignore", "update").returncode == 0
    for pattern in ("**/*.yaml", "d*p/*", "d*", "deep/[a-z].yaml", "**"):
        again = run(pattern, "--previous-git", "HEAD")
        assert "error[version-immutable]" in again.stdout, pattern
        assert "pipeline-not-found" not in again.stdout, pattern
    missing = run("deep", "--previous-git", "nothing")
    assert missing.returncode == 1
    assert "there is no commit 'nothing'" in missing.stderr


def test_workers_give_the_same_report(run: Run, tmp_path: Path) -> None:
    for number in range(40):
        text = VERSION.replace("train-v1", f"train-v{number}")
        if number % 3 == 0:
            text = text.replace("pipelineName: train", "pipelineName: absent")
        if number % 5 == 0:
            text = text.replace("schemaVersion: 2.1.0", "schemaVersion: 2.1")
        write(tmp_path, **{f"v{number:02}": text})
    write(tmp_path, p=PIPELINE)
    alone = run(".", "--jobs", "1", "--format", "json")
    together = run(".", "--jobs", "3", "--format", "json")
    assert alone.returncode == 1
    assert alone.stdout == together.stdout
    assert json.loads(alone.stdout)["summary"]["errors"] == 14 + 8


def test_output_goes_to_a_file(run: Run, tmp_path: Path) -> None:
    write(tmp_path, a=PIPELINE)
    done = run("a.yaml", "--format", "junit", "-o", "report.xml")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "1 object in 1 file, target portable: valid.\n"
    assert (tmp_path / "report.xml").read_text().startswith("<?xml")


def test_colours(run: Run, tmp_path: Path) -> None:
    write(tmp_path, a=PIPELINE)
    assert "\033[" not in run("a.yaml").stdout
    assert "\033[" in run("a.yaml", "--color", "always").stdout
    assert "\033[" in run("a.yaml", "--color", "always", NO_COLOR="1").stdout
    assert "\033[" not in run("a.yaml", "--color", "never").stdout


def test_it_does_not_import_kfp(tmp_path: Path) -> None:
    write(tmp_path, a=PIPELINE + "---\n" + VERSION)
    code = (
        "import sys\n"
        "from kfp_k8s_manifest.cli import cli\n"
        "cli(['validate', 'a.yaml'], standalone_mode=False)\n"
        "heavy = {'kfp', 'google', 'ruamel', 'concurrent', 'multiprocessing', 'asyncio',\n"
        "         'importlib.resources', 'subprocess', 'difflib', 'fractions',\n"
        "         'kfp_k8s_manifest.yaml.writer'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    assert done.stderr == "[]\n"


def test_large_values_stay_out_of_the_report() -> None:
    text = VERSION.replace("pipelineName: train", "pipelineName: train\n  bogus: [1, {a: b}]")
    (finding,) = validate_text(text, assume_pipelines=True).findings
    assert finding.value == [1, {"a": "b"}]
    text = text.replace("[1, {a: b}]", str(list(range(100))))
    (finding,) = validate_text(text, assume_pipelines=True).findings
    assert finding.value != list(range(100))


def test_places() -> None:
    """A finding points at its value, at the key of a collection, or above what is missing."""
    text = VERSION.replace("    pipelineInfo: {name: train-v1}\n", "    bogus: {a: 1}\n")
    text = text.replace("name: train-v1", "name: Train", 1).replace("  fit:\n", "  fit: # y\n", 1)
    report = validate_text(text, source="m.yaml", assume_pipelines=True, target="2.17")
    assert [(each.rule, each.line, each.column) for each in report.findings] == [
        ("metadata-name", 4, 9),
        ("spec-pipeline-name-empty", 7, 3),
        ("spec-unknown-field", 9, 5),
    ]
    assert report.excerpts["m.yaml", 9] == "    bogus: {a: 1}"


def test_verdicts_are_remembered_unless_asked_not_to(run: Run, tmp_path: Path) -> None:
    (tmp_path / "kfp-k8s.toml").write_text("")
    (tmp_path / "train.yaml").write_text(f"{PIPELINE}---\n{VERSION}")
    remembered = tmp_path / ".kfp-k8s" / "validated"
    first = run("train.yaml", "--no-cache")
    assert first.returncode == 0
    assert not remembered.exists()
    for _ in range(2):
        again = run("train.yaml")
        assert (again.returncode, again.stdout, again.stderr) == (0, first.stdout, first.stderr)
        assert remembered.exists()
