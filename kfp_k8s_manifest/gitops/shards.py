"""Which sources a part of a build compiles, so that all parts together give what one build gives.

A pipeline that another module's pipeline uses is a part of that one, which only shows when both are
compiled in one build. So sources that import each other, directly or through other modules of the
repository, stay together. Imports are read from the code; one that is computed at run time is not
seen.
"""

from __future__ import annotations

import ast
import hashlib
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kfp_k8s_manifest.gitops.sources import RepositorySource, may_hold_sources
from kfp_k8s_manifest.reading import read_found
from kfp_k8s_manifest.yaml.limits import DEFAULT_LIMITS

__all__ = ["Shard", "of_shard"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A part of the sources.

    Attributes:
        index: Which part, from 1 on; 0 for no source at all.
        count: How many parts there are.
    """

    index: int
    count: int


def of_shard(
    sources: Sequence[RepositorySource], shard: Shard, root: str
) -> list[RepositorySource]:
    """Return the sources of a part.

    Args:
        sources: All sources.
        shard: The part.
        root: The repository's root, without links.
    """
    group = _groups(sources, root)
    return [each for each in sources if _part(group[each.name], shard.count) == shard.index]


def _part(name: str, count: int) -> int:
    """Return the part of a group, from 1 on, which depends on its name alone."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    return number % count + 1


def _groups(sources: Sequence[RepositorySource], root: str) -> dict[str, str]:
    """Return the name of each source's group: its first source."""
    parent = {each.name: each.name for each in sources}

    def top(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    by_path: dict[str, str] = {}
    for each in sources:
        path = _path(each)
        first = by_path.setdefault(path, each.name)
        _join(parent, top(first), top(each.name))
    imports = _Imports(root)
    for path, name in by_path.items():
        for other in imports.reached(path):
            if other in by_path:
                _join(parent, top(by_path[other]), top(name))
    return {each.name: top(each.name) for each in sources}


def _join(parent: dict[str, str], one: str, other: str) -> None:
    first, second = sorted((one, other))
    parent[second] = first


def _path(source: RepositorySource) -> str:
    if source.source.kind == "module":
        return source.source.path.replace(".", "/") + ".py"
    return os.path.normpath(source.source.path).replace(os.sep, "/")


class _Imports:
    """The modules of a repository, and which of them each imports."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._modules: dict[str, list[str]] = {}
        for path in _modules(root):
            self._modules.setdefault(_stem(path), []).append(path)
        self._direct: dict[str, set[str]] = {}

    def reached(self, path: str) -> set[str]:
        """Return the modules that one imports, directly or through others."""
        seen: set[str] = set()
        waiting = [path]
        while waiting:
            for each in self._imported(waiting.pop()):
                if each not in seen:
                    seen.add(each)
                    waiting.append(each)
        return seen

    def _imported(self, path: str) -> set[str]:
        if path not in self._direct:
            found = {file for name in _names(path) for file in self._files(name)}
            self._direct[path] = found - {path}
        return self._direct[path]

    def _files(self, name: str) -> Iterator[str]:
        """Yield the files that a dotted name may mean, from whichever folder it is imported."""
        parts = name.split(".")
        for file in self._modules.get(parts[-1], ()):
            plain = file.removesuffix(".py").removesuffix("/__init__")
            if f"/{plain}".endswith(f"/{'/'.join(parts)}"):
                yield file


def _stem(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").rpartition("/")[2]


def _modules(root: str) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if may_hold_sources(folder, name)]
        inside = os.path.relpath(folder, root).replace(os.sep, "/")
        prefix = "" if inside == "." else f"{inside}/"
        yield from (f"{prefix}{name}" for name in names if name.endswith(".py"))


def _names(path: str) -> set[str]:
    """Return the dotted names that the code of a module imports."""
    if not path.endswith(".py"):
        return _notebook_names(path)
    try:
        return _code_names(read_found(path, limit=DEFAULT_LIMITS.size))
    except OSError:
        return set()


def _notebook_names(path: str) -> set[str]:
    if not path.endswith(".ipynb"):
        return set()
    from kfp_k8s_manifest.compiler.notebooks import code_cells
    from kfp_k8s_manifest.errors import KfpK8sError

    try:
        cells = code_cells(read_found(path, limit=DEFAULT_LIMITS.size), source=path)
    except (OSError, KfpK8sError):
        return set()
    return {name for cell in cells for name in _code_names(cell.code)}


def _code_names(code: str | bytes) -> set[str]:
    try:
        with warnings.catch_warnings():
            # What is odd in the code of others is not this command's to tell.
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return set()
    return set(_imported_names(ast.walk(tree)))


def _imported_names(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            for each in node.names:
                yield from _with_parents(each.name)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if module:
                yield from _with_parents(module)
            for each in node.names:
                yield f"{module}.{each.name}" if module else each.name


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count])
