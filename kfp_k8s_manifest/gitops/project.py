"""Finding and reading the configuration of the repository that the user stands in."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.gitops.config import ConfigError, parse_config
from kfp_k8s_manifest.gitops.settings import Config
from kfp_k8s_manifest.reading import read_input
from kfp_k8s_manifest.yaml.conflicts import CONFLICT, conflict_line

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["FILE", "Project", "find_project", "has_config", "key_lines", "read_config"]

FILE: Final = "kfp-k8s.toml"
"""The file of a configuration that stands alone."""

_PYPROJECT: Final = "pyproject.toml"
_TABLE: Final = ("tool", "kfp-k8s")
_LIMIT: Final = 4 * 1024 * 1024

_HEADER = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A repository of pipelines, as its configuration has it.

    Attributes:
        root: The folder of its configuration; all paths in it start there.
        config: The configuration.
    """

    root: Path
    config: Config


def find_project(start: Path) -> Project:
    """Return the repository that a folder belongs to.

    The folder itself is looked at first, then those above it, up to the root of the git work tree.

    Args:
        start: Where the user stands.

    Raises:
        ConfigError: The configuration is wrong, or stands in both files.
        UsageError: There is none.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        alone, project = folder / FILE, folder / _PYPROJECT
        table = _project_table(project) if project.is_file() else None
        if alone.is_file() and table is not None:
            raise ConfigError(
                f"{folder} has a configuration in {FILE} and in {_PYPROJECT} ([tool.kfp-k8s]);"
                " leave it in one of them"
            )
        if alone.is_file() or table is not None:
            return read_config(alone if alone.is_file() else project)
        if (folder / ".git").exists():
            break
    raise UsageError(
        f"no configuration in {start} or above: neither {FILE} nor a table [tool.kfp-k8s] in"
        f" {_PYPROJECT}; `kfp-k8s init` writes one"
    )


def has_config(folder: Path) -> str | None:
    """Return the name of the file in a folder that holds a configuration, or None.

    Args:
        folder: The folder; those above it do not count.

    Raises:
        ConfigError: A `pyproject.toml` cannot be read.
    """
    if (folder / FILE).exists():
        return FILE
    project = folder / _PYPROJECT
    return _PYPROJECT if project.is_file() and _project_table(project) is not None else None


def read_config(path: Path) -> Project:
    """Return the repository of a configuration file.

    Args:
        path: A `kfp-k8s.toml`, or a file with a table `[tool.kfp-k8s]`.

    Raises:
        ConfigError: The configuration is wrong.
        SourceError: The file cannot be read.
    """
    text, loaded = _loaded(path)
    table: Mapping[str, Any] = loaded
    prefix: tuple[str, ...] = ()
    if path.name == _PYPROJECT:
        found = _tool_table(table)
        if found is None:
            raise ConfigError(f"{path.name}: there is no table [tool.kfp-k8s] in it")
        table, prefix = found, _TABLE
    lines = {
        key[len(prefix) :]: line
        for key, line in key_lines(text).items()
        if key[: len(prefix)] == prefix
    }
    return Project(
        root=path.resolve().parent, config=parse_config(table, source=path.name, lines=lines)
    )


def _project_table(path: Path) -> Mapping[str, Any] | None:
    return _tool_table(_loaded(path)[1])


def _tool_table(table: Mapping[str, Any]) -> Mapping[str, Any] | None:
    tool = table.get("tool")
    found = tool.get("kfp-k8s") if isinstance(tool, Mapping) else None
    return found if isinstance(found, Mapping) else None


def _loaded(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        # Editors on Windows put a byte order mark in front.
        text = read_input(str(path), limit=_LIMIT).decode("utf-8-sig")
        return text, tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path.name}: it is not UTF-8 ({error.reason})") from error
    except tomllib.TOMLDecodeError as error:
        line = conflict_line(text)
        if line is not None:
            raise ConfigError(f"{path.name}:{line}: {CONFLICT}") from error
        raise ConfigError(f"{path.name}: it is not TOML: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{path.name}: it is nested too deeply") from error


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """Return the one-based lines of the keys and tables of a TOML text, by path.

    The parser of the standard library does not tell them. What stands inside inline tables and
    strings of several lines has no line of its own; a message then names the one it stands in.

    Args:
        text: TOML that has been parsed without an error.
    """
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.fullmatch(line)
        key = _KEY.match(line)
        if header:
            table = _path(header[1])
            lines.setdefault(table, number)
        elif key:
            lines.setdefault((*table, *_path(key[1])), number)
    return lines


def _path(text: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(text))
