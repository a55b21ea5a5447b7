"""KFP's validating webhook, replayed: what it makes of two documents, and what it says.

Nothing is explained here; `spec` does that.

Source: KFP's API server, releases 2.14.0 to 2.17.0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

from kfp_k8s_manifest import naming
from kfp_k8s_manifest.checks import protojson
from kfp_k8s_manifest.checks.webhook.blocktext import separators_are_lost, unreadable_text
from kfp_k8s_manifest.checks.webhook.view import Oddity, View, view
from kfp_k8s_manifest.findings import ABSENT, Path
from kfp_k8s_manifest.golang.sizes import byte_size
from kfp_k8s_manifest.releases import Release

__all__ = [
    "NO_SPEC",
    "SCHEMA_VERSION",
    "TWO_PIPELINES",
    "TWO_PLATFORMS",
    "UNDECODABLE",
    "UNREADABLE",
    "JudgedSpec",
    "Ruling",
    "judge",
    "name_message",
    "version_message",
]

NO_SPEC: Final = "no pipeline spec is provided"
"""What the webhook says whenever it does not take the pipeline spec for one."""

TWO_PIPELINES: Final = "multiple pipeline specs provided"
TWO_PLATFORMS: Final = "multiple platform specs provided"
"""What the webhook says of two specs of one kind."""

UNREADABLE: Final = (
    "unable to decode yaml document: yaml: map merge requires map or sequence of maps as the value"
)
"""What the webhook says of a key `<<` that is no merge."""

UNDECODABLE: Final = "unable to decode yaml document: yaml: unmarshal errors"
"""How begins what the webhook says, from 2.15 on, of a spec that is no object."""

SCHEMA_VERSION: Final = "2.1.0"
"""The only schema version that KFP reads."""

# The first of two patterns for the name is not anchored: one such character anywhere suffices.
_ANY_NAME_CHARACTER = re.compile(r"[a-z0-9]")

_BAD_NAME = (
    "pipeline's name must contain only lowercase alphanumeric characters or '-' and must start with "
    "alphanumeric characters"
)
_NO_NAME_CHARACTER = (
    "invalid v2 pipeline spec: name should consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character"
)
_LONG_NAME = "pipeline's name must contain no more than 128 characters"


class Ruling(NamedTuple):
    """What the webhook of one release makes of the documents.

    Attributes:
        message: What it says, or "" where it accepts them.
        spec: The document that it takes for the pipeline spec, or that it stumbles over.
        platform: The one that it takes for the platform spec.
        rewritten: True where it accepts the documents, and then not what it makes of them.
    """

    message: str
    spec: JudgedSpec | None = None
    platform: JudgedSpec | None = None
    rewritten: bool = False


class JudgedSpec:
    """One of the two specs, as the webhook sees it, judged once for all releases.

    Attributes:
        name: The field that holds it, `pipelineSpec` or `platformSpec`.
        given: Its value.
        generations: The schemas to judge it by.
        view: What the webhook sees of it.
    """

    def __init__(
        self,
        name: str,
        given: Any,
        generations: tuple[str, ...],
        *,
        seen: View | None = None,
    ) -> None:
        self.name = name
        self.given = given
        self.generations = generations
        self.view: View = view(None if given is ABSENT else given) if seen is None else seen

    @property
    def root(self) -> Path:
        """Where the document lies in the object."""
        return ("spec", self.name)

    @property
    def is_mapping(self) -> bool:
        """Whether it is an object."""
        return isinstance(self.given, dict)

    @property
    def is_nothing(self) -> bool:
        """Whether it is missing or null, which the webhook passes over."""
        return self.given is None or self.given is ABSENT

    def separator_keys(self, *, as_platform: bool) -> list[Oddity]:
        """Return the keys that cannot be written a second time.

        Args:
            as_platform: True where the document is the platform spec, on whose further journey a
                block of text loses the line break that it begins with.
        """
        return [
            odd
            for odd in self.view.oddities
            if odd.kind == "separator-key"
            and not (as_platform and separators_are_lost(str(odd.path[-1])))
        ]

    @cached_property
    def number_keys(self) -> list[Oddity]:
        """Keys that JSON cannot hold, after which the document is no pipeline spec."""
        return [odd for odd in self.view.oddities if odd.kind == "number-key"]

    @cached_property
    def merge_keys(self) -> list[Oddity]:
        """Keys `<<` on which the reading of the document fails, and with it everything."""
        return [odd for odd in self.view.oddities if odd.kind == "merge-key"]

    @cached_property
    def unreadable_text(self) -> Path | None:
        """A text that cannot be read back, after which the document is no platform spec."""
        return unreadable_text(self.view.as_platform)

    @cached_property
    def spec_problems(self) -> list[protojson.Problem]:
        """Why the document is no PipelineSpec for protojson."""
        return protojson.check("ml_pipelines.PipelineSpec", self.view.document, self.generations)

    @cached_property
    def platform_problems(self) -> list[protojson.Problem]:
        """Why the document is no PlatformSpec for protojson."""
        return protojson.check("ml_pipelines.PlatformSpec", self.view.as_platform, self.generations)

    @cached_property
    def pipeline_name(self) -> str:
        """`pipelineInfo.name`, or "" where there is no such string."""
        name = _member(_member(self.view.document, "pipelineInfo", "pipeline_info"), "name")
        return name if isinstance(name, str) else ""

    @property
    def name_path(self) -> Path:
        """Where the pipeline's name is or belongs."""
        spelling = "pipelineInfo"
        if self.is_mapping and "pipeline_info" in self.given and spelling not in self.given:
            spelling = "pipeline_info"
        return (*self.root, spelling, "name")

    @cached_property
    def has_root(self) -> bool:
        """Whether there is a root component, which may be empty."""
        return _member(self.view.document, "root") is not None

    @cached_property
    def schema_version(self) -> str:
        """`schemaVersion`, or "" where there is no such string."""
        version = _member(self.view.document, "schemaVersion", "schema_version")
        return version if isinstance(version, str) else ""

    @cached_property
    def has_kubernetes(self) -> bool:
        """Whether there is a platform named `kubernetes`."""
        platforms = _member(self.view.as_platform, "platforms")
        return isinstance(platforms, dict) and "kubernetes" in platforms

    def is_spec(self, generation: str) -> bool:
        """Tell whether the webhook takes the document for a pipeline spec."""
        return (
            self.is_mapping
            and not self.number_keys
            and bool(self.pipeline_name)
            and self.has_root
            and not any(generation in problem.generations for problem in self.spec_problems)
        )

    def is_platform(self, generation: str) -> bool:
        """Tell whether the webhook takes the document for a platform spec that counts."""
        return (
            self.is_mapping
            and self.has_kubernetes
            and self.unreadable_text is None
            and not any(generation in problem.generations for problem in self.platform_problems)
        )


def _member(value: Any, *names: str) -> Any:
    """Return a member of an object under the first of its names that is there, or None."""
    if isinstance(value, dict):
        for name in names:
            if name in value:
                return value[name]
    return None


def judge(documents: Sequence[JudgedSpec], release: Release) -> Ruling:
    """Replay the webhook of one release over the documents, in its order."""
    generation = release.generation
    spec: JudgedSpec | None = None
    platform: JudgedSpec | None = None
    for document in documents:
        if release.refuses_other_documents and not (document.is_mapping or document.is_nothing):
            return Ruling(UNDECODABLE, document)
        if document.is_mapping and document.merge_keys:
            return Ruling(UNREADABLE, document)
        if document.is_spec(generation):
            if spec is not None:
                return Ruling(TWO_PIPELINES)
            if document.schema_version != SCHEMA_VERSION:
                return Ruling(version_message(document), document)
            if not _ANY_NAME_CHARACTER.search(document.pipeline_name):
                return Ruling(_NO_NAME_CHARACTER, document)
            spec = document
        elif document.is_platform(generation):
            if platform is not None:
                return Ruling(TWO_PLATFORMS)
            platform = document
    if spec is None:
        return Ruling(NO_SPEC)
    unwritable = spec.separator_keys(as_platform=False) or (
        platform and platform.separator_keys(as_platform=True)
    )
    if unwritable and release.writes_specs_twice:
        return Ruling(NO_SPEC, spec, platform, rewritten=True)
    return Ruling(name_message(spec.pipeline_name), spec, platform)


def version_message(document: JudgedSpec) -> str:
    """Return what the webhook says of a wrong schema version."""
    return (
        "KFP only supports schema version 2.1.0, but the pipeline spec has version "
        f"{document.schema_version}"
    )


def name_message(name: str) -> str:
    """Return what the webhook says of a pipeline's name, or ""."""
    if not _ANY_NAME_CHARACTER.search(name):
        return _NO_NAME_CHARACTER
    # A lone surrogate is stored as U+FFFD, three bytes as well.
    if byte_size(name) > naming.MAX_PIPELINE_INFO_NAME:
        return _LONG_NAME
    return _BAD_NAME if naming.pipeline_info_name_problems(name) else ""
