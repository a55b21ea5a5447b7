"""What `kfp-k8s apiserver manifests` writes, on a real API server: taken, and enough to work with."""

from __future__ import annotations

import contextlib
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

pytest.importorskip("sqlalchemy", reason="needs the extra 'apiserver'")

import kfp_server_api

from tests.rest.process import Running, running

from .certificates import CertificateAuthority
from .test_webhook import apply_crds
from .webhook_server import log_in, run

if TYPE_CHECKING:
    from .controlplane import ControlPlane

PACKAGE = """\
pipelineInfo: {name: hello}
root: {dag: {tasks: {}}}
schemaVersion: 2.1.0
"""


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> ControlPlane:
    apply_crds(control_plane, "2.17")
    return control_plane


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--disable-webhook", "--insecure-http"], 7),
        (["--ca-bundle", "CA"], 9),
        (["--ca-bundle", "CA", "--multi-user", "--api-server-cidr", "10.0.0.7/32"], 11),
        (["--ca-bundle", "CA", "--name", "a" * 63], 9),
        (
            [
                *("--pipelines-store", "database", "--database-secret", "db", "--insecure-http"),
                *("--client-namespace", "*"),
            ],
            5,
        ),
        (
            [
                *("--pipelines-store", "database", "--database-secret", "db"),
                "--multi-user",
            ],
            7,
        ),
    ],
)
def test_the_api_server_takes_all_of_it(
    plane: ControlPlane, options: list[str], count: int, tmp_path: Path
) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(plane.authority.certificate)
    options = [str(ca) if option == "CA" else option for option in options]
    text = run("apiserver", "manifests", "-n", "default", *options)
    done = plane.kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=text)
    created = done.stdout.splitlines()
    assert len(created) == count
    assert all(line.endswith("serverside-applied (server dry run)") for line in created)
    assert not done.stderr


class Installed:
    """The server of a Deployment that our command wrote, under its account, outside of a pod."""

    def __init__(self, plane: ControlPlane, folder: Path, *options: str) -> None:
        self.plane, self.folder = plane, folder
        self.namespace = plane.create_namespace(f"rest-{uuid.uuid4().hex[:8]}")
        self.name = f"api-{uuid.uuid4().hex[:8]}"
        CertificateAuthority("ca").issue_server().write(folder, "tls")
        text = run("apiserver", "manifests", "-n", self.namespace, "--name", self.name, *options)
        self.objects = list(yaml.safe_load_all(text))
        self.kubeconfig = log_in(plane, folder, self.objects, self.name, self.namespace)

    def arguments(self) -> list[str]:
        """The arguments of the pod's container, with ports and files of this machine."""
        (deployment,) = (each for each in self.objects if each["kind"] == "Deployment")
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        program, *found = container["args"]
        assert program == "apiserver"
        ports = {"--host=": "--host=127.0.0.1", "--port=8888": "--port=0"}
        found = [ports.get(each, each).replace("/tls/", f"{self.folder}/") for each in found]
        return [*found, f"--kubeconfig={self.kubeconfig}"]


def calls(server: Running, package: Path, namespace: str = "", **headers: str) -> list[Any]:
    """Make one call of each kind, and return what the lists said."""
    client = kfp_server_api.ApiClient(kfp_server_api.Configuration(host=server.url))
    for name, value in headers.items():
        client.set_default_header(name.replace("_", "-"), value)
    pipelines = kfp_server_api.PipelineServiceApi(client)
    uploads = kfp_server_api.PipelineUploadServiceApi(client)
    try:
        one = uploads.upload_pipeline(str(package), name="one", namespace=namespace)
        two = uploads.upload_pipeline_version(str(package), name="two", pipelineid=one.pipeline_id)
        pipelines.pipeline_service_update_pipeline(one.pipeline_id, {"display_name": "One"})
        pipelines.pipeline_service_update_pipeline_version(
            one.pipeline_id, two.pipeline_version_id, {"tags": {"a": "b"}}
        )
        listed = pipelines.pipeline_service_list_pipelines(namespace=namespace).pipelines
        versions = pipelines.pipeline_service_list_pipeline_versions(one.pipeline_id)
        pipelines.pipeline_service_delete_pipeline_version(one.pipeline_id, two.pipeline_version_id)
        pipelines.pipeline_service_delete_pipeline(one.pipeline_id, cascade=True)
        left = pipelines.pipeline_service_list_pipelines(namespace=namespace).pipelines
        names = sorted(each.name for each in versions.pipeline_versions)
        return [[each.display_name for each in listed], names, left]
    finally:
        client.close()


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "hello.yaml"
    path.write_text(PACKAGE)
    return path


def test_its_role_is_enough_for_one_namespace(
    plane: ControlPlane, tmp_path: Path, package: Path
) -> None:
    installed = Installed(plane, tmp_path, "--disable-webhook", "--insecure-http")
    with running(tmp_path, *installed.arguments()) as server:
        assert calls(server, package) == [["One"], ["one", "two"], None]


def test_its_role_is_not_enough_for_another_namespace(plane: ControlPlane, tmp_path: Path) -> None:
    installed = Installed(plane, tmp_path, "--disable-webhook", "--insecure-http")
    user = f"system:serviceaccount:{installed.namespace}:{installed.name}"
    for verb in ("get", "list", "create", "delete"):
        for namespace, answer in ((installed.namespace, "yes"), ("default", "no")):
            done = plane.kubectl(
                *("auth", "can-i", verb, "pipelines.pipelines.kubeflow.org", "--as", user),
                *("-n", namespace),
                check=False,
            )
            assert done.stdout.strip() == answer


def team_of(plane: ControlPlane, *subjects: str) -> str:
    """Make a namespace in which some may do everything to pipelines and versions."""
    team = plane.create_namespace(f"team-{uuid.uuid4().hex[:8]}")
    rule = [
        "--verb=*",
        "--resource=pipelines.pipelines.kubeflow.org,pipelineversions.pipelines.kubeflow.org",
    ]
    plane.kubectl("create", "role", "editor", *rule, "-n", team)
    named = [each.format(team=team) for each in subjects]
    plane.kubectl("create", "rolebinding", "editor", "--role=editor", *named, "-n", team)
    return team


def test_its_roles_are_enough_for_many_users(
    plane: ControlPlane, tmp_path: Path, package: Path
) -> None:
    installed = Installed(
        *(plane, tmp_path, "--disable-webhook", "--insecure-http", "--multi-user"),
        *("--identity-header", "kubeflow-userid", "--identity-prefix", ""),
    )
    team = team_of(plane, "--user=alice")
    with running(tmp_path, *installed.arguments()) as server:
        header = {"kubeflow_userid": "alice"}
        assert calls(server, package, team, **header) == [["One"], ["one", "two"], None]
        with pytest.raises(kfp_server_api.ApiException) as denied:
            calls(server, package, "default", **header)
        assert denied.value.status in (400, 403)


def test_tokens_alone_count_where_no_proxy_sets_a_header(
    plane: ControlPlane, tmp_path: Path, package: Path
) -> None:
    installed = Installed(
        *(plane, tmp_path, "--disable-webhook", "--insecure-http", "--multi-user"),
        *("--identity-header", ""),
    )
    team = team_of(plane, "--serviceaccount={team}:default", "--user=alice")
    plane.kubectl("create", "serviceaccount", "default", "-n", team, check=False)
    audience = ["--audience", "pipelines.kubeflow.org"]
    token = plane.kubectl("create", "token", "default", "-n", team, *audience).stdout.strip()
    with running(tmp_path, *installed.arguments()) as server:
        bearer = {"authorization": f"Bearer {token}"}
        assert calls(server, package, team, **bearer) == [["One"], ["one", "two"], None]
        listing = kfp_server_api.PipelineServiceApi(
            kfp_server_api.ApiClient(kfp_server_api.Configuration(host=server.url))
        )
        with contextlib.closing(listing.api_client) as client:
            client.set_default_header(
                "x-goog-authenticated-user-email", "accounts.google.com:alice"
            )
            with pytest.raises(kfp_server_api.ApiException) as unknown:
                listing.pipeline_service_list_pipelines(namespace=team)
        assert unknown.value.status == 401
