"""Words for what the checks of the specs find: messages, hints and places.

Every message is complete by itself: the field, its value as `repr`, the rule, and the task, component
or executor concerned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from kfp_k8s_manifest.checks.protojson.problem import Problem
from kfp_k8s_manifest.checks.webhook.words import (
    Scope,
    at,
    described,
    listed,
    place,
    short,
    shown,
)
from kfp_k8s_manifest.findings import ABSENT, Finding, Path, Severity
from kfp_k8s_manifest.spelling import closest

__all__ = [
    "EMPTY_NAME",
    "NO_ROOT",
    "TEXT",
    "bad_name",
    "error",
    "ignored",
    "multiple",
    "not_an_object",
    "placed",
    "problem",
    "settings",
    "swapped",
]

EMPTY_NAME: Final = (
    "pipelineInfo.name is missing or empty, so this is no pipeline spec for KFP",
    "give the pipeline a name, such as pipelineInfo: {name: my-pipeline}",
)
NO_ROOT: Final = (
    "root is missing, so this is no pipeline spec for KFP",
    "add the root component, such as root: {dag: {tasks: {…}}}",
)
TEXT: Final = (
    "KFP cannot read back the YAML that it writes for a text of several lines which starts with white "
    "space or an empty line"
)


def placed(text: str, path: Sequence[str | int]) -> str:
    """Return a text with the component, task or executor before it that a path leads through."""
    where = place(path)
    return f"{where}: {text}" if where else text


def error(
    rule: str, path: Path, value: Any, text: str, scope: Scope, *, hint: str = "", message: str = ""
) -> Finding:
    """Return an error about a value.

    Args:
        rule: The rule's id.
        path: Where it is.
        value: The offending value.
        text: What is wrong.
        scope: For which releases.
        hint: What would fix it.
        message: What the webhook says.
    """
    return Finding(
        rule=rule,
        severity=Severity.ERROR,
        message=text + scope.suffix,
        path=path,
        value=value,
        hint=hint,
        cluster_message=message,
    )


def problem(
    found: Problem,
    root: Path,
    document: Any,
    scope: Scope,
    message: str,
    *,
    family: str = "spec",
    severity: Severity = Severity.ERROR,
) -> Finding:
    """Return the finding of a problem that protojson has.

    Args:
        found: The problem.
        root: Where the checked document lies in the object.
        document: The checked document as it was given.
        scope: For which releases.
        message: What the webhook says.
        family: The first part of the rule's id: `spec`, `deployment` or `executor-config`.
        severity: How bad it is.
    """
    path = (*root, *found.path)
    value = at(document, found.path)
    value = found.value if value is ABSENT else value
    rule, text, hint = _PROBLEMS[found.kind](found, path, value)
    scope = scope.within(found.generations)
    if family != "spec":
        # What may be wrong at run time needs no rule of its own for each way of being wrong.
        rule = _UNTYPED_RULES.get(rule, "invalid")
    return Finding(
        rule=f"{family}-{rule}",
        severity=severity,
        message=placed(text, path) + scope.suffix,
        path=path,
        value=value,
        hint=hint,
        cluster_message=message,
        on_key=found.on_key,
    )


_UNTYPED_RULES: Final = {
    "unknown-field": "unknown-field",
    "field-removed": "unknown-field",
    "field-too-new": "field-too-new",
}


def _unknown(found: Problem, path: Path, value: Any) -> tuple[str, str, str]:
    del value
    key = str(path[-1])
    if found.since:
        return _not_in_release(found, f"the field {key!r}")
    close = closest(key, found.known)
    hint = f"did you mean {close!r}?" if close else "remove it, or correct its spelling"
    return "unknown-field", f"unknown field {key!r}", hint


def _not_in_release(found: Problem, what: str) -> tuple[str, str, str]:
    """Return the words for something that other releases know."""
    unknown_to = min(found.generations, default="")
    if found.until and found.until <= max(found.generations, default=""):
        return (
            "field-removed",
            f"{what} is unknown from {short(found.until)} on; {short(unknown_to)} does not know it",
            f"remove it, or choose a target before {short(found.until)}",
        )
    return (
        "field-too-new",
        f"{what} is known since {short(found.since)}; {short(unknown_to)} does not know it",
        f"remove it, or choose a target from {short(found.since)} on",
    )


def _duplicate(found: Problem, path: Path, value: Any) -> tuple[str, str, str]:
    del found, value
    key = str(path[-1])
    return (
        "duplicate-field",
        f"the field {key!r} is given twice, in both of its spellings",
        f"keep one of them and remove {key!r}",
    )


def _oneof(found: Problem, path: Path, value: Any) -> tuple[str, str, str]:
    del value
    key = str(path[-1])
    return (
        "oneof-set-twice",
        f"{key!r} is set although {found.expected!r} is, and only one of them may be",
        f"remove {key!r} or {found.expected!r}",
    )


def _wrong_type(found: Problem, path: Path, value: Any) -> tuple[str, str, str]:
    name = f"{path[-1]!r}" if isinstance(path[-1], str) else f"element {path[-1]}"
    hint = ""
    plain = isinstance(value, (int, float)) and not isinstance(value, (dict, list))
    if found.expected == "a string" and plain:
        hint = "quote it, if this text is meant"
    return "wrong-type", f"{name} must be {found.expected}, not {described(value)}", hint


def _bad_value(found: Problem, path: Path, value: Any) -> tuple[str, str, str]:
    return "bad-value", f"{path[-1]!r} must be {found.expected}, not {shown(value)}", ""


def _unknown_enum(found: Problem, path: Path, value: Any) -> tuple[str, str, str]:
    if found.since:
        return _not_in_release(found, f"the value {value!r} of {path[-1]!r}")
    close = closest(str(value), found.known)
    names = listed(found.known)
    hint = f"did you mean {close!r}?" if close else f"valid: {names}"
    return "unknown-enum-value", f"{path[-1]!r} must be {found.expected}, not {value!r}", hint


def _null_in_list(found: Problem, path: Path, value: Any) -> tuple[str, str, str]:
    del found, value
    text = f"element {path[-1]} of {path[-2]!r} is null, and a list must not hold null"
    return "null-in-list", text, "remove the element"


def _null_in_map(found: Problem, path: Path, value: Any) -> tuple[str, str, str]:
    del found, value
    text = f"{path[-1]!r} of {path[-2]!r} is null, and a map must not hold null"
    return "null-in-map", text, f"remove {path[-1]!r}, or give it a value such as {{}}"


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
    what = "platform spec" if path[-1] == "platformSpec" else "pipeline spec"
    text = f"the {what} must be an object, not {described(value)}"
    hint = f"write the {what} as an object, not as text" if isinstance(value, str) else ""
    return error("spec-not-an-object", path, value, text, scope, hint=hint, message=message)


def multiple(message: str, path: Path, value: Any, scope: Scope) -> Finding:
    """Return the error of two specs of one kind."""
    if "pipeline" in message:
        text = "platformSpec holds a second pipeline spec"
        hint = "remove platformSpec, or put the platform spec there"
        return error("spec-two-pipelines", path, value, text, scope, hint=hint, message=message)
    text = "pipelineSpec and platformSpec both hold a platform spec"
    return error("spec-two-platforms", path, value, text, scope, message=message)


def bad_name(name: str) -> tuple[str, str]:
    """Return message and hint for a pipeline name that the webhook refuses."""
    size = len(name.encode(errors="surrogatepass"))
    if size > 128:
        text = f"the pipeline's name has {size} bytes and may have at most 128: {shown(name)}"
    else:
        text = (
            f"the pipeline's name {shown(name)} must consist of lowercase letters, digits and '-', "
            "and start with a letter or digit"
        )
    return text, "a name that passes: 'my-pipeline-1'"


def settings(platform: Any) -> str:
    """Return what a platform spec sets for Kubernetes, in words; what is lost without it."""
    kubernetes = at(platform, ("platforms", "kubernetes"))
    executors = at(kubernetes, ("deploymentSpec", "executors"))
    config = at(kubernetes, ("pipelineConfig",))
    parts = []
    if isinstance(executors, dict) and executors:
        noun = "executor" if len(executors) == 1 else "executors"
        parts.append(f"the settings of {noun} {listed(map(repr, sorted(map(str, executors))))}")
    if isinstance(config, dict) and config:
        parts.append(f"the pipeline's {listed(sorted(map(str, config)))}")
    return listed(parts)


def ignored(
    path: Path,
    value: Any,
    reason: str,
    lost: str,
    scope: Scope,
    on_key: bool = False,  # noqa: FBT001, FBT002
    hint: str = "",
) -> Finding:
    """Return the warning that the webhook ignores a platform spec.

    Args:
        path: Where the reason lies.
        value: The offending value.
        reason: Why it is ignored.
        lost: What it would have set, in words, or "".
        scope: For which releases.
        on_key: True where a key is at fault.
        hint: What would fix it.
    """
    consequence = f"; lost without it: {lost}" if lost else ""
    suffix = "" if scope.suffix in reason else scope.suffix
    return Finding(
        rule="platform-ignored",
        severity=Severity.WARNING,
        message=f"the platform spec is accepted and silently ignored: {reason}{suffix}{consequence}",
        path=path,
        value=value,
        hint=hint,
        on_key=on_key,
    )


def swapped(path: Path) -> Finding:
    """Return the warning that the pipeline spec stands in the platform spec's place."""
    return Finding(
        rule="spec-swapped",
        severity=Severity.WARNING,
        message="pipelineSpec holds no pipeline spec and platformSpec does; KFP takes them by their "
        "content, other readers of the object will not",
        path=path,
        hint="put the pipeline spec under pipelineSpec and the platform spec under platformSpec",
    )
