"""What the tests of the compiler share."""

from __future__ import annotations

from pathlib import Path

PIPELINE = """
from kfp import dsl

@dsl.container_component
def step():
    return dsl.ContainerSpec(image="alpine:3.20", command=["true"])

@dsl.pipeline(name=NAME)
def pipeline():
    step()
"""
"""A small pipeline; what stands before it sets NAME."""


def write(folder: Path, name: str, text: str) -> Path:
    """Write a text file, with its folder."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
