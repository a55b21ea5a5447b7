"""Runs the user's module or notebook, and finds the pipelines in it.

This is called in a process made for the one source (`_worker`), so what it changes in the
interpreter stays changed: user code may still need it while kfp compiles.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import linecache
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from kfp.dsl import base_component, graph_component, pipeline_context

from kfp_k8s_manifest.compiler._traces import Place, is_from_users_code, raised, short
from kfp_k8s_manifest.compiler.notebooks import code_cells
from kfp_k8s_manifest.errors import KfpK8sError, SourceError, UsageError

if TYPE_CHECKING:
    from kfp_k8s_manifest.compiler._request import Origin, Request

__all__ = ["Loaded", "load", "origin", "place"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a source has.

    Attributes:
        file: The file that was run.
        pipelines: The pipelines and components that were asked for.
        used: Where the pipelines are defined that others of the source use.
    """

    file: str
    pipelines: list[base_component.BaseComponent]
    used: list[Origin]


def load(request: Request) -> Loaded:
    """Run a source, and return the pipelines that are meant.

    Without a function's name, the top-level pipelines count: those that no other pipeline of the
    module uses, or the one component where there is no pipeline.

    Raises:
        SourceError: The source raises, or has no such pipeline.
        UsageError: It has several, and none is named.
    """
    used: dict[int, base_component.BaseComponent] = {}
    with _recorded_uses(used):
        module = _RUN[request.kind](request)
    # To look at a module's values runs code of theirs: a property, a `__getattr__`.
    with _told(request, own_code_only=True):
        if request.function is not None:
            pipelines = [_named(module, request.function, request)]
        else:
            pipelines = _top_level(module, request, used)
    places = [place for place in map(origin, used.values()) if place]
    file = getattr(module, "__file__", None) or request.path
    return Loaded(file=file, pipelines=pipelines, used=places)


def origin(pipeline: base_component.BaseComponent) -> Origin | None:
    """Return where a pipeline's function is defined; None for a component."""
    code = getattr(getattr(pipeline, "pipeline_func", None), "__code__", None)
    if code is None:
        return None
    return code.co_filename, getattr(code, "co_qualname", code.co_name)


@contextlib.contextmanager
def _recorded_uses(used: dict[int, base_component.BaseComponent]) -> Iterator[None]:
    """Note which pipelines are called while another one is being built."""
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


def place(request: Request) -> Place:
    """Return where the user's own code lies."""
    if request.kind == "module":
        package = sys.modules.get(request.path.partition(".")[0])
        own = getattr(package, "__file__", None) or ""
        if hasattr(package, "__path__"):
            own = os.path.dirname(own)  # noqa: PTH120
        return Place(source=request.source, file="", folder=own)
    file = Path(request.path).resolve()
    top, _ = _package_name(file)
    return Place(source=request.source, file=str(file), folder=str(top or file.parent))


@contextlib.contextmanager
def _told(request: Request, *, own_code_only: bool = False) -> Iterator[None]:
    """Turn whatever user code raises into an error that shows its own lines."""
    try:
        yield
    except KfpK8sError:
        raise
    except BaseException as error:
        if own_code_only and not is_from_users_code(error, place(request)):
            raise
        raise SourceError(raised(error, place(request))) from error


def _run_file(request: Request) -> ModuleType:
    """Run a file as a module: as `a.b` inside a package, else under its own name.

    Its folder comes first on the path in either case, as kfp's own command has it.
    """
    file = Path(request.path).resolve()
    top, name = _package_name(file)
    with _told(request):
        if top is not None:
            sys.path.insert(0, str(top))
            parent = name.rpartition(".")[0]
            if parent:
                importlib.import_module(parent)
            sys.path.insert(0, str(file.parent))
            # The package itself may have imported the module just now.
            if name in sys.modules:
                return sys.modules[name]
        else:
            sys.path.insert(0, str(file.parent))
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        with _registered(name, module):
            spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def _registered(name: str, module: ModuleType) -> Iterator[None]:
    """Let a module be found under its name while it runs, whatever else is called so.

    A pipeline in `json.py` must not stand in the way of kfp, which needs Python's own.
    """
    shadowed = sys.modules.get(name)
    sys.modules[name] = module
    try:
        yield
    finally:
        if shadowed is not None:
            sys.modules[name] = shadowed


def _package_name(file: Path) -> tuple[Path | None, str]:
    """Return the folder above a file's outermost package and the file's dotted name in it.

    None stands for a file in no package, and for one whose package has the name of another that is
    in use, such as a folder `kfp`.
    """
    parts = [] if file.stem == "__init__" else [file.stem]
    folder = file.parent
    # A name with a dot is none that an import could have.
    while (folder / "__init__.py").is_file() and folder.name and "." not in folder.name:
        parts.insert(0, folder.name)
        folder = folder.parent
    packaged = folder != file.parent
    if not packaged or "." in file.stem or parts[0] in sys.stdlib_module_names:
        return None, file.stem
    there = getattr(sys.modules.get(parts[0]), "__file__", None)
    mine = folder / parts[0] / "__init__.py"
    if parts[0] in sys.modules and not (there and Path(there).resolve() == mine):
        return None, file.stem
    return folder, ".".join(parts)


def _run_module(request: Request) -> ModuleType:
    """Import a module by its name, from the current folder or from what is installed."""
    sys.path.insert(0, os.getcwd())  # noqa: PTH109
    name = request.path
    with _told(request):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            parts = name.split(".")
            if error.name not in {".".join(parts[: n + 1]) for n in range(len(parts))}:
                raise
            raise SourceError(
                f"{request.source}: no module {error.name!r}, neither in the current folder nor"
                " among what is installed"
            ) from error


def _run_notebook(request: Request) -> ModuleType:
    """Run the code cells of a notebook, in its folder, as Jupyter does."""
    file = Path(request.path).resolve()
    cells = code_cells(file.read_bytes(), source=request.source)
    os.chdir(file.parent)
    sys.path.insert(0, str(file.parent))
    module = ModuleType(file.stem)
    module.__file__ = str(file)
    # Jupyter has it among the builtins.
    vars(module)["display"] = print
    with _told(request), _registered(file.stem, module):
        for cell in cells:
            name = f"{file}[cell {cell.number}]"
            # Where kfp, and tracebacks, look for the source of a function.
            lines = cell.code.splitlines(keepends=True)
            linecache.cache[name] = (len(cell.code), None, lines, name)
            # What this file takes from __future__ is not the notebook's.
            exec(compile(cell.code, name, "exec", dont_inherit=True), vars(module))
    return module


_RUN = {"file": _run_file, "module": _run_module, "notebook": _run_notebook}


def _named(module: ModuleType, function: str, request: Request) -> base_component.BaseComponent:
    found = getattr(module, function, None)
    if isinstance(found, base_component.BaseComponent):
        return found
    choices = ", ".join(sorted(_members(module))) or "none"
    if found is None:
        raise SourceError(
            f"{_name(request)}: no pipeline or component {function!r}; it has: {choices}"
        )
    raise SourceError(
        f"{_name(request)}: {function!r} is {short(found)}, not a pipeline or component; decorate"
        f" it with @dsl.pipeline; the module has: {choices}"
    )


def _name(request: Request) -> str:
    """Return what the source is called without the function's name."""
    return request.source.removesuffix(f":{request.function}")


def _members(module: ModuleType) -> dict[str, base_component.BaseComponent]:
    """Return the module's pipelines and components by name, each once."""
    members: dict[str, base_component.BaseComponent] = {}
    seen: set[int] = set()
    # A thread of the module may still add to it, and a proxy's `__class__` may be no use yet.
    for name, value in tuple(vars(module).items()):
        if issubclass(type(value), base_component.BaseComponent) and id(value) not in seen:
            seen.add(id(value))
            members[name] = value
    return members


def _is_defined_in(file: str, pipeline: base_component.BaseComponent) -> bool:
    """Tell whether a pipeline's function stands in a file, or in a cell of it."""
    where, _ = origin(pipeline) or ("", "")
    return where == file or where.startswith(f"{file}[cell ")


def _top_level(
    module: ModuleType, request: Request, used: Mapping[int, object]
) -> list[base_component.BaseComponent]:
    members = _members(module)
    pipelines = {
        name: item
        for name, item in members.items()
        if isinstance(item, graph_component.GraphComponent)
    }
    if request.own:
        # A notebook may have changed the working directory, from which its path was given.
        file = str(Path(module.__file__ or request.path).resolve())
        mine = {name: item for name, item in pipelines.items() if _is_defined_in(file, item)}
        return [item for item in mine.values() if id(item) not in used]
    top = {name: item for name, item in pipelines.items() if id(item) not in used}
    chosen = top or pipelines
    if not pipelines:
        chosen = {name: item for name, item in members.items() if id(item) not in used}
    if len(chosen) == 1 or (request.every and chosen):
        return list(chosen.values())
    if not chosen:
        raise SourceError(
            f"{request.source}: no pipeline or component; decorate a function with @dsl.pipeline"
        )
    what = "pipelines" if pipelines else "components"
    raise UsageError(
        f"{request.source}: {len(chosen)} {what} at top level: {', '.join(sorted(chosen))}; name"
        f" one as {request.source}:{next(iter(chosen))}, or compile all of them with --all"
    )
