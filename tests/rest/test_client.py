"""kfp's own client against the real server: it must not notice a difference."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kfp
import kfp_server_api
import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra 'apiserver'")

from tests.rest.process import Running, running
from tests.rest.serving import HELLO

pytestmark = pytest.mark.filterwarnings("ignore:This client only works:FutureWarning")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("apiserver")) as found:
        yield found


@pytest.fixture
def client(server: Running) -> kfp.Client:
    return kfp.Client(host=server.url, namespace="kubeflow")


@pytest.fixture
def package(tmp_path: Path) -> str:
    path = tmp_path / "hello.yaml"
    path.write_text(HELLO)
    return str(path)


def test_the_life_of_a_pipeline(client: kfp.Client, package: str) -> None:
    pipeline = client.upload_pipeline(package, "Über alles", description="first")
    assert (pipeline.display_name, pipeline.name, pipeline.description) == (
        "Über alles",
        "Über alles",
        "first",
    )
    assert client.get_pipeline_id("Über alles") == pipeline.pipeline_id
    assert client.get_pipeline(pipeline.pipeline_id) == pipeline
    assert pipeline in client.list_pipelines(page_size=100).pipelines

    version = client.upload_pipeline_version(package, "v2", pipeline_name="Über alles")
    assert (version.name, version.pipeline_id) == ("v2", pipeline.pipeline_id)
    assert version.pipeline_spec["pipelineInfo"] == {"name": "hello"}
    assert client.get_pipeline_version(pipeline.pipeline_id, version.pipeline_version_id) == version
    listed = client.list_pipeline_versions(pipeline.pipeline_id, sort_by="created_at desc")
    assert {each.name for each in listed.pipeline_versions} == {"Über alles", "v2"}
    assert listed.total_size == 2

    with pytest.raises(kfp_server_api.ApiException) as caught:
        client.delete_pipeline(pipeline.pipeline_id)
    assert caught.value.status == 400
    assert "Set cascade=true to delete all versions" in caught.value.body
    for each in listed.pipeline_versions:
        client.delete_pipeline_version(pipeline.pipeline_id, each.pipeline_version_id)
    client.delete_pipeline(pipeline.pipeline_id)
    with pytest.raises(kfp_server_api.ApiException) as caught:
        client.get_pipeline(pipeline.pipeline_id)
    assert caught.value.status == 404
    assert client.get_pipeline_id("Über alles") is None


def test_a_client_without_a_namespace_asks_for_the_health_first(
    server: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    client = kfp.Client(host=server.url)
    health = client.get_kfp_healthz()
    assert health.multi_user is False


def test_a_function_is_compiled_and_uploaded(client: kfp.Client) -> None:
    from tests.rest.saying import saying

    pipeline = client.upload_pipeline_from_pipeline_func(saying)
    (version,) = client.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions
    spec = version.pipeline_spec
    definition = spec["root"]["inputDefinitions"]["parameters"]["text"]
    assert definition == {"defaultValue": "hello", "isOptional": True, "parameterType": "STRING"}
    assert spec["pipelineInfo"] == {"name": "saying"}


def test_the_generated_api(client: kfp.Client, package: str) -> None:
    """What kfp.Client has no method for: kfp_server_api itself."""
    pipelines: Any = client._pipelines_api
    body = kfp_server_api.V2beta1Pipeline(
        name="by-api", display_name="By API", description="d", tags={"team": "a"}
    )
    made = pipelines.pipeline_service_create_pipeline(body)
    assert (made.display_name, made.tags) == ("By API", {"team": "a"})
    assert pipelines.pipeline_service_get_pipeline_by_name("by-api") == made
    updated = pipelines.pipeline_service_update_pipeline(
        made.pipeline_id, kfp_server_api.V2beta1Pipeline(display_name="Two", tags={})
    )
    assert (updated.display_name, updated.tags) == ("Two", None)
    uploaded = client._upload_api.upload_pipeline(
        package, name="tagged", display_name="Tagged", tags='{"a": "b"}'
    )
    assert uploaded.tags == {"a": "b"}
    pipelines.pipeline_service_delete_pipeline(uploaded.pipeline_id, cascade=True)
    pipelines.pipeline_service_delete_pipeline(made.pipeline_id)


def test_the_log_tells_calls_and_no_contents(server: Running, client: kfp.Client) -> None:
    client.list_pipelines(filter='{"predicates": []}')
    (entry,) = server.entries("call")[-1:]
    assert entry["call"] == "ListPipelines"
    assert entry["path"] == "/apis/v2beta1/pipelines"
    assert len(entry["requestId"]) == 32
    assert "predicates" not in server.log.read_text()
