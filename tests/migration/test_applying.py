"""Applying where there is no cluster; with one, it is tested in tests/e2e."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kfp_k8s_manifest.cli import cli
from tests.runner import CliRunner

from .databases import Pipeline, make_database, versions
from .test_export import run_export

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    # Nobody listens on the port of the discard protocol.
    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:9"}}],
    "users": [{"name": "u", "user": {"token": "secret-token"}}],
    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    "current-context": "x",
}


def test_a_cluster_that_does_not_answer_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions whose Pipeline could not be applied are no answer of the cluster."""
    monkeypatch.setattr("kfp_k8s_manifest.migration.applying._PAUSE", 0.0)
    pipelines = [Pipeline(name=f"p{number}", versions=versions(3)) for number in range(20)]
    run_export(make_database(tmp_path / "kfp.db", pipelines), tmp_path / "out")
    (tmp_path / "config").write_text(json.dumps(KUBECONFIG))
    options = ["--kubeconfig", str(tmp_path / "config"), "--concurrency", "1", "--format", "json"]
    done = CliRunner().invoke(cli, ["migrate", "apply", str(tmp_path / "out"), *options, "--yes"])
    assert done.exit_code == 1
    assert done.stderr.startswith(
        "Error: the cluster at https://127.0.0.1:9 cannot be reached: [Errno 111] Connection refused."
        " The cluster does not answer: run the command again later; "
    )
    told = json.loads(done.stdout)
    assert told["complete"] is False
    # Two pipelines with their versions, and the third one ended it.
    assert told["failed"] == len(told["objects"]) == 8
    assert "secret-token" not in done.stdout + done.stderr
