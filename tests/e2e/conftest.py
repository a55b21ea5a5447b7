"""Fixtures of the end-to-end tests: clusters with our CRDs and our webhooks, by target."""

from __future__ import annotations

import gc
import warnings
from typing import TYPE_CHECKING, Any

import pytest

# Fixtures of the control plane are these tests' as well, and the hook that marks what uses them.
from tests.apiserver.conftest import (
    cluster_binaries,
    go_reader,
    offline_kubectl,
    pytest_collection_modifyitems,
    unavailable,
)

from .installations import Installation, Installations
from .kubeflow import Kubeflow

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

__all__ = [
    "cluster_binaries",
    "go_reader",
    "offline_kubectl",
    "pytest_collection_modifyitems",
]

DEFAULT_TARGET = "2.17"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, None, None]:
    """Collect what connections leave that were given up while they were made.

    asyncio leaves them to the garbage collector, which warns: then whatever test runs at that moment would
    fail. That clients close what they have opened is held by the tests of clients.
    """
    yield
    if "bare" in item.path.parts or nextitem is None or nextitem.path != item.path:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    for value in getattr(item, "funcargs", {}).values():
        if report.failed and isinstance(value, Installation):
            logs = value.plane.logs(lines=10)
            report.sections.append((f"control plane, logs in {value.plane.folder}", logs))
            report.sections.append(("webhook", value.webhook.server.log_tail(10)))
    return report


@pytest.fixture(scope="session")
def installations(
    cluster_binaries: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installations]:
    """Starts the installation of a target when it is called with the target's name."""
    pytest.importorskip("aiohttp", reason="needs the extra 'webhook'")
    running = Installations(cluster_binaries, tmp_path_factory.mktemp("installations"))
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def installation(request: pytest.FixtureRequest, installations: Installations) -> Installation:
    """The installation of one target: 2.17, or that of an indirect parameter.

    It is shared by the whole test run: use namespaces of your own.
    """
    target: Any = getattr(request, "param", DEFAULT_TARGET)
    return installations(target)


@pytest.fixture(scope="session")
def collected(installations: Installations) -> Installation:
    """The installation of 2.17, with the garbage collector."""
    found = installations(DEFAULT_TARGET)
    if not found.plane.has_controllers:
        unavailable(
            "the folder in KUBEBUILDER_ASSETS has no kube-controllers; unset it and run "
            "'python tools/cluster_binaries.py'"
        )
    found.plane.start_controllers()
    return found


@pytest.fixture(scope="session")
def kubeflow(
    cluster_binaries: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kubeflow]:
    """A cluster of its own with two servers of the REST API, shared by the whole test run."""
    pytest.importorskip("aiohttp", reason="needs the extra 'apiserver'")
    if not (cluster_binaries / "kube-controllers").is_file():
        unavailable(
            "the folder in KUBEBUILDER_ASSETS has no kube-controllers; unset it and run "
            "'python tools/cluster_binaries.py'"
        )
    with Kubeflow(cluster_binaries, tmp_path_factory.mktemp("kubeflow")) as running:
        yield running
