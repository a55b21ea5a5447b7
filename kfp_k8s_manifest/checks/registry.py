"""The registry: every rule by its id, with what holds for all of its findings.

A check makes a finding from one of these constants with `words.finding`. The constant's name is the
rule's id in capitals, so a rule is found by its id: here, in the checks that use it, and as the
page `pages/ID.md`, which documents it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from kfp_k8s_manifest.findings import Severity

__all__ = ["RULES", "Rule"]  # and the rules themselves, which stand below


class Rule(NamedTuple):
    """A rule.

    Attributes:
        id: The stable id, in kebab-case.
        family: Such as `metadata` or `lint`; `--select` and `--ignore` take it.
        severity: The severity of its findings; the worst one where there are several.
        since: The first KFP release in which the rule holds.
        milder: The other severities that a finding of it may have.
    """

    # No dataclass: making one takes a millisecond at every start of the command.
    id: str
    family: str
    severity: Severity
    since: str
    milder: tuple[Severity, ...] = ()


_ERROR: Final = Severity.ERROR
_WARNING: Final = Severity.WARNING
_NOTE: Final = Severity.NOTE


# What is read at all.
FILE_UNREADABLE = Rule("file-unreadable", "input", _ERROR, "2.14.0")
IR_INVALID = Rule("ir-invalid", "input", _ERROR, "2.14.0")
IR_PACKAGE = Rule("ir-package", "input", _NOTE, "2.14.0")
NOTHING_TO_CHECK = Rule("nothing-to-check", "input", _ERROR, "2.14.0", (_NOTE,))
OTHER_OPERATOR = Rule("other-operator", "input", _NOTE, "2.14.0")
TEMPLATE = Rule("template", "input", _WARNING, "2.14.0")

# The text.
YAML_INVALID = Rule("yaml-invalid", "yaml", _ERROR, "2.14.0")
YAML_LIMIT = Rule("yaml-limit", "yaml", _ERROR, "2.14.0")
YAML_UNQUOTED_KEY = Rule("yaml-unquoted-key", "yaml", _WARNING, "2.14.0")
YAML_UNQUOTED_VALUE = Rule("yaml-unquoted-value", "yaml", _WARNING, "2.14.0")

# What the API server decodes.
API_VERSION = Rule("api-version", "decode", _ERROR, "2.14.0")
KIND = Rule("kind", "decode", _ERROR, "2.14.0")
METADATA_TYPE = Rule("metadata-type", "decode", _ERROR, "2.14.0")
NEXT_LINE = Rule("next-line", "decode", _WARNING, "2.14.0")
OBJECT_TYPE = Rule("object-type", "decode", _ERROR, "2.14.0")
UNKNOWN_FIELD = Rule("unknown-field", "decode", _ERROR, "2.14.0")

# Metadata.
GENERATE_NAME = Rule("generate-name", "metadata", _WARNING, "2.14.0")
METADATA_ANNOTATION_KEY = Rule("metadata-annotation-key", "metadata", _ERROR, "2.14.0")
METADATA_ANNOTATIONS_SIZE = Rule("metadata-annotations-size", "metadata", _ERROR, "2.14.0")
METADATA_FINALIZER = Rule("metadata-finalizer", "metadata", _ERROR, "2.14.0")
METADATA_GENERATE_NAME = Rule("metadata-generate-name", "metadata", _ERROR, "2.14.0")
METADATA_IGNORED_FIELD = Rule("metadata-ignored-field", "metadata", _NOTE, "2.14.0")
METADATA_LABEL_KEY = Rule("metadata-label-key", "metadata", _ERROR, "2.14.0")
METADATA_LABEL_VALUE = Rule("metadata-label-value", "metadata", _ERROR, "2.14.0")
METADATA_NAME = Rule("metadata-name", "metadata", _ERROR, "2.14.0")
METADATA_NAMESPACE = Rule("metadata-namespace", "metadata", _ERROR, "2.14.0")
METADATA_OWNER_REFERENCE = Rule("metadata-owner-reference", "metadata", _ERROR, "2.14.0")
METADATA_RESOURCE_VERSION = Rule("metadata-resource-version", "metadata", _ERROR, "2.14.0")
METADATA_SERVER_FIELD = Rule("metadata-server-field", "metadata", _WARNING, "2.14.0")

# The CRDs' schemas.
CRD_REQUIRED = Rule("crd-required", "crd", _ERROR, "2.14.0")
CRD_TYPE = Rule("crd-type", "crd", _ERROR, "2.14.0")
CRD_VERSION_NAME = Rule("crd-version-name", "crd", _ERROR, "2.17.0")
NULL_FIELD = Rule("null-field", "crd", _WARNING, "2.14.0")
STATUS_IGNORED = Rule("status-ignored", "crd", _NOTE, "2.14.0")

# Sizes.
SIZE_CLIENT_APPLY = Rule("size-client-apply", "size", _WARNING, "2.14.0")
SIZE_ETCD = Rule("size-etcd", "size", _ERROR, "2.14.0")
SIZE_REQUEST = Rule("size-request", "size", _ERROR, "2.14.0")

# KFP's mutating webhook.
PIPELINE_LABEL = Rule("pipeline-label", "mutating", _ERROR, "2.14.0")
PIPELINE_NAMESPACE = Rule("pipeline-namespace", "mutating", _WARNING, "2.14.0")
PIPELINE_NOT_FOUND = Rule("pipeline-not-found", "mutating", _ERROR, "2.14.0")
WEBHOOK_OVERWRITES = Rule("webhook-overwrites", "mutating", _WARNING, "2.14.0")

# KFP's validating webhook: the specs.
SPEC_BAD_VALUE = Rule("spec-bad-value", "spec", _ERROR, "2.14.0")
SPEC_CONTROL_CHARACTER = Rule("spec-control-character", "spec", _ERROR, "2.14.0")
SPEC_DUPLICATE_FIELD = Rule("spec-duplicate-field", "spec", _ERROR, "2.14.0")
SPEC_FIELD_REMOVED = Rule("spec-field-removed", "spec", _ERROR, "2.15.0")
SPEC_FIELD_TOO_NEW = Rule("spec-field-too-new", "spec", _ERROR, "2.14.0")
SPEC_KEY = Rule("spec-key", "spec", _ERROR, "2.14.0")
SPEC_MERGE_KEY = Rule("spec-merge-key", "spec", _ERROR, "2.14.0")
SPEC_NOT_AN_OBJECT = Rule("spec-not-an-object", "spec", _ERROR, "2.14.0")
SPEC_NOT_JSON = Rule("spec-not-json", "spec", _ERROR, "2.14.0")
SPEC_NULL_IN_LIST = Rule("spec-null-in-list", "spec", _ERROR, "2.14.0")
SPEC_NULL_IN_MAP = Rule("spec-null-in-map", "spec", _ERROR, "2.14.0")
SPEC_ONEOF_SET_TWICE = Rule("spec-oneof-set-twice", "spec", _ERROR, "2.14.0")
SPEC_PIPELINE_NAME = Rule("spec-pipeline-name", "spec", _ERROR, "2.14.0")
SPEC_PIPELINE_NAME_EMPTY = Rule("spec-pipeline-name-empty", "spec", _ERROR, "2.14.0")
SPEC_ROOT_MISSING = Rule("spec-root-missing", "spec", _ERROR, "2.14.0")
SPEC_SCHEMA_VERSION = Rule("spec-schema-version", "spec", _ERROR, "2.14.0")
SPEC_STRING_READ_AS_NUMBER = Rule(
    "spec-string-read-as-number", "spec", _ERROR, "2.14.0", (_WARNING,)
)
SPEC_SWAPPED = Rule("spec-swapped", "spec", _WARNING, "2.14.0")
SPEC_TWO_PIPELINES = Rule("spec-two-pipelines", "spec", _ERROR, "2.14.0")
SPEC_TWO_PLATFORMS = Rule("spec-two-platforms", "spec", _ERROR, "2.14.0")
SPEC_UNKNOWN_ENUM_VALUE = Rule("spec-unknown-enum-value", "spec", _ERROR, "2.14.0")
SPEC_UNKNOWN_FIELD = Rule("spec-unknown-field", "spec", _ERROR, "2.14.0")
SPEC_WRONG_TYPE = Rule("spec-wrong-type", "spec", _ERROR, "2.14.0")
SPEC_WORKFLOW = Rule("spec-workflow", "spec", _ERROR, "2.14.0")
PLATFORM_IGNORED = Rule("platform-ignored", "platform", _WARNING, "2.14.0")

# Updates.
EMPTY_MAP = Rule("empty-map", "update", _WARNING, "2.14.0")
VERSION_IMMUTABLE = Rule("version-immutable", "update", _ERROR, "2.14.0")

# What the webhook leaves untyped, and a run reads.
DEPLOYMENT_FIELD_TOO_NEW = Rule("deployment-field-too-new", "deployment", _WARNING, "2.14.0")
DEPLOYMENT_INVALID = Rule("deployment-invalid", "deployment", _WARNING, "2.14.0")
DEPLOYMENT_UNKNOWN_FIELD = Rule("deployment-unknown-field", "deployment", _WARNING, "2.14.0")
EXECUTOR_CONFIG_FIELD_TOO_NEW = Rule(
    "executor-config-field-too-new", "executor-config", _WARNING, "2.14.0"
)
EXECUTOR_CONFIG_INVALID = Rule("executor-config-invalid", "executor-config", _WARNING, "2.14.0")
EXECUTOR_CONFIG_UNKNOWN_FIELD = Rule(
    "executor-config-unknown-field", "executor-config", _WARNING, "2.14.0"
)

# What a run stumbles over.
ARGUMENT_SIZE = Rule("argument-size", "lint", _WARNING, "2.14.0")
ARGO_NAME = Rule("argo-name", "lint", _WARNING, "2.14.0")
ARTIFACT_ITERATOR = Rule("artifact-iterator", "lint", _WARNING, "2.14.0")
COMPONENT_CYCLE = Rule("component-cycle", "lint", _WARNING, "2.14.0")
COMPONENT_EMPTY = Rule("component-empty", "lint", _WARNING, "2.14.0")
COMPONENT_MISSING = Rule("component-missing", "lint", _WARNING, "2.14.0")
COMPONENT_NAME_RESERVED = Rule("component-name-reserved", "lint", _WARNING, "2.14.0")
COMPONENT_UNUSED = Rule("component-unused", "lint", _NOTE, "2.14.0")
CONDITION_INPUT_MISSING = Rule("condition-input-missing", "lint", _WARNING, "2.14.0")
CONDITION_ON_IMPORTER = Rule("condition-on-importer", "lint", _WARNING, "2.14.0")
CONSTANT_NOT_STRING = Rule("constant-not-string", "lint", _NOTE, "2.14.0")
DAG_EMPTY = Rule("dag-empty", "lint", _WARNING, "2.14.0")
DAG_OUTPUT_UNSET = Rule("dag-output-unset", "lint", _WARNING, "2.14.0")
EXECUTOR_MISSING = Rule("executor-missing", "lint", _WARNING, "2.14.0")
EXECUTOR_UNSUPPORTED = Rule("executor-unsupported", "lint", _WARNING, "2.14.0")
EXECUTOR_UNUSED = Rule("executor-unused", "lint", _NOTE, "2.14.0")
EXIT_TASK_DEPENDENCY = Rule("exit-task-dependency", "lint", _WARNING, "2.14.0")
EXIT_TASK_IGNORED = Rule("exit-task-ignored", "lint", _WARNING, "2.14.0")
FINAL_STATUS_WITHOUT_DEPENDENCY = Rule(
    "final-status-without-dependency", "lint", _WARNING, "2.14.0"
)
IMAGE_LATEST = Rule("image-latest", "lint", _NOTE, "2.14.0")
IMAGE_MISSING = Rule("image-missing", "lint", _WARNING, "2.14.0")
IMAGE_UNTAGGED = Rule("image-untagged", "lint", _NOTE, "2.14.0")
IMPORTER_IN_LOOP = Rule("importer-in-loop", "lint", _WARNING, "2.14.0")
IMPORTER_RETRY = Rule("importer-retry", "lint", _WARNING, "2.14.0")
INPUT_MISSING = Rule("input-missing", "lint", _WARNING, "2.14.0")
INPUT_OPTIONAL = Rule("input-optional", "lint", _WARNING, "2.14.0")
INPUT_REQUIRED = Rule("input-required", "lint", _WARNING, "2.14.0")
INPUT_SOURCE = Rule("input-source", "lint", _WARNING, "2.14.0")
INPUT_UNDECLARED = Rule("input-undeclared", "lint", _WARNING, "2.14.0")
INPUT_UNUSED = Rule("input-unused", "lint", _NOTE, "2.14.0")
ITERATOR_ITEMS = Rule("iterator-items", "lint", _WARNING, "2.14.0")
ITERATOR_POLICY_IGNORED = Rule("iterator-policy-ignored", "lint", _NOTE, "2.14.0")
LOOP_NAME = Rule("loop-name", "lint", _WARNING, "2.14.0")
ONE_OF_ARTIFACT = Rule("one-of-artifact", "lint", _WARNING, "2.14.0")
OUTPUT_MISSING = Rule("output-missing", "lint", _WARNING, "2.14.0")
PARAMETER_DEFAULT_TYPE = Rule("parameter-default-type", "lint", _WARNING, "2.14.0")
PARAMETER_LITERAL = Rule("parameter-literal", "lint", _WARNING, "2.14.0")
PARAMETER_TYPE_MISMATCH = Rule("parameter-type-mismatch", "lint", _WARNING, "2.14.0")
PARAMETER_TYPE_MISSING = Rule("parameter-type-missing", "lint", _WARNING, "2.14.0")
PLACEHOLDER_UNDECLARED = Rule("placeholder-undeclared", "lint", _WARNING, "2.14.0")
PLATFORM_EXECUTOR_MISSING = Rule("platform-executor-missing", "lint", _WARNING, "2.14.0")
POD_SETTING = Rule("pod-setting", "lint", _WARNING, "2.14.0")
PRODUCER_MISSING = Rule("producer-missing", "lint", _WARNING, "2.14.0")
RESOURCE_QUANTITY = Rule("resource-quantity", "lint", _WARNING, "2.14.0")
RETRY_POLICY = Rule("retry-policy", "lint", _NOTE, "2.14.0")
TASK_CYCLE = Rule("task-cycle", "lint", _WARNING, "2.14.0")
TASK_MISSING = Rule("task-missing", "lint", _WARNING, "2.14.0")
VOLUME_CLAIM = Rule("volume-claim", "lint", _WARNING, "2.14.0")

# Several objects together.
DUPLICATE_OBJECT = Rule("duplicate-object", "bundle", _ERROR, "2.14.0")
KEP_PIPELINE_INFO_NAME = Rule("kep-pipeline-info-name", "bundle", _ERROR, "2.14.0")
LATEST_AMBIGUOUS = Rule("latest-ambiguous", "bundle", _NOTE, "2.14.0")
REST_NAME_COLLISION = Rule("rest-name-collision", "bundle", _WARNING, "2.17.0")
REST_NAME_MISMATCH = Rule("rest-name-mismatch", "bundle", _NOTE, "2.17.0")

# What the REST server makes of one object.
PIPELINE_DISPLAY_NAME = Rule("pipeline-display-name", "rest", _NOTE, "2.14.0")
REST_TAGS = Rule("rest-tags", "rest", _WARNING, "2.17.0")

# A repository of pipelines.
MANIFEST_MISSING = Rule("manifest-missing", "gitops", _ERROR, "2.14.0")
MANIFEST_STALE = Rule("manifest-stale", "gitops", _ERROR, "2.14.0")
MANIFEST_SUPERFLUOUS = Rule("manifest-superfluous", "gitops", _ERROR, "2.14.0")
SOURCE_FAILED = Rule("source-failed", "gitops", _ERROR, "2.14.0")
SOURCE_UNSTEADY = Rule("source-unsteady", "gitops", _ERROR, "2.14.0")
VERSION_CHANGED = Rule("version-changed", "gitops", _ERROR, "2.14.0")
VERSION_EDITED = Rule("version-edited", "gitops", _ERROR, "2.14.0")
VERSION_REMOVED = Rule("version-removed", "gitops", _ERROR, "2.14.0")
VERSIONS_TOGETHER = Rule("versions-together", "gitops", _WARNING, "2.14.0")

RULES: Final = {each.id: each for each in tuple(globals().values()) if isinstance(each, Rule)}
"""All rules by their ids."""
