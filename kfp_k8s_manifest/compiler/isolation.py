"""User code runs in a process of its own, one for each source; nothing of one reaches another.

`compile_sources` is the one way to run user code. Where the platform forks, it starts one clean
process that imports kfp once and forks again for each source (`_forkserver`); elsewhere, and in a
process that has threads, each source gets a new interpreter (`_spawn`). What runs in the source's
own process is `_worker`. The caller imports neither kfp nor anything of the user's.

The result of a source is JSON over a pipe of its own. What the source prints, to whichever stream,
goes to the caller's standard error, each line marked with the source where there are several.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from kfp_k8s_manifest.compiler._request import Origin, Request
from kfp_k8s_manifest.errors import KfpK8sError, SourceError, UsageError
from kfp_k8s_manifest.model.ir import PipelineIR

__all__ = ["Compiled", "Request", "Result", "compile_sources", "without_parts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """One compiled pipeline.

    Attributes:
        ir: What kfp made of it.
        origin: Where its function is defined; None for a component, and for what was loaded.
    """

    ir: PipelineIR
    origin: Origin | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one source: pipelines or an error.

    Attributes:
        index: The position of the request.
        request: The request.
        file: The file that was run; "" where it is not known.
        pipelines: What was compiled, in the order of the module.
        used: Where the pipelines are defined that others of the module use.
        package: The text that kfp would write, where the request asks for it.
        reads: What was read while compiling, where the request asks for it: `files`, `listed`
            (folders), `searched` (names of modules by folder), and `opaque`, why nobody can tell.
        error: What went wrong, or None.
    """

    index: int
    request: Request
    file: str = ""
    pipelines: tuple[Compiled, ...] = ()
    used: frozenset[Origin] = frozenset()
    package: str = ""
    reads: Mapping[str, Any] | None = None
    error: KfpK8sError | None = None


def compile_sources(
    requests: Sequence[Request], *, jobs: int | None = None, timeout: float | None = None
) -> Iterator[Result]:
    """Compile sources, each in a process of its own.

    The work starts at once; the caller may do something else before it asks for the first result.

    Args:
        requests: What to compile.
        jobs: How many sources are compiled at a time; None for one on each processor.
        timeout: Seconds after which a source's processes are ended; None for no limit.

    Returns:
        One result for each request, as they become ready.

    Raises:
        SourceError: While iterating: kfp cannot be imported, or the process in between was ended.
    """
    if not requests:
        return iter(())
    jobs = max(1, min(jobs or _processors(), len(requests)))
    outcomes: Iterator[tuple[int, bytes]]
    if _may_fork():
        from kfp_k8s_manifest.compiler._forkserver import fork_outcomes

        outcomes = fork_outcomes(requests, jobs=jobs, timeout=timeout)
    else:
        from kfp_k8s_manifest.compiler._spawn import spawn_outcomes

        outcomes = spawn_outcomes(requests, jobs=jobs, timeout=timeout)
    return (_result(index, requests[index], outcome) for index, outcome in outcomes)


class _Placed(Protocol):
    @property
    def origin(self) -> Origin | None: ...


P = TypeVar("P", bound=_Placed)


def without_parts(pipelines: Iterable[P], used: Collection[Origin]) -> list[P]:
    """Return the pipelines of a module that was found, less those that are parts of others.

    What somebody named is compiled whatever else uses it; of what a folder or a pattern gave, a
    pipeline that another module's pipeline uses is a part of that one.

    Args:
        pipelines: What the module defines.
        used: Where the pipelines are defined that others use: all results' `used` together.
    """
    return [each for each in pipelines if each.origin not in used]


def _processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _may_fork() -> bool:
    """Tell whether a fork is to be had and safe: a thread may hold a lock that no one releases."""
    threading = sys.modules.get("threading")
    return hasattr(os, "fork") and (threading is None or threading.active_count() == 1)


def _result(index: int, request: Request, outcome: bytes) -> Result:
    content = json.loads(outcome)
    if "bug" in content:
        raise RuntimeError(
            f"compiling {request.source} failed inside this program:\n{content['bug']}"
        )
    if "error" in content:
        kind = UsageError if content.get("usage") else SourceError
        return Result(index=index, request=request, error=kind(content["error"]))
    return Result(
        index=index,
        request=request,
        file=content["file"],
        pipelines=tuple(
            Compiled(
                ir=PipelineIR(pipeline_spec=each["spec"], platform_spec=each["platform"]),
                origin=(each["origin"][0], each["origin"][1]) if each["origin"] else None,
            )
            for each in content["pipelines"]
        ),
        used=frozenset((file, name) for file, name in content["used"]),
        package=content["package"],
        reads=content["reads"],
    )
