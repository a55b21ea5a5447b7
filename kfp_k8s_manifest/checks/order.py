"""The checks of an object and of a set, composed in the cluster's order.

The first error is the one that the cluster would report: a request that is too large is not read;
what cannot be decoded meets no rule; the mutating webhook comes before the metadata and the CRD's
schema, these before the validating webhook, and storage comes last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kfp_k8s_manifest import releases
from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.lint import lint
from kfp_k8s_manifest.checks.lint.untyped import check_untyped
from kfp_k8s_manifest.checks.server.crd import check_crd
from kfp_k8s_manifest.checks.server.decode import check_type_meta, decode_metadata
from kfp_k8s_manifest.checks.server.emptied import check_emptied
from kfp_k8s_manifest.checks.server.metadata import check_metadata
from kfp_k8s_manifest.checks.server.next_line import check_next_line
from kfp_k8s_manifest.checks.server.size import check_size
from kfp_k8s_manifest.checks.server.unknown import check_unknown
from kfp_k8s_manifest.checks.sets import check_bundle, check_kep
from kfp_k8s_manifest.checks.webhook.mutating import KnownPipelines, check_mutating
from kfp_k8s_manifest.checks.webhook.specs import check_specs
from kfp_k8s_manifest.checks.webhook.update import check_update
from kfp_k8s_manifest.checks.words import described, finding, text_at, value_at
from kfp_k8s_manifest.findings import ABSENT, Finding
from kfp_k8s_manifest.model.kinds import (
    GROUP,
    KINDS,
    PIPELINE_ID_LABEL,
    PIPELINE_LABEL,
    PIPELINE_VERSION,
)
from kfp_k8s_manifest.releases import Target

__all__ = ["ObjectContext", "check_each", "check_object", "check_objects", "is_ours"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectContext:
    """What an object is checked against.

    Attributes:
        target: The releases that count.
        pipelines: The Pipelines that exist.
        lint: True where what the webhook does not look at is checked as well.
    """

    target: Target = field(default_factory=lambda: releases.target(releases.DEFAULT_TARGET))
    pipelines: KnownPipelines = field(default_factory=KnownPipelines)
    lint: bool = True


def is_ours(obj: Any) -> bool:
    """Tell whether an object is for these checks: of KFP's group, or of a kind without a group.

    An object of one of the kinds whose `apiVersion` is missing or no string counts as well, since
    it was meant to be one; a `Pipeline` of another group, such as Tekton's, does not.
    """
    if not isinstance(obj, dict):
        return False
    api_version, kind = obj.get("apiVersion"), obj.get("kind")
    if isinstance(api_version, str) and api_version:
        return api_version == GROUP or api_version.startswith(f"{GROUP}/")
    return kind in KINDS if isinstance(kind, str) else False


def check_object(obj: Any, context: ObjectContext | None = None) -> list[Finding]:
    """Check one object by itself: all but what concerns other objects or an earlier state.

    Args:
        obj: A JSON tree.
        context: What it is checked against; None for the default target, with no
            Pipeline known.

    Returns:
        The findings in the cluster's order, each with the object's kind, namespace and name.
    """
    context = context or ObjectContext()
    if not isinstance(obj, dict):
        return [
            finding(
                registry.OBJECT_TYPE,
                (),
                f"A manifest must be an object with apiVersion, kind, metadata and spec, not"
                f" {described(obj)}.",
                value=obj,
            )
        ]
    return _filled(obj, _check(obj, context))


def check_objects(
    objects: Sequence[Any],
    *,
    target: Target,
    known_pipelines: Iterable[str] = (),
    assume_pipelines: bool = False,
    previous: Sequence[Any] = (),
    lint: bool = True,
) -> list[Finding]:
    """Check objects that are applied together.

    Args:
        objects: JSON trees, all of which `is_ours` holds for.
        target: The releases that count.
        known_pipelines: Pipelines that exist in the cluster: `name`, or `namespace/name`.
        assume_pipelines: True where every Pipeline is taken to exist.
        previous: The previous states of objects: JSON trees of any kind. What has the kind,
            namespace and name of one of them is checked as its update.
        lint: True where what the webhook does not look at is checked as well.

    Returns:
        All findings, object by object, each with the object's kind, namespace and name.
    """
    found = check_each(
        objects,
        target=target,
        known_pipelines=known_pipelines,
        assume_pipelines=assume_pipelines,
        previous=previous,
        lint=lint,
    )
    return [each for findings in found for each in findings]


def check_each(
    objects: Sequence[Any],
    *,
    target: Target,
    known_pipelines: Iterable[str] = (),
    assume_pipelines: bool = False,
    previous: Sequence[Any] = (),
    lint: bool = True,
) -> list[list[Finding]]:
    """Check objects that are applied together, as `check_objects` does, and tell them apart.

    Returns:
        The findings of each object, in the order of the objects.
    """
    pipelines = KnownPipelines.of(
        (*objects, *previous), known=known_pipelines, assume=assume_pipelines
    )
    context = ObjectContext(target=target, pipelines=pipelines, lint=lint)
    earlier = {_identity(each): each for each in previous if text_at(each, "metadata", "name")}
    together = check_bundle(objects, target)
    findings = []
    for index, obj in enumerate(objects):
        own = check_object(obj, context)
        before = earlier.get(_identity(obj))
        others = list(together[index])
        if before is not None and isinstance(obj, dict):
            others += check_update(before, obj, target)
            others += check_emptied(before, obj)
        findings.append([*own, *(_filled(obj, others) if others else ())])
    return findings


def _identity(obj: Any) -> tuple[str, str, str]:
    return (
        text_at(obj, "kind"),
        text_at(obj, "metadata", "namespace"),
        text_at(obj, "metadata", "name"),
    )


def _filled(obj: Mapping[str, Any], findings: Iterable[Finding]) -> list[Finding]:
    kind, namespace, name = _identity(obj)
    return [replace(each, kind=kind, namespace=namespace, name=name) for each in findings]


def _check(obj: dict[str, Any], context: ObjectContext) -> Iterator[Finding]:
    sizes = check_size(obj)
    # A request that is too large is not even read; the other limits are met at the end.
    yield from (each for each in sizes if each.rule == registry.SIZE_REQUEST.id)
    wrong_type = check_type_meta(obj)
    yield from wrong_type
    kind = obj.get("kind")
    if wrong_type and kind not in KINDS:
        return
    kind = str(kind)
    decoded = decode_metadata(obj)
    yield from decoded.findings
    yield from check_unknown(obj, kind, context.target, in_metadata=decoded.unknown)
    if kind == PIPELINE_VERSION:
        yield from check_mutating(obj, context.pipelines, context.target)
    if not decoded.findings:
        yield from _without_overwritten(check_metadata(decoded.values), kind, context.target)
        yield from check_crd(obj, kind, context.target)
    yield from check_next_line(obj)
    if kind == PIPELINE_VERSION:
        yield from _check_content(obj, context)
        yield from check_kep(obj, context.target)
    yield from (each for each in sizes if each.rule != registry.SIZE_REQUEST.id)


def _without_overwritten(
    findings: Iterable[Finding], kind: str, target: Target
) -> Iterator[Finding]:
    """Leave out labels that the webhook replaces before the API server looks at them."""
    replaced = () if kind != PIPELINE_VERSION else (PIPELINE_LABEL, PIPELINE_ID_LABEL)
    for each in findings:
        overwritten = each.rule == registry.METADATA_LABEL_VALUE.id and each.path[-1] in replaced
        if overwritten and not (target.kep and each.path[-1] == PIPELINE_LABEL):
            continue
        yield each


def _check_content(obj: Mapping[str, Any], context: ObjectContext) -> Iterator[Finding]:
    """Check the pipeline and platform specs: the validating webhook, and beyond it."""
    pipeline_spec = value_at(obj, "spec", "pipelineSpec")
    if pipeline_spec is ABSENT or pipeline_spec is None:
        # The schema or the mutating webhook has rejected the object before.
        return
    platform_spec = value_at(obj, "spec", "platformSpec")
    yield from check_specs(pipeline_spec, platform_spec, context.target)
    if context.lint:
        platform_spec = None if platform_spec is ABSENT else platform_spec
        yield from check_untyped(pipeline_spec, platform_spec, context.target)
        yield from lint(pipeline_spec, platform_spec)
