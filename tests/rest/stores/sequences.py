"""Any sequence of calls gives in a store what it gives in the plain model."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, multiple, rule

from kfp_k8s_manifest.rest.errors import RestError
from kfp_k8s_manifest.rest.stores import Store
from kfp_k8s_manifest.rest.values import (
    ListQuery,
    NewPipeline,
    NewVersion,
    Operation,
    Page,
    PipelineRecord,
    Predicate,
    Sort,
    Spec,
)
from tests.rest.model_store import ModelStore

__all__ = ["Alphabet", "machine"]

T = TypeVar("T")
NAMES = st.text("abcxyz0189", min_size=1, max_size=3)
LETTERS = st.text("abcxyz0189", max_size=4)
_COMPARING = (
    Operation.EQUALS,
    Operation.NOT_EQUALS,
    Operation.GREATER_THAN,
    Operation.GREATER_THAN_EQUALS,
    Operation.LESS_THAN,
    Operation.LESS_THAN_EQUALS,
)


@dataclass(frozen=True, kw_only=True)
class Alphabet:
    """What a store is asked to hold, and how to compare, so that it agrees with Python.

    Attributes:
        names: Of pipelines and versions.
        texts: Display names, descriptions, values of tags.
        substrings: What is looked for in them.
        namespaces: Where pipelines are, the empty one included.
        pipeline_fields: By what pipelines are sorted and filtered.
        version_fields: By what versions are.
        comparing: The operations of filters besides `IN` and substrings.
        tags: The tags of pipelines and versions.
        wanted: The tags that lists ask for.
        content: Makes a content in normal form that differs with a text.
    """

    names: st.SearchStrategy[str] = NAMES
    texts: st.SearchStrategy[str] = LETTERS
    substrings: st.SearchStrategy[str] = LETTERS
    namespaces: tuple[str, ...] = ("", "team-a", "team-b")
    pipeline_fields: tuple[str, ...] = ("name", "display_name", "description", "id", "namespace")
    version_fields: tuple[str, ...] = ("name", "display_name", "description", "id")
    comparing: tuple[Operation, ...] = _COMPARING
    tags: st.SearchStrategy[dict[str, str]] = field(
        default_factory=lambda: st.dictionaries(
            st.text("abk01", min_size=1, max_size=2), LETTERS, max_size=3
        )
    )
    wanted: st.SearchStrategy[dict[str, str]] = field(
        default_factory=lambda: st.dictionaries(
            st.text("abk01", min_size=1, max_size=2), LETTERS, max_size=1
        )
    )
    content: Callable[[str], Spec] = lambda told: Spec(
        pipeline={"pipelineInfo": {"name": "p"}, "root": {"dag": {}}, "x": told}
    )


def machine(
    open_store: Callable[[], Coroutine[Any, Any, Store]], alphabet: Alphabet
) -> type[RuleBasedStateMachine]:
    """Return a machine that calls a store and the model side by side.

    Args:
        open_store: Starts a store that is empty.
        alphabet: What is called with.
    """
    names, texts = alphabet.names, alphabet.texts
    namespaces = st.sampled_from(alphabet.namespaces)
    changed_name = st.none() | texts.filter(bool)
    changed_tags = st.none() | alphabet.tags
    sizes = st.integers(1, 4)

    class Machine(RuleBasedStateMachine):
        pipelines = Bundle("pipelines")
        versions = Bundle("versions")
        pages = Bundle("pages")

        def __init__(self) -> None:
            super().__init__()
            self.loop = asyncio.new_event_loop()
            self.store = self.run(open_store())
            self.ids: list[str] = []
            self.times: list[int] = []
            self.model = ModelStore(
                default_namespace=self.store.default_namespace,
                clock=lambda: self.times.pop(0),
                new_id=lambda: self.ids.pop(0),
            )

        def teardown(self) -> None:
            self.run(self.store.close())
            self.loop.close()

        def run(self, call: Awaitable[T]) -> T:
            async def wait() -> T:
                return await call

            return self.loop.run_until_complete(wait())

        def both(self, call: Callable[[Any], Awaitable[T]]) -> T | None:
            """Call both; return the store's answer, or None where both refuse."""
            answer, refusal = self.outcome(call, self.store)
            if answer is not None and not isinstance(answer, Page):
                for record in answer if isinstance(answer, tuple) else (answer,):
                    self.ids.append(record.id)
                    self.times.append(record.created_at)
            expected, expected_refusal = self.outcome(call, self.model)
            self.ids.clear()
            self.times.clear()
            note(f"store: {refusal or answer}")
            assert (answer, refusal) == (expected, expected_refusal)
            return answer

        def outcome(
            self, call: Callable[[Any], Awaitable[T]], store: Any
        ) -> tuple[T | None, tuple[int, str] | None]:
            try:
                return self.run(call(store)), None
            except RestError as error:
                # Which of several versions is named is not said anywhere.
                text = re.sub(r"\(e\.g\. .{36}\)", "(e.g. one)", error.text)
                text = text.replace("already exists. Please specify", "already exist. Specify")
                return None, (error.status, text.replace("exist. Please specify", "exist. Specify"))

        @initialize(
            target=pipelines,
            given=st.lists(names, unique=True, min_size=3, max_size=6),
            tags=alphabet.tags,
        )
        def begin(self, given: list[str], tags: dict[str, str]) -> Any:
            return multiple(*(self.create_pipeline(name, "", "", "", tags) for name in given))

        @rule(
            target=pipelines,
            name=names,
            shown=texts,
            told=texts,
            namespace=namespaces,
            tags=alphabet.tags,
        )
        def create_pipeline(
            self, name: str, shown: str, told: str, namespace: str, tags: dict[str, str]
        ) -> Any:
            new = NewPipeline(
                name=name,
                display_name=shown or name,
                description=told,
                namespace=namespace,
                tags=tags,
            )
            record = self.both(lambda store: store.create_pipeline(new))
            return multiple() if record is None else record

        @rule(target=pipelines, name=names, namespace=namespaces, tags=alphabet.tags)
        def create_pipeline_with_version(
            self, name: str, namespace: str, tags: dict[str, str]
        ) -> Any:
            new = NewPipeline(name=name, display_name=name, namespace=namespace)
            first = self._version(name, "first", tags)
            both = self.both(lambda store: store.create_pipeline_with_version(new, first))
            return multiple() if both is None else both[0]

        @rule(
            target=versions,
            parent=pipelines,
            name=names,
            told=texts,
            tags=alphabet.tags,
        )
        def create_version(
            self, parent: PipelineRecord, name: str, told: str, tags: dict[str, str]
        ) -> Any:
            new = self._version(name, told, tags)
            record = self.both(lambda store: store.create_version(parent, new))
            return multiple() if record is None else record.id

        def _version(self, name: str, told: str, tags: dict[str, str]) -> NewVersion:
            return NewVersion(
                name=name,
                display_name=name,
                description=told,
                spec=alphabet.content(told),
                tags=tags,
            )

        @rule(parent=pipelines, shown=changed_name, tags=changed_tags)
        def update_pipeline(
            self, parent: PipelineRecord, shown: str | None, tags: dict[str, str] | None
        ) -> None:
            self.both(lambda store: store.update_pipeline(parent.id, display_name=shown, tags=tags))

        @rule(identity=versions, shown=changed_name, tags=changed_tags)
        def update_version(
            self, identity: str, shown: str | None, tags: dict[str, str] | None
        ) -> None:
            self.both(lambda store: store.update_version(identity, display_name=shown, tags=tags))

        @rule(parent=pipelines, cascade=st.booleans())
        def delete_pipeline(self, parent: PipelineRecord, cascade: bool) -> None:
            self.both(lambda store: store.delete_pipeline(parent.id, cascade=cascade))

        @rule(identity=versions)
        def delete_version(self, identity: str) -> None:
            self.both(lambda store: store.delete_version(identity))

        @rule(parent=pipelines)
        def get_pipeline(self, parent: PipelineRecord) -> None:
            self.both(lambda store: store.get_pipeline(parent.id))

        @rule(identity=versions)
        def get_version(self, identity: str) -> None:
            self.both(lambda store: store.get_version(identity))

        @rule(name=names, namespace=st.sampled_from(alphabet.namespaces[1:] or ("",)))
        def get_by_name(self, name: str, namespace: str) -> None:
            self.both(lambda store: store.get_pipeline_by_name(namespace, name))

        @rule(
            target=pages,
            namespace=st.none() | namespaces,
            query=_queries(alphabet, alphabet.pipeline_fields, sizes),
        )
        def list_pipelines(self, namespace: str | None, query: ListQuery) -> Any:
            return self._list((None, namespace), query)

        @rule(
            target=pages,
            parent=pipelines,
            query=_queries(alphabet, alphabet.version_fields, sizes),
        )
        def list_versions(self, parent: PipelineRecord, query: ListQuery) -> Any:
            return self._list((parent.id, None), query)

        @rule(target=pages, page=consumes(pages), size=sizes)
        def turn_the_page(self, page: Any, size: int) -> Any:
            of, query = page
            return self._list(of, replace(query, page_size=size))

        def _list(self, of: tuple[str | None, str | None], query: ListQuery) -> Any:
            pipeline_id, namespace = of
            page: Page[Any] | None = self.both(
                lambda store: (
                    store.list_pipelines(namespace, query)
                    if pipeline_id is None
                    else store.list_versions(pipeline_id, query)
                )
            )
            if page is None or page.next is None:
                return multiple()
            return of, replace(query, start=page.next)

    return Machine


def _queries(
    alphabet: Alphabet, fields: tuple[str, ...], sizes: st.SearchStrategy[int]
) -> st.SearchStrategy[ListQuery]:
    texts = alphabet.texts | alphabet.names
    compared = st.builds(
        Predicate,
        field=st.sampled_from(fields),
        operation=st.sampled_from(alphabet.comparing),
        value=texts,
    )
    among = st.builds(
        Predicate,
        field=st.sampled_from(fields),
        operation=st.just(Operation.IN),
        value=st.lists(texts, max_size=3).map(tuple),
    )
    containing = st.builds(
        Predicate,
        field=st.sampled_from(fields),
        operation=st.just(Operation.IS_SUBSTRING),
        value=alphabet.substrings,
    )
    created = st.builds(
        Predicate,
        field=st.just("created_at"),
        operation=st.sampled_from(alphabet.comparing),
        value=st.sampled_from((0, 1_700_000_000, 2**31, 2**63 - 1)),
    )
    condition = compared | among | containing | created
    return st.builds(
        ListQuery,
        page_size=sizes,
        sort=st.builds(
            Sort, field=st.sampled_from((*fields, "created_at")), descending=st.booleans()
        ),
        predicates=st.just(()) | st.lists(condition, min_size=1, max_size=2).map(tuple),
        tags=st.just({}) | alphabet.wanted,
    )
