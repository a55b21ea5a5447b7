"""The proto3 JSON mapping, exactly as Go's `protojson.Unmarshal` applies it, with paths.

`check` walks a JSON value along a message of the release data and returns what Go would reject, in
the order in which Go would meet it: the first problem is the one that Go's error names. Go stops
there; this goes on behind each problem, so that a user sees all of them at once.

Every message is compiled once, per set of schemas, into a function over a dict of field names. A
path is built only for a problem, from the inside out, so a clean document costs no more than the
walk itself. Untyped parts (`google.protobuf.Struct` and `Value`) accept any JSON and are not walked.

Source: the semantics of google.golang.org/protobuf/encoding/protojson (strict: unknown fields are
not discarded), confirmed by comparing both on generated documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from kfp_k8s_manifest import releases
from kfp_k8s_manifest.checks.protojson import scalars
from kfp_k8s_manifest.checks.protojson.problem import Check, Problem
from kfp_k8s_manifest.golang import numbers

__all__ = ["Problem", "check"]


def check(message: str, value: Any, generations: Sequence[str]) -> list[Problem]:
    """Return what protojson rejects when a value is read as a message, in Go's order.

    Args:
        message: The full name of a message, such as `ml_pipelines.PipelineSpec`.
        value: A JSON value: None, bool, int, float, str, list or dict with str keys. Numbers are
            finite as doubles.
        generations: The schemas to satisfy, of `releases.generations()`. A problem carries those
            that reject it.

    Raises:
        KeyError: If the release data has no such message.
    """
    problems = _schema(tuple(generations)).message(message)(value)
    if not problems:
        return []
    # Go reads the keys of an object in the order of their bytes, which is that of code points.
    return sorted(problems, key=lambda problem: problem.path)


@cache
def _schema(generations: tuple[str, ...]) -> _Schema:
    return _Schema(frozenset(generations))


class _Schema:
    """The compiled checks of all messages for one set of schemas."""

    def __init__(self, generations: frozenset[str]) -> None:
        self._all = generations
        self._enums = frozenset(releases.type_names()[1])
        self._messages: dict[str, Check] = {
            "google.protobuf.Duration": scalars.duration(generations),
            "google.protobuf.Struct": scalars.struct(generations),
            "google.protobuf.Value": scalars.anything(generations),
        }

    def message(self, name: str) -> Check:
        """Return the check of a message, compiled on its first use."""
        compiled = self._messages.get(name)
        if compiled is None:
            # A message that contains itself finds this until its own check is ready.
            self._messages[name] = lambda value: self._messages[name](value)
            try:
                compiled = self._compile(name)
            except BaseException:
                del self._messages[name]
                raise
            self._messages[name] = compiled
        return compiled

    def _compile(self, name: str) -> Check:
        """Return the check of a message.

        It looks each key up in a dict of all spellings, with tuples of: the field's check, its
        oneof, the other spelling where this one comes second in Go's order, and whether a null is
        a value of the field.
        """
        entries: dict[str, tuple[Check, str, str, bool]] = {}
        for facts in releases.message_fields(name).values():
            compiled, takes_null = self._field(facts, name)
            # Go takes the JSON name and the proto name, and both only once.
            first, *second = sorted({facts.name, facts.proto_name})
            entries[first] = (compiled, facts.oneof, "", takes_null)
            for spelling in second:
                entries[spelling] = (compiled, facts.oneof, first, takes_null)
        get_entry = entries.get
        generations = self._all
        known = self._names(name)

        def check_message(value: Any) -> list[Problem] | None:
            if not isinstance(value, dict):
                return scalars.unexpected(value, "an object", generations)
            found: list[Problem] | None = None
            chosen: dict[str, list[str]] | None = None
            for key, item in value.items():
                entry = get_entry(key)
                if entry is None:
                    problems = [_key_problem("unknown-field", key, item, generations, known=known)]
                elif entry[2] and entry[2] in value:
                    problems = [_key_problem("duplicate-field", key, item, generations)]
                elif item is None and not entry[3]:
                    # A null is an absent field, and chooses nothing in a oneof.
                    continue
                else:
                    if entry[1]:
                        chosen = {} if chosen is None else chosen
                        chosen.setdefault(entry[1], []).append(key)
                    problems = entry[0](item) or []
                if problems:
                    for problem in problems:
                        if problem.on_key and not problem.trail:
                            # Only here it is known which of its spellings a field was given in.
                            problem.cause = f"{problem.kind.replace('-', ' ')} {numbers.token(key)}"
                        problem.trail.append(key)
                    if found is None:
                        found = []
                    found += problems
            if chosen is not None and any(len(keys) > 1 for keys in chosen.values()):
                found = _oneof_problems(chosen, value, generations) + (found or [])
            return found

        return check_message

    def _names(self, message: str) -> tuple[str, ...]:
        """Return the fields of a message that one of the schemas knows."""
        return tuple(
            name
            for name, facts in releases.message_fields(message).items()
            if any(facts.known_to(generation) for generation in self._all)
        )

    def _field(self, facts: releases.IRField, message: str) -> tuple[Check, bool]:
        """Return the check of a field, and whether a null is a value for it.

        Raises:
            NotImplementedError: If its type is one that no release used so far.
        """
        if facts.map_key not in ("", "string"):
            raise NotImplementedError(f"{message}.{facts.name}: keys of type {facts.map_key}")
        # Go names a map's value field in its messages, not the map.
        compiled = self._element(facts.type, "value" if facts.map_key else facts.name)
        # Go asks for the type of the element, so a null is no absent value for a list of Values
        # either, although no list can be read from it. The element of a map is its entry.
        takes_null = facts.type == "google.protobuf.Value" and not facts.map_key
        if facts.repeated:
            compiled = self._list_of(compiled, facts)
        elif facts.map_key:
            compiled = self._map_of(compiled, facts)
        known = frozenset(each for each in self._all if facts.known_to(each))
        if known == self._all:
            return compiled, takes_null
        # An unknown field is rejected whatever its value.
        return self._limited(compiled, facts, message, known, takes_null=takes_null), True

    def _element(self, type_: str, field: str) -> Check:
        if type_ in numbers.INTEGER_RANGES:
            return scalars.integer_of(type_, field, self._all)
        if type_ in self._enums:
            return scalars.enum_of(type_, field, self._all)
        if type_ in scalars.SCALARS:
            return scalars.SCALARS[type_](field, self._all)
        if type_ not in self._messages and type_ not in releases.type_names()[0]:
            raise NotImplementedError(f"{field}: values of type {type_}")
        return self.message(type_)

    def _limited(
        self,
        check_value: Check,
        facts: releases.IRField,
        message: str,
        known: frozenset[str],
        *,
        takes_null: bool,
    ) -> Check:
        """Return the check of a field that not all of the schemas know."""
        unknown_to = self._all - known
        names = self._names(message)

        def check_limited(value: Any) -> list[Problem]:
            problem = _key_problem("unknown-field", facts.name, value, unknown_to, known=names)
            problem.since, problem.until = facts.since, facts.until
            problems = [problem]
            if known and (value is not None or takes_null):
                for inner in check_value(value) or ():
                    inner.generations &= known
                    if inner.generations:
                        problems.append(inner)
            return problems

        return check_limited

    def _list_of(self, check_element: Check, facts: releases.IRField) -> Check:
        generations = self._all
        takes_null = facts.type == "google.protobuf.Value"

        def check_list(value: Any) -> list[Problem] | None:
            if not isinstance(value, list):
                return scalars.unexpected(value, "a list", generations)
            found: list[Problem] | None = None
            for index, item in enumerate(value):
                problems = check_element(item)
                if problems:
                    if item is None and not takes_null:
                        problems[0].kind = "null-in-list"
                    for problem in problems:
                        problem.trail.append(index)
                    if found is None:
                        found = []
                    found += problems
            return found

        return check_list

    def _map_of(self, check_element: Check, facts: releases.IRField) -> Check:
        generations = self._all
        takes_null = facts.type == "google.protobuf.Value"

        def check_map(value: Any) -> list[Problem] | None:
            if not isinstance(value, dict):
                return scalars.unexpected(value, "an object", generations)
            found: list[Problem] | None = None
            for key, item in value.items():
                problems = check_element(item)
                if problems:
                    if item is None and not takes_null:
                        problems[0].kind = "null-in-map"
                    for problem in problems:
                        problem.trail.append(key)
                    if found is None:
                        found = []
                    found += problems
            return found

        return check_map


def _key_problem(
    kind: str, key: str, value: Any, generations: frozenset[str], known: tuple[str, ...] = ()
) -> Problem:
    """Return the problem of a key that must not be there."""
    return Problem(
        kind=kind,
        value=value,
        cause=f"{kind.replace('-', ' ')} {numbers.token(key)}",
        generations=generations,
        on_key=True,
        known=known,
    )


def _oneof_problems(
    chosen: dict[str, list[str]], value: dict[str, Any], generations: frozenset[str]
) -> list[Problem]:
    """Return the problems of oneofs of which more than one field is set.

    Go rejects every field but the first, in the order of the keys.
    """
    problems = []
    for oneof, keys in chosen.items():
        first, *others = sorted(keys)
        problems += [
            Problem(
                kind="oneof-set-twice",
                value=value[key],
                cause=f"error parsing {numbers.token(key)}, oneof {oneof} is already set",
                generations=generations,
                on_key=True,
                expected=first,
                trail=(key,),
            )
            for key in others
        ]
    return problems
