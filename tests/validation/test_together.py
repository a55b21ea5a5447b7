"""The checks of a set: where they find something, each text is read once more at most."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from kfp_k8s_manifest import validate, validate_text
from kfp_k8s_manifest.findings import Finding, Severity
from kfp_k8s_manifest.validation import together
from kfp_k8s_manifest.validation.few import MOST, Few

HEAD = "apiVersion: pipelines.kubeflow.org/v2beta1\nkind: Pipeline\n"


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the texts that are read again."""
    names: list[str] = []
    load_all = together.load_all

    def counted(data: bytes, *, source: str, **options: Any) -> Any:
        names.append(source)
        return load_all(data, source=source, **options)

    monkeypatch.setattr(together, "load_all", counted)
    return names


def test_a_text_is_read_again_once_however_much_is_wrong_in_it(readings: list[str]) -> None:
    objects = [
        f"{HEAD}metadata: {{name: a}}\nspec: {{displayName: a, description: {'p' if number < 3 else 'q'}}}\n"
        for number in range(6)
    ]
    report = validate_text("---\n".join(objects), source="f")
    found = [
        (each.line, each.column, each.message.partition("with ")[2].partition(";")[0])
        for each in report.findings
    ]
    assert found == [
        *((line, 18, "the same content") for line in (8, 13)),
        *((line, 18, "another content") for line in (18, 23, 28)),
    ]
    assert set(report.excerpts.values()) == {"metadata: {name: a}"}
    # It is still there.
    assert readings == []


def test_each_of_several_texts_is_read_again_once(readings: list[str], tmp_path: Any) -> None:
    for name in "ab":
        (tmp_path / f"{name}.yaml").write_text(
            "---\n".join([f"{HEAD}metadata: {{name: {name}}}\nspec: {{displayName: a}}\n"] * 5)
        )
    assert len(validate(tmp_path).findings) == 8
    assert readings == [str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")]


def test_texts_without_findings_are_not_read_again(
    readings: list[str], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in {"a": "one", "b": "two", "c": "one", "d": "four"}.items():
        text = f"{HEAD}metadata:\n  name: {'d' if name == 'd' else 'x'}\nspec: {{displayName: a, description: {content}}}\n"
        (tmp_path / f"{name}.yaml").write_text(text)
    report = validate(["a.yaml", "b.yaml", "c.yaml", "d.yaml"])
    found = [(each.file, each.line, "the same content" in each.message) for each in report.findings]
    assert found == [("b.yaml", 4, False), ("c.yaml", 4, True)]
    # The first of the copies is read for its content alone.
    assert readings == ["a.yaml", "b.yaml", "c.yaml"]


def test_a_file_that_changes_meanwhile_is_named(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"{HEAD}metadata: {{name: a}}\nspec: {{displayName: a}}\n"
    path = tmp_path / "a.yaml"
    path.write_text(f"{text}---\n{text}")
    (tmp_path / "b.yaml").write_text("")
    load_all = together.load_all

    def emptied(data: bytes, **options: Any) -> Any:
        return load_all(b"", **options)

    monkeypatch.setattr(together, "load_all", emptied)
    (finding,) = validate(tmp_path).findings
    assert (finding.rule, finding.file, finding.line) == ("duplicate-object", str(path), None)


def test_of_many_findings_of_one_rule_the_rest_is_counted() -> None:
    text = "---\n".join(
        [f"{HEAD}metadata: {{name: a}}\nspec: {{displayName: a, more: 1}}\n"] * 1_003
    )
    report = validate_text(text, source="f")
    counts = Counter(each.rule for each in report.findings)
    assert counts == {"unknown-field": 1_001, "duplicate-object": 1_001}
    assert report.errors == 2_002
    more = [each for each in report.findings if each.message.startswith("There are")]
    assert [(each.rule, each.line, each.message) for each in more] == [
        (
            "duplicate-object",
            5 * 1_000 + 3,
            "There are 2 more findings of this rule in this text; the first 1,000 are told.",
        ),
        (
            "unknown-field",
            5 * 999 + 4,
            "There are 3 more findings of this rule in this text; the first 1,000 are told.",
        ),
    ][::-1]


def test_the_rest_is_as_grave_as_the_worst_of_it() -> None:
    few = Few()
    note = Finding(rule="r", severity=Severity.NOTE, message="m")
    told = few.pass_on([*[note] * MOST, note, note._replace(severity=Severity.WARNING), note])
    assert told == [note] * MOST
    (rest,) = few.rest(told)
    assert rest.severity is Severity.WARNING
    assert "3 more" in rest.message
