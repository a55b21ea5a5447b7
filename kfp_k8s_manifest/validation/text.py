"""Check one text of manifests: read it, check its objects by themselves, put findings in places.

This is what runs in worker processes, so results are small: findings, and of each object only what
the checks of the whole set ask for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from kfp_k8s_manifest.checks.order import ObjectContext, check_object, identity, is_ours, named
from kfp_k8s_manifest.checks.registry import YAML_INVALID, YAML_LIMIT
from kfp_k8s_manifest.checks.source.odd_keys import mappings_with_odd_keys
from kfp_k8s_manifest.errors import YamlError, YamlLimitError
from kfp_k8s_manifest.findings import ABSENT, Finding, Path, Severity
from kfp_k8s_manifest.model.items import items_of
from kfp_k8s_manifest.validation.few import Few
from kfp_k8s_manifest.yaml.limits import Limits
from kfp_k8s_manifest.yaml.reader import Document, load_all

__all__ = ["Item", "Kept", "Outcome", "Previous", "check_text", "lines_of", "locate", "skeleton"]

_SHOWN_VALUES: Final = 30
_PART: Final = 4096
_CHECKED_NODES: Final = 200_000
"""Keys and values that are checked in one text. A thousand pipelines of the usual size have twice
as many, the greatest object that the API server takes hardly ever half as many."""
_NODES_PER_OBJECT: Final = 50
"""For how many nodes each object counts: the smallest costs as much."""
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


class Kept:
    """A text that was read, for those who want to look at it again."""

    data: bytes | str = b""
    documents: Sequence[Document] = ()


def check_text(
    name: str,
    data: bytes | str,
    context: ObjectContext,
    *,
    limits: Limits,
    previous: Previous | None = None,
    explicit: bool = True,
    kept: Kept | None = None,
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
        kept: Takes the text and its documents, for a caller who would read them again otherwise.
    """
    if len(data) > limits.size:
        return _too_large(name, limits)
    try:
        documents = load_all(data, source=name, limits=limits)
    except YamlError as error:
        finding = _unreadable(error, name)
        return Outcome(findings=(finding,), excerpts=_excerpts(data, [finding]))
    if kept is not None:
        kept.data, kept.documents = data, documents
    items: list[Item] = []
    findings: list[Finding] = []
    few = Few()
    skipped = work = 0
    for index, document in enumerate(documents):
        objects = list(items_of(document.value))
        if any(is_ours(obj) for _, obj in objects):
            work += document.nodes + _NODES_PER_OBJECT * len(objects)
        if work > _CHECKED_NODES:
            findings.append(_too_many(document, name))
            break
        for prefix, obj in objects:
            if not is_ours(obj) and (isinstance(obj, dict) or not explicit):
                skipped += 1
                continue
            found = _check(obj, document, prefix, context, previous)
            findings += locate(few.pass_on(found), document, prefix, name)
            if isinstance(obj, dict):
                items.append(Item(document=index, prefix=prefix, object=skeleton(obj)))
    findings += few.rest(findings)
    return Outcome(
        items=tuple(items),
        skipped=skipped,
        findings=tuple(findings),
        excerpts=_excerpts(data, findings) if findings else {},
    )


def _too_many(document: Document, name: str) -> Finding:
    return Finding(
        rule=YAML_LIMIT.id,
        severity=Severity.ERROR,
        message="the rest of the text was not checked: at most"
        f" {_CHECKED_NODES:,} keys and values of objects are checked in one text, where each object"
        f" counts for {_NODES_PER_OBJECT}; split it",
        file=name,
        line=document.line,
    )


def _too_large(name: str, limits: Limits) -> Outcome:
    finding = Finding(
        rule=YAML_LIMIT.id,
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
        from kfp_k8s_manifest.checks.source.unquoted import check_keys

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
            stack.extend((*each, *each.values()))
        elif isinstance(each, list):
            stack.extend(each)
    return False


def _unreadable(error: YamlError, name: str) -> Finding:
    # Beyond the reader's own limits Kubernetes might still read the text.
    limit = isinstance(error, YamlLimitError)
    return Finding(
        rule=(YAML_LIMIT if limit else YAML_INVALID).id,
        severity=Severity.ERROR,
        message=error.reason,
        file=name,
        line=error.line,
        column=error.column,
    )


def _excerpts(data: bytes | str, findings: Sequence[Finding]) -> dict[int, str]:
    wanted = {finding.line for finding in findings if finding.line}
    return lines_of(data, wanted) if wanted else {}


def lines_of(data: bytes | str, wanted: Iterable[int]) -> dict[int, str]:
    """Return some lines of a text by their one-based numbers; those beyond its end are left out."""
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    found: dict[int, str] = {}
    line, start = 1, 0
    for number in sorted(set(wanted)):
        # Whole parts are passed over by counting, which is much faster than looking at each line.
        while line < number and start < len(text):
            skipped = text.count("\n", start, start + _PART)
            if line + skipped < number:
                line, start = line + skipped, start + _PART
            else:
                start, line = text.find("\n", start) + 1, line + 1
        if line < number:
            break
        end = text.find("\n", start)
        found[number] = text[start : end if end >= 0 else None].removesuffix("\r")
    return found
