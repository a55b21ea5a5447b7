"""What a repository compiles: its configuration's patterns, as the files that are there.

The working directory is the repository's root, so that paths are short and the same everywhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kfp_k8s_manifest.compiler.sources import Source, find_sources
from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.gitops.config import ConfigError
from kfp_k8s_manifest.gitops.settings import Config
from kfp_k8s_manifest.reading import read_found
from kfp_k8s_manifest.yaml.limits import DEFAULT_LIMITS

__all__ = ["RepositorySource", "discover", "may_hold_sources", "output_folders", "stays_inside"]

_WILD = re.compile(r"[*?\[]")
_CODE: Final = (".py", ".ipynb")
_ENDINGS: Final = (*_CODE, ".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositorySource:
    """A source of a repository.

    Attributes:
        source: How it is compiled; its path starts at the root.
        found: True where a pattern gave it, so that it may have no pipeline of its own.
    """

    source: Source
    found: bool

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.source.name


def output_folders(config: Config) -> list[str]:
    """Return the folders of manifests of all environments, from the root."""
    return [config.settings_for(name).output for name in config.environments]


def stays_inside(path: str, root: str) -> bool:
    """Tell whether a path, with its links followed, stays inside a folder.

    Args:
        path: A path, which need not exist.
        root: The folder, without links.
    """
    real = os.path.realpath(path)
    return real == root or real.startswith(root.rstrip(os.sep) + os.sep)


def discover(config: Config, root: str) -> list[RepositorySource]:
    """Return the sources of a repository, sorted by name, each once.

    Patterns match files below the root, but none that is hidden, excluded, in an output folder, in
    a virtual environment, or reached by a link that leads out of the root. Of the Python files and
    notebooks that they match, those are taken in which the word `pipeline` stands.

    Args:
        config: The configuration.
        root: The repository's root, without links; it is the working directory.

    Raises:
        ConfigError: An entry of `sources` names nothing.
        SourceError: A source that is named by itself lies outside the repository.
    """
    named = [each for each in config.sources if not _WILD.search(each)]
    patterns = [each for each in config.sources if _WILD.search(each)]
    found: dict[str, RepositorySource] = {}
    for each in named:
        source = _named(each, config, root)
        found[source.name] = RepositorySource(source=source, found=False)
    taken = {os.path.realpath(each.source.path) for each in found.values()}
    files = list(_files(root, set(output_folders(config)))) if patterns else []
    files = _without_excluded(files, config.exclude)
    for pattern in patterns:
        matching = _matching(pattern, files)
        if not matching:
            outputs = ", ".join(output_folders(config))
            raise ConfigError(
                f"{config.path}: sources: {pattern!r} matches no Python file, notebook or IR package"
                f" below {root}; hidden folders, what `exclude` names and the manifests' own folders"
                f" ({outputs}) are not looked into"
            )
        for path in matching:
            real = os.path.realpath(path)
            # What is named by itself, or is matched by an earlier pattern, is not taken again.
            if real in taken or not stays_inside(path, root) or not _may_be_source(path):
                continue
            taken.add(real)
            (source,) = find_sources(path)
            found[path] = RepositorySource(source=source, found=True)
    return [found[name] for name in sorted(found)]


def _named(given: str, config: Config, root: str) -> Source:
    """Return a source that the configuration names by itself."""
    path = given.rpartition(":")[0] if ":" in given else given
    if given == "-" or os.path.isabs(given) or ".." in path.replace(os.sep, "/").split("/"):  # noqa: PTH117
        raise ConfigError(
            f"{config.path}: sources: {given!r} is no path below the repository's root"
        )
    if os.path.isdir(given):  # noqa: PTH112
        raise ConfigError(
            f"{config.path}: sources: {given!r} is a folder; a pattern names what is in it, such as"
            f" {given.rstrip('/')}/**/*.py"
        )
    try:
        (source,) = find_sources(given)
    except SourceError as error:
        raise ConfigError(f"{config.path}: sources: {error}") from error
    if source.kind != "module":
        if not stays_inside(source.path, root):
            raise SourceError(f"{given}: a link leads out of the repository {root}")
        plain = os.path.normpath(source.path).replace(os.sep, "/")
        name = f"{plain}:{source.function}" if source.function else plain
        source = replace(source, name=name, path=plain)
    return source


def _files(root: str, outputs: Collection[str]) -> Iterator[str]:
    """Yield the files below the root that may be sources, from the root, with forward slashes."""
    for folder, folders, names in os.walk(root):
        inside = os.path.relpath(folder, root).replace(os.sep, "/")
        prefix = "" if inside == "." else f"{inside}/"
        folders[:] = sorted(
            name
            for name in folders
            if f"{prefix}{name}" not in outputs and may_hold_sources(folder, name)
        )
        for name in sorted(names):
            if name.endswith(_ENDINGS) and not name.startswith("."):
                yield f"{prefix}{name}"


def may_hold_sources(folder: str, name: str) -> bool:
    """Tell whether a folder is looked into: it is not hidden, nor Python's own, nor an environment.

    Args:
        folder: The folder above it.
        name: Its name there.
    """
    return (
        not name.startswith(".")
        and name != "__pycache__"
        and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))  # noqa: PTH110, PTH118
    )


def _without_excluded(files: Sequence[str], patterns: Sequence[str]) -> list[str]:
    if not patterns:
        return list(files)
    import pathspec

    spec = pathspec.GitIgnoreSpec.from_lines(patterns)
    return [path for path in files if not spec.match_file(path)]


def _matching(pattern: str, files: Sequence[str]) -> list[str]:
    """Return the files that a pattern matches from the root on."""
    import pathspec

    plain = pattern.replace("\\", "/").removeprefix("./").lstrip("/")
    spec = pathspec.GitIgnoreSpec.from_lines([f"/{plain}"])
    deep = plain.endswith("**")
    # A pattern of git takes what is in a folder that it matches; one of files does not.
    return [
        path
        for path in files
        if spec.match_file(path)
        and (deep or "/" not in path or not spec.match_file(path.rpartition("/")[0] + "/"))
    ]


def _may_be_source(path: str) -> bool:
    """Tell whether a file that a pattern matches is taken: no pipe, and no module without pipelines."""
    if not os.path.isfile(path):  # noqa: PTH113
        return False
    if not path.endswith(_CODE):
        return True
    try:
        return b"pipeline" in read_found(path, limit=DEFAULT_LIMITS.size)
    except OSError:
        # Compiling it says why it cannot be read, as the failure of this source alone.
        return True
