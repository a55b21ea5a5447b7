"""A module whose name begins with an underscore belongs to its folder."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import kfp_k8s_manifest

PACKAGE = Path(kfp_k8s_manifest.__file__).parent


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted names that a module imports from this package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{each.name}" for each in node.names)


def foreign(path: Path, source: str) -> list[str]:
    """Return the private modules of other folders that a module imports.

    Args:
        path: The module's path in the package.
        source: Its code.
    """
    own = [PACKAGE.name, *path.parts[:-1]]
    found = []
    for name in imported(ast.parse(source)):
        parts = name.split(".")
        private = [index for index, part in enumerate(parts) if part.startswith("_")]
        if parts[0] == own[0] and private and parts[: private[0]] != own[: private[0]]:
            found.append(name)
    return found


def test_what_belongs_to_another_folder_is_recognized() -> None:
    inside = "from kfp_k8s_manifest.checks.lint._model import Model"
    assert foreign(Path("checks/lint/_tasks.py"), inside) == []
    assert foreign(Path("checks/order.py"), inside) == [inside.split()[1] + ".Model"]
    assert foreign(Path("yaml/reader.py"), inside) == [inside.split()[1] + ".Model"]
    assert foreign(Path("cli/rules.py"), "from kfp_k8s_manifest._version import x") == []
    assert foreign(Path("x.py"), "from kfp_k8s_manifest.yaml import _present") == [
        "kfp_k8s_manifest.yaml._present"
    ]


def test_no_folder_imports_a_private_module_of_another() -> None:
    found = {
        str(path.relative_to(PACKAGE)): names
        for path in sorted(PACKAGE.rglob("*.py"))
        if (names := foreign(path.relative_to(PACKAGE), path.read_text(encoding="utf-8")))
    }
    assert found == {}
