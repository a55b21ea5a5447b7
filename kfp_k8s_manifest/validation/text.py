"""Check one text of manifests: read it, check its objects by themselves, put findings in places.

This is what runs in worker processes, so results are small: findings, and of each object only what
the checks of the whole set ask for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from kfp_k8s_manifest.checks.order import ObjectContext, check_object, identity, is_ours, named
from kfp_k8s_manifest.checks.source.odd_keys import mappings_with_odd_keys
from kfp_k8s_manifest.errors import YamlError, YamlLimitError
from kfp_k8s_manifest.findings import ABSENT, Finding, Path, Severity
from kfp_k8s_manifest.model.items import items_of
from kfp_k8s_manifest.yaml.reader import Document, Limits, load_all

__all__ = ["Item", "Outcome", "Previous", "check_text", "locate", "skeleton"]

_SHOWN_VALUES: Final = 20
_SHOWN_CHARACTERS: Final = 1_000

Identity = tuple[str, str, str]
Previous = Mapping[Identity, Any]
"""The previous states of objects by kind, namespace and name."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Item:
    """One object of ours in a text.

    Attributes:
        document: The index of its document.
        prefix: Its path in the document; empty but inside a `List`.
        object: The object, or its skeleton.
    """

    document: int
    prefix: Path
    object: Any


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Outcome:
    """What came out of one text.

    Attributes:
        items: The objects of ours, as skeletons.
        skipped: How many objects of other kinds there are.
        findings: What the checks found, each in its place.
        excerpts: The lines that findings point at.
    """

    items: tuple[Item, ...] = ()
    skipped: int = 0
    findings: tuple[Finding, ...] = ()
    excerpts: Mapping[int, str]


def check_text(
    name: str,
    data: bytes | str,
    context: ObjectContext,
    *,
    limits: Limits,
    previous: Previous | None = None,
    explicit: bool = True,
) -> Outcome:
    """Check a text.

    Args:
        name: What findings call it.
        data: The text, or its bytes as they are in the file.
        context: What the objects are checked against.
        limits: Where reading stops.
        previous: The previous states of objects, where updates are to be checked.
        explicit: True where somebody named this text; then a document that is no object is an
            error, as it is for kubectl. In a folder there may be YAML of any kind.
    """
    if len(data) > limits.size:
        return _too_large(name, limits)
    try:
        documents = load_all(data, source=name, limits=limits)
    except YamlError as error:
        finding = _unreadable(error, name)
        return Outcome(findings=(finding,), excerpts=_excerpts(data, [finding]))
    items: list[Item] = []
    findings: list[Finding] = []
    skipped = 0
    for index, document in enumerate(documents):
        for prefix, obj in items_of(document.value):
            if not is_ours(obj) and (isinstance(obj, dict) or not explicit):
                skipped += 1
                continue
            found = _check(obj, document, prefix, context, previous)
            findings += locate(found, document, prefix, name)
            if isinstance(obj, dict):
                items.append(Item(document=index, prefix=prefix, object=skeleton(obj)))
    return Outcome(
        items=tuple(items),
        skipped=skipped,
        findings=tuple(findings),
        excerpts=_excerpts(data, findings) if findings else {},
    )


def _too_large(name: str, limits: Limits) -> Outcome:
    finding = Finding(
        rule="yaml-limit",
        severity=Severity.ERROR,
        message=f"the file was not read: it is larger than {limits.size:,} bytes",
        file=name,
    )
    return Outcome(findings=(finding,), excerpts={})


def _check(
    obj: Any,
    document: Document,
    prefix: Path,
    context: ObjectContext,
    previous: Previous | None,
) -> list[Finding]:
    before = previous.get(identity(obj), ABSENT) if previous else ABSENT
    found = check_object(obj, context, before)
    if not isinstance(obj, dict):
        return found
    # What only findings need is imported where there are some: a clean run is over sooner.
    if found:
        from kfp_k8s_manifest.checks.source.unquoted import explain_unquoted

        found = explain_unquoted(found, obj, document, prefix)
    odd = mappings_with_odd_keys(obj)
    if odd:
        from kfp_k8s_manifest.checks.source.unquoted import check_keys, without_fallout

        found = without_fallout(found, odd, document, prefix)
        found += named(obj, check_keys(odd, document, prefix))
    return found


def skeleton(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of an object that the checks of a whole set look at."""
    metadata, spec = obj.get("metadata"), obj.get("spec")
    small: dict[str, Any] = _only(obj, ("apiVersion", "kind"))
    small["metadata"] = _only(metadata, ("name", "namespace"))
    small["spec"] = _only(spec, ("pipelineName", "versionName"))
    return small


def _only(tree: Any, keys: Sequence[str]) -> dict[str, Any]:
    if not isinstance(tree, dict):
        return {}
    return {key: tree[key] for key in keys if isinstance(tree.get(key), str)}


def locate(
    findings: Sequence[Finding], document: Document, prefix: Path, name: str
) -> list[Finding]:
    """Return findings with their places in a text, and without values that are large."""
    located = []
    for finding in findings:
        line, column = _place(finding, document, prefix)
        finding = replace(finding, file=name, line=line, column=column)
        if _is_large(finding.value):
            finding = replace(finding, value=ABSENT)
        located.append(finding)
    return located


def _place(finding: Finding, document: Document, prefix: Path) -> tuple[int, int]:
    """Return where a finding points: at its value, or at the key above what is missing."""
    path: Path = (*prefix, *finding.path)
    tree: Any = document.value
    for depth, key in enumerate(path):
        if not _has(tree, key):
            return document.key_position(path[:depth])
        tree = tree[key]
    named = finding.on_key and isinstance(finding.value, str) and isinstance(tree, dict)
    if named and finding.value in tree:
        return document.key_position((*path, finding.value))
    if finding.on_key or isinstance(tree, (dict, list)):
        # The first line of a mapping is that of its first key, which says nothing.
        return document.key_position(path)
    return document.position(path)


def _has(tree: Any, key: str | int) -> bool:
    if isinstance(tree, dict):
        return key in tree
    return isinstance(tree, list) and isinstance(key, int) and key < len(tree)


def _is_large(tree: Any) -> bool:
    """Tell whether a value is a tree of more than a few values, or a very long text."""
    stack, seen = [tree], 0
    while stack:
        each = stack.pop()
        seen += 1
        if seen > _SHOWN_VALUES or (isinstance(each, str) and len(each) > _SHOWN_CHARACTERS):
            return True
        if isinstance(each, dict):
            stack.extend(each.values())
        elif isinstance(each, list):
            stack.extend(each)
    return False


def _unreadable(error: YamlError, name: str) -> Finding:
    # Beyond the reader's own limits Kubernetes might still read the text.
    limit = isinstance(error, YamlLimitError)
    return Finding(
        rule="yaml-limit" if limit else "yaml-invalid",
        severity=Severity.ERROR,
        message=error.reason,
        file=name,
        line=error.line,
        column=error.column,
    )


def _excerpts(data: bytes | str, findings: Sequence[Finding]) -> dict[int, str]:
    wanted = {finding.line for finding in findings if finding.line}
    if not wanted:
        return {}
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    # Lines end as YAML has it; `splitlines` would end them at form feeds as well.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return {line: lines[line - 1] for line in sorted(wanted) if line <= len(lines)}
