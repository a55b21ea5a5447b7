"""Check one text of manifests: read it, check its objects by themselves, put findings in places.

This is what runs in worker processes, so results are small: findings, and of each object only what
the checks of the whole set ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.order import ObjectContext, check_object, identity, is_ours, named
from kfp_k8s_manifest.checks.source.odd_keys import mappings_with_odd_keys
from kfp_k8s_manifest.checks.words import finding
from kfp_k8s_manifest.errors import YamlError, YamlLimitError
from kfp_k8s_manifest.findings import ABSENT, Finding, Path
from kfp_k8s_manifest.golang.sizes import json_size
from kfp_k8s_manifest.model.kinds import MAX_ETCD
from kfp_k8s_manifest.releases import Target
from kfp_k8s_manifest.validation.few import Few
from kfp_k8s_manifest.validation.others import (
    has_no_kind,
    is_package,
    looks_like_template,
    names_group,
    of_another_operator,
    other_operator,
    package_too_large,
    template,
    template_alone,
)
from kfp_k8s_manifest.validation.outcome import Item, Outcome
from kfp_k8s_manifest.validation.work import CHECKED, Work
from kfp_k8s_manifest.yaml.limits import Limits
from kfp_k8s_manifest.yaml.reader import Document, load_all

__all__ = ["Kept", "Previous", "check_text", "lines_of", "locate", "skeleton"]

_SHOWN_VALUES: Final = 20
_TOO_LARGE: Final = "larger than {:,} bytes, so the file was not read"

PackageCheck = Callable[
    ["bytes | str", str, Target], "tuple[int, Sequence[tuple[int, Path, Finding]]]"
]
"""From a text, its name and a target to the number of objects and the findings in their places."""
_PART: Final = 4096

Identity = tuple[str, str, str]
Previous = Mapping[Identity, Any]
"""The previous states of objects by kind, namespace and name."""


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
    check_package: PackageCheck | None = None,
) -> Outcome:
    """Check a text.

    Args:
        name: What findings call it.
        data: The text, or its bytes as they are in the file.
        context: What the objects are checked against.
        limits: Where reading stops.
        previous: The previous states of objects, where updates are to be checked.
        explicit: True where somebody named this text; then a document that is no object is an
            error, as it is for kubectl. In a folder there may be text of any kind.
        check_package: What checks a text that is a package of IR; without it, it is like any other
            document.
        kept: Takes the text and its documents, for a caller who would read them again otherwise.
    """
    if len(data) > limits.size:
        return _unread(name, data, YamlLimitError(_TOO_LARGE.format(limits.size)), explicit)
    try:
        documents = load_all(data, source=name, limits=limits)
    except YamlError as error:
        return _unread(name, data, error, explicit)
    if kept is not None:
        kept.data, kept.documents = data, documents
    if check_package is not None and is_package(documents):
        return _package(name, data, documents, context, check_package)
    items: list[Item] = []
    findings: list[Finding] = []
    few = Few()
    skipped, work = 0, Work(CHECKED)
    for index, document in enumerate(documents):
        objects = work.take(document)
        if objects is None:
            findings.append(_too_many(document, name, work))
            break
        for prefix, obj in objects:
            if of_another_operator(obj):
                skipped += 1
                found = named(obj, [other_operator(obj)])
            elif is_ours(obj):
                items.append(Item(document=index, prefix=prefix, object=skeleton(obj)))
                found = _check(obj, document, prefix, context, previous)
            elif explicit and (not isinstance(obj, dict) or has_no_kind(obj)):
                found = _check(obj, document, prefix, context, previous)
            else:
                skipped += 1
                continue
            findings += locate(few.pass_on(found), document, prefix, name)
    if findings and not explicit and template_alone(findings):
        return Outcome(findings=(template(name),), excerpts={})
    findings += few.rest(findings)
    return Outcome(
        items=tuple(items),
        objects=len(items),
        skipped=skipped,
        findings=tuple(findings),
        excerpts=_excerpts(data, findings) if findings else {},
    )


def _too_many(document: Document, name: str, work: Work) -> Finding:
    return finding(
        registry.YAML_LIMIT,
        (),
        f"The rest of the text was not checked: {work.refusal('checked')}.",
    ).at(file=name, line=document.line)


def _unread(name: str, data: bytes | str, error: YamlError, explicit: bool) -> Outcome:  # noqa: FBT001
    """Return what is said of a text that was not read; in a folder it may be of any kind."""
    limit = isinstance(error, YamlLimitError)
    is_template = not limit and looks_like_template(data)
    if not explicit and not names_group(data):
        where = f" in line {error.line}" if error.line else ""
        return Outcome(passed_over=f"it is not read as YAML or JSON{where}: {error.reason}")
    if not explicit and is_template:
        return Outcome(findings=(template(name),))
    found = finding(
        registry.YAML_LIMIT if limit else registry.YAML_INVALID,
        (),
        f"{error.reason[:1].upper()}{error.reason[1:]}.",
        hint=template(name).hint if is_template else "",
    ).at(file=name, line=error.line, column=error.column)
    return Outcome(findings=(found,), excerpts=_excerpts(data, [found]))


def _package(
    name: str,
    data: bytes | str,
    documents: Sequence[Document],
    context: ObjectContext,
    check_package: PackageCheck,
) -> Outcome:
    """Return the outcome of a package of IR; its findings keep the paths of the objects."""
    placed: Sequence[tuple[int, Path, Finding]]
    if len(data) > MAX_ETCD and sum(json_size(each.value) for each in documents) > MAX_ETCD:
        # Reading it as kfp does, and compiling it, would take long for nothing.
        objects, placed = 0, [(0, (), package_too_large())]
    else:
        objects, placed = check_package(data, name, context.target)
    findings = []
    for index, path, found in placed:
        (located,) = locate([found._replace(path=path)], documents[index], (), name)
        findings.append(located._replace(path=found.path))
    return Outcome(objects=objects, findings=tuple(findings), excerpts=_excerpts(data, findings))


def _check(
    obj: Any,
    document: Document,
    prefix: Path,
    context: ObjectContext,
    previous: Previous | None,
) -> list[Finding]:
    before = previous.get(identity(obj), ABSENT) if previous else ABSENT
    found = check_object(obj, context, before, at_most=document.json_at_most)
    if not isinstance(obj, dict):
        return found
    # What only findings need is imported where there are some: a clean run is over sooner.
    if found:
        from kfp_k8s_manifest.checks.source.unquoted import explain_unquoted

        found = explain_unquoted(found, obj, document, prefix)
    odd = () if document.keys_as_written else mappings_with_odd_keys(obj)
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
    """Return findings with their places in a text, and without values that are large trees."""
    located = []
    for each in findings:
        line, column = _place(each, document, prefix)
        each = each._replace(file=name, line=line, column=column)
        if _is_large(each.value):
            each = each._replace(value=ABSENT)
        located.append(each)
    return located


def _place(each: Finding, document: Document, prefix: Path) -> tuple[int, int]:
    """Return where a finding points: at its value, or at the key above what is missing."""
    path: Path = (*prefix, *each.path)
    tree: Any = document.value
    for depth, key in enumerate(path):
        if not _has(tree, key):
            return document.key_position(path[:depth])
        tree = tree[key]
    named = each.on_key and isinstance(each.value, str) and isinstance(tree, dict)
    if named and each.value in tree:
        return document.key_position((*path, each.value))
    if each.on_key or isinstance(tree, (dict, list)):
        # The first line of a mapping is that of its first key, which says nothing.
        return document.key_position(path)
    return document.position(path)


def _has(tree: Any, key: str | int) -> bool:
    if isinstance(tree, dict):
        return key in tree
    return isinstance(tree, list) and isinstance(key, int) and key < len(tree)


def _is_large(tree: Any) -> bool:
    """Tell whether a value is a tree of more than a few values."""
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


def _excerpts(data: bytes | str, findings: Sequence[Finding]) -> dict[int, str]:
    wanted = {each.line for each in findings if each.line}
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
