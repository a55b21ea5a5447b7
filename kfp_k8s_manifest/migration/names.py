"""The names that pipelines and versions of a server have as Kubernetes objects.

A name that Kubernetes takes stays. Any other is cleaned, and ends in a digest of the original: what it
becomes follows from the record alone, so that a server which has grown since gives every older record
the name it had. Cleaned names by themselves would not do: `V 1` and `v.1` may meet, today or later.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from kfp_k8s_manifest import naming
from kfp_k8s_manifest.errors import InvalidNameError
from kfp_k8s_manifest.releases import Target

__all__ = [
    "OWN_FILES",
    "file_stem",
    "is_pipeline_name",
    "is_version_name",
    "pipeline_names",
    "rivals",
    "version_names",
]

_DIGEST: Final = 8
"""Characters of a digest in a name: 40 bits. Among 5,000 names that are cleaned to one, two meet with a
chance of 1 in 88,000, and then the digest of one grows."""

_LONGEST_DIGEST: Final = 52
_LONGEST_MAPPED: Final = naming.MAX_LABEL
_LONGEST_STEM: Final = 220

OWN_FILES: Final = frozenset(
    {"kustomization.yaml", "kustomizeconfig.yaml", "not-exported.jsonl", "rename-report.csv"}
)
"""The files of an export and of its layouts, which no folder of a pipeline can have the name of."""


def is_pipeline_name(name: str, target: Target) -> bool:
    """Tell whether a Pipeline object can have a name, and versions beside it.

    The webhook labels versions with the pipeline's name; the API server rejects them where that is
    longer than a label, or where what some releases cut to its length ends in `-` or `.`.

    Args:
        name: The name.
        target: The releases that must take it.
    """
    if naming.object_name_problems(name):
        return False
    labels = (release.pipeline_label(name) for release in target.releases)
    return not any(each is not None and naming.label_value_problems(each) for each in labels)


def is_version_name(name: str) -> bool:
    """Tell whether a name can be a `spec.versionName` that the REST server would give."""
    return not naming.version_name_problems(name) and not naming.object_name_problems(name)


def pipeline_names(
    names: Iterable[str], target: Target, former: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the object names of the pipelines of one namespace.

    Args:
        names: The names on the server.
        target: The releases that must take them.
        former: Names that an earlier export has given; they stay, and belong to nobody else.

    Returns:
        The object's name by the name on the server.
    """
    found = dict(former or {})
    taken = set(found.values())
    invalid = []
    for name in names:
        if name in found:
            continue
        if is_pipeline_name(name, target) and name not in taken:
            found[name] = name
            taken.add(name)
        else:
            invalid.append(name)
    # Sorted, so that a meeting of two digests ends alike whatever the order of the server.
    for name in sorted(invalid):
        found[name] = next(
            each for each in _mapped(name, "pipeline", _LONGEST_MAPPED) if each not in taken
        )
        taken.add(found[name])
    return found


def version_names(name: str, *, pipeline: str, pipeline_object: str) -> Iterator[str]:
    """Yield the names that a version may have, the best first; none where no rule can map it.

    Args:
        name: The version's name on the server.
        pipeline: The pipeline's name on the server.
        pipeline_object: The name of the Pipeline object.
    """
    own = ""
    if name == pipeline:
        # An upload gives its version the pipeline's name, and the object bears it alone.
        own = pipeline_object
    elif name != pipeline_object and is_version_name(name):
        own = name
    if own and len(naming.rest_name(pipeline_object, own)) <= naming.MAX_OBJECT_NAME:
        yield own
    room = naming.MAX_OBJECT_NAME - len(pipeline_object) - 1
    if room >= _DIGEST:
        longest = min(_LONGEST_MAPPED, room)
        yield from _mapped(name, "version", longest)


def rivals(object_name: str, pipeline: str, pipelines: Collection[str]) -> list[str]:
    """Return the other pipelines that might have a version under the same object name.

    Version `b-c` of `a` and version `c` of `a-b` would both be `a-b-c`.

    Args:
        object_name: The name of a PipelineVersion object.
        pipeline: The name of its Pipeline object.
        pipelines: The names of all Pipeline objects of the namespace.
    """
    ends = [index for index, char in enumerate(object_name) if char == "-"]
    starts = (object_name[:end] for end in (*ends, len(object_name)))
    return [each for each in starts if each != pipeline and each in pipelines]


def file_stem(name: str) -> str:
    """Return what stands for a name in the names of files and folders.

    They are shorter than those of objects, and some belong to files of an export or of a layout.
    """
    if len(name) <= _LONGEST_STEM and name not in OWN_FILES:
        return name
    return f"{name[: _LONGEST_STEM - _DIGEST - 1].rstrip('-.')}-{_digest(name)[:_DIGEST]}"


def _mapped(name: str, kind: str, longest: int) -> Iterator[str]:
    """Yield names for what cannot keep its own: the cleaned name with ever longer digests."""
    try:
        clean = naming.sanitize(name, "pipeline")
    except InvalidNameError:
        clean = kind
    whole = _digest(name)
    for length in range(_DIGEST, min(_LONGEST_DIGEST, longest) + 1, 4):
        start = clean[: max(longest - length - 1, 0)].rstrip("-.")
        yield f"{start}-{whole[:length]}" if start else whole[:length]


def _digest(name: str) -> str:
    # As JSON, since a name may hold half of a surrogate pair, which no encoding takes.
    data = json.dumps(name).encode("ascii")
    return base64.b32encode(hashlib.sha256(data).digest()).decode("ascii").lower().rstrip("=")
