"""What the REST API speaks of, as frozen values: what stores hold, what calls ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Generic, TypeVar

from kfp_k8s_manifest.golang import times
from kfp_k8s_manifest.model.ir import JsonValue

__all__ = [
    "Anchor",
    "ListQuery",
    "NewPipeline",
    "NewVersion",
    "Operation",
    "Page",
    "PipelineRecord",
    "Predicate",
    "Sort",
    "Spec",
    "VersionRecord",
    "time_text",
]

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A version's content, normalised: as KFP writes it after a strict reading.

    Attributes:
        pipeline: The pipeline spec, with JSON names and without default values.
        platform: The platform spec with its `kubernetes` platform, or None.
        workflow: Whether it is a package of KFP v1, and `pipeline` an Argo Workflow: the database
            keeps such content, Kubernetes has no place for it.
    """

    pipeline: Mapping[str, JsonValue]
    platform: Mapping[str, JsonValue] | None = None
    workflow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPipeline:
    """A pipeline to be created; names and defaults are settled.

    Attributes:
        name: The API name.
        display_name: What is shown; the name where none was given.
        description: "" for none.
        namespace: "" for none; the store says what stands in its place.
        tags: Checked.
    """

    name: str
    display_name: str
    description: str = ""
    namespace: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """A version to be created; names and defaults are settled.

    Attributes:
        name: The API name.
        display_name: What is shown; the name where none was given.
        spec: The content.
        description: "" for none.
        package_url: Where the content was fetched from, or "".
        code_source_url: Where its source lies, or "".
        tags: Checked.
    """

    name: str
    display_name: str
    spec: Spec
    description: str = ""
    package_url: str = ""
    code_source_url: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRecord:
    """A pipeline of a store.

    Attributes:
        id: The pipeline's id.
        name: The API name.
        display_name: What is shown.
        description: "" for none.
        namespace: "" for none.
        created_at: Unix seconds; 0 where unknown.
        tags: The tags.
        error: Why the object cannot be shown, or "".
    """

    id: str
    name: str
    display_name: str
    description: str = ""
    namespace: str = ""
    created_at: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRecord:
    """A version of a store.

    Attributes:
        id: The version's id.
        pipeline_id: The id of its pipeline, or "" where it has none.
        name: The API name.
        display_name: What is shown.
        spec_json: `pipeline_spec` as it is answered, in UTF-8 JSON: the pipeline spec, or an object of
            `pipeline_spec` and `platform_spec`. b"" where the content cannot be read: see `error`.
        description: "" for none.
        created_at: Unix seconds; 0 where unknown.
        package_url: Where the content was fetched from, or None where no URL is stored at all.
        code_source_url: Where its source lies, or "".
        tags: The tags.
        error: Why the object cannot be shown, or "".
    """

    id: str
    pipeline_id: str
    name: str
    display_name: str
    spec_json: bytes
    description: str = ""
    created_at: int = 0
    package_url: str | None = None
    code_source_url: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


class Operation(Enum):
    """What a predicate of a filter compares, with KFP's numbers."""

    EQUALS = 1
    NOT_EQUALS = 2
    GREATER_THAN = 3
    GREATER_THAN_EQUALS = 5
    LESS_THAN = 6
    LESS_THAN_EQUALS = 7
    IN = 8
    IS_SUBSTRING = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicate:
    """A condition on one field, checked: the field exists and the value suits the operation.

    Attributes:
        field: The field of the API: `id`, `name`, `display_name`, `created_at`, `description`,
            `namespace`, `status` or `pipeline_spec`; the alias `pipeline_id` or
            `pipeline_version_id` is `id`.
        operation: What is compared.
        value: What the field is compared with, for `IN` a tuple of these. For `created_at` an int
            (Unix seconds), whatever was sent, but a text for `IS_SUBSTRING`: its digits are
            searched. For every other field a text.
    """

    field: str
    operation: Operation
    value: str | int | tuple[str, ...] | tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """The order of a list: by a field, then by id in the same direction.

    Attributes:
        field: As in `Predicate`.
        descending: The greatest first.
    """

    field: str = "created_at"
    descending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """Where a page begins: at the first item whose (value, id) is not before this, in the order asked for.

    Attributes:
        value: The value of the field that is sorted by. An int for `created_at`. A caller may have
            written the token: for another field, whose values are texts, an int stands before none
            of them, so the page is empty, though its total is not.
        id: The id.
    """

    value: str | int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """What is listed, and which page of it.

    Attributes:
        page_size: From 1 to 200.
        sort: The order.
        predicates: All must hold.
        tags: The tags that must be there, with their values.
        start: Where the page begins; None for the first.
    """

    page_size: int = 20
    sort: Sort = Sort()
    predicates: tuple[Predicate, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    start: Anchor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T_co]):
    """A page of a list.

    Attributes:
        items: In order.
        total: How many there are in all pages.
        next: Where the next page begins: its first item. None on the last page.
    """

    items: tuple[T_co, ...]
    total: int
    next: Anchor | None = None


@lru_cache(maxsize=4096)
def time_text(seconds: int) -> str:
    """Return a record's time of creation in RFC 3339; "" where it is unknown or no time of protobuf.

    Args:
        seconds: Unix seconds; 0 where unknown.
    """
    if not seconds or not times.FIRST_SECOND <= seconds <= times.LAST_SECOND:
        return ""
    return times.rfc3339(seconds)
