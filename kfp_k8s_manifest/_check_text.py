"""Check one text of manifests: read it, check its objects by themselves, put findings in places.

This is what runs in worker processes, so results are small: findings, and of each object only what
the checks of the whole set ask for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from kfp_k8s_manifest.checks.api import ObjectContext, check_object, is_ours
from kfp_k8s_manifest.checks.unquoted import check_keys, explain_unquoted
from kfp_k8s_manifest.checks.update import check_update
from kfp_k8s_manifest.errors import YamlError
from kfp_k8s_manifest.findings import ABSENT, Finding, Path, Severity
from kfp_k8s_manifest.yaml import Document, Limits, YamlLimitError, load_all

__all__ = ["Item", "Outcome", "Previous", "check_text", "items_of", "locate", "skeleton"]

_MAX_LIST_DEPTH: Final = 10
_SHOWN_VALUES: Final = 20

Identity = tuple[str, str, str]
Previous = Mapping[Identity, Any]
"""The previous states of objects by kind, namespace and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
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
) -> Outcome:
    """Check a text.

    Args:
        name: What findings call it.
        data: The text, or its bytes as they are in the file.
        context: What the objects are checked against.
        limits: Where reading stops.
        previous: The previous states of objects, where updates are to be checked.
    """
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
            if not is_ours(obj):
                skipped += obj is not None
                continue
            found = _check(obj, document, prefix, context, previous)
            findings += locate(found, document, prefix, name)
            items.append(Item(document=index, prefix=prefix, object=skeleton(obj)))
    return Outcome(
        items=tuple(items),
        skipped=skipped,
        findings=tuple(findings),
        excerpts=_excerpts(data, findings) if findings else {},
    )


def _check(
    obj: dict[str, Any],
    document: Document,
    prefix: Path,
    context: ObjectContext,
    previous: Previous | None,
) -> list[Finding]:
    found = check_object(obj, context)
    if found:
        found = explain_unquoted(found, obj, document, prefix)
    keys = document.renamed_keys(prefix)
    extra = check_keys(keys) if keys else []
    kind, namespace, name = identity = _identity(obj)
    if previous and name and identity in previous:
        extra += check_update(previous[identity], obj, context.target)
    if extra:
        found += [replace(each, kind=kind, namespace=namespace, name=name) for each in extra]
    return found


def items_of(value: Any, prefix: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield the objects of a document, those of a `List` one by one, with their paths."""
    if isinstance(value, dict) and len(prefix) < 2 * _MAX_LIST_DEPTH:
        kind, items = value.get("kind"), value.get("items")
        if isinstance(kind, str) and kind.endswith("List") and isinstance(items, list):
            for index, item in enumerate(items):
                yield from items_of(item, (*prefix, "items", index))
            return
    yield prefix, value


def _identity(obj: Any) -> Identity:
    metadata = obj.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    found = (obj.get("kind"), metadata.get("namespace"), metadata.get("name"))
    kind, namespace, name = (each if isinstance(each, str) else "" for each in found)
    return kind, namespace, name


def skeleton(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of an object that the checks of a whole set look at."""
    metadata, spec = obj.get("metadata"), obj.get("spec")
    small: dict[str, Any] = {"apiVersion": obj.get("apiVersion"), "kind": obj.get("kind")}
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
    """Return findings with their places in a text, and without values that are large trees."""
    located = []
    for finding in findings:
        place = _place(finding, document, prefix)
        line, column = place if place is not None else (document.line, None)
        finding = replace(finding, file=name, line=line, column=column)
        if isinstance(finding.value, (dict, list)) and _is_large(finding.value):
            finding = replace(finding, value=ABSENT)
        located.append(finding)
    return located


def _place(finding: Finding, document: Document, prefix: Path) -> tuple[int, int] | None:
    """Return where a finding points: at its field, or at what comes closest above it."""
    path: Path = (*prefix, *finding.path)
    if finding.on_key:
        place = document.key_position(path)
        if place is None and isinstance(finding.value, str):
            place = document.key_position((*path, finding.value))
        if place is not None:
            return place
    exact = True
    while path:
        # A missing field is shown by the key of the mapping that lacks it.
        place = document.position(path) if exact else document.key_position(path)
        place = place or document.position(path)
        if place is not None:
            return place
        path, exact = path[:-1], False
    return document.position(())


def _is_large(tree: Any) -> bool:
    """Tell whether a tree has more than a few values."""
    stack, seen = [tree], 0
    while stack:
        each = stack.pop()
        seen += 1
        if seen > _SHOWN_VALUES:
            return True
        if isinstance(each, dict):
            stack.extend(each.values())
        elif isinstance(each, list):
            stack.extend(each)
    return False


def _unreadable(error: YamlError, name: str) -> Finding:
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
