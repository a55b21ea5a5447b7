"""What every store of pipelines does: one table of tests, which each store's own tests run.

A case gets an empty store and what the store is allowed to do its own way. Names are such that every store
takes them: lower case letters, digits and dashes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from kfp_k8s_manifest.rest.errors import Code, RestError
from kfp_k8s_manifest.rest.stores import Store
from kfp_k8s_manifest.rest.values import (
    Anchor,
    ListQuery,
    NewPipeline,
    NewVersion,
    Operation,
    PipelineRecord,
    Predicate,
    Sort,
    Spec,
    VersionRecord,
)

__all__ = ["CASES", "Case", "Traits", "pipeline", "refused", "spec", "version"]

Record = TypeVar("Record", PipelineRecord, VersionRecord)
NOWHERE: Final = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a store does its own way.

    Attributes:
        namespace: What stands for an empty namespace.
        namespaces: Two more that pipelines can be in; () where there is one namespace alone.
        compares_order: Whether filters compare by order, as the database does.
        ignores_case: Whether filters ignore the case of letters.
        has_wildcards: Whether `%` and `_` stand for others in a substring, as the database has it.
        breaks_ties_by_id: Whether equal values of what is sorted by are ordered by id.
    """

    namespace: str = ""
    namespaces: tuple[str, ...] = ("team-a", "team-b")
    compares_order: bool = True
    ignores_case: bool = True
    has_wildcards: bool = True
    breaks_ties_by_id: bool = True


Case = Callable[[Store, Traits], Coroutine[Any, Any, None]]
CASES: Final[dict[str, Case]] = {}


def _case(function: Case) -> Case:
    CASES[function.__name__] = function
    return function


def spec(name: str = "hello", image: str = "python:3.11", *, platform: bool = False) -> Spec:
    """Return a small content in normal form."""
    return Spec(
        pipeline={
            "components": {"comp-print": {"executorLabel": "exec-print"}},
            "deploymentSpec": {
                "executors": {"exec-print": {"container": {"command": ["echo"], "image": image}}}
            },
            "pipelineInfo": {"name": name},
            "root": {
                "dag": {
                    "tasks": {
                        "print": {
                            "cachingOptions": {"enableCache": True},
                            "componentRef": {"name": "comp-print"},
                            "taskInfo": {"name": "print"},
                        }
                    }
                }
            },
            "schemaVersion": "2.1.0",
            "sdkVersion": "kfp-2.17.0",
        },
        platform={
            "platforms": {
                "kubernetes": {
                    "deploymentSpec": {
                        "executors": {"exec-print": {"imagePullSecret": [{"secretName": "pull"}]}}
                    }
                }
            }
        }
        if platform
        else None,
    )


def pipeline(name: str, **fields: Any) -> NewPipeline:
    """Return a pipeline to create."""
    return NewPipeline(**{"name": name, "display_name": name, **fields})


def version(name: str, **fields: Any) -> NewVersion:
    """Return a version to create."""
    return NewVersion(**{"name": name, "display_name": name, "spec": spec(), **fields})


async def refused(call: Awaitable[object]) -> RestError:
    """Return the refusal of a call."""
    try:
        answer = await call
    except RestError as error:
        return error
    raise AssertionError(f"not refused: {answer}")


def _names(records: tuple[PipelineRecord, ...] | tuple[VersionRecord, ...]) -> list[str]:
    return [record.name for record in records]


async def _all_pages(
    list_page: Callable[[ListQuery], Awaitable[Any]], query: ListQuery
) -> tuple[list[Any], list[Any]]:
    """Return the records of all pages in order, and the totals that pages told."""
    records: list[Any] = []
    totals = []
    while True:
        page = await list_page(query)
        assert len(page.items) <= query.page_size
        records += page.items
        totals.append(page.total)
        if page.next is None:
            return records, totals
        assert len(page.items) == query.page_size
        query = replace(query, start=page.next)


def _by(name: str, *, descending: bool = False) -> Sort:
    return Sort(field=name, descending=descending)


@_case
async def a_pipeline_is_what_was_created(store: Store, traits: Traits) -> None:
    created = await store.create_pipeline(
        pipeline(
            "training",
            display_name="Training (EU) nightly 日本",
            description="trains\nnightly: äöü",
            tags={"team": "growth", "stage": ""},
        )
    )
    assert created == PipelineRecord(
        id=created.id,
        name="training",
        display_name="Training (EU) nightly 日本",
        description="trains\nnightly: äöü",
        namespace=traits.namespace,
        created_at=created.created_at,
        tags={"team": "growth", "stage": ""},
    )
    assert len(created.id) == 36
    assert created.created_at > 1_600_000_000
    assert await store.get_pipeline(created.id) == created
    assert await store.get_pipeline_by_name(traits.namespace, "training") == created
    page = await store.list_pipelines(traits.namespace, ListQuery())
    assert (page.items, page.total, page.next) == ((created,), 1, None)


@_case
async def a_version_is_what_was_created(store: Store, traits: Traits) -> None:
    parent = await store.create_pipeline(pipeline("training"))
    created = await store.create_version(
        parent,
        version(
            "v-1",
            display_name="First",
            description="with a secret",
            package_url="https://example.com/pipeline.yaml",
            code_source_url="https://example.com/source",
            tags={"commit": "abc123"},
            spec=spec(platform=True),
        ),
    )
    assert created == VersionRecord(
        id=created.id,
        pipeline_id=parent.id,
        name="v-1",
        display_name="First",
        spec_json=created.spec_json,
        description="with a secret",
        created_at=created.created_at,
        package_url="https://example.com/pipeline.yaml",
        code_source_url="https://example.com/source",
        tags={"commit": "abc123"},
    )
    assert created.spec_json == (
        b'{"pipeline_spec":{"components":{"comp-print":{"executorLabel":"exec-print"}},"deploymentSpec":'
        b'{"executors":{"exec-print":{"container":{"command":["echo"],"image":"python:3.11"}}}},'
        b'"pipelineInfo":{"name":"hello"},"root":{"dag":{"tasks":{"print":{"cachingOptions":'
        b'{"enableCache":true},"componentRef":{"name":"comp-print"},"taskInfo":{"name":"print"}}}}},'
        b'"schemaVersion":"2.1.0","sdkVersion":"kfp-2.17.0"},"platform_spec":{"platforms":{"kubernetes":'
        b'{"deploymentSpec":{"executors":{"exec-print":{"imagePullSecret":[{"secretName":"pull"}]}}}}}}}'
    )
    assert await store.get_version(created.id) == created
    page = await store.list_versions(parent.id, ListQuery())
    assert (page.items, page.total, page.next) == ((created,), 1, None)
    assert (await store.get_pipeline(parent.id)) == parent


@_case
async def a_version_without_urls_has_none(store: Store, traits: Traits) -> None:
    parent = await store.create_pipeline(pipeline("training"))
    created = await store.create_version(parent, version("v-1"))
    assert created.package_url is None
    assert created.code_source_url == ""
    assert created.spec_json.startswith(b'{"components":')
    assert await store.get_version(created.id) == created


@_case
async def a_pipeline_comes_with_its_first_version(store: Store, traits: Traits) -> None:
    created, its_version = await store.create_pipeline_with_version(
        pipeline("training", tags={"a": "1"}), version("training", tags={"b": "2"})
    )
    assert created.tags == {"a": "1"}
    assert its_version.tags == {"b": "2"}
    assert its_version.pipeline_id == created.id
    assert await store.get_pipeline(created.id) == created
    assert await store.get_version(its_version.id) == its_version
    assert (await store.list_versions(created.id, ListQuery())).items == (its_version,)


@_case
async def a_name_is_given_once(store: Store, traits: Traits) -> None:
    first = await store.create_pipeline(pipeline("training", display_name="Same"))
    again = await refused(store.create_pipeline(pipeline("training", display_name="Other")))
    assert again.code is Code.ALREADY_EXISTS
    assert again.text.startswith("Failed to create a new pipeline. The name training already exist")
    with_version = await refused(
        store.create_pipeline_with_version(pipeline("training"), version("v-1"))
    )
    assert with_version.text == (
        "Failed to create a new pipeline. The name training already exists. Please specify a new name"
    )
    assert (await store.list_versions(first.id, ListQuery())).total == 0
    await store.create_pipeline(pipeline("training-2", display_name="Same"))
    assert (await store.list_pipelines(traits.namespace, ListQuery())).total == 2


@_case
async def a_versions_name_is_given_once_in_its_pipeline(store: Store, traits: Traits) -> None:
    one = await store.create_pipeline(pipeline("one"))
    two = await store.create_pipeline(pipeline("two"))
    first = await store.create_version(one, version("v-1"))
    await store.create_version(two, version("v-1"))
    await store.create_version(one, version("v-2", display_name="v-1"))
    again = await refused(store.create_version(one, version("v-1", tags={"a": "b"})))
    assert again.code is Code.ALREADY_EXISTS
    assert again.text.startswith(
        "Failed to create a new pipeline version. The name v-1 already exist"
    )
    listed = await store.list_versions(one.id, ListQuery(sort=_by("name")))
    assert _names(listed.items) == ["v-1", "v-2"]
    assert await store.get_version(first.id) == first


@_case
async def one_of_many_at_once_gets_the_name(store: Store, traits: Traits) -> None:
    calls = [store.create_pipeline(pipeline("training")) for _ in range(10)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    taken = [answer for answer in answers if isinstance(answer, RestError)]
    assert [error.code for error in taken] == [Code.ALREADY_EXISTS] * 9
    assert (await store.list_pipelines(traits.namespace, ListQuery())).total == 1


@_case
async def many_at_once_are_all_created(store: Store, traits: Traits) -> None:
    parent = await store.create_pipeline(pipeline("training"))
    await asyncio.gather(
        *(store.create_version(parent, version(f"v-{i}", tags={"n": str(i)})) for i in range(20))
    )
    page = await store.list_versions(parent.id, ListQuery(page_size=50))
    assert sorted(_names(page.items)) == sorted(f"v-{i}" for i in range(20))
    assert all(record.tags == {"n": record.name[2:]} for record in page.items)


@_case
async def what_is_not_there_is_not_found(store: Store, traits: Traits) -> None:
    nobody = PipelineRecord(id=NOWHERE, name="nobody", display_name="", namespace=traits.namespace)
    for call, text in (
        (store.get_pipeline(NOWHERE), f"Pipeline {NOWHERE} not found"),
        (store.delete_pipeline(NOWHERE, cascade=False), f"Pipeline {NOWHERE} not found"),
        (store.delete_pipeline(NOWHERE, cascade=True), f"Pipeline {NOWHERE} not found"),
        (
            store.update_pipeline(NOWHERE, display_name="x", tags=None),
            f"Pipeline {NOWHERE} not found",
        ),
        (
            store.update_pipeline(NOWHERE, display_name=None, tags={"a": "b"}),
            f"Pipeline {NOWHERE} not found",
        ),
        (store.create_version(nobody, version("v-1")), f"Pipeline {NOWHERE} not found"),
        (store.get_version(NOWHERE), f"PipelineVersion {NOWHERE} not found"),
        (store.delete_version(NOWHERE), f"PipelineVersion {NOWHERE} not found"),
        (
            store.update_version(NOWHERE, display_name="x", tags=None),
            f"PipelineVersion {NOWHERE} not found",
        ),
        (
            store.update_version(NOWHERE, display_name=None, tags={"a": "b"}),
            f"PipelineVersion {NOWHERE} not found",
        ),
        (
            store.get_pipeline_by_name(traits.namespace, "nobody"),
            f"Namespace/Pipeline {traits.namespace}/nobody not found",
        ),
    ):
        error = await refused(call)
        assert (error.code, error.text) == (Code.NOT_FOUND, text)
    page = await store.list_versions(NOWHERE, ListQuery())
    assert (page.items, page.total, page.next) == ((), 0, None)


@_case
async def pipelines_change_what_may_change(store: Store, traits: Traits) -> None:
    created = await store.create_pipeline(
        pipeline("training", description="kept", tags={"a": "1", "b": "2"})
    )
    renamed = await store.update_pipeline(created.id, display_name="New name", tags=None)
    assert renamed == replace(created, display_name="New name")
    tagged = await store.update_pipeline(created.id, display_name=None, tags={"b": "3", "c": "4"})
    assert tagged == replace(renamed, tags={"b": "3", "c": "4"})
    both = await store.update_pipeline(created.id, display_name="Both", tags={})
    assert both == replace(created, display_name="Both", tags={})
    same = await store.update_pipeline(created.id, display_name=None, tags=None)
    assert same == both == await store.get_pipeline(created.id)


@_case
async def versions_change_what_may_change(store: Store, traits: Traits) -> None:
    parent = await store.create_pipeline(pipeline("training"))
    created = await store.create_version(parent, version("v-1", tags={"a": "1"}))
    renamed = await store.update_version(created.id, display_name="New name", tags=None)
    assert renamed == replace(created, display_name="New name")
    tagged = await store.update_version(created.id, display_name=None, tags={"b": ""})
    assert tagged == replace(renamed, tags={"b": ""})
    cleared = await store.update_version(created.id, display_name=None, tags={})
    assert cleared == replace(renamed, tags={})
    assert await store.get_version(created.id) == cleared
    assert (await store.list_versions(parent.id, ListQuery())).items == (cleared,)


@_case
async def a_pipeline_with_versions_stays(store: Store, traits: Traits) -> None:
    created, its_version = await store.create_pipeline_with_version(
        pipeline("training", tags={"a": "1"}), version("training", tags={"a": "1"})
    )
    kept, kept_version = await store.create_pipeline_with_version(
        pipeline("other"), version("other")
    )
    error = await refused(store.delete_pipeline(created.id, cascade=False))
    assert error.code is Code.INVALID_ARGUMENT
    assert error.text == (
        f"Failed to delete pipeline with id {created.id} as it has existing pipeline versions (e.g."
        f" {its_version.id}). Set cascade=true to delete all versions"
    )
    assert await store.get_version(its_version.id) == its_version
    await store.delete_pipeline(created.id, cascade=True)
    assert (await refused(store.get_pipeline(created.id))).code is Code.NOT_FOUND
    assert (await refused(store.get_version(its_version.id))).code is Code.NOT_FOUND
    assert await store.get_version(kept_version.id) == kept_version
    page = await store.list_pipelines(traits.namespace, ListQuery())
    assert (page.items, page.total) == ((kept,), 1)


@_case
async def what_is_deleted_leaves_its_name(store: Store, traits: Traits) -> None:
    first, its_version = await store.create_pipeline_with_version(
        pipeline("training", tags={"a": "1"}), version("training", tags={"b": "2"})
    )
    await store.delete_version(its_version.id)
    assert (await refused(store.delete_version(its_version.id))).code is Code.NOT_FOUND
    again = await store.create_version(first, version("training"))
    assert again.id != its_version.id
    assert again.tags == {}
    await store.delete_version(again.id)
    await store.delete_pipeline(first.id, cascade=False)
    second = await store.create_pipeline(pipeline("training"))
    assert second.id != first.id
    assert second.tags == {}


@_case
async def namespaces_keep_pipelines_apart(store: Store, traits: Traits) -> None:
    if not traits.namespaces:
        return
    a, b = traits.namespaces
    in_a = await store.create_pipeline(pipeline("training", namespace=a))
    in_b = await store.create_pipeline(pipeline("training", namespace=b))
    assert (in_a.namespace, in_b.namespace) == (a, b)
    assert await store.get_pipeline_by_name(a, "training") == in_a
    assert await store.get_pipeline_by_name(b, "training") == in_b
    assert (await store.list_pipelines(a, ListQuery())).items == (in_a,)
    assert (await store.list_pipelines(None, ListQuery())).total == 2
    assert (await refused(store.create_pipeline(pipeline("training", namespace=a)))).status == 409


async def _five(store: Store) -> list[PipelineRecord]:
    """Create five pipelines, whose names, display names and descriptions are ordered differently."""
    return [
        await store.create_pipeline(pipeline(name, display_name=shown, description=told, tags=tags))
        for name, shown, told, tags in (
            ("apple", "Red apple", "fruit 100%", {"kind": "fruit", "color": "red"}),
            ("banana", "Yellow_banana", "fruit", {"kind": "fruit"}),
            ("carrot", "carrot", "", {"kind": "vegetable", "color": ""}),
            ("date", "Red date", "", {}),
            ("elder", "ELDER berry", "Fruit+berry", {"kind": "fruit", "note": "a b"}),
        )
    ]


@_case
async def pages_join_to_the_whole_list(store: Store, traits: Traits) -> None:
    created = {record.id: record for record in await _five(store)}
    in_order = {
        "name": ["apple", "banana", "carrot", "date", "elder"],
        "display_name": ["carrot", "elder", "apple", "date", "banana"],
    }
    for name in ("name", "display_name", "created_at", "id"):
        for descending in (False, True):
            for size in (1, 2, 3, 5, 200):
                query = ListQuery(page_size=size, sort=_by(name, descending=descending))
                records, totals = await _all_pages(
                    lambda query: store.list_pipelines(traits.namespace, query), query
                )
                assert set(totals) == {5}
                assert {record.id: record for record in records} == created
                assert len(records) == 5
                if name in in_order and traits.ignores_case:
                    expected = in_order[name][:: -1 if descending else 1]
                    assert [record.name for record in records] == expected
                if name in ("created_at", "id"):
                    values = [getattr(record, name) for record in records]
                    assert values == sorted(values, reverse=descending)


@_case
async def pages_of_equal_values_join(store: Store, traits: Traits) -> None:
    ids = []
    for i in range(7):
        created = await store.create_pipeline(pipeline(f"p-{i}", display_name="Same"))
        ids.append(created.id)
    for descending in (False, True):
        for size in (1, 3):
            query = ListQuery(page_size=size, sort=_by("display_name", descending=descending))
            records, _ = await _all_pages(
                lambda query: store.list_pipelines(traits.namespace, query), query
            )
            found = [record.id for record in records]
            if traits.breaks_ties_by_id:
                assert found == sorted(ids, reverse=descending)
            assert sorted(found) == sorted(ids)


@_case
async def pages_stay_right_while_objects_come_and_go(store: Store, traits: Traits) -> None:
    created = {
        name: await store.create_pipeline(pipeline(name)) for name in ("p1", "p2", "p3", "p4")
    }
    query = ListQuery(page_size=2, sort=_by("name"))
    first = await store.list_pipelines(traits.namespace, query)
    assert _names(first.items) == ["p1", "p2"]
    assert first.next == Anchor(value="p3", id=created["p3"].id)
    await store.delete_pipeline(created["p3"].id, cascade=False)
    await store.delete_pipeline(created["p1"].id, cascade=False)
    await store.create_pipeline(pipeline("p0"))
    await store.create_pipeline(pipeline("p5"))
    second = await store.list_pipelines(traits.namespace, replace(query, start=first.next))
    assert (_names(second.items), second.total, second.next) == (["p4", "p5"], 4, None)


@_case
async def versions_are_listed_in_pages(store: Store, traits: Traits) -> None:
    parent = await store.create_pipeline(pipeline("training"))
    other = await store.create_pipeline(pipeline("other"))
    await store.create_version(other, version("v-0"))
    created = [
        await store.create_version(
            parent, version(f"v-{i}", spec=spec(image=f"python:3.{i}"), tags={"odd": str(i % 2)})
        )
        for i in (3, 1, 4, 2, 5)
    ]
    for descending in (False, True):
        query = ListQuery(page_size=2, sort=_by("name", descending=descending))
        records, totals = await _all_pages(
            lambda query: store.list_versions(parent.id, query), query
        )
        ordered = sorted(created, key=lambda record: record.name, reverse=descending)
        assert records == ordered
        assert set(totals) == {5}
    odd = await store.list_versions(
        parent.id, ListQuery(page_size=2, tags={"odd": "1"}, sort=_by("name"))
    )
    assert (_names(odd.items), odd.total) == (["v-1", "v-3"], 3)
    assert odd.next is not None
    rest = await store.list_versions(
        parent.id, ListQuery(page_size=2, tags={"odd": "1"}, sort=_by("name"), start=odd.next)
    )
    assert (_names(rest.items), rest.total, rest.next) == (["v-5"], 3, None)


_E, _N, _S, _I = (
    Operation.EQUALS,
    Operation.NOT_EQUALS,
    Operation.IS_SUBSTRING,
    Operation.IN,
)
_FILTERS: Final[list[tuple[str, Operation, Any, str]]] = [
    ("name", _E, "banana", "banana"),
    ("name", _E, "ban", ""),
    ("name", _N, "banana", "apple carrot date elder"),
    ("name", _S, "an", "banana"),
    ("name", _S, "", "apple banana carrot date elder"),
    ("name", _I, ("apple", "date", "x"), "apple date"),
    ("name", _I, (), ""),
    ("name", _E, "x' OR '1'='1", ""),
    ("name", _S, "'", ""),
    ("display_name", _E, "Red apple", "apple"),
    ("display_name", _S, "Red", "apple date"),
    ("display_name", _N, "Red apple", "banana carrot date elder"),
    ("display_name", _S, "berry", "elder"),
    ("description", _E, "", "carrot date"),
    ("description", _E, "fruit", "banana"),
    ("description", _N, "fruit", "apple carrot date elder"),
    ("created_at", _E, 0, ""),
    ("created_at", _N, 0, "apple banana carrot date elder"),
    ("created_at", _I, (1, 2), ""),
]
_CASELESS: Final[list[tuple[str, Operation, Any, str]]] = [
    ("name", _E, "BANANA", "banana"),
    ("name", _N, "BANANA", "apple carrot date elder"),
    ("name", _S, "AN", "banana"),
    ("name", _I, ("APPLE", "Date"), "apple date"),
    ("display_name", _E, "red apple", "apple"),
    ("display_name", _S, "RED D", "date"),
    ("description", _S, "fruit", "apple banana elder"),
]
_WILD: Final[list[tuple[str, Operation, Any, str]]] = [
    ("display_name", _S, "_", "apple banana carrot date elder"),
    ("display_name", _S, "w_b", "banana"),
    ("description", _S, "100%", "apple"),
    ("name", _S, "a%a", "banana"),
    ("description", _S, "\\%", "apple"),
    ("description", _S, "\\", "apple"),
    ("name", _S, "%%%%", "apple banana carrot date elder"),
]
_ORDERED: Final[list[tuple[str, Operation, Any, str]]] = [
    ("name", Operation.GREATER_THAN, "banana", "carrot date elder"),
    ("name", Operation.GREATER_THAN_EQUALS, "banana", "banana carrot date elder"),
    ("name", Operation.LESS_THAN, "banana", "apple"),
    ("name", Operation.LESS_THAN_EQUALS, "banana", "apple banana"),
    ("created_at", Operation.GREATER_THAN, 5, "apple banana carrot date elder"),
    ("created_at", Operation.LESS_THAN, 5, ""),
    ("created_at", Operation.GREATER_THAN, 10**30, ""),
    ("created_at", Operation.LESS_THAN, 10**30, "apple banana carrot date elder"),
    ("created_at", Operation.GREATER_THAN, "5", "apple banana carrot date elder"),
    ("created_at", Operation.EQUALS, "x", ""),
    ("created_at", _S, "1", "apple banana carrot date elder"),
    ("name", Operation.EQUALS, 1, ""),
    ("name", _I, (1,), ""),
]


@_case
async def filters_choose(store: Store, traits: Traits) -> None:
    await _five(store)
    table = list(_FILTERS)
    table += _CASELESS if traits.ignores_case else []
    table += _WILD if traits.has_wildcards else []
    table += _ORDERED if traits.compares_order else []
    for name, operation, value, expected in table:
        predicate = Predicate(field=name, operation=operation, value=value)
        query = ListQuery(sort=_by("name"), predicates=(predicate,))
        page = await store.list_pipelines(traits.namespace, query)
        assert (" ".join(_names(page.items)), page.total) == (
            expected,
            len(expected.split()),
        ), predicate


@_case
async def filters_are_joined_and_paged(store: Store, traits: Traits) -> None:
    apple, *_, elder = await _five(store)
    a = Predicate(field="name", operation=_S, value="a")
    not_banana = Predicate(field="name", operation=_N, value="banana")
    query = ListQuery(sort=_by("name"), predicates=(a, not_banana), page_size=2)
    page = await store.list_pipelines(traits.namespace, query)
    assert (_names(page.items), page.total) == (["apple", "carrot"], 3)
    rest = await store.list_pipelines(traits.namespace, replace(query, start=page.next))
    assert (_names(rest.items), rest.total, rest.next) == (["date"], 3, None)
    ids = Predicate(field="id", operation=_I, value=(apple.id, elder.id))
    page = await store.list_pipelines(
        traits.namespace, ListQuery(predicates=(ids,), sort=_by("name"))
    )
    assert page.items == (apple, elder)


@_case
async def tags_choose(store: Store, traits: Traits) -> None:
    await _five(store)
    for tags, expected in (
        ({"kind": "fruit"}, "apple banana elder"),
        ({"kind": "vegetable"}, "carrot"),
        ({"kind": "fruit", "color": "red"}, "apple"),
        ({"kind": "vegetable", "color": "red"}, ""),
        ({"nope": "x"}, ""),
        ({"note": "a b"}, "elder"),
        ({"kind": "' OR 1=1 --"}, ""),
    ):
        query = ListQuery(tags=tags, sort=_by("name"))
        page = await store.list_pipelines(traits.namespace, query)
        assert (" ".join(_names(page.items)), page.total) == (expected, len(expected.split()))
    fruit = Predicate(field="name", operation=_S, value="ban")
    query = ListQuery(tags={"kind": "fruit"}, predicates=(fruit,))
    assert _names((await store.list_pipelines(traits.namespace, query)).items) == ["banana"]


@_case
async def a_store_that_runs_is_ready(store: Store, traits: Traits) -> None:
    assert await store.ready() is True
    assert store.default_namespace == traits.namespace
