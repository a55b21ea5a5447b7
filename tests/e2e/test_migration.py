"""From a database to the cluster and back: with a real API server, our webhooks and kfp's own client.

The KFP server is ours (`kfp-k8s apiserver`, a process of its own), over SQLite, PostgreSQL and MariaDB
at first, and over the cluster afterwards; kfp's client must not be able to tell.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kfp
import pytest

from kfp_k8s_manifest.cli import cli
from kfp_k8s_manifest.cluster import connect
from tests.migration.databases import (
    FULL,
    WORKFLOW,
    Pipeline,
    Version,
    add_pipelines,
    make_tables,
    versions,
)
from tests.migration.test_export import rows, tree
from tests.rest.databases import mariadb, postgres
from tests.rest.process import Running, running
from tests.runner import CliRunner, Result

if TYPE_CHECKING:
    from .installations import Installation

__all__ = ["mariadb", "postgres"]

pytestmark = pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")

PIPELINES = [
    replace(FULL, versions=(*FULL.versions, Version(name="V 3"))),
    Pipeline(name="train", versions=versions(4)),
    # Two versions of different pipelines that would have the same object name.
    Pipeline(name="a", versions=(Version(name="b-c"), Version(name="x"))),
    Pipeline(name="a-b", versions=(Version(name="c"), Version(name="a-b"))),
    Pipeline(name="日本語", display_name="日本語 🎉", versions=(Version(name="日本語"),)),
    Pipeline(name="empty"),
]
OLD = Pipeline(name="old", versions=(Version(name="old", spec=WORKFLOW),))
COUNT = sum(1 + len(each.versions) for each in PIPELINES)


def command(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(cli, ["migrate", *arguments])
    assert done.exit_code == code, done.output
    return done


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """The URLs of two empty databases of a kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/first.db", f"sqlite:///{tmp_path}/second.db"
    server = request.getfixturevalue(request.param)
    return server.new_database(), server.new_database()


@contextlib.contextmanager
def over_database(folder: Path, url: str) -> Iterator[Running]:
    options = ["--pipelines-store", "database", "--database-url", url]
    with running(folder, *options) as found:
        yield found


@contextlib.contextmanager
def over_cluster(folder: Path, installation: Installation, namespace: str) -> Iterator[Running]:
    kubeconfig = str(installation.plane.kubeconfig)
    options = ["--pipelines-store", "kubernetes", "--disable-webhook", "--kubeconfig", kubeconfig]
    with running(folder, *options, "-n", namespace) as found:
        yield found


def told(url: str, names: dict[tuple[str, str], str]) -> dict[str, Any]:
    """What kfp's client is answered, in words that do not depend on the store.

    Args:
        url: The server.
        names: What pipelines and versions are called there, by pipeline and name as first.
    """
    client = kfp.Client(host=url, namespace="kubeflow")
    found: dict[str, Any] = {}
    for (pipeline, version), name in names.items():
        if version:
            continue
        one = client.pipelines.pipeline_service_get_pipeline_by_name(name)
        assert client.get_pipeline_id(one.display_name) == one.pipeline_id
        assert client.get_pipeline(one.pipeline_id).to_dict() == one.to_dict()
        found[pipeline] = _bare(one.to_dict(), names, pipeline)
        listed = client.list_pipeline_versions(
            one.pipeline_id, page_size=100, sort_by="created_at asc"
        )
        own = listed.pipeline_versions or []
        found[f"{pipeline}/"] = [_bare(each.to_dict(), names, pipeline) for each in own]
        for each in own:
            predicate = {"operation": 1, "key": "name", "stringValue": each.name}
            same = client.list_pipeline_versions(
                one.pipeline_id, filter=json.dumps({"predicates": [predicate]})
            )
            assert [other.name for other in same.pipeline_versions] == [each.name]
    every = client.list_pipelines(page_size=100).pipelines or []
    found["all"] = sorted(each.display_name for each in every)
    return found


def _bare(
    answer: dict[str, Any], names: dict[tuple[str, str], str], pipeline: str
) -> dict[str, Any]:
    originals = {name: key for key, name in names.items() if key[0] == pipeline}
    ours = {key: value for key, value in answer.items() if not key.endswith("_id")}
    ours.pop("created_at")
    # A standalone server over a database has no namespace; over a cluster it is the pod's.
    ours.pop("namespace", None)
    ours["name"] = originals[ours["name"]][1] or pipeline
    return ours


def names_of(folder: Path) -> tuple[dict[tuple[str, str], str], dict[tuple[str, str], str]]:
    """What pipelines and versions are called on the first server, and on one over the cluster."""
    first, second = {}, {}
    for row in rows(folder):
        key = (row["pipeline"], row["name"] if row["kind"] == "PipelineVersion" else "")
        first[key] = row["name"]
        second[key] = row["version_name"] or row["object_name"]
    return first, second


def test_from_a_database_to_the_cluster_and_back(
    databases: tuple[str, str], installation: Installation, tmp_path: Path
) -> None:
    first, second = databases
    out, kubeconfig = tmp_path / "out", str(installation.plane.kubeconfig)
    namespace = installation.namespace("migrated")
    make_tables(first)
    add_pipelines(first, PIPELINES)

    # The server's API gives what its database gives, but for what the API does not tell.
    with over_database(tmp_path, first) as server:
        command("export", "--database-url", first, "-o", str(out))
        command("export", "--host", server.url, "-o", str(tmp_path / "api"))
        command("verify", str(out), "--host", server.url)
        command("verify", str(out), "--database-url", first)
        names, new_names = names_of(out)
        before = told(server.url, names)
    missing = {
        path: data
        for path, data in tree(out).items()
        if data.replace(b"  codeSourceURL: https://git.example.com/a/b\n", b"")
        != tree(tmp_path / "api")[path]
    }
    assert missing == {}

    # A dry run changes nothing; a second run has nothing to do.
    apply = ["apply", str(out), "--kubeconfig", kubeconfig, "-n", namespace]
    done = command(*apply)
    assert done.stdout.splitlines()[-1] == (
        f"{COUNT} created, 0 updated, 0 unchanged, 0 failed (nothing was changed; --yes applies)"
    )
    assert installation.stored(namespace, "Pipeline") == {}
    done = command(*apply, "--yes")
    assert done.stdout.splitlines()[-1] == f"{COUNT} created, 0 updated, 0 unchanged, 0 failed"
    stored = installation.stored(namespace)
    done = command(*apply, "--yes")
    assert done.stdout == f"0 created, 0 updated, {COUNT} unchanged, 0 failed\n"
    assert installation.stored(namespace) == stored

    # The cluster has what the database has, and a server over it answers the same.
    cluster = ["--cluster", "--cluster-namespace", namespace, "--kubeconfig", kubeconfig]
    done = command("verify", "--database-url", first, *cluster)
    assert f"{COUNT} equal, 0 different, 0 missing, 0 extra" in done.stdout
    with over_cluster(tmp_path, installation, namespace) as server:
        assert told(server.url, new_names) == before
        done = command("verify", str(out), "--host", server.url)
        assert f"{COUNT} equal, 0 different, 0 missing, 0 extra" in done.stdout

    # Back into an empty database, and out again.
    report = tmp_path / "imported.csv"
    with over_database(tmp_path, second) as server:
        done = command("import", str(out), "--host", server.url, "--report", str(report))
        assert f"{COUNT} created, 0 updated, 0 unchanged, 0 failed" in done.stdout
        after = told(server.url, names)
        for path in ("again", "again-api"):
            source = ["--host", server.url] if path != "again" else ["--database-url", second]
            again = tmp_path / path
            command("export", *source, "-o", str(again), "--origins", str(report))
            assert tree(again) == tree(out)
    # An upload has no place for the URL of a package.
    (version,) = [each for each in before[f"{FULL.name}/"] if each["name"] == "v2"]
    assert version.pop("package_url") == {"pipeline_url": "https://storage.googleapis.com/b/p.yaml"}
    (version,) = [each for each in after[f"{FULL.name}/"] if each["name"] == "v2"]
    assert version.pop("package_url") is None
    assert after == before


def test_apply_goes_on_after_failures_and_says_what_failed(
    installation: Installation, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/first.db"
    out, namespace = tmp_path / "out", installation.namespace("failing")
    make_tables(url)
    add_pipelines(url, [Pipeline(name="a", versions=versions(3)), OLD])
    command("export", "--database-url", url, "-o", str(out), code=1)
    # Somebody has broken a manifest since.
    path = out / "a/versions/a-v2.yaml"
    path.write_text(path.read_text().replace("schemaVersion: '2.1.0'", "schemaVersion: '1.0.0'"))
    apply = ["apply", str(out), "--kubeconfig", str(installation.plane.kubeconfig), "-n", namespace]
    done = command(*apply, code=1)
    assert "failed    PipelineVersion" in done.stdout
    done = command(*apply, "--yes", code=1)
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"created   Pipeline {namespace}/a",
        f"created   PipelineVersion {namespace}/a-v1",
        f"failed    PipelineVersion {namespace}/a-v2",
        f"created   PipelineVersion {namespace}/a-v3",
        f"created   Pipeline {namespace}/old",
        "4 created, 0 updated, 0 unchanged, 1 failed",
    ]
    assert "schemaVersion: must be exactly '2.1.0', not '1.0.0'" in lines[2]
    times = [
        each["metadata"]["creationTimestamp"] for each in installation.stored(namespace).values()
    ]
    assert len(set(times)) == 2
    # What may change is changed by another run.
    path = out / "a/pipeline.yaml"
    path.write_text(path.read_text().replace("displayName: a", "displayName: Ah"))
    done = command(*apply, "--yes", code=1)
    assert done.stdout.splitlines()[0] == f"updated   Pipeline {namespace}/a"


def test_fields_of_others_are_taken_over_only_where_that_is_said(
    installation: Installation, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/first.db"
    out, namespace = tmp_path / "out", installation.namespace("conflicts")
    make_tables(url)
    add_pipelines(url, [Pipeline(name="a")])
    command("export", "--database-url", url, "-o", str(out))
    theirs = (out / "a/pipeline.yaml").read_text().replace("displayName: a", "displayName: Theirs")
    installation.plane.kubectl(
        "apply", "--server-side", "--field-manager=them", "-n", namespace, "-f", "-", stdin=theirs
    )
    apply = ["apply", str(out), "--kubeconfig", str(installation.plane.kubeconfig), "-n", namespace]
    done = command(*apply, "--yes", code=1)
    assert 'conflict with "them"' in done.stdout
    assert "--force-conflicts takes the fields over" in done.stdout
    command(*apply, "--yes", "--force-conflicts")
    assert installation.stored(namespace, "Pipeline")["a"]["spec"]["displayName"] == "a"


def test_the_namespaces_of_users_are_those_of_profiles(
    installation: Installation, tmp_path: Path
) -> None:
    cluster = connect(str(installation.plane.kubeconfig))
    try:
        everywhere = cluster.user_namespaces()
        assert {"default", "kube-system"} <= set(everywhere)
        labels = {"app.kubernetes.io/part-of": "kubeflow-profile"}
        installation.plane.create_namespace("profile-of-alice", labels)
        try:
            assert cluster.user_namespaces() == ["profile-of-alice"]
        finally:
            installation.plane.kubectl("delete", "namespace", "profile-of-alice", "--wait=false")
    finally:
        cluster.close()
