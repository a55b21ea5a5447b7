"""What callers may do, and which namespaces count: what every call asks before it does anything."""

from __future__ import annotations

from kfp_k8s_manifest.rest.authorization import Authorizer, Caller, Resource, Verb
from kfp_k8s_manifest.rest.errors import invalid
from kfp_k8s_manifest.rest.stores import Store
from kfp_k8s_manifest.rest.values import PipelineRecord, VersionRecord

__all__ = ["Access"]


class Access:
    """Lets calls pass or refuses them; in single-user mode all pass, and namespaces are dropped.

    Args:
        store: Where pipelines are.
        authorizer: Decides what callers may do.
        multi_user: Whether namespaces and callers count.
        require_namespace: In multi-user mode, whether calls must name a namespace.
    """

    def __init__(
        self, store: Store, authorizer: Authorizer, *, multi_user: bool, require_namespace: bool
    ) -> None:
        self._store = store
        self._authorizer = authorizer
        self._multi_user = multi_user
        self._require_namespace = require_namespace

    def effective(self, namespace: str) -> str:
        """Return the namespace that counts: in single-user mode none."""
        return namespace if self._multi_user else ""

    def lacks_namespace(self, namespace: str) -> str:
        """Return what is wrong with a call that names a namespace or none, or ""."""
        if self._multi_user and self._require_namespace and not namespace:
            return "Namespace is required for pipeline operations"
        return ""

    def demand_namespace(self, namespace: str) -> None:
        """Refuse a call that must name a namespace and names none.

        Raises:
            RestError: It does (400).
        """
        problem = self.lacks_namespace(namespace)
        if problem:
            raise invalid(problem)

    async def may_look(self, caller: Caller, verb: Verb, namespace: str, *, name: str = "") -> None:
        """Refuse a caller who may not get or list pipelines in a namespace.

        Args:
            caller: Who calls.
            verb: `get` or `list`.
            namespace: The namespace.
            name: The pipeline's name, to get one.
        """
        if self._multi_user:
            await self._authorizer.check(caller, verb=verb, namespace=namespace, name=name)

    async def may_create(
        self, caller: Caller, namespace: str, *, name: str = "", with_version: bool = False
    ) -> None:
        """Refuse a caller who may not create pipelines in a namespace.

        Args:
            caller: Who calls.
            namespace: The namespace.
            name: The pipeline's name.
            with_version: Whether a version is created with it.
        """
        if not self._multi_user:
            return
        resource: Resource = "pipelineversions" if with_version else "pipelines"
        await self._authorizer.check(
            caller, verb="create", namespace=namespace, name=name, resource=resource
        )

    async def may(
        self, caller: Caller, verb: Verb, pipeline: PipelineRecord, *, name: str | None = None,
        resource: Resource = "pipelines",
    ) -> None:  # fmt: skip
        """Refuse a caller who may not do something to a pipeline.

        Args:
            caller: Who calls.
            verb: What the call does.
            pipeline: The pipeline.
            name: What is asked about in place of the pipeline's name.
            resource: What the call is about.
        """
        if not self._multi_user:
            return
        await self._authorizer.check(
            caller,
            verb=verb,
            namespace=pipeline.namespace,
            name=pipeline.name if name is None else name,
            resource=resource,
        )

    async def may_version(self, caller: Caller, verb: Verb, version: VersionRecord) -> None:
        """Refuse a caller who may not do something to a version."""
        if not self._multi_user:
            return
        if version.pipeline_id:
            pipeline = await self._store.get_pipeline(version.pipeline_id)
        else:
            # It belongs to no pipeline, so nobody knows whose it is: it counts as the server's own.
            namespace = self._store.default_namespace
            pipeline = PipelineRecord(id="", name="", display_name="", namespace=namespace)
        await self.may(caller, verb, pipeline, resource="pipelineversions")
