"""Applies a folder of manifests to a cluster: Pipelines before their versions, older versions first."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from kfp_k8s_manifest import releases
from kfp_k8s_manifest.cluster import (
    PIPELINE_VERSIONS,
    PIPELINES,
    ApiError,
    Client,
    ResourceType,
    operations,
    requests,
)
from kfp_k8s_manifest.errors import ClusterError, KfpK8sError, SourceError
from kfp_k8s_manifest.gitops.changes import differences
from kfp_k8s_manifest.migration.folder import ManifestFolder
from kfp_k8s_manifest.migration.groups import Item, group
from kfp_k8s_manifest.migration.objects import ORIGINAL_ID, refusals
from kfp_k8s_manifest.migration.pace import FirstSecond, run_paced
from kfp_k8s_manifest.model.kinds import PIPELINE
from kfp_k8s_manifest.model.trees import mapping_at, string_at

__all__ = ["Applied", "ApplyOptions", "apply_folder"]

_ATTEMPTS: Final = 6
_PAUSE: Final = 0.3
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
# KFP's webhook looks into a copy of the cluster, which learns of a new Pipeline a moment later.
_NOT_KNOWN_YET: Final = "doesn't map to an existing Pipeline object"
_CONFLICT: Final = 409
# After so many in a row to which the cluster did not answer at all there is no use in going on.
_SILENCE: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyOptions:
    """How a folder is applied.

    Attributes:
        folder: The folder.
        namespace: The namespace of objects that name none.
        field_manager: Who owns the fields.
        force: True to take over fields that somebody else owns with another value.
        dry_run: True to change nothing.
        target: The KFP release of the cluster, for what a dry run can only check offline.
        concurrency: How many requests are under way at a time.
    """

    folder: str
    namespace: str
    field_manager: str = "kfp-k8s"
    force: bool = False
    dry_run: bool = True
    target: str = "2.17"
    concurrency: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What has become of an object.

    Attributes:
        verdict: `created`, `updated`, `unchanged` or `failed`.
        kind: Its kind.
        namespace: Its namespace.
        name: Its name.
        path: Its file.
        text: Why it failed, or "".
        uid: Its uid in the cluster, or "".
    """

    verdict: str
    kind: str
    namespace: str
    name: str
    path: str
    text: str = ""
    uid: str = ""


@dataclass(slots=True, kw_only=True)
class _Group:
    """A Pipeline and its versions, the oldest first.

    Attributes:
        namespace: The namespace that they go to.
        items: They.
        failed: True where the Pipeline could not be applied.
        is_new: True where the Pipeline was created by this run, or a dry run would have created it.
    """

    namespace: str
    items: list[Item]
    failed: bool = False
    is_new: bool = False


def apply_folder(
    connect: Callable[[], Client],
    options: ApplyOptions,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
    on_applied: Callable[[Applied], None] = lambda _applied: None,
) -> list[Applied]:
    """Apply what is not there yet; go on after failures.

    Args:
        connect: Makes a client; each thread has its own.
        options: How.
        on_progress: Told how many objects are done, and how many there are.
        on_applied: Told what has become of each object, as soon as it is known.

    Returns:
        What has become of each object: a Pipeline, then its versions by age.

    Raises:
        KfpK8sError: The folder cannot be read.
    """
    with ManifestFolder(options.folder, "applied") as folder:
        groups = [
            _Group(namespace=namespace, items=items)
            for namespace, _, items in group(folder, lambda own: own or options.namespace)
        ]
        work = _Apply(connect, folder, options, on_applied)
        tasks = [[(each, item) for item in each.items] for each in groups]
        try:
            run_paced(tasks, work.carry, concurrency=options.concurrency, on_progress=on_progress)
        finally:
            work.close()
    return [work.done[item] for each in groups for item in each.items]


class _Apply:
    def __init__(
        self,
        connect: Callable[[], Client],
        folder: ManifestFolder,
        options: ApplyOptions,
        on_applied: Callable[[Applied], None],
    ) -> None:
        self._connect, self._folder, self._options = connect, folder, options
        self._on_applied = on_applied
        self._own = threading.local()
        self._clients: list[Client] = []
        self._first_second = FirstSecond()
        self._silent = 0
        self.done: dict[Item, Applied] = {}

    def close(self) -> None:
        """Close all connections."""
        for each in self._clients:
            each.close()

    def carry(self, task: tuple[_Group, Item]) -> bool:
        """Apply an object; return True where it was created, so that the next must wait.

        Raises:
            ClusterError: The cluster has not answered several times in a row.
        """
        group, item = task
        result = Applied(
            verdict="failed",
            kind=item.names.kind,
            namespace=group.namespace,
            name=item.names.object_name,
            path=item.path,
        )
        try:
            result = self._carried(group, item, result)
        except (ClusterError, SourceError) as error:
            self._give_up(error)
            result = replace(result, text=str(error))
        self.done[item] = result
        self._on_applied(result)
        created = result.verdict == "created"
        if result.kind == PIPELINE:
            group.failed = result.verdict == "failed"
            group.is_new = created
        return created and not self._options.dry_run and result.kind != PIPELINE

    def _give_up(self, error: KfpK8sError) -> None:
        """Go no further where the cluster does not answer any more."""
        if isinstance(error, ApiError) or not isinstance(error, ClusterError):
            return
        self._silent += 1
        if self._silent >= _SILENCE:
            raise ClusterError(
                f"{error}. The cluster does not answer: run the command again later; what is applied"
                " already is not sent again"
            ) from error

    def _carried(self, group: _Group, item: Item, result: Applied) -> Applied:
        if group.failed:
            raise SourceError("its Pipeline could not be applied")
        obj = self._folder.load(item.path, item.names)
        resource = PIPELINES if result.kind == PIPELINE else PIPELINE_VERSIONS
        request = requests.get(resource, result.name, namespace=result.namespace)
        there = self._patiently(lambda client: client.run(operations.find(request)))
        if there is not None:
            _refuse_another(there, obj)
        if there is not None and _has(there, obj):
            return replace(result, verdict="unchanged", uid=string_at(there, "metadata", "uid"))
        if self._options.dry_run and group.is_new and result.kind != PIPELINE:
            # The cluster would look for the Pipeline, which a dry run has not created.
            self._check(obj)
            return replace(result, verdict="created")
        if not (self._options.dry_run or there or group.is_new or result.kind == PIPELINE):
            self._first_second.wait()
        stored = self._send(resource, result.namespace, obj)
        return replace(
            result,
            verdict="created" if there is None else "updated",
            uid="" if self._options.dry_run else string_at(stored, "metadata", "uid"),
        )

    def _check(self, obj: Mapping[str, Any]) -> None:
        for each in refusals(obj, releases.target(self._options.target)):
            raise SourceError(f"the cluster would reject it: {each.message} ({each.rule})")

    def _send(
        self, resource: ResourceType, namespace: str, obj: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        request = requests.apply(
            resource,
            obj,
            namespace=namespace,
            field_manager=self._options.field_manager,
            force=self._options.force,
            dry_run=self._options.dry_run,
        )
        try:
            stored: Mapping[str, Any] = self._patiently(lambda client: client.send(request))
        except ApiError as error:
            if error.code != _CONFLICT or self._options.force:
                raise
            raise SourceError(
                f"{error.server_message}; --force-conflicts takes the fields over"
            ) from error
        return stored

    def _patiently(self, ask: Callable[[Client], Any]) -> Any:
        """Ask the cluster, again where it fails in passing; applying twice is as good as once."""
        attempt = 1
        while True:
            try:
                answer = ask(self._client())
                self._silent = 0
                return answer
            except ApiError as error:
                # Who refuses has answered.
                self._silent = 0
                passing = error.code in _AGAIN or _NOT_KNOWN_YET in error.server_message
                if not passing or attempt == _ATTEMPTS:
                    raise
            except ClusterError:
                if attempt == _ATTEMPTS:
                    raise
            time.sleep(_PAUSE * attempt)
            attempt += 1

    def _client(self) -> Client:
        found: Client | None = getattr(self._own, "client", None)
        if found is None:
            found = self._own.client = self._connect()
            self._clients.append(found)
        return found


def _refuse_another(there: Mapping[str, Any], obj: Mapping[str, Any]) -> None:
    """Refuse to change what is another object than the manifest's.

    Raises:
        SourceError: It is.
    """
    ids = [string_at(each, "metadata", "annotations", ORIGINAL_ID) for each in (obj, there)]
    if all(ids) and ids[0] != ids[1]:
        raise SourceError(
            f"the name is taken by another, whose id was {ids[1]}: rename one of them"
        )
    if string_at(obj, "kind") == PIPELINE:
        return
    wanted, stored = mapping_at(obj, "spec"), mapping_at(there, "spec")
    for key in ("pipelineName", "pipelineSpec", "platformSpec"):
        if list(differences(stored.get(key), wanted.get(key), ())):
            raise SourceError(
                f"the cluster has a version of this name with another spec.{key}, and a version is"
                " immutable: give this one another name"
            )


def _has(there: Mapping[str, Any], obj: Mapping[str, Any]) -> bool:
    """Tell whether a stored object says all that a manifest says."""
    for key in ("labels", "annotations"):
        stored = mapping_at(there, "metadata", key)
        if any(
            stored.get(name) != value for name, value in mapping_at(obj, "metadata", key).items()
        ):
            return False
    # A field that the manifest does not state is not compared: its content belongs to others.
    wanted = mapping_at(obj, "spec")
    stored = {key: value for key, value in mapping_at(there, "spec").items() if key in wanted}
    return not list(differences(stored, wanted, ()))
