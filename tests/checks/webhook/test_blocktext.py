from __future__ import annotations

from typing import Any

import pytest

from kfp_k8s_manifest.checks.webhook.blocktext import unreadable_text

# Each was written by gopkg.in/yaml.v3 and read by the YAML reader of sigs.k8s.io/yaml.


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({"k": ["\na"]}, ("k", 0)),
        ({"k": ["x", " a\nb"]}, ("k", 1)),
        ({"k": [{"a": "\nb"}]}, ("k", 0, "a")),
        ({"k": [["\na"]]}, ("k", 0, 0)),
        ({"k": [{"\na": 1}]}, ("k", 0, "\na")),
        ({"k": ["\n#\na"]}, ("k", 0)),
        ({"k": ["\n a"]}, ("k", 0)),
        ({"k": "\t\n"}, ("k",)),
        ({"\ta\n": 1}, ("\ta\n",)),
    ],
)
def test_texts_that_cannot_be_read_back(document: Any, path: tuple[str | int, ...]) -> None:
    assert unreadable_text(document) == path


@pytest.mark.parametrize(
    "document",
    [
        {"k": "\na"},
        {"k": {"k": " a\nb"}},
        {"k": ["\n"]},
        {"k": ["\n\n"]},
        {"k": ["\n  a"]},
        {"k": ["\n#"]},
        {"k": ["a\nb"]},
        {"k": ["a\n\tb"]},
        {"k": ["\t"]},
        {"k": [[{"a": 1}, "a\n"]]},
        # Quoted, because of the space at a line's end, the emoji, or the carriage return.
        {"k": ["\na \nb"]},
        {"k": ["\na "]},
        {"k": ["\n😀"]},
        {"k": ["\na\r"]},
    ],
)
def test_texts_that_survive(document: Any) -> None:
    assert unreadable_text(document) is None
