"""Updates: what may change in an object that exists.

A PipelineVersion is immutable but for its metadata and, from KFP 2.17 on, `displayName` and
`tags`; a Pipeline is not. The webhook compares what the API server stores, so two manifests are
compared here as they would be stored: nulls of typed fields count as absent, the order of keys and
the notation of numbers do not count. An empty string counts as absent from 2.17 on, whose webhook
compares typed specs; the earlier ones look at `metadata.generation`, which rises for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.server.crd import known_fields
from kfp_k8s_manifest.checks.words import finding, shown, value_at
from kfp_k8s_manifest.findings import ABSENT, Finding, Path, format_path
from kfp_k8s_manifest.model.kinds import PIPELINE_VERSION
from kfp_k8s_manifest.releases import FieldType, Release, Target

__all__ = ["check_generation", "check_update", "spec_changes"]

_NAMED: Final = 3


def check_update(
    previous: Mapping[str, Any], current: Mapping[str, Any], target: Target
) -> list[Finding]:
    """Check whether an object may replace its previous state.

    Args:
        previous: The object as it is in the cluster, or was applied last.
        current: The object that is to replace it, of the same kind, namespace and name.
        target: The releases whose webhooks count.
    """
    if current.get("kind") != PIPELINE_VERSION:
        return []
    old, new = previous.get("spec"), current.get("spec")
    frozen: list[tuple[Path, Any, Any]] = []
    refusing: list[Release] = []
    changes: dict[bool, list[tuple[Path, Any, Any]]] = {}
    for release in target.releases:
        # A webhook that lets some fields change has to compare the others one by one.
        typed = bool(release.mutable_fields)
        if typed not in changes:
            changes[typed] = spec_changes(old, new, target, typed=typed)
        mutable = release.mutable_fields
        rejected = [change for change in changes[typed] if change[0][1] not in mutable]
        if rejected:
            refusing.append(release)
            frozen = frozen if len(frozen) > len(rejected) else rejected
    if not frozen:
        return []
    return [_immutable(frozen, refusing)]


def check_generation(
    old: Mapping[str, Any], new: Mapping[str, Any], target: Target
) -> list[Finding]:
    """Check whether the API server sees a change of the spec where the comparison sees none.

    The webhooks up to 2.16 look at `metadata.generation` and nothing else. It also rises for fields
    that only a newer CRD knows, and for `1` that becomes `1.0`.

    Args:
        old: The object as the API server has stored it.
        new: The object as it is about to store it.
        target: The releases whose webhooks count.
    """
    before, after = (value_at(each, "metadata", "generation") for each in (old, new))
    refusing = [release for release in target.releases if not release.mutable_fields]
    if type(before) is not int or type(after) is not int or before == after or not refusing:
        return []
    where = "the KEP" if refusing[0].kep else f"KFP {refusing[0].name}"
    return [
        finding(
            registry.VERSION_IMMUTABLE,
            ("spec",),
            f"has changed (metadata.generation {before} → {after}), but a PipelineVersion is"
            f" immutable: in {where} only metadata may change.",
            hint="Publish it as a new version, under another metadata.name.",
            cluster_message=refusing[0].update_message,
        )
    ]


def _immutable(changes: list[tuple[Path, Any, Any]], refusing: list[Release]) -> Finding:
    details = [
        f"{format_path(where)} ({_words(before)} → {_words(after)})"
        for where, before, after in changes[:_NAMED]
    ]
    more = f" and {len(changes) - _NAMED} more" if len(changes) > _NAMED else ""
    release = refusing[-1]
    mutable = ", ".join(sorted(release.mutable_fields))
    rule = f"only metadata and {mutable}" if mutable else "only metadata"
    where = f"KFP {refusing[0].name}" if not release.kep else "the KEP"
    if len(refusing) > 1:
        where += f" to {release.name}"
    return finding(
        registry.VERSION_IMMUTABLE,
        changes[0][0][:2],
        f"has changed, but a PipelineVersion is immutable: in {where} {rule} may change."
        f" Changed: {', '.join(details)}{more}.",
        hint="Publish it as a new version, under another metadata.name.",
        cluster_message=release.update_message,
    )


def _words(value: Any) -> str:
    return "absent" if value is ABSENT else shown(value)


def spec_changes(
    old: Any, new: Any, target: Target, *, typed: bool = True
) -> list[tuple[Path, Any, Any]]:
    """Return how two specs of a PipelineVersion differ once the API server has stored them.

    Args:
        old: The previous `spec`.
        new: The current `spec`.
        target: The releases whose CRDs count; fields that none of them knows are not stored.
        typed: True where empty strings count as absent.

    Returns:
        The path, the old and the new value of each difference, `ABSENT` standing for no value.
    """
    before, after = (_stored(spec, target, typed=typed) for spec in (old, new))
    return [
        ((*path,), was, now)
        for key in dict.fromkeys((*before, *after))
        for path, was, now in _differences(
            before.get(key, ABSENT), after.get(key, ABSENT), ("spec", key)
        )
    ]


def _stored(spec: Any, target: Target, *, typed: bool) -> dict[str, Any]:
    fields = known_fields(PIPELINE_VERSION, target)
    stored = {}
    for key, value in (spec if isinstance(spec, dict) else {}).items():
        field = fields.get(key)
        if field is None or value is None:
            continue
        if field.type is FieldType.MAP and isinstance(value, dict):
            value = {name: each for name, each in value.items() if each is not None}
        # The webhook's types leave out what is empty, so it makes no difference.
        if field.type is not FieldType.SCHEMALESS and value in ("", {}) and (typed or value == {}):
            continue
        stored[key] = value
    return stored


def _differences(old: Any, new: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    """Yield the places where two trees differ.

    Trees may be deep: there is no recursion, and a path is put together only where it is needed.
    """
    stack: list[tuple[Any, Any, _Place]] = [(old, new, None)]
    while stack:
        was, now, place = stack.pop()
        if was is now:
            continue
        if isinstance(was, dict) and isinstance(now, dict):
            keys = list(dict.fromkeys((*was, *now)))
            stack += [
                (was.get(key, ABSENT), now.get(key, ABSENT), (place, key)) for key in reversed(keys)
            ]
        elif isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
            stack += [
                (was[index], now[index], (place, index)) for index in reversed(range(len(was)))
            ]
        elif not _same_scalar(was, now):
            yield (*path, *_steps(place)), was, now


_Place: TypeAlias = "tuple[Any, str | int] | None"


def _steps(place: _Place) -> list[str | int]:
    steps: list[str | int] = []
    while place is not None:
        place, step = place
        steps.append(step)
    return steps[::-1]


def _same_scalar(was: Any, now: Any) -> bool:
    if isinstance(was, (bool, dict, list)) or isinstance(now, (bool, dict, list)):
        # Trees get here only where they differ in kind or length.
        return False
    return bool(was == now)
