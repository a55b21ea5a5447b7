from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kfp_k8s_manifest.errors import KfpK8sError, SourceError
from kfp_k8s_manifest.live.running import parse_arguments, run_locally
from kfp_k8s_manifest.model.ir import PipelineIR
from tests.cluster.fake_api import Asked, fake_api
from tests.conftest import ROOT, Run

MODULE = """\
from kfp import dsl

@dsl.component(install_kfp_package=False)
def add(a: int, b: int) -> int:
    return a + b

@dsl.component(install_kfp_package=False)
def shout(text: str, n: int) -> str:
    if n < 0:
        raise ValueError("negative")
    return text.upper() * n

@dsl.pipeline(name="sums")
def sums(a: int, text: str = "08") -> str:
    first = add(a=a, b=1)
    return shout(text=text, n=first.output).output
"""

PARAMETERS = {
    "text": {"parameterType": "STRING"},
    "count": {"parameterType": "NUMBER_INTEGER", "defaultValue": 1.0},
    "rate": {"parameterType": "NUMBER_DOUBLE", "isOptional": True},
    "flag": {"parameterType": "BOOLEAN", "isOptional": True},
    "rows": {"parameterType": "LIST", "isOptional": True},
    "map": {"parameterType": "STRUCT", "isOptional": True},
}


def ir(parameters: Any) -> PipelineIR:
    return PipelineIR(pipeline_spec={"root": {"inputDefinitions": {"parameters": parameters}}})


def test_arguments_are_of_their_parameter_s_type() -> None:
    given = {"text": "08", "count": "3", "rate": "2", "flag": "true", "rows": "[1]", "map": "{}"}
    values = parse_arguments(ir(PARAMETERS), given)
    assert values == {
        "text": "08", "count": 3, "rate": 2.0, "flag": True, "rows": [1], "map": {}
    }  # fmt: skip
    assert isinstance(values["rate"], float)
    assert parse_arguments(ir(PARAMETERS), {"text": "x"}) == {"text": "x"}
    assert parse_arguments(PipelineIR(pipeline_spec={}), {}) == {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "the parameter 'text' has no default; pass --arg text=VALUE"),
        ({"text": "x", "nope": "1"}, "no parameter 'nope' .it has: count, flag"),
        ({"text": "x", "count": "one"}, "is NUMBER_INTEGER, and the value is no JSON"),
        ({"text": "x", "count": "1.5"}, "the parameter is NUMBER_INTEGER"),
        ({"text": "x", "count": "true"}, "the parameter is NUMBER_INTEGER"),
        ({"text": "x", "flag": "1"}, "the parameter is BOOLEAN"),
        ({"text": "x", "rows": "{}"}, "the parameter is LIST"),
        ({"text": "x", "map": "[]"}, "the parameter is STRUCT"),
    ],
)
def test_bad_arguments(given: dict[str, str], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        parse_arguments(ir(PARAMETERS), given)


def test_a_local_run(kfp_k8s: Run, tmp_path: Path) -> None:
    """The KEP's end-to-end test without a backend: compile, then run that version."""
    (tmp_path / "sums.py").write_text(MODULE)
    assert kfp_k8s("compile", "sums.py", "-o", "m.yaml").returncode == 0
    done = kfp_k8s("run", "--local", "m.yaml", "--arg", "a=1")
    assert done.returncode == 0, done.stderr
    assert '"Output": "0808"' in done.stdout
    assert (tmp_path / "local_outputs").is_dir()
    done = kfp_k8s("run", "--local", "m.yaml", "--arg", "a=-5")
    assert done.returncode == 1
    assert "the local run failed" in done.stderr
    assert "Traceback" not in done.stderr.rpartition("Error:")[2]


@pytest.mark.parametrize("options", [(), ("--local", "--host", "http://x")])
def test_either_local_or_host(kfp_k8s: Run, options: tuple[str, ...]) -> None:
    done = kfp_k8s("run", "m.yaml", *options)
    assert done.returncode == 2
    assert "pass either --local or --host URL" in done.stderr


def test_a_run_on_a_server(kfp_k8s: Run, tmp_path: Path) -> None:
    """Against stand-ins for the Kubernetes API and for KFP's REST server."""
    (tmp_path / "sums.py").write_text(MODULE)
    assert kfp_k8s("compile", "sums.py", "-n", "team-a", "-o", "m.json").returncode == 0
    objects = {
        item["kind"]: item for item in json.loads((tmp_path / "m.json").read_text())["items"]
    }
    objects["Pipeline"]["metadata"]["uid"] = "pipeline-uid"
    objects["PipelineVersion"]["metadata"]["uid"] = "version-uid"

    def kubernetes(asked: Asked) -> tuple[int, Any]:
        kind = "PipelineVersion" if "/pipelineversions/" in asked.path else "Pipeline"
        wanted = objects[kind]["metadata"]["name"]
        if asked.path.endswith(f"/{wanted}"):
            return 200, objects[kind]
        return 404, {"reason": "NotFound", "message": "no"}

    def kfp(asked: Asked) -> tuple[int, Any]:
        if asked.path.startswith("/apis/v2beta1/runs"):
            return 200, {"run_id": "run-1", "display_name": "x"}
        if asked.path.startswith("/apis/v2beta1/experiments") and asked.method == "POST":
            return 200, {"experiment_id": "experiment-1", "display_name": "Default"}
        if asked.path.startswith("/apis/v2beta1/experiments"):
            return 200, {"experiments": []}
        return 200, {}

    with fake_api(kubernetes) as cluster, fake_api(kfp) as server:
        config = {
            "clusters": [{"name": "c", "cluster": {"server": cluster.url}}],
            "contexts": [{"name": "c", "context": {"cluster": "c"}}],
            "current-context": "c",
        }
        (tmp_path / "config").write_text(json.dumps(config))
        options = ["--host", server.url, "--kubeconfig", "config", "--arg", "a=2"]
        home = {"env": {"HOME": str(tmp_path)}}
        done = kfp_k8s("run", "m.json", *options, **home)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout[done.stdout.index("{\n") :])["run_id"] == "run-1"
        (started,) = (a.body for a in server.asked if a.path.startswith("/apis/v2beta1/runs"))
        assert started["pipeline_version_reference"] == {
            "pipeline_id": "pipeline-uid",
            "pipeline_version_id": "version-uid",
        }
        assert started["runtime_config"]["parameters"] == {"a": 2}
        assert started["experiment_id"] == "experiment-1"
        # Something else stands in the cluster under this name.
        objects["PipelineVersion"]["spec"]["description"] = "changed"
        done = kfp_k8s("run", "m.json", *options, **home)
        assert done.returncode == 1
        assert "has another content in the cluster" in done.stderr
        done = kfp_k8s("run", "nope", *options, "-n", "team-a", **home)
        assert done.returncode == 1
        assert "no PipelineVersion 'nope' in namespace 'team-a'" in done.stderr


def test_a_local_run_without_pip_says_what_is_missing(kfp_k8s: Run, tmp_path: Path) -> None:
    # A module of that name that cannot be found stands for an environment that lacks it.
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util\nfind = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: None if name == 'pip' else find(name, *a)\n"
    )
    manifests = ROOT / "examples" / "hello_world" / "manifests.yaml"
    done = kfp_k8s(
        "run", "--local", str(manifests), env={"PYTHONPATH": f"{tmp_path}:{ROOT}"}, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip, which this Python does not have: install it (python -m ensurepip)" in done.stderr


def test_a_local_run_names_a_package_that_kfp_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    from kfp import components

    def loads(text: str) -> None:
        raise ModuleNotFoundError("No module named 'docker'", name="docker")

    # The mock stands for kfp 2.15 without docker, which another kfp cannot show.
    monkeypatch.setattr(components, "load_component_from_text", loads)
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # The run sets it; afterwards it has to go.
    ir = PipelineIR(pipeline_spec={"pipelineInfo": {"name": "p"}})
    with pytest.raises(KfpK8sError, match="needs the package 'docker': pip install docker"):
        run_locally(ir, {}, output_folder="unused")
