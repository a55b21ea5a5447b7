"""The manifests that the rows of the table change, and what a row is."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

API = "pipelines.kubeflow.org/v2beta1"

REMOVE: Any = ...
"""As a value in a row: the field is taken out."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the parity table: what is applied, and what has to come of it.

    Attributes:
        id: A stable name, unique in the table.
        target: The target that the verdict is for.
        text: The manifest, as YAML or JSON.
        before: The objects that exist in the cluster already.
        previous: The state of the object that is there already, or None for a creation.
        rules: The rules of all errors and warnings that have to be found, in alphabetical order;
            notes are left out. Where `exact` is False other warnings may be found as well.
        allowed: Whether the cluster accepts the manifest.
        message: Words that are part of the cluster's answer, or of ours where it has none; "" where
            there is nothing to say.
    """

    id: str
    target: str
    text: str
    before: tuple[Mapping[str, Any], ...]
    previous: Mapping[str, Any] | None
    rules: tuple[str, ...]
    allowed: bool
    message: str
    exact: bool = True


def pipeline(name: str = "train") -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "Pipeline",
        "metadata": {"name": name},
        "spec": {"description": "Trains."},
    }


def version() -> dict[str, Any]:
    """Return a version that every target takes without a word."""
    return {
        "apiVersion": API,
        "kind": "PipelineVersion",
        "metadata": {"name": "train-v1"},
        "spec": {
            "pipelineName": "train",
            "pipelineSpec": {
                "schemaVersion": "2.1.0",
                "sdkVersion": "kfp-2.14.0",
                "pipelineInfo": {"name": "train-v1"},
                "root": {
                    "inputDefinitions": {
                        "parameters": {"rows": {"parameterType": "STRING", "defaultValue": "8"}}
                    },
                    "dag": {
                        "tasks": {
                            "fit": {
                                "taskInfo": {"name": "fit"},
                                "componentRef": {"name": "comp-fit"},
                                "inputs": {"parameters": {"x": {"componentInputParameter": "rows"}}},
                            }
                        }
                    },
                },
                "components": {
                    "comp-fit": {
                        "executorLabel": "exec-fit",
                        "inputDefinitions": {"parameters": {"x": {"parameterType": "STRING"}}},
                    }
                },
                "deploymentSpec": {
                    "executors": {"exec-fit": {"container": {"image": "python:3.11"}}}
                },
            },
        },
    }  # fmt: skip


def patched(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy with the fields at dotted paths replaced, added or removed."""
    obj = copy.deepcopy(dict(base))
    for path, value in changes.items():
        place: Any = obj
        *parents, last = path.split(".")
        for key in parents:
            place = place.setdefault(key, {})
        if value is REMOVE:
            del place[last]
        else:
            place[last] = value
    return obj


def row(
    name: str,
    *rules: str,
    change: Mapping[str, Any] | None = None,
    of: Mapping[str, Any] | None = None,
    text: str | None = None,
    target: str = "2.17",
    before: Sequence[Mapping[str, Any]] | None = None,
    previous: Mapping[str, Any] | None = None,
    warn: Sequence[str] = (),
    says: str = "",
) -> Row:
    """Make a row: errors stand in `rules`, warnings in `warn`."""
    if text is None:
        text = json.dumps(patched(of or version(), change or {}))
    return Row(
        id=name,
        target=target,
        text=text,
        before=tuple([pipeline()] if before is None else before),
        previous=previous,
        rules=tuple(sorted((*rules, *warn))),
        allowed=not rules,
        message=says,
    )
