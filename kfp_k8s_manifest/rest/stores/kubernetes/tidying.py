"""Removes pipelines that were to have a first version, where the server died before it was created.

Kubernetes has no transactions: a pipeline and its first version are two objects. So the pipeline is
marked while it waits for its version, and a mark that stays for a minute says that nobody is at it any more.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from kfp_k8s_manifest.errors import ClusterError
from kfp_k8s_manifest.model.kinds import PIPELINE_ID_LABEL
from kfp_k8s_manifest.rest.errors import RestError
from kfp_k8s_manifest.rest.stores.items import PipelineItem, VersionItem
from kfp_k8s_manifest.rest.stores.kubernetes.access import Access
from kfp_k8s_manifest.rest.stores.kubernetes.conversion import owner_ids, without_mark
from kfp_k8s_manifest.serving.logs import log

__all__ = ["Tidier"]

# Longer than any server may be between creating both.
_SECONDS: Final = 60.0
_INTERVAL: Final = 20.0
# How many of many objects a line of the log names.
_NAMED: Final = 10


class Tidier:
    """Looks for marked pipelines and for versions in no list, for as long as its task runs.

    Args:
        pipelines: The Pipelines.
        versions: The PipelineVersions.
    """

    def __init__(self, pipelines: Access[PipelineItem], versions: Access[VersionItem]) -> None:
        self._pipelines = pipelines
        self._versions = versions
        self._seen: dict[str, float] = {}
        self._told: set[str] = set()

    async def run(self) -> None:
        """Go on looking."""
        while True:
            try:
                await self.look()
            except Exception:
                # Whatever it is, what comes later is to be looked at as well.
                logging.getLogger(__name__).exception("looking for what is half done failed")
            await asyncio.sleep(min(_INTERVAL, _SECONDS / 2))

    async def look(self) -> None:
        """See to what has been marked for long; times are this server's own, whose clock may differ."""
        self._tell_of_unlisted()
        now = asyncio.get_running_loop().time()
        marked = {item.id: item for item in self._pipelines.cache if item.awaits}
        self._seen = {uid: self._seen.get(uid, now) for uid in marked}
        for uid, since in self._seen.items():
            if now - since < _SECONDS:
                continue
            try:
                await self._finish(marked[uid])
            except (RestError, ClusterError) as error:
                log(
                    logging.WARNING,
                    "pipeline without its version not removed",
                    namespace=marked[uid].namespace,
                    pipeline=marked[uid].object_name,
                    reason=str(error),
                )

    def _tell_of_unlisted(self) -> None:
        """Name versions that no list shows, once: whoever applied them looks for them there."""
        unlisted = {item.id: item for item in self._versions.cache.listing("")}
        new = [item for uid, item in unlisted.items() if uid not in self._told]
        self._told = set(unlisted)
        if new:
            log(
                logging.WARNING,
                "versions are in no list of their pipeline",
                count=len(new),
                versions=sorted(f"{item.namespace}/{item.object_name}" for item in new)[:_NAMED],
                reason=f"they have no label {PIPELINE_ID_LABEL}: the mutating webhook sets it, and was"
                " not asked when they were created",
            )

    async def _finish(self, item: PipelineItem) -> None:
        """Remove the mark where there is a version after all, or else the pipeline."""
        version = await self._versions.metadata(item.namespace, item.awaits)
        versions = await self._versions.labelled(item.namespace, f"{PIPELINE_ID_LABEL}={item.id}")
        if versions or (version is not None and item.id in owner_ids(version)):
            await self._pipelines.change(item, without_mark)
        # Not where somebody has changed it since.
        elif await self._pipelines.delete(item, unchanged=True):
            log(
                logging.WARNING,
                "pipeline without its version removed",
                namespace=item.namespace,
                pipeline=item.object_name,
            )
