"""The files of the catalog, as texts by path."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from kfp_k8s_manifest.checks.order import check_objects
from kfp_k8s_manifest.gitops.catalog.facts import facts_of, parameters_of, sources_of
from kfp_k8s_manifest.gitops.diff import Snapshot
from kfp_k8s_manifest.graph import pipeline_graph
from kfp_k8s_manifest.graph.html import STYLE, graph_html
from kfp_k8s_manifest.model.age import sequence_of
from kfp_k8s_manifest.model.trees import mapping_at
from kfp_k8s_manifest.releases import Target

__all__ = ["Version", "catalog_files"]

_ASSETS: Final = ("page.css", "page.js")


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version in the catalog.

    Attributes:
        object: The PipelineVersion as a JSON tree.
        environments: Where it stands.
    """

    object: Mapping[str, Any]
    environments: tuple[str, ...]


def catalog_files(
    states: Mapping[str, Snapshot], *, title: str, target: Target
) -> Iterator[tuple[str, str]]:
    """Yield the files of the catalog: path and text.

    Args:
        states: What each environment holds, by its name; "" where there is only one.
        title: What the page is called.
        target: Whose findings are shown.
    """
    for name in _ASSETS:
        yield name, _asset(name) + (STYLE if name == "page.css" else "")
    rows = []
    names = sorted(
        {name for state in states.values() for name in (*state.pipelines, *state.versions)}
    )
    for number, name in enumerate(names):
        pipeline = _pipeline(name, states)
        versions = _versions(name, states)
        row, details = _summary(name, number, pipeline, versions)
        rows.append(row)
        yield f"data/{number}.js", _script("pipeline", number, details)
        for index, version in enumerate(versions):
            yield (
                f"data/{number}-{index}.js",
                _script("version", f"{number}-{index}", _details(version, pipeline, target)),
            )
    data = {
        "title": title,
        "environments": [name for name in states if name],
        "pipelines": rows,
    }
    page = _asset("page.html").replace("{{title}}", _html(title))
    yield "data/index.js", _script("index", "", data)
    yield "index.html", page


def _pipeline(name: str, states: Mapping[str, Snapshot]) -> Mapping[str, Any]:
    for state in states.values():
        if name in state.pipelines:
            return state.pipelines[name]
    return {}


def _versions(name: str, states: Mapping[str, Snapshot]) -> list[Version]:
    """Return the versions of a pipeline, the newest first, each once."""
    found: dict[str, Version] = {}
    for environment, state in states.items():
        for obj in state.versions.get(name, ()):
            own = str(obj["metadata"]["name"])
            before = found.get(own)
            places = (*(before.environments if before else ()), *filter(None, [environment]))
            found[own] = Version(object=before.object if before else obj, environments=places)
    return sorted(found.values(), key=_age, reverse=True)


def _age(version: Version) -> tuple[int, str]:
    return sequence_of(version.object), str(version.object["metadata"]["name"])


def _summary(
    name: str, number: int, pipeline: Mapping[str, Any], versions: Sequence[Version]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a pipeline's row in the list, and what its own page shows of all versions."""
    spec = mapping_at(pipeline, "spec")
    newest = versions[0].object if versions else {}
    info = mapping_at(newest, "spec", "pipelineSpec", "pipelineInfo")
    description = spec.get("description") or info.get("description") or ""
    sources = sources_of(newest)
    images = sorted({each["image"] for each in sources.values() if each["image"]})
    words = [*images, *(each["name"] for each in parameters_of(newest)), *sources]
    row = {
        "id": number,
        "name": name,
        "displayName": str(spec.get("displayName") or ""),
        "description": str(description),
        "versions": len(versions),
        "newest": str(mapping_at(newest, "metadata").get("name") or ""),
        "environments": sorted({each for version in versions for each in version.environments}),
        "words": " ".join(words)[:4_000],
    }
    details = {
        "id": number,
        "namespace": str(mapping_at(pipeline, "metadata").get("namespace") or ""),
        "versions": [
            {
                "name": str(version.object["metadata"]["name"]),
                "sequence": _age(version)[0],
                "environments": list(version.environments),
                "displayName": str(mapping_at(version.object, "spec").get("displayName") or ""),
                "description": str(mapping_at(version.object, "spec").get("description") or ""),
            }
            for version in versions
        ],
    }
    return row, details


def _details(version: Version, pipeline: Mapping[str, Any], target: Target) -> dict[str, Any]:
    obj = version.object
    spec = mapping_at(obj, "spec", "pipelineSpec")
    objects = [each for each in (pipeline, obj) if each]
    found = check_objects(objects, target=target, assume_pipelines=True)
    return {
        "graph": graph_html(pipeline_graph(spec), with_style=False),
        "parameters": parameters_of(obj),
        "sources": sources_of(obj),
        "facts": facts_of(obj),
        "findings": [
            {
                "rule": each.rule,
                "severity": each.severity.value,
                "message": each.message,
                "hint": each.hint,
            }
            for each in found
        ],
    }


def _script(kind: str, key: int | str, data: Any) -> str:
    """Return data as a script that hands them to the page."""
    # Two characters end a script's line though JSON takes them; `</` would end the script.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    text = text.replace("</", "<\\/").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return f"kfpCatalog({json.dumps(kind)},{json.dumps(str(key))},{text});\n"


@cache
def _asset(name: str) -> str:
    return (files("kfp_k8s_manifest.gitops.catalog") / name).read_text(encoding="utf-8")


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
