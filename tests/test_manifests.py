"""Objects as the text of a manifest."""

from __future__ import annotations

import json
import math

import pytest

from kfp_k8s_manifest.errors import SourceError, UsageError
from kfp_k8s_manifest.manifests import to_json, to_yaml

ONE = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "é"}}
TWO = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "y"}}


def test_one_object_is_written_as_itself() -> None:
    assert to_yaml([ONE]) == "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: é\n"
    assert to_json([ONE]) == json.dumps(ONE, indent=2, ensure_ascii=False) + "\n"


def test_several_objects_are_a_stream_or_a_list() -> None:
    assert to_yaml([ONE, TWO]).count("---\n") == 1
    text = to_json([ONE, TWO])
    assert json.loads(text) == {"apiVersion": "v1", "kind": "List", "items": [ONE, TWO]}
    assert text.endswith("}\n")


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^there is no object to write$"):
        to_json([])
    with pytest.raises(SourceError, match=r"^an object cannot be written as JSON: .*"):
        to_json([{**ONE, "data": math.nan}])
