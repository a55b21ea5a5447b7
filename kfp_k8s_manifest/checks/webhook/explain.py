"""Findings about the specs: what is wrong with them, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from kfp_k8s_manifest import naming
from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.protojson.problem import Problem
from kfp_k8s_manifest.checks.registry import Rule
from kfp_k8s_manifest.checks.words import (
    Scope,
    described,
    finding,
    listed,
    quoting,
    short,
    shown,
    valid_name,
    value_at,
    writing,
)
from kfp_k8s_manifest.findings import ABSENT, Finding, Path
from kfp_k8s_manifest.golang.sizes import byte_size
from kfp_k8s_manifest.spelling import closest

__all__ = [
    "DEPLOYMENT",
    "EMPTY_NAME",
    "EXECUTOR_CONFIG",
    "NO_ROOT",
    "NO_VERSION",
    "SPEC",
    "UNREADABLE_TEXT",
    "Said",
    "bad_name",
    "ignored",
    "is_workflow",
    "not_an_object",
    "of_problem",
    "of_version",
    "problem",
    "settings",
    "swapped",
    "two_pipelines",
    "two_platforms",
    "workflow",
]


class Said(NamedTuple):
    """The words for something that is wrong.

    Attributes:
        kind: What is wrong, as `SPEC` and its like name it; "" where that is known otherwise.
        text: The sentence about the field, without its full stop.
        hint: The whole sentence that says what to do, or "".
    """

    kind: str
    text: str
    hint: str


SPEC: Final[Mapping[str, Rule]] = {
    "bad-value": registry.SPEC_BAD_VALUE,
    "duplicate-field": registry.SPEC_DUPLICATE_FIELD,
    "field-removed": registry.SPEC_FIELD_REMOVED,
    "field-too-new": registry.SPEC_FIELD_TOO_NEW,
    "null-in-list": registry.SPEC_NULL_IN_LIST,
    "null-in-map": registry.SPEC_NULL_IN_MAP,
    "oneof-set-twice": registry.SPEC_ONEOF_SET_TWICE,
    "unknown-enum-value": registry.SPEC_UNKNOWN_ENUM_VALUE,
    "unknown-field": registry.SPEC_UNKNOWN_FIELD,
    "wrong-type": registry.SPEC_WRONG_TYPE,
}
"""The rule of each kind of problem in what the webhook reads."""

# What may be wrong at run time needs no rule of its own for each way of being wrong.
DEPLOYMENT: Final[Mapping[str, Rule]] = {
    **dict.fromkeys(SPEC, registry.DEPLOYMENT_INVALID),
    "field-removed": registry.DEPLOYMENT_UNKNOWN_FIELD,
    "field-too-new": registry.DEPLOYMENT_FIELD_TOO_NEW,
    "unknown-field": registry.DEPLOYMENT_UNKNOWN_FIELD,
}
"""The same for the deployment spec."""

EXECUTOR_CONFIG: Final[Mapping[str, Rule]] = {
    **dict.fromkeys(SPEC, registry.EXECUTOR_CONFIG_INVALID),
    "field-removed": registry.EXECUTOR_CONFIG_UNKNOWN_FIELD,
    "field-too-new": registry.EXECUTOR_CONFIG_FIELD_TOO_NEW,
    "unknown-field": registry.EXECUTOR_CONFIG_UNKNOWN_FIELD,
}
"""The same for the configuration of an executor in the platform spec."""

EMPTY_NAME: Final = Said(
    "",
    "is missing or empty, so that KFP does not take this for a pipeline spec",
    "Write a name, such as 'my-pipeline'.",
)
NO_ROOT: Final = Said(
    "",
    "is missing, so that KFP does not take this for a pipeline spec",
    "Add the root component, such as root: {dag: {tasks: {…}}}.",
)
NO_VERSION: Final = Said("", "is missing; it must be exactly '2.1.0'", "Write '2.1.0'.")
UNREADABLE_TEXT: Final = Said(
    "",
    "is a text of several lines that starts with white space or an empty line, for which KFP writes"
    " YAML that it cannot read back",
    "",
)


def problem(
    found: Problem,
    root: Path,
    document: Any,
    scope: Scope,
    message: str,
    rules: Mapping[str, Rule] = SPEC,
) -> Finding:
    """Return the finding of a problem that protojson has.

    Args:
        found: The problem.
        root: Where the checked document lies in the object.
        document: The checked document as it was given.
        scope: For which releases.
        message: What the webhook says.
        rules: The rule of each kind of problem.
    """
    said = of_problem(found, document)
    return finding(
        rules[said.kind],
        (*root, *found.path),
        f"{said.text}{scope.within(found.generations).suffix}.",
        value=_value(found, document),
        hint=said.hint,
        cluster_message=message,
        on_key=found.on_key,
    )


def of_problem(found: Problem, document: Any) -> Said:
    """Return the words for a problem that protojson has.

    Args:
        found: The problem.
        document: The checked document as it was given.
    """
    return _PROBLEMS[found.kind](found, _value(found, document))


def _value(found: Problem, document: Any) -> Any:
    value = value_at(document, *found.path)
    return found.value if value is ABSENT else value


def _unknown(found: Problem, value: Any) -> Said:
    del value
    key = str(found.path[-1])
    if found.since:
        return _not_in_release(found, "", "Remove it, or choose")
    close = closest(key, found.known)
    hint = f"{writing(close)} instead." if close else "Remove it, or correct its spelling."
    return Said("unknown-field", f"unknown field {shown(key)}", hint)


def _not_in_release(found: Problem, what: str, remedy: str) -> Said:
    """Return the words for something that other releases know."""
    if found.until and found.until <= max(found.generations, default=""):
        until = short(found.until)
        text = f"{what}is unknown from KFP {until} on"
        return Said("field-removed", text, f"{remedy} a target before {until}.")
    since = short(found.since)
    text = f"{what}is known only from KFP {since} on"
    return Said("field-too-new", text, f"{remedy} a target from {since} on.")


def _duplicate(found: Problem, value: Any) -> Said:
    del found, value
    text = "is given twice, in both of its spellings"
    return Said("duplicate-field", text, "Remove it, and keep the other one.")


def _oneof(found: Problem, value: Any) -> Said:
    del value
    text = f"is set although {found.expected!r} is, and only one of them may be"
    return Said("oneof-set-twice", text, f"Remove it, or {found.expected!r}.")


def _wrong_type(found: Problem, value: Any) -> Said:
    scalar = isinstance(value, (bool, int, float))
    hint = f"{quoting(value)}." if found.expected == "a string" and scalar else ""
    return Said("wrong-type", f"must be {found.expected}, not {described(value)}", hint)


def _bad_value(found: Problem, value: Any) -> Said:
    return Said("bad-value", f"must be {found.expected}, not {shown(value)}", "")


def _unknown_enum(found: Problem, value: Any) -> Said:
    if found.since:
        return _not_in_release(found, f"{shown(value)} ", "Choose another value, or")
    close = closest(str(value), found.known)
    hint = f"{writing(close)} instead." if close else f"Write one of {listed(found.known)}."
    return Said("unknown-enum-value", f"must be {found.expected}, not {shown(value)}", hint)


def _null_in_list(found: Problem, value: Any) -> Said:
    del found, value
    return Said("null-in-list", "is null, which this list must not hold", "Remove it.")


def _null_in_map(found: Problem, value: Any) -> Said:
    del found, value
    text = "is null, which this object must not hold"
    return Said("null-in-map", text, "Remove it, or give it a value such as {}.")


_PROBLEMS: Final = {
    "unknown-field": _unknown,
    "duplicate-field": _duplicate,
    "oneof-set-twice": _oneof,
    "wrong-type": _wrong_type,
    "bad-value": _bad_value,
    "unknown-enum-value": _unknown_enum,
    "null-in-list": _null_in_list,
    "null-in-map": _null_in_map,
}


def not_an_object(path: Path, value: Any, scope: Scope, message: str) -> Finding:
    """Return the error of a spec that is no object."""
    return finding(
        registry.SPEC_NOT_AN_OBJECT,
        path,
        f"must be an object, not {described(value)}{scope.suffix}.",
        value=value,
        hint="Write it as an object, not as text." if isinstance(value, str) else "",
        cluster_message=message,
    )


def is_workflow(value: Any) -> bool:
    """Tell whether a spec is an Argo Workflow, as KFP's compiler of version 1 wrote it."""
    group = value.get("apiVersion") if isinstance(value, dict) else None
    return isinstance(group, str) and group.startswith("argoproj.io/")


def workflow(path: Path, value: Any, message: str) -> Finding:
    """Return the error of an Argo Workflow in a pipeline spec's place."""
    return finding(
        registry.SPEC_WORKFLOW,
        path,
        "is an Argo Workflow, which KFP's compiler of version 1 wrote; a PipelineVersion takes the"
        " intermediate representation of version 2 only.",
        value=value,
        hint="Compile the pipeline with kfp 2, such as with `kfp-k8s compile`.",
        cluster_message=message,
    )


def two_pipelines(path: Path, value: Any, scope: Scope, message: str) -> Finding:
    """Return the error of a second pipeline spec in the platform spec's place."""
    return finding(
        registry.SPEC_TWO_PIPELINES,
        path,
        f"holds a second pipeline spec{scope.suffix}.",
        value=value,
        hint="Remove it, or write the platform spec here.",
        cluster_message=message,
    )


def two_platforms(path: Path, value: Any, scope: Scope, message: str) -> Finding:
    """Return the error of a second platform spec in the pipeline spec's place."""
    return finding(
        registry.SPEC_TWO_PLATFORMS,
        path,
        f"holds a platform spec, and so does spec.pipelineSpec{scope.suffix}.",
        value=value,
        hint="Write the pipeline spec under spec.pipelineSpec.",
        cluster_message=message,
    )


def bad_name(name: str) -> Said:
    """Return the words for a pipeline name that the webhook refuses."""
    size = byte_size(name)
    most = naming.MAX_PIPELINE_INFO_NAME
    if size > most:
        text = f"{shown(name)} has {size:,} bytes, and a pipeline's name may have at most {most}"
    else:
        text = (
            f"{shown(name)} must consist of lower-case letters, digits and '-', and start with a"
            " letter or digit"
        )
    return Said("", text, valid_name(name, "pipeline-info"))


def of_version(version: str) -> Said:
    """Return the words for a schema version that KFP does not read."""
    return Said("", f"must be exactly '2.1.0', not {shown(version)}", "Write '2.1.0'.")


def settings(platform: Any) -> str:
    """Return what a platform spec sets for Kubernetes, in words; what is lost without it."""
    kubernetes = value_at(platform, "platforms", "kubernetes")
    executors = value_at(kubernetes, "deploymentSpec", "executors")
    config = value_at(kubernetes, "pipelineConfig")
    parts = []
    if isinstance(executors, dict) and executors:
        noun = "executor" if len(executors) == 1 else "executors"
        parts.append(f"the settings of {noun} {listed(map(shown, sorted(map(str, executors))))}")
    if isinstance(config, dict) and config:
        parts.append(f"the pipeline's {listed(map(shown, sorted(map(str, config))))}")
    return listed(parts)


def ignored(
    path: Path,
    value: Any,
    reason: Said,
    lost: str,
    scope: Scope,
    *,
    on_key: bool = False,
) -> Finding:
    """Return the warning that the webhook ignores a platform spec.

    Args:
        path: Where the reason lies.
        value: The offending value.
        reason: Why it is ignored.
        lost: What it would have set, in words, or "".
        scope: For which releases.
        on_key: True where a key is at fault.
    """
    consequence = f"; what is lost is {lost}" if lost else ""
    return finding(
        registry.PLATFORM_IGNORED,
        path,
        f"{reason.text}{scope.suffix}, so that KFP accepts the platform spec and silently ignores"
        f" it{consequence}.",
        value=value,
        hint=reason.hint,
        on_key=on_key,
    )


def swapped(path: Path) -> Finding:
    """Return the warning that the pipeline spec stands in the platform spec's place."""
    return finding(
        registry.SPEC_SWAPPED,
        path,
        "holds no pipeline spec, and spec.platformSpec does; KFP takes them by their content, other"
        " readers of the object will not.",
        hint="Write the pipeline spec under spec.pipelineSpec, and the platform spec under"
        " spec.platformSpec.",
    )
