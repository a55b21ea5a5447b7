"""What is not for these checks, and is told apart: other texts, templates, other operators' objects.

A folder of a real repository holds much that is no manifest, or none yet.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from kfp_k8s_manifest import releases
from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.words import finding, shown
from kfp_k8s_manifest.findings import Finding, Severity
from kfp_k8s_manifest.model.kinds import API_VERSION, GROUP, KINDS, MAX_ETCD, PIPELINE
from kfp_k8s_manifest.yaml.reader import Document

__all__ = [
    "has_no_kind",
    "is_package",
    "looks_like_template",
    "names_group",
    "of_another_operator",
    "other_operator",
    "package_too_large",
    "template",
    "template_alone",
]

# KFP's own versions of the group begin with v2; the older ones are of another operator.
_FOREIGN: Final = re.compile(rf"{re.escape(GROUP)}/v1(?:(?:alpha|beta)[0-9]+)?")
_RENDER: Final = (
    "Render it and check what comes out, such as `helm template CHART | kfp-k8s validate -`."
)


def names_group(data: bytes | str) -> bool:
    """Tell whether a text names KFP's API group, in whichever encoding."""
    if isinstance(data, str):
        return GROUP in data
    return GROUP.encode() in data or GROUP.encode() in data.replace(b"\0", b"")


def looks_like_template(data: bytes | str) -> bool:
    """Tell whether a text that is no YAML may be a template of Helm, Jinja or Go."""
    marks = ("{{", "{%") if isinstance(data, str) else (b"{{", b"{%")
    return any(mark in data for mark in marks)  # type: ignore[operator]


def template(name: str) -> Finding:
    """Return what is said of a template of a manifest."""
    return finding(
        registry.TEMPLATE,
        (),
        "This is a template of a manifest, such as Helm's or Jinja's, so it was not checked.",
        hint=_RENDER,
    ).at(file=name)


def template_alone(findings: Sequence[Finding]) -> bool:
    """Tell whether all errors are about values that a template has yet to fill in.

    IR has braces of its own in values (`{{$.inputs.parameters['x']}}`), which are no error.
    """
    errors = [each.value for each in findings if each.severity is Severity.ERROR]
    return bool(errors) and all(
        isinstance(value, str) and looks_like_template(value) for value in errors
    )


def has_no_kind(obj: Any) -> bool:
    """Tell whether an object lacks what every object of Kubernetes has, as kubectl says."""
    return isinstance(obj, dict) and not (obj.get("kind") and obj.get("apiVersion"))


def of_another_operator(obj: Any) -> bool:
    """Tell whether an object is another operator's that uses KFP's group for its own versions.

    A PipelineVersion is none, and neither is a Pipeline with KFP's fields alone: there the version
    is a mistake.
    """
    version = obj.get("apiVersion") if isinstance(obj, dict) else None
    if not isinstance(version, str) or _FOREIGN.fullmatch(version) is None:
        return False
    kind, spec = obj.get("kind"), obj.get("spec")
    if kind not in KINDS:
        return True
    return (
        kind == PIPELINE
        and isinstance(spec, dict)
        and not set(spec) <= set(releases.target("2.17").fields(PIPELINE))
    )


def other_operator(obj: dict[str, Any]) -> Finding:
    """Return what is said of an object of another operator."""
    return finding(
        registry.OTHER_OPERATOR,
        ("apiVersion",),
        f"{shown(obj['apiVersion'])} is no version that KFP serves: an object like this belongs to"
        f" another operator that uses the same group, and was not checked. KFP's is"
        f" {API_VERSION!r}.",
        value=obj["apiVersion"],
    )


def is_package(documents: Sequence[Document]) -> bool:
    """Tell whether a text is a package of IR: a pipeline spec and, perhaps, a platform spec."""
    if not documents or not isinstance(documents[0].value, dict):
        return False
    spec = documents[0].value
    if "kind" in spec or "apiVersion" in spec:
        return False
    return "pipelineInfo" in spec or ("root" in spec and "schemaVersion" in spec)


def package_too_large() -> Finding:
    """Return what is said of a package of IR that would become too large an object."""
    return finding(
        registry.IR_INVALID,
        (),
        f"A version made of it would have more than {MAX_ETCD:,} bytes as JSON, which is more than"
        " etcd takes, so it was not checked any further.",
        hint="Split the pipeline, or move code and data out of it into images and artifacts.",
    )
