"""The example notebook runs from top to bottom in a real kernel, and shows what it promises."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

NOTEBOOK = ROOT / "examples" / "notebook" / "compile.ipynb"


def test_no_outputs_are_stored() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    for cell in code:
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder in which the notebook ran, and its cells by id."""
    if not os.environ.get("CI"):
        pytest.importorskip("nbclient", reason="needs nbclient and ipykernel")
        pytest.importorskip("ipykernel", reason="needs nbclient and ipykernel")
    import nbclient
    import nbformat

    folder = tmp_path_factory.mktemp("notebook")
    shutil.copy(NOTEBOOK, folder)
    notebook = nbformat.read(folder / NOTEBOOK.name, as_version=4)
    with pytest.MonkeyPatch.context() as patch:
        # The kernel is a process of its own: it has to find this project, and no profile of the
        # user.
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        patch.setenv("PYTHONPATH", os.pathsep.join(paths))
        patch.setenv("IPYTHONDIR", str(folder / ".ipython"))
        client = nbclient.NotebookClient(
            notebook, timeout=120, resources={"metadata": {"path": str(folder)}}
        )
        client.execute()
    return folder, {cell["id"]: cell for cell in notebook.cells}


def test_the_file_is_written(executed: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = executed
    text = (folder / "monthly-report.yaml").read_text(encoding="utf-8")
    pipeline, version = yaml.safe_load_all(text)
    assert (pipeline["kind"], version["kind"]) == ("Pipeline", "PipelineVersion")
    parameters = version["spec"]["pipelineSpec"]["root"]["inputDefinitions"]["parameters"]
    assert parameters["month"]["defaultValue"] == "08"
    assert "defaultValue: '08'" in text


def test_the_bundle_shows_itself(executed: tuple[Path, dict[str, Any]]) -> None:
    _, cells = executed
    (output,) = cells["compile"]["outputs"]
    assert output["output_type"] == "execute_result"
    html = output["data"]["text/html"]
    assert "<svg" in html
    for name in ("extract", "train", "report"):
        assert f'data-node="{name}"' in html
    assert "pipelines.kubeflow.org/v2beta1" in html
    assert "monthly-report-" in html
    assert "to monthly-report.yaml" in html
    assert "<script" not in html


def test_names_check_and_refusal(executed: tuple[Path, dict[str, Any]]) -> None:
    _, cells = executed
    names = cells["manifests"]["outputs"][0]["data"]["text/plain"]
    assert names.startswith("('monthly-report', 'monthly-report-")
    assert cells["check"]["outputs"][0]["data"]["text/plain"] == "[]"
    refusal = cells["reject"]["outputs"][0]["text"]
    assert refusal.startswith("the pipeline's name 'Monthly_Report' is invalid")
    assert "'monthly-report' would pass" in refusal
