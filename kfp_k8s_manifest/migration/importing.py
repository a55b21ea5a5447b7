"""Uploads a folder of manifests to a KFP server, through its API.

What is there already is left alone: pipelines are found by name, versions by name and content. What
may change of them (display name and tags) is brought up to date.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.migration.compare import names_of
from kfp_k8s_manifest.migration.folder import ManifestFolder
from kfp_k8s_manifest.migration.groups import Item
from kfp_k8s_manifest.migration.import_plan import Group, plan_import
from kfp_k8s_manifest.migration.objects import CREATED_AT, Origin
from kfp_k8s_manifest.migration.pace import FirstSecond, run_paced
from kfp_k8s_manifest.migration.records import ServerPipeline, all_items
from kfp_k8s_manifest.migration.sources import ServerRefusalError, ServerUncertainError
from kfp_k8s_manifest.migration.sources.rest import RestServer
from kfp_k8s_manifest.migration.uploads import Uploads, shown
from kfp_k8s_manifest.model.age import sequence_of
from kfp_k8s_manifest.model.kinds import PIPELINE
from kfp_k8s_manifest.model.trees import string_at

__all__ = ["ImportOptions", "Outcome", "import_folder"]

_EXISTS: Final = 409
_PIPELINES: Final = "/apis/v2beta1/pipelines"
_PIPELINE: Final = f"{_PIPELINES}/{{id}}"
_VERSION: Final = f"{_PIPELINE}/versions/{{version}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """How a folder is imported.

    Attributes:
        folder: The folder.
        namespace: The namespace of all pipelines, or None for that of the objects.
        dry_run: True to change nothing.
        concurrency: How many requests are under way at a time.
        names: What objects were called on the server first, by kind, namespace and object name.
    """

    folder: str
    namespace: str | None = None
    names: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    dry_run: bool = False
    concurrency: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What has become of an object.

    Attributes:
        verdict: `created`, `updated`, `unchanged` or `failed`.
        kind: Its kind.
        namespace: The pipeline's namespace on the server, or "".
        pipeline: The pipeline's API name.
        name: Its API name.
        path: Its file.
        text: Why it failed, or what could not be brought up to date; or "".
        id: Its id on the server, or "".
        origin: What the server cannot be told of it.
    """

    verdict: str
    kind: str
    namespace: str
    pipeline: str
    name: str
    path: str
    text: str = ""
    id: str = ""
    origin: Origin


def import_folder(
    server: RestServer,
    options: ImportOptions,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
    on_outcome: Callable[[Outcome], None] = lambda _outcome: None,
) -> list[Outcome]:
    """Upload what is not there yet.

    Args:
        server: The server.
        options: How.
        on_progress: Told how many objects are done, and how many there are.
        on_outcome: Told what has become of each object, as soon as it is known.

    Returns:
        What has become of each object, in the order of pipelines and ages.

    Raises:
        KfpK8sError: The folder cannot be read, or there is no going on with the server.
    """
    with (
        ManifestFolder(options.folder, "imported") as folder,
        tempfile.TemporaryDirectory(prefix="kfp-k8s-") as place,
    ):
        groups = plan_import(folder, options.namespace, options.names)
        work = _Import(server, folder, options, Path(place), on_outcome)
        work.find_pipelines(groups)
        # Pipelines of one name go one after the other: to a standalone server they may be one.
        tasks: dict[str, list[tuple[Group, Item, str]]] = {}
        for group in groups:
            tasks.setdefault(group.name, []).extend((group, *each) for each in group.items)
        run_paced(
            list(tasks.values()), work.carry, concurrency=options.concurrency, on_progress=on_progress,
            on_stop=server.stop,
        )  # fmt: skip
    return [work.outcomes[item] for group in groups for item, _ in group.items]


class _Import:
    def __init__(
        self,
        server: RestServer,
        folder: ManifestFolder,
        options: ImportOptions,
        place: Path,
        on_outcome: Callable[[Outcome], None],
    ) -> None:
        self._server, self._folder, self._options, self._place = server, folder, options, place
        self._on_outcome = on_outcome
        self.outcomes: dict[Item, Outcome] = {}
        self._pipelines: dict[tuple[str, str], ServerPipeline] = {}
        self._owners: dict[str, Group] = {}
        self._first_second = FirstSecond()

    def find_pipelines(self, groups: list[Group]) -> None:
        """Look for the pipelines on the server."""
        for namespace in sorted({each.namespace for each in groups}):
            there = self._there(namespace)
            self._pipelines |= {(namespace, each.name): each for each in there}
        for group in groups:
            found = self._pipelines.get((group.namespace, group.name))
            if found is not None:
                self._settle(group, found.id)
            group.uploads = Uploads(self._server, self._place)

    def _settle(self, group: Group, key: str) -> None:
        """Note the id of a pipeline, which no other of the folder may have."""
        owner = self._owners.setdefault(key, group)
        if owner is group:
            group.id = key
        else:
            group.failed = (
                f"to the server it is the pipeline {group.name!r} of namespace {owner.namespace!r}, since"
                " it has no namespaces: give one of them another name"
            )

    def _there(self, namespace: str) -> Iterator[ServerPipeline]:
        """Yield the server's pipelines of a namespace."""
        return all_items(partial(self._server.pipelines, namespace, size=200))

    def carry(self, task: tuple[Group, Item, str]) -> bool:
        """Bring an object to the server; return True where something was created."""
        group, item, name = task
        obj = self._folder.load(item.path, item.names)
        assert group.uploads is not None
        done = Outcome(
            verdict="failed", kind=item.names.kind, namespace=group.namespace, pipeline=group.name,
            name=name, path=item.path, origin=_origin(obj),
        )  # fmt: skip
        try:
            if done.kind == PIPELINE:
                done = self._carry_pipeline(group, obj, done)
            else:
                done = self._carry_version(group, obj, done)
        except (ServerRefusalError, SourceError) as error:
            done = replace(done, text=str(error))
        self.outcomes[item] = done
        self._on_outcome(done)
        if done.kind == PIPELINE:
            group.failed = done.text if done.verdict == "failed" else ""
        # The next version must be younger, by KFP's clock, which knows whole seconds.
        return done.verdict == "created" and not self._options.dry_run and done.kind != PIPELINE

    def _carry_pipeline(self, group: Group, obj: Mapping[str, Any], done: Outcome) -> Outcome:
        if group.failed:
            raise SourceError(group.failed)
        body = {"name": group.name, **shown(obj, group.name), "namespace": group.namespace}
        there = self._pipelines.get((group.namespace, group.name))
        if there is not None:
            change = _change(there, body)
            if change and not self._options.dry_run:
                self._server.ask("PATCH", _PIPELINE, ids={"id": there.id}, body=change)
            return _settled(done, there, change, body["description"])
        if self._options.dry_run:
            return replace(done, verdict="created")
        sent = {key: value for key, value in body.items() if value}

        def find() -> str:
            there = self._there(group.namespace)
            return next((each.id for each in there if each.name == group.name), "")

        def create() -> str:
            tree = self._server.ask("POST", _PIPELINES, body=sent, again=False)
            return str(tree.get("pipeline_id", ""))

        self._settle(group, _created(self._server, create, find))
        if group.failed:
            raise SourceError(group.failed)
        group.is_new = True
        return replace(done, verdict="created", id=group.id)

    def _carry_version(self, group: Group, obj: Mapping[str, Any], done: Outcome) -> Outcome:
        uploads = group.uploads
        assert uploads is not None
        if not group.id:
            if self._options.dry_run and not group.failed:
                return replace(done, verdict="created")
            why = (
                group.failed
                or f"pipeline {group.name!r} is neither in the folder nor on the server"
            )
            raise SourceError(f"its pipeline is not there: {why}")
        own = uploads.content(obj)
        there = uploads.find(group.id, done.name)
        if there is not None:
            if there.digest != own.digest:
                raise SourceError(
                    f"the server has another content under the name {done.name!r}, and a version is"
                    " immutable: give this one another name"
                )
            body = shown(obj, done.name)
            change = _change(there.record, body)
            if change and not self._options.dry_run:
                ids = {"id": group.id, "version": there.record.id}
                self._server.ask("PATCH", _VERSION, ids=ids, body=change)
            return _settled(done, there.record, change, body["description"])
        if self._options.dry_run:
            return replace(done, verdict="created")

        def find() -> str:
            uploads.forget()
            found = uploads.find(group.id, done.name)
            if found is not None and found.digest != own.digest:
                raise SourceError(f"somebody else has just created a version {done.name!r}")
            return found.record.id if found is not None else ""

        if not group.is_new:
            self._first_second.wait()
        key = _created(self._server, lambda: uploads.upload(group.id, done.name, obj, own), find)
        return replace(done, verdict="created", id=key)


def _created(server: RestServer, create: Callable[[], str], find: Callable[[], str]) -> str:
    """Create something, once: where it is uncertain whether it was, look.

    Returns:
        Its id.
    """
    attempt = 1
    while True:
        try:
            return create()
        except ServerRefusalError as error:
            uncertain = isinstance(error, ServerUncertainError)
            if not uncertain and error.status != _EXISTS:
                raise
            found = find()
            if found:
                return found
            if not uncertain or attempt >= server.patience.attempts:
                raise
            server.patience.wait(attempt, None)
        attempt += 1


def _change(there: Any, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may be changed of an object of the server, and is another."""
    change: dict[str, Any] = {}
    if there.display_name != body["display_name"]:
        change["display_name"] = body["display_name"]
    if dict(there.tags) != body["tags"]:
        change["tags"] = body["tags"]
    return change


def _settled(done: Outcome, there: Any, change: Mapping[str, Any], description: str) -> Outcome:
    text = ""
    if there.description != description:
        text = "the server has another description, which cannot be changed"
    verdict = "updated" if change else "unchanged"
    return replace(done, verdict=verdict, id=there.id, text=text)


def _origin(obj: Mapping[str, Any]) -> Origin:
    names = names_of(obj)
    return Origin(
        id=names.original_id,
        created_at=string_at(obj, "metadata", "annotations", CREATED_AT),
        name=names.name,
        sequence=sequence_of(obj),
        package_url=string_at(obj, "spec", "pipelineSpecURI"),
        code_source_url=string_at(obj, "spec", "codeSourceURL"),
    )
