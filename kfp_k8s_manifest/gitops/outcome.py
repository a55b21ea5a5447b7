"""What a build tells: as text, JSON, GitHub annotations, or JUnit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from kfp_k8s_manifest.checks.registry import SOURCE_FAILED
from kfp_k8s_manifest.findings import FileResult, Finding, Report, printable
from kfp_k8s_manifest.gitops.build import EnvironmentPlan, Prepared
from kfp_k8s_manifest.gitops.plan import Verb
from kfp_k8s_manifest.render import github, junit
from kfp_k8s_manifest.render.summary import count

__all__ = ["FORMATS", "render_build", "render_failures", "render_plan"]

FORMATS: Final = ("text", "json", "github", "junit")
"""The formats of a build's summary."""

_DONE: Final[dict[Verb, str]] = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "gone": "gone",
}

_WOULD: Final = {
    "created": "would create ",
    "updated": "would update ",
    "deleted": "would delete ",
    "gone": "gone ",
    "wrote": "would write ",
}


def render_failures(prepared: Prepared) -> str:
    """Return what keeps sources from the tree, as text for the standard error."""
    return "".join(f"Error: {each.source}: {each.text}\n" for each in prepared.failures)


def render_build(prepared: Prepared, format_name: str, *, written: bool) -> str:
    """Return what a build has done.

    Args:
        prepared: What it has found.
        format_name: One of `FORMATS`.
        written: Whether it was written.

    Raises:
        KeyError: There is no such format.
    """
    return {"text": _text, "json": _json, "github": _github, "junit": _junit}[format_name](
        prepared, written
    )


def _text(prepared: Prepared, written: bool) -> str:  # noqa: FBT001
    lines = list(_lines(prepared.environments)) if written else []
    lines.append(_summary(prepared, written))
    return "".join(f"{printable(line)}\n" for line in lines)


def render_plan(plan: EnvironmentPlan, *, done: bool) -> str:
    """Return what happens in an environment, or would.

    Args:
        plan: What happens.
        done: Whether it was done.
    """
    lines = list(_lines([plan]))
    if not done:
        lines = [_WOULD[word] + rest for word, rest in (line.split(" ", 1) for line in lines)]
    return "".join(f"{printable(line)}\n" for line in lines or ["nothing to change"])


def _lines(plans: Iterable[EnvironmentPlan]) -> Iterator[str]:
    for each in plans:
        for action in each.plan.having("create", "update", "delete", "gone"):
            why = f" ({action.why})" if action.why else ""
            yield f"{_DONE[action.verb]} {each.environment.path}/{action.path}{why}"
        for path in each.extras:
            yield f"wrote {each.environment.path}/{path}"


def _summary(prepared: Prepared, written: bool) -> str:  # noqa: FBT001
    sources = count(len(prepared.sources), "source")
    compiled = len(prepared.compiled)
    reused = len(prepared.sources) - compiled
    if reused:
        sources += f" ({compiled:,} compiled, {reused:,} unchanged)"
    if not written:
        failed = count(len(prepared.failures), "failure")
        return f"{sources}: {failed}; nothing was changed"
    totals = _totals(prepared.environments)
    told = ", ".join(f"{number:,} {_DONE[verb]}" for verb, number in totals.items() if number)
    text = f"{sources}: {told or 'nothing to change'}"
    if prepared.failures:
        text += f"; {count(len(prepared.failures), 'failure')}"
    if totals["gone"]:
        text += "; what is gone stays until `kfp-k8s build --remove-gone`"
    return text


def _totals(environments: tuple[EnvironmentPlan, ...]) -> dict[Verb, int]:
    return {verb: sum(len(each.plan.having(verb)) for each in environments) for verb in _DONE}


def _json(prepared: Prepared, written: bool) -> str:  # noqa: FBT001
    content: dict[str, Any] = {
        "version": 1,
        "written": written,
        "environments": [_environment(each) for each in prepared.environments],
        "failures": [{"source": one.source, "message": one.text} for one in prepared.failures],
        "summary": {
            "sources": len(prepared.sources),
            "compiled": len(prepared.compiled),
            "failures": len(prepared.failures),
            **{_DONE[verb]: number for verb, number in _totals(prepared.environments).items()},
        },
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _environment(each: EnvironmentPlan) -> dict[str, Any]:
    folder = each.environment.path
    actions = [
        {
            "action": action.verb,
            "file": f"{folder}/{action.path}",
            "kind": action.kind,
            "name": action.name,
            "pipeline": action.pipeline,
            "source": action.source,
            "reason": action.why,
        }
        for action in each.plan.having("create", "update", "delete", "gone")
    ]
    others = [f"{folder}/{path}" for path in each.extras]
    return {"name": each.environment.name, "output": folder, "actions": actions, "files": others}


def _report(prepared: Prepared) -> Report:
    findings = [
        Finding(
            rule=SOURCE_FAILED.id,
            severity=SOURCE_FAILED.severity,
            message=each.text,
            file=each.source.partition(":")[0],
        )
        for each in prepared.failures
    ]
    names = dict.fromkeys([*prepared.sources, *(each.source for each in prepared.failures)])
    files = dict.fromkeys(name.partition(":")[0] for name in names)
    return Report(
        target="build",
        findings=tuple(findings),
        files=tuple(FileResult(name=name, objects=1, skipped=0) for name in files),
    )


def _github(prepared: Prepared, written: bool) -> str:  # noqa: FBT001
    lines = github.render(_report(prepared)).splitlines()[:-1]
    return "".join(f"{line}\n" for line in [*lines, _summary(prepared, written)])


def _junit(prepared: Prepared, written: bool) -> str:  # noqa: ARG001, FBT001
    return junit.render(_report(prepared), suite="kfp-k8s build")
