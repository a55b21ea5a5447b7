"""kfp's clients over the store `kubernetes` get what they get over a database: see `client_table`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kfp_k8s_manifest.cluster import load_config
from kfp_k8s_manifest.cluster.async_client import AsyncClient
from kfp_k8s_manifest.rest.stores.database import DatabaseStore
from kfp_k8s_manifest.rest.stores.kubernetes import KubernetesStore
from tests.rest import client_table
from tests.rest.client_table import CHANGING, READING
from tests.rest.serving import serving

if TYPE_CHECKING:
    from pathlib import Path

    from .installations import Installation

pytestmark = pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")


def test_the_same_answers(installation: Installation, tmp_path: Path) -> None:
    namespace = installation.namespace("clients")
    client = AsyncClient(load_config(str(installation.plane.kubeconfig)))
    stores: list[Any] = [
        KubernetesStore(client, namespace=namespace),
        DatabaseStore(f"sqlite:///{tmp_path / 'pipelines.db'}"),
    ]
    answers = []
    for store in stores:
        with serving(store) as server:
            found = client_table.player(f"http://127.0.0.1:{server.port}", tmp_path)
            made = client_table.make(found)
            read = client_table.play(found, READING)
            answers.append({**made, **read, **client_table.play(found, CHANGING)})
    assert answers[0] == answers[1]
