"""Applies a folder of manifests to a cluster: in order, past failures, and again without a change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from kfp_k8s_manifest.checks.order import ObjectContext, check_object
from kfp_k8s_manifest.checks.webhook.mutating import KnownPipelines
from kfp_k8s_manifest.cluster import (
    PIPELINE_VERSIONS,
    PIPELINES,
    ApiError,
    Client,
    ClusterConfig,
    operations,
    requests,
)
from kfp_k8s_manifest.errors import ClusterError, KfpK8sError, SourceError
from kfp_k8s_manifest.findings import Severity
from kfp_k8s_manifest.migration.folder import read_file, read_folder
from kfp_k8s_manifest.migration.objects import ORIGINAL_ID
from kfp_k8s_manifest.migration.pace import SECOND, run_paced
from kfp_k8s_manifest.model.age import sequence_of
from kfp_k8s_manifest.model.kinds import PIPELINE
from kfp_k8s_manifest.model.trees import string_at
from kfp_k8s_manifest.releases import Target

__all__ = ["Applied", "ApplyOptions", "apply_folder"]

# After so many in a row to which the cluster did not answer at all there is no use in going on.
_SILENCE: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyOptions:
    """How a folder is applied.

    Attributes:
        folder: The folder.
        namespace: Where objects go that name no namespace.
        target: The releases by whose rules is checked what a dry run cannot ask the cluster about.
        field_manager: Who owns the fields.
        force: True to take fields over that somebody else owns.
        dry_run: True to store nothing.
        concurrency: How many objects are applied at a time.
    """

    folder: str
    namespace: str
    target: Target
    field_manager: str = "kfp-k8s"
    force: bool = False
    dry_run: bool = True
    concurrency: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What has become of an object; in a dry run, what would become of it.

    Attributes:
        verdict: `created`, `updated`, `unchanged` or `failed`.
        kind: Its kind.
        namespace: Its namespace.
        name: Its `metadata.name`.
        path: Its file, from the folder.
        text: Why it failed, or what a dry run could not ask the cluster about; else "".
        uid: Its uid, or "" where it is not there.
    """

    verdict: str
    kind: str
    namespace: str
    name: str
    path: str
    text: str = ""
    uid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """An object of the folder, without its content."""

    kind: str
    namespace: str
    name: str
    path: str
    age: int


@dataclass(slots=True, kw_only=True)
class _Group:
    """A pipeline and its versions, the oldest first."""

    items: list[_Item] = field(default_factory=list)
    verdict: str = ""


def apply_folder(
    config: ClusterConfig,
    options: ApplyOptions,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> list[Applied]:
    """Apply all objects of a folder.

    Args:
        config: The cluster.
        options: How.
        on_progress: Told how many objects are done, and how many there are.

    Returns:
        What has become of each, pipeline by pipeline, and of its versions by age.

    Raises:
        SourceError: The folder cannot be read.
        ClusterError: The cluster does not answer any more.
    """
    groups = _groups(options)
    work = _Apply(config, options)
    tasks = [[(group, item) for item in group.items] for group in groups]
    gap = 0.0 if options.dry_run else SECOND
    try:
        run_paced(
            tasks, work.carry, concurrency=options.concurrency, gap=gap, on_progress=on_progress
        )
    finally:
        work.close()
    return [work.outcomes[item] for group in groups for item in group.items]


def _groups(options: ApplyOptions) -> list[_Group]:
    groups: dict[tuple[str, str], _Group] = {}
    for found in read_folder(options.folder):
        namespace = string_at(found.object, "metadata", "namespace") or options.namespace
        own = found.kind == PIPELINE
        pipeline = found.name if own else string_at(found.object, "spec", "pipelineName")
        group = groups.setdefault((namespace, pipeline), _Group())
        group.items.append(
            _Item(
                kind=found.kind,
                namespace=namespace,
                name=found.name,
                path=found.path,
                age=sequence_of(found.object),
            )
        )
    for group in groups.values():
        # `Pipeline` comes before `PipelineVersion`.
        group.items.sort(key=lambda each: (each.kind, each.age, each.name))
    return [groups[key] for key in sorted(groups)]


class _Apply:
    def __init__(self, config: ClusterConfig, options: ApplyOptions) -> None:
        self._config, self._options = config, options
        self._own = threading.local()
        self._lock = threading.Lock()
        self._clients: list[Client] = []
        self._silent = 0
        self.outcomes: dict[_Item, Applied] = {}

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            client.close()

    def _client(self) -> Client:
        """Return this thread's client."""
        client: Client | None = getattr(self._own, "client", None)
        if client is None:
            client = self._own.client = Client(self._config)
            with self._lock:
                self._clients.append(client)
        return client

    def carry(self, task: tuple[_Group, _Item]) -> bool:
        """Bring an object to the cluster; return True where the next must wait for another second.

        Raises:
            ClusterError: The cluster has not answered several times in a row.
        """
        group, item = task
        failed = Applied(
            verdict="failed",
            kind=item.kind,
            namespace=item.namespace,
            name=item.name,
            path=item.path,
        )
        try:
            done = self._try(group, item, failed)
            self._silent = 0
        except KfpK8sError as error:
            done = replace(failed, text=str(error))
            # Whoever refuses has answered.
            silent = isinstance(error, ClusterError) and not isinstance(error, ApiError)
            self._silent = self._silent + 1 if silent else 0
            if self._silent >= _SILENCE:
                raise ClusterError(
                    f"{error}. The cluster does not answer: run the command again later; what is"
                    " applied already is not sent again"
                ) from error
        self.outcomes[item] = done
        if item.kind == PIPELINE:
            group.verdict = done.verdict
        # The next version must be younger, by the cluster's clock, which knows whole seconds.
        return done.verdict == "created" and item.kind != PIPELINE

    def _load(self, item: _Item) -> Mapping[str, Any]:
        """Read an object once more: there may be more of them than fit into memory."""
        for found in read_file(self._options.folder, item.path):
            namespace = string_at(found.object, "metadata", "namespace") or self._options.namespace
            if (found.kind, namespace, found.name) == (item.kind, item.namespace, item.name):
                return found.object
        raise SourceError(f"{self._options.folder}/{item.path} has changed while it was applied")

    def _try(self, group: _Group, item: _Item, done: Applied) -> Applied:
        obj = self._load(item)
        is_pipeline = item.kind == PIPELINE
        if not is_pipeline and group.verdict == "failed":
            return replace(done, text="its Pipeline could not be applied")
        resource = PIPELINES if is_pipeline else PIPELINE_VERSIONS
        client = self._client()
        asked = requests.get(resource, item.name, namespace=item.namespace)
        there = client.run(operations.find(asked))
        verdict, uid = "created", ""
        if there is not None:
            verdict, uid = "updated", string_at(there, "metadata", "uid")
            why = _other(obj, there)
            if why:
                return replace(done, text=why, uid=uid)
            if _holds(obj, there):
                return replace(done, verdict="unchanged", uid=uid)
        if self._options.dry_run and not is_pipeline and group.verdict == "created":
            # The webhook looks for the Pipeline, which a dry run has not stored.
            return self._judge(obj, done)
        stored = client.send(
            requests.apply(
                resource,
                obj,
                field_manager=self._options.field_manager,
                namespace=item.namespace,
                force=self._options.force,
                dry_run=self._options.dry_run,
            )
        )
        if not uid and not self._options.dry_run:
            uid = string_at(stored, "metadata", "uid")
        return replace(done, verdict=verdict, uid=uid)

    def _judge(self, obj: Mapping[str, Any], done: Applied) -> Applied:
        """Judge a version without the cluster."""
        context = ObjectContext(
            target=self._options.target, pipelines=KnownPipelines(assume=True), lint=False
        )
        found = check_object(dict(obj), context)
        errors = [each for each in found if each.severity is Severity.ERROR]
        if errors:
            return replace(done, text=f"{errors[0].message} ({errors[0].rule})")
        text = "checked offline, since its Pipeline is not there yet"
        return replace(done, verdict="created", text=text)


def _other(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    """Return why what is there is another object, which must not be changed; "" where it is not."""
    ids = [string_at(each, "metadata", "annotations", ORIGINAL_ID) for each in (wanted, there)]
    if all(ids) and ids[0] != ids[1]:
        return f"the name is taken by another, whose id was {ids[1]}: rename one of them"
    if string_at(wanted, "kind") == PIPELINE:
        return ""
    for key in ("pipelineName", "pipelineSpec", "platformSpec"):
        mine, stored = (each.get("spec", {}).get(key) for each in (wanted, there))
        if not _holds(mine, stored, exactly=True):
            return (
                f"there is a version of this name with another spec.{key}, and a version is immutable:"
                " give this one another name"
            )
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
