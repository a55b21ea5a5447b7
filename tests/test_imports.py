"""What importing the package and starting the command line may import."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from tests.conftest import ROOT

# Top-level modules that must not be loaded before they are needed.
HEAVY = {
    "kfp",
    "google",
    "kubernetes",
    "yaml",
    "ruamel",
    "IPython",
    "pygments",
    "jsonschema",
    "asyncio",
}


def loaded(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sorted({{n.partition('.')[0] for n in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


def test_importing_the_package_imports_nothing_else() -> None:
    added = loaded("import kfp_k8s_manifest") - loaded("pass")
    assert added - sys.stdlib_module_names == {"kfp_k8s_manifest"}
    assert not added & HEAVY


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(argument: str) -> None:
    code = (
        "from kfp_k8s_manifest.cli import cli\n"
        f"try:\n    cli(['{argument}'])\nexcept SystemExit:\n    pass"
    )
    assert not loaded(code) & HEAVY


def test_compiling_a_package_of_ir_does_not_import_kfp() -> None:
    code = (
        "import io\nfrom click.testing import CliRunner\nfrom kfp_k8s_manifest.cli import cli\n"
        "text = 'pipelineInfo: {name: p}\\nroot: {dag: {}}\\nschemaVersion: 2.1.0\\n'\n"
        "result = CliRunner().invoke(cli, ['compile', '-'], input=text)\n"
        "assert result.exit_code == 0, result.output"
    )
    assert not loaded(code) & {"kfp", "google", "kubernetes", "ruamel"}


def test_every_public_name_exists() -> None:
    import kfp_k8s_manifest

    for name in kfp_k8s_manifest.__all__:
        assert getattr(kfp_k8s_manifest, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        kfp_k8s_manifest.nope  # noqa: B018


def test_no_module_imports_a_private_one_of_another_folder() -> None:
    package = ROOT / "kfp_k8s_manifest"
    found = []
    for path in sorted(package.rglob("*.py")):
        folder = ".".join(path.parent.relative_to(ROOT).parts)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            for name in names:
                owner, private, _ = name.partition("._")
                inside = f"{folder}.".startswith(f"{owner}.")
                if private and owner.startswith("kfp_k8s_manifest") and not inside:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {name}")
    assert found == []
