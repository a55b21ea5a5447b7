"""From what came out of texts to what is reported: has anything been checked, what was asked for.

A run that remembers all its verdicts comes this far without a single rule, so the rules are
imported where they are needed.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.findings import (
    FileResult,
    Finding,
    PassedOver,
    Path,
    Report,
    Severity,
    sort_findings,
)

__all__ = ["Checked", "Gathered", "Item", "Outcome", "selected", "with_nothing_to_check"]

_REMEDY: Final = "Name what holds them, or pass --allow-empty where there may be none."


class Item(NamedTuple):
    """One object of ours in a text.

    Attributes:
        document: The index of its document.
        prefix: Its path in the document; empty but inside a `List`.
        object: The object, or its skeleton.
    """

    # No dataclass: making one takes a millisecond at every start of the command.
    document: int
    prefix: Path
    object: Any


class Outcome(NamedTuple):
    """What came out of one text.

    Attributes:
        items: The objects of ours, as skeletons.
        objects: How many objects were checked: those, or those that a package of IR would become.
        passed_over: Why the text as a whole is not for these checks, or "".
        skipped: How many objects of other kinds there are.
        findings: What the checks found, each in its place.
        excerpts: The lines that findings point at.
    """

    # No dataclass: making one takes a millisecond at every start of the command.
    items: tuple[Item, ...] = ()
    objects: int = 0
    passed_over: str = ""
    skipped: int = 0
    findings: tuple[Finding, ...] = ()
    excerpts: Mapping[int, str] = {}


Checked = tuple[str, Outcome]
"""What came out of a text, and the key to remember it by, or ""."""


class Gathered:
    """What came out of the texts of a run, put together.

    Attributes:
        items: The objects, each with the index of its text.
    """

    def __init__(self) -> None:
        self.items: list[tuple[int, Item]] = []
        self._findings: list[Finding] = []
        self._excerpts: dict[tuple[str, int], str] = {}
        self._files: list[FileResult] = []
        self._passed_over: list[PassedOver] = []

    def add(self, index: int, name: str, outcome: Outcome) -> None:
        """Add what came out of a text.

        Args:
            index: The text's index.
            name: What reports call it.
            outcome: What came out of it.
        """
        self.found(name, outcome.findings, outcome.excerpts)
        if outcome.passed_over:
            self._passed_over.append(PassedOver(name=name, reason=outcome.passed_over))
            return
        self._files.append(FileResult(name=name, objects=outcome.objects, skipped=outcome.skipped))
        self.items += [(index, item) for item in outcome.items]

    def found(self, name: str, findings: Iterable[Finding], lines: Mapping[int, str]) -> None:
        """Add findings in a text, and the lines that they point at."""
        self._findings += findings
        self._excerpts.update({(name, line): text for line, text in lines.items()})

    def report(self, target: str) -> Report:
        """Return the report.

        Args:
            target: The name of the target.
        """
        return Report(
            target=target,
            findings=tuple(sort_findings(self._findings)),
            files=tuple(self._files),
            excerpts=self._excerpts,
            passed_over=tuple(self._passed_over),
        )


def with_nothing_to_check(report: Report, named: Container[str]) -> Report:
    """Return a report that tells which named files hold no object of ours, and if nothing does.

    Args:
        report: The report.
        named: The files that somebody named, as they are called in the report.
    """
    nothing = not report.objects and not report.errors
    severity = Severity.ERROR if nothing else Severity.NOTE
    # A file of which something is said already is not named again, unless that is no error and
    # there is nothing else.
    told = set() if nothing else {each.file for each in report.findings}
    empty = [
        each
        for each in report.files
        if each.name in named and not each.objects and each.name not in told
    ]
    findings = []
    for file in empty:
        others = f"; objects of other kinds in it: {file.skipped:,}" if file.skipped else ""
        text = f"There is no Pipeline or PipelineVersion in it{others}."
        findings.append(_nothing(text, severity).at(file=file.name))
    if nothing and not empty:
        looked = [f"files: {len(report.files):,}"]
        if report.skipped:
            looked.append(f"objects of other kinds: {report.skipped:,}")
        if report.passed_over:
            looked.append(f"files that are skipped: {len(report.passed_over):,}")
        findings.append(
            _nothing(
                f"There is no Pipeline or PipelineVersion to check ({', '.join(looked)}).", severity
            )
        )
    if not findings:
        return report
    return report._replace(findings=tuple(sort_findings([*report.findings, *findings])))


def _nothing(text: str, severity: Severity) -> Finding:
    from kfp_k8s_manifest.checks import registry
    from kfp_k8s_manifest.checks.words import finding

    hint = _REMEDY if severity is Severity.ERROR else ""
    return finding(registry.NOTHING_TO_CHECK, (), text, hint=hint, severity=severity)


def selected(report: Report, select: Sequence[str], ignore: Sequence[str]) -> Report:
    """Leave out the findings that were not asked for."""
    if not select and not ignore:
        return report
    from kfp_k8s_manifest.checks import registry

    # A text that was not read is told whatever was selected: nothing else could be found in it.
    always = {
        rule.id
        for rule in registry.RULES.values()
        if rule in (registry.YAML_INVALID, registry.YAML_LIMIT) or rule.family == "input"
    }
    chosen, left = _rule_ids(select) | always, _rule_ids(ignore)
    findings = [
        each
        for each in report.findings
        if (not select or each.rule in chosen) and each.rule not in left
    ]
    return report._replace(findings=tuple(findings))


def _rule_ids(names: Iterable[str]) -> set[str]:
    from kfp_k8s_manifest.checks import registry

    known = registry.RULES.values()
    ids: set[str] = set()
    for name in names:
        matching = {each.id for each in known if name in (each.id, each.family)}
        if not matching:
            families = ", ".join(sorted({each.family for each in known}))
            raise UsageError(
                f"{name!r} is neither a rule (`kfp-k8s rules` lists them) nor a family: {families}"
            )
        ids |= matching
    return ids
