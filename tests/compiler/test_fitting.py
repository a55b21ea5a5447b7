"""IR is fitted to its target: what it lacks and says nothing is left out, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from kfp import dsl

from kfp_k8s_manifest import PipelineIR, compile_manifests
from kfp_k8s_manifest.compiler.bundle import RejectedError
from kfp_k8s_manifest.compiler.fitting import fitted
from kfp_k8s_manifest.findings import Severity
from kfp_k8s_manifest.releases import TARGET_NAMES, target


def with_config(config: dict[str, Any]) -> PipelineIR:
    executors = {"exec-a": config}
    platforms = {"kubernetes": {"deploymentSpec": {"executors": executors}}}
    return PipelineIR(
        pipeline_spec={"pipelineInfo": {"name": "p"}}, platform_spec={"platforms": platforms}
    )


def config_for(config: dict[str, Any], name: str) -> dict[str, Any]:
    platform = fitted(with_config(config), target(name)).platform_spec
    assert platform is not None
    found = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-a"]
    assert isinstance(found, dict)
    return found


SECRET = {"secretName": "s", "keyToEnv": [{"secretKey": "a", "envVar": "A"}]}


@pytest.mark.parametrize("name", TARGET_NAMES)
@pytest.mark.parametrize("field", ["secretAsEnv", "configMapAsEnv", "config_map_as_env"])
def test_optional_false_is_left_out_where_it_is_not_known(name: str, field: str) -> None:
    found = config_for({field: [{**SECRET, "optional": False}]}, name)
    knows = name not in ("2.14", "portable")
    assert found == {field: [{**SECRET, "optional": False} if knows else SECRET]}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        # It says something: the target's refusal is right.
        ({"secretAsEnv": [{"optional": True}]}, {"secretAsEnv": [{"optional": True}]}),
        # All releases know it.
        ({"secretAsVolume": [{"optional": False}]}, {"secretAsVolume": [{"optional": False}]}),
        ({"pvcMount": [{"mountPath": "/a", "subPath": ""}]}, {"pvcMount": [{"mountPath": "/a"}]}),
        ({"pvcMount": [{"subPath": "x"}]}, {"pvcMount": [{"subPath": "x"}]}),
        # Nothing is left of the message, so it goes as well.
        ({"securityContext": {"runAsNonRoot": False}}, {}),
        ({"security_context": {"run_as_non_root": False}}, {}),
        # 0 is root, which is not the same as nothing.
        ({"securityContext": {"runAsUser": 0}}, {"securityContext": {"runAsUser": 0}}),
        # What no release knows, and what is malformed, is for the checks to tell.
        ({"nothing": False}, {"nothing": False}),
        ({"secretAsEnv": "text"}, {"secretAsEnv": "text"}),
        ({"secretAsEnv": ["text", None]}, {"secretAsEnv": ["text", None]}),
    ],
)
def test_only_what_says_nothing_is_left_out(
    config: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert config_for(config, "portable") == expected
    assert config_for(config, "2.17") == config
    assert config_for(config, "kep") == config


def test_the_pipeline_spec_is_fitted_as_well() -> None:
    importer = {"importer": {"reimport": False, "downloadToWorkspace": False}}
    spec = {
        "pipelineInfo": {"name": "p"},
        "components": {
            "comp-a": {
                "taskConfigPassthroughs": [],
                "inputDefinitions": {"parameters": {"x": {"literals": [], "isOptional": False}}},
            }
        },
        "deploymentSpec": {"executors": {"exec-a": importer}},
        # What stands in a value of the user's is no field.
        "root": {"inputDefinitions": {"parameters": {"y": {"defaultValue": {"literals": []}}}}},
    }
    found = fitted(PipelineIR(pipeline_spec=spec), target("portable"))
    assert found.platform_spec is None
    assert found.pipeline_spec == {
        **spec,
        "components": {
            "comp-a": {"inputDefinitions": {"parameters": {"x": {"isOptional": False}}}}
        },
        "deploymentSpec": {"executors": {"exec-a": {"importer": {"reimport": False}}}},
    }


def test_what_kfp_writes_for_secrets_and_config_maps_starts_on_every_release() -> None:
    from kfp import kubernetes

    @dsl.container_component
    def step():
        return dsl.ContainerSpec(image="alpine:3.20", command=["true"])

    @dsl.pipeline(name="with-secrets")
    def pipeline():
        task = step()
        kubernetes.use_secret_as_env(task, "s", {"a": "A"})
        kubernetes.use_config_map_as_env(task, "c", {"b": "B"})
        kubernetes.use_secret_as_volume(task, "s", "/s")

    bundle = compile_manifests(pipeline)
    for name in TARGET_NAMES:
        if name != "kep":
            found = bundle.check(name)
            assert [each.message for each in found if "optional" in each.field] == []


def test_a_refusal_names_the_targets_that_accept_and_how_to_choose_one() -> None:
    spec = {
        "pipelineInfo": {"name": "p"},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.17.3",
        "deploymentSpec": {"executors": {"exec-a": {"container": {"image": "a:1"}}}},
        "components": {
            "comp-a": {
                "executorLabel": "exec-a",
                "taskConfigPassthroughs": [{"field": "RESOURCES", "applyToTask": True}],
            }
        },
        "root": {"dag": {"tasks": {"a": {"componentRef": {"name": "comp-a"}}}}},
    }
    bundle = compile_manifests(PipelineIR(pipeline_spec=spec))
    with pytest.raises(RejectedError) as caught:
        bundle.require_valid()
    lines = str(caught.value).splitlines()
    assert lines[0] == "the target 'portable' would reject this; nothing was written"
    field = "spec.pipelineSpec.components[comp-a].taskConfigPassthroughs"
    assert lines[1].startswith(f"  PipelineVersion {bundle.version.name}: {field}: ")
    assert lines[-1] == (
        "  KFP 2.15, 2.16 and 2.17 would take it. If your cluster runs KFP 2.17, pass --target 2.17 or"
        ' set KFP_K8S_TARGET=2.17 (in Python: ManifestOptions(target="2.17")); `kfp-k8s build` takes'
        ' the line target = "2.17" in kfp-k8s.toml, or in [tool.kfp-k8s] of pyproject.toml'
    )
    good = compile_manifests(PipelineIR(pipeline_spec=spec), target="2.17")
    assert not [each for each in good.check() if each.severity is Severity.ERROR]
    # Where no release accepts it, none is named.
    broken = compile_manifests(PipelineIR(pipeline_spec=spec), labels={"-": "x"})
    with pytest.raises(RejectedError) as caught:
        broken.require_valid()
    assert "would take it" not in str(caught.value)
