"""Applies a folder of manifests to a cluster: in order, past failures, and again without a change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from kfp_k8s_manifest.checks.order import ObjectContext, check_object
from kfp_k8s_manifest.checks.webhook.mutating import KnownPipelines
from kfp_k8s_manifest.cluster import PIPELINE_VERSIONS, PIPELINES, ApiError, Client, requests
from kfp_k8s_manifest.cluster.operations import find
from kfp_k8s_manifest.errors import ClusterError, KfpK8sError, SourceError
from kfp_k8s_manifest.findings import Severity
from kfp_k8s_manifest.migration.folder import Found, read_file, read_folder
from kfp_k8s_manifest.migration.objects import ORIGINAL_ID
from kfp_k8s_manifest.migration.pace import Pace, Step, rounds
from kfp_k8s_manifest.model.age import sequence_of
from kfp_k8s_manifest.model.kinds import PIPELINE
from kfp_k8s_manifest.model.trees import string_at
from kfp_k8s_manifest.releases import Target

__all__ = ["Action", "Applied", "Applier"]

Action = Literal["created", "changed", "unchanged", "skipped", "failed"]
"""What has become of an object; in a dry run, what would become of it."""

# After so many in a row to which the cluster did not answer at all there is no use in going on.
_SILENCE: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What has become of an object.

    Attributes:
        action: What was done.
        kind: Its kind.
        namespace: Its namespace.
        name: Its name.
        where: Its file, from the folder.
        uid: Its uid, or "" where it is not there.
        reason: Why it was not applied, or what could not be tried in a dry run; else "".
    """

    action: Action
    kind: str
    namespace: str
    name: str
    where: str
    uid: str = ""
    reason: str = ""


class Applier:
    """Applies the objects of a folder.

    Args:
        client: The cluster.
        folder: The folder.
        namespace: Where objects go that name no namespace.
        target: The releases by whose rules is checked what a dry run cannot ask the cluster about.
        field_manager: Who owns the fields.
        force: True to take fields over that somebody else owns.
        dry_run: True to store nothing.
        clock: A clock that does not go back, in seconds.
        sleep: Waits for so many seconds.
    """

    def __init__(
        self,
        client: Client,
        folder: str,
        *,
        namespace: str,
        target: Target,
        field_manager: str = "kfp-k8s",
        force: bool = False,
        dry_run: bool = True,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._folder, self._namespace = client, folder, namespace
        self._target, self._manager, self._force = target, field_manager, force
        self._dry_run, self._clock, self._sleep = dry_run, clock, sleep
        self._pace = Pace()
        self._read: tuple[str, dict[tuple[str, str, str], Found]] = ("", {})
        # What a version needs to know of its pipeline: whether it is there, or why not.
        self._pipelines: dict[tuple[str, str], Action] = {}
        self._silent = 0
        self.count = 0

    def run(self) -> Iterator[Applied]:
        """Apply all: the pipelines, then their versions by age. Yield what becomes of each.

        Raises:
            SourceError: The folder cannot be read.
            ClusterError: The cluster does not answer any more.
        """
        pipelines: list[Step] = []
        versions: list[Step] = []
        for found in read_folder(self._folder):
            is_pipeline = found.kind == PIPELINE
            owner = found.name if is_pipeline else string_at(found.object, "spec", "pipelineName")
            step = Step(
                owner=(self._place(found.object), owner),
                age=sequence_of(found.object),
                name=found.name,
                where=found.path,
            )
            (pipelines if is_pipeline else versions).append(step)
        self.count = len(pipelines) + len(versions)
        for step in sorted(pipelines, key=lambda each: each.owner):
            applied = self._apply(step, self._load(step, PIPELINES.kind))
            self._pipelines[step.owner] = applied.action
            yield applied
        for step in rounds(versions):
            yield self._apply(step, self._load(step, PIPELINE_VERSIONS.kind))

    def _place(self, obj: Mapping[str, Any]) -> str:
        return string_at(obj, "metadata", "namespace") or self._namespace

    def _load(self, step: Step, kind: str) -> Mapping[str, Any]:
        """Read an object once more: there may be more of them than fit into memory."""
        path, objects = self._read
        if path != step.where:
            objects = {
                (each.kind, self._place(each.object), each.name): each
                for each in read_file(self._folder, step.where)
            }
            self._read = (step.where, objects)
        found = objects.get((kind, step.owner[0], step.name))
        if found is None:
            raise SourceError(f"{self._folder}/{step.where} has changed while it was applied")
        return found.object

    def _apply(self, step: Step, obj: Mapping[str, Any]) -> Applied:
        """Apply an object, whatever becomes of it.

        Raises:
            ClusterError: The cluster has not answered several times in a row.
        """
        try:
            applied = self._try(step, obj)
        except ApiError as error:
            self._silent = 0
            return self._result(step, obj, "failed", reason=str(error))
        except ClusterError as error:
            self._silent += 1
            if self._silent >= _SILENCE:
                raise ClusterError(
                    f"{error}. The cluster does not answer: run the command again later; what is applied"
                    " already is not sent again"
                ) from error
            return self._result(step, obj, "failed", reason=str(error))
        except KfpK8sError as error:
            return self._result(step, obj, "failed", reason=str(error))
        self._silent = 0
        return applied

    def _try(self, step: Step, obj: Mapping[str, Any]) -> Applied:
        kind = string_at(obj, "kind")
        is_pipeline = kind == PIPELINE
        if not is_pipeline and self._pipelines.get(step.owner) in ("failed", "skipped"):
            return self._result(step, obj, "skipped", reason="its Pipeline could not be applied")
        resource = PIPELINES if is_pipeline else PIPELINE_VERSIONS
        place = step.owner[0]
        there = self._client.run(find(requests.get(resource, step.name, namespace=place)))
        if there is not None:
            reason = _other(obj, there)
            if reason:
                return self._result(step, obj, "failed", there, reason=reason)
            if _holds(obj, there):
                return self._result(step, obj, "unchanged", there)
        action: Action = "created" if there is None else "changed"
        if self._dry_run and not is_pipeline and self._pipelines.get(step.owner) == "created":
            # The webhook looks for the Pipeline, which a dry run has not stored.
            return self._offline(step, obj, action)
        if not is_pipeline and there is None and not self._dry_run:
            self._sleep(self._pace.wait(step.owner, self._clock()))
        stored = self._client.send(
            requests.apply(
                resource,
                obj,
                field_manager=self._manager,
                namespace=place,
                force=self._force,
                dry_run=self._dry_run,
            )
        )
        if action == "created":
            self._pace.created(step.owner, self._clock())
        return self._result(step, obj, action, stored)

    def _offline(self, step: Step, obj: Mapping[str, Any], action: Action) -> Applied:
        context = ObjectContext(
            target=self._target, pipelines=KnownPipelines(assume=True), lint=False
        )
        errors = [
            each for each in check_object(dict(obj), context) if each.severity is Severity.ERROR
        ]
        if errors:
            first = errors[0]
            return self._result(step, obj, "failed", reason=f"{first.message} ({first.rule})")
        reason = "checked offline, since its Pipeline is not there yet"
        return self._result(step, obj, action, reason=reason)

    def _result(
        self,
        step: Step,
        obj: Mapping[str, Any],
        action: Action,
        stored: Mapping[str, Any] | None = None,
        *,
        reason: str = "",
    ) -> Applied:
        dry = self._dry_run and action == "created"
        return Applied(
            action=action,
            kind=string_at(obj, "kind"),
            namespace=step.owner[0],
            name=step.name,
            where=step.where,
            uid="" if stored is None or dry else string_at(stored, "metadata", "uid"),
            reason=reason,
        )


def _other(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    """Return why what is there is another object, which must not be changed; "" where it is not."""
    ids = [string_at(each, "metadata", "annotations", ORIGINAL_ID) for each in (wanted, there)]
    if all(ids) and ids[0] != ids[1]:
        return f"the name is taken by another, whose id was {ids[1]}: rename one of them"
    if string_at(wanted, "kind") == PIPELINE:
        return ""
    for key in ("pipelineName", "pipelineSpec", "platformSpec"):
        mine = wanted.get("spec", {}).get(key)
        stored = there.get("spec", {}).get(key)
        if mine is not None and not _holds(mine, stored, exactly=True):
            return f"there is a version of this name with another spec.{key}, and versions do not change"
    return ""


def _holds(wanted: Any, there: Any, *, exactly: bool = False) -> bool:
    """Tell whether an object has all that is wanted of it; `exactly` where it may have no more."""
    if isinstance(wanted, Mapping):
        if not isinstance(there, Mapping) or (exactly and len(wanted) != len(there)):
            return False
        return all(
            key in there and _holds(value, there[key], exactly=exactly)
            for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        if not isinstance(there, list) or len(wanted) != len(there):
            return False
        return all(_holds(*pair, exactly=exactly) for pair in zip(wanted, there, strict=True))
    return bool(wanted == there) and isinstance(wanted, bool) == isinstance(there, bool)
