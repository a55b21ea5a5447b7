"""What a server says of a pipeline and of a version, however it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.model.ir import JsonValue

__all__ = [
    "RecordPage",
    "ServerPipeline",
    "ServerVersion",
    "all_items",
    "pipeline_from_json",
    "split_spec",
    "version_from_json",
]

T = TypeVar("T")

_PARTS: Final = frozenset({"pipeline_spec", "platform_spec"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPipeline:
    """A pipeline of a server.

    Attributes:
        id: Its id.
        name: Its API name.
        display_name: What is shown.
        description: "" for none.
        namespace: "" for none, as everywhere in a standalone installation.
        created_at: In RFC 3339, in whole seconds with `Z`; "" where unknown.
        tags: Its tags.
        error: Why the server cannot show it, or "".
    """

    id: str
    name: str
    display_name: str = ""
    description: str = ""
    namespace: str = ""
    created_at: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerVersion:
    """A version of a server.

    Attributes:
        id: Its id.
        pipeline_id: The id of its pipeline.
        name: Its API name.
        display_name: What is shown.
        description: "" for none.
        created_at: As for a pipeline.
        package_url: Where its content was fetched from, or "".
        code_source_url: Where its source lies, or "".
        hides_url: True where the server tells that there is a code source URL, and not which.
        tags: Its tags.
        pipeline_spec: The pipeline spec, or an Argo workflow; None where it cannot be read.
        platform_spec: The platform spec, or None.
        error: Why the server cannot show it, or "".
        raw: What the server has instead of a pipeline spec, where that is known.
    """

    id: str
    pipeline_id: str
    name: str
    display_name: str = ""
    description: str = ""
    created_at: str = ""
    package_url: str = ""
    code_source_url: str = ""
    hides_url: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    pipeline_spec: JsonValue = None
    platform_spec: JsonValue = None
    error: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPage(Generic[T]):
    """A page of a list.

    Attributes:
        items: In the server's order.
        total: How many there are in all pages.
        token: What asks for the next page; "" on the last one.
    """

    items: tuple[T, ...]
    total: int
    token: str = ""


def all_items(ask: Callable[[str], RecordPage[T]]) -> Iterator[T]:
    """Yield what all pages of a list have.

    Args:
        ask: Returns the page of a token, "" for the first.
    """
    token = ""
    while True:
        page = ask(token)
        yield from page.items
        token = page.token
        if not token:
            return


def pipeline_from_json(tree: Any) -> ServerPipeline:
    """Return the pipeline of an answer of KFP's v2beta1 API.

    Raises:
        SourceError: It is none.
    """
    return ServerPipeline(
        id=_required(tree, "pipeline_id"),
        name=_name(tree),
        display_name=_text(tree, "display_name"),
        description=_text(tree, "description"),
        namespace=_text(tree, "namespace"),
        created_at=_text(tree, "created_at"),
        tags=_texts(tree, "tags"),
        error=_error(tree),
    )


def version_from_json(tree: Any) -> ServerVersion:
    """Return the version of an answer of KFP's v2beta1 API.

    Raises:
        SourceError: It is none.
    """
    version_id = _required(tree, "pipeline_version_id")
    pipeline_spec, platform_spec = split_spec(tree.get("pipeline_spec"))
    package = tree.get("package_url")
    url = _text(package, "pipeline_url") if isinstance(package, Mapping) else ""
    source = _text(tree, "code_source_url")
    return ServerVersion(
        id=version_id,
        pipeline_id=_text(tree, "pipeline_id"),
        name=_name(tree),
        display_name=_text(tree, "display_name"),
        description=_text(tree, "description"),
        created_at=_text(tree, "created_at"),
        package_url=url,
        code_source_url=source,
        # KFP 2.17.0 answers an empty package URL where it has a code source URL alone.
        hides_url=isinstance(package, Mapping) and not url and not source,
        tags=_texts(tree, "tags"),
        pipeline_spec=pipeline_spec,
        platform_spec=platform_spec,
        error=_error(tree),
    )


def split_spec(answer: JsonValue) -> tuple[JsonValue, JsonValue]:
    """Return the pipeline spec and the platform spec of what is answered for both."""
    if isinstance(answer, Mapping) and "pipeline_spec" in answer and _PARTS.issuperset(answer):
        return answer["pipeline_spec"], answer.get("platform_spec")
    return answer, None


def _name(tree: Mapping[str, Any]) -> str:
    """Return the name; KFP before 2.14 has but one, and calls it the display name."""
    return _text(tree, "name") or _text(tree, "display_name")


def _error(tree: Mapping[str, Any]) -> str:
    error = tree.get("error")
    if not isinstance(error, Mapping):
        return ""
    return _text(error, "message") or json.dumps(error, sort_keys=True)


def _required(tree: Any, key: str) -> str:
    found = _text(tree, key) if isinstance(tree, Mapping) else ""
    if not found:
        raise SourceError(f"the server has answered an object without {key}: {tree!r:.200}")
    return found


def _text(tree: Mapping[str, Any], key: str) -> str:
    value = tree.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise SourceError(f"the server has answered {key} = {value!r:.100}, which is no string")
    return value


def _texts(tree: Mapping[str, Any], key: str) -> dict[str, str]:
    value = tree.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(each, str) for each in value.values()):
        raise SourceError(f"the server has answered {key} = {value!r:.100}, which are no strings")
    return dict(value)
