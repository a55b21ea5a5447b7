"""The naming rules at their boundaries, sanitising, and names from templates."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfp_k8s_manifest import naming
from kfp_k8s_manifest.errors import InvalidNameError, UsageError

KINDS = sorted(naming.NAME_RULES)


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("pipeline", "a"),
        ("pipeline", "0"),
        ("pipeline", "a.b-c.0"),
        ("pipeline", "a" * 253),
        ("pipeline", "a" * 64 + ".b"),
        ("version", "a." * 126 + "a"),
        ("namespace", "a" * 63),
        ("namespace", "0-a"),
        ("label", ""),
        ("label", "A_b.c-9"),
        ("label", "a" * 63),
        ("pipeline-info", "a" * 128),
        ("pipeline-info", "a-"),
        ("pipeline-info", "0"),
        ("version-name", "a" * 253),
        ("version-name", "v1..2"),
        ("version-name", "a.-b"),
    ],
)
def test_accepted(rule: str, name: str) -> None:
    assert naming.NAME_RULES[rule](name) == []


SUBDOMAIN = (
    "must be a DNS-1123 subdomain: lower-case letters, digits, '-' and '.', with a letter"
    " or digit at both ends of each part between dots (for example 'train-v1')"
)
LABEL = (
    "must be a DNS-1123 label: lower-case letters, digits and '-', with a letter or digit"
    " at both ends (for example 'team-a')"
)
VALUE = (
    "must be empty or letters, digits, '-', '_' and '.', with a letter or digit at both"
    " ends (for example 'team_a')"
)
INFO = (
    "must be lower-case letters, digits and '-', and start with a letter or digit"
    " (for example 'train-v1')"
)
VERSION = (
    "must be lower-case letters, digits, '.' and '-', with a letter or digit at both ends"
    " (for example 'v1.2')"
)


@pytest.mark.parametrize(
    ("rule", "name", "problems"),
    [
        ("pipeline", "", [SUBDOMAIN]),
        ("pipeline", "A", [SUBDOMAIN]),
        ("pipeline", "a-", [SUBDOMAIN]),
        ("pipeline", "a..b", [SUBDOMAIN]),
        ("pipeline", "a.-b", [SUBDOMAIN]),
        ("pipeline", "a\n", [SUBDOMAIN]),
        ("pipeline", "\uff11", [SUBDOMAIN]),
        ("pipeline", "a" * 254, ["must be no more than 253 bytes, not 254"]),
        ("pipeline", "é" * 127, ["must be no more than 253 bytes, not 254", SUBDOMAIN]),
        ("namespace", "a" * 64, ["must be no more than 63 bytes, not 64"]),
        ("namespace", "a.b", [LABEL]),
        ("label", "a" * 64, ["must be no more than 63 bytes, not 64"]),
        ("label", "a_", [VALUE]),
        ("label", "a b", [VALUE]),
        ("label", "a\n", [VALUE]),
        ("pipeline-info", "a" * 129, ["must be no more than 128 bytes, not 129"]),
        ("pipeline-info", "-a", [INFO]),
        ("pipeline-info", "a.b", [INFO]),
        ("pipeline-info", "a\n", [INFO]),
        ("version-name", "a" * 254, ["must be no more than 253 characters, not 254"]),
        ("version-name", "é" * 253, [VERSION]),
        ("version-name", "", [VERSION]),
        ("version-name", "a\n", [VERSION]),
        ("version-name", "V1", [VERSION]),
    ],
)
def test_refused(rule: str, name: str, problems: list[str]) -> None:
    assert naming.NAME_RULES[rule](name) == problems


NAME_PART = (
    "name part must be letters, digits, '-', '_' and '.', with a letter or digit at both"
    " ends (for example 'team' or 'example.com/team')"
)


@pytest.mark.parametrize(
    ("key", "problems"),
    [
        ("a", []),
        ("A_b.c", []),
        ("a.b/C", []),
        ("p" * 253 + "/" + "n" * 63, []),
        ("", ["name part must be non-empty", NAME_PART]),
        ("a/", ["name part must be non-empty", NAME_PART]),
        ("/a", ["prefix part must be non-empty"]),
        (
            "a/b/c",
            ["must be a name with at most one prefix and a '/' (for example 'example.com/team')"],
        ),
        ("A/b", [f"prefix part {SUBDOMAIN}"]),
        ("a-", [NAME_PART]),
        ("n" * 64, ["name part must be no more than 63 bytes, not 64"]),
        ("p" * 254 + "/a", ["prefix part must be no more than 253 bytes, not 254"]),
    ],
)
def test_label_keys(key: str, problems: list[str]) -> None:
    assert naming.label_key_problems(key) == problems


@pytest.mark.parametrize("key", ["A.B/c", "Example.com/Team", "\u212a", "\u0130", "a.\u212a/b"])
def test_annotation_keys_ignore_case_as_go_does(key: str) -> None:
    assert naming.annotation_key_problems(key) == []
    assert naming.label_key_problems(key) != []


@given(st.text(), st.sampled_from(KINDS))
def test_sanitised_names_are_valid_and_stay(text: str, kind: naming.NameKind) -> None:
    try:
        name = naming.sanitize(text, kind)
    except InvalidNameError:
        with pytest.raises(InvalidNameError, match=r"^no name can be made from "):
            naming.sanitize(text, kind)
        return
    assert naming.NAME_RULES[kind](name) == []
    assert naming.sanitize(name, kind) == name


@given(
    st.text("abzABZ0-_.é/ ", min_size=1, max_size=300).filter(
        lambda text: any(char.isascii() and char.isalnum() for char in text)
    ),
    st.sampled_from(KINDS),
)
def test_a_text_with_a_letter_or_digit_can_be_sanitised(text: str, kind: naming.NameKind) -> None:
    assert naming.NAME_RULES[kind](naming.sanitize(text, kind)) == []


@given(st.from_regex(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?", fullmatch=True))
def test_valid_names_are_not_changed(name: str) -> None:
    for kind in KINDS:
        assert naming.sanitize(name, kind) == name  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("Train Model", "pipeline", "train-model"),
        ("Café_v2", "pipeline", "cafe-v2"),
        ("a..b", "version", "a.b"),
        ("a.-b", "version", "a.b"),
        ("Team A", "label", "Team-A"),
        ("a.b", "namespace", "a-b"),
        ("a" * 62 + "-b", "namespace", "a" * 62),
        ("-a-", "pipeline-info", "a"),
        ("V 1.0", "version-name", "v-1.0"),
    ],
)
def test_sanitised_examples(text: str, kind: naming.NameKind, name: str) -> None:
    assert naming.sanitize(text, kind) == name


def test_require_name_says_what_would_pass() -> None:
    assert naming.require_name("pipeline", "train", what="the pipeline's name") == "train"
    with pytest.raises(InvalidNameError) as caught:
        naming.require_name("namespace", "Team_A", what="the namespace")
    assert str(caught.value) == (
        f"the namespace 'Team_A' is invalid: {LABEL}. 'team-a' would pass."
    )


def test_every_kind_has_a_rule() -> None:
    assert set(get_args(naming.NameKind)) == set(naming.NAME_RULES)


def test_rest_names() -> None:
    assert naming.rest_name("train", "v1") == "train-v1"
    assert naming.rest_name("train", "train") == "train"


def test_templates() -> None:
    values = {"pipeline": "train", "digest": lambda: "abc"}
    assert naming.expand_version_name("{pipeline}-{digest}", values) == "train-abc"
    assert naming.expand_version_name("v{{1}}", {}) == "v{1}"
    with pytest.raises(UsageError, match=r"unknown field \{commit\}; fields are \{pipeline\}"):
        naming.expand_version_name("{commit}", values)
    with pytest.raises(UsageError, match="is malformed"):
        naming.expand_version_name("{pipeline", values)
    with pytest.raises(UsageError, match="unknown field"):
        naming.expand_version_name("{pipeline!r}", values)
