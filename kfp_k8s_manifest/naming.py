"""The naming rules, one function each; sanitising; version names from templates.

Validating, sanitising and deriving are three things. A `*_problems` function says what is wrong
with a name and changes nothing; `sanitize` makes a name that passes and is called only where the
user asked for it; `expand_version_name` derives a version's name from a template.

Lengths that Kubernetes counts are bytes of UTF-8. All rules are Kubernetes' own
(`k8s.io/apimachinery/pkg/util/validation`) unless a docstring names another source.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from typing import Final, Literal

from kfp_k8s_manifest.errors import InvalidNameError, UsageError
from kfp_k8s_manifest.golang.sizes import byte_size

__all__ = [
    "NAME_RULES",
    "NameKind",
    "annotation_key_problems",
    "expand_version_name",
    "label_key_problems",
    "label_value_problems",
    "lower",
    "namespace_problems",
    "object_name_problems",
    "pipeline_info_name_problems",
    "qualified_name_problems",
    "require_name",
    "rest_name",
    "sanitize",
    "version_name_problems",
]

NameKind = Literal["pipeline", "version", "namespace", "label", "pipeline-info", "version-name"]

MAX_OBJECT_NAME: Final = 253
MAX_LABEL: Final = 63
MAX_PIPELINE_INFO_NAME: Final = 128

# Each holds for the whole name, whose length is bounded apart. They are written as RE2 and ECMAScript
# read them too, since CRDs and JSON Schemas are made of them.
LABEL_PATTERN: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN_PATTERN: Final = rf"{LABEL_PATTERN}(\.{LABEL_PATTERN})*"
QUALIFIED_PATTERN: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
PIPELINE_INFO_PATTERN: Final = "[a-z0-9][a-z0-9-]*"
VERSION_NAME_PATTERN: Final = "[a-z0-9]([a-z0-9.-]*[a-z0-9])?"


def object_name_problems(name: str) -> list[str]:
    """Say what is wrong with a `metadata.name`: a DNS-1123 subdomain of 1 to 253 bytes.

    Returns:
        Sentences without a subject, empty where the name is valid.
    """
    problems = []
    if byte_size(name) > MAX_OBJECT_NAME:
        problems.append(f"must be no more than {MAX_OBJECT_NAME} bytes, not {byte_size(name)}")
    if not re.fullmatch(SUBDOMAIN_PATTERN, name):
        problems.append(
            "must be a DNS-1123 subdomain: lower-case letters, digits, '-' and '.', with a letter"
            " or digit at both ends of each part between dots (for example 'train-v1')"
        )
    return problems


def namespace_problems(name: str) -> list[str]:
    """Say what is wrong with a `metadata.namespace`: a DNS-1123 label of 1 to 63 bytes."""
    problems = []
    if byte_size(name) > MAX_LABEL:
        problems.append(f"must be no more than {MAX_LABEL} bytes, not {byte_size(name)}")
    if not re.fullmatch(LABEL_PATTERN, name):
        problems.append(
            "must be a DNS-1123 label: lower-case letters, digits and '-', with a letter or digit"
            " at both ends (for example 'team-a')"
        )
    return problems


def pipeline_info_name_problems(name: str) -> list[str]:
    """Say what is wrong with a `pipelineInfo.name`, by KFP's own rule (all releases)."""
    problems = []
    if byte_size(name) > MAX_PIPELINE_INFO_NAME:
        problems.append(
            f"must be no more than {MAX_PIPELINE_INFO_NAME} bytes, not {byte_size(name)}"
        )
    if not re.fullmatch(PIPELINE_INFO_PATTERN, name):
        problems.append(
            "must be lower-case letters, digits and '-', and start with a letter or digit"
            " (for example 'train-v1')"
        )
    return problems


def version_name_problems(name: str) -> list[str]:
    """Say what is wrong with a `spec.versionName`, by the CRD's rule (KFP 2.17 and later).

    The CRD counts characters, not bytes; the pattern admits ASCII alone, so both agree on every
    name that passes.
    """
    problems = []
    if len(name) > MAX_OBJECT_NAME:
        problems.append(f"must be no more than {MAX_OBJECT_NAME} characters, not {len(name)}")
    if not re.fullmatch(VERSION_NAME_PATTERN, name):
        problems.append(
            "must be lower-case letters, digits, '.' and '-', with a letter or digit at both ends"
            " (for example 'v1.2')"
        )
    return problems


def qualified_name_problems(name: str) -> list[str]:
    """Say what is wrong with a qualified name, `[prefix/]name`: a label key or a finalizer."""
    parts = name.split("/")
    if len(parts) > 2:
        return ["must be a name with at most one prefix and a '/' (for example 'example.com/team')"]
    problems = []
    if len(parts) == 2:
        if not parts[0]:
            problems.append("prefix part must be non-empty")
        else:
            problems += [f"prefix part {text}" for text in object_name_problems(parts[0])]
    short = parts[-1]
    if not short:
        problems.append("name part must be non-empty")
    elif byte_size(short) > MAX_LABEL:
        problems.append(f"name part must be no more than {MAX_LABEL} bytes, not {byte_size(short)}")
    if not re.fullmatch(QUALIFIED_PATTERN, short):
        problems.append(
            "name part must be letters, digits, '-', '_' and '.', with a letter or digit at both"
            " ends (for example 'team' or 'example.com/team')"
        )
    return problems


def label_key_problems(key: str) -> list[str]:
    """Say what is wrong with the key of a label: a qualified name."""
    return qualified_name_problems(key)


def annotation_key_problems(key: str) -> list[str]:
    """Say what is wrong with the key of an annotation: a qualified name, case ignored."""
    return qualified_name_problems(lower(key))


def lower(text: str) -> str:
    """Return a text in lower case as Go does it, one character for one.

    Python gives 'İ' (U+0130) a combining dot besides the 'i'; Go does not, so that Kubernetes takes
    it in the key of an annotation.
    """
    return text.replace("\u0130", "i").lower()


def label_value_problems(value: str) -> list[str]:
    """Say what is wrong with the value of a label: empty, or at most 63 bytes."""
    problems = []
    if byte_size(value) > MAX_LABEL:
        problems.append(f"must be no more than {MAX_LABEL} bytes, not {byte_size(value)}")
    if value and not re.fullmatch(QUALIFIED_PATTERN, value):
        problems.append(
            "must be empty or letters, digits, '-', '_' and '.', with a letter or digit at both"
            " ends (for example 'team_a')"
        )
    return problems


NAME_RULES: Final[Mapping[str, Callable[[str], list[str]]]] = {
    "pipeline": object_name_problems,
    "version": object_name_problems,
    "namespace": namespace_problems,
    "label": label_value_problems,
    "pipeline-info": pipeline_info_name_problems,
    "version-name": version_name_problems,
}
"""What `kfp-k8s name check --for` offers, and the rule of each."""

_MAX_SIZES: Final[Mapping[str, int]] = {
    "pipeline": MAX_OBJECT_NAME,
    "version": MAX_OBJECT_NAME,
    "namespace": MAX_LABEL,
    "label": MAX_LABEL,
    "pipeline-info": MAX_PIPELINE_INFO_NAME,
    "version-name": MAX_OBJECT_NAME,
}


def require_name(kind: NameKind, name: str, *, what: str) -> str:
    """Return a name unchanged, or refuse it.

    Args:
        kind: Which rule holds.
        name: The name.
        what: What the name is for, as the message calls it, such as "the pipeline's name".

    Raises:
        InvalidNameError: The name breaks the rule; the text says how, and names one that passes.
    """
    problems = NAME_RULES[kind](name)
    if not problems:
        return name
    text = f"{what} {name!r} is invalid: {'; '.join(problems)}."
    with contextlib.suppress(InvalidNameError):
        text += f" {sanitize(name, kind)!r} would pass."
    raise InvalidNameError(text)


def sanitize(text: str, kind: NameKind) -> str:
    """Make a valid name out of any text, for whoever asked for it.

    Letters lose their accents and, but for labels, their capitals; whatever the rule does not
    allow becomes '-', runs of '-' become one, the ends are trimmed and the length is cut. The
    same text always gives the same name, and a name that is valid stays as it is. Different texts
    may give one name: the caller has to refuse such a pair.

    Args:
        text: Any text.
        kind: Which rule the result has to pass.

    Raises:
        InvalidNameError: Nothing is left, as with a text that has no ASCII letter or digit.
    """
    if not NAME_RULES[kind](text):
        return text
    # Only whoever asks for a name needs it, not whoever checks one.
    import unicodedata

    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    if kind != "label":
        plain = plain.lower()
    allowed = {"label": "A-Za-z0-9._-", "namespace": "a-z0-9-", "pipeline-info": "a-z0-9-"}
    plain = re.sub(rf"[^{allowed.get(kind, 'a-z0-9.-')}]+", "-", plain)
    plain = re.sub(r"-{2,}", "-", plain)
    # Within a subdomain each part between dots has to begin and end with a letter or digit.
    plain = re.sub(r"[-_]*\.[-_.]*", ".", plain) if kind != "label" else plain
    plain = plain.strip("-_.")[: _MAX_SIZES[kind]].rstrip("-_.")
    if not plain or NAME_RULES[kind](plain):
        raise InvalidNameError(
            f"no name can be made from {text!r}: it has no ASCII letter or digit; choose a name"
            " such as 'train-v1'"
        )
    return plain


def rest_name(pipeline: str, version: str) -> str:
    """Return the object name that KFP's REST server gives a version, from release 2.17 on.

    It is `{pipeline}-{version}`, or just the name where both are the same.

    Args:
        pipeline: The `metadata.name` of the Pipeline.
        version: The `spec.versionName` of the version.
    """
    return version if version == pipeline else f"{pipeline}-{version}"


def expand_version_name(template: str, values: Mapping[str, str | Callable[[], str]]) -> str:
    """Return a version's name from a template such as `{pipeline}-{digest}`.

    Args:
        template: Literal text with fields in braces; `{{` and `}}` stand for braces.
        values: The fields that may occur; a value that is costly may be a function, which is
            called only where the template uses the field.

    Raises:
        UsageError: The template is malformed or names a field that is not among `values`.
    """
    import string

    known = ", ".join(f"{{{name}}}" for name in values)
    parts = []
    try:
        pieces = list(string.Formatter().parse(template))
    except ValueError as error:
        raise UsageError(
            f"the version name template {template!r} is malformed ({error}); fields are {known}"
        ) from error
    for literal, field, spec, conversion in pieces:
        parts.append(literal)
        if field is None:
            continue
        if field not in values or spec or conversion:
            raise UsageError(
                f"the version name template {template!r} has an unknown field {{{field}}};"
                f" fields are {known}"
            )
        value = values[field]
        parts.append(value if isinstance(value, str) else value())
    return "".join(parts)
