"""Building a repository: sources are compiled once, and planned for each environment.

`prepare` changes nothing; `carry_out` writes what it has found, all files at once. `check` is the
first without the second.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from kfp_k8s_manifest.compiler.bundle import Bundle
from kfp_k8s_manifest.errors import KfpK8sError, UsageError
from kfp_k8s_manifest.gitops.compiling import Compilation, Failure, Given
from kfp_k8s_manifest.gitops.environment import EnvironmentBuild, open_environment, told
from kfp_k8s_manifest.gitops.folder import change_folders, remove_leftovers
from kfp_k8s_manifest.gitops.plan import Action, Plan, make_plan
from kfp_k8s_manifest.gitops.project import Project
from kfp_k8s_manifest.gitops.shards import Shard, of_shard
from kfp_k8s_manifest.gitops.sources import discover
from kfp_k8s_manifest.gitops.state import State
from kfp_k8s_manifest.spelling import closest

__all__ = [
    "EnvironmentPlan",
    "Failure",
    "Prepared",
    "carry_out",
    "parse_shard",
    "prepare",
    "without_gone",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentPlan:
    """What a build does in an environment.

    Attributes:
        environment: The environment.
        plan: What happens to its objects.
        extras: The layout's other files that are written, by path from the folder.
    """

    environment: EnvironmentBuild
    plan: Plan
    extras: Mapping[str, str] = field(default_factory=dict)

    @property
    def texts(self) -> dict[str, str]:
        """What is written, by path from the root: objects first."""
        found = {each.path: each.text for each in self.plan.actions if each.text is not None}
        whole = {**found, **self.extras}
        return {f"{self.environment.path}/{path}": text for path, text in whole.items()}

    @property
    def deleted(self) -> list[str]:
        """The files that go, by path from the root."""
        return [f"{self.environment.path}/{each.path}" for each in self.plan.having("delete")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a build would do.

    Attributes:
        sources: The names of all sources.
        compiled: The names of those that were compiled, and not known from an earlier build.
        environments: What happens in each environment.
        pipelines: The names of all pipelines that sources give.
        failures: What keeps sources from the tree; sorted, each once.
    """

    sources: tuple[str, ...]
    compiled: tuple[str, ...]
    environments: tuple[EnvironmentPlan, ...]
    pipelines: frozenset[str]
    failures: tuple[Failure, ...] = ()


def prepare(
    project: Project,
    *,
    environments: Sequence[str],
    jobs: int | None = None,
    timeout: float | None = None,
    shard: Shard | None = None,
    remove_gone: bool = False,
    allow_dirty: bool = False,
    state: State | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Prepared:
    """Return what a build would do.

    Args:
        project: The repository; its root is the working directory.
        environments: The environments to build.
        jobs: How many sources are compiled at a time.
        timeout: Seconds for one source; None for what the configuration says.
        shard: Which part of the sources to build.
        remove_gone: Delete the objects that no source gives any more.
        allow_dirty: Let `{git_sha}` name a changed work tree.
        state: What earlier builds remember; None to compile everything.
        on_progress: Told how many sources are done, and how many there are.

    Raises:
        KfpK8sError: The configuration or a folder cannot be used, so that nothing can be said.
    """
    root = str(project.root)
    builds = [open_environment(project, name, cache=state) for name in environments]
    everything = discover(project.config, root)
    sources = everything if shard is None else of_shard(everything, shard, root)
    run = Compilation(project, builds, sources, state, allow_dirty=allow_dirty)
    limit = timeout if timeout is not None else float(project.config.timeout) or None
    run.compile(jobs=jobs, timeout=limit, on_progress=on_progress)
    given = run.given()
    if shard is None:
        if not given and not run.failures:
            text = "sources: none of the files that they match defines a pipeline"
            run.failures.append(Failure(source=project.config.path, text=text))
        run.failures += _unknown_overrides(project, given, run.failures)
    partial = shard is not None or bool(run.failures)
    plans = [_planned(each, given, run, partial=partial) for each in builds]
    if remove_gone and not run.failures:
        plans = [without_gone(each) for each in plans]
    plans = [replace(each, extras=each.environment.extras(each.plan)) for each in plans]
    return Prepared(
        sources=tuple(each.name for each in sources),
        compiled=tuple(sorted(run.compiled)),
        environments=tuple(plans),
        pipelines=frozenset(each.name for each in given),
        failures=tuple(dict.fromkeys(sorted(run.failures, key=lambda one: (one.source, one.text)))),
    )


def _planned(
    build: EnvironmentBuild, given: Sequence[Given], run: Compilation, *, partial: bool
) -> EnvironmentPlan:
    wanted = [each.wanted[build.name] for each in given if build.name in each.wanted]
    failed = [each.name for each in given if build.name not in each.wanted]
    plan = make_plan(
        wanted,
        build.folder.tree,
        build.layout,
        failed=failed,
        partial=partial,
        check=_require_valid,
    )
    run.failures += [
        Failure(source=each.source, text=told(KfpK8sError(each.text), build))
        for each in plan.problems
    ]
    return EnvironmentPlan(environment=build, plan=plan)


def _require_valid(bundle: Bundle) -> None:
    bundle.require_valid()


def _unknown_overrides(
    project: Project, given: Sequence[Given], failures: Sequence[Failure]
) -> list[Failure]:
    """Tell overrides of pipelines that no source gives."""
    names = {each.name for each in given}
    # A source that failed may be the one that gives it.
    if failures:
        return []
    config = project.config
    found = []
    for name in config.pipelines:
        if name not in names:
            meant = closest(name, names)
            hint = f"; did you mean {meant!r}?" if meant else ""
            text = f"pipelines.{name}: no source gives a pipeline of that name{hint}"
            line = config.lines.get(name)
            found.append(
                Failure(source=f"{config.path}:{line}" if line else config.path, text=text)
            )
    return found


def without_gone(each: EnvironmentPlan) -> EnvironmentPlan:
    """Return a plan that deletes what is gone, unless a version of the same pipeline is pinned.

    Args:
        each: What happens in an environment.
    """
    gone = each.plan.having("gone")
    pinned = {
        one.pipeline for one in gone if one.name in each.environment.settings(one.pipeline).pin
    }

    def changed(action: Action) -> Action:
        if action.verb != "gone":
            return action
        if action.pipeline in pinned:
            return replace(action, verb="keep", why="pinned")
        return replace(action, verb="delete")

    plan = replace(each.plan, actions=tuple(changed(one) for one in each.plan.actions))
    return replace(each, plan=plan)


def carry_out(plans: Sequence[EnvironmentPlan], project: Project) -> list[str]:
    """Write what has been planned, all files at once, and delete what goes.

    Args:
        plans: What happens in environments.
        project: The repository, in which no other build works.

    Returns:
        What the caller should tell.

    Raises:
        OutputError: Something cannot be written.
    """
    texts: dict[str, str] = {}
    deleted: list[str] = []
    for each in plans:
        remove_leftovers(each.environment.path)
        texts.update(each.texts)
        deleted += each.deleted
    return change_folders(str(project.root), texts=texts, deleted=deleted)


def parse_shard(text: str) -> Shard:
    """Return which part of the sources a text such as `2/5` means.

    Raises:
        UsageError: It is none.
    """
    match = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)
    index, count = (int(match[1]), int(match[2])) if match else (0, 0)
    if not match or count < 1 or index > count:
        raise UsageError(
            f"--shard is {text!r}, not a part and their number, such as 2/5; 0/5 is no source, and"
            " writes what all parts share"
        )
    return Shard(index=index, count=count)
