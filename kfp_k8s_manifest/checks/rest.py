"""What KFP's REST server, and its client, make of one object over the Kubernetes store.

The webhook knows nothing of it: the object is accepted, and what is told here is met by whoever
reads it or changes it through the REST API, the user interface or `kfp.Client`.

Source: KFP's API server 2.17.0 over the Kubernetes store, with kfp 2.17.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from kfp_k8s_manifest import naming
from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.words import finding, shown, text_at, value_at
from kfp_k8s_manifest.findings import ABSENT, Finding
from kfp_k8s_manifest.model.kinds import API_VERSION, PIPELINE, PIPELINE_VERSION
from kfp_k8s_manifest.releases import Target

__all__ = ["check_rest"]

_MOST_TAGS: Final = 20
_LONGEST: Final = 63


def check_rest(obj: Mapping[str, Any], target: Target) -> Iterator[Finding]:
    """Return what the REST server refuses in an object, or does not find.

    Args:
        obj: A Pipeline or PipelineVersion.
        target: The releases that count.
    """
    kind = text_at(obj, "kind")
    known = [release.fields(kind) for release in target.releases] if kind else []
    if kind == PIPELINE and all("displayName" in fields for fields in known):
        yield from _display_name(obj)
    if any("tags" in fields for fields in known):
        yield from _tags(obj)
    if kind == PIPELINE_VERSION and any("versionName" in fields for fields in known):
        yield from _version_name(obj)


def _display_name(obj: Mapping[str, Any]) -> Iterator[Finding]:
    """Check that a Pipeline has the name by which kfp's client looks for it."""
    name, spec = text_at(obj, "metadata", "name"), value_at(obj, "spec")
    empty = spec is ABSENT or spec is None
    # What is no such object by its type, or has no name, is not stored.
    if obj.get("apiVersion") != API_VERSION or not name or not (empty or isinstance(spec, dict)):
        return
    if value_at(spec, "displayName") not in (ABSENT, None, ""):
        return
    yield finding(
        registry.PIPELINE_DISPLAY_NAME,
        ("spec", "displayName"),
        "is missing, but it is what KFP's REST server compares: `kfp.Client().get_pipeline_id` does"
        " not find this Pipeline by its name.",
        hint=_display_name_hint(name, empty=empty),
    )


def _display_name_hint(name: str, *, empty: bool) -> str:
    if empty:
        return "Add a spec with a displayName."
    text = shown(name)
    return "Write the name that users look for." if text.endswith("…") else f"Write {text}."


def _tags(obj: Mapping[str, Any]) -> Iterator[Finding]:
    """Check the tags, which the REST server checks whenever it stores them."""
    tags = value_at(obj, "spec", "tags")
    if not isinstance(tags, dict):
        return
    path = ("spec", "tags")
    if len(tags) > _MOST_TAGS:
        yield finding(
            registry.REST_TAGS,
            path,
            f"has {len(tags)} tags, and KFP's REST server (2.17) takes at most {_MOST_TAGS}: tags"
            " cannot be changed through it.",
            hint="Keep further ones as labels or annotations.",
        )
    for key, value in tags.items():
        wrong = _wrong_tag(key, value)
        if wrong:
            yield finding(
                registry.REST_TAGS,
                (*path, key),
                f"{wrong}, which KFP's REST server (2.17) refuses: tags cannot be changed through"
                " it.",
                value=value,
                hint="Choose another tag, or keep it as a label or annotation.",
            )


def _wrong_tag(key: str, value: object) -> str:
    if not key:
        return "the key is empty"
    if "." in key:
        return f"the key {shown(key)} holds a '.'"
    if len(key) > _LONGEST:
        return f"the key has {len(key)} characters, more than {_LONGEST}"
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"the value has {len(value)} characters, more than {_LONGEST}"
    return ""


def _version_name(obj: Mapping[str, Any]) -> Iterator[Finding]:
    """Check the name that the REST server makes of the pipeline's and the version's."""
    pipeline, name = text_at(obj, "spec", "pipelineName"), text_at(obj, "metadata", "name")
    given = text_at(obj, "spec", "versionName")
    composite = naming.rest_name(pipeline, given or name)
    if not pipeline or not (given or name) or len(composite) <= naming.MAX_OBJECT_NAME:
        return
    yield finding(
        registry.REST_NAME_MISMATCH,
        ("spec", "versionName") if given else ("metadata", "name"),
        f"{shown(given or name)} makes a name of {len(composite)} characters with the pipeline's, and"
        f" KFP's REST server (2.17) takes no more than {naming.MAX_OBJECT_NAME}: it does not find this version"
        " by name; by id it does.",
        value=given or name,
        hint="Choose a shorter name.",
    )
