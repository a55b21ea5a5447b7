"""Fixtures of tests that a cluster with our CRDs and without webhooks is for, which they may stop."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apiserver.controlplane import ControlPlane

from ..stores import bare_plane, store_kubeconfig

NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def plane(
    cluster_binaries: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    """A cluster of the module's own: what one leaves stopped, others do not wait for."""
    with bare_plane(cluster_binaries, tmp_path_factory.mktemp("store-plane")) as running_plane:
        yield running_plane


@pytest.fixture(scope="module")
def kubeconfig(plane: ControlPlane) -> Path:
    """The server's own user there."""
    return store_kubeconfig(plane)


@pytest.fixture
def namespace(plane: ControlPlane) -> str:
    """A namespace of the test's own there."""
    return plane.create_namespace(f"faults-{next(NUMBERS)}")
