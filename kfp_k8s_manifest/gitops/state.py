"""What builds remember: which source gave what, and what it had read; and the entries of files.

Nothing in here is a manifest. It only tells that the manifest in the tree is the one that compiling
would give again, so that losing or sharing it changes how long a build takes and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from kfp_k8s_manifest._version import __version__
from kfp_k8s_manifest.errors import OutputError
from kfp_k8s_manifest.files import write_text
from kfp_k8s_manifest.gitops.environment import EnvironmentBuild
from kfp_k8s_manifest.gitops.sources import RepositorySource
from kfp_k8s_manifest.gitops.tree import Entry, PipelineEntry, VersionEntry
from kfp_k8s_manifest.gitops.wanted import Facts
from kfp_k8s_manifest.state_folder import read_state, state_file

__all__ = ["Remembered", "State", "open_state"]

Origin = tuple[str, str]

_FILE: Final = "state.json"
_LIMIT: Final = 512 * 2**20
_STATE_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What a source has given.

    Attributes:
        pipelines: Each pipeline's place, and its facts by environment.
        used: Where the pipelines are defined that others of it use.
    """

    pipelines: Sequence[tuple[Origin | None, Mapping[str, Facts]]]
    used: frozenset[Origin]


def open_state(root: str, *, started: float) -> State:
    """Return what builds of a repository remember; what cannot be read is forgotten.

    Args:
        root: The repository's root, without links; it is the working directory.
        started: When this build began, in seconds since 1970.

    Raises:
        OutputError: The folder for it cannot be made.
    """
    path = state_file(root, _FILE)
    content: Any = None
    with contextlib.suppress(ValueError, RecursionError):
        content = json.loads(read_state(root, _FILE, limit=_LIMIT) or b"{}")
    if not isinstance(content, dict) or content.get("version") != _STATE_VERSION:
        content = {}
    return State(path, root, content, started)


class State:
    """What builds remember, while one works.

    Attributes:
        watched: The folder in which what sources read counts: the git work tree, or the root.
    """

    def __init__(
        self, path: Path | None, root: str, content: Mapping[str, Any], started: float
    ) -> None:
        self._path, self._root, self._started = path, root, started
        sources, entries = content.get("sources"), content.get("entries")
        self._sources: dict[str, Any] = sources if isinstance(sources, dict) else {}
        self._known: dict[str, Any] = entries if isinstance(entries, dict) else {}
        self._entries: dict[str, Any] = {}
        self._new: dict[str, Any] = {}
        self._hashes: dict[str, str | None] = {}
        self._versions = _versions()
        self.watched = _work_tree(root)

    # Entries of files, by content.

    def get(self, content: bytes, mutable_fields: frozenset[str]) -> Entry | bool | None:
        """Return the entry of a content, None where it holds no object of ours, False if unknown."""
        key = _entry_key(content, mutable_fields)
        if key not in self._known:
            return False
        try:
            found = _entry(self._known[key])
        except (TypeError, ValueError):
            return False
        self._entries[key] = self._known[key]
        return found

    def put(self, content: bytes, mutable_fields: frozenset[str], entry: Entry | None) -> None:
        """Remember the entry of a content."""
        kind = "version" if isinstance(entry, VersionEntry) else "pipeline"
        value = None if entry is None else [kind, {**asdict(entry), "path": ""}]
        self._entries[_entry_key(content, mutable_fields)] = value

    # Sources.

    def recall(
        self, source: RepositorySource, builds: Sequence[EnvironmentBuild]
    ) -> Remembered | None:
        """Return what a source gave, if compiling it would give the same again.

        Args:
            source: The source.
            builds: The environments that are built.
        """
        own = self._sources.get(source.name)
        try:
            if own is None or own["key"] != self._key(source, own["reads"]):
                return None
            pipelines = []
            for origin, facts in own["pipelines"]:
                found = {}
                for build in builds:
                    settings, values = facts[build.name]
                    each = Facts(**values)
                    if settings != self._settings_key(build, each.name):
                        return None
                    found[build.name] = each
                pipelines.append((self._place(origin), found))
            used = frozenset(self._place(each) or ("", "") for each in own["used"])
        except (TypeError, ValueError, KeyError, AttributeError, IndexError):
            # Another release wrote it, or a hand.
            return None
        self._new[source.name] = own
        return Remembered(pipelines=pipelines, used=used)

    def remember(
        self,
        source: RepositorySource,
        builds: Sequence[EnvironmentBuild],
        known: Remembered,
        reads: Mapping[str, Any] | None,
    ) -> None:
        """Remember what a source has given, unless nobody could tell that it still holds.

        Args:
            source: The source.
            builds: The environments that are built.
            known: What it has given.
            reads: What was read while compiling it; None for a package of IR.
        """
        self._new.pop(source.name, None)
        if reads is not None and reads["opaque"]:
            return
        own = self._relative(reads) if reads is not None else {}
        own.setdefault("files", [])
        if source.source.kind == "package":
            own["files"] = [source.source.path]
        if any(self._is_young(path) for path in own["files"]):
            # It may have been changed after it was read.
            return
        self._new[source.name] = {
            "reads": own,
            "key": self._key(source, own),
            "pipelines": [
                [
                    self._placed(origin),
                    {
                        build.name: [
                            self._settings_key(build, facts[build.name].name),
                            asdict(facts[build.name]),
                        ]
                        for build in builds
                    },
                ]
                for origin, facts in known.pipelines
            ],
            "used": [self._placed(each) for each in sorted(known.used)],
        }

    def save(self, *, partial: bool) -> None:
        """Write what is remembered.

        Args:
            partial: True where not all sources were looked at; the others are kept.
        """
        if self._path is None:
            return
        sources = {**self._sources, **self._new} if partial else self._new
        entries = {**self._known, **self._entries} if partial else self._entries
        content = {"version": _STATE_VERSION, "sources": sources, "entries": entries}
        # A build that cannot remember is slower the next time, and right.
        with contextlib.suppress(OutputError):
            write_text(self._path, json.dumps(content, separators=(",", ":")))

    # Keys.

    def _key(self, source: RepositorySource, reads: Mapping[str, Any]) -> str:
        each = source.source
        parts: list[Any] = [self._versions, each.kind, each.path, each.function, source.found]
        parts += [[path, self._hash(path)] for path in reads.get("files", ())]
        parts += [[path, self._listing(path)] for path in reads.get("listed", ())]
        parts += [
            [path, self._matching(path, frozenset(names))]
            for path, names in reads.get("searched", {}).items()
        ]
        return _digest(parts)

    def _settings_key(self, build: EnvironmentBuild, pipeline: str) -> str:
        settings = asdict(build.settings(pipeline))
        # What decides about older versions changes nothing in this one.
        for name in ("keep", "pin", "output"):
            del settings[name]
        settings["required_parameters"] = sorted(settings["required_parameters"])
        return _digest([settings, build.digests])

    def _hash(self, path: str) -> str | None:
        if path not in self._hashes:
            found = None
            with contextlib.suppress(OSError), open(path, "rb") as file:  # noqa: PTH123
                found = hashlib.sha256(file.read()).hexdigest()
            self._hashes[path] = found
        return self._hashes[path]

    def _listing(self, path: str) -> list[str] | None:
        try:
            names = [each.name for each in Path(path).iterdir()]
        except OSError:
            return None
        return sorted(name for name in names if name not in ("__pycache__", ".kfp-k8s", ".git"))

    def _matching(self, path: str, names: frozenset[str]) -> list[str] | None:
        """Return what a folder has that modules of some names could be."""
        listing = self._listing(path)
        if listing is None:
            return None
        return [each for each in listing if each.partition(".")[0] in names]

    def _is_young(self, path: str) -> bool:
        try:
            return os.stat(path).st_mtime >= self._started - 0.01  # noqa: PTH116
        except OSError:
            return False

    # Places are remembered from the root, so that another checkout can use them.

    def _relative(self, reads: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "files": [self._from_root(path) for path in reads["files"]],
            "listed": [self._from_root(path) for path in reads["listed"]],
            "searched": {self._from_root(path): names for path, names in reads["searched"].items()},
        }

    def _from_root(self, path: str) -> str:
        return os.path.relpath(path, self._root).replace(os.sep, "/")

    def _placed(self, origin: Origin | None) -> list[str] | None:
        if origin is None:
            return None
        inside = origin[0].startswith(self.watched.rstrip(os.sep) + os.sep)
        return [self._from_root(origin[0]) if inside else origin[0], origin[1]]

    def _place(self, origin: Any) -> Origin | None:
        if origin is None:
            return None
        return os.path.normpath(os.path.join(self._root, origin[0])), origin[1]  # noqa: PTH118


def _entry_key(content: bytes, mutable_fields: frozenset[str]) -> str:
    marks = ",".join((__version__, *sorted(mutable_fields)))
    return hashlib.sha256(marks.encode() + b"\0" + content).hexdigest()


def _entry(value: Any) -> Entry | None:
    if value is None:
        return None
    kind, fields = value
    return VersionEntry(**fields) if kind == "version" else PipelineEntry(**fields)


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _versions() -> list[Any]:
    """Return what the result depends on beside the repository: this Python, and what it has."""
    packages: set[str] = set()
    for folder in sys.path:
        with contextlib.suppress(OSError):
            names = [each.name for each in Path(folder).iterdir()]
            packages.update(name for name in names if name.endswith((".dist-info", ".egg-info")))
    return [__version__, sys.version, sys.platform, sorted(packages)]


def _work_tree(root: str) -> str:
    folder = root
    while not os.path.lexists(os.path.join(folder, ".git")):  # noqa: PTH118
        parent = os.path.dirname(folder)  # noqa: PTH120
        if parent == folder:
            return root
        folder = parent
    return folder
