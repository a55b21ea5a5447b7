"""Checking a repository: the tree is what a build would write, and is what its names say.

Nothing is written, and nothing is taken from what builds remember.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.registry import Rule
from kfp_k8s_manifest.findings import (
    ABSENT,
    FileResult,
    Finding,
    Report,
    Severity,
    sort_findings,
)
from kfp_k8s_manifest.gitops.build import EnvironmentPlan, Prepared
from kfp_k8s_manifest.gitops.changes import Area, Change, compare_trees
from kfp_k8s_manifest.gitops.environment import EnvironmentBuild
from kfp_k8s_manifest.gitops.plan import Action
from kfp_k8s_manifest.gitops.tree import VersionEntry
from kfp_k8s_manifest.model.items import items_of
from kfp_k8s_manifest.model.kinds import PIPELINE, PIPELINE_VERSION
from kfp_k8s_manifest.reading import read_found
from kfp_k8s_manifest.validation.files import validate
from kfp_k8s_manifest.yaml import DEFAULT_LIMITS, load_all

__all__ = ["check_report", "fields_text", "object_in", "read_object", "rule_finding"]

_SHOWN: Final = 5
_SHORT: Final = 80
_DIGEST_NAME = re.compile(r"-([a-z2-7]{10})(?:-r[0-9]+)?")


def check_report(
    prepared: Prepared,
    environments: Sequence[EnvironmentBuild],
    *,
    more: Sequence[Finding] = (),
    jobs: int = 0,
) -> Report:
    """Return what is to be said of a repository; the working directory is its root.

    Args:
        prepared: What a build would do.
        environments: The environments whose folders are looked at, those that are promoted from
            others as well.
        more: Further findings.
        jobs: How many processes validate; 0 for as many as there are processors, where it pays.
    """
    findings = [*more, *_failures(prepared)]
    for plan in prepared.environments:
        findings += _differences(plan)
    for each in environments:
        findings += _edited(each)
    reports = [
        validate(each.path, target=each.settings().target, allow_empty=True, jobs=jobs)
        for each in environments
        if each.folder.tree.paths()
    ]
    files = {file.name: file for report in reports for file in report.files}
    for name in [finding.file for finding in findings]:
        # What is missing, and a source, is no manifest that was looked at.
        files.setdefault(name, FileResult(name=name, objects=0, skipped=0))
    idle = {path for each in environments for path in _superseded(each)}
    findings += [each for report in reports for each in report.findings if not _idle(each, idle)]
    return Report(
        target=", ".join(dict.fromkeys(each.settings().target for each in environments)),
        findings=tuple(sort_findings(findings)),
        files=tuple(files.values()),
        excerpts={place: line for report in reports for place, line in report.excerpts.items()},
    )


def _superseded(each: EnvironmentBuild) -> Iterator[str]:
    """Yield the files of the versions that have newer ones."""
    for versions in each.folder.tree.versions.values():
        for version in versions[:-1]:
            yield f"{each.path}/{version.path}"


def _idle(finding: Finding, superseded: Collection[str]) -> bool:
    """Tell whether nobody can follow the advice of a finding.

    A version that has a newer one is published, as a rule, and never changes again. Its age is told
    by its annotation, and what is new in one change by `versions-together`: that a tree has several
    versions of a pipeline is what it is for.
    """
    if finding.severity is Severity.ERROR:
        return False
    return finding.rule == registry.LATEST_AMBIGUOUS.id or finding.file in superseded


def rule_finding(
    rule: Rule, file: str, message: str, *, kind: str = "", name: str = "", hint: str = ""
) -> Finding:
    """Return a finding about a file of a repository."""
    return Finding(
        rule=rule.id,
        severity=rule.severity,
        message=message,
        hint=hint,
        kind=kind,
        name=name,
        file=file,
    )


def _file_of(source: str) -> str:
    return source.partition(":")[0]


def _failures(prepared: Prepared) -> Iterator[Finding]:
    for each in prepared.failures:
        yield rule_finding(registry.SOURCE_FAILED, _file_of(each.source), each.text)


def _differences(each: EnvironmentPlan) -> Iterator[Finding]:
    """Yield what a build would change in an environment."""
    folder = each.environment.path
    build = "run `kfp-k8s build`, and commit what it writes"
    for action in each.plan.having("create", "update", "delete", "gone"):
        path = f"{folder}/{action.path}"
        about = {"kind": action.kind, "name": action.name}
        if action.verb == "delete":
            text = f"retention removes this version: {action.why}"
            yield rule_finding(registry.MANIFEST_SUPERFLUOUS, path, text, hint=build, **about)
        elif action.verb == "gone":
            text = f"no source gives pipeline {action.pipeline!r} any more"
            hint = "restore its source, or run `kfp-k8s build --remove-gone`"
            yield rule_finding(registry.MANIFEST_SUPERFLUOUS, path, text, hint=hint, **about)
        elif action.verb == "update":
            text = f"{action.source} gives another Pipeline: {_changed(action, path)}"
            yield rule_finding(registry.MANIFEST_STALE, path, text, hint=build, **about)
        else:
            yield _missing(each, action, path, build)
    for name in each.extras:
        known = name in each.environment.folder.others
        rule = registry.MANIFEST_STALE if known else registry.MANIFEST_MISSING
        text = "the layout's file is not as the objects ask" if known else "the layout's file"
        text += "" if known else " is not there"
        yield rule_finding(rule, f"{folder}/{name}", text, hint=build)


def _missing(each: EnvironmentPlan, action: Action, path: str, hint: str) -> Finding:
    """Return what is to be said of an object that a build would create."""
    about = {"kind": action.kind, "name": action.name}
    newest = each.environment.folder.tree.newest(action.pipeline)
    if action.kind == PIPELINE or newest is None:
        text = f"{action.source} gives this {action.kind}, and the file is not there"
        return rule_finding(registry.MANIFEST_MISSING, path, text, hint=hint, **about)
    # The file that is behind is the one to look at.
    old = f"{each.environment.path}/{newest.path}"
    about["name"] = newest.name
    text = (
        f"{action.source} gives another content than this newest version of"
        f" {action.pipeline!r}: {_changed(action, old)}"
    )
    return rule_finding(registry.MANIFEST_STALE, old, text, hint=hint, **about)


def _changed(action: Action, path: str) -> str:
    """Return what differs between a file and what takes its place."""
    before = read_object(path, action.kind)
    after = object_in((action.text or "").encode(), path, action.kind)
    if action.kind == PIPELINE_VERSION:
        before, after = _content(before), _content(after)
    return fields_text(list(compare_trees(before, after, area=Area.OTHER)))


def object_in(content: bytes, name: str, kind: str) -> Mapping[str, Any]:
    """Return the object of a kind that a file holds, or an empty one.

    Args:
        content: The file's bytes.
        name: The file's name, for errors.
        kind: `Pipeline` or `PipelineVersion`.

    Raises:
        YamlError: It cannot be read.
    """
    for document in load_all(content, source=name, limits=DEFAULT_LIMITS):
        for _, obj in items_of(document.value):
            if isinstance(obj, Mapping) and obj.get("kind") == kind:
                return obj
    return {}


def read_object(path: str, kind: str) -> Mapping[str, Any]:
    """Return the object of a kind that stands in a file, or an empty one.

    Args:
        path: The file.
        kind: `Pipeline` or `PipelineVersion`.

    Raises:
        OSError: It cannot be read.
        YamlError: It is no YAML.
    """
    return object_in(read_found(path, limit=DEFAULT_LIMITS.size), path, kind)


def _content(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is compared of a version: all but what follows from its name."""
    spec = dict(obj.get("spec") or {})
    spec.pop("versionName", None)
    pipeline = spec.get("pipelineSpec")
    if isinstance(pipeline, Mapping) and isinstance(pipeline.get("pipelineInfo"), Mapping):
        info = {key: value for key, value in pipeline["pipelineInfo"].items() if key != "name"}
        spec["pipelineSpec"] = {**pipeline, "pipelineInfo": info}
    return {"spec": spec}


def fields_text(changes: Sequence[Change]) -> str:
    """Return changes as one text: the first fields, each with its values before and now."""
    shown = [f"{each.what} {_change_text(each)}" for each in changes[:_SHOWN]]
    if len(changes) > _SHOWN:
        shown.append(f"and {len(changes) - _SHOWN} more")
    return "; ".join(shown) or "the same in other words"


def _change_text(change: Change) -> str:
    if change.lines:
        lines = [line for line in change.lines if line.startswith(("+", "-"))]
        return f"differs in lines: {_short(' '.join(lines[:2]))}"
    if change.before is ABSENT:
        return f"is new: {_short(repr(change.after))}"
    if change.after is ABSENT:
        return f"is gone: {_short(repr(change.before))}"
    return f"is {_short(repr(change.before))}, and becomes {_short(repr(change.after))}"


def _short(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"


def _edited(each: EnvironmentBuild) -> Iterator[Finding]:
    """Yield the versions whose content is not the one that their names tell.

    A version that was promoted keeps its name, which tells its content before the images of its
    environment were put in.
    """
    promoted = each.project.config.environments[each.name].promoted_from is not None
    for pipeline, versions in each.folder.tree.versions.items():
        settings = each.settings(pipeline)
        template = settings.version_name
        if promoted and settings.images:
            continue
        if template is not None and "{digest}" not in template:
            continue
        for version in versions:
            told = _told_digest(version)
            if told is not None and told != version.content:
                text = (
                    f"the name says that the content's digest is {told!r}, and it is"
                    f" {version.content!r}: the file was edited, and a version is immutable"
                )
                yield rule_finding(
                    registry.VERSION_EDITED,
                    f"{each.path}/{version.path}",
                    text,
                    kind=PIPELINE_VERSION,
                    name=version.name,
                    hint="restore the file from git, and change the pipeline's source instead",
                )


def _told_digest(version: VersionEntry) -> str | None:
    """Return the digest in the name of a version of the default template, or None."""
    rest = version.name.removeprefix(version.pipeline)
    match = _DIGEST_NAME.fullmatch(rest) if rest != version.name else None
    return match[1] if match else None
