"""A cache of verdicts changes how long validating takes, and nothing of what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kfp_k8s_manifest import validate
from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.findings import Report
from kfp_k8s_manifest.validation import cache as module
from kfp_k8s_manifest.validation import text

HEAD = "apiVersion: pipelines.kubeflow.org/v2beta1\n"


def pipeline(name: str, description: str = "d") -> str:
    return f"{HEAD}kind: Pipeline\nmetadata: {{name: {name}}}\nspec: {{displayName: {name}, description: {description}}}\n"


def version(name: str, of: str, image: str = "python:3.11") -> str:
    return (
        f"{HEAD}kind: PipelineVersion\nmetadata: {{name: {name}}}\nspec:\n  pipelineName: {of}\n"
        f"  pipelineSpec:\n    schemaVersion: 2.1.0\n    pipelineInfo: {{name: {name}}}\n"
        "    root: {dag: {tasks: {fit: {taskInfo: {name: fit}, componentRef: {name: comp-fit}}}}}\n"
        "    components: {comp-fit: {executorLabel: exec-fit}}\n"
        f"    deploymentSpec: {{executors: {{exec-fit: {{container: {{image: {image}}}}}}}}}\n"
    )


TEXTS = {
    "a pipeline": pipeline("a"),
    "the same with another content": pipeline("a", "e"),
    "a version": version("a-v1", "a"),
    "a version with a note": version("a-v2", "a", "python:latest"),
    "a version whose Pipeline may be missing": version("b-v1", "b"),
    "a pipeline and its version": f"{pipeline('b')}---\n{version('b-v2', 'b')}",
    "a list": f"apiVersion: v1\nkind: List\nitems:\n- {pipeline('c').rstrip().replace(chr(10), chr(10) + '  ')}\n",
    "a version for 2.17 only": version("a-v3", "a").replace("  pipelineName", "  versionName: a-v3\n  pipelineName"),
    "an error": pipeline("A_B"),
    "another kind": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
    "no YAML": "a: [1\n",
    "a template of ours": f"{HEAD}kind: Pipeline\nmetadata: {{{{ .Values.metadata }}}}\n",
    "a package of IR": "pipelineInfo: {name: p}\nroot: {dag: {}}\nschemaVersion: 2.1.0\n",
    "no kind": "a: 1\n",
    "nothing": "",
    "no UTF-8": "\udcff",
}  # fmt: skip

FOUND: dict[str, Any] = {"skip_others": True}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"target": "2.17"},
    {"target": "kep"},
    {"known_pipelines": ["b"]},
    {"assume_pipelines": True},
    {"select": ["pipeline-not-found"]},
    {"ignore": ["duplicate-object", "image-latest"]},
    {"allow_empty": True},
    FOUND,
]


def told(report: Report) -> dict[str, Any]:
    return report._asdict()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the objects that are checked by themselves."""
    names: list[str] = []
    check_object = text.check_object

    def counted(obj: Any, *others: Any, **options: Any) -> Any:
        names.append(obj["metadata"]["name"])
        return check_object(obj, *others, **options)

    monkeypatch.setattr(text, "check_object", counted)
    return names


def write(root: Path, contents: list[str]) -> list[str]:
    for path in root.glob("*.yaml"):
        path.unlink()
    names = [f"{number}.yaml" for number in range(len(contents))]
    for name, content in zip(names, contents, strict=True):
        (root / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    return names


def both_ways(paths: Any, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return told(validate(paths, cache=True, **options)), told(validate(paths, **options))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    runs=st.lists(
        st.tuples(
            st.lists(st.sampled_from(sorted(TEXTS)), min_size=1, max_size=5),
            st.sampled_from(OPTIONS),
            st.booleans(),
        ),
        min_size=2,
        max_size=4,
    )
)
def test_a_report_is_the_same_with_a_cache_of_all_runs_before(root: Path, runs: Any) -> None:
    for keys, options, as_folder in runs:
        names = write(root, [TEXTS[key] for key in keys])
        paths = "." if as_folder else names
        for _ in range(2):
            remembered, checked_now = both_ways(paths, **options)
            assert remembered == checked_now


@pytest.mark.parametrize("key", sorted(TEXTS))
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_each_text_is_told_the_same_again(root: Path, key: str, options: dict[str, Any]) -> None:
    write(root, [TEXTS[key]])
    for paths in ("0.yaml", ".", "0.yaml"):
        remembered, checked_now = both_ways(paths, **options)
        assert remembered == checked_now


def test_what_is_remembered_is_not_checked_again(root: Path, checked: list[str]) -> None:
    contents = [pipeline("a"), version("a-v2", "a", "python:latest"), pipeline("A_B")]
    names = write(root, contents)
    first = told(validate(names, cache=True))
    assert checked == ["a", "a-v2", "A_B"]
    checked.clear()
    assert told(validate(names, cache=True)) == first
    # What has an error is checked until it has none.
    assert checked == ["A_B"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda _: {"target": "2.16"}, id="target"),
        pytest.param(lambda patch: patch.setattr(module, "__version__", "0"), id="version"),
        pytest.param(lambda patch: patch.setattr(sys, "version", "0"), id="Python"),
        pytest.param(lambda patch: patch.setattr(module, "_fingerprint", lambda: "x"), id="code"),
        pytest.param(lambda _: {"skip_others": True}, id="named or found"),
        pytest.param(lambda _: {"cache": False}, id="no cache"),
        pytest.param(lambda _: {"previous": ["0.yaml"]}, id="previous"),
        pytest.param(lambda _: Path("0.yaml").write_text(pipeline("a", "e")), id="bytes"),
    ],
)
def test_what_a_verdict_depends_on_is_in_the_key(
    root: Path, checked: list[str], monkeypatch: pytest.MonkeyPatch, change: Callable[..., Any]
) -> None:
    write(root, [pipeline("a")])
    usual: dict[str, Any] = {"cache": True, "target": "2.17"}
    validate("0.yaml", **usual)
    validate("0.yaml", **usual)
    assert checked == ["a"]
    changed = change(monkeypatch)
    validate("0.yaml", **{**usual, **(changed if isinstance(changed, dict) else {})})
    assert checked == ["a", "a"]


def test_texts_are_checked_together_again_when_another_one_is_there(
    root: Path, checked: list[str]
) -> None:
    names = write(root, [pipeline("a"), pipeline("b"), pipeline("a", "e")])
    assert validate(names[:2], cache=True).findings == ()
    validate(names[1:], cache=True)
    checked.clear()
    report = validate(names, cache=True)
    assert checked == []
    assert [(each.rule, each.file, each.line) for each in report.findings] == [
        ("duplicate-object", "2.yaml", 3)
    ]


def test_the_pipelines_that_are_known_are_asked_for_again(root: Path) -> None:
    names = write(root, [version("a-v1", "a")])
    assert validate(names, cache=True, known_pipelines=["a"]).ok()
    assert validate(names, cache=True, assume_pipelines=True).ok()
    (found,) = validate(names, cache=True).findings
    assert found.rule == "pipeline-not-found"


def test_an_unknown_target_is_refused_whatever_is_remembered(root: Path) -> None:
    names = write(root, [pipeline("a")])
    for _ in range(2):
        validate(names, cache=True)
        with pytest.raises(UsageError, match=r"target '2\.99' is not known"):
            validate(names, cache=True, target="2.99")


@pytest.mark.parametrize("marker", [".git", "kfp-k8s.toml"])
def test_it_lies_where_the_current_directory_belongs_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, marker: str
) -> None:
    (tmp_path / marker).touch()
    inner = tmp_path / "one" / "two"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    (inner / "a.yaml").write_text(pipeline("a"))
    validate("a.yaml", cache=True)
    names = sorted(each.name for each in (tmp_path / ".kfp-k8s").iterdir())
    assert names == [".gitignore", "validated"]
    assert (tmp_path / ".kfp-k8s" / ".gitignore").read_text() == "*\n"
    assert [each.name for each in inner.iterdir()] == ["a.yaml"]


def test_elsewhere_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if module._root():
        pytest.fail("the folder for temporary files lies in a git work tree")
    (tmp_path / "a.yaml").write_text(pipeline("a"))
    assert validate("a.yaml", cache=True).ok()
    assert [each.name for each in tmp_path.iterdir()] == ["a.yaml"]


def damages(data: bytes) -> Iterator[bytes]:
    yield b""
    yield b"\0" * len(data)
    yield data.replace(b"validated 2", b"validated 3")
    for length in range(1, len(data), 41):
        yield data[:length]
        yield data[:length] + bytes([data[length] ^ 1]) + data[length + 1 :]


def test_a_damaged_file_counts_for_nothing(root: Path) -> None:
    names = write(root, [version("a-v2", "a", "python:latest"), pipeline("a")])
    expected = told(validate(names, cache=True))
    path = root / ".kfp-k8s" / "validated"
    whole = path.read_bytes()
    for damaged in damages(whole):
        path.write_bytes(damaged)
        assert told(validate(names, cache=True)) == expected
    # What was written anew is whole again.
    path.write_bytes(b"")
    validate(names, cache=True)
    assert path.read_bytes() == whole


def test_a_link_is_not_followed(root: Path) -> None:
    names = write(root, [pipeline("a")])
    (root / "precious").write_text("mine")
    (root / ".kfp-k8s").mkdir()
    (root / ".kfp-k8s" / "validated").symlink_to(root / "precious")
    assert validate(names, cache=True).ok()
    assert (root / "precious").read_text() == "mine"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_is_not_waited_for(root: Path) -> None:
    names = write(root, [pipeline("a")])
    (root / ".kfp-k8s").mkdir()
    os.mkfifo(root / ".kfp-k8s" / "validated")
    assert validate(names, cache=True).ok()


def test_what_cannot_be_written_is_no_error(root: Path) -> None:
    names = write(root, [pipeline("a")])
    (root / ".kfp-k8s").write_text("a file")
    assert validate(names, cache=True).ok()


def test_the_oldest_go(root: Path, monkeypatch: pytest.MonkeyPatch, checked: list[str]) -> None:
    monkeypatch.setattr(module, "_MOST_ENTRIES", 4)
    names = write(root, [pipeline(name) for name in "abc"])
    for name in names:
        # One for the text, and one for the set of it.
        validate(name, cache=True)
    assert len((root / ".kfp-k8s" / "validated").read_bytes().splitlines()) == 1 + 4
    checked.clear()
    for name in reversed(names):
        validate(name, cache=True)
    assert checked == ["a"]


def test_runs_at_once_lose_nothing_but_time(root: Path) -> None:
    write(root, [pipeline(f"p{number}") for number in range(40)])
    code = (
        "import sys; from kfp_k8s_manifest import validate\n"
        "for _ in range(3):\n"
        "    for number in range(int(sys.argv[1]), 40, 4):\n"
        "        assert validate(f'{number}.yaml', cache=True).ok()\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(each)]) for each in range(4)]
    assert [each.wait() for each in running] == [0] * 4
    assert sorted(each.name for each in (root / ".kfp-k8s").iterdir()) == [
        ".gitignore",
        "validated",
    ]
    remembered, checked_now = both_ways(".")
    assert remembered == checked_now


def test_a_run_that_remembers_everything_imports_no_rule(root: Path) -> None:
    write(root, [pipeline("a"), version("a-v2", "a", "python:latest")])
    code = (
        "import sys; from kfp_k8s_manifest import validate\n"
        "print(len(validate('.', cache=True).findings))\n"
        "print(*sorted(n for n in sys.modules if n == 'yaml' or n.startswith('kfp_k8s_manifest.checks')))"
    )
    outputs = [
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        for _ in range(2)
    ]
    assert outputs[0].stdout.splitlines()[0] == "1"
    assert "kfp_k8s_manifest.checks.order" in outputs[0].stdout
    assert outputs[1].stdout.splitlines() == ["1", ""]
