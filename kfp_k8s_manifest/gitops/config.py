"""From the tables of a configuration file to a `Config`, with all that is wrong told at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from kfp_k8s_manifest import naming
from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.gitops.settings import FIELDS, Config, Environment, Field, Settings, Where
from kfp_k8s_manifest.releases import TARGET_NAMES, target
from kfp_k8s_manifest.spelling import closest

__all__ = ["ConfigError", "parse_config"]

Path = tuple[str, ...]

_OWNERS: Final = {".git": "git", ".kfp-k8s": "this program, so that git ignores it"}
_TABLES: Final = ("environments", "pipelines")
_OWN: Final = frozenset({"sources", "exclude", "timeout", "strict"})


class ConfigError(UsageError):
    """The configuration is wrong; the text tells everything that is, each with file and line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    path: Path
    text: str


def parse_config(
    table: Mapping[str, Any], *, source: str, lines: Mapping[Path, int] | None = None
) -> Config:
    """Return the configuration that a table says.

    Args:
        table: The content of `[tool.kfp-k8s]`, or of `kfp-k8s.toml`.
        source: The file's name, for errors.
        lines: The one-based line of each key in it, by path.

    Raises:
        ConfigError: Something is not known, of a wrong type, or makes no sense.
    """
    reader = _Reader()
    config = reader.config(table, source)
    lines = lines or {}
    if reader.problems:
        raise ConfigError("\n".join(_told(each, source, lines) for each in reader.problems))
    found = {name: _line(("pipelines", name), lines) for name in config.pipelines}
    return replace(config, lines={name: line for name, line in found.items() if line})


def _told(problem: _Problem, source: str, lines: Mapping[Path, int]) -> str:
    line = _line(problem.path, lines)
    where = f"{source}:{line}" if line else source
    return f"{where}: {'.'.join(problem.path)} {problem.text}"


def _line(path: Path, lines: Mapping[Path, int]) -> int | None:
    """Return the line of a key, of what stands first in its table, or of what it stands in."""
    while path:
        # A table that has tables only has no line of its own: `[environments.dev]`.
        within = [line for key, line in lines.items() if key[: len(path)] == path]
        if within:
            return lines.get(path) or min(within)
        path = path[:-1]
    return None


class _Reader:
    """Reads tables, and collects what is wrong with them."""

    def __init__(self) -> None:
        self.problems: list[_Problem] = []

    def config(self, table: Mapping[str, Any], source: str) -> Config:
        """Return the configuration, as far as it makes sense."""
        top = {key: value for key, value in table.items() if key not in _TABLES}
        values = self._values(top, (), "top")
        own = {name: values.pop(name) for name in _OWN if name in values}
        environments = self._environments(table.get("environments", {}))
        pipelines = self._pipelines(table.get("pipelines", {}))
        config = Config(
            path=source,
            settings=Settings().overridden(values),
            environments=environments or {"": Environment(name="")},
            pipelines=pipelines,
            **own,
        )
        if not config.sources and not self._told_of("sources"):
            self._say(
                ("sources",),
                "is missing or empty: name what is to be compiled, such as"
                ' sources = ["pipelines/**/*.py"]',
            )
        self._outputs(config)
        return config

    def _say(self, path: Path, text: str) -> None:
        self.problems.append(_Problem(path=path, text=text))

    def _told_of(self, name: str) -> bool:
        """Tell whether a setting at the top is told already, as wrong or as misspelt."""
        told = (each.path == (name,) or _meant(name) in each.text for each in self.problems)
        return any(told)

    def _table(self, value: Any, path: Path) -> Mapping[str, Any]:
        if isinstance(value, Mapping):
            return value
        self._say(path, f"is {value!r}, not a table")
        return {}

    def _environments(self, value: Any) -> dict[str, Environment]:
        found: dict[str, Environment] = {}
        tables = self._table(value, ("environments",))
        for name, each in tables.items():
            path = ("environments", name)
            for problem in naming.namespace_problems(name):
                self._say(path, f"{problem}; it becomes part of paths")
            values = self._values(self._table(each, path), path, "environment")
            source = values.pop("promoted_from", None)
            if source is not None and (source not in tables or source == name):
                others = ", ".join(repr(other) for other in tables if other != name) or "none"
                self._say(
                    (*path, "promoted-from"),
                    f"is {source!r}, which is no other environment; there is {others}",
                )
            if source is not None:
                self._carried(path, source, values)
            found[name] = Environment(name=name, promoted_from=source, values=values)
        for name in found:
            self._circle(name, found)
        return found

    def _carried(self, path: Path, source: Any, values: Mapping[str, Any]) -> None:
        """Refuse what would make other versions than those that are carried here."""
        for name in values:
            key = name.replace("_", "-")
            if key not in _CARRIED:
                self._say(
                    (*path, key),
                    f"has no effect: versions come from {source!r} as they are, but for namespace and"
                    " images; remove it, or set it where they are built",
                )

    def _circle(self, name: str, environments: Mapping[str, Environment]) -> None:
        seen = [name]
        while True:
            following = environments[seen[-1]].promoted_from
            if following is None or following not in environments:
                return
            if following in seen:
                if following == name and name == min(seen):
                    self._say(
                        ("environments", name, "promoted-from"),
                        f"goes in a circle: {' ← '.join([*seen, following])}",
                    )
                return
            seen.append(following)

    def _pipelines(self, value: Any) -> dict[str, Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        for name, each in self._table(value, ("pipelines",)).items():
            path = ("pipelines", name)
            for problem in naming.object_name_problems(name):
                self._say(path, f"{problem}; it is the metadata.name of a Pipeline")
            found[name] = self._values(self._table(each, path), path, "pipeline")
        return found

    def _values(self, table: Mapping[str, Any], path: Path, where: Where) -> dict[str, Any]:
        """Return the settings of a table by the names of `Settings`."""
        known = {each.name: each for each in FIELDS if where in each.where}
        values: dict[str, Any] = {}
        for key, value in table.items():
            field = known.get(key)
            if field is None:
                self._say((*path, key), self._unknown(key, known, where))
                continue
            read = self._value(field, value, (*path, key))
            if read is not None:
                values[key.replace("-", "_")] = read
        return values

    def _unknown(self, key: str, known: Mapping[str, Field], where: Where) -> str:
        elsewhere = next((each for each in FIELDS if each.name == key), None)
        if elsewhere is not None:
            places = " or ".join(_PLACES[each] for each in elsewhere.where)
            return f"has no meaning here; it stands {places}"
        names = (*known, *(_TABLES if where == "top" else ()))
        # `tags` are the pipeline's or the version's.
        parts = [name for name in names if key in name.split("-")]
        meant = _meant(closest(key, names)) or " or ".join(map(repr, parts))
        hint = f"Did you mean {meant}?" if meant else f"Known are {', '.join(names)}."
        return f"is not a setting. {hint}"

    def _value(self, field: Field, value: Any, path: Path) -> Any:
        """Return a value of the right type, or None after telling what is wrong."""
        if field.type in ("map", "values"):
            return self._map(field, value, path)
        if field.type == "texts":
            if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
                return self._wrong(path, value, "a list of strings", field)
            return tuple(value)
        if field.type == "flag":
            return (
                value
                if isinstance(value, bool)
                else self._wrong(path, value, "true or false", field)
            )
        if field.type == "count":
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                return self._wrong(path, value, "a whole number from 0 on", field)
            return value
        if not isinstance(value, str):
            return self._wrong(path, value, "a string", field)
        if not value:
            self._say(path, f"is empty; remove it, or write {field.name} = {field.example}")
            return None
        return self._text(field, value, path)

    def _wrong(self, path: Path, value: Any, wanted: str, field: Field) -> None:
        self._say(
            path, f"is {_short(value)}, not {wanted}; for example {field.name} = {field.example}"
        )

    def _map(self, field: Field, value: Any, path: Path) -> Mapping[str, Any] | None:
        if not isinstance(value, Mapping):
            self._wrong(path, value, "a table", field)
            return None
        if field.type == "map":
            for key, each in value.items():
                if not isinstance(each, str):
                    self._say((*path, key), f"is {_short(each)}, not a string: quote it")
                else:
                    self._pair(field, key, each, (*path, key))
        return dict(value)

    def _pair(self, field: Field, key: str, value: str, path: Path) -> None:
        """Refuse a label or an annotation that no object may have."""
        if field.name == "labels":
            for problem in naming.label_key_problems(key):
                self._say(path, f"cannot be a label: its key {problem}")
            for problem in naming.label_value_problems(value):
                self._say(path, f"is {_short(value)}, and a label's value {problem}")
        if field.name == "annotations":
            for problem in naming.annotation_key_problems(key):
                self._say(path, f"cannot be an annotation: its key {problem}")

    def _text(self, field: Field, value: str, path: Path) -> str | None:
        if field.choices and value not in field.choices:
            meant = closest(value, field.choices)
            hint = f" Did you mean {meant!r}?" if meant else ""
            self._say(
                path, f"is {value!r}, not one of {', '.join(map(repr, field.choices))}.{hint}"
            )
            return None
        if field.type == "path":
            return self._inside(value, path)
        if field.name == "target":
            try:
                target(value)
            except UsageError:
                self._say(path, f"is {value!r}, not one of {', '.join(TARGET_NAMES)}")
        if field.name == "namespace":
            for problem in naming.namespace_problems(value):
                self._say(path, f"{value!r} {problem}")
        if field.name == "version-name":
            try:
                naming.expand_version_name(value, dict.fromkeys(_TEMPLATE, ""))
            except UsageError as error:
                self._say(path, f"cannot be used: {error}")
        return value

    def _inside(self, value: str, path: Path) -> str | None:
        """Return a path that stays inside the repository, with forward slashes."""
        parts = value.replace("\\", "/").split("/")
        absolute = value.startswith(("/", "\\", "~")) or re.match("[A-Za-z]:", value)
        clean = [part for part in parts if part not in ("", ".")]
        if absolute or ".." in clean or not clean:
            self._say(
                path,
                f"is {value!r}; it has to be a path below the repository's root, such as"
                " 'manifests'",
            )
            return None
        if clean[0] in _OWNERS:
            self._say(path, f"is {value!r}, which belongs to {_OWNERS[clean[0]]}")
            return None
        if "\0" in value:
            self._say(path, f"is {value!r}, which no file can be called")
            return None
        return "/".join(clean)

    def _outputs(self, config: Config) -> None:
        """Refuse two environments that would write into one folder, or one into another's."""
        places = {name: config.settings_for(name).output for name in config.environments}
        names = list(places)
        for index, name in enumerate(names):
            for other in names[:index]:
                if _overlap(places[name], places[other]):
                    self._say(
                        ("environments", name, "output"),
                        f"is {places[name]!r}, which is not apart from {places[other]!r} of"
                        f" {other!r}: give each environment a folder of its own, such as"
                        f" 'manifests/{name}'",
                    )


_CARRIED: Final = frozenset({"images", "keep", "namespace", "output", "pin", "target"})
"""The settings that count in an environment to which versions are promoted."""

_TEMPLATE: Final = ("pipeline", "digest", "git_sha")
"""The fields that the template of a version's name may have."""

_PLACES: Final = {
    "top": "at the top",
    "environment": "in an environment",
    "pipeline": "in the overrides of a pipeline",
}


def _overlap(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _meant(name: str) -> str:
    return repr(name) if name else ""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
