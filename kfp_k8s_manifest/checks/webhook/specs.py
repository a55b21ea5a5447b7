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

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.registry import Rule
from kfp_k8s_manifest.checks.webhook import explain, oddities
from kfp_k8s_manifest.checks.webhook.judge import (
    NO_SPEC,
    SCHEMA_VERSION,
    TWO_PIPELINES,
    TWO_PLATFORMS,
    UNDECODABLE,
    UNREADABLE,
    JudgedSpec,
    Ruling,
    judge,
    name_message,
    version_message,
)
from kfp_k8s_manifest.checks.words import MOST, Scope, described, finding, value_at
from kfp_k8s_manifest.findings import ABSENT, Finding, Path
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
    pipeline = JudgedSpec("pipelineSpec", pipeline_spec, generations)
    documents = [pipeline]
    if platform_spec is not None and platform_spec is not ABSENT:
        documents.append(JudgedSpec("platformSpec", platform_spec, generations))
    fatal = [
        oddities.oddity(odd, document.root)
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
    outcome: Ruling, documents: Sequence[JudgedSpec], scope: Scope, target: Target
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
    if message in (TWO_PIPELINES, TWO_PLATFORMS):
        twice = explain.two_pipelines if message == TWO_PIPELINES else explain.two_platforms
        return [twice(documents[1].root, documents[1].given, scope, message)]
    if message == UNREADABLE:
        return [
            oddities.oddity(odd, document.root)
            for document in documents
            for odd in document.merge_keys[:MOST]
        ]
    judged = outcome.spec or documents[0]
    if message == UNDECODABLE:
        return [explain.not_an_object(judged.root, judged.given, scope, message)]
    if message == NO_SPEC and explain.is_workflow(judged.given):
        return [explain.workflow(judged.root, judged.given, message)]
    findings = []
    if outcome.rewritten:
        findings = _unwritable(outcome, target)
    elif message == NO_SPEC:
        findings = _why_no_spec(judged, scope)
    # Name, root and version are judged alike by all releases, whatever each of them says first.
    return findings + _content(judged, Scope(scope.all, frozenset(scope.all)))


def _unwritable(outcome: Ruling, target: Target) -> list[Finding]:
    """Return the keys that KFP cannot write a second time."""
    return [
        oddities.separator(odd, document.root, target)
        for document, as_platform in ((outcome.spec, False), (outcome.platform, True))
        if document is not None
        for odd in document.separator_keys(as_platform=as_platform)[:MOST]
    ]


def _why_no_spec(document: JudgedSpec, scope: Scope) -> list[Finding]:
    """Return why a document is no pipeline spec, in the webhook's order."""
    if not document.is_mapping:
        return [explain.not_an_object(document.root, document.given, scope, NO_SPEC)]
    findings = [oddities.oddity(odd, document.root, NO_SPEC) for odd in document.number_keys[:MOST]]
    changed = {odd.path: odd for odd in document.view.oddities if odd.kind == oddities.CHANGED}
    for problem in document.spec_problems[:MOST]:
        if problem.generations & scope.some:
            odd = changed.get(problem.path)
            findings.append(
                oddities.oddity(odd, document.root, NO_SPEC)
                if odd is not None
                else explain.problem(problem, document.root, document.given, scope, NO_SPEC)
            )
    return findings


def _content(document: JudgedSpec, scope: Scope) -> list[Finding]:
    """Return what is wrong with name, root and version, in the webhook's order."""
    findings: list[Finding] = []
    if not document.is_mapping:
        return findings
    blamed = {problem.path for problem in document.spec_problems}
    name, name_at = document.pipeline_name, document.name_path

    def add(rule: Rule, path: Path, said: explain.Said, message: str) -> None:
        # What is of the wrong type was already told, and so were those that hold it.
        inner = path[2:]
        if not any(inner[: len(other)] == other for other in blamed):
            findings.append(
                finding(
                    rule,
                    path,
                    f"{said.text}{scope.suffix}.",
                    value=value_at(document.given, *inner),
                    hint=said.hint,
                    cluster_message=message,
                )
            )

    if not name:
        add(registry.SPEC_PIPELINE_NAME_EMPTY, name_at, explain.EMPTY_NAME, NO_SPEC)
    if not document.has_root:
        add(registry.SPEC_ROOT_MISSING, (*document.root, "root"), explain.NO_ROOT, NO_SPEC)
    version = document.schema_version
    if version != SCHEMA_VERSION:
        spelling = "schema_version" if "schema_version" in document.given else "schemaVersion"
        said = explain.of_version(version) if version else explain.NO_VERSION
        path = (*document.root, spelling)
        add(registry.SPEC_SCHEMA_VERSION, path, said, version_message(document))
    if name and name_message(name):
        add(registry.SPEC_PIPELINE_NAME, name_at, explain.bad_name(name), name_message(name))
    return findings


def _platform_ignored(documents: Sequence[JudgedSpec], where: frozenset[str]) -> list[Finding]:
    """Return the warnings about a platform spec that does not count."""
    platform = documents[1]
    scope = Scope(all=platform.generations, some=where)
    lost = explain.settings(platform.given)
    if not platform.is_mapping:
        reason = explain.Said("", f"must be an object, not {described(platform.given)}", "")
        return [explain.ignored(platform.root, platform.given, reason, lost, scope)]
    problems = [each for each in platform.platform_problems if each.generations & where][:MOST]
    findings = []
    if platform.unreadable_text is not None:
        text_at = (*platform.root, *platform.unreadable_text)
        value = value_at(platform.given, *platform.unreadable_text)
        findings.append(explain.ignored(text_at, value, explain.UNREADABLE_TEXT, lost, scope))
        lost = ""
    for problem in problems:
        value = value_at(platform.given, *problem.path)
        findings.append(
            explain.ignored(
                (*platform.root, *problem.path),
                problem.value if value is ABSENT else value,
                explain.of_problem(problem, platform.given),
                lost,
                scope.within(problem.generations),
                on_key=problem.on_key,
            )
        )
        lost = ""
    if not platform.has_kubernetes and not findings:
        reason = explain.Said("", "holds no platform named 'kubernetes'", "")
        path = (*platform.root, "platforms")
        value = value_at(platform.given, "platforms")
        findings.append(explain.ignored(path, value, reason, lost, scope))
    return findings


def _swapped(documents: Sequence[JudgedSpec], outcomes: Sequence[Ruling]) -> list[Finding]:
    """Return a warning where the platform spec's place holds the pipeline spec."""
    accepted = [outcome for outcome in outcomes if not outcome.message]
    if not accepted or accepted[0].spec is documents[0]:
        return []
    return [explain.swapped(documents[0].root)]


def _changed(documents: Sequence[JudgedSpec], told: Sequence[Finding]) -> list[Finding]:
    """Return warnings about strings that KFP accepts and turns into something else."""
    paths = {finding.path for finding in told}
    return [
        oddities.harmless(odd, document.root)
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
    for each in findings:
        kept.setdefault((each.rule, each.path), each)
    return list(kept.values())
