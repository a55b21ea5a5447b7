"""How long a tree is as Go's `encoding/json` writes it."""

from __future__ import annotations

from typing import Any

import pytest

from kfp_k8s_manifest.golang.sizes import json_size


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        ({"b": 1, "a": [True, None, "x"]}, '{"a":[true,null,"x"],"b":1}'),
        ("<>&", r'"\u003c\u003e\u0026"'),
        ("\u2028\u2029", r'"\u2028\u2029"'),
        ("é😀", '"é😀"'),
        ('"\\\n\r\t\b\f\x00\x1f\x7f', r'"\"\\\n\r\t\b\f\u0000\u001f' + '\x7f"'),
        (1.0, "1"),
        (-0.0, "-0"),
        (1.5, "1.5"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1e-6, "0.000001"),
        (1.5e-7, "1.5e-7"),
        (-1.25e-10, "-1.25e-10"),
        (123456789012345680000.0, "123456789012345680000"),
        ([0.1, 2.0, 10**30], "[0.1,2,1" + "0" * 30 + "]"),
    ],
)
def test_json_as_go_writes_it(tree: Any, text: str) -> None:
    assert json_size(tree) == len(text.encode())
