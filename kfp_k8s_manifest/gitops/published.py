"""What a change does to the versions that its base has published."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.errors import KfpK8sError
from kfp_k8s_manifest.findings import Finding
from kfp_k8s_manifest.git import Entry, repository
from kfp_k8s_manifest.gitops.changes import Area, compare_trees
from kfp_k8s_manifest.gitops.check import fields_text, object_in, read_object, rule_finding
from kfp_k8s_manifest.gitops.environment import EnvironmentBuild
from kfp_k8s_manifest.gitops.folder import ENDINGS, read_entry
from kfp_k8s_manifest.gitops.tree import VersionEntry
from kfp_k8s_manifest.model.kinds import PIPELINE_VERSION
from kfp_k8s_manifest.reading import read_found
from kfp_k8s_manifest.releases import target
from kfp_k8s_manifest.yaml import DEFAULT_LIMITS

__all__ = ["published_findings"]


def published_findings(
    base: str, environments: Sequence[EnvironmentBuild], *, given: frozenset[str]
) -> list[Finding]:
    """Return what a change does to published versions; the working directory is the root.

    Args:
        base: The commit, branch or tag that the change starts from; what has happened there since
            the change began does not count.
        environments: The environments.
        given: The pipelines that sources give.

    Raises:
        SourceError: There is no such commit, or none that both have in common.
    """
    found = repository()
    commit = found.merge_base(base)
    findings: list[Finding] = []
    for each in environments:
        prefix = found.path_of(each.path)
        entries = [
            entry
            for entry in found.files(commit, prefix)
            if entry.path.endswith(ENDINGS) and "/." not in entry.path.removeprefix(prefix)
        ]
        changed = [entry for entry in entries if not _is_same(entry, prefix, each.path)]
        contents = found.contents(changed, limit=DEFAULT_LIMITS.size)
        before = {
            entry.path[len(prefix) + 1 :]: content
            for entry, content in zip(changed, contents, strict=True)
            if content is not None
        }
        same = {entry.path[len(prefix) + 1 :] for entry in entries} - before.keys()
        findings += _Folder(each, before, same, given).findings()
    return findings


def _is_same(entry: Entry, prefix: str, folder: str) -> bool:
    """Tell whether a file still has the content that a commit has."""
    path = f"{folder}/{entry.path[len(prefix) + 1 :]}"
    try:
        content = read_found(path, limit=DEFAULT_LIMITS.size)
    except OSError:
        return False
    new = hashlib.sha256 if len(entry.blob) == 64 else hashlib.sha1
    return new(b"blob %d\0" % len(content) + content).hexdigest() == entry.blob


class _Folder:
    """The folder of an environment, before and now."""

    def __init__(
        self,
        build: EnvironmentBuild,
        before: dict[str, bytes],
        same: set[str],
        given: frozenset[str],
    ) -> None:
        self._build, self._before, self._same, self._given = build, before, same, given
        self._mutable = target(build.settings().target).mutable_fields

    def findings(self) -> Iterator[Finding]:
        """Yield what has happened to published versions, and what is published together."""
        tree = self._build.folder.tree
        now = {each.name: each for own in tree.versions.values() for each in own}
        published = {each.name for each in now.values() if each.path in self._same}
        for path, content in sorted(self._before.items()):
            before = self._entry(path, content)
            if before is None:
                continue
            published.add(before.name)
            after = now.get(before.name)
            if after is None:
                yield from self._removed(before)
            elif (after.content, after.pipeline) != (before.content, before.pipeline):
                yield self._changed(before, after, content)
        yield from self._together(published)

    def _entry(self, path: str, content: bytes) -> VersionEntry | None:
        try:
            found = read_entry(path, content, name=path, mutable_fields=self._mutable)
        except KfpK8sError:
            # What could not be read then was not applied either.
            return None
        return found if isinstance(found, VersionEntry) else None

    def _finding(self, rule: Any, each: VersionEntry, text: str, hint: str) -> Finding:
        path = f"{self._build.path}/{each.path}"
        return rule_finding(rule, path, text, kind=PIPELINE_VERSION, name=each.name, hint=hint)

    def _changed(self, before: VersionEntry, after: VersionEntry, content: bytes) -> Finding:
        path = f"{self._build.path}/{after.path}"
        now = read_object(path, PIPELINE_VERSION)
        then = object_in(content, before.path, PIPELINE_VERSION)
        changes = list(
            compare_trees({"spec": then.get("spec")}, {"spec": now.get("spec")}, area=Area.OTHER)
        )
        text = f"this version is published, and was changed: {fields_text(changes)}"
        hint = "restore the file, and let another content be another version"
        return self._finding(registry.VERSION_CHANGED, after, text, hint)

    def _removed(self, before: VersionEntry) -> Iterator[Finding]:
        """Tell a version that was removed, unless retention has, or its pipeline is gone."""
        left = self._build.folder.tree.versions.get(before.pipeline, ())
        if not left and before.pipeline not in self._given:
            return
        settings = self._build.settings(before.pipeline)
        newer = sum(each.age > before.age for each in left)
        pinned = before.name in settings.pin
        if settings.keep and newer >= settings.keep and not pinned:
            return
        why = "it is pinned" if pinned else f"{newer} newer versions are kept"
        kept = f"keep = {settings.keep}" if settings.keep else "all versions are kept"
        text = f"this version is published, and was removed too early: {why}, and {kept}"
        hint = "restore the file; retention (`keep`) removes old versions when it is time"
        yield self._finding(registry.VERSION_REMOVED, before, text, hint)

    def _together(self, published: set[str]) -> Iterator[Finding]:
        for pipeline, versions in self._build.folder.tree.versions.items():
            new = [each for each in versions if each.name not in published]
            if len(new) > 1:
                names = ", ".join(repr(each.name) for each in new)
                text = (
                    f"{len(new)} new versions of {pipeline!r} come with one change: {names}; they"
                    " may be created in the same second, and either be taken for the latest"
                )
                hint = "delete all but the last one, or merge them one after the other"
                yield self._finding(registry.VERSIONS_TOGETHER, new[-1], text, hint)
