"""What user code raised, with its own lines: those of what is installed are left out."""

from __future__ import annotations

import ast
import linecache
import os
import re
import site
import sysconfig
import traceback
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType

from kfp_k8s_manifest.findings import shortened

__all__ = ["Place", "crash_text", "is_from_users_code", "raised", "short", "stack_text", "words"]

_FUTURE_ANNOTATIONS = 0x1000000
"""The flag of code below `from __future__ import annotations` (CPython's CO_FUTURE_ANNOTATIONS)."""

_LOST_ITEM = re.compile(r"component_input_parameter: \S*loop-item-param-[0-9]+ not found")

_LONGEST = 10_000
"""The characters that a message has room for of what an exception of user code says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the user's own code lies.

    Attributes:
        source: What messages call the source.
        file: The file that is run, or "".
        folder: The folder of its neighbours, or "".
    """

    source: str
    file: str
    folder: str


def raised(error: BaseException, place: Place) -> str:
    """Tell what a user's module raised, with the lines that are the user's, and a remedy if known.

    Args:
        error: The exception.
        place: Where the user's code lies.
    """
    if isinstance(error, SyntaxError) and (error.filename or "").startswith(place.file or "\0"):
        detail = "".join(traceback.format_exception_only(error)).rstrip()
        return f"{place.source}: the module is not valid Python\n{detail}"
    frames = traceback.extract_tb(error.__traceback__)
    kept = [frame for frame in frames if _is_users(frame.filename, place)]
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(kept)] if kept else []
    said = "".join(traceback.format_exception_only(error)).rstrip()
    text = (
        f"{place.source}: the module raised {type(error).__name__}\n"
        f"{''.join(lines)}{shortened(said, _LONGEST)}"
    )
    advice = _missing_extra(error) or _future_annotations(error) or _lost_item(error)
    return f"{text}\n{advice}" if advice else text


def is_from_users_code(error: BaseException, place: Place) -> bool:
    """Tell whether an exception was raised in the user's own code."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and _is_users(frames[-1].filename, place)


def words(error: BaseException) -> str:
    """Return what an exception says; its class may be the user's, and then raise instead."""
    try:
        return shortened(str(error), _LONGEST)
    except Exception:  # noqa: BLE001 (whatever user code raises)
        return f"({type(error).__name__} cannot be shown as text)"


def stack_text(frame: FrameType | None, place: Place) -> str:
    """Say at which lines of the user's a process is, the innermost last; "" for none."""
    stack = traceback.extract_stack(frame) if frame is not None else []
    return _at("".join(traceback.format_list([x for x in stack if _is_users(x.filename, place)])))


def crash_text(dump: str, place: Place) -> str:
    """Say at which lines of the user's Python has crashed; "" for none.

    Args:
        dump: What `faulthandler` wrote, the innermost frame first.
        place: Where the user's code lies.
    """
    frames = re.findall(r'  File "(.+)", line (\d+) in (.+)', dump)
    stack = [
        traceback.FrameSummary(name, int(line), function)
        for name, line, function in reversed(frames)
        if _is_users(name, place)
    ]
    return _at("".join(traceback.format_list(stack)))


def _at(lines: str) -> str:
    return f"; it was at\n{lines.rstrip()}" if lines else ""


def short(value: object) -> str:
    """Return a value's `repr`, cut to what a message has room for."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 (whatever user code raises)
        text = object.__repr__(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_users(filename: str, place: Place) -> bool:
    if filename.startswith("<") or filename == os.devnull:
        return False
    if not any(_is_below(filename, root) for root in _installed()):
        return True
    # A source may be installed itself; then its own package is what the user looks for.
    own = place.folder or place.file
    return any(_is_below(own, root) for root in _installed()) and _is_below(filename, own)


def _is_below(filename: str, root: str) -> bool:
    return filename == root or filename.startswith(root.rstrip(os.sep) + os.sep)


@cache
def _installed() -> tuple[str, ...]:
    """Return the folders of what is installed: the standard library, packages, kfp and this one."""
    import kfp

    names = ("stdlib", "platstdlib", "purelib", "platlib", "scripts")
    found = {sysconfig.get_path(name) for name in names}
    found.update(site.getsitepackages() if hasattr(site, "getsitepackages") else ())
    found.add(site.getusersitepackages())
    # Either may be installed from a checkout, which lies anywhere.
    found.update((*kfp.__path__, str(Path(__file__).parents[1])))
    return tuple(sorted({os.path.realpath(path) for path in found} | found))


def _missing_extra(error: BaseException) -> str:
    """Name the extra for `from kfp import kubernetes` where it is not installed."""
    if not isinstance(error, ImportError):
        return ""
    missing = error.name == "kfp" and "'kubernetes'" in words(error)
    if missing or error.name == "kfp.kubernetes":
        return "kfp.kubernetes is an extra: pip install 'kfp-k8s-manifest[kubernetes]'"
    return ""


def _lost_item(error: BaseException) -> str:
    """Say what kfp stumbles over where a condition takes a part of a loop's item."""
    if not isinstance(error, AssertionError) or not _LOST_ITEM.match(words(error)):
        return ""
    return (
        "The cause is in kfp: it loses `item.part` of dsl.ParallelFor where a condition or another"
        " group inside of the loop takes it. Pass the whole item to a component that returns the part,"
        " and use what that returns."
    )


def _future_annotations(error: BaseException) -> str:
    """Name the line that has turned annotations into text, which kfp takes for artifact types."""
    if "schema_title" not in words(error):
        return ""
    step = error.__traceback__
    file = ""
    while step is not None:
        if step.tb_frame.f_code.co_flags & _FUTURE_ANNOTATIONS:
            name = step.tb_frame.f_code.co_filename
            if not any(_is_below(name, root) for root in _installed()):
                file = name
        step = step.tb_next
    if not file:
        return ""
    with_line = file
    for node in ast.parse("".join(linecache.getlines(file))).body:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            with_line = f"{file}, line {node.lineno}"
    return (
        f"The cause is `from __future__ import annotations` ({with_line}): it turns annotations"
        " into text, and kfp reads types only. Remove that line."
    )
