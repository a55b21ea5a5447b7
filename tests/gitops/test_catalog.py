"""The files of the catalog; `tests/site/test_catalog.py` opens them in a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kfp_k8s_manifest.errors import OutputError
from kfp_k8s_manifest.gitops.catalog.facts import facts_of, parameters_of, sources_of
from kfp_k8s_manifest.gitops.catalog.site import catalog_files
from kfp_k8s_manifest.gitops.catalog.write import write_site
from kfp_k8s_manifest.gitops.diff import snapshot
from kfp_k8s_manifest.releases import target
from tests.gitops.test_diff import objects


def version(**more: Any) -> Any:
    return objects(**more)[1]


def test_facts_name_tasks_and_not_what_kfp_numbers() -> None:
    facts = facts_of(version())
    assert facts["f · image"] == "busybox:1"
    assert facts["pipeline · inputDefinitions.parameters[region].defaultValue"] == "us"
    assert not [key for key in facts if "comp-f" in key or "exec-f" in key]
    assert "pipeline · pipelineInfo.name" not in facts
    assert list(facts_of(version())) == list(facts)


def test_facts_of_what_holds_itself_or_is_malformed() -> None:
    odd = version()
    components = odd["spec"]["pipelineSpec"]["components"]
    components["comp-f"] = {
        "dag": {"tasks": {"x": {"componentRef": {"name": "comp-f"}}, "y": None}}
    }
    components["comp-f"]["dag"]["tasks"]["x"]["cachingOptions"] = {"enableCache": True}
    assert facts_of(odd)["f/x · cachingOptions.enableCache"] is True
    assert facts_of({"spec": {"pipelineSpec": {"root": 5, "components": []}}}) == {}
    assert sources_of({}) == {}
    assert parameters_of(
        {"spec": {"pipelineSpec": {"root": {"inputDefinitions": {"parameters": {"a": 5}}}}}}
    ) == [{"name": "a", "type": "", "optional": False, "description": ""}]


def test_sources_and_parameters() -> None:
    assert sources_of(version()) == {"f": {"image": "busybox:1", "text": "def f():\n  pass"}}
    assert parameters_of(version())[1] == {
        "name": "region",
        "type": "STRING",
        "default": "us",
        "optional": False,
        "description": "",
    }


def files(**states: list[Any]) -> dict[str, str]:
    found = {name: snapshot(each, name=name) for name, each in states.items()}
    return dict(catalog_files(found, title="A & B", target=target("2.17")))


def data(text: str) -> Any:
    return json.loads(text.partition(",")[2].partition(",")[2].removesuffix(");\n"))


def test_the_files() -> None:
    found = files(dev=[*objects(), *objects("b")], prod=objects())
    assert list(found) == [
        *("page.css", "page.js", "data/0.js", "data/0-0.js", "data/1.js", "data/1-0.js"),
        *("data/index.js", "index.html"),
    ]
    assert "<title>A &amp; B</title>" in found["index.html"]
    index = data(found["data/index.js"])
    assert [(each["name"], each["environments"]) for each in index["pipelines"]] == [
        ("b", ["dev"]),
        ("train", ["dev", "prod"]),
    ]


def test_data_cannot_end_their_script() -> None:
    pipeline = objects()
    pipeline[0]["spec"] = {"description": "</script>\u2028"}
    text = files(dev=pipeline)["data/index.js"]
    assert "</script" not in text
    assert "\u2028" not in text
    assert data(text)["pipelines"][0]["description"] == "</script>\u2028"


def test_writing_removes_what_an_earlier_catalog_had(tmp_path: Path) -> None:
    assert write_site(tmp_path / "site", files(dev=[*objects(), *objects("b")]).items()) == 2
    (tmp_path / "site" / "data" / "own.txt").write_text("mine", encoding="utf-8")
    assert write_site(tmp_path / "site", files(dev=objects()).items()) == 1
    names = sorted(each.name for each in (tmp_path / "site" / "data").iterdir())
    assert names == ["0-0.js", "0.js", "index.js", "own.txt"]


def test_a_page_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="is no catalog; choose a folder of its own"):
        write_site(tmp_path, files(dev=objects()).items())
    assert (tmp_path / "index.html").read_text(encoding="utf-8") == "mine"


def test_components_that_double_at_each_level_are_shown_in_part() -> None:
    def inner(number: int) -> dict[str, Any]:
        return {"componentRef": {"name": f"c{number}"}}

    components: dict[str, Any] = {
        f"c{number}": {"dag": {"tasks": {"x": inner(number + 1), "y": inner(number + 1)}}}
        for number in range(30)
    }
    components["c30"] = {"executorLabel": "e"}
    pipeline = {"root": {"dag": {"tasks": {"r": inner(0)}}}, "components": components}
    doubling = {"spec": {"pipelineSpec": pipeline}}
    facts = facts_of(doubling)
    assert facts["and more"] == "too many to show"
    assert len(facts) < 20_001
    assert sources_of(doubling) == {}
