"""Validate manifests in files, offline: what the cluster would say, for each target.

```python
from kfp_k8s_manifest import validate

report = validate("manifests/", target="2.17")
report.ok()
for finding in report.findings: ...
```

Nothing here needs a cluster, the network or kfp. What does the checking is imported where something
has to be checked.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kfp_k8s_manifest.findings import Report
from kfp_k8s_manifest.validation.inputs import Input, find_inputs
from kfp_k8s_manifest.validation.outcome import (
    Checked,
    Gathered,
    Outcome,
    selected,
    with_nothing_to_check,
)
from kfp_k8s_manifest.yaml.limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from kfp_k8s_manifest.releases import Target
    from kfp_k8s_manifest.validation.cache import Cache
    from kfp_k8s_manifest.validation.run import Run

__all__ = ["validate", "validate_text"]


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
    cache: bool = False,
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
        cache: True to remember verdicts, and not to check again what is known to have no errors. It
            never changes the report. They lie in `.kfp-k8s/` at the root of the git work tree, or
            beside the `kfp-k8s.toml`, that the current directory belongs to; elsewhere, and with
            previous states, nothing is remembered.

    Raises:
        UsageError: A pattern is malformed, or a target, rule or family is not known.
        SourceError: A path does not exist, or a previous state cannot be read.
    """
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    inputs = find_inputs(given, limit=DEFAULT_LIMITS.size, exclude=exclude, skip_others=skip_others)
    known = tuple(known_pipelines)
    earlier = _previous(given, previous, previous_git, previous_objects)
    remembered, recalled, report = None, {}, None
    if cache and not earlier:
        from kfp_k8s_manifest.validation.cache import open_cache

        # A Target of somebody's own making may have the name of another one.
        remembered = open_cache(target if isinstance(target, str) else repr(target))
    if remembered is not None:
        recalled = remembered.recall(inputs)
        report = _recalled(inputs, remembered, recalled, target, known, assume_pipelines)
    if report is None:
        if remembered is not None:
            recalled = remembered.complete(recalled)
        run = _run(target, known, assume_pipelines, earlier, remembered, recalled)
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
    earlier: Mapping[Any, Any] = {}
    if previous:
        from kfp_k8s_manifest.validation.history import previous_states

        earlier = previous_states([_text_input("<previous>", previous)], DEFAULT_LIMITS)
    run = _run(target, tuple(known_pipelines), assume_pipelines, earlier)
    report = run.report([_text_input(source, text)], 1)
    return report if allow_empty else with_nothing_to_check(report, [source])


def _text_input(name: str, text: str | bytes) -> Input:
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return Input(name=name, data=data, size=len(data))


def _previous(
    paths: Sequence[str | os.PathLike[str]],
    previous: Iterable[str | os.PathLike[str]],
    commit: str,
    objects: Iterable[Mapping[str, Any]],
) -> Mapping[Any, Any]:
    """Return the previous states of objects by kind, namespace and name."""
    places, states = list(previous), list(objects)
    if not places and not commit and not states:
        return {}
    from kfp_k8s_manifest.validation.history import git_inputs, object_states, previous_states

    limit = DEFAULT_LIMITS.size
    earlier = {
        **object_states(states),
        **previous_states(find_inputs(places, limit=limit), DEFAULT_LIMITS),
    }
    if commit:
        earlier |= previous_states(git_inputs(paths, commit, limit=limit), DEFAULT_LIMITS)
    return earlier


def _recalled(
    inputs: Sequence[Input],
    cache: Cache,
    recalled: Mapping[int, Checked],
    target: str | Target,
    known: Sequence[str],
    assume: bool,  # noqa: FBT001
) -> Report | None:
    """Return the report of a run that remembers everything, or None."""
    # With at least one verdict it is known that there is such a target.
    if not recalled or any(
        index not in recalled and not each.skip for index, each in enumerate(inputs)
    ):
        return None
    keys = [key for key, _ in recalled.values()]
    if not cache.knows_set(keys, known, assume=assume):
        return None
    gathered = Gathered()
    for index, each in enumerate(inputs):
        outcome = recalled[index][1] if index in recalled else Outcome(passed_over=each.skip)
        gathered.add(index, each.name, outcome)
    return gathered.report(target if isinstance(target, str) else target.name)


def _run(
    target: str | Target,
    known: tuple[str, ...],
    assume: bool,  # noqa: FBT001
    previous: Mapping[Any, Any],
    cache: Cache | None = None,
    recalled: Mapping[int, Checked] | None = None,
) -> Run:
    from kfp_k8s_manifest.releases import target as find_target
    from kfp_k8s_manifest.validation.run import Run

    return Run(
        target=find_target(target) if isinstance(target, str) else target,
        known=known,
        assume=assume,
        previous=previous,
        cache=cache,
        recalled=recalled,
    )
