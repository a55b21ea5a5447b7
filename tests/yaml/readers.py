"""The YAML readers of Python, each as a function from text to a JSON tree."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import ruamel.yaml
import yaml

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


def shared(relative: str) -> Path:
    """Return a file of the shared data; skip the test where it is absent, except in CI."""
    path = SHARED / relative
    if not path.exists():
        message = f"the shared data is not here: ../shared/{relative}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


def same(left: Any, right: Any) -> bool:
    """Equality that tells 1, 1.0 and True apart, and 0.0 from -0.0."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float):
        return left.hex() == right.hex()
    return bool(left == right)


def as_numbers(value: Any) -> Any:
    """Turn every number into a float: what is left where integers and floats are one type."""
    if isinstance(value, dict):
        return {key: as_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_numbers(item) for item in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) + 0.0  # no negative zero
    return value


def pyyaml_pure(text: str) -> Any:
    return yaml.load(text, Loader=yaml.SafeLoader)


def pyyaml_libyaml(text: str) -> Any:
    return yaml.load(text.encode(), Loader=yaml.CSafeLoader)


def ruamel_safe(text: str) -> Any:
    return ruamel.yaml.YAML(typ="safe", pure=True).load(text)


def ruamel_round_trip(text: str) -> Any:
    return _unwrap(ruamel.yaml.YAML(typ="rt").load(text))


def _unwrap(value: Any) -> Any:
    """Turn ruamel's round-trip types into what they stand for."""
    if isinstance(value, dict):
        return {str(key): _unwrap(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unwrap(item) for item in value]
    for kind in (str, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return bool(value) if type(value).__name__ == "ScalarBoolean" else int(value)
    return value


READERS = {
    "PyYAML": pyyaml_pure,
    "PyYAML with libyaml": pyyaml_libyaml,
    "ruamel.yaml safe": ruamel_safe,
    "ruamel.yaml round trip": ruamel_round_trip,
}


def first_difference(left: Any, right: Any) -> str:
    """Say where two trees differ, for the message of an assertion."""
    return json.dumps([left, right], ensure_ascii=True, default=repr)[:2000]
