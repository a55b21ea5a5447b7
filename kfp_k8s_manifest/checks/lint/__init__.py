"""What would go wrong when an accepted pipeline runs, and what in it is untidy.

The admission webhook checks the shape of a pipeline spec and nothing beyond. What refers to what,
and which types meet, is found out later by KFP's compiler, driver and launcher, when somebody
starts a run. These rules find it before. They need no schema, and most hold for every backend from
2.14.0 on.

Only components that a run would meet are checked. One that nothing uses is noted as such, and
what is wrong inside it harms nobody. A few rules are about what later releases do better; they need the
target.
"""

from __future__ import annotations

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.lint._access import get
from kfp_k8s_manifest.checks.lint._argo import check_exit_tasks, check_loop_name, check_names
from kfp_k8s_manifest.checks.lint._backends import check_backends
from kfp_k8s_manifest.checks.lint._collector import Collector
from kfp_k8s_manifest.checks.lint._components import (
    check_component,
    check_components,
    check_unused,
)
from kfp_k8s_manifest.checks.lint._executors import STAND_INS, check_executors
from kfp_k8s_manifest.checks.lint._expressions import (
    check_condition,
    check_constants,
    check_placeholders,
)
from kfp_k8s_manifest.checks.lint._loops import check_iterator
from kfp_k8s_manifest.checks.lint._model import Model, Task
from kfp_k8s_manifest.checks.lint._nulls import check_nulls
from kfp_k8s_manifest.checks.lint._platform import check_platform
from kfp_k8s_manifest.checks.lint._pods import check_claim
from kfp_k8s_manifest.checks.lint._sources import check_outputs
from kfp_k8s_manifest.checks.lint._tasks import check_dag, check_task
from kfp_k8s_manifest.checks.lint._types import check_declarations, check_values
from kfp_k8s_manifest.checks.words import shown
from kfp_k8s_manifest.findings import Finding
from kfp_k8s_manifest.releases import Target

__all__ = ["lint"]


_POLICIES = frozenset({"retryPolicy", "iteratorPolicy"})


def lint(
    pipeline_spec: object,
    platform_spec: object = None,
    *,
    target: Target | None = None,
    at_most: int | None = None,
) -> list[Finding]:
    """Return what a run of the pipeline would fail on, would lose, or does not need.

    Any JSON value may stand anywhere; what has the wrong shape is passed over, because the schema
    check tells it. The order of the findings is stable.

    Args:
        pipeline_spec: The value of `spec.pipelineSpec`.
        platform_spec: The value of `spec.platformSpec`, None where there is none.
        target: The releases that count, None for all.
        at_most: Bytes that the object does not exceed as JSON, where that is known.

    Returns:
        Warnings and notes, with paths from the object's root; never an error, because the webhook
        accepts all of this.
    """
    report = Collector()
    if not isinstance(pipeline_spec, dict):
        return report.findings
    model = Model(pipeline_spec)
    check_components(model, report)
    for component in model.reached:
        check_component(component, model, report)
        check_declarations(component, report)
        if component.dag is not None:
            check_dag(component, report)
            check_names(component, report)
            if any(task.is_exit for task in component.tasks.values()):
                check_exit_tasks(component, model, report)
            check_outputs(component, report)
            for task in component.tasks.values():
                _check_task(task, model, report)
    check_nulls(model, report)
    check_executors(model, report)
    check_backends(model, report, target=target, at_most=at_most)
    check_placeholders(model, report)
    platform_inputs = check_platform(model, platform_spec, report)
    check_unused(model, platform_inputs, report)
    return report.findings


def _check_task(task: Task, model: Model, report: Collector) -> None:
    """Apply all rules for one task."""
    check_task(task, model, report)
    if task.sources["parameters"]:
        check_values(task, report)
        check_constants(task, report)
    if task.trigger is not None:
        check_condition(task, report)
    if task.is_iterated:
        check_iterator(task, report)
        check_loop_name(task, report)
    if "access_modes" in task.inputs["parameters"] and _makes_a_claim(task, model):
        check_claim(task, report)
    if not _POLICIES.isdisjoint(task.set):
        _check_policies(task, report)


def _makes_a_claim(task: Task, model: Model) -> bool:
    """Return whether a task stands for making a volume claim, which the driver itself does."""
    label = task.component.executor if task.component is not None else None
    if label is None:
        return False
    image = get(get(model.executors.get(label), "container"), "image")
    return isinstance(image, str) and image in STAND_INS


def _check_policies(task: Task, report: Collector) -> None:
    """Check retries, and the limit of parallel iterations."""
    retry = get(task.spec, "retryPolicy")
    for field in ("maxRetryCount", "backoffFactor"):
        value = get(retry, field)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value < 0:
            report.add(
                registry.RETRY_POLICY,
                f"the retry policy of task {shown(task.name)} has {field} below zero, which means"
                " nothing.",
                task.where("retryPolicy", field),
                value,
                hint="Set it to zero or more, or remove the policy.",
            )
    limit = get(get(task.spec, "iteratorPolicy"), "parallelismLimit")
    if limit in (None, 0, "0"):
        return
    path = task.where("iteratorPolicy", "parallelismLimit")
    if not task.is_iterated:
        reason = "is no loop, so its parallelismLimit is ignored"
    elif isinstance(limit, (int, float)) and limit < 0:
        reason = "has a parallelismLimit below zero, which KFP ignores"
    else:
        return
    report.add(
        registry.ITERATOR_POLICY_IGNORED,
        f"task {shown(task.name)} {reason}.",
        path,
        limit,
        hint="Remove iteratorPolicy, or make it a positive number on a loop.",
    )
