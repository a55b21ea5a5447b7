"""KFP 2.17's tables of pipelines as its API server makes them in MariaDB, and rows as it writes them."""

from __future__ import annotations

__all__ = ["COLUMNS", "DDL", "FOREIGN_KEYS", "KEYS", "ROWS"]

# What `SHOW CREATE TABLE` says after KFP's first start.
DDL = (
    """\
CREATE TABLE `pipelines` (
  `UUID` varchar(64) NOT NULL,
  `CreatedAtInSec` bigint(20) NOT NULL,
  `Name` varchar(128) NOT NULL,
  `DisplayName` varchar(255) NOT NULL,
  `Description` longtext NOT NULL,
  `Parameters` longtext DEFAULT NULL,
  `Status` varchar(255) NOT NULL,
  `DefaultVersionId` varchar(255) DEFAULT NULL,
  `Namespace` varchar(63) DEFAULT NULL,
  PRIMARY KEY (`UUID`),
  UNIQUE KEY `namespace_name` (`Name`,`Namespace`)
) ENGINE=InnoDB""",
    """\
CREATE TABLE `pipeline_versions` (
  `UUID` varchar(191) NOT NULL,
  `CreatedAtInSec` bigint(20) NOT NULL,
  `Name` varchar(127) NOT NULL,
  `DisplayName` varchar(255) NOT NULL,
  `Parameters` longtext NOT NULL,
  `PipelineId` varchar(64) NOT NULL,
  `Status` varchar(255) NOT NULL,
  `CodeSourceUrl` varchar(255) DEFAULT NULL,
  `Description` longtext DEFAULT NULL,
  `PipelineSpec` longtext NOT NULL,
  `PipelineSpecURI` longtext NOT NULL,
  PRIMARY KEY (`UUID`),
  UNIQUE KEY `idx_pipelineid_name` (`Name`,`PipelineId`),
  KEY `idx_pipeline_versions_CreatedAtInSec` (`CreatedAtInSec`),
  KEY `idx_pipeline_versions_PipelineId` (`PipelineId`),
  CONSTRAINT `pipeline_versions_PipelineId_pipelines_UUID_foreign` FOREIGN KEY (`PipelineId`)
    REFERENCES `pipelines` (`UUID`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB""",
    """\
CREATE TABLE `pipeline_tags` (
  `PipelineId` varchar(64) NOT NULL,
  `TagKey` varchar(63) NOT NULL,
  `TagValue` varchar(63) NOT NULL,
  PRIMARY KEY (`PipelineId`,`TagKey`),
  KEY `idx_pipeline_tags_key_value_id` (`TagKey`,`TagValue`,`PipelineId`),
  CONSTRAINT `pipeline_tags_PipelineId_pipelines_UUID_foreign` FOREIGN KEY (`PipelineId`)
    REFERENCES `pipelines` (`UUID`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB""",
    """\
CREATE TABLE `pipeline_version_tags` (
  `PipelineVersionId` varchar(191) NOT NULL,
  `TagKey` varchar(63) NOT NULL,
  `TagValue` varchar(63) NOT NULL,
  PRIMARY KEY (`PipelineVersionId`,`TagKey`),
  KEY `idx_pv_tags_key_value_id` (`TagKey`,`TagValue`,`PipelineVersionId`),
  CONSTRAINT `pv_tags_PipelineVersionId_pv_UUID_fk` FOREIGN KEY (`PipelineVersionId`)
    REFERENCES `pipeline_versions` (`UUID`) ON DELETE CASCADE ON UPDATE CASCADE
) ENGINE=InnoDB""",
)

# By table: name, type in MySQL, type in PostgreSQL, may it be null.
COLUMNS = {
    "pipelines": [
        ("UUID", "varchar(64)", "character varying(64)", False),
        ("CreatedAtInSec", "bigint(20)", "bigint", False),
        ("Name", "varchar(128)", "character varying(128)", False),
        ("DisplayName", "varchar(255)", "text", False),
        ("Description", "longtext", "text", False),
        ("Parameters", "longtext", "text", True),
        ("Status", "varchar(255)", "text", False),
        ("DefaultVersionId", "varchar(255)", "text", True),
        ("Namespace", "varchar(63)", "character varying(63)", True),
    ],
    "pipeline_versions": [
        ("UUID", "varchar(191)", "character varying(191)", False),
        ("CreatedAtInSec", "bigint(20)", "bigint", False),
        ("Name", "varchar(127)", "character varying(127)", False),
        ("DisplayName", "varchar(255)", "text", False),
        ("Parameters", "longtext", "text", False),
        ("PipelineId", "varchar(64)", "character varying(64)", False),
        ("Status", "varchar(255)", "text", False),
        ("CodeSourceUrl", "varchar(255)", "text", True),
        ("Description", "longtext", "text", True),
        ("PipelineSpec", "longtext", "text", False),
        ("PipelineSpecURI", "longtext", "text", False),
    ],
    "pipeline_tags": [
        ("PipelineId", "varchar(64)", "character varying(64)", False),
        ("TagKey", "varchar(63)", "character varying(63)", False),
        ("TagValue", "varchar(63)", "character varying(63)", False),
    ],
    "pipeline_version_tags": [
        ("PipelineVersionId", "varchar(191)", "character varying(191)", False),
        ("TagKey", "varchar(63)", "character varying(63)", False),
        ("TagValue", "varchar(63)", "character varying(63)", False),
    ],
}
# By table: the primary key, and the others as (name, columns, unique).
KEYS = {
    "pipelines": (["UUID"], {("namespace_name", ("Name", "Namespace"), True)}),
    "pipeline_versions": (
        ["UUID"],
        {
            ("idx_pipelineid_name", ("Name", "PipelineId"), True),
            ("idx_pipeline_versions_CreatedAtInSec", ("CreatedAtInSec",), False),
            ("idx_pipeline_versions_PipelineId", ("PipelineId",), False),
        },
    ),
    "pipeline_tags": (
        ["PipelineId", "TagKey"],
        {("idx_pipeline_tags_key_value_id", ("TagKey", "TagValue", "PipelineId"), False)},
    ),
    "pipeline_version_tags": (
        ["PipelineVersionId", "TagKey"],
        {("idx_pv_tags_key_value_id", ("TagKey", "TagValue", "PipelineVersionId"), False)},
    ),
}
FOREIGN_KEYS = {
    "pipelines": [],
    "pipeline_versions": [
        ("pipeline_versions_PipelineId_pipelines_UUID_foreign", "PipelineId", "pipelines")
    ],
    "pipeline_tags": [
        ("pipeline_tags_PipelineId_pipelines_UUID_foreign", "PipelineId", "pipelines")
    ],
    "pipeline_version_tags": [
        ("pv_tags_PipelineVersionId_pv_UUID_fk", "PipelineVersionId", "pipeline_versions")
    ],
}

_SPEC = """\
components:
  comp-print:
    executorLabel: exec-print
deploymentSpec:
  executors:
    exec-print:
      container:
        args:
        - hello
        image: python:3.11
pipelineInfo:
  name: hello
root:
  dag:
    tasks:
      print:
        cachingOptions:
          enableCache: true
        componentRef:
          name: comp-print
        taskInfo:
          name: print
schemaVersion: 2.1.0
sdkVersion: kfp-2.17.0
"""
_PLATFORM = """\
platforms:
  kubernetes:
    deploymentSpec:
      executors:
        exec-print:
          imagePullSecret:
          - secretName: pull
"""
_A, _B = "aaaaaaaa-0000-4000-8000-000000000000", "bbbbbbbb-0000-4000-8000-000000000000"
_C, _D = "cccccccc-0000-4000-8000-000000000000", "dddddddd-0000-4000-8000-000000000000"
_E, _F = "eeeeeeee-0000-4000-8000-000000000000", "ffffffff-0000-4000-8000-000000000000"
_THEN, _NIGHTLY = 1795627608, "Nightly training"

# As KFP writes them; besides, what it leaves behind when it ends in the middle of a creation, and a
# version whose content it kept elsewhere, as its first releases did.
ROWS = (
    (
        "pipelines",
        [
            (_A, _THEN, "churn-training", "Churn training", _NIGHTLY, "", "READY", "", ""),
            (_B, _THEN, "Empty pipeline (EU)", "Empty pipeline (EU)", "", "", "READY", "", ""),
            (_F, _THEN, "half", "half", "", "", "CREATING", "", ""),
        ],
    ),
    (
        "pipeline_versions",
        [
            (
                *(_C, _THEN, "churn-training", "Churn training", "[]", _A, "READY", ""),
                *(_NIGHTLY, _SPEC, ""),
            ),
            (
                *(_D, _THEN, "v2", "Second", "[]", _A, "READY", "", ""),
                *(f"{_SPEC}\n---\n{_PLATFORM}", "https://example.com/p.yaml"),
            ),
            (_E, _THEN, "old", "old", "[]", _A, "READY", "", "", "", ""),
            (_F, _THEN, "half", "half", "[]", _A, "DELETING", "", "", _SPEC, ""),
        ],
    ),
    ("pipeline_tags", [(_A, "stage", "prod"), (_A, "team", "growth")]),
    ("pipeline_version_tags", [(_D, "commit", "abc123")]),
)
