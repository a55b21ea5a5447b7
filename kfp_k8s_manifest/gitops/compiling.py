"""From the sources of a repository to the pipelines that are wanted in each environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from kfp_k8s_manifest.compiler.isolation import Request, Result, compile_sources, without_parts
from kfp_k8s_manifest.compiler.sources import read_source
from kfp_k8s_manifest.errors import KfpK8sError
from kfp_k8s_manifest.gitops.environment import EnvironmentBuild, adapted, told
from kfp_k8s_manifest.gitops.project import Project
from kfp_k8s_manifest.gitops.sources import RepositorySource, stays_inside
from kfp_k8s_manifest.gitops.state import Remembered, State
from kfp_k8s_manifest.gitops.wanted import Wanted, facts_of, is_current
from kfp_k8s_manifest.model.ir import PipelineIR

__all__ = ["Compilation", "Failure", "Given"]

Origin = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a source is not in the tree.

    Attributes:
        source: The source, or the file of the configuration.
        text: What is wrong, why, and what to do.
    """

    source: str
    text: str


@dataclass(slots=True, kw_only=True)
class Given:
    """A pipeline of a source.

    Attributes:
        source: The source's name.
        origin: Where its function is defined; None for a component, and for what was loaded.
        name: The pipeline's name.
        wanted: What is wanted of it, by environment.
        failures: What keeps it from environments.
    """

    source: str
    origin: Origin | None
    name: str
    wanted: dict[str, Wanted] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


class Compilation:
    """One way from sources to what is wanted of them.

    Args:
        project: The repository.
        builds: The environments.
        sources: The sources.
        state: What earlier builds remember; None to compile everything.
        allow_dirty: Let `{git_sha}` name a changed work tree.

    Attributes:
        failures: What keeps sources from the tree.
        compiled: The names of the sources that were compiled.
    """

    def __init__(
        self,
        project: Project,
        builds: Sequence[EnvironmentBuild],
        sources: Sequence[RepositorySource],
        state: State | None,
        *,
        allow_dirty: bool,
    ) -> None:
        self._builds, self._sources = builds, sources
        self._state, self._allow_dirty = state, allow_dirty
        self._root = str(project.root)
        self._of: dict[str, list[Given]] = {}
        self._uses: dict[str, frozenset[Origin]] = {}
        self.failures: list[Failure] = []
        self.compiled: list[str] = []

    def compile(
        self,
        *,
        jobs: int | None,
        timeout: float | None,
        on_progress: Callable[[int, int], None],
    ) -> None:
        """Compile what is not known, and note what it gives and what is wrong."""
        waiting = [each for each in self._sources if not self._recall(each)]
        done = len(self._sources) - len(waiting)
        on_progress(done, len(self._sources))
        while waiting or (waiting := self._outdated()):
            done = min(done, len(self._sources) - len(waiting))
            modules = [each for each in waiting if each.source.kind != "package"]
            watch = None if self._state is None else self._state.watched
            requests = [_request(each, watch) for each in modules]
            # The sources' processes start now, while packages are read here.
            results = compile_sources(requests, jobs=jobs, timeout=timeout)
            for source, result in self._results(waiting, modules, results):
                self.compiled.append(source.name)
                self._take(source, result)
                done += 1
                on_progress(done, len(self._sources))
            # What was a part of another pipeline may be none any more.
            waiting = []

    def _outdated(self) -> list[RepositorySource]:
        """Return the sources that are known, but whose pipelines the tree does not have."""
        used = self._used
        found = []
        for source in self._sources:
            own = without_parts(self._of.get(source.name, ()), used if source.found else ())
            if not all(self._is_current(build, each) for each in own for build in self._builds):
                del self._of[source.name], self._uses[source.name]
                found.append(source)
        return found

    def _is_current(self, build: EnvironmentBuild, given: Given) -> bool:
        own = given.wanted.get(build.name)
        if own is None or own.ir is not None or own.facts is None:
            # It was compiled in this build, or failed in it.
            return True
        return is_current(own.facts, build.folder.tree, own.settings)

    def _results(
        self,
        waiting: Sequence[RepositorySource],
        modules: Sequence[RepositorySource],
        results: Iterator[Result],
    ) -> Iterator[tuple[RepositorySource, Result | PipelineIR | KfpK8sError]]:
        for each in waiting:
            if each.source.kind == "package":
                try:
                    yield each, read_source(each.source)
                except KfpK8sError as error:
                    yield each, error
        for result in results:
            yield modules[result.index], result

    def _recall(self, source: RepositorySource) -> bool:
        """Take what an earlier build remembers of a source."""
        known = self._state.recall(source, self._builds) if self._state is not None else None
        if known is None:
            return False
        found = []
        for origin, facts in known.pipelines:
            given = Given(source=source.name, origin=origin, name=next(iter(facts.values())).name)
            for build in self._builds:
                own = facts[build.name]
                settings = build.settings(own.name)
                given.wanted[build.name] = Wanted(
                    source=source.name, ir=None, settings=settings, facts=own
                )
            found.append(given)
        self._uses[source.name] = known.used
        self._of[source.name] = found
        return True

    def _take(self, source: RepositorySource, result: Result | PipelineIR | KfpK8sError) -> None:
        """Note what a source has given."""
        error = result.error if isinstance(result, Result) else result
        if isinstance(error, KfpK8sError):
            self.failures.append(Failure(source=source.name, text=_bare(str(error), source.name)))
            return
        if isinstance(result, PipelineIR):
            self._of[source.name] = [self._given(source, source.source.path, None, result)]
        elif isinstance(result, Result):
            path = self._path(source, result)
            self._of[source.name] = [
                self._given(source, path, each.origin, each.ir) for each in result.pipelines
            ]
            self._uses[source.name] = result.used
        if self._state is not None and not any(one.failures for one in self._of[source.name]):
            pipelines = [
                (
                    each.origin,
                    {name: own.facts for name, own in each.wanted.items() if own.facts is not None},
                )
                for each in self._of[source.name]
            ]
            used = result.used if isinstance(result, Result) else frozenset()
            reads = result.reads if isinstance(result, Result) else None
            known = Remembered(pipelines=pipelines, used=used)
            self._state.remember(source, self._builds, known, reads)

    def _path(self, source: RepositorySource, result: Result) -> str:
        if source.source.kind != "module":
            return source.source.path
        inside = stays_inside(result.file, self._root)
        return os.path.relpath(result.file, self._root).replace(os.sep, "/") if inside else ""

    def _given(
        self, source: RepositorySource, path: str, origin: Origin | None, ir: PipelineIR
    ) -> Given:
        given = Given(source=source.name, origin=origin, name=ir.name)
        for build in self._builds:
            own = self._wanted(build, source, path, ir)
            if isinstance(own, Failure):
                given.failures.append(own)
            else:
                given.wanted[build.name] = own
        return given

    def _wanted(
        self, build: EnvironmentBuild, source: RepositorySource, path: str, ir: PipelineIR
    ) -> Wanted | Failure:
        try:
            settings = build.settings(ir.name)
            wanted = Wanted(
                source=source.name,
                ir=adapted(ir, build),
                settings=settings,
                path=path,
                git_sha=self._git_sha(path or source.source.path),
            )
            facts = facts_of(wanted, build.layout)
        except KfpK8sError as error:
            return Failure(source=source.name, text=told(error, build))
        # What the tree has as it is wanted need not be held in memory.
        current = is_current(facts, build.folder.tree, settings)
        return replace(wanted, facts=facts, ir=None if current else wanted.ir)

    def _git_sha(self, path: str) -> Callable[[], str]:
        def find() -> str:
            from kfp_k8s_manifest.git import git_sha

            return git_sha(path, allow_dirty=self._allow_dirty)

        return find

    @property
    def _used(self) -> frozenset[Origin]:
        """Where the pipelines are defined that others use."""
        return frozenset().union(*self._uses.values())

    def given(self) -> list[Given]:
        """Return the pipelines of all sources, without those that are parts of others."""
        used = self._used
        found: list[Given] = []
        for source in self._sources:
            own = self._of.get(source.name)
            if own is None:
                continue
            kept = without_parts(own, used if source.found else ())
            if not kept and not source.found:
                text = "no pipeline is defined in it; decorate a function with @dsl.pipeline"
                self.failures.append(Failure(source=source.name, text=text))
            self.failures += [failure for each in kept for failure in each.failures]
            found += kept
        return found


def _request(source: RepositorySource, watch: str | None) -> Request:
    each = source.source
    assert each.kind != "package"
    return Request(
        source=each.name,
        kind=each.kind,
        path=each.path,
        function=each.function,
        own=each.function is None,
        watch=watch,
    )


def _bare(text: str, source: str) -> str:
    """Return an error's text without the source's name in front, which is told beside it."""
    return text.removeprefix(f"{source}: ")
