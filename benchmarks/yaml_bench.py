"""The figures of the YAML writer and reader, as ratios measured in one run.

Run it as a script to see them: `python benchmarks/yaml_bench.py`. Each function returns figures and
takes no longer than some seconds; times are the best of several runs, in CPU time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks._timing import Figure, report
from kfp_k8s_manifest.yaml import dump, load_all

_SETUP = """
if ! [ -x "$(command -v pip)" ]; then
    python3 -m ensurepip || python3 -m ensurepip --user || apt-get install python3-pip
fi

PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet 'kfp==2.17.0' '--no-deps' \
&& "$0" "$@"
"""

_RUN = """\
program_path=$(mktemp -d)

printf "%s" "$0" > "$program_path/ephemeral_component.py"
_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main \
                        --component_module_path                         \
"$program_path/ephemeral_component.py"                         "$@"
"""

_CODE = '''
import kfp
from kfp import dsl
from kfp.dsl import *
from typing import *

def step_{number}(x: str) -> str:
    """Say what step {number} says."""
    y = x + "!"
    print({number}, y)

    return y
'''


def chain(tasks: int) -> dict[str, Any]:
    """Build a PipelineVersion with a chain of Python components, each with code of its own."""
    components, executors, steps = {}, {}, {}
    for number in range(tasks):
        before = f"step-{number - 1}"
        components[f"comp-step-{number}"] = {
            "executorLabel": f"exec-step-{number}",
            "inputDefinitions": {"parameters": {"x": {"parameterType": "STRING"}}},
            "outputDefinitions": {"parameters": {"Output": {"parameterType": "STRING"}}},
        }
        executors[f"exec-step-{number}"] = {
            "container": {
                "args": ["--executor_input", "{{$}}", "--function_to_execute", f"step_{number}"],
                "command": ["sh", "-c", _SETUP, "sh", "-ec", _RUN, _CODE.format(number=number)],
                "image": "python:3.11",
            }
        }
        source: dict[str, Any] = {"componentInputParameter": "x"}
        if number:
            output = {"outputParameterKey": "Output", "producerTask": before}
            source = {"taskOutputParameter": output}
        steps[f"step-{number}"] = {
            "cachingOptions": {"enableCache": True},
            "componentRef": {"name": f"comp-step-{number}"},
            **({"dependentTasks": [before]} if number else {}),
            "inputs": {"parameters": {"x": source}},
            "taskInfo": {"name": f"step-{number}"},
        }
    return {
        "apiVersion": "pipelines.kubeflow.org/v2beta1",
        "kind": "PipelineVersion",
        "metadata": {"name": "chain-1", "namespace": "kubeflow"},
        "spec": {
            "pipelineName": "chain",
            "pipelineSpec": {
                "components": components,
                "deploymentSpec": {"executors": executors},
                "pipelineInfo": {"name": "chain-1"},
                "root": {
                    "dag": {"tasks": steps},
                    "inputDefinitions": {"parameters": {"x": {"parameterType": "STRING"}}},
                },
                "schemaVersion": "2.1.0",
                "sdkVersion": "kfp-2.17.0",
            },
        },
    }


def best(function: Callable[[], object], runs: int) -> float:
    """Return the least CPU time of several runs, in seconds."""
    times = []
    for _ in range(runs):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def writer_ratio(tasks: int = 1000) -> float:
    """How many times faster we write a manifest than `yaml.dump_all`, which kfp's writer calls."""
    manifest = chain(tasks)
    theirs = best(lambda: yaml.dump_all([manifest], sort_keys=True), 2)
    return theirs / best(lambda: dump(manifest), 5)


def writer_linearity(few: int = 100, many: int = 10_000) -> float:
    """How many times longer one task takes in a long manifest than in a short one."""
    short, long = chain(few), chain(many)
    one_of_few = best(lambda: dump(short), 50) / few
    return best(lambda: dump(long), 6) / many / one_of_few


def reader_ratio(texts: list[bytes], runs: int = 4) -> float:
    """How long we read, in parts of what PyYAML's libyaml loader takes for the same texts."""
    theirs = best(
        lambda: [list(yaml.load_all(text, Loader=yaml.CSafeLoader)) for text in texts], runs
    )
    return best(lambda: [load_all(text) for text in texts], runs) / theirs


def reader_ratios() -> dict[str, float]:
    """Return `reader_ratio` for a manifest that we wrote and, where it is, for the corpus."""
    ratios = {"our manifest of 1,000 tasks": reader_ratio([dump(chain(1000)).encode()])}
    folder = Path(__file__).resolve().parents[2] / "shared" / "corpus" / "ir"
    if folder.is_dir():
        files = sorted(folder.glob("*.yaml"))
        ratios["the corpus as kfp wrote it"] = reader_ratio([file.read_bytes() for file in files])
    return ratios


def figures() -> list[Figure]:
    """Measure the writer and the reader."""
    found = [
        Figure(
            "writing 1,000 tasks, times faster than yaml.dump_all",
            writer_ratio(),
            15,
            at_least=True,
            detail=f"{len(dump(chain(1000))) / 1e6:.2f} MB",
        ),
        Figure("writing, 10,000 : 100 tasks, per task", writer_linearity(), 1.3),
    ]
    for name, ratio in reader_ratios().items():
        found.append(Figure(f"reading {name} : CSafeLoader", ratio, 0.75))
    return found


if __name__ == "__main__":
    sys.exit(not report("yaml", figures()))
