"""The drop-in for kfp's own compiler."""

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kfp
import pytest
import yaml
from kfp import compiler as kfp_compiler
from kfp import components, dsl

import kfp_k8s_manifest
from kfp_k8s_manifest import Bundle, Compiler, ManifestOptions, compile_manifests
from kfp_k8s_manifest.compiler.bundle import RejectedError
from kfp_k8s_manifest.errors import UsageError


@dsl.component(base_image="python:3.12-slim")
def say(text: str) -> str:
    return text


@dsl.container_component
def shout(text: str):
    return dsl.ContainerSpec(image="alpine:3.20", command=["echo"], args=[text])


@dsl.pipeline(name="greet", description="Greets.")
def greet(text: str = "08"):
    said = say(text=text)
    shout(text=said.output)


@pytest.fixture
def installed() -> Iterator[None]:
    kfp_k8s_manifest.install()
    yield
    kfp_k8s_manifest.uninstall()


def kfp_ir(tmp_path: Path, pipeline: Any, **options: Any) -> bytes:
    path = tmp_path / "kfp.yaml"
    kfp_compiler.Compiler().compile(pipeline, str(path), **options)
    return path.read_bytes()


def test_it_is_kfps_compiler() -> None:
    assert issubclass(Compiler, kfp_compiler.Compiler)
    theirs = inspect.signature(kfp_compiler.Compiler.compile).parameters
    ours = inspect.signature(Compiler.compile).parameters
    assert list(ours)[: len(theirs)] == list(theirs)
    assert list(ours)[len(theirs) :] == ["output_format", "options"]


def test_kubernetes_output_is_a_bundle_with_the_specs_of_the_ir(tmp_path: Path) -> None:
    path = tmp_path / "out.yaml"
    bundle = Compiler(output_format="kubernetes").compile(greet, str(path))
    assert isinstance(bundle, Bundle)
    pipeline, version = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    assert (pipeline["kind"], version["kind"]) == ("Pipeline", "PipelineVersion")
    expected = yaml.safe_load(kfp_ir(tmp_path, greet, pipeline_name=version["metadata"]["name"]))
    assert version["spec"]["pipelineSpec"] == expected
    assert path.read_text(encoding="utf-8") == bundle.to_yaml()


@pytest.mark.parametrize("pipeline", [greet, say, shout])
def test_ir_output_is_kfps_byte_for_byte(tmp_path: Path, pipeline: Any) -> None:
    path = tmp_path / "out.yaml"
    assert Compiler(output_format="ir").compile(pipeline, str(path)) is None
    assert path.read_bytes() == kfp_ir(tmp_path, pipeline)


def test_positional_arguments_and_parameters_are_kfps(tmp_path: Path) -> None:
    path = tmp_path / "out.yaml"
    bundle = Compiler().compile(greet, str(path), "renamed", pipeline_parameters={"text": "hi"})
    assert bundle is not None
    assert bundle.pipeline.name == "renamed"
    root = bundle.version.ir.pipeline_spec["root"]
    assert root["inputDefinitions"]["parameters"]["text"]["defaultValue"] == "hi"


@pytest.mark.parametrize("output_format", ["ir", "kubernetes"])
def test_errors_are_kfps(tmp_path: Path, output_format: Any) -> None:
    ours = Compiler(output_format=output_format)
    path = str(tmp_path / "out.yaml")
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((len, path), {}),
        ((greet, path), {"pipeline_parameters": {"nope": 1}}),
        ((greet,), {}),
        ((greet, path), {"nope": 1}),
        ((greet, path, *[None] * 9), {}),
        ((without_workspace(), path), {}),
    ]
    for arguments, options in calls:
        told = []
        for compiler in (kfp_compiler.Compiler(), ours):
            with pytest.raises((ValueError, TypeError)) as caught:
                compiler.compile(*arguments, **options)
            told.append((type(caught.value), str(caught.value)))
        assert told[0] == told[1]
    assert not Path(path).exists()


def without_workspace() -> Any:
    """Return a pipeline whose importer needs a workspace that is not declared."""
    version = tuple(int(part) for part in kfp.__version__.split(".")[:2])
    if version < (2, 15):
        # It knows no such importer, and refuses this for another reason.
        return len

    @dsl.pipeline
    def importing():
        dsl.importer("gs://a/b", dsl.Dataset, download_to_workspace=True)

    return importing


def test_options_in_the_call_override_those_of_the_constructor(tmp_path: Path) -> None:
    ours = Compiler(options=ManifestOptions(namespace="a"))
    path = str(tmp_path / "out.yaml")
    first, second = ours.compile(greet, path), ours.compile(greet, path, options=ManifestOptions())
    assert first is not None
    assert second is not None
    assert (first.version.namespace, second.version.namespace) == ("a", None)


def test_options_make_no_sense_for_ir(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="options belong to output_format='kubernetes'"):
        Compiler(output_format="ir", options=ManifestOptions()).compile(greet, "x.yaml")
    with pytest.raises(UsageError, match="output_format is 'yaml', not 'kubernetes' or 'ir'"):
        Compiler(output_format="yaml")  # type: ignore[arg-type]


def test_kfps_own_switches_keep_working(tmp_path: Path) -> None:
    path = tmp_path / "out.yaml"
    theirs = kfp_compiler.compiler_utils.KubernetesManifestOptions(
        pipeline_name="named",
        pipeline_display_name="Named",
        pipeline_version_name="named-v2",
        pipeline_version_display_name="Second",
        namespace="team-a",
        include_pipeline_manifest=True,
    )
    for ours in (Compiler(), Compiler(output_format="ir")):
        bundle = ours.compile(
            greet, str(path), kubernetes_manifest_options=theirs, kubernetes_manifest_format=True
        )
        assert bundle is not None
        pipeline, version = yaml.safe_load_all(path.read_text(encoding="utf-8"))
        assert pipeline["metadata"] == {"name": "named", "namespace": "team-a"}
        assert pipeline["spec"]["displayName"] == "Named"
        assert version["metadata"] == {"name": "named-v2", "namespace": "team-a"}
        assert version["spec"]["displayName"] == "Second"


@pytest.mark.parametrize("way", ["class", "installed"])
def test_kfps_manifest_format_is_kept(tmp_path: Path, way: str) -> None:
    """What kfp's own test of the format asks for, in both forms that kfp writes."""
    if way == "installed":
        kfp_k8s_manifest.install()
    compiler = kfp_compiler.Compiler() if way == "installed" else Compiler()

    @dsl.pipeline(name="own", description="What it does.")
    def own(text: str):
        shout(text=text)

    def compiled(*, both: bool) -> list[dict[str, Any]]:
        options = kfp_compiler.compiler_utils.KubernetesManifestOptions(
            pipeline_name="named",
            pipeline_display_name="Named",
            pipeline_version_name="named-v1",
            pipeline_version_display_name="Named, first",
            namespace="team-a",
            include_pipeline_manifest=both,
        )
        path = tmp_path / "out.yaml"
        compiler.compile(
            own, str(path), kubernetes_manifest_options=options, kubernetes_manifest_format=True
        )
        return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))

    try:
        pipeline, version = compiled(both=True)
        assert compiled(both=False) == [version]
    finally:
        kfp_k8s_manifest.uninstall()
    assert pipeline == {
        "apiVersion": "pipelines.kubeflow.org/v2beta1",
        "kind": "Pipeline",
        "metadata": {"name": "named", "namespace": "team-a"},
        "spec": {"displayName": "Named", "description": "What it does."},
    }
    assert version["kind"] == "PipelineVersion"
    assert version["metadata"] == {"name": "named-v1", "namespace": "team-a"}
    del version["spec"]["pipelineSpec"]
    assert version["spec"] == {
        "displayName": "Named, first",
        "description": "What it does.",
        "pipelineName": "named",
    }


def test_the_description_is_left_out_of_a_version_whose_name_follows_from_its_content(
    tmp_path: Path,
) -> None:
    path = str(tmp_path / "out.yaml")
    plain = compile_manifests(greet)
    switched = Compiler().compile(greet, path, kubernetes_manifest_format=True)
    assert switched is not None
    assert switched.version == plain.version
    assert (plain.pipeline.description, plain.version.description) == ("Greets.", None)
    named = compile_manifests(greet, version="v1")
    assert named.version.description is None


def test_kfps_format_switch_writes_the_version_alone(tmp_path: Path) -> None:
    path = tmp_path / "out.yaml"
    Compiler(output_format="ir").compile(greet, str(path), kubernetes_manifest_format=True)
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["kind"] == "PipelineVersion"


def test_what_is_given_twice_is_refused(tmp_path: Path) -> None:
    theirs = kfp_compiler.compiler_utils.KubernetesManifestOptions(namespace="a")
    with pytest.raises(UsageError, match="namespace is 'b' in options but 'a' in"):
        Compiler(options=ManifestOptions(namespace="b")).compile(
            greet, str(tmp_path / "x.yaml"), kubernetes_manifest_options=theirs
        )


def test_kfps_version_name_is_no_template(tmp_path: Path) -> None:
    theirs = kfp_compiler.compiler_utils.KubernetesManifestOptions(pipeline_version_name="{x}")
    with pytest.raises(ValueError, match=r"the version's name '\{x\}' is invalid"):
        Compiler().compile(greet, str(tmp_path / "x.yaml"), kubernetes_manifest_options=theirs)


@pytest.mark.parametrize("pipeline", [greet, say, shout])
def test_pipelines_components_and_loaded_packages(tmp_path: Path, pipeline: Any) -> None:
    direct = compile_manifests(pipeline, namespace="team-a")
    text = kfp_ir(tmp_path, pipeline).decode()
    loaded = compile_manifests(components.load_component_from_text(text), namespace="team-a")
    assert loaded.to_yaml() == direct.to_yaml()


def test_overrides_and_options_combine() -> None:
    bundle = compile_manifests(greet, options=ManifestOptions(namespace="a"), version="v1")
    assert (bundle.version.namespace, bundle.version.name) == ("a", "greet-v1")
    with pytest.raises(TypeError, match="nope"):
        compile_manifests(greet, nope=1)


def test_a_pipeline_ir_is_taken_as_it_is() -> None:
    ir = compile_manifests(greet, version="v1").version.ir
    assert compile_manifests(ir, pipeline_name="greet", version="v1").version.ir == ir
    with pytest.raises(UsageError, match="pipeline_parameters need a pipeline function"):
        compile_manifests(ir, pipeline_parameters={"a": 1})


def test_json_output(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    bundle = Compiler().compile(greet, str(path))
    assert bundle is not None
    made = json.loads(path.read_text(encoding="utf-8"))
    assert (made["kind"], made["apiVersion"]) == ("List", "v1")
    assert made["items"] == bundle.objects()


def test_what_the_target_rejects_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "out.yaml"
    path.write_text("before", encoding="utf-8")
    with pytest.raises(RejectedError) as caught:
        Compiler(options=ManifestOptions(labels={"-": "x"})).compile(greet, str(path))
    assert "the target 'portable' would reject this; nothing was written" in str(caught.value)
    assert "metadata.labels" in str(caught.value)
    assert path.read_text(encoding="utf-8") == "before"


def test_install_extends_kfps_own_class(tmp_path: Path, installed: None) -> None:
    kfp_k8s_manifest.install()
    path = tmp_path / "out.yaml"
    assert kfp.compiler.Compiler().compile(greet, str(path)) is None
    ir = path.read_bytes()
    bundle = kfp.compiler.Compiler(output_format="kubernetes").compile(greet, str(path))
    assert bundle.to_yaml() == path.read_text(encoding="utf-8")
    bundle = kfp.compiler.Compiler().compile(greet, str(path), output_format="kubernetes")
    assert isinstance(bundle, Bundle)
    kfp_k8s_manifest.uninstall()
    kfp_k8s_manifest.uninstall()
    with pytest.raises(TypeError):
        kfp.compiler.Compiler(output_format="kubernetes")
    assert kfp_ir(tmp_path, greet) == ir


def test_objects_made_before_install_keep_working(tmp_path: Path) -> None:
    before = kfp_compiler.Compiler()
    kfp_k8s_manifest.install()
    try:
        assert before.compile(greet, str(tmp_path / "out.yaml")) is None
        ours = Compiler().compile(greet, str(tmp_path / "out.yaml"))
        assert isinstance(ours, Bundle)
    finally:
        kfp_k8s_manifest.uninstall()


def test_ipython_extension() -> None:
    original = kfp_compiler.Compiler.compile
    kfp_k8s_manifest.load_ipython_extension(None)
    assert kfp_compiler.Compiler.compile is not original
    kfp_k8s_manifest.unload_ipython_extension(None)
    assert kfp_compiler.Compiler.compile is original
