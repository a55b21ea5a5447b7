"""What a cluster holds that git has no more: a pure plan of what is removed and what has to stay.

Argo CD does not prune objects with owner references, which KFP's webhook gives to versions. Only what
a build has made is looked at, which the annotation of a version's age tells.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.model.age import SEQUENCE
from kfp_k8s_manifest.model.kinds import PIPELINE, PIPELINE_VERSION
from kfp_k8s_manifest.model.trees import string_at

__all__ = ["Doomed", "Inventory", "PrunePlan", "inventory_of", "plan_prune"]

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What git has.

    Attributes:
        pipelines: The names of Pipelines.
        versions: The names of PipelineVersions.
        pins: Names of versions that stay in the cluster whatever git has.
        namespaces: The namespaces that the objects name; none where whoever applies them decides.
    """

    pipelines: frozenset[str]
    versions: frozenset[str]
    pins: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()

    def namespace(self, asked: str | None) -> str | None:
        """Return the namespace in which git's objects are looked for; None where nothing tells it.

        Args:
            asked: The one that was asked for.

        Raises:
            UsageError: It is none of theirs: all that the cluster has there would seem to be gone.
        """
        theirs = ", ".join(sorted(self.namespaces))
        if asked is not None:
            if self.namespaces and asked not in self.namespaces:
                raise UsageError(
                    f"the manifests are of namespace {theirs}, so they do not tell what namespace"
                    f" {asked!r} should have; name the folder that is deployed there"
                )
            return asked
        if len(self.namespaces) > 1:
            raise UsageError(
                f"the manifests are of several namespaces; name one with --namespace: {theirs}"
            )
        return next(iter(self.namespaces), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doomed:
    """An object that git has no more.

    Attributes:
        kind: `PipelineVersion` or `Pipeline`.
        namespace: Its namespace.
        name: Its name.
        uid: Its uid: another object of its name is not meant.
        keeps: Why it has to stay, or "".
    """

    kind: str
    namespace: str
    name: str
    uid: str
    keeps: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunePlan:
    """What is removed, in order, and what has to stay though git has it no more.

    Attributes:
        removed: Versions first, then Pipelines.
        kept: What has to stay, each with its reason.
    """

    removed: tuple[Doomed, ...]
    kept: tuple[Doomed, ...]


def inventory_of(objects: Iterable[Any], *, pins: Collection[str] = ()) -> Inventory:
    """Return what a tree of manifests holds, by name.

    Args:
        objects: JSON trees; those of other kinds are passed over.
        pins: Names of versions that stay whatever git has.
    """
    names: dict[str, set[str]] = {PIPELINE: set(), PIPELINE_VERSION: set()}
    namespaces = set()
    for each in objects:
        kind = each.get("kind") if isinstance(each, Mapping) else None
        if kind in names:
            names[str(kind)].add(string_at(each, "metadata", "name"))
            namespaces.add(string_at(each, "metadata", "namespace"))
    return Inventory(
        pipelines=frozenset(names[PIPELINE]),
        versions=frozenset(names[PIPELINE_VERSION]),
        pins=frozenset(pins),
        namespaces=frozenset(filter(None, namespaces)),
    )


def plan_prune(
    inventory: Inventory,
    *,
    pipelines: Sequence[Mapping[str, Any]],
    versions: Sequence[Mapping[str, Any]],
    recurring_runs: Sequence[Mapping[str, Any]],
) -> PrunePlan:
    """Return what of a namespace's objects git has no more.

    Args:
        inventory: What git has.
        pipelines: The Pipelines of the cluster.
        versions: The PipelineVersions of the cluster.
        recurring_runs: The ScheduledWorkflows of the cluster.
    """
    runs = {
        text: string_at(each, "metadata", "name")
        for each in recurring_runs
        for text in _strings(each)
    }
    found: list[Doomed] = []
    staying: dict[str, str] = {}
    for each in sorted(versions, key=lambda item: string_at(item, "metadata", "name")):
        name, owner = string_at(each, "metadata", "name"), string_at(each, "spec", "pipelineName")
        if name in inventory.versions:
            staying.setdefault(owner, f"git has its version {name}")
            continue
        if not string_at(each, "metadata", "annotations", SEQUENCE):
            staying.setdefault(owner, f"its version {name} was not made by a build")
            continue
        keeps = _keeps(each, inventory, runs)
        if keeps:
            staying.setdefault(owner, f"its version {name} stays")
        found.append(_doomed(each, PIPELINE_VERSION, keeps))
    doomed_owners = {
        string_at(each, "spec", "pipelineName")
        for each in versions
        if any(item.name == string_at(each, "metadata", "name") for item in found)
    }
    for each in sorted(pipelines, key=lambda item: string_at(item, "metadata", "name")):
        name = string_at(each, "metadata", "name")
        # A Pipeline carries no mark of a build; its versions tell whose it is.
        if name in inventory.pipelines or name not in doomed_owners:
            continue
        keeps = staying.get(name, "") or _keeps(each, inventory, runs)
        found.append(_doomed(each, PIPELINE, keeps))
    return PrunePlan(
        removed=tuple(each for each in found if not each.keeps),
        kept=tuple(each for each in found if each.keeps),
    )


def _keeps(obj: Mapping[str, Any], inventory: Inventory, runs: Mapping[str, str]) -> str:
    name, uid = string_at(obj, "metadata", "name"), string_at(obj, "metadata", "uid")
    if name in inventory.pins:
        return "it is pinned"
    if uid and uid in runs:
        return f"the recurring run {runs[uid]} uses it"
    return ""


def _doomed(obj: Mapping[str, Any], kind: str, keeps: str) -> Doomed:
    return Doomed(
        kind=kind,
        namespace=string_at(obj, "metadata", "namespace"),
        name=string_at(obj, "metadata", "name"),
        uid=string_at(obj, "metadata", "uid"),
        keeps=keeps,
    )


def _strings(tree: Any) -> Iterator[str]:
    """Yield the strings of a recurring run but its own metadata: ids stand in many places."""
    stack = [value for key, value in tree.items() if key != "metadata"]
    labels = tree.get("metadata")
    if isinstance(labels, Mapping):
        stack += [labels.get("labels"), labels.get("annotations")]
    while stack:
        value = stack.pop()
        if isinstance(value, Mapping):
            stack += value.values()
        elif isinstance(value, list):
            stack += value
        elif isinstance(value, str):
            yield value
            # Parameters and runtime configuration may hold an id within a text.
            if len(value) > 36:
                yield from _UUID.findall(value)
