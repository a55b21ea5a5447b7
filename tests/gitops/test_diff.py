"""What two states of a set of pipelines differ in."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from kfp_k8s_manifest.compiler.build import ManifestOptions, build
from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.findings import ABSENT
from kfp_k8s_manifest.gitops import snapshots
from kfp_k8s_manifest.gitops.changes import Area, Change
from kfp_k8s_manifest.gitops.diff import PipelineDiff, diff_snapshots, snapshot, to_dict
from kfp_k8s_manifest.gitops.diff_markdown import diff_markdown
from kfp_k8s_manifest.gitops.diff_text import change_words, diff_text
from kfp_k8s_manifest.gitops.snapshots import State, diff_states, read_state
from kfp_k8s_manifest.manifests import to_yaml
from tests.conftest import ROOT
from tests.gitops.pipelines import ir
from tests.gitops.repositories import git


def objects(
    name: str = "train",
    *,
    version: str = "v1",
    sequence: int = 0,
    namespace: str | None = None,
    **more: Any,
) -> list[Any]:
    """Return the two objects of a pipeline."""
    annotations = {"kfp-k8s/sequence": str(sequence)} if sequence else {}
    options = ManifestOptions(version=version, version_annotations=annotations, namespace=namespace)
    return build(ir(name, **more), options).objects()


def compared(before: Iterable[Any], after: Iterable[Any]) -> list[PipelineDiff]:
    return diff_snapshots(snapshot(before, name="a"), snapshot(after, name="b"))


def test_the_newest_versions_are_compared_and_the_others_named() -> None:
    old = [*objects(version="v9", sequence=1), *objects(version="v1", sequence=2)]
    new = [*old, *objects(version="v2", sequence=3, image="busybox:2")]
    (diff,) = compared(old, new)
    assert (diff.before, diff.after, diff.added, diff.removed) == ("train-v1", "train-v2", (), ())
    assert diff_text([diff]) == (
        "train: train-v1 → train-v2\n  ~ image of f: 'busybox:1' → 'busybox:2'\n"
    )


def test_pipelines_that_came_and_went() -> None:
    added, removed = compared(objects("b"), objects("a"))
    assert diff_text([added, removed]) == (
        "a: new, a-v1\n  + Pipeline: 'a'\n\nb: gone, was b-v1\n  - Pipeline: was 'b'\n  - version b-v1\n"
    )


def test_equal_states_differ_in_nothing() -> None:
    assert compared(objects(), objects()) == []
    assert diff_text([]) == ""
    assert diff_markdown([]) == "## Pipelines\n\nNothing has changed.\n"


def test_a_new_name_for_the_same_content_is_told() -> None:
    (diff,) = compared(objects(version="v1"), objects(version="v2"))
    assert diff_text([diff]) == ("train: train-v1 → train-v2\n  - version train-v1\n")
    kept = compared(
        objects(version="v1", sequence=1),
        [*objects(sequence=1), *objects(version="v2", sequence=2)],
    )
    assert diff_text(kept) == (
        "train: train-v1 → train-v2\n  the same content under another name\n"
    )


def test_metadata_and_short_fields_are_told_but_not_the_age() -> None:
    one, other = objects(sequence=1), objects(sequence=7)
    other[0]["metadata"]["labels"] = {"team": "a"}
    other[1]["spec"]["description"] = "x"
    (diff,) = compared(one, other)
    assert [(each.area, each.where, each.what) for each in diff.changes] == [
        (Area.METADATA, "Pipeline", "metadata.labels[team]"),
        (Area.METADATA, "PipelineVersion", "spec.description"),
    ]


def test_the_same_change_of_several_tasks_is_told_once() -> None:
    def two(image: str) -> list[Any]:
        found = objects(image=image)
        spec = found[1]["spec"]["pipelineSpec"] = json.loads(
            json.dumps(found[1]["spec"]["pipelineSpec"])
        )
        spec["root"]["dag"]["tasks"]["g"] = {"componentRef": {"name": "comp-g"}}
        spec["components"]["comp-g"] = {"executorLabel": "exec-g"}
        executors = spec["deploymentSpec"]["executors"]
        executors["exec-g"] = {"container": {"image": image}}
        return found

    (diff,) = compared(two("a:1"), two("a:2"))
    assert [change_words(each) for each in diff.changes] == ["image of f, g: 'a:1' → 'a:2'"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (Change(area=Area.TASK, where="a/b", what="task", after={"image": "x"}), "task a/b (image x)"),
        (Change(area=Area.TASK, where="a", what="task", before={}), "task a"),
        (Change(area=Area.PARAMETER, where="", what="parameter x", after={"a": [1]}), 'parameter x: {"a": [1]}'),
        (Change(area=Area.PARAMETER, where="", what="x", before=1), "x: was 1"),
        (Change(area=Area.SOURCE, where="f", what="source code", before="a\nb", after="a", lines=("-b",)), "source code of f"),
        (Change(area=Area.IMAGE, where="f", what="image", before="x" * 200, after=True), f"image of f: '{'x' * 118}… → true"),
    ],
)  # fmt: skip
def test_words(change: Change, words: str) -> None:
    assert change_words(change) == words


def test_json_has_everything() -> None:
    (diff,) = compared(objects(), objects(version="v2", image="busybox:2"))
    assert to_dict(diff) == {
        "pipeline": "train",
        "change": "changed",
        "before": "train-v1",
        "after": "train-v2",
        "versionsAdded": [],
        "versionsRemoved": ["train-v1"],
        "changes": [
            {
                "area": "image",
                "change": "changed",
                "where": "f",
                "what": "image",
                "tasks": ["f"],
                "before": "busybox:1",
                "after": "busybox:2",
            }
        ],
    }


def test_markdown_marks_what_changed_in_the_graph() -> None:
    text = diff_markdown(compared(objects(), objects(version="v2", image="busybox:2")))
    assert "| train | train-v1 → train-v2 | image |" in text
    assert "```mermaid\nflowchart TD\n" in text
    assert "class n0 changed" in text
    assert "* image of f: 'busybox:1' → 'busybox:2'" in text


def test_markdown_shows_hostile_texts_letter_by_letter() -> None:
    evil = "</details><script>|`*x*` @team #1 [a](b)"
    before, after = objects(), objects(version="v2")
    after[1]["spec"]["pipelineSpec"] = {
        **after[1]["spec"]["pipelineSpec"],
        "pipelineInfo": {"name": "train-v2", "description": evil},
    }
    after[1]["spec"]["displayName"] = "```\nx"
    text = diff_markdown(compared(before, after))
    assert "<script>" not in text
    assert text.count("</details>") == 1
    assert "&lt;/details&gt;&lt;script&gt;|\\`\\*x\\*\\` \\@team \\#1 \\[a\\](b)" in text


def test_source_code_cannot_end_its_block() -> None:
    diff = compared(objects(), objects(version="v2"))[0]
    change = Change(
        area=Area.SOURCE,
        where="f",
        what="source code",
        before="a",
        after="b",
        lines=("+```", "+````x"),
    )
    diff = PipelineDiff(pipeline="p", before="a", after="b", changes=(change,))
    assert "\n`````diff\n+```\n+````x\n`````\n" in diff_markdown([diff])


def test_markdown_stays_within_the_limit_and_says_what_it_leaves_out() -> None:
    names = [f"pipeline-{number}" for number in range(60)]
    diffs = compared(
        [each for name in names for each in objects(name)],
        [each for name in names for each in objects(name, version="v2", image="busybox:2")],
    )
    text = diff_markdown(diffs, limit=10_000)
    assert len(text) <= 10_000
    left = re.search(
        r"\n(\d+) pipelines are not shown in detail: the comment would be too long\.\n", text
    )
    assert left is not None
    assert text.count("<details>") + int(left[1]) == 60
    assert all(f"| {name} |" in text for name in names)
    short = diff_markdown(diffs, limit=1_000)
    assert len(short) <= 1_000
    assert re.search(r"and \d+ more pipelines\.", short)


def write(folder: Path, files: dict[str, list[Any]]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(to_yaml(content), encoding="utf-8")
    return folder


def no_cluster(_: str) -> list[Any]:
    raise AssertionError("the cluster was not named")


def states(*given: str) -> list[State]:
    return [read_state(each, objects=no_cluster) for each in given]


def test_folders_and_files(tmp_path: Path) -> None:
    one = write(
        tmp_path / "one", {"a.yaml": objects(), "x/b.yml": objects("b"), ".c.yaml": objects("c")}
    )
    other = write(
        tmp_path / "other", {"a.yaml": objects(image="busybox:2"), "x/b.yml": objects("b")}
    )
    (other / "notes.yaml").write_text("just: text\n", encoding="utf-8")
    assert [each.pipeline for each in diff_states(*states(str(one), str(other)))] == ["train"]
    found = diff_states(*states(str(one / "a.yaml"), str(other)))
    assert [(each.pipeline, each.verb) for each in found] == [("b", "added"), ("train", "changed")]
    assert diff_states(*states(str(one), str(other)), only=("b",)) == []


def test_what_both_have_alike_counts_for_the_age_of_versions(tmp_path: Path) -> None:
    old, new = objects(sequence=5), objects(version="v0", sequence=3, image="busybox:2")
    one = write(tmp_path / "one", {"p.yaml": old[:1], "v1.yaml": old[1:]})
    other = write(tmp_path / "other", {"p.yaml": old[:1], "v1.yaml": old[1:], "v0.yaml": new[1:]})
    (diff,) = diff_states(*states(str(one), str(other)))
    assert (diff.before, diff.after, diff.added) == ("train-v1", "train-v1", ("train-v0",))


def test_only_what_differs_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"p{number}.yaml": objects(f"p{number}") for number in range(20)}
    one, other = write(tmp_path / "one", files), write(tmp_path / "other", files)
    write(other, {"p3.yaml": objects("p3", image="busybox:2")})
    read = []
    load_all = snapshots.load_all

    def counted(data: bytes, *, source: str) -> Any:
        read.append(source)
        return load_all(data, source=source)

    monkeypatch.setattr(snapshots, "load_all", counted)
    assert [each.pipeline for each in diff_states(*states(str(one), str(other)))] == ["p3"]
    assert sorted(Path(each).name for each in read) == ["p3.yaml", "p3.yaml"]


def test_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"m/a.yaml": objects(), "other.yaml": objects("b")})
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "x")
    write(tmp_path, {"m/a.yaml": objects(image="busybox:2")})
    monkeypatch.chdir(tmp_path)
    for before, after in (("HEAD:m", "m"), ("HEAD:m/a.yaml", "m/a.yaml"), ("HEAD", ".")):
        (diff,) = diff_states(*states(before, after))
        assert [each.what for each in diff.changes] == ["image"]
    with pytest.raises(
        SourceError, match="'nope:m' is no file or folder, not 'cluster', and no commit"
    ):
        states("nope:m")
    # From a folder below the root a path starts there, or where git itself lets it start.
    (tmp_path / "team").mkdir()
    git(tmp_path, "mv", "m", "team/m")
    git(tmp_path, "commit", "-qm", "y")
    monkeypatch.chdir(tmp_path / "team")
    for before in ("HEAD:m", "HEAD:./m", "HEAD:team/m", "HEAD:team/m/"):
        (diff,) = diff_states(*states(before, "m"))
        assert [each.what for each in diff.changes] == ["image"]


def test_the_cluster() -> None:
    asked = []

    def ask(namespace: str) -> list[Any]:
        asked.append(namespace)
        return objects()

    found = [read_state(each, objects=ask) for each in ("cluster", "cluster:team-a")]
    assert asked == ["", "team-a"]
    assert diff_states(found[0], found[1]) == []
    (diff,) = diff_states(found[0], State(name="x", objects=tuple(objects(image="busybox:2"))))
    assert diff.changes[0].before is not ABSENT


def command(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kfp_k8s_manifest", *arguments],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command(tmp_path: Path) -> None:
    one = write(tmp_path / "one", {"a.yaml": objects()})
    other = write(tmp_path / "other", {"a.yaml": objects(version="v2", image="busybox:2")})
    done = command("diff", str(one), str(other))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "train: train-v1 → train-v2\n  ~ image of f: 'busybox:1' → 'busybox:2'\n  - version train-v1\n"
    )
    done = command(
        "diff", str(one), "-", "--exit-code", "--format", "json", stdin=to_yaml(objects("b"))
    )
    assert done.returncode == 1
    assert [each["pipeline"] for each in json.loads(done.stdout)["pipelines"]] == ["b", "train"]
    done = command("diff", str(one), str(one), "--exit-code")
    assert (done.returncode, done.stdout) == (0, "nothing has changed\n")


@pytest.mark.parametrize(
    ("source", "beginning"),
    [
        ("examples/nested/manifests.yaml", "flowchart TD\n  subgraph"),
        ("examples/nested/pipeline.py", "flowchart TD\n  subgraph"),
    ],
)
def test_the_graph_of_manifests_and_modules(source: str, beginning: str) -> None:
    done = command("graph", source)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(beginning)


@pytest.mark.parametrize(
    ("form", "beginning"), [("dot", "digraph"), ("svg", "<svg"), ("html", "<!DOCTYPE html>")]
)
def test_the_graph_in_other_forms(form: str, beginning: str) -> None:
    text = to_yaml([ir().pipeline_spec])
    done = command("graph", "-", "--format", form, stdin=text)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(beginning)


def test_a_graph_that_cannot_be_drawn(tmp_path: Path) -> None:
    done = command("graph", "examples/nested/pipeline.py", "--name", "x")
    assert done.returncode == 2
    assert done.stderr == (
        "Error: --name chooses among the versions of a manifest; examples/nested/pipeline.py is"
        " none\n"
    )
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("# A pipeline.\n", encoding="utf-8")
    done = command("graph", str(tmp_path))
    assert (done.returncode, done.stderr) == (
        2,
        f"Error: {tmp_path}: a folder has several pipelines; name one of its modules\n",
    )
    done = command("graph", "-", stdin=to_yaml([{**ir().pipeline_spec, "root": {"dag": {}}}]))
    assert done.returncode == 1
    assert done.stderr == "Error: -: the pipeline has no tasks, so there is nothing to draw\n"


def test_a_pipeline_that_neither_state_has_is_told(tmp_path: Path) -> None:
    one = write(tmp_path / "one", {"a.yaml": objects(), "b.yaml": objects("b")})
    other = write(
        tmp_path / "other", {"a.yaml": objects(image="busybox:2"), "b.yaml": objects("b")}
    )
    done = command("diff", str(one), str(other), "--pipeline", "trian")
    assert (done.returncode, done.stderr) == (
        2,
        "Error: neither state has a pipeline 'trian'; did you mean 'train'?\n",
    )
    # One that both have alike is none of the changed ones, and still known.
    done = command("diff", str(one), str(other), "--pipeline", "b")
    assert (done.returncode, done.stdout) == (0, "nothing has changed\n")


@pytest.mark.parametrize("options", [(), ("--format", "markdown")])
def test_a_terminal_obeys_nothing_of_what_differs(tmp_path: Path, options: tuple[str, ...]) -> None:
    texts = ("\x1b[31mred\n\ttab \u202e", "\x1b[32mgreen\n\ttab \u202e")
    files = []
    for name, text in zip(("one.yaml", "other.yaml"), texts, strict=True):
        pipeline = objects()[0] | {"spec": {"description": text}}
        files.append(str(write(tmp_path, {name: [pipeline]}) / name))
    done = command("diff", *files, *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert "-\\x1b[31mred" in done.stdout
    assert "\ttab \\u202e" in done.stdout
    assert not {"\x1b", "\u202e"} & set(done.stdout)


def test_nothing_on_either_side_is_no_comparison(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1\n")
    (tmp_path / "b").mkdir()
    done = command("diff", str(tmp_path / "a.yaml"), str(tmp_path / "b"), "--exit-code")
    words = "here is nothing to compare: neither side has a Pipeline or a PipelineVersion"
    assert (done.returncode, done.stdout, done.stderr) == (0, f"t{words}\n", "")
    done = command("diff", str(tmp_path / "b"), str(tmp_path / "b"), "--format", "markdown")
    assert (done.returncode, done.stdout) == (0, f"## Pipelines\n\nT{words}.\n")


def test_a_missing_file(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.yaml")
    done = command("diff", missing, missing)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Error: {missing!r} is no file or folder, not 'cluster', and no commit: " in done.stderr
