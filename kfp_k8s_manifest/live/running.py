"""Runs a PipelineVersion: with kfp's local runner, or on a KFP server by the version's uid.

The only module besides the compiler that imports kfp.
"""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kfp_k8s_manifest.errors import KfpK8sError, SourceError
from kfp_k8s_manifest.live.extract import package_text
from kfp_k8s_manifest.model.ir import PipelineIR

__all__ = ["StartedRun", "parse_arguments", "run_locally", "start_run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedRun:
    """A run on a KFP server: its id, and the page that shows it."""

    run_id: str
    url: str


def parse_arguments(ir: PipelineIR, given: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of a run, each of its parameter's type.

    Args:
        ir: The pipeline.
        given: What the user wrote, by parameter: text for a STRING, else JSON.

    Raises:
        SourceError: There is no such parameter, a value is no JSON of its type, or a parameter
            without a default is missing.
    """
    import json

    parameters = _parameters(ir)
    unknown = sorted(set(given) - set(parameters))
    if unknown:
        raise SourceError(
            f"the pipeline has no parameter {unknown[0]!r} (it has:"
            f" {', '.join(sorted(parameters)) or 'none'})"
        )
    values: dict[str, Any] = {}
    for name, spec in parameters.items():
        if name not in given:
            if not spec.get("isOptional") and "defaultValue" not in spec:
                raise SourceError(f"the parameter {name!r} has no default; pass --arg {name}=VALUE")
            continue
        kind = spec.get("parameterType")
        if kind == "STRING":
            values[name] = given[name]
            continue
        try:
            value = json.loads(given[name])
        except (ValueError, RecursionError) as error:
            raise SourceError(
                f"--arg {name}={given[name]}: the parameter is {kind}, and the value is no JSON"
            ) from error
        if not _fits(value, str(kind)):
            raise SourceError(f"--arg {name}={given[name]}: the parameter is {kind}")
        # A double may be written without a point, and an integer with one.
        values[name] = {"NUMBER_DOUBLE": float, "NUMBER_INTEGER": int}.get(str(kind), _same)(value)
    return values


def _same(value: Any) -> Any:
    return value


def _fits(value: Any, kind: str) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return {
        "NUMBER_INTEGER": number and float(value).is_integer() if number else False,
        "NUMBER_DOUBLE": number,
        "BOOLEAN": isinstance(value, bool),
        "LIST": isinstance(value, list),
        "STRUCT": isinstance(value, dict),
    }.get(kind, True)


def _parameters(ir: PipelineIR) -> Mapping[str, Any]:
    tree: Any = ir.pipeline_spec
    for key in ("root", "inputDefinitions", "parameters"):
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree if isinstance(tree, Mapping) else {}


def run_locally(
    ir: PipelineIR, arguments: Mapping[str, Any], *, output_folder: str, own_venvs: bool = False
) -> dict[str, Any]:
    """Run a pipeline in this process's place, task by task, with kfp's local runner.

    Only lightweight Python components can run; what the platform spec asks (volumes, secrets,
    nodes) has no effect. Without environments of their own the components run in this Python, with
    what is installed there: pip is kept from the package index, so nothing gets changed.

    Args:
        ir: The pipeline.
        arguments: Its arguments.
        output_folder: Where artifacts are written.
        own_venvs: True to make a virtual environment for every task, which needs a package index.

    Returns:
        The pipeline's outputs by name; an artifact as its metadata.

    Raises:
        KfpK8sError: A task failed, or cannot be run this way.
    """
    from kfp import components, local

    if not own_venvs and importlib.util.find_spec("pip") is None:
        raise KfpK8sError(
            "the commands of lightweight components call pip, which this Python does not have:"
            " install it (python -m ensurepip), or pass --venv"
        )
    if not own_venvs:
        os.environ["PIP_NO_INDEX"] = "1"
    local.init(runner=local.SubprocessRunner(use_venv=own_venvs), pipeline_root=output_folder)
    try:
        with warnings.catch_warnings():
            # kfp warns of images that are not called "python"; what is run says the task's log.
            warnings.simplefilter("ignore")
            component = components.load_component_from_text(package_text(ir))
            task: Any = component(**arguments)
            outputs: dict[str, Any] = dict(task.outputs)
    except KfpK8sError:
        raise
    except ModuleNotFoundError as error:
        # kfp 2.15 imports docker for every runner, without asking for it.
        raise KfpK8sError(
            f"kfp's local runner needs the package {error.name!r}: pip install {error.name}"
        ) from error
    except Exception as error:
        raise KfpK8sError(f"the local run failed: {error}") from error
    return outputs


def start_run(
    *,
    host: str,
    pipeline_id: str,
    version_id: str,
    job_name: str,
    arguments: Mapping[str, Any],
    namespace: str,
    experiment: str = "Default",
    token: str | None = None,
) -> StartedRun:
    """Start a run of a version that stands in the cluster, on a KFP server.

    Args:
        host: The URL of the server's API.
        pipeline_id: The uid of the Pipeline.
        version_id: The uid of the PipelineVersion.
        job_name: The run's name.
        arguments: Its arguments.
        namespace: The namespace of the run's experiment.
        experiment: The experiment's name; it is made where there is none.
        token: A bearer token, or None for kfp's own ways of logging in.

    Raises:
        KfpK8sError: The server cannot be reached, or refuses the run.
    """
    from kfp import client as kfp_client

    try:
        client = kfp_client.Client(host=host, namespace=namespace, existing_token=token)
        owner = client.create_experiment(experiment, namespace=namespace)
        run = client.run_pipeline(
            experiment_id=owner.experiment_id,
            job_name=job_name,
            params=dict(arguments),
            pipeline_id=pipeline_id,
            version_id=version_id,
        )
    except Exception as error:
        raise KfpK8sError(f"the run cannot be started on {host}: {error}") from error
    return StartedRun(run_id=run.run_id, url=f"{host.rstrip('/')}/#/runs/details/{run.run_id}")
