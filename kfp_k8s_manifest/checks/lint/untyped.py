"""The parts of the specs that the webhook leaves untyped: warnings for what fails at run time.

`deploymentSpec` of the pipeline spec, and each executor's configuration in the platform spec, are
structs of any content for the webhook. KFP reads them when a run starts, as
`ml_pipelines.PipelineDeploymentConfig` and `kfp_kubernetes.KubernetesExecutorConfig`, and then the
run fails on, or goes without, what it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kfp_k8s_manifest.checks import protojson
from kfp_k8s_manifest.checks.registry import Rule
from kfp_k8s_manifest.checks.webhook import explain
from kfp_k8s_manifest.checks.words import MOST, Scope, value_at
from kfp_k8s_manifest.findings import Finding, Path
from kfp_k8s_manifest.releases import Target

__all__ = ["check_untyped"]


def check_untyped(pipeline_spec: Any, platform_spec: Any, target: Target) -> list[Finding]:
    """Return warnings about the deployment spec and the Kubernetes executor configurations.

    Args:
        pipeline_spec: The value of `spec.pipelineSpec`. What is no object is left to `check_specs`.
        platform_spec: The value of `spec.platformSpec`, or None.
        target: The releases to satisfy.
    """
    findings: list[Finding] = []
    for spelling in ("deploymentSpec", "deployment_spec"):
        deployment = value_at(pipeline_spec, spelling)
        if isinstance(deployment, dict):
            findings += _check(
                "ml_pipelines.PipelineDeploymentConfig",
                explain.DEPLOYMENT,
                ("spec", "pipelineSpec", spelling),
                deployment,
                target,
            )
    kubernetes = value_at(platform_spec, "platforms", "kubernetes")
    for spelling in ("deploymentSpec", "deployment_spec"):
        executors = value_at(kubernetes, spelling, "executors")
        if not isinstance(executors, dict):
            continue
        for name, config in executors.items():
            path: Path = ("spec", "platformSpec", "platforms", "kubernetes", spelling, "executors")
            if isinstance(config, dict):
                findings += _check(
                    "kfp_kubernetes.KubernetesExecutorConfig",
                    explain.EXECUTOR_CONFIG,
                    (*path, name),
                    config,
                    target,
                )
    return findings


def _check(
    message: str, rules: Mapping[str, Rule], root: Path, value: Any, target: Target
) -> list[Finding]:
    generations = target.generations
    scope = Scope(all=generations, some=frozenset(generations))
    return [
        explain.problem(problem, root, value, scope, "", rules)
        for problem in protojson.check(message, value, generations)[:MOST]
    ]
