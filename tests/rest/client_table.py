"""A table of calls of kfp's clients, played against a store; what they return is the same in all.

`kfp.Client`, and `kfp_server_api` for what it has no method for. Every answer is held against its own JSON
as well: the generated client must have read all of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kfp
import kfp_server_api
from kfp_server_api import V2beta1Pipeline, V2beta1PipelineVersion

from tests.rest.serving import HELLO

# What each store says its own way: which of several versions is an example, and which namespace is its own.
_OF_A_STORE = {
    r"\(e\.g\. <[^>]+>\)": "(e.g. one)",
    r"^Namespace/Pipeline [^/]*/": "Namespace/Pipeline /",
}

Outcome = Any
Call = Callable[["Player"], Any]


@dataclass
class Player:
    """Clients of a server, and what was made with them.

    Attributes:
        client: kfp's client.
        package: The file of a package.
        ids: The ids of pipelines and versions by their names, versions as `alpha/v2`.
    """

    client: kfp.Client
    package: str
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def pipelines(self) -> Any:
        return self.client._pipelines_api

    @property
    def uploads(self) -> Any:
        return self.client._upload_api

    def version(self, name: str) -> tuple[str, str]:
        """Return the ids of a version and its pipeline."""
        return self.ids[name.partition("/")[0]], self.ids[name]


def _filter(key: str, value: str, operation: str = "EQUALS") -> str:
    condition = {"operation": operation, "key": key, "string_value": value}
    return json.dumps({"predicates": [condition]})


def _pages(list_one: Callable[[str], Any]) -> list[Any]:
    """Return all pages of a list."""
    found = [list_one("")]
    while found[-1].next_page_token:
        found.append(list_one(found[-1].next_page_token))
    return found


# What fills a store: each row makes the pipeline or version of its name.
MAKING: Mapping[str, Call] = {
    "alpha": lambda p: p.client.upload_pipeline(p.package, "alpha", description="first"),
    "alpha/v2": lambda p: p.client.upload_pipeline_version(
        p.package, "v2", pipeline_name="alpha", description="second"
    ),
    "beta": lambda p: p.uploads.upload_pipeline(
        p.package, name="beta", display_name="Beta ü", description="d", tags='{"team": "a"}'
    ),
    "beta/b2": lambda p: p.uploads.upload_pipeline_version(
        p.package, name="b2", display_name="B two", tags='{"k": ""}', pipelineid=p.ids["beta"]
    ),
    "gamma": lambda p: p.pipelines.pipeline_service_create_pipeline(
        V2beta1Pipeline(name="gamma", display_name="Gamma", tags={"team": "a", "x": "1"})
    ),
}

# What every store answers alike, the read-only one too.
READING: Mapping[str, Call] = {
    "get": lambda p: p.client.get_pipeline(p.ids["beta"]),
    "get unknown": lambda p: p.client.get_pipeline("none"),
    "get id": lambda p: p.client.get_pipeline_id("Beta ü"),
    "get id of none": lambda p: p.client.get_pipeline_id("none"),
    "get by name": lambda p: p.pipelines.pipeline_service_get_pipeline_by_name("beta"),
    "get by unknown name": lambda p: p.pipelines.pipeline_service_get_pipeline_by_name(
        "none", namespace=""
    ),
    "list": lambda p: p.client.list_pipelines(sort_by="name"),
    "list backwards": lambda p: p.client.list_pipelines(sort_by="name desc", page_size=200),
    "list by what is shown": lambda p: p.client.list_pipelines(sort_by="display_name asc"),
    "list in pages": lambda p: _pages(
        lambda token: p.client.list_pipelines(token, page_size=2, sort_by="" if token else "name")
    ),
    "list of a name": lambda p: p.client.list_pipelines(filter=_filter("name", "alpha")),
    "list of no name": lambda p: p.client.list_pipelines(filter=_filter("name", "none")),
    "list of a part": lambda p: p.client.list_pipelines(
        sort_by="name", filter=_filter("display_name", "a", "IS_SUBSTRING")
    ),
    "list of a tag": lambda p: p.client.list_pipelines(
        sort_by="name", filter=_filter("tags.team", "a")
    ),
    "list of a tag in pages": lambda p: _pages(
        lambda token: p.client.list_pipelines(
            token, page_size=1, sort_by="" if token else "name", filter=_filter("tags.team", "a")
        )
    ),
    "list all but one": lambda p: p.client.list_pipelines(
        sort_by="name", filter=_filter("name", "beta", "NOT_EQUALS")
    ),
    "list by no field": lambda p: p.client.list_pipelines(sort_by="nope"),
    "list with a bad filter": lambda p: p.client.list_pipelines(filter="x"),
    "list with a bad token": lambda p: p.client.list_pipelines("x"),
    "get version": lambda p: p.client.get_pipeline_version(*p.version("beta/b2")),
    "get version of an upload": lambda p: p.client.get_pipeline_version(*p.version("alpha/alpha")),
    "get unknown version": lambda p: p.client.get_pipeline_version(p.ids["beta"], "none"),
    "list versions": lambda p: p.client.list_pipeline_versions(p.ids["alpha"], sort_by="name"),
    "list versions in pages": lambda p: _pages(
        lambda token: p.client.list_pipeline_versions(
            p.ids["alpha"], token, page_size=1, sort_by="" if token else "name desc"
        )
    ),
    "list versions of a tag": lambda p: p.client.list_pipeline_versions(
        p.ids["beta"], filter=_filter("tags.k", "x")
    ),
    "list no versions": lambda p: p.client.list_pipeline_versions(p.ids["gamma"]),
    "list versions of none": lambda p: p.client.list_pipeline_versions("none"),
    "list versions by no field": lambda p: p.client.list_pipeline_versions(
        p.ids["alpha"], sort_by="pipeline_id"
    ),
}

# What changes a store, in this order.
CHANGING: Mapping[str, Call] = {
    "update": lambda p: p.pipelines.pipeline_service_update_pipeline(
        p.ids["alpha"], V2beta1Pipeline(display_name="Alpha", tags={"a": "b"})
    ),
    "update nothing": lambda p: p.pipelines.pipeline_service_update_pipeline(
        p.ids["alpha"], V2beta1Pipeline()
    ),
    "clear tags": lambda p: p.pipelines.pipeline_service_update_pipeline(
        p.ids["alpha"], V2beta1Pipeline(tags={})
    ),
    "break a rule": lambda p: p.pipelines.pipeline_service_update_pipeline(
        p.ids["alpha"], V2beta1Pipeline(tags={"a.b": ""})
    ),
    "update unknown": lambda p: p.pipelines.pipeline_service_update_pipeline(
        "none", V2beta1Pipeline(display_name="x")
    ),
    "update version": lambda p: p.pipelines.pipeline_service_update_pipeline_version(
        *p.version("alpha/v2"), V2beta1PipelineVersion(display_name="V 2", tags={"t": "1"})
    ),
    "clear a version's tags": lambda p: p.pipelines.pipeline_service_update_pipeline_version(
        *p.version("alpha/v2"), V2beta1PipelineVersion(tags={})
    ),
    "create without a name": lambda p: p.pipelines.pipeline_service_create_pipeline(
        V2beta1Pipeline(description="d")
    ),
    "create version without a package": (
        lambda p: p.pipelines.pipeline_service_create_pipeline_version(
            p.ids["gamma"], V2beta1PipelineVersion(pipeline_id=p.ids["gamma"], name="x")
        )
    ),
    "upload to none": lambda p: p.uploads.upload_pipeline_version(
        p.package, name="x", pipelineid="none"
    ),
    "delete with versions": lambda p: p.client.delete_pipeline(p.ids["beta"]),
    "delete version": lambda p: p.client.delete_pipeline_version(*p.version("alpha/v2")),
    "delete version again": lambda p: p.client.delete_pipeline_version(*p.version("alpha/v2")),
    "delete with cascade": lambda p: p.pipelines.pipeline_service_delete_pipeline(
        p.ids["beta"], cascade=True
    ),
    "its version is gone": lambda p: p.client.get_pipeline_version(*p.version("beta/b2")),
    "delete": lambda p: p.client.delete_pipeline(p.ids["gamma"]),
    "delete again": lambda p: p.client.delete_pipeline(p.ids["gamma"]),
    "list what is left": lambda p: p.client.list_pipelines(sort_by="name"),
}


def player(url: str, folder: Path) -> Player:
    """Return clients of a server."""
    package = folder / "hello.yaml"
    package.write_text(HELLO, encoding="utf-8")
    return Player(kfp.Client(host=url, namespace="kubeflow"), str(package))


def make(found: Player) -> dict[str, Outcome]:
    """Fill a store."""
    outcomes = {}
    for name, call in MAKING.items():
        answer = call(found)
        found.ids[name] = getattr(answer, "pipeline_version_id", None) or answer.pipeline_id
        outcomes[f"make {name}"] = _outcome(found, lambda answer=answer: answer)
    learn(found)
    return outcomes


def learn(found: Player) -> None:
    """Look up the ids of what is in the store."""
    for pipeline in found.client.list_pipelines(page_size=200).pipelines:
        found.ids[pipeline.name] = pipeline.pipeline_id
        listed = found.client.list_pipeline_versions(pipeline.pipeline_id, page_size=200)
        for version in listed.pipeline_versions or ():
            found.ids[f"{pipeline.name}/{version.name}"] = version.pipeline_version_id


def play(found: Player, table: Mapping[str, Call]) -> dict[str, Outcome]:
    """Make the calls of a table; return what came of each."""
    return {name: _outcome(found, lambda call=call: call(found)) for name, call in table.items()}


def _outcome(found: Player, call: Callable[[], Any]) -> Outcome:
    """Return what a call returned, or how it was refused, with names in the place of ids."""
    names = {each: f"<{name}>" for name, each in found.ids.items()}
    try:
        answer = call()
    except kfp_server_api.ApiException as error:
        body = json.loads(error.body)
        details = body.get("details", [{}])[0]
        text = details.get("message") or body.get("error_message") or body.get("message", "")
        for each, name in names.items():
            text = text.replace(each, name)
        for pattern, plain in _OF_A_STORE.items():
            text = re.sub(pattern, plain, text)
        return error.status, body.get("code"), text
    _check_complete(found, answer)
    return _plain(answer, names)


def _check_complete(found: Player, answer: Any) -> None:
    """The generated client has read all of the last answer's JSON."""
    model = answer[-1] if isinstance(answer, list) else answer
    if hasattr(model, "to_dict"):
        client = found.pipelines.api_client
        sent = json.loads(client.last_response.data)
        assert _with_zulu(client.sanitize_for_serialization(model)) == sent


def _with_zulu(tree: Any) -> Any:
    """Return what the client writes with the `Z` that it was sent."""
    if isinstance(tree, dict):
        return {key: _with_zulu(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_with_zulu(each) for each in tree]
    return f"{tree[:-6]}Z" if isinstance(tree, str) and tree.endswith("+00:00") else tree


def _plain(answer: Any, names: Mapping[str, str]) -> Any:
    """Return an answer's fields, without what differs from store to store."""
    if isinstance(answer, list):
        return [_plain(each, names) for each in answer]
    if hasattr(answer, "to_dict"):
        return dict(_fields(answer.to_dict(), names))
    return names.get(answer, answer) if isinstance(answer, str) else answer


def _fields(fields: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for key, value in fields.items():
        if key in ("pipelines", "pipeline_versions") and value is not None:
            yield key, [dict(_fields(each, names)) for each in value]
        elif key in ("created_at", "next_page_token"):
            yield key, value is not None
        # Only where there are namespaces is there one.
        elif key != "namespace":
            yield key, names.get(value, value) if isinstance(value, str) else value
