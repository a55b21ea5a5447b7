"""Names: what is valid stays, everything else is mapped, and nothing that was named changes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfp_k8s_manifest import naming
from kfp_k8s_manifest.migration.names import (
    file_stem,
    is_pipeline_name,
    is_version_name,
    pipeline_names,
    rivals,
    version_names,
)
from kfp_k8s_manifest.releases import target as find_target

TARGET = find_target("2.17")
VALID = ["train", "a", "a.b", "v1.2-rc.3", "0", "x" * 63, "versions", "names", "create", "con"]
TWINS = [
    "V 1",
    "v 1",
    "V.1",
    "v-1 ",
    "V_1",
    "v__1",
    " V 1",
    "v\t1",
    "v\n1",
    "\uff36\uff11",
    "\u21741",
]


def hostile_names(count: int) -> list[str]:
    """Names that are clean alike, to nothing, to too much, or to what others are called."""
    dice = random.Random(11551)
    alphabet = "aAbB01-_. /\\%:\"'äÄß日本語عرב🎉\u200b\u0301\x00\n\t"
    names = {
        *VALID,
        *TWINS,
        "",
        "-",
        "...",
        "日本語",
        "🎉",
        "\ud800",
        "x" * 300,
        "X" * 300,
        "é" * 300,
    }
    names |= {f"{'long-' * 60}{end}" for end in ("a", "A", "b ", "ü")}
    names |= {"CON", "nul", "..", ".", "a/../b", "../../etc/passwd", "-x", "x-", "x--y", "a..b"}
    while len(names) < count:
        text = "".join(dice.choice(alphabet) for _ in range(dice.randrange(1, 9)))
        names |= {text, text.upper(), text.swapcase(), text + " ", text.replace("-", "_")}
    return sorted(names)[:count]


def test_5000_hostile_names_of_pipelines_become_valid_ones_no_two_alike() -> None:
    names = hostile_names(5000)
    found = pipeline_names(names, TARGET)
    assert list(found) != []
    assert len(set(found.values())) == len(found) == 5000
    assert [each for each in found.values() if not is_pipeline_name(each, TARGET)] == []
    assert all(found[name] == name for name in names if is_pipeline_name(name, TARGET))
    assert pipeline_names(reversed(names), TARGET) == found


def test_5000_hostile_names_of_versions_become_valid_ones_no_two_alike() -> None:
    names = hostile_names(5000)
    taken: set[str] = set()
    found = {}
    for name in names:
        every = version_names(name, pipeline="P 1", pipeline_object="p-1-abc")
        first = next(each for each in every if each not in taken)
        taken.add(first)
        found[name] = first
    assert len(taken) == 5000
    assert [each for each in taken if not is_version_name(each)] == []
    objects = [naming.rest_name("p-1-abc", each) for each in taken]
    assert [each for each in objects if naming.object_name_problems(each)] == []
    assert all(found[name] == name for name in names if is_version_name(name))


@given(st.lists(st.text(max_size=12), unique=True, max_size=30), st.data())
def test_a_server_that_grows_changes_no_name(names: list[str], data: st.DataObject) -> None:
    before = data.draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    some, everything = pipeline_names(before, TARGET), pipeline_names(names, TARGET)
    assert {name: everything[name] for name in before} == some
    assert len(set(everything.values())) == len(names)


def test_what_was_mapped_stays_although_a_valid_name_comes_that_is_alike() -> None:
    first = pipeline_names(["My Pipeline"], TARGET)
    (name,) = first.values()
    later = pipeline_names(["My Pipeline", name], TARGET, first)
    assert later["My Pipeline"] == name
    assert later[name] != name
    assert is_pipeline_name(later[name], TARGET)


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("My Pipeline", "my-pipeline-"),
        ("Café_Übung (EU)", "cafe-ubung-eu-"),
        ("日本語", "pipeline-"),
        ("", "pipeline-"),
        ("../../etc/passwd", "etc-passwd-"),
        ("X" * 300, "x" * 54 + "-"),
        # The webhook's label would be cut behind the dash.
        ("x" * 62 + "-y", "x" * 54 + "-"),
    ],
)
def test_a_mapped_name_is_readable_and_ends_in_a_digest(name: str, start: str) -> None:
    (found,) = pipeline_names([name], TARGET).values()
    assert found.startswith(start)
    assert len(found) == len(start) + 8
    assert is_pipeline_name(found, TARGET)


@pytest.mark.parametrize(
    ("target", "stays"), [("2.14", False), ("2.14.0", False), ("2.14.3", True), ("2.17", True)]
)
def test_a_name_stays_where_the_label_of_its_versions_takes_it(target: str, stays: bool) -> None:
    """KFP 2.14.0 sets the whole name as a label of at most 63 characters, later ones cut it."""
    names = ["x" * 63, "x" * 64]
    found = pipeline_names(names, find_target(target))
    assert found["x" * 63] == "x" * 63
    assert (found["x" * 64] == "x" * 64) is stays
    assert all(is_pipeline_name(each, find_target(target)) for each in found.values())


def test_the_version_of_an_upload_bears_the_name_of_its_pipeline() -> None:
    found = version_names("My Pipeline", pipeline="My Pipeline", pipeline_object="my-pipeline-xyz")
    assert next(found) == "my-pipeline-xyz"
    assert naming.rest_name("my-pipeline-xyz", "my-pipeline-xyz") == "my-pipeline-xyz"


def test_a_version_that_is_called_as_the_pipeline_is_mapped_is_mapped_as_well() -> None:
    found = next(version_names("my-p", pipeline="My P", pipeline_object="my-p"))
    assert found.startswith("my-p-")


@pytest.mark.parametrize(
    ("pipeline", "name", "length"),
    [("p" * 128, "v" * 124, 253), ("p" * 128, "v" * 127, 192), ("p" * 244, "v2", 247)],
)
def test_a_name_that_is_too_long_beside_the_pipelines_is_cut(
    pipeline: str, name: str, length: int
) -> None:
    found = next(version_names(name, pipeline=pipeline, pipeline_object=pipeline))
    assert len(naming.rest_name(pipeline, found)) == length


def test_no_rule_maps_a_version_of_a_pipeline_whose_name_leaves_no_room() -> None:
    pipeline = "p" * 253
    assert list(version_names("V 2", pipeline=pipeline, pipeline_object=pipeline)) == []
    assert list(version_names(pipeline, pipeline=pipeline, pipeline_object=pipeline)) == [pipeline]


def test_rivals_are_pipelines_whose_versions_may_have_the_same_object_name() -> None:
    pipelines = {"a", "a-b", "a-b-c", "b"}
    assert rivals("a-b-c", "a", pipelines) == ["a-b", "a-b-c"]
    assert rivals("a-b-c", "a-b", pipelines) == ["a", "a-b-c"]
    assert rivals("a-b-c", "a-b-c", pipelines) == ["a", "a-b"]
    assert rivals("b-c", "b", pipelines) == []


@given(st.text("ab-.", min_size=1, max_size=300))
def test_names_of_files_are_short_and_as_different_as_those_of_objects(name: str) -> None:
    stem = file_stem(name)
    assert len(stem) <= 220
    assert (stem == name) == (len(name) <= 220)
    assert file_stem(name + "x") != stem
