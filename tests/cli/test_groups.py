"""What the command line says to a command or an option that does not exist."""

from __future__ import annotations

import pytest

from tests.conftest import Run


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("valdate", "No such command 'valdate'. Did you mean 'validate'?"),
        ("Compile a.py", "No such command 'Compile'. Did you mean 'compile'?"),
        ("webhook srve", "No such command 'srve'. Did you mean 'serve'?"),
        ("name sugest x", "No such command 'sugest'. Did you mean 'suggest'?"),
        ("zzz", "No such command 'zzz'."),
    ],
)
def test_a_misspelt_command(kfp_k8s: Run, words: str, told: str) -> None:
    done = kfp_k8s(*words.split())
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"Error: {told}"
    assert done.stdout == ""


def test_a_misspelt_option(kfp_k8s: Run) -> None:
    done = kfp_k8s("validate", "--stric", "x.yaml")
    assert done.returncode == 2
    assert "No such option" in done.stderr.splitlines()[-1]
    assert "--strict" in done.stderr.splitlines()[-1]
