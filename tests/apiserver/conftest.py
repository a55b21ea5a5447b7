"""Fixtures for the tests on a real control plane.

Outside continuous integration a test that needs the programs is skipped when they are missing,
and the reason says how to get them. With the environment variable ``CI`` set it fails: there a
skipped cluster test would be a hole that nobody sees.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from .controlplane import ControlPlane
from .kubectl import Kubectl, go_reads

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT.parent / "shared" / "reference"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Marked by what they use, so that no test can forget the marker. This runs before the
    # selection by "-m".
    for item in items:
        if "cluster_binaries" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.cluster)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    plane = getattr(item, "funcargs", {}).get("control_plane")
    if report.failed and isinstance(plane, ControlPlane):
        report.sections.append((f"control plane, logs in {plane.folder}", plane.logs(lines=25)))
    return report


def unavailable(reason: str) -> NoReturn:
    """Skip the test, or fail it in continuous integration."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def reference(name: str) -> Path:
    """Return a file of the reference data."""
    path = REFERENCE / name
    if not path.exists():
        unavailable(f"the reference data is not there: {path}")
    return path


@pytest.fixture(scope="session")
def cluster_binaries() -> Path:
    """The folder with etcd, kube-apiserver and kubectl."""
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "cluster_binaries.py", "--no-build"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        unavailable(done.stderr.strip())
    return Path(done.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def offline_kubectl(cluster_binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """kubectl without a server, for what it does on its own."""
    return Kubectl(
        program=cluster_binaries / "kubectl", home=tmp_path_factory.mktemp("kubectl-home")
    )


@pytest.fixture(scope="session")
def go_reader(offline_kubectl: Kubectl) -> Callable[[Iterable[str]], list[Any]]:
    """A function that reads YAML documents as Kubernetes does; see `go_reads`."""
    return partial(go_reads, offline_kubectl)


@pytest.fixture(scope="session")
def control_plane(
    cluster_binaries: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    """A running control plane, shared by the whole test run: use namespaces of your own."""
    with ControlPlane(cluster_binaries, tmp_path_factory.mktemp("control-plane")) as plane:
        yield plane


@pytest.fixture(scope="session")
def controllers(control_plane: ControlPlane) -> ControlPlane:
    """The control plane with the garbage collector and the namespace controller."""
    if not control_plane.has_controllers:
        unavailable(
            "the folder in KUBEBUILDER_ASSETS has no kube-controllers; unset it and run "
            "'python tools/cluster_binaries.py'"
        )
    control_plane.start_controllers()
    return control_plane
