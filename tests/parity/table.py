"""The parity table: what is applied, and what the cluster says to it.

`rows()` gives all rows. The tests here compare them with `validate`; the tests with a real API
server replay the same rows there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import yaml

from kfp_k8s_manifest import Report, validate_text
from kfp_k8s_manifest.checks.catalogue import Page, pages
from tests.parity import metadata_rows, set_rows, spec_rows
from tests.parity.base import Row, pipeline

__all__ = ["Row", "rows", "validated"]


def rows() -> list[Row]:
    """Return all rows: those of the tables, then the examples of the rules' pages.

    The rules of the family `input` are about files, of which a cluster knows nothing.
    """
    found = [*metadata_rows.rows(), *spec_rows.rows(), *set_rows.rows()]
    for page in pages():
        if page.family == "input":
            continue
        for section in ("Fails", "Passes"):
            found += _documented(page, section)
    return found


def validated(row: Row, text: str | None = None) -> Report:
    """Return what `validate_text` says of a row.

    Args:
        row: The row.
        text: What to check in place of the row's own manifest.
    """
    known = [each["metadata"] for each in row.before]
    return validate_text(
        row.text if text is None else text,
        target=row.target,
        known_pipelines=[
            f"{each['namespace']}/{each['name']}" if "namespace" in each else each["name"]
            for each in known
        ],
        previous=json.dumps(row.previous) if row.previous else "",
        allow_empty=True,
    )


def _documented(page: Page, section: str) -> list[Row]:
    example = page.example(section)
    if example is None:
        return []
    fails = section == "Fails"
    # The reader refuses what is no JSON before any rule sees an object.
    name = "yaml-invalid" if page.id == "spec-not-json" else page.id
    previous = yaml.safe_load(example.previous) if example.previous else None
    return [
        Row(
            id=f"page of {page.id}: {section.lower()}",
            target=example.target,
            text=example.text,
            before=tuple(_pipelines(example.text)) if example.assume_pipelines else (),
            previous=previous,
            rules=(name,) if fails and page.severity.value != "note" else (),
            allowed=not (fails and page.severity.value == "error"),
            message="",
            exact=False,
        )
    ]


def _pipelines(text: str) -> Iterator[dict[str, Any]]:
    """Yield the Pipelines that the versions of an example name, each once."""
    told: list[dict[str, Any]] = []
    for obj in yaml.safe_load_all(text):
        spec = obj.get("spec")
        name = spec.get("pipelineName") if isinstance(spec, dict) else None
        if not isinstance(name, str):
            continue
        found = pipeline(name)
        if "namespace" in obj["metadata"]:
            found["metadata"]["namespace"] = obj["metadata"]["namespace"]
        if found not in told:
            told.append(found)
            yield found
