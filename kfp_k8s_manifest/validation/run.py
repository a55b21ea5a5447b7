"""One validation: from inputs to a report.

Objects are checked one by one, in worker processes where there is enough to do; then the set is
checked as a whole. This is imported where something has to be checked: a run that remembers
everything does without.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.order import ObjectContext
from kfp_k8s_manifest.checks.webhook.mutating import KnownPipelines
from kfp_k8s_manifest.checks.words import finding
from kfp_k8s_manifest.findings import Report
from kfp_k8s_manifest.releases import Target
from kfp_k8s_manifest.validation.cache import Cache, key_of
from kfp_k8s_manifest.validation.inputs import Input
from kfp_k8s_manifest.validation.outcome import Checked, Gathered, Outcome
from kfp_k8s_manifest.validation.packages import check_package
from kfp_k8s_manifest.validation.text import Kept, Previous, check_text
from kfp_k8s_manifest.validation.together import check_together
from kfp_k8s_manifest.yaml.limits import DEFAULT_LIMITS

__all__ = ["Run"]

_WORTH_WORKERS: Final = 400_000
"""Bytes from which on starting worker processes pays."""


class Run:
    """One validation: what it is asked, and its way from inputs to a report.

    Args:
        target: The releases that count.
        known: Pipelines that exist in the cluster: `name`, or `namespace/name`.
        assume: True where every Pipeline is taken to exist.
        previous: The previous states of objects.
        cache: What is remembered and takes what is new, or None.
        recalled: What it remembers of the texts, by their indexes, with their keys.
    """

    def __init__(
        self,
        *,
        target: Target,
        known: tuple[str, ...],
        assume: bool,
        previous: Previous,
        cache: Cache | None = None,
        recalled: Mapping[int, Checked] | None = None,
    ) -> None:
        self.target = target
        self.known = known
        self.assume = assume
        self.previous = previous
        self.cache = cache
        self.recalled = recalled or {}
        # Which Pipelines exist is known only when all texts are read; the set's checks ask then.
        self.context = ObjectContext(target=target, pipelines=KnownPipelines(assume=True))

    def report(self, inputs: Sequence[Input], jobs: int) -> Report:
        """Check texts.

        Args:
            inputs: The texts.
            jobs: How many processes work; 0 means as many as there are processors, where it pays.
        """
        gathered = Gathered()
        keys: list[str] = []
        # A single text is kept, so that it is read once; many of them would fill memory.
        kept = Kept()
        for index, (key, outcome) in enumerate(self._outcomes(inputs, jobs, kept)):
            gathered.add(index, inputs[index].name, outcome)
            if not inputs[index].skip:
                keys.append(self._remembered(index, key, outcome))
        pipelines = KnownPipelines.of(
            (*(item.object for _, item in gathered.items), *self.previous.values()),
            known=self.known,
            assume=self.assume,
        )
        clean = True
        for index, located, lines in check_together(
            gathered.items, inputs, self.target, pipelines, kept
        ):
            clean = False
            gathered.found(inputs[index].name, located, lines)
        if self.cache is not None:
            if clean and all(keys):
                self.cache.put_set(keys, self.known, assume=self.assume)
            self.cache.save()
        return gathered.report(self.target.name)

    def _remembered(self, index: int, key: str, outcome: Outcome) -> str:
        """Remember what came out of a text; return its key, or "" where it is not remembered."""
        if self.cache is None:
            return ""
        return key if index in self.recalled or self.cache.put(key, outcome) else ""

    def _outcomes(self, inputs: Sequence[Input], jobs: int, kept: Kept) -> Iterator[Checked]:
        """Yield what came out of each text, in order: what is recalled, and what is checked now."""
        left = [each for index, each in enumerate(inputs) if index not in self.recalled]
        checked = iter(self._checked(left, jobs, kept if len(inputs) == 1 else None))
        for index in range(len(inputs)):
            yield self.recalled[index] if index in self.recalled else next(checked)

    def _checked(self, inputs: Sequence[Input], jobs: int, kept: Kept | None) -> Iterator[Checked]:
        mark = self.cache.mark if self.cache else ""
        workers = jobs or _processors()
        size = sum(each.size for each in inputs)
        # Previous states are trees that would have to be sent to each worker.
        alone = len(inputs) < 2 or self.previous or (not jobs and size < _WORTH_WORKERS)
        if workers < 2 or alone:
            return (_check_input(each, self.context, mark, self.previous, kept) for each in inputs)
        from kfp_k8s_manifest.validation.workers import check_inputs

        check = functools.partial(_check_input, mark=mark)
        return check_inputs(check, inputs, self.context, min(workers, len(inputs)))


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def _check_input(
    each: Input,
    context: ObjectContext,
    mark: str,
    previous: Previous | None = None,
    kept: Kept | None = None,
) -> Checked:
    if each.skip:
        return "", Outcome(passed_over=each.skip)
    try:
        data = each.read(DEFAULT_LIMITS.size)
    except OSError as error:
        reason = each.unreadable or f"the file cannot be read: {error.strerror or error}"
        found = finding(registry.FILE_UNREADABLE, (), f"{reason[:1].upper()}{reason[1:]}.")
        return "", Outcome(findings=(found.at(file=each.name),))
    outcome = check_text(
        each.name,
        data,
        context,
        limits=DEFAULT_LIMITS,
        previous=previous,
        explicit=each.explicit,
        kept=kept,
        check_package=check_package,
    )
    # The key is that of the bytes that were checked, whatever the file has become since.
    return key_of(mark, data, explicit=each.explicit) if mark else "", outcome
