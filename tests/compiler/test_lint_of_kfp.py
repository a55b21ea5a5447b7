"""What kfp itself writes: nothing to say where all is well, and the traps where it is not."""

# kfp does not take annotations that are text, so `from __future__ import annotations` is missing.
from pathlib import Path
from typing import Any, Optional

import pytest
import yaml
from kfp import compiler, dsl, kubernetes

from kfp_k8s_manifest.checks.lint import lint


@dsl.component(base_image="python:3.12")
def echo(item: str = "x") -> str:
    return item


@dsl.component(base_image="python:3.12")
def collect(items: list) -> str:
    return str(items)


@dsl.container_component
def shell(item: str):  # type: ignore[no-untyped-def]
    return dsl.ContainerSpec(image="alpine:3", command=["echo"], args=[item])


def linted(pipeline: Any, folder: Path) -> list[tuple[str, str]]:
    """Compile a pipeline with kfp, and return the rules and fields of the findings."""
    file = folder / "pipeline.yaml"
    compiler.Compiler().compile(pipeline, str(file))
    documents = list(yaml.load_all(file.read_text(encoding="utf-8"), yaml.CSafeLoader))
    return [(each.rule, each.field) for each in lint(*documents)]


def test_settings_that_are_parameters_are_no_undeclared_inputs(tmp_path: Path) -> None:
    @dsl.pipeline(name="inner")
    def inner(cpu: str, image: str) -> None:
        echo(item="a").set_cpu_limit(cpu).set_container_image(image)

    @dsl.pipeline(name="settings")
    def settings(
        cpu: str = "1", memory: str = "1Gi", gpu: str = "a", count: int = 1, image: str = "b:1"
    ) -> None:
        task = echo(item="a").set_cpu_limit(cpu).set_memory_limit(memory)
        task.set_cpu_request(cpu).set_memory_request(memory)
        task.set_accelerator_type(gpu).set_accelerator_limit(count)
        echo(item="a").set_container_image(image)
        made = echo(item="a")
        echo(item="a").set_cpu_limit(made.output).set_container_image(made.output)
        shell(item="a").set_memory_limit(memory).set_container_image(image)
        with dsl.ParallelFor(["1", "2"]) as item:
            echo(item="a").set_cpu_limit(item)
        inner(cpu=made.output, image=image)

    assert linted(settings, tmp_path) == []


def test_a_setting_that_kfp_does_not_pass_into_a_group_is_told(tmp_path: Path) -> None:
    @dsl.pipeline(name="group")
    def group(cpu: str = "1", count: int = 1) -> None:
        with dsl.If(count == 1):
            echo(item="a").set_cpu_limit(cpu)

    channel = "inputs.parameters[pipelinechannel--cpu].componentInputParameter"
    field = f"spec.pipelineSpec.components[comp-condition-1].dag.tasks[echo].{channel}"
    assert ("input-missing", field) in linted(group, tmp_path)

    @dsl.pipeline(name="group")
    def passing(cpu: str = "1", count: int = 1) -> None:
        with dsl.If(count == 1):
            echo(item=cpu).set_cpu_limit(cpu)

    assert linted(passing, tmp_path) == []


def test_an_optional_parameter_that_reaches_a_required_input_is_told(tmp_path: Path) -> None:
    @dsl.component(base_image="python:3.12")
    def optional(item: Optional[str] = None) -> str:  # noqa: UP045
        return item or ""

    @dsl.component(base_image="python:3.12")
    def required(item: str) -> str:
        return item

    @dsl.pipeline(name="optional")
    def pipeline(text: Optional[str] = None, count: int = 1) -> None:  # noqa: UP045
        optional(item=text)
        required(item=text)
        with dsl.If(count == 1):
            optional(item=text)

    inputs = "spec.pipelineSpec.root.dag.tasks[{}].inputs.parameters[{}]"
    assert linted(pipeline, tmp_path) == [
        ("input-optional", inputs.format("condition-1", "pipelinechannel--text")),
        ("input-optional", inputs.format("required", "item")),
    ]


def test_importers_and_named_loops(tmp_path: Path) -> None:
    @dsl.pipeline(name="loops")
    def loops() -> None:
        uri = "gs://bucket/data"
        dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset).set_retry(3)
        with dsl.ParallelFor(["a", "b"], name="letters") as item:
            made = echo(item=item)
            dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset)
        collect(items=dsl.Collected(made.output))

    found = linted(loops, tmp_path)
    rules = {rule for rule, _ in found}
    # A kfp that names the loop by its key is not told so.
    assert rules - {"loop-name"} == {"importer-in-loop", "importer-retry"}
    loop = "spec.pipelineSpec.components[comp-for-loop-2].dag.tasks[importer-2]"
    assert ("importer-in-loop", loop) in found


def test_settings_of_pods_that_kfp_accepts_and_kubernetes_does_not(tmp_path: Path) -> None:
    @dsl.pipeline(name="pods")
    def pods() -> None:
        task = echo(item="a").set_memory_limit("512K")
        kubernetes.use_secret_as_volume(task, secret_name="my.secret", mount_path="/s")
        kubernetes.empty_dir_mount(task, volume_name="tmp", mount_path="/t", size_limit="1GB")
        claim = kubernetes.CreatePVC(
            pvc_name_suffix="-a", access_modes=["ReadWriteOnce"], size="5GB"
        )
        kubernetes.mount_pvc(task, pvc_name=claim.outputs["name"], mount_path="/d")

    rules = sorted(rule for rule, _ in linted(pods, tmp_path))
    assert rules == ["pod-setting", "pod-setting", "resource-quantity", "volume-claim"]


@pytest.mark.parametrize("limit", ["1", "500m", "0.5", "512Ki", "1G"])
def test_limits_that_pass(limit: str, tmp_path: Path) -> None:
    @dsl.pipeline(name="limits")
    def limits() -> None:
        task = echo(item="a")
        (task.set_cpu_limit if limit[-1] not in "iG" else task.set_memory_limit)(limit)

    assert linted(limits, tmp_path) == []
