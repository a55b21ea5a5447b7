"""Paths into a tree, and how they are written for people."""

from __future__ import annotations

import json
import re
from typing import TypeAlias

__all__ = ["Path", "path_text"]

Path: TypeAlias = "tuple[str | int, ...]"

_FIELD = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*")


def path_text(path: Path) -> str:
    """Write a path the way Kubernetes writes fields.

    Args:
        path: Keys and indexes from the root.

    Returns:
        Such as `spec.tasks[0]["odd key"]`; empty for the root.
    """
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _FIELD.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step)}]"
    return text
