"""Validate manifests in files, offline: what the cluster would say, for each target.

```python
from kfp_k8s_manifest import validate

report = validate("manifests/", target="2.17")
report.ok()
for finding in report.findings: ...
```

Objects are checked one by one, in worker processes where there is enough to do; then the set is
checked as a whole. Nothing here needs a cluster, the network or kfp.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.order import ObjectContext
from kfp_k8s_manifest.checks.webhook.mutating import KnownPipelines
from kfp_k8s_manifest.checks.words import finding
from kfp_k8s_manifest.findings import (
    FileResult,
    Finding,
    PassedOver,
    Report,
    sort_findings,
)
from kfp_k8s_manifest.releases import Target
from kfp_k8s_manifest.releases import target as find_target
from kfp_k8s_manifest.validation.history import git_inputs, object_states, previous_states
from kfp_k8s_manifest.validation.inputs import Input, find_inputs
from kfp_k8s_manifest.validation.outcome import selected, with_nothing_to_check
from kfp_k8s_manifest.validation.packages import check_package
from kfp_k8s_manifest.validation.text import (
    Item,
    Kept,
    Outcome,
    Previous,
    check_text,
)
from kfp_k8s_manifest.validation.together import check_together
from kfp_k8s_manifest.yaml.limits import DEFAULT_LIMITS

__all__ = ["validate", "validate_text"]

_WORTH_WORKERS: Final = 400_000
"""Bytes from which on starting worker processes pays."""


def validate(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    target: str | Target = "portable",
    known_pipelines: Iterable[str] = (),
    assume_pipelines: bool = False,
    previous: Iterable[str | os.PathLike[str]] = (),
    previous_git: str = "",
    previous_objects: Iterable[Mapping[str, Any]] = (),
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    exclude: Sequence[str] = (),
    allow_empty: bool = False,
    skip_others: bool = False,
    jobs: int = 0,
) -> Report:
    """Validate manifests in files and folders.

    Args:
        paths: Files, folders, patterns such as `manifests/**/*.yaml`, or `-` for standard input.
        target: The KFP release to be valid under, such as `2.17`, or `kep`, or `portable`.
        known_pipelines: Pipelines that exist in the cluster: `name`, or `namespace/name`.
        assume_pipelines: True where every Pipeline is taken to exist.
        previous: Files and folders with the previous states of the objects; what has changed is
            checked as an update.
        previous_git: A commit, of the repository that the user stands in, whose files at the same
            paths are the previous states.
        previous_objects: Previous states as JSON trees, such as a cluster's objects. Those named
            in `previous` and `previous_git` win over them.
        select: Ids or families of rules; only their findings are reported.
        ignore: Ids or families of rules whose findings are left out.
        exclude: Patterns in the syntax of `.gitignore`; the files that they name are left out.
        allow_empty: True where it is fine that nothing is there to be checked.
        skip_others: True to take the files in `paths` as if they had been found in a folder: what
            holds nothing of ours is skipped. For tools that hand over all files of a change.
        jobs: How many processes work; 0 means as many as there are processors, where it pays.

    Raises:
        UsageError: A pattern is malformed, or a target, rule or family is not known.
        SourceError: A path does not exist, or a previous state cannot be read.
    """
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    inputs = find_inputs(given, limit=DEFAULT_LIMITS.size, exclude=exclude, skip_others=skip_others)
    earlier = previous_states(find_inputs(previous, limit=DEFAULT_LIMITS.size), DEFAULT_LIMITS)
    if previous_git:
        earlier |= previous_states(
            git_inputs(given, previous_git, limit=DEFAULT_LIMITS.size), DEFAULT_LIMITS
        )
    run = _Run(
        target=target if isinstance(target, Target) else find_target(target),
        known=tuple(known_pipelines),
        assume=assume_pipelines,
        previous={**object_states(previous_objects), **earlier},
    )
    report = run.report(inputs, jobs)
    if not allow_empty and not skip_others:
        report = with_nothing_to_check(report, {each.name for each in inputs if each.explicit})
    return selected(report, tuple(select), tuple(ignore))


def validate_text(
    text: str | bytes,
    *,
    source: str = "<text>",
    target: str | Target = "portable",
    known_pipelines: Iterable[str] = (),
    assume_pipelines: bool = False,
    previous: str | bytes = "",
    allow_empty: bool = False,
) -> Report:
    """Validate manifests in a text.

    Args:
        text: YAML or JSON, any number of documents; bytes as they are in a file.
        source: What findings call it.
        target: As for `validate`.
        known_pipelines: As for `validate`.
        assume_pipelines: As for `validate`.
        previous: The previous states of the objects, as text.
        allow_empty: As for `validate`.

    Raises:
        UsageError: The target is not known.
        SourceError: The previous states cannot be read.
    """
    run = _Run(
        target=target if isinstance(target, Target) else find_target(target),
        known=tuple(known_pipelines),
        assume=assume_pipelines,
        previous=previous_states(
            [_text_input("<previous>", previous)] if previous else [], DEFAULT_LIMITS
        ),
    )
    report = run.report([_text_input(source, text)], 1)
    return report if allow_empty else with_nothing_to_check(report, [source])


def _text_input(name: str, text: str | bytes) -> Input:
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return Input(name=name, data=data, size=len(data))


class _Run:
    """One validation: what it is asked, and its way from inputs to a report."""

    def __init__(
        self, *, target: Target, known: tuple[str, ...], assume: bool, previous: Previous
    ) -> None:
        self.target = target
        self.known = known
        self.assume = assume
        self.previous = previous
        # Which Pipelines exist is known only when all texts are read; the set's checks ask then.
        self.context = ObjectContext(target=target, pipelines=KnownPipelines(assume=True))

    def report(self, inputs: Sequence[Input], jobs: int) -> Report:
        findings: list[Finding] = []
        excerpts: dict[tuple[str, int], str] = {}
        files: list[FileResult] = []
        passed_over: list[PassedOver] = []
        items: list[tuple[int, Item]] = []
        # A single text is kept, so that it is read once; many of them would fill memory.
        kept = Kept()
        for index, outcome in enumerate(self._outcomes(inputs, jobs, kept)):
            name = inputs[index].name
            findings += outcome.findings
            excerpts.update({(name, line): text for line, text in outcome.excerpts.items()})
            if outcome.passed_over:
                passed_over.append(PassedOver(name=name, reason=outcome.passed_over))
                continue
            files.append(FileResult(name=name, objects=outcome.objects, skipped=outcome.skipped))
            items += [(index, item) for item in outcome.items]
        pipelines = KnownPipelines.of(
            (*(item.object for _, item in items), *self.previous.values()),
            known=self.known,
            assume=self.assume,
        )
        for index, located, lines in check_together(items, inputs, self.target, pipelines, kept):
            findings += located
            excerpts.update({(inputs[index].name, line): text for line, text in lines.items()})
        return Report(
            target=self.target.name,
            findings=tuple(sort_findings(findings)),
            files=tuple(files),
            excerpts=excerpts,
            passed_over=tuple(passed_over),
        )

    def _outcomes(self, inputs: Sequence[Input], jobs: int, kept: Kept) -> Iterator[Outcome]:
        workers = jobs or _processors()
        size = sum(each.size for each in inputs)
        # Previous states are trees that would have to be sent to each worker.
        alone = len(inputs) < 2 or self.previous or (not jobs and size < _WORTH_WORKERS)
        if workers < 2 or alone:
            keep = kept if len(inputs) == 1 else None
            return (_check_input(each, self.context, self.previous, keep) for each in inputs)
        from kfp_k8s_manifest.validation.workers import check_inputs

        return check_inputs(_check_input, inputs, self.context, min(workers, len(inputs)))


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def _check_input(
    each: Input,
    context: ObjectContext,
    previous: Previous | None = None,
    kept: Kept | None = None,
) -> Outcome:
    if each.skip:
        return Outcome(passed_over=each.skip)
    try:
        data = each.read(DEFAULT_LIMITS.size)
    except OSError as error:
        reason = each.unreadable or f"the file cannot be read: {error.strerror or error}"
        found = finding(registry.FILE_UNREADABLE, (), f"{reason[:1].upper()}{reason[1:]}.")
        return Outcome(findings=(found.at(file=each.name),))
    return check_text(
        each.name,
        data,
        context,
        limits=DEFAULT_LIMITS,
        previous=previous,
        explicit=each.explicit,
        kept=kept,
        check_package=check_package,
    )
