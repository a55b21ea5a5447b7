"""What a user names on the command line: modules, notebooks, folders of modules, packages of IR.

The first three are the user's code; this module only finds them, `isolation` runs them. A package
of IR is read as kfp reads it (PyYAML's safe loader), because kfp wrote it: the string `"08"`, which
kfp leaves unquoted, has to stay one.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.model.ir import PipelineIR
from kfp_k8s_manifest.model.kinds import KINDS
from kfp_k8s_manifest.reading import input_name, read_found, read_input
from kfp_k8s_manifest.yaml import DEFAULT_LIMITS

__all__ = ["ACCEPTED", "Source", "find_sources", "read_package", "read_source"]

ACCEPTED: Final = (
    "a SOURCE is a module (pipeline.py, pipeline.py:train or package.module:train), a notebook"
    " (train.ipynb), a folder of modules, a package of IR in YAML or JSON, or - for a package on"
    " standard input"
)
"""What a SOURCE may be, as messages say it."""

Kind = Literal["file", "module", "notebook", "package"]

_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
# What kfp writes above a package; a default value with a line feed spills out of it.
_HEADERS = (b"# PIPELINE DEFINITION", b"# COMPONENT DEFINITION")
_HEAD: Final = 2**18
"""Bytes of a package in which what stands above its first key is looked at."""
_FIRST_KEY = re.compile(
    rb"(?:components|defaultPipelineRoot|deploymentSpec|pipelineInfo|root|schemaVersion|sdkVersion):"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One source that was found.

    Attributes:
        name: What messages call it.
        kind: How it is compiled.
        path: The file, the dotted name of a module, or `-`.
        function: The name of one pipeline or component in it, or None.
        folder: The folder that was named, where the module was found in one.
    """

    name: str
    kind: Kind
    path: str
    function: str | None = None
    folder: str = ""


def find_sources(given: str) -> list[Source]:
    """Return what a SOURCE stands for: itself, or the modules of a folder.

    Args:
        given: As on the command line. A colon that belongs to a path stays with it.

    Raises:
        SourceError: There is no such thing, or it is nothing that can be compiled.
    """
    if given == "-":
        return [Source(name="-", kind="package", path="-")]
    if os.path.isdir(given):  # noqa: PTH112
        return _modules_in(given)
    if os.path.lexists(given):
        return [Source(name=given, kind=_kind(given), path=given)]
    path, colon, function = given.rpartition(":")
    if colon and function.isidentifier():
        if path.endswith((".py", ".ipynb")):
            if not os.path.lexists(path):
                raise SourceError(f"{path}: no such file")
            return [Source(name=given, kind=_kind(path), path=path, function=function)]
        if _DOTTED.fullmatch(path):
            return [Source(name=given, kind="module", path=path, function=function)]
    if given.endswith((".py", ".ipynb", ".yaml", ".yml", ".json")) and "://" not in given:
        raise SourceError(f"{given}: no such file")
    raise SourceError(f"{given}: no such file; {ACCEPTED}")


def _kind(path: str) -> Kind:
    if path.endswith(".py"):
        return "file"
    return "notebook" if path.endswith(".ipynb") else "package"


def _modules_in(folder: str) -> list[Source]:
    """Return the modules of a folder that may define a pipeline; the others are not run."""
    paths = sorted(
        path
        for path in Path(folder).iterdir()
        if path.suffix == ".py" and not path.name.startswith(".") and path.is_file()
    )
    if not paths:
        raise SourceError(f"{folder}: a folder without modules (*.py) of its own; {ACCEPTED}")
    try:
        limit = DEFAULT_LIMITS.size
        chosen = [path for path in paths if b"pipeline" in read_found(path, limit=limit)]
    except OSError as error:
        raise SourceError(f"{error.filename}: cannot be read: {error.strerror}") from error
    if not chosen:
        raise SourceError(f"{folder}: none of its {len(paths)} modules (*.py) has a pipeline")
    return [Source(name=str(path), kind="file", path=str(path), folder=folder) for path in chosen]


def read_source(source: Source) -> PipelineIR:
    """Read a package of IR from its file, or from standard input.

    Raises:
        SourceError: It cannot be read, or is no such package.
    """
    data = read_input(source.path, limit=DEFAULT_LIMITS.size)
    return read_package(data, source=input_name(source.path))


def read_package(text: str | bytes, *, source: str) -> PipelineIR:
    """Read a package of IR: a pipeline spec and, perhaps, a platform spec.

    Args:
        text: YAML or JSON, one document or two.
        source: The file's name, for messages.

    Raises:
        SourceError: It is not such a package; the message says what it is instead.
    """
    import yaml

    from kfp_k8s_manifest.compiler._documents import load_documents

    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    _require_text(data, source)
    try:
        documents = load_documents(text, source=source)
    except yaml.YAMLError as error:
        raise SourceError(f"{source}: not valid YAML: {_one_line(error)}; {ACCEPTED}") from error
    except UnicodeError as error:
        raise SourceError(f"{source}: not text in UTF-8: {error}; {ACCEPTED}") from error
    except ValueError as error:
        raise SourceError(
            f"{source}: a date or number that is none: {error}; quote it to make it a string"
        ) from error
    if not documents:
        raise SourceError(f"{source}: the file is empty; compile the pipeline again")
    spec = documents[0]
    _require_ir(spec, source)
    if len(documents) > 2:
        raise SourceError(
            f"{source}: {len(documents)} YAML documents; a package has a pipeline spec and at most"
            " one platform spec"
        )
    platform = documents[1] if len(documents) == 2 else None
    if platform is not None and not (isinstance(platform, dict) and "platforms" in platform):
        raise SourceError(
            f"{source}: the second document is no platform spec: it has no 'platforms'"
        )
    return PipelineIR(pipeline_spec=spec, platform_spec=platform)


def _require_text(data: bytes, source: str) -> None:
    """Refuse what is no package by its first bytes, and what kfp's writer has broken."""
    if data.startswith((b"PK\x03\x04", b"\x1f\x8b")):
        raise SourceError(f"{source}: a compressed package; unpack it, and compile what is in it")
    if re.match(rb"#!.*python|(?:.*\n)*?(?:import|from) kfp\b", data[:4096]):
        raise SourceError(f"{source}: Python code; give the file a name that ends in .py")
    if not data.startswith(_HEADERS):
        return
    for number, line in enumerate(data[:_HEAD].splitlines(), 1):
        if _FIRST_KEY.match(line):
            return
        if line and not line.startswith(b"#"):
            raise SourceError(
                f"{source}:{number}: this line has spilled out of the comment above it: kfp writes"
                " default values into the comment without marking the lines after their line"
                " feeds, which breaks the package; compile the module instead of its package"
            )


def _require_ir(spec: Any, source: str) -> None:
    if not isinstance(spec, dict):
        raise SourceError(f"{source}: not a pipeline: the document is {_short(spec)}; {ACCEPTED}")
    version = spec.get("schemaVersion", spec.get("schema_version"))
    kind = spec.get("kind")
    if kind in KINDS:
        raise SourceError(
            f"{source}: this is a {kind} manifest already; `kfp-k8s validate` checks it and"
            " `kfp-k8s extract` takes the IR out of it"
        )
    if kind in ("Workflow", "PipelineRun", "WorkflowTemplate"):
        raise SourceError(
            f"{source}: this is a {kind} of KFP v1 ({spec.get('apiVersion')}), which"
            " Kubernetes-native pipelines do not support; compile the pipeline with kfp 2"
        )
    if "pipelineSpec" in spec and "root" not in spec:
        raise SourceError(
            f"{source}: this is a job of KFP v2's first format (pipelineSpec inside runtimeConfig);"
            " compile the pipeline with kfp 2.14 or newer"
        )
    if "root" not in spec and "pipelineInfo" not in spec:
        known = "apiVersion" in spec or "implementation" in spec
        what = "a component or another object" if known else "no pipeline spec"
        raise SourceError(f"{source}: {what}: it has neither 'pipelineInfo' nor 'root'; {ACCEPTED}")
    if version != "2.1.0":
        raise SourceError(
            f"{source}: schemaVersion is {version!r}; KFP takes '2.1.0' only; compile the pipeline"
            " with kfp 2.14 or newer"
        )


def _one_line(error: Exception) -> str:
    # PyYAML names the bytes that it reads in place of a file.
    return " ".join(re.sub(r'\s+in "<byte string>"', "", str(error)).split())


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
