"""A green run has checked something."""

from __future__ import annotations

from pathlib import Path

import pytest

from kfp_k8s_manifest import Severity, validate, validate_text

PIPELINE = "apiVersion: pipelines.kubeflow.org/v2beta1\nkind: Pipeline\nmetadata: {name: train}\nspec: {displayName: a}\n"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
REMEDY = "Name what holds them, or pass --allow-empty where there may be none."


def told(report: object) -> list[tuple[str, str, str, str]]:
    return [(Path(each.file).name, each.rule, each.severity.value, each.message) for each in report.findings]  # fmt: skip


def test_an_empty_folder(tmp_path: Path) -> None:
    report = validate(tmp_path)
    assert told(report) == [
        ("", "nothing-to-check", "error", "There is no Pipeline or PipelineVersion to check (files: 0).")
    ]  # fmt: skip
    assert report.findings[0].hint == REMEDY
    assert not report.ok()
    assert validate(tmp_path, allow_empty=True).ok(strict=True)
    assert validate(tmp_path, skip_others=True).ok(strict=True)


def test_a_folder_of_other_things(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CONFIG_MAP + "---\n" + CONFIG_MAP)
    (tmp_path / "b.yaml").write_text("")
    (tmp_path / "c.json").write_text("{1")
    assert told(validate(tmp_path)) == [
        (
            "",
            "nothing-to-check",
            "error",
            (
                "There is no Pipeline or PipelineVersion to check (files: 2, objects of other kinds: 2,"
                " files that are skipped: 1)."
            ),
        )
    ]


def test_files_that_somebody_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CONFIG_MAP)
    (tmp_path / "b.yaml").write_text("# nothing\n")
    (tmp_path / "c.yaml").write_text(PIPELINE)
    named = [tmp_path / name for name in ("a.yaml", "b.yaml", "c.yaml")]
    one = "There is no Pipeline or PipelineVersion in it; objects of other kinds in it: 1."
    two = "There is no Pipeline or PipelineVersion in it."
    report = validate(named)
    assert told(report) == [
        ("a.yaml", "nothing-to-check", "note", one),
        ("b.yaml", "nothing-to-check", "note", two),
    ]
    assert report.ok(strict=True)
    report = validate(named[:2])
    assert told(report) == [
        ("a.yaml", "nothing-to-check", "error", one),
        ("b.yaml", "nothing-to-check", "error", two),
    ]
    # In a folder they are nothing special.
    assert validate(tmp_path).findings == ()


@pytest.mark.parametrize("text", ["", CONFIG_MAP, "---\n---\n", '{"kind": "List", "apiVersion": "v1", "items": []}'])  # fmt: skip
def test_a_text(text: str) -> None:
    (finding,) = validate_text(text).findings
    assert (finding.rule, finding.severity) == ("nothing-to-check", Severity.ERROR)
    assert validate_text(text, allow_empty=True).findings == ()


def test_only_notes_and_warnings_are_no_check(tmp_path: Path) -> None:
    other = PIPELINE.replace("v2beta1", "v1beta1").replace("Pipeline", "Run")
    (tmp_path / "a.yaml").write_text(other)
    assert [each.rule for each in validate(tmp_path).findings] == ["nothing-to-check", "other-operator"]  # fmt: skip
    assert [each.rule for each in validate(tmp_path / "a.yaml").findings] == ["nothing-to-check", "other-operator"]  # fmt: skip
    (tmp_path / "a.yaml").write_text(PIPELINE.replace("train", "{{ name }}"))
    assert not validate(tmp_path).ok()


def test_selecting_rules_hides_no_text_that_was_not_read(tmp_path: Path) -> None:
    assert not validate(tmp_path, select=["metadata"]).ok()
    assert validate(tmp_path, ignore=["nothing-to-check"]).ok()
    (tmp_path / "a.yaml").write_text(PIPELINE + "a: b: c\n")
    assert [each.rule for each in validate(tmp_path, select=["metadata"]).findings] == ["yaml-invalid"]  # fmt: skip
