"""What a build has to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfp_k8s_manifest import validate_text
from kfp_k8s_manifest.errors import KfpK8sError
from kfp_k8s_manifest.gitops.layouts import find_layout
from kfp_k8s_manifest.gitops.plan import Plan, make_plan, reissue_name
from kfp_k8s_manifest.gitops.settings import LAYOUTS, Settings
from kfp_k8s_manifest.gitops.tree import Tree, entry_of, make_tree
from kfp_k8s_manifest.gitops.wanted import Wanted
from kfp_k8s_manifest.model.age import SEQUENCE
from kfp_k8s_manifest.yaml import load_all
from tests.gitops.pipelines import wanted

PER_PIPELINE = find_layout("per-pipeline")


class Folder:
    """A tree that plans are carried out on: texts by path."""

    def __init__(self, name: str = "per-pipeline") -> None:
        self.texts: dict[str, str] = {}
        self.layout = find_layout(name)

    @property
    def tree(self) -> Tree:
        entries = [
            entry_of(path, document.value)
            for path, text in self.texts.items()
            for document in load_all(text)
        ]
        return make_tree([each for each in entries if each is not None])

    def plan(self, *pipelines: Wanted, failed: Sequence[str] = ()) -> Plan:
        return make_plan(pipelines, self.tree, self.layout, failed=failed)

    def build(self, *pipelines: Wanted) -> Plan:
        plan = self.plan(*pipelines)
        assert plan.problems == ()
        for each in plan.actions:
            if each.text is not None:
                assert (each.path in self.texts) == (each.verb == "update")
                self.texts[each.path] = each.text
            if each.verb == "delete":
                del self.texts[each.path]
        return plan

    def versions(self, pipeline: str = "train") -> list[str]:
        return [each.name for each in self.tree.versions.get(pipeline, ())]


def verbs(plan: Plan) -> dict[str, str]:
    return {each.path: each.verb for each in plan.actions}


def test_a_new_pipeline_is_created_and_then_kept_byte_for_byte() -> None:
    folder = Folder()
    plan = folder.build(wanted())
    (name,) = folder.versions()
    assert verbs(plan) == {"train/pipeline.yaml": "create", f"train/versions/{name}.yaml": "create"}
    before = dict(folder.texts)
    again = folder.build(wanted())
    assert set(verbs(again).values()) == {"keep"}
    assert folder.texts == before
    assert f"{SEQUENCE}: '1'" in folder.texts[f"train/versions/{name}.yaml"]


def test_a_changed_content_is_a_new_version_beside_the_old_one() -> None:
    folder = Folder()
    folder.build(wanted())
    old = dict(folder.texts)
    folder.build(wanted(image="busybox:2"))
    assert {path: folder.texts[path] for path in old} == old
    assert [each.sequence for each in folder.tree.versions["train"]] == [1, 2]


def test_going_back_to_an_older_content_makes_it_the_newest_again() -> None:
    folder = Folder()
    folder.build(wanted())
    (first,) = folder.versions()
    folder.build(wanted(image="busybox:2"))
    plan = folder.build(wanted())
    assert folder.versions()[-1] == f"{first}-r2"
    (created,) = plan.having("create")
    assert created.why == f"the content of {first} again"
    assert set(verbs(folder.build(wanted())).values()) == {"keep"}
    folder.build(wanted(image="busybox:2"))
    folder.build(wanted())
    assert folder.versions()[-1] == f"{first}-r3"


def test_a_name_that_belongs_to_another_content_is_refused() -> None:
    folder = Folder()
    chosen = Settings(version_name="{pipeline}-v1")
    folder.build(wanted(settings=chosen))
    plan = folder.plan(wanted(settings=chosen, image="busybox:2"))
    (problem,) = plan.problems
    assert problem.source == "train.py"
    assert problem.text == (
        "train/versions/train-v1.yaml holds version 'train-v1' with another content, and a version"
        " is immutable; if the file was edited, restore it; otherwise let the name follow from the"
        ' content (version-name = "{pipeline}-{digest}"), or give the new content a name of its own'
    )
    assert set(verbs(plan).values()) == {"keep"}


def test_an_upgrade_of_the_sdk_mints_nothing_where_that_is_asked_for() -> None:
    folder = Folder()
    folder.build(wanted(sdk="kfp-2.16.0"))
    assert folder.plan(wanted(sdk="kfp-2.17.0")).having("create")
    reuse = Settings(reuse="ignore-sdk-version")
    assert not folder.plan(wanted(sdk="kfp-2.17.0", settings=reuse)).having("create")
    assert folder.plan(wanted(sdk="kfp-2.17.0", settings=reuse, image="busybox:2")).having("create")


def test_the_pipeline_object_may_change() -> None:
    folder = Folder()
    folder.build(wanted())
    plan = folder.build(wanted(settings=Settings(display_name="Training")))
    assert verbs(plan)["train/pipeline.yaml"] == "update"
    assert "displayName: Training" in folder.texts["train/pipeline.yaml"]
    assert len(folder.versions()) == 1


def test_two_sources_of_one_pipeline_are_refused() -> None:
    plan = Folder().plan(wanted(source="a.py"), wanted(source="b.py"))
    (problem,) = plan.problems
    assert problem.text == (
        "pipeline 'train' comes from a.py as well; give one of them another name, or exclude one"
        " (b.py)"
    )


def test_versions_of_two_pipelines_cannot_have_one_name() -> None:
    plan = Folder().plan(
        wanted("a", settings=Settings(version_name="a-b-c")),
        wanted("a-b", settings=Settings(version_name="{pipeline}-c")),
    )
    (problem,) = plan.problems
    assert problem.text == (
        "version 'a-b-c' of pipeline 'a-b' has the name of a version of pipeline 'a'; give one of"
        " them another name"
    )
    assert {each.pipeline for each in plan.actions} == {"a"}


def test_what_no_source_gives_any_more_is_told_and_what_failed_is_not_gone() -> None:
    folder = Folder()
    folder.build(wanted("a"), wanted("b"), wanted("c"))
    plan = folder.plan(wanted("a"), failed=["b"])
    found = {each.pipeline: each.verb for each in plan.actions}
    assert found == {"a": "keep", "b": "keep", "c": "gone"}


def test_retention_removes_the_oldest_that_nobody_has_pinned() -> None:
    folder = Folder()
    for number in range(5):
        folder.build(wanted(image=f"busybox:{number}"))
    names = folder.versions()
    chosen = Settings(keep=2, pin=(names[0],))
    plan = folder.build(wanted(image="busybox:5", settings=chosen))
    assert [each.name for each in plan.having("delete")] == sorted(names[1:4])
    assert {each.why for each in plan.having("delete")} == {"keep = 2"}
    assert folder.versions()[:2] == [names[0], names[4]]
    assert len(folder.versions()) == 3
    assert set(verbs(folder.build(wanted(image="busybox:5", settings=chosen))).values()) == {"keep"}


def test_the_newest_version_is_never_removed() -> None:
    folder = Folder()
    chosen = Settings(keep=1)
    for number in range(3):
        folder.build(wanted(image=f"busybox:{number}", settings=chosen))
        assert len(folder.versions()) == 1
    assert "busybox:2" in folder.texts[folder.tree.versions["train"][0].path]


def test_equal_sequences_after_a_merge_are_ordered_by_name() -> None:
    one, other = Folder(), Folder()
    for each in (one, other):
        each.build(wanted())
    one.build(wanted(image="busybox:2"))
    other.build(wanted(image="busybox:3"))
    merged = Folder()
    merged.texts = {**one.texts, **other.texts}
    sequences = [(each.sequence, each.name) for each in merged.tree.versions["train"]]
    assert sequences == sorted(sequences)
    assert [sequence for sequence, _ in sequences] == [1, 2, 2]
    assert merged.tree.next_sequence("train") == 3


def test_a_check_refuses_before_anything_is_written() -> None:
    def refuse(bundle: Any) -> None:
        raise KfpK8sError(f"{bundle.version.name} is refused")

    plan = make_plan([wanted()], Tree(), PER_PIPELINE, check=refuse)
    (problem,) = plan.problems
    assert problem.text.endswith("is refused")
    assert plan.actions == ()


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_writes_what_the_cluster_takes_and_settles(name: str) -> None:
    folder = Folder(name)
    folder.build(wanted("a", settings=Settings(namespace="team")), wanted("a-b"))
    folder.build(wanted("a", image="x:2", settings=Settings(namespace="team")), wanted("a-b"))
    assert len(folder.texts) == 5
    assert set(verbs(folder.build(wanted("a", image="x:2", settings=Settings(namespace="team")), wanted("a-b"))).values()) == {"keep"}  # fmt: skip
    report = validate_text("---\n".join(folder.texts.values()), assume_pipelines=True)
    assert report.ok(), report.findings


@pytest.mark.parametrize(
    ("name", "taken", "new"),
    [
        ("a-x", [], "a-x-r2"),
        ("a-x", ["a-x-r2"], "a-x-r3"),
        ("a-x-r2", ["a-x-r3"], "a-x-r2"),
        ("a-run", [], "a-run-r2"),
        ("a-r٣", [], "a-r٣-r2"),
    ],
)
def test_names_of_what_is_issued_again(name: str, taken: list[str], new: str) -> None:
    assert reissue_name(name, dict.fromkeys(taken)) == new


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=8))
def test_after_any_history_the_newest_version_is_what_was_built_last(
    history: list[tuple[str, int]],
) -> None:
    folder = Folder()
    current: dict[str, int] = {}
    before: dict[str, str] = {}
    for name, number in history:
        current[name] = number
        folder.build(*(wanted(each, image=f"busybox:{tag}") for each, tag in current.items()))
        for path, text in before.items():
            if "/versions/" in path:
                assert folder.texts[path] == text
        before = dict(folder.texts)
        for each, tag in current.items():
            newest = folder.tree.newest(each)
            assert newest is not None
            assert f"busybox:{tag}" in folder.texts[newest.path]
