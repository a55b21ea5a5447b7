"""The validating webhook's judgment of a new PipelineVersion's specs, with the true cause.

The webhook writes `pipelineSpec` and, where present, `platformSpec` as two YAML documents and reads
them as a package. Each document is tried as a PipelineSpec: it is one if protojson accepts it, its
`pipelineInfo.name` is not empty and `root` is there. Any other document is tried as a PlatformSpec,
which counts if protojson accepts it and it has a platform `kubernetes`; a document that is neither
is ignored without a word. Only then the content is judged: schema version, then name.

So one misspelt field makes the whole pipeline spec disappear, and the webhook says no more than
`no pipeline spec is provided`; in a platform spec it makes volumes, secrets and limits disappear,
and the webhook says nothing. This module names the field.

Source: KFP's API server, releases 2.14.0 to 2.17.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kfp_k8s_manifest.checks.webhook import explain, oddities
from kfp_k8s_manifest.checks.webhook.judge import (
    NO_SPEC,
    SCHEMA_VERSION,
    UNDECODABLE,
    UNREADABLE,
    Document,
    Outcome,
    judge,
    name_message,
    version_message,
)
from kfp_k8s_manifest.checks.webhook.words import MOST, Scope, at, described, shown
from kfp_k8s_manifest.findings import ABSENT, Finding, Path, Severity
from kfp_k8s_manifest.releases import Target

__all__ = ["NO_SPEC", "check_specs"]


def check_specs(pipeline_spec: Any, platform_spec: Any, target: Target) -> list[Finding]:
    """Return what the validating webhook says about the specs of a new PipelineVersion.

    Errors come in the order in which the webhook would meet them: the first one is its reason to
    reject. Behind it are the further ones that it would meet after a repair.

    Args:
        pipeline_spec: The value of `spec.pipelineSpec`, any JSON value; `ABSENT` where missing.
        platform_spec: The value of `spec.platformSpec`; None and `ABSENT` mean that there is none.
        target: The releases to satisfy. A finding that holds for some of them names these.
    """
    generations = target.generations
    pipeline = Document("pipelineSpec", pipeline_spec, generations)
    documents = [pipeline]
    if platform_spec is not None and platform_spec is not ABSENT:
        documents.append(Document("platformSpec", platform_spec, generations))
    fatal = [
        oddities.oddity(odd, document.root, Severity.ERROR)
        for document in documents
        for odd in [each for each in document.view.oddities if each.kind in oddities.FATAL][:MOST]
    ]
    if fatal:
        return fatal
    outcomes = [(release.generation, judge(documents, release)) for release in target.releases]
    findings: list[Finding] = []
    for outcome in dict.fromkeys(outcome for _, outcome in outcomes):
        where = frozenset(each for each, other in outcomes if other == outcome)
        findings += _rejection(outcome, documents, Scope(all=generations, some=where), target)
    findings = _without_repetition(findings)
    ignored = frozenset(
        each
        for each, outcome in outcomes
        if outcome.spec is pipeline and not outcome.message and not outcome.platform
    )
    if len(documents) > 1 and ignored:
        findings += _platform_ignored(documents, ignored)
    findings += _swapped(documents, [outcome for _, outcome in outcomes])
    return findings + _changed(documents, findings)


def _rejection(
    outcome: Outcome, documents: Sequence[Document], scope: Scope, target: Target
) -> list[Finding]:
    """Return the errors behind one outcome, the webhook's own reason first.

    Args:
        outcome: What some of the releases make of the documents.
        documents: The specs.
        scope: The schemas of these releases.
        target: All releases that count.
    """
    message = outcome.message
    if not message:
        return []
    if message.startswith("multiple"):
        return [explain.multiple(message, documents[1].root, documents[1].given, scope)]
    if message == UNREADABLE:
        return [
            oddities.oddity(odd, document.root, Severity.ERROR)
            for document in documents
            for odd in document.merge_keys[:MOST]
        ]
    judged = outcome.spec or documents[0]
    if message == UNDECODABLE:
        return [explain.not_an_object(judged.root, judged.given, scope, message)]
    findings = []
    if outcome.rewritten:
        findings = _unwritable(outcome, target)
    elif message == NO_SPEC:
        findings = _why_no_spec(judged, scope)
    # Name, root and version are judged alike by all releases, whatever each of them says first.
    return findings + _content(judged, Scope(scope.all, frozenset(scope.all)))


def _unwritable(outcome: Outcome, target: Target) -> list[Finding]:
    """Return the keys that KFP cannot write a second time."""
    return [
        oddities.separator(odd, document.root, target)
        for document, as_platform in ((outcome.spec, False), (outcome.platform, True))
        if document is not None
        for odd in document.separator_keys(as_platform=as_platform)[:MOST]
    ]


def _why_no_spec(document: Document, scope: Scope) -> list[Finding]:
    """Return why a document is no pipeline spec, in the webhook's order."""
    if not document.is_mapping:
        return [explain.not_an_object(document.root, document.given, scope, NO_SPEC)]
    findings = [
        oddities.oddity(odd, document.root, Severity.ERROR, NO_SPEC)
        for odd in document.number_keys[:MOST]
    ]
    changed = {odd.path: odd for odd in document.view.oddities if odd.kind == oddities.CHANGED}
    for problem in document.spec_problems[:MOST]:
        if problem.generations & scope.some:
            odd = changed.get(problem.path)
            findings.append(
                oddities.oddity(odd, document.root, Severity.ERROR, NO_SPEC)
                if odd is not None
                else explain.problem(problem, document.root, document.given, scope, NO_SPEC)
            )
    return findings


def _content(document: Document, scope: Scope) -> list[Finding]:
    """Return what is wrong with name, root and version, in the webhook's order."""
    findings: list[Finding] = []
    if not document.is_mapping:
        return findings
    blamed = {problem.path for problem in document.spec_problems}
    name, name_at = document.pipeline_name, document.name_path

    def add(rule: str, path: Path, value: Any, text: str, hint: str, message: str) -> None:
        # What is of the wrong type was already told, and so were those that hold it.
        inner = path[2:]
        if not any(inner[: len(other)] == other for other in blamed):
            findings.append(
                explain.error(rule, path, value, text, scope, hint=hint, message=message)
            )

    if not name:
        value = at(document.given, name_at[2:])
        add("spec-pipeline-name-empty", name_at, value, *explain.EMPTY_NAME, NO_SPEC)
    if not document.has_root:
        value = at(document.given, ("root",))
        add("spec-root-missing", (*document.root, "root"), value, *explain.NO_ROOT, NO_SPEC)
    if document.schema_version != SCHEMA_VERSION:
        spelling = "schema_version" if "schema_version" in document.given else "schemaVersion"
        value = at(document.given, (spelling,))
        text = f"the schema version must be exactly '2.1.0', not {shown(value)}"
        path = (*document.root, spelling)
        hint = "write schemaVersion: 2.1.0"
        add("spec-schema-version", path, value, text, hint, version_message(document))
    if name and name_message(name):
        text, hint = explain.bad_name(name)
        add("spec-pipeline-name", name_at, name, text, hint, name_message(name))
    return findings


def _platform_ignored(documents: Sequence[Document], where: frozenset[str]) -> list[Finding]:
    """Return the warnings about a platform spec that does not count."""
    platform = documents[1]
    scope = Scope(all=platform.generations, some=where)
    lost = explain.settings(platform.given)
    if not platform.is_mapping:
        reason = f"it is {described(platform.given)}, not an object"
        return [explain.ignored(platform.root, platform.given, reason, lost, scope)]
    problems = [each for each in platform.platform_problems if each.generations & where][:MOST]
    findings = []
    if platform.unreadable_text is not None:
        text_at = (*platform.root, *platform.unreadable_text)
        value = at(platform.given, platform.unreadable_text)
        findings.append(explain.ignored(text_at, value, explain.TEXT, lost, scope))
        lost = ""
    for problem in problems:
        warning = explain.problem(problem, platform.root, platform.given, scope, "")
        reason = warning.message
        findings.append(
            explain.ignored(
                warning.path,
                warning.value,
                reason,
                lost,
                scope,
                warning.on_key,
                warning.hint,
            )
        )
        lost = ""
    if not platform.has_kubernetes and not findings:
        reason = "it has no platform named 'kubernetes'"
        path = (*platform.root, "platforms")
        value = at(platform.given, ("platforms",))
        findings.append(explain.ignored(path, value, reason, lost, scope))
    return findings


def _swapped(documents: Sequence[Document], outcomes: Sequence[Outcome]) -> list[Finding]:
    """Return a warning where the platform spec's place holds the pipeline spec."""
    accepted = [outcome for outcome in outcomes if not outcome.message]
    if not accepted or accepted[0].spec is documents[0]:
        return []
    return [explain.swapped(documents[0].root)]


def _changed(documents: Sequence[Document], told: Sequence[Finding]) -> list[Finding]:
    """Return warnings about strings that KFP accepts and turns into something else."""
    paths = {finding.path for finding in told}
    return [
        oddities.oddity(odd, document.root, Severity.WARNING)
        for document in documents
        for odd in [
            each
            for each in document.view.oddities
            if each.kind in oddities.HARMLESS and (*document.root, *each.path) not in paths
        ][:MOST]
    ]


def _without_repetition(findings: list[Finding]) -> list[Finding]:
    """Return the findings without those that say the same of the same place."""
    kept: dict[tuple[str, Path], Finding] = {}
    for finding in findings:
        kept.setdefault((finding.rule, finding.path), finding)
    return list(kept.values())
