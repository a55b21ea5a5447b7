"""KFP's mutating webhook for PipelineVersions: what it demands, and what follows from what it sets.

It looks up the Pipeline that `spec.pipelineName` names in the object's namespace, sets labels and
an owner reference, and leaves the API server to reject a label that this makes invalid.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from kfp_k8s_manifest import naming
from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.mutation import is_pipeline
from kfp_k8s_manifest.checks.server.names import label_value_message
from kfp_k8s_manifest.checks.words import (
    finding,
    json_type,
    listed,
    shown,
    text_at,
    value_at,
)
from kfp_k8s_manifest.findings import ABSENT, Finding
from kfp_k8s_manifest.model.kinds import API_VERSION, PIPELINE, PIPELINE_ID_LABEL, PIPELINE_LABEL
from kfp_k8s_manifest.releases import Release, Target

__all__ = [
    "KnownPipelines",
    "check_lookup",
    "check_mutating",
]

_NOT_FOUND: Final = "The spec.pipelineName doesn't map to an existing Pipeline object"


class KnownPipelines(NamedTuple):
    """The Pipelines that exist as far as an offline check knows.

    Attributes:
        in_set: Namespace and name of the Pipelines that are checked together; the namespace is ""
            where the manifest names none.
        names: Names that are known in whatever namespace.
        assume: True where every Pipeline is taken to exist.
    """

    # No dataclass: making one takes a millisecond at every start of the command.
    in_set: frozenset[tuple[str, str]] = frozenset()
    names: frozenset[str] = frozenset()
    assume: bool = False

    @classmethod
    def of(
        cls,
        objects: Iterable[Any] = (),
        *,
        known: Iterable[str] = (),
        assume: bool = False,
    ) -> KnownPipelines:
        """Collect the Pipelines among objects, and those given by name.

        Args:
            objects: JSON trees of any kind.
            known: Names such as `train`, or with a namespace, such as `team-a/train`.
            assume: True where every Pipeline is taken to exist.
        """
        in_set = {
            (text_at(obj, "metadata", "namespace"), text_at(obj, "metadata", "name"))
            for obj in objects
            if text_at(obj, "kind") == PIPELINE and text_at(obj, "apiVersion") == API_VERSION
        }
        names = set()
        for each in known:
            namespace, slash, name = each.rpartition("/")
            if slash:
                in_set.add((namespace, name))
            else:
                names.add(name)
        return cls(in_set=frozenset(in_set), names=frozenset(names), assume=assume)


def check_mutating(
    obj: Mapping[str, Any], pipelines: KnownPipelines, target: Target
) -> list[Finding]:
    """Check what the mutating webhook demands of a PipelineVersion, and what it will set.

    Args:
        obj: A PipelineVersion.
        pipelines: The Pipelines that exist.
        target: The releases whose webhooks count.
    """
    name = value_at(obj, "spec", "pipelineName")
    if name is ABSENT or name is None or name == "":
        return [_no_name(obj, name)]
    if not isinstance(name, str):
        # The schema's finding says so already; the webhook cannot read the object either.
        return []
    problems = naming.object_name_problems(name)
    if problems:
        return [
            finding(
                registry.PIPELINE_NOT_FOUND,
                ("spec", "pipelineName"),
                f"{shown(name)} cannot be the name of a Pipeline: it {problems[0]}.",
                value=name,
                hint="Write the metadata.name of the Pipeline, not its display name.",
                cluster_message=_NOT_FOUND,
            )
        ]
    return [
        *check_lookup(obj, pipelines),
        *_label(name, target),
        *_overwritten(obj, name, target),
    ]


def _no_name(obj: Mapping[str, Any], name: Any) -> Finding:
    spec = value_at(obj, "spec")
    no_spec = spec is ABSENT or spec is None
    if no_spec:
        text = "is missing, and with it spec.pipelineName,"
    else:
        text = "is empty," if name == "" else "is null," if name is None else "is missing,"
    return finding(
        registry.PIPELINE_NOT_FOUND,
        ("spec",) if no_spec else ("spec", "pipelineName"),
        f"{text} so that no Pipeline is found; it must be the metadata.name of a Pipeline in the"
        " same namespace.",
        value=name,
        hint="Write the metadata.name of the Pipeline, such as 'train'.",
        cluster_message="Failed to get the Pipeline ",
    )


def check_lookup(obj: Mapping[str, Any], pipelines: KnownPipelines) -> Iterator[Finding]:
    """Check whether the Pipeline of a PipelineVersion exists: the part that hangs on the others.

    Args:
        obj: A PipelineVersion; one whose `spec.pipelineName` names no Pipeline by its form has no
            finding here, since `check_mutating` has one.
        pipelines: The Pipelines that exist.
    """
    name = text_at(obj, "spec", "pipelineName")
    if not name or naming.object_name_problems(name):
        return
    namespace = text_at(obj, "metadata", "namespace")
    if pipelines.assume or name in pipelines.names or (namespace, name) in pipelines.in_set:
        return
    elsewhere = sorted(where for where, other in pipelines.in_set if other == name)
    if elsewhere and (not namespace or "" in elsewhere):
        # One of the two takes its namespace from the command that applies it.
        there = elsewhere[0]
        whose = "the Pipeline" if namespace else "this object"
        yield finding(
            registry.PIPELINE_NAMESPACE,
            ("spec", "pipelineName"),
            f"{shown(name)} is a Pipeline in namespace {shown(namespace or there)}, but {whose} names"
            f" no namespace: it is found only if both are applied to {shown(namespace or there)}.",
            value=name,
            hint="Write metadata.namespace in both, or in neither.",
            cluster_message=_NOT_FOUND,
        )
        return
    place = f"namespace {shown(namespace)}" if namespace else "the same namespace"
    found = f" (one exists in {listed(map(shown, elsewhere))})" if elsewhere else ""
    yield finding(
        registry.PIPELINE_NOT_FOUND,
        ("spec", "pipelineName"),
        f"{shown(name)} is no Pipeline in {place}{found}; the webhook looks it up when the object"
        " is created.",
        value=name,
        hint="Add the Pipeline to what is checked, or name it with --known-pipeline"
        f" {name}; --assume-pipelines takes every Pipeline to exist.",
        cluster_message=_NOT_FOUND,
    )


def _label(name: str, target: Target) -> Iterator[Finding]:
    if len(name) <= naming.MAX_LABEL:
        # A name that is valid for an object and no longer than a label is a valid label.
        return
    broken: dict[str, list[Release]] = {}
    for release in target.releases:
        value = release.pipeline_label(name)
        if value is not None and naming.label_value_problems(value):
            broken.setdefault(value, []).append(release)
    for value, releases in broken.items():
        names = ", ".join(release.name for release in releases)
        if len(value) > naming.MAX_LABEL:
            why = f"is longer than the {naming.MAX_LABEL} bytes that a label may have"
        else:
            why = f"cut to {naming.MAX_LABEL} bytes ends in {value[-1]!r}, which a label may not"
        yield finding(
            registry.PIPELINE_LABEL,
            ("spec", "pipelineName"),
            f"{shown(name)} {why}; the webhook of KFP {names} sets it as label"
            f" {PIPELINE_LABEL!r}, and the API server then rejects the object.",
            value=name,
            hint=f"Give the Pipeline a name of at most {naming.MAX_LABEL} characters.",
            cluster_message=label_value_message(value),
        )


def _overwritten(obj: Mapping[str, Any], name: str, target: Target) -> Iterator[Finding]:
    """Find labels and owner references of the author that the webhook replaces."""
    labels = value_at(obj, "metadata", "labels")
    for key in (PIPELINE_LABEL, PIPELINE_ID_LABEL) if isinstance(labels, dict) else ():
        given = labels.get(key)
        if given is None:
            continue
        if key == PIPELINE_LABEL and given in {r.pipeline_label(name) for r in target.releases}:
            continue
        if isinstance(given, str) and not (key == PIPELINE_LABEL and target.kep):
            yield finding(
                registry.WEBHOOK_OVERWRITES,
                ("metadata", "labels", key),
                f"{shown(given)} is replaced by the webhook, so that the object in the cluster"
                " always differs from the manifest.",
                value=given,
                hint="Remove the label.",
            )
    references = value_at(obj, "metadata", "ownerReferences")
    for index, reference in enumerate(references if isinstance(references, list) else ()):
        if not is_pipeline(reference):
            continue
        given = reference.get("name")
        if given not in (name, "", None) and json_type(given) == "string":
            yield finding(
                registry.WEBHOOK_OVERWRITES,
                ("metadata", "ownerReferences", index, "name"),
                f"{shown(given)} is replaced by the webhook: the owner becomes the Pipeline"
                f" {name!r} of spec.pipelineName.",
                value=given,
                hint="Remove the owner reference; the webhook adds it.",
            )
        return
