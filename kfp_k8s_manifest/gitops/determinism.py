"""Whether compiling gives the same twice: under another hash seed, and in another order.

A pipeline that depends on the order of a set, on the clock or on chance gets another version at
each build. Python's hash seed is fixed when an interpreter starts, so each time is one of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from kfp_k8s_manifest.checks.registry import SOURCE_UNSTEADY
from kfp_k8s_manifest.compiler.isolation import Request, compile_sources
from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.findings import Finding
from kfp_k8s_manifest.gitops.changes import Area, compare_trees
from kfp_k8s_manifest.gitops.check import fields_text, rule_finding
from kfp_k8s_manifest.gitops.sources import RepositorySource

__all__ = ["main", "unsteady_findings"]

_SEEDS: Final = ("1", "4242")
_PROGRAM: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); del sys.argv[1:];"
    " from kfp_k8s_manifest.gitops.determinism import main; main()"
)

Compiled = Mapping[str, Sequence[Any]]
"""The pipelines of each source that could be compiled, as JSON trees."""


def unsteady_findings(
    sources: Sequence[RepositorySource], *, jobs: int | None, timeout: float | None
) -> Iterator[Finding]:
    """Yield the sources that do not give the same twice, with what has moved.

    Args:
        sources: The sources; packages of IR are what they are.
        jobs: How many are compiled at a time.
        timeout: Seconds for one source.

    Raises:
        SourceError: Nothing could be compiled again.
    """
    modules = [each for each in sources if each.source.kind != "package"]
    if not modules:
        return
    first = _compiled(modules, _SEEDS[0], jobs, timeout)
    second = _compiled(modules[::-1], _SEEDS[1], jobs, timeout)
    for each in modules:
        if each.name not in first or each.name not in second:
            # Why it fails is told by the check itself.
            continue
        changes = list(
            compare_trees(list(first[each.name]), list(second[each.name]), area=Area.OTHER)
        )
        if changes:
            text = f"compiling it again gives another content: {fields_text(changes)}"
            hint = "sort what comes from a set or a folder, and leave clock and chance out"
            yield rule_finding(SOURCE_UNSTEADY, each.name.partition(":")[0], text, hint=hint)


def _compiled(
    sources: Sequence[RepositorySource], seed: str, jobs: int | None, timeout: float | None
) -> Compiled:
    content = {
        "jobs": jobs,
        "timeout": timeout,
        "requests": [
            Request(
                source=each.name,
                kind=each.source.kind,  # type: ignore[arg-type]
                path=each.source.path,
                function=each.source.function,
                own=each.source.function is None,
            ).to_dict()
            for each in sources
        ],
    }
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps(sys.path)],
        input=json.dumps(content).encode(),
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONHASHSEED": seed},
        check=False,
    )
    if done.returncode:
        raise SourceError(f"compiling again ended with exit code {done.returncode}")
    found: Compiled = json.loads(done.stdout)
    return found


def main() -> None:
    """Compile what standard input asks for, and write the pipelines to standard output."""
    content = json.loads(sys.stdin.buffer.read())
    requests = [Request(**each) for each in content["requests"]]
    found: dict[str, list[Any]] = {}
    results = compile_sources(requests, jobs=content["jobs"], timeout=content["timeout"])
    for result in results:
        if result.error is None:
            found[result.request.source] = [
                [each.ir.pipeline_spec, each.ir.platform_spec] for each in result.pipelines
            ]
    sys.stdout.write(json.dumps(found))
