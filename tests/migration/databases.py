"""Databases as KFP writes them, for the tests of the migration."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, insert

from kfp_k8s_manifest.rest.specs import write_text
from kfp_k8s_manifest.rest.stores.database import tables
from kfp_k8s_manifest.rest.values import Spec

START = 1_700_000_000
SPEC: dict[str, Any] = {
    "pipelineInfo": {"name": "train"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "kfp-2.17.0",
    "deploymentSpec": {"executors": {"exec-a": {"container": {"image": "python:3.11"}}}},
    "components": {"comp-a": {"executorLabel": "exec-a"}},
    "root": {
        "dag": {"tasks": {"a": {"componentRef": {"name": "comp-a"}, "taskInfo": {"name": "a"}}}}
    },
}
PLATFORM: dict[str, Any] = {
    "platforms": {
        "kubernetes": {
            "deploymentSpec": {
                "executors": {"exec-a": {"imagePullSecret": [{"secretName": "pull"}]}}
            }
        }
    }
}
WORKFLOW: dict[str, Any] = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"generateName": "old-"},
    "spec": {
        "entrypoint": "main",
        "templates": [{"name": "main", "container": {"image": "busybox"}}],
    },
}


@dataclass(frozen=True, kw_only=True)
class Version:
    name: str
    spec: Mapping[str, Any] | str = field(default_factory=lambda: SPEC)
    platform: Mapping[str, Any] | None = None
    display_name: str = ""
    description: str = ""
    code_source_url: str = ""
    package_url: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    created_at: int | None = None


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    name: str
    versions: tuple[Version, ...] = ()
    namespace: str = ""
    display_name: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


FULL = Pipeline(
    name="My Pipeline",
    display_name="My pipeline (EU)",
    description='Nightly\ntraining with "quotes" and ümläuts',
    tags={"team": "growth", "stage": ""},
    versions=(
        Version(name="My Pipeline", description="first"),
        Version(
            name="v2",
            display_name="Second",
            description="better",
            code_source_url="https://git.example.com/a/b",
            package_url="https://storage.googleapis.com/b/p.yaml",
            tags={"commit": "abc123"},
            platform=PLATFORM,
        ),
    ),
)
"""A pipeline that says everything that a pipeline and a version can say."""


def identity(*parts: str) -> str:
    """An id that is the same in each run."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "\x1f".join(parts)))


def versions(count: int, *, first: int = 1) -> tuple[Version, ...]:
    """Versions v1, v2 and so on, each with another content."""
    return tuple(
        Version(name=f"v{number}", spec={**SPEC, "sdkVersion": f"kfp-2.17.{number}"})
        for number in range(first, first + count)
    )


def make_database(path: Path, pipelines: Iterable[Pipeline]) -> str:
    """Make a SQLite file with KFP's tables, add pipelines, and return its URL.

    A second of the server's clock goes by with each object.
    """
    url = f"sqlite:///{path}"
    make_tables(url)
    add_pipelines(url, pipelines)
    return url


def make_tables(url: str) -> None:
    """Make KFP's tables in an empty database."""
    engine = create_engine(url)
    tables.METADATA.create_all(engine)
    engine.dispose()


def add_pipelines(url: str, pipelines: Iterable[Pipeline], *, start: int = START) -> None:
    """Add pipelines to a database."""
    clock = start
    rows: dict[Any, list[dict[str, Any]]] = {table: [] for table in tables.METADATA.sorted_tables}
    for pipeline in pipelines:
        clock += 1
        key = identity(pipeline.namespace, pipeline.name)
        rows[tables.pipelines].append(_pipeline_row(pipeline, key, clock))
        rows[tables.pipeline_tags] += [
            {"PipelineId": key, "TagKey": tag, "TagValue": value}
            for tag, value in pipeline.tags.items()
        ]
        for version in pipeline.versions:
            clock += 1
            own = identity(pipeline.namespace, pipeline.name, version.name)
            created = clock if version.created_at is None else version.created_at
            rows[tables.pipeline_versions].append(_version_row(version, own, key, created))
            rows[tables.pipeline_version_tags] += [
                {"PipelineVersionId": own, "TagKey": tag, "TagValue": value}
                for tag, value in version.tags.items()
            ]
    engine = create_engine(url)
    with engine.begin() as connection:
        for table in tables.METADATA.sorted_tables:
            if rows[table]:
                connection.execute(insert(table), rows[table])
    engine.dispose()


def _pipeline_row(pipeline: Pipeline, key: str, created: int) -> dict[str, Any]:
    return {
        "UUID": key,
        "CreatedAtInSec": created,
        "Name": pipeline.name,
        "DisplayName": pipeline.display_name or pipeline.name,
        "Description": pipeline.description,
        "Parameters": "",
        "Status": "READY",
        "DefaultVersionId": "",
        "Namespace": pipeline.namespace,
    }


def _version_row(version: Version, key: str, pipeline: str, created: int) -> dict[str, Any]:
    text = version.spec
    if not isinstance(text, str):
        text = write_text(Spec(pipeline=text, platform=version.platform))
    return {
        "UUID": key,
        "CreatedAtInSec": created,
        "Name": version.name,
        "DisplayName": version.display_name or version.name,
        "Parameters": "[]",
        "PipelineId": pipeline,
        "Status": "READY",
        "CodeSourceUrl": version.code_source_url,
        "Description": version.description,
        "PipelineSpec": text,
        "PipelineSpecURI": version.package_url,
    }
