"""One table of calls of kfp's client and of kfp_server_api, for every store: what is asked, in order.

What is answered is written down without what no two servers have in common (ids, times, tokens and
namespaces are replaced by names), so that two stores' answers can be compared field by field.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kfp
import kfp_server_api
import yaml

from tests.rest.serving import HELLO

__all__ = ["READS", "WRITES", "Session", "fill", "manifests"]

SECOND = HELLO.replace("[hello]", "[again]")
# Of each pipeline its fields and its versions, whose fields and packages follow.
PIPELINES: Mapping[str, tuple[dict[str, Any], dict[str, tuple[dict[str, Any], str]]]] = {
    "alpha": (
        {
            "display_name": "Alpha One",
            "description": "the first",
            "tags": {"team": "red", "note": ""},
        },
        {
            "v1": ({"display_name": "Version 1", "description": "old", "tags": {"a": "b"}}, HELLO),
            "v2": ({"display_name": "v2"}, SECOND),
        },
    ),
    "beta": ({"display_name": "beta"}, {"v1": ({"display_name": "Über"}, SECOND)}),
    "gamma": ({"display_name": "Alpha One", "tags": {"team": "blue"}}, {}),
}


@dataclass
class Session:
    """A client, and what it has learned.

    Attributes:
        client: kfp's client.
        folder: Where packages lie that are uploaded.
        ids: The ids of pipelines by their names, and of versions by `pipeline/version`.
    """

    client: kfp.Client
    folder: Path
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def api(self) -> Any:
        """The generated client's PipelineService."""
        return self.client._pipelines_api

    @property
    def uploads(self) -> Any:
        """The generated client's uploads."""
        return self.client._upload_api

    def package(self, text: str) -> str:
        """Return a file that holds a package."""
        path = self.folder / f"{abs(hash(text))}.yaml"
        path.write_text(text)
        return str(path)

    def learn(self) -> None:
        """Learn the ids of all pipelines and versions."""
        self.ids.clear()
        for pipeline in self.client.list_pipelines(page_size=200).pipelines or ():
            self.ids[pipeline.name] = pipeline.pipeline_id
            listed = self.client.list_pipeline_versions(pipeline.pipeline_id, page_size=200)
            for version in listed.pipeline_versions or ():
                self.ids[f"{pipeline.name}/{version.name}"] = version.pipeline_version_id

    def play(self, calls: Mapping[str, Callable[[Session], Any]]) -> dict[str, Any]:
        """Make the calls, one after the other; return what is answered, by their names."""
        self.learn()
        return {name: self._outcome(call) for name, call in calls.items()}

    def _outcome(self, call: Callable[[Session], Any]) -> Any:
        try:
            answer = call(self)
        except kfp_server_api.ApiException as error:
            content = json.loads(error.body)
            text = content.get("error_message") or content["details"][0]["message"]
            answer = {"status": error.status, "code": content.get("code"), "text": text}
        except ValueError as error:
            answer = {"error": type(error).__name__, "text": str(error).partition(":")[0]}
        else:
            self._check_complete(answer)
        # Ids of what was created meanwhile are learned from answers.
        self.learn()
        return self._plain(answer)

    def _check_complete(self, answer: Any) -> None:
        """The generated client has read all of the JSON that it was answered."""
        if hasattr(answer, "to_dict"):
            client = self.api.api_client
            sent = json.loads(client.last_response.data)
            assert _with_zulu(client.sanitize_for_serialization(answer)) == sent

    def _plain(self, answer: Any) -> Any:
        if hasattr(answer, "to_dict"):
            answer = answer.to_dict()
        if isinstance(answer, Mapping):
            return {key: self._plain_field(key, value) for key, value in answer.items()}
        if isinstance(answer, list):
            return [self._plain(each) for each in answer]
        if isinstance(answer, str):
            for name, found in self.ids.items():
                answer = answer.replace(found, f"<{name}>")
        return answer

    def _plain_field(self, key: str, value: Any) -> Any:
        if value is None:
            return None
        if key == "created_at":
            return f"<{type(value).__name__}>"
        if key in ("namespace", "next_page_token"):
            return f"<{key}>" if key == "next_page_token" else None
        return self._plain(value)


def _with_zulu(tree: Any) -> Any:
    """Return what the client writes with the `Z` that it was sent."""
    if isinstance(tree, dict):
        return {key: _with_zulu(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_with_zulu(each) for each in tree]
    return f"{tree[:-6]}Z" if isinstance(tree, str) and tree.endswith("+00:00") else tree


Table = dict[str, Callable[[Session], Any]]
READS: Table = {}
WRITES: Table = {}


def _in(table: Table) -> Callable[[Callable[[Session], Any]], Callable[[Session], Any]]:
    def add(call: Callable[[Session], Any]) -> Callable[[Session], Any]:
        table[call.__name__] = call
        return call

    return add


def _filter(*predicates: Mapping[str, Any]) -> str:
    return json.dumps({"predicates": list(predicates)})


@_in(READS)
def list_pipelines(s: Session) -> Any:
    return s.client.list_pipelines(sort_by="name")


@_in(READS)
def list_pipelines_descending(s: Session) -> Any:
    return s.client.list_pipelines(sort_by="name desc", page_size=2)


@_in(READS)
def list_pages(s: Session) -> Any:
    pages, token = [], ""
    while True:
        page = s.client.list_pipelines(page_token=token, page_size=1, sort_by="name")
        pages.append(page.to_dict())
        token = page.next_page_token
        if not token:
            return pages


@_in(READS)
def list_by_name(s: Session) -> Any:
    named = {"operation": "EQUALS", "key": "name", "stringValue": "alpha"}
    return s.client.list_pipelines(filter=_filter(named))


@_in(READS)
def list_by_part_of_name(s: Session) -> Any:
    part = {"operation": "IS_SUBSTRING", "key": "name", "stringValue": "ta"}
    return s.client.list_pipelines(filter=_filter(part), sort_by="name")


@_in(READS)
def list_all_but_one(s: Session) -> Any:
    other = {"operation": "NOT_EQUALS", "key": "name", "stringValue": "beta"}
    return s.client.list_pipelines(filter=_filter(other), sort_by="name")


@_in(READS)
def list_by_names(s: Session) -> Any:
    names = {"operation": "IN", "key": "name", "string_values": {"values": ["beta", "gamma", "x"]}}
    return s.client.list_pipelines(filter=_filter(names), sort_by="name")


@_in(READS)
def list_by_tag(s: Session) -> Any:
    tagged = {"operation": "EQUALS", "key": "tags.team", "stringValue": "red"}
    return s.client.list_pipelines(filter=_filter(tagged))


@_in(READS)
def list_none(s: Session) -> Any:
    named = {"operation": "EQUALS", "key": "name", "stringValue": "nothing"}
    return s.client.list_pipelines(filter=_filter(named))


@_in(READS)
def list_with_an_unknown_order(s: Session) -> Any:
    return s.client.list_pipelines(sort_by="colour")


@_in(READS)
def list_with_a_bad_token(s: Session) -> Any:
    return s.client.list_pipelines(page_token="nonsense")


@_in(READS)
def list_with_a_bad_filter(s: Session) -> Any:
    return s.client.list_pipelines(filter="{")


@_in(READS)
def get_pipeline(s: Session) -> Any:
    return s.client.get_pipeline(s.ids["alpha"])


@_in(READS)
def get_a_pipeline_without_much(s: Session) -> Any:
    return s.client.get_pipeline(s.ids["gamma"])


@_in(READS)
def get_an_unknown_pipeline(s: Session) -> Any:
    return s.client.get_pipeline("00000000-0000-4000-8000-000000000000")


@_in(READS)
def get_pipeline_by_name(s: Session) -> Any:
    return s.api.pipeline_service_get_pipeline_by_name("beta")


@_in(READS)
def get_pipeline_id(s: Session) -> Any:
    return s.client.get_pipeline_id("beta")


@_in(READS)
def get_an_unknown_pipeline_id(s: Session) -> Any:
    return s.client.get_pipeline_id("nothing")


@_in(READS)
def get_an_ambiguous_pipeline_id(s: Session) -> Any:
    return s.client.get_pipeline_id("Alpha One")


@_in(READS)
def list_versions(s: Session) -> Any:
    return s.client.list_pipeline_versions(s.ids["alpha"], sort_by="name")


@_in(READS)
def list_versions_of_none(s: Session) -> Any:
    return s.client.list_pipeline_versions(s.ids["gamma"])


@_in(READS)
def list_versions_of_an_unknown_pipeline(s: Session) -> Any:
    return s.client.list_pipeline_versions("00000000-0000-4000-8000-000000000000")


@_in(READS)
def list_versions_by_tag(s: Session) -> Any:
    tagged = {"operation": "EQUALS", "key": "tags.a", "stringValue": "b"}
    return s.client.list_pipeline_versions(s.ids["alpha"], filter=_filter(tagged))


@_in(READS)
def page_of_versions(s: Session) -> Any:
    return s.client.list_pipeline_versions(s.ids["alpha"], sort_by="name desc", page_size=1)


@_in(READS)
def get_version(s: Session) -> Any:
    return s.client.get_pipeline_version(s.ids["alpha"], s.ids["alpha/v1"])


@_in(READS)
def get_a_version_of_another_pipeline(s: Session) -> Any:
    return s.client.get_pipeline_version(s.ids["beta"], s.ids["alpha/v1"])


@_in(READS)
def get_an_unknown_version(s: Session) -> Any:
    return s.client.get_pipeline_version(s.ids["alpha"], s.ids["alpha"])


@_in(WRITES)
def create_pipeline(s: Session) -> Any:
    body = kfp_server_api.V2beta1Pipeline(name="new", description="d", tags={"k": "v"})
    return s.api.pipeline_service_create_pipeline(body)


@_in(WRITES)
def create_a_pipeline_without_a_name(s: Session) -> Any:
    return s.api.pipeline_service_create_pipeline(kfp_server_api.V2beta1Pipeline(description="d"))


@_in(WRITES)
def create_a_pipeline_with_bad_tags(s: Session) -> Any:
    body = kfp_server_api.V2beta1Pipeline(name="bad", tags={"a.b": "c"})
    return s.api.pipeline_service_create_pipeline(body)


@_in(WRITES)
def upload_pipeline(s: Session) -> Any:
    return s.client.upload_pipeline(s.package(HELLO), "uploaded", "about it")


@_in(WRITES)
def upload_a_pipeline_twice(s: Session) -> Any:
    return s.client.upload_pipeline(s.package(HELLO), "uploaded")


@_in(WRITES)
def upload_a_pipeline_with_tags(s: Session) -> Any:
    return s.uploads.upload_pipeline(
        s.package(SECOND), name="tagged", display_name="Täg", tags='{"a": "b"}'
    )


@_in(WRITES)
def upload_nonsense(s: Session) -> Any:
    return s.client.upload_pipeline(s.package("a: b"), "nonsense")


@_in(WRITES)
def upload_version(s: Session) -> Any:
    return s.client.upload_pipeline_version(
        s.package(SECOND), "v2", pipeline_name="uploaded", description="more"
    )


@_in(WRITES)
def upload_a_version_twice(s: Session) -> Any:
    return s.client.upload_pipeline_version(s.package(SECOND), "v2", pipeline_id=s.ids["uploaded"])


@_in(WRITES)
def upload_a_version_of_nothing(s: Session) -> Any:
    return s.client.upload_pipeline_version(s.package(SECOND), "v", pipeline_name="nothing")


@_in(WRITES)
def versions_after_uploads(s: Session) -> Any:
    return s.client.list_pipeline_versions(s.ids["uploaded"], sort_by="name")


@_in(WRITES)
def update_pipeline(s: Session) -> Any:
    body = kfp_server_api.V2beta1Pipeline(display_name="Renamed", tags={"x": "y"})
    return s.api.pipeline_service_update_pipeline(s.ids["new"], body)


@_in(WRITES)
def update_nothing(s: Session) -> Any:
    return s.api.pipeline_service_update_pipeline(s.ids["new"], kfp_server_api.V2beta1Pipeline())


@_in(WRITES)
def clear_tags(s: Session) -> Any:
    return s.api.pipeline_service_update_pipeline(
        s.ids["new"], kfp_server_api.V2beta1Pipeline(tags={})
    )


@_in(WRITES)
def update_version(s: Session) -> Any:
    body = kfp_server_api.V2beta1PipelineVersion(display_name="Renamed", tags={"x": "y"})
    return s.api.pipeline_service_update_pipeline_version(
        s.ids["uploaded"], s.ids["uploaded/v2"], body
    )


@_in(WRITES)
def create_a_version_from_a_forbidden_url(s: Session) -> Any:
    body = kfp_server_api.V2beta1PipelineVersion(
        pipeline_id=s.ids["new"],
        name="v",
        package_url=kfp_server_api.V2beta1Url(pipeline_url="https://127.0.0.1/a.yaml"),
    )
    return s.api.pipeline_service_create_pipeline_version(s.ids["new"], body)


@_in(WRITES)
def create_both_from_a_forbidden_url(s: Session) -> Any:
    url = kfp_server_api.V2beta1Url(pipeline_url="https://127.0.0.1/a.yaml")
    body = kfp_server_api.V2beta1CreatePipelineAndVersionRequest(
        pipeline=kfp_server_api.V2beta1Pipeline(name="both"),
        pipeline_version=kfp_server_api.V2beta1PipelineVersion(package_url=url),
    )
    return s.api.pipeline_service_create_pipeline_and_version(body)


@_in(WRITES)
def delete_version(s: Session) -> Any:
    return s.client.delete_pipeline_version(s.ids["uploaded"], s.ids["uploaded/v2"])


@_in(WRITES)
def delete_a_pipeline_with_versions(s: Session) -> Any:
    return s.client.delete_pipeline(s.ids["uploaded"])


@_in(WRITES)
def delete_with_versions(s: Session) -> Any:
    return s.api.pipeline_service_delete_pipeline(s.ids["uploaded"], cascade=True)


@_in(WRITES)
def delete_pipeline(s: Session) -> Any:
    return s.client.delete_pipeline(s.ids["new"])


@_in(WRITES)
def pipelines_in_the_end(s: Session) -> Any:
    return s.client.list_pipelines(sort_by="name")


def fill(session: Session) -> None:
    """Create the pipelines of the table, and their versions."""
    for name, (fields, versions) in PIPELINES.items():
        body = kfp_server_api.V2beta1Pipeline(name=name, **fields)
        made = session.api.pipeline_service_create_pipeline(body)
        for version, (found, package) in versions.items():
            tags = {"tags": json.dumps(found["tags"])} if "tags" in found else {}
            session.uploads.upload_pipeline_version(
                session.package(package),
                name=version,
                pipelineid=made.pipeline_id,
                **{**found, **tags},
            )


def manifests(folder: Path, namespace: str | None = None) -> None:
    """Write the same pipelines and versions as manifests, a file for each pipeline."""
    for name, (fields, versions) in PIPELINES.items():
        documents = list(_documents(name, fields, versions, namespace))
        (folder / f"{name}.yaml").write_text(yaml.safe_dump_all(documents))


def _documents(
    name: str, fields: Mapping[str, Any], versions: Mapping[str, Any], namespace: str | None
) -> Iterator[dict[str, Any]]:
    def document(kind: str, found: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        metadata = {"name": found, **({"namespace": namespace} if namespace else {})}
        api = "pipelines.kubeflow.org/v2beta1"
        return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}

    def spec(found: Mapping[str, Any]) -> dict[str, Any]:
        shown = {
            "displayName" if key == "display_name" else key: value for key, value in found.items()
        }
        return {key: value for key, value in shown.items() if value}

    yield document("Pipeline", name, spec(fields))
    for version, (found, package) in versions.items():
        content = {"pipelineName": name, "versionName": version}
        content["pipelineSpec"] = yaml.safe_load(package)
        yield document("PipelineVersion", f"{name}-{version}", {**spec(found), **content})
