"""KFP's tables of pipelines, with the names, types and keys that its 2.17 API server gives them.

Columns carry no collation of their own in MySQL and MariaDB, where KFP leaves it to the database, and
in PostgreSQL. In SQLite texts are compared without the case of ASCII letters, which is as near as
SQLite comes by itself to what those databases do.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects.mysql import LONGBLOB, LONGTEXT

__all__ = [
    "METADATA",
    "SPEC_JSON_METADATA",
    "pipeline_tags",
    "pipeline_version_tags",
    "pipeline_versions",
    "pipelines",
    "spec_json",
]

METADATA: Final = MetaData()
# Not KFP's: what it would have to be made anew for every answer. See `spec_json`.
SPEC_JSON_METADATA: Final = MetaData()


def _text(length: int) -> Any:
    """Return the type of a text that KFP declares with a size."""
    return String(length).with_variant(String(length, collation="NOCASE"), "sqlite")


def _unsized() -> Any:
    """Return the type of a text that KFP declares without a size: 255 in MySQL, open in PostgreSQL."""
    kept = String(255).with_variant(String(255, collation="NOCASE"), "sqlite")
    return kept.with_variant(Text(), "postgresql")


def _large() -> Any:
    """Return the type of a large text."""
    kept = Text().with_variant(Text(collation="NOCASE"), "sqlite")
    return kept.with_variant(LONGTEXT(), "mysql")


def _references(name: str, column: str, target: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        [column], [target], name=name, ondelete="CASCADE", onupdate="CASCADE"
    )


pipelines: Final = Table(
    "pipelines",
    METADATA,
    Column("UUID", _text(64), nullable=False),
    Column("CreatedAtInSec", BigInteger(), nullable=False),
    Column("Name", _text(128), nullable=False),
    Column("DisplayName", _unsized(), nullable=False),
    Column("Description", _large(), nullable=False),
    Column("Parameters", _large()),
    Column("Status", _unsized(), nullable=False),
    Column("DefaultVersionId", _unsized()),
    Column("Namespace", _text(63)),
    PrimaryKeyConstraint("UUID"),
    Index("namespace_name", "Name", "Namespace", unique=True),
    mysql_engine="InnoDB",
)

pipeline_versions: Final = Table(
    "pipeline_versions",
    METADATA,
    Column("UUID", _text(191), nullable=False),
    Column("CreatedAtInSec", BigInteger(), nullable=False),
    Column("Name", _text(127), nullable=False),
    Column("DisplayName", _unsized(), nullable=False),
    Column("Parameters", _large(), nullable=False),
    Column("PipelineId", _text(64), nullable=False),
    Column("Status", _unsized(), nullable=False),
    Column("CodeSourceUrl", _unsized()),
    Column("Description", _large()),
    Column("PipelineSpec", _large(), nullable=False),
    Column("PipelineSpecURI", _large(), nullable=False),
    PrimaryKeyConstraint("UUID"),
    Index("idx_pipelineid_name", "Name", "PipelineId", unique=True),
    Index("idx_pipeline_versions_CreatedAtInSec", "CreatedAtInSec"),
    Index("idx_pipeline_versions_PipelineId", "PipelineId"),
    _references(
        "pipeline_versions_PipelineId_pipelines_UUID_foreign", "PipelineId", "pipelines.UUID"
    ),
    mysql_engine="InnoDB",
)

pipeline_tags: Final = Table(
    "pipeline_tags",
    METADATA,
    Column("PipelineId", _text(64), nullable=False),
    Column("TagKey", _text(63), nullable=False),
    Column("TagValue", _text(63), nullable=False),
    PrimaryKeyConstraint("PipelineId", "TagKey"),
    Index("idx_pipeline_tags_key_value_id", "TagKey", "TagValue", "PipelineId"),
    _references("pipeline_tags_PipelineId_pipelines_UUID_foreign", "PipelineId", "pipelines.UUID"),
    mysql_engine="InnoDB",
)

pipeline_version_tags: Final = Table(
    "pipeline_version_tags",
    METADATA,
    Column("PipelineVersionId", _text(191), nullable=False),
    Column("TagKey", _text(63), nullable=False),
    Column("TagValue", _text(63), nullable=False),
    PrimaryKeyConstraint("PipelineVersionId", "TagKey"),
    Index("idx_pv_tags_key_value_id", "TagKey", "TagValue", "PipelineVersionId"),
    _references(
        "pv_tags_PipelineVersionId_pv_UUID_fk", "PipelineVersionId", "pipeline_versions.UUID"
    ),
    mysql_engine="InnoDB",
)

# `pipeline_spec` of each version as it is answered. Making it from the column PipelineSpec, which
# is YAML, takes some 100 times as long as reading it. KFP never changes a stored spec. There is no
# foreign key on purpose: with one, KFP could no longer alter the columns that it points at. What it
# leaves behind when KFP deletes a version is never looked at, and removed at the next start.
spec_json: Final = Table(
    "kfp_k8s_spec_json",
    SPEC_JSON_METADATA,
    Column("PipelineVersionId", _text(191), nullable=False),
    Column("Json", LargeBinary().with_variant(LONGBLOB(), "mysql"), nullable=False),
    PrimaryKeyConstraint("PipelineVersionId"),
    mysql_engine="InnoDB",
)


# KFP does not run on SQLite, so nobody is in the way of the indexes that lists are served from there.
for _table, _scopes in (
    (pipelines, ((), ("Namespace",))),
    (pipeline_versions, (("PipelineId",),)),
):
    for _scope in _scopes:
        for _column in ("CreatedAtInSec", "Name", "DisplayName"):
            _columns = (*_scope, "Status", _column, "UUID")
            Index(
                f"kfp_k8s_{_table.name}_{'_'.join(_columns)}",
                *(_table.c[_name] for _name in _columns),
            ).ddl_if(dialect="sqlite")
