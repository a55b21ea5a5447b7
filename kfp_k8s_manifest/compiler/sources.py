"""What a user names on the command line, as IR: modules with pipelines, and packages of IR.

A module is the user's code and is run. A package of IR is read as kfp reads it (PyYAML's safe
loader), because kfp wrote it: the string `"08"`, which kfp leaves unquoted, has to stay one.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import yaml

from kfp_k8s_manifest.errors import SourceError, UsageError
from kfp_k8s_manifest.model.ir import PipelineIR
from kfp_k8s_manifest.model.kinds import KINDS

if TYPE_CHECKING:
    from kfp.dsl import base_component

__all__ = ["load_module_pipelines", "read_package", "split_source"]


def split_source(source: str) -> tuple[str, str | None]:
    """Split `file.py:function` into file and function; a source without one stays whole.

    Args:
        source: As given on the command line. A colon that belongs to the path stays with it.
    """
    path, colon, function = source.rpartition(":")
    if colon and path.endswith(".py") and function.isidentifier():
        return path, function
    return source, None


def read_package(text: str | bytes, *, source: str) -> PipelineIR:
    """Read a package of IR: a pipeline spec and, perhaps, a platform spec.

    Args:
        text: YAML or JSON, one document or two.
        source: The file's name, for messages.

    Raises:
        SourceError: It is not such a package; the message says what it is instead.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        documents = [item for item in yaml.load_all(text, Loader=loader) if item is not None]
    except yaml.YAMLError as error:
        raise SourceError(f"{source}: not valid YAML: {_one_line(error)}") from error
    except (UnicodeDecodeError, ValueError) as error:
        raise SourceError(f"{source}: not text in UTF-8: {error}") from error
    except RecursionError as error:
        raise SourceError(f"{source}: nested too deeply to be a pipeline") from error
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


def _require_ir(spec: Any, source: str) -> None:
    if not isinstance(spec, dict):
        raise SourceError(f"{source}: not a pipeline: the document is {_short(spec)}")
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
        raise SourceError(f"{source}: {what}: it has neither 'pipelineInfo' nor 'root'")
    if version != "2.1.0":
        raise SourceError(
            f"{source}: schemaVersion is {version!r}; KFP takes '2.1.0' only; compile the pipeline"
            " with kfp 2.14 or newer"
        )


def load_module_pipelines(
    path: str, function: str | None = None, *, every: bool = False
) -> list[base_component.BaseComponent]:
    """Run a module and return its pipelines.

    Without a function's name, the top-level pipelines count: those that no other pipeline of the
    module uses, or the one component where there is no pipeline.

    Args:
        path: The module's file.
        function: The name of one pipeline or component in it.
        every: Return all top-level pipelines instead of insisting on one.

    Raises:
        SourceError: The module raises, or has no such pipeline, or more than one.
    """
    if not Path(path).is_file():
        raise SourceError(f"{path}: not a file" if Path(path).exists() else f"{path}: no such file")
    used: dict[int, object] = {}
    with _recorded_uses(used):
        module = _run_module(path)
    if function is not None:
        return [_named(module, function, path)]
    return _top_level(module, path, used, every=every)


@contextlib.contextmanager
def _recorded_uses(used: dict[int, object]) -> Iterator[None]:
    """Note which pipelines are called while another one is being built."""
    from kfp.dsl import base_component, pipeline_context

    original = base_component.BaseComponent.__call__

    def noting_call(self: Any, *args: Any, **kwargs: Any) -> Any:
        if pipeline_context.Pipeline.get_default_pipeline() is not None:
            # The object itself is kept, so that no other one gets its id.
            used[id(self)] = self
        return original(self, *args, **kwargs)

    base_component.BaseComponent.__call__ = noting_call
    try:
        yield
    finally:
        base_component.BaseComponent.__call__ = original


def _run_module(path: str) -> ModuleType:
    """Import a file under its own name, with its folder first on the path."""
    file = Path(path).resolve()
    folder, name = str(file.parent), file.stem
    before = set(sys.modules)
    shadowed = sys.modules.get(name)
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise SourceError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, folder)
    sys.modules[name] = module
    # Compiling a pipeline leaves nothing in the user's folder but what was asked for.
    writes_bytecode, sys.dont_write_bytecode = not sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise SourceError(_user_traceback(error, path, file)) from error
    finally:
        sys.dont_write_bytecode = not writes_bytecode
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)
        # A neighbour called `common` in another folder must not meet this folder's `common`.
        for added in set(sys.modules) - before:
            origin = getattr(sys.modules[added], "__file__", None)
            if origin and str(Path(origin).resolve()).startswith(folder + os.sep):
                del sys.modules[added]
        if shadowed is not None:
            sys.modules[name] = shadowed
        else:
            sys.modules.pop(name, None)
    return module


def _user_traceback(error: BaseException, path: str, file: Path) -> str:
    """Tell what a user's module raised, with the frames from that module on."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        detail = "".join(traceback.format_exception_only(error)).rstrip()
        return f"{path}: the module is not valid Python\n{detail}"
    frames = traceback.extract_tb(error.__traceback__)
    first = next((i for i, frame in enumerate(frames) if frame.filename == str(file)), 0)
    hidden = (os.sep + "kfp" + os.sep, os.sep + "kfp_k8s_manifest" + os.sep, "<frozen importlib")
    kept = [frame for frame in frames[first:] if not any(part in frame.filename for part in hidden)]
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(kept)]
    lines += traceback.format_exception_only(error)
    return f"{path}: the module raised {type(error).__name__}\n{''.join(lines).rstrip()}"


def _named(module: ModuleType, function: str, path: str) -> base_component.BaseComponent:
    from kfp.dsl import base_component

    found = getattr(module, function, None)
    if isinstance(found, base_component.BaseComponent):
        return found
    choices = ", ".join(sorted(_members(module))) or "none"
    if found is None:
        raise SourceError(f"{path}: no pipeline or component {function!r}; it has: {choices}")
    raise SourceError(
        f"{path}: {function!r} is {_short(found)}, not a pipeline or component; decorate it with"
        f" @dsl.pipeline; the module has: {choices}"
    )


def _members(module: ModuleType) -> dict[str, base_component.BaseComponent]:
    """Return the module's pipelines and components by name, each once."""
    from kfp.dsl import base_component

    members: dict[str, base_component.BaseComponent] = {}
    seen: set[int] = set()
    for name, value in vars(module).items():
        if isinstance(value, base_component.BaseComponent) and id(value) not in seen:
            seen.add(id(value))
            members[name] = value
    return members


def _top_level(
    module: ModuleType, path: str, used: Mapping[int, object], *, every: bool
) -> list[base_component.BaseComponent]:
    from kfp.dsl import graph_component

    members = _members(module)
    pipelines = {
        name: item
        for name, item in members.items()
        if isinstance(item, graph_component.GraphComponent)
    }
    top = {name: item for name, item in pipelines.items() if id(item) not in used}
    chosen = top or pipelines
    if not pipelines:
        chosen = {name: item for name, item in members.items() if id(item) not in used}
    if len(chosen) == 1 or (every and chosen):
        return list(chosen.values())
    if not chosen:
        raise SourceError(
            f"{path}: no pipeline or component; decorate a function with @dsl.pipeline"
        )
    what = "pipelines" if pipelines else "components"
    raise UsageError(
        f"{path}: {len(chosen)} {what} at top level: {_listing(chosen)}; name one as"
        f" {path}:{next(iter(chosen))}, or compile all of them with --all"
    )


def _listing(names: Sequence[str] | Mapping[str, Any]) -> str:
    return ", ".join(sorted(names))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
