"""What all tests share: where the reference data lies, and how the command line is run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

try:
    from hypothesis import settings
except ImportError:  # The tests of the built documentation do without.
    pass
else:
    # How long an example takes says more of the machine than of the code.
    usual = settings.get_profile(settings.get_current_profile_name())
    settings.register_profile("any-machine", usual, deadline=None)
    settings.load_profile("any-machine")

ROOT = Path(__file__).parents[1]

# A shell lets what it starts in the background ignore Ctrl-C, and so would every process that a test
# starts, those among them whose answer to Ctrl-C is tested.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
SHARED = ROOT.parent / "shared"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the project."""
    if not SHARED.is_dir():
        message = f"the reference data is not there: {SHARED}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return SHARED


@pytest.fixture
def kfp_k8s(tmp_path: Path) -> Run:
    """Run the real entry point in a new process, in a folder of its own."""

    def run(
        *args: str, cwd: Path = tmp_path, **options: object
    ) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **dict(options.pop("env", {}))}  # type: ignore[call-overload]
        return subprocess.run(
            [sys.executable, "-P", "-m", "kfp_k8s_manifest", *args]
            if sys.version_info >= (3, 11)
            else [sys.executable, "-m", "kfp_k8s_manifest", *args],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
            **options,  # type: ignore[call-overload]
        )

    return run
