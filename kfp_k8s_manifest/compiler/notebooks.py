"""The code of a notebook: its code cells as Python, without what only IPython understands.

Each magic becomes `pass`, so that every line keeps its number and every block its body.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from dataclasses import dataclass
from typing import Any

from kfp_k8s_manifest.errors import SourceError

__all__ = ["Cell", "code_cells"]

# These cell magics run the rest of their cell as Python in the notebook itself.
_PYTHON_MAGICS = frozenset({"capture", "prun", "time"})
_MAGIC = re.compile(r"\s*(?:%|!|\?)")
_ASSIGNED = re.compile(r"\s*[\w.,\s\[\]'\"*()]+=\s*(?:!|%[A-Za-z])")
_HELP = re.compile(r"\s*[\w.*%]+\?{1,2}\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One code cell.

    Attributes:
        number: Its position among the notebook's cells, from 1.
        code: Its Python code.
    """

    number: int
    code: str


def code_cells(text: str | bytes, *, source: str) -> list[Cell]:
    """Return the code cells of a notebook, magics left out.

    Args:
        text: The file's content.
        source: The file's name, for messages.

    Raises:
        SourceError: It is no notebook, or not one of Python.
    """
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{source}: not a notebook: not valid JSON: {error}") from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise SourceError(
            f"{source}: not a notebook of format 4: it has no list of 'cells'; save it anew in"
            " Jupyter"
        )
    language = _language(notebook)
    if language not in ("", "python"):
        raise SourceError(f"{source}: a notebook in {language}; pipelines are written in Python")
    found = []
    for number, cell in enumerate(cells, 1):
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            lines = cell.get("source", "")
            code = "".join(map(str, lines)) if isinstance(lines, list) else str(lines)
            found.append(Cell(number=number, code=without_magics(code)))
    return found


def _language(notebook: dict[str, Any]) -> str:
    metadata = notebook.get("metadata")
    spec = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    language = spec.get("language") if isinstance(spec, dict) else None
    return language.lower() if isinstance(language, str) else ""


def without_magics(code: str) -> str:
    """Return a cell's code with `pass` in the place of each magic, line by line.

    Args:
        code: The cell as IPython takes it.
    """
    first = next((line for line in code.split("\n") if line.strip()), "")
    if first.startswith("%%"):
        name = re.match(r"%%(\w*)", first)
        if name is None or name[1] not in _PYTHON_MAGICS:
            return ""
        code = code.replace(first, "pass", 1)
    try:
        ast.parse(code)
    except (SyntaxError, ValueError):
        return _replaced(code)
    # What is Python already has no magic: a line that begins with % continues the one before.
    return code


def _replaced(code: str) -> str:
    lines = code.split("\n")
    number = 0
    while number < len(lines):
        line = lines[number]
        looks = _MAGIC.match(line) or _ASSIGNED.match(line) or _HELP.fullmatch(line)
        if not looks or not _is_complete(lines[:number]):
            number += 1
            continue
        indent = line[: len(line) - len(line.lstrip())]
        while lines[number].endswith("\\") and number + 1 < len(lines):
            lines[number] = ""
            number += 1
        lines[number] = f"{indent}pass"
        number += 1
    return "\n".join(lines)


def _is_complete(lines: list[str]) -> bool:
    """Tell whether a new statement may begin after these lines of Python."""
    if lines and lines[-1].endswith("\\"):
        return False
    text = "\n".join(lines) + "\n"
    try:
        for _ in tokenize.generate_tokens(io.StringIO(text).readline):
            pass
    except tokenize.TokenError:
        return False
    except SyntaxError:
        # The indentation is off, which Python itself will tell better.
        return True
    return True
