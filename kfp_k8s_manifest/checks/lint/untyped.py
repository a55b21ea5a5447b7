"""The parts of the specs that the webhook leaves untyped: warnings for what fails at run time.

`deploymentSpec` of the pipeline spec, and each executor's configuration in the platform spec, are
structs of any content for the webhook. KFP reads them when a run starts, as
`ml_pipelines.PipelineDeploymentConfig` and `kfp_kubernetes.KubernetesExecutorConfig`: the former
without the fields that it does not know, the latter strictly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from kfp_k8s_manifest.checks import protojson, registry
from kfp_k8s_manifest.checks.registry import Rule
from kfp_k8s_manifest.checks.webhook import explain
from kfp_k8s_manifest.checks.words import MOST, Scope, finding, listed, short, shown, value_at
from kfp_k8s_manifest.findings import Finding, Path
from kfp_k8s_manifest.releases import Target

__all__ = ["check_untyped"]

_SPELLINGS: Final = ("deploymentSpec", "deployment_spec")


class _Part(NamedTuple):
    """An untyped part: its message, its rules by kind of problem, where it is, and its value."""

    message: str
    rules: Mapping[str, Rule]
    path: Path
    value: dict[str, Any]


def check_untyped(pipeline_spec: Any, platform_spec: Any, target: Target) -> list[Finding]:
    """Return warnings about the deployment spec and the Kubernetes executor configurations.

    Args:
        pipeline_spec: The value of `spec.pipelineSpec`. What is no object is left to `check_specs`.
        platform_spec: The value of `spec.platformSpec`, or None.
        target: The releases to satisfy.
    """
    generations = target.generations
    scope = Scope(all=generations, some=frozenset(generations))
    findings: list[Finding] = []
    newer: dict[tuple[Rule, str | int, str], list[tuple[_Part, protojson.Problem]]] = {}
    for part in _parts(pipeline_spec, platform_spec):
        for problem in protojson.check(part.message, part.value, generations)[:MOST]:
            if problem.on_key and problem.since and not problem.until:
                key = (part.rules["field-too-new"], problem.path[-1], problem.since)
                newer.setdefault(key, []).append((part, problem))
                continue
            findings.append(explain.problem(problem, part.path, part.value, scope, "", part.rules))
    return findings + [_too_new(found, scope) for found in newer.values()]


def _parts(pipeline_spec: Any, platform_spec: Any) -> Iterator[_Part]:
    """Yield the untyped parts of both specs."""
    for spelling in _SPELLINGS:
        deployment = value_at(pipeline_spec, spelling)
        if isinstance(deployment, dict):
            path: Path = ("spec", "pipelineSpec", spelling)
            message = "ml_pipelines.PipelineDeploymentConfig"
            yield _Part(message, explain.DEPLOYMENT, path, deployment)
    for spelling in _SPELLINGS:
        steps = ("platforms", "kubernetes", spelling, "executors")
        executors = value_at(platform_spec, *steps)
        for name, config in executors.items() if isinstance(executors, dict) else ():
            if isinstance(config, dict):
                path = ("spec", "platformSpec", *steps, name)
                message = "kfp_kubernetes.KubernetesExecutorConfig"
                yield _Part(message, explain.EXECUTOR_CONFIG, path, config)


def _too_new(found: list[tuple[_Part, protojson.Problem]], scope: Scope) -> Finding:
    """Return the one warning about a field that some releases do not know, wherever it stands."""
    part, problem = found[0]
    path = (*part.path, *problem.path)
    since = short(problem.since)
    unknown = scope.within(problem.generations)
    releases = listed(short(each) for each in scope.all if each in unknown.some)
    labels = dict.fromkeys(_executor((*part.path, *problem.path)) for part, problem in found)
    executors = [shown(label) for label in labels if label]
    whose = f"executor{'' if len(executors) == 1 else 's'} {listed(executors)}"
    rule = part.rules["field-too-new"]
    if rule is registry.EXECUTOR_CONFIG_FIELD_TOO_NEW:
        loss = f"refuses the whole configuration of {whose} for it, and no run can start there."
    else:
        loss = f"ignores it, in {whose}." if executors else "ignores it."
    text = f"is known only from KFP {since} on; {releases} {loss}"
    is_default = problem.value in (False, "", 0)
    why = f", since {shown(problem.value)} is its default" if is_default else ""
    hint = f"Remove it{why}, or choose a target from KFP {since} on."
    return finding(rule, path, text, value=problem.value, hint=hint, on_key=True)


def _executor(path: Path) -> str:
    """Return the label of the executor that a path leads through, or ""."""
    at = path.index("executors") if "executors" in path else len(path)
    return str(path[at + 1]) if at + 1 < len(path) else ""
