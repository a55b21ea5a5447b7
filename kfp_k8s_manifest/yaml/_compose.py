"""From parser events to a JSON tree, in one loop without recursion.

The speed of the reader depends on this loop: it looks at each event once, resolves scalars through
a cache, and builds dicts and lists in place. It follows go-yaml's decoder: keys become strings,
aliases are copied, `<<` merges. Stricter than kubectl, duplicate keys are errors, as they are where
the API server itself reads YAML.
"""

from __future__ import annotations

from typing import Any

from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from kfp_k8s_manifest.yaml import scalars
from kfp_k8s_manifest.yaml._budget import Budget

__all__ = ["ComposeError", "LimitError", "compose", "is_merge_key"]

_MERGE_TAG = "tag:yaml.org,2002:merge"
_CACHED_SCALARS = 65536
# The first characters of `<<`, and of what Go may read as something else than a string.
_MAYBE_NOT_TEXT = scalars.FIRST_CHARACTERS | {"<"}
_MISSING: Any = object()
_NO_KEY: Any = object()
_MERGE: Any = object()

# How much of a document may come from aliases, as in go-yaml: nearly all of a small document, a
# tenth of a large one.
_FEW_NODES, _MANY_NODES = 400_000, 4_000_000


class ComposeError(Exception):
    """A node that Kubernetes refuses; `mark` is PyYAML's mark of the node."""

    def __init__(self, reason: str, mark: Any) -> None:
        super().__init__(reason)
        self.reason = reason
        self.mark = mark


class LimitError(ComposeError):
    """A node beyond a limit of this reader."""


class _Anchor:
    """A node that aliases may name, complete or not yet."""

    __slots__ = ("done", "key", "size", "value")

    def __init__(self) -> None:
        self.done = False
        self.value: Any = None
        self.size = 0
        self.key: str | scalars.ScalarError | None = None


def is_merge_key(event: Any) -> bool:
    """Tell whether a scalar in the place of a key merges mappings, as go-yaml decides it."""
    return bool(event.value == "<<" and (event.implicit[0] or event.tag == _MERGE_TAG))


class _Composer:
    """The state of one document; the rare cases of the loop in `compose`."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.anchors: dict[str, _Anchor] = {}
        self.merged: dict[int, set[str]] = {}
        self.from_aliases = 0

    def value(self, event: Any) -> Any:
        """Resolve a scalar value that the cache does not know."""
        tag = None if event.implicit[0] else event.tag
        try:
            value = scalars.resolve(event.value, tag=tag, plain=event.implicit[0])
        except scalars.ScalarError as error:
            raise ComposeError(str(error), event.start_mark) from None
        if event.implicit[0]:
            _remember(self.budget.values, event.value, value)
        return value

    def key(self, event: Any) -> Any:
        """Resolve a scalar key that the cache does not know."""
        if is_merge_key(event):
            return _MERGE
        tag = None if event.implicit[0] else event.tag
        try:
            key = scalars.resolve_key(event.value, tag=tag, plain=event.implicit[0])
        except scalars.ScalarError as error:
            raise ComposeError(str(error), event.start_mark) from None
        if event.implicit[0]:
            _remember(self.budget.keys, event.value, key)
        return key

    def anchor_scalar(self, event: Any, value: Any) -> None:
        anchor = self.anchors[event.anchor] = _Anchor()
        tag = None if event.implicit[0] else event.tag
        try:
            anchor.key = scalars.resolve_key(event.value, tag=tag, plain=event.implicit[0])
        except scalars.ScalarError as error:
            anchor.key = error
        anchor.done, anchor.value, anchor.size = True, value, 1

    def anchor_key(self, event: Any) -> None:
        tag = None if event.implicit[0] else event.tag
        try:
            value = scalars.resolve(event.value, tag=tag, plain=event.implicit[0])
        except scalars.ScalarError as error:
            raise ComposeError(str(error), event.start_mark) from None
        self.anchor_scalar(event, value)

    def alias(self, event: Any, nodes: int, depth: int) -> tuple[Any, int]:
        """Return a copy of what an alias names, and the number of nodes then."""
        anchor = self._find(event)
        nodes += anchor.size
        self.from_aliases += anchor.size
        if self.from_aliases > 100 and nodes > 1000:
            over = (nodes - _FEW_NODES) / (_MANY_NODES - _FEW_NODES)
            allowed = 0.99 - 0.89 * min(1.0, max(0.0, over))
            if self.from_aliases / nodes > allowed:
                raise ComposeError("too much of the document comes from aliases", event.start_mark)
        if nodes > self.budget.nodes:
            raise LimitError(self.budget.too_many, event.start_mark)
        return _copy(anchor.value, self.budget.depth - depth, event.start_mark), nodes

    def alias_key(self, event: Any) -> str:
        anchor = self._find(event)
        if anchor.key is None:
            raise ComposeError("an object or a list cannot be a key", event.start_mark)
        if isinstance(anchor.key, scalars.ScalarError):
            raise ComposeError(str(anchor.key), event.start_mark)
        return anchor.key

    def _find(self, event: Any) -> _Anchor:
        anchor = self.anchors.get(event.anchor)
        if anchor is None:
            raise ComposeError(f"alias *{event.anchor} names no anchor", event.start_mark)
        if not anchor.done:
            raise ComposeError(f"anchor &{event.anchor} contains itself", event.start_mark)
        return anchor

    def repeated(self, container: dict[str, Any], key: str, event: Any) -> None:
        """Allow a key that came from a merge to be given again; refuse every other."""
        merged = self.merged.get(id(container))
        if merged is None or key not in merged:
            raise ComposeError(
                f"key {key!r} occurs twice in one object" + _written(event, key), event.start_mark
            )
        merged.discard(key)

    def merge(self, container: dict[str, Any], value: Any, event: Any) -> None:
        """Merge a mapping, or a list of them, where go-yaml and the YAML specification agree."""
        # Go takes the mappings of a list from the last to the first, and the later ones win.
        sources = value[::-1] if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            raise ComposeError("<< merges an object or a list of objects", event.start_mark)
        new: dict[str, Any] = {}
        for source in sources:
            new.update(source)
        for key in new:
            if key in container:
                # Go would let the merge win here, other readers the key that was given.
                raise ComposeError(
                    f"<< would replace the key {key!r}, which this object has already; "
                    "readers disagree about that: put << first",
                    event.start_mark,
                )
        container.update(new)
        self.merged.setdefault(id(container), set()).update(new)


def _remember(cache: dict[str, Any], text: str, value: Any) -> None:
    if len(cache) >= _CACHED_SCALARS:
        cache.clear()
    cache[text] = value


def _written(event: Any, key: str) -> str:
    text = getattr(event, "value", key)
    return "" if text == key else f" ({text!r}, written unquoted, is read as {key!r})"


def _copy(value: Any, depth: int, mark: Any) -> Any:
    """Copy a tree: whoever changes one place of a document must not change another."""
    if isinstance(value, dict):
        if depth <= 0:
            raise LimitError("nested too deep, through an alias", mark)
        return {key: _copy(item, depth - 1, mark) for key, item in value.items()}
    if isinstance(value, list):
        if depth <= 0:
            raise LimitError("nested too deep, through an alias", mark)
        return [_copy(item, depth - 1, mark) for item in value]
    return value


def compose(get_event: Any, budget: Budget) -> Any:
    """Read the one document of a chunk.

    Args:
        get_event: Returns the parser's next event.
        budget: The limits; what the document uses is taken from it.

    Returns:
        The JSON tree; None if the chunk holds nothing.

    Raises:
        ComposeError: The document breaks a rule of Kubernetes; a LimitError where it breaks one
            of this reader's limits.
        yaml.YAMLError: The text is not YAML.
    """
    state = _Composer(budget)
    values, keys = budget.values, budget.keys
    flows = budget.flows = []
    max_nodes, max_depth = budget.nodes, budget.depth
    stack: list[tuple[Any, bool, Any, _Anchor | None, int]] = []
    push, pop = stack.append, stack.pop
    container: Any = None
    is_map = False
    key: Any = _NO_KEY
    anchor: _Anchor | None = None
    nodes = started = documents = 0
    root: Any = None
    while True:
        event = get_event()
        kind = type(event)
        if kind is ScalarEvent:
            nodes += 1
            if nodes > max_nodes:
                raise LimitError(budget.too_many, event.start_mark)
            text = event.value
            if is_map and key is _NO_KEY:
                if event.implicit[0]:
                    key = keys.get(text, _MISSING)
                    if key is _MISSING:
                        maybe = not text or text[0] in _MAYBE_NOT_TEXT
                        key = state.key(event) if maybe else text
                else:
                    key = text if event.tag is None else state.key(event)
                if event.anchor is not None:
                    state.anchor_key(event)
                if key in container:
                    state.repeated(container, key, event)
                continue
            if event.implicit[0]:
                value = values.get(text, _MISSING)
                if value is _MISSING:
                    maybe = not text or text[0] in _MAYBE_NOT_TEXT
                    value = state.value(event) if maybe else text
            else:
                value = text if event.tag is None else state.value(event)
            if event.anchor is not None:
                state.anchor_scalar(event, value)
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            nodes += 1
            if is_map and key is _NO_KEY:
                raise ComposeError("an object or a list cannot be a key", event.start_mark)
            if len(stack) >= max_depth:
                raise LimitError(f"nested deeper than {max_depth} levels", event.start_mark)
            if nodes > max_nodes:
                raise LimitError(budget.too_many, event.start_mark)
            push((container, is_map, key, anchor, started))
            anchor = None
            started = nodes
            if event.flow_style:
                flows.append(event.start_mark.index)
            if event.anchor is not None:
                anchor = state.anchors[event.anchor] = _Anchor()
            is_map = kind is MappingStartEvent
            container = {} if is_map else []
            key = _NO_KEY
            continue
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            value = container
            if anchor is not None:
                anchor.done, anchor.value, anchor.size = True, value, nodes - started + 1
            if state.merged:
                # Another mapping may get the same id when this one is gone.
                state.merged.pop(id(value), None)
            container, is_map, key, anchor, started = pop()
        elif kind is AliasEvent:
            if is_map and key is _NO_KEY:
                key = state.alias_key(event)
                if key in container:
                    state.repeated(container, key, event)
                continue
            value, nodes = state.alias(event, nodes + 1, len(stack))
            if key is _MERGE and not isinstance(value, dict):
                raise ComposeError("<< merges an object or a list of objects", event.start_mark)
        elif kind is StreamEndEvent:
            if nodes > max_nodes:
                raise LimitError(budget.too_many, event.start_mark)
            budget.nodes -= nodes
            return root
        else:
            if kind is DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise ComposeError(
                        "another document begins without a --- line of its own; Kubernetes would "
                        "ignore it",
                        event.start_mark,
                    )
            continue
        if is_map:
            if key is _MERGE:
                state.merge(container, value, event)
            else:
                container[key] = value
            key = _NO_KEY
        elif container is not None:
            container.append(value)
        else:
            root = value
