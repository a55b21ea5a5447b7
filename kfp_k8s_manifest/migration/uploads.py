"""The versions of one pipeline on a KFP server: which there are, and the upload of others."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.migration.records import ServerVersion, all_items
from kfp_k8s_manifest.migration.sources.rest import RestServer
from kfp_k8s_manifest.model.ir import digest
from kfp_k8s_manifest.model.trees import mapping_at, string_at
from kfp_k8s_manifest.rest.specs import SpecError, from_object, write_text
from kfp_k8s_manifest.rest.values import Spec

__all__ = ["Content", "There", "Uploads", "shown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A version's content.

    Attributes:
        digest: Of what KFP makes of it.
        spec: What KFP makes of it.
    """

    digest: str
    spec: Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """A version of the server.

    Attributes:
        record: What the server says of it, less its content.
        digest: Of its content.
    """

    record: ServerVersion
    digest: str


def shown(obj: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return what is shown of an object: a Pipeline or a PipelineVersion.

    Args:
        obj: The object.
        name: Its API name.
    """
    return {
        "display_name": string_at(obj, "spec", "displayName") or name,
        "description": string_at(obj, "spec", "description"),
        "tags": dict(mapping_at(obj, "spec", "tags")),
    }


class Uploads:
    """Finds and uploads versions of one pipeline; one thread at a time.

    Args:
        server: The server.
        place: A folder for packages on their way.
    """

    def __init__(self, server: RestServer, place: Path) -> None:
        self._server, self._place = server, place
        self._there: dict[str, There] | None = None

    def content(self, obj: Mapping[str, Any]) -> Content:
        """Return the content of an object.

        Raises:
            SourceError: KFP would not read it.
        """
        try:
            spec = from_object(mapping_at(obj, "spec"))
        except SpecError as error:
            raise SourceError(f"KFP does not take its content: {error}") from error
        return Content(digest=digest([spec.pipeline, spec.platform]), spec=spec)

    def find(self, pipeline_id: str, name: str) -> There | None:
        """Return the server's version of a name, or None."""
        if self._there is None:
            self._there = self._list(pipeline_id)
        return self._there.get(name)

    def forget(self) -> None:
        """Look anew the next time."""
        self._there = None

    def _list(self, pipeline_id: str) -> dict[str, There]:
        found: dict[str, There] = {}
        for each in all_items(partial(self._server.versions, pipeline_id, size=100)):
            own = digest([each.pipeline_spec, each.platform_spec])
            bare = replace(each, pipeline_spec=None, platform_spec=None)
            found[each.name] = There(record=bare, digest=own)
        return found

    def upload(self, pipeline_id: str, name: str, obj: Mapping[str, Any], content: Content) -> str:
        """Upload a version, and return its id.

        Raises:
            ServerRefusalError: The server refuses it; `ServerUncertainError`, where it may have taken it.
        """
        # kfp's client wants a file, whose name tells what is in it.
        folder = self._place / str(threading.get_ident())
        folder.mkdir(exist_ok=True)
        file = folder / "pipeline.yaml"
        file.write_text(write_text(content.spec), encoding="utf-8")
        told = shown(obj, name)
        query = {
            "name": name,
            "display_name": told["display_name"],
            "pipelineid": pipeline_id,
            "description": told["description"],
            "tags": json.dumps(told["tags"]) if told["tags"] else "",
        }
        tree = self._server.ask(
            "POST",
            "/apis/v2beta1/pipelines/upload_version",
            query={key: value for key, value in query.items() if value},
            file=str(file),
            again=False,
        )
        return str(tree.get("pipeline_version_id", ""))
