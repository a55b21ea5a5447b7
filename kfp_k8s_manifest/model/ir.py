"""The intermediate representation (IR) of a pipeline: its two specs, canonical form and digest.

The canonical form is RFC 8785 (JSON Canonicalization Scheme), so that any program can compute the
digest of a version. Integers outside the range of a double are the one exception: they are
written in full, because Kubernetes stores them exactly and two contents must not share a digest.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.golang.numbers import number_text

__all__ = ["DIGEST_LENGTH", "JsonValue", "PipelineIR", "canonical_json", "digest"]

JsonValue = Any
"""A tree of dict (with str keys), list, str, int, float, bool and None."""

DIGEST_LENGTH: Final = 10
"""Characters of a digest in a name: 50 bits, in the alphabet a-z2-7."""

_quote = json.encoder.encode_basestring


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PipelineIR:
    """A compiled pipeline: what KFP calls a package, as values.

    Attributes:
        pipeline_spec: The PipelineSpec message in its JSON form.
        platform_spec: The PlatformSpec message in its JSON form, or None where the pipeline has
            no platform-specific configuration.
    """

    pipeline_spec: Mapping[str, JsonValue]
    platform_spec: Mapping[str, JsonValue] | None = None

    def __repr__(self) -> str:
        platform = ", with a platform spec" if self.platform_spec is not None else ""
        return f"<PipelineIR {self.name!r}{platform}>"

    @property
    def name(self) -> str:
        """The `pipelineInfo.name`, or "" where there is none."""
        return self._info("name")

    @property
    def display_name(self) -> str:
        """The `pipelineInfo.displayName`, or "" where there is none."""
        return self._info("displayName")

    @property
    def description(self) -> str:
        """The `pipelineInfo.description`, or "" where there is none."""
        return self._info("description")

    def _info(self, key: str) -> str:
        info = self.pipeline_spec.get("pipelineInfo")
        value = info.get(key) if isinstance(info, Mapping) else None
        return value if isinstance(value, str) else ""

    def renamed(self, name: str) -> PipelineIR:
        """Return the same IR under another `pipelineInfo.name`."""
        info = self.pipeline_spec.get("pipelineInfo")
        info = {**(info if isinstance(info, Mapping) else {}), "name": name}
        return PipelineIR(
            pipeline_spec={**self.pipeline_spec, "pipelineInfo": info},
            platform_spec=self.platform_spec,
        )

    def documents(self) -> list[Mapping[str, JsonValue]]:
        """Return the documents of the package: the pipeline spec, then any platform spec."""
        if self.platform_spec is None:
            return [self.pipeline_spec]
        return [self.pipeline_spec, self.platform_spec]


def digest(content: JsonValue) -> str:
    """Return the digest of a content, as it stands in a version's name.

    It is the SHA-256 of the canonical JSON in UTF-8, written in base32 (RFC 4648) in lower case,
    cut to its first ten characters.

    Args:
        content: A JSON tree.

    Raises:
        SourceError: The tree holds something that JSON cannot express.
    """
    sha = hashlib.sha256(canonical_json(content).encode("utf-8"))
    return base64.b32encode(sha.digest()).decode("ascii").lower()[:DIGEST_LENGTH]


def canonical_json(value: JsonValue) -> str:
    """Return the canonical JSON text of a tree: RFC 8785, with integers in full.

    Args:
        value: A JSON tree.

    Raises:
        SourceError: A number is not finite, a string has a lone surrogate, a key is not a string
            or a value is not of a JSON type.
    """
    parts: list[str] = []
    _canonical(value, parts.append, 0)
    text = "".join(parts)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise SourceError(
            "a string holds a lone surrogate, which UTF-8 and so Kubernetes cannot store:"
            f" {text[max(0, error.start - 20) : error.end + 20]!r}"
        ) from error
    return text


def _canonical(value: JsonValue, put: Any, depth: int) -> None:
    if depth > 500:
        raise SourceError("the pipeline spec is nested more than 500 levels deep")
    if isinstance(value, str):
        put(_quote(value))
    elif value is None or isinstance(value, bool):
        put({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, int):
        put(str(value))
    elif isinstance(value, float):
        put(_number(value))
    elif isinstance(value, Mapping):
        keys = list(value)
        if not all(isinstance(key, str) for key in keys):
            bad = next(key for key in keys if not isinstance(key, str))
            raise SourceError(f"a mapping has the key {bad!r}, which is not a string; quote it")
        if all(map(str.isascii, keys)):
            keys.sort()
        else:
            # RFC 8785 sorts by UTF-16 code units, which differ from code points beyond U+FFFF alone.
            keys.sort(key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        put("{")
        for index, key in enumerate(keys):
            put(("," if index else "") + _quote(key) + ":")
            _canonical(value[key], put, depth + 1)
        put("}")
    elif isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        put("[")
        for index, item in enumerate(value):
            if index:
                put(",")
            _canonical(item, put, depth + 1)
        put("]")
    else:
        raise SourceError(
            f"{value!r} is a {type(value).__name__}, which JSON cannot express; quote it to make"
            " it a string"
        )


def _number(value: float) -> str:
    """Write a float as ECMAScript does, which RFC 8785 prescribes: both zeros are `0`."""
    if not math.isfinite(value):
        raise SourceError(f"{value!r} is not a number that JSON can express")
    return number_text(value) if value else "0"
