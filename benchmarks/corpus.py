"""The corpus as manifests: the compiled pipelines of `../shared/corpus/ir`, wrapped in objects."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parents[1] / ".." / "shared" / "corpus" / "ir"
API_VERSION = "pipelines.kubeflow.org/v2beta1"


def packages() -> list[tuple[str, Any, Any]]:
    """Return name, pipeline spec and platform spec (or None) of each package."""
    import yaml

    if not CORPUS.exists():
        raise SystemExit(f"the corpus is not at {os.path.normpath(CORPUS)}")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = []
    for path in sorted(CORPUS.glob("*.yaml")):
        documents = list(yaml.load_all(path.read_text(encoding="utf-8"), loader))
        name = path.stem.replace("_", "-")
        found.append((name, documents[0], documents[1] if len(documents) > 1 else None))
    return found


def wrapped(name: str, pipeline_spec: Any, platform_spec: Any, number: int = 0) -> list[Any]:
    """Return a Pipeline and a PipelineVersion of a package, under a name of their own."""
    name = f"{name}-{number}" if number else name
    spec = {
        **pipeline_spec,
        "pipelineInfo": {**pipeline_spec["pipelineInfo"], "name": name[:128]},
    }
    content: dict[str, Any] = {"pipelineName": name, "pipelineSpec": spec}
    if platform_spec is not None:
        content["platformSpec"] = platform_spec
    head = {"apiVersion": API_VERSION, "metadata": {"name": name, "namespace": "team-a"}}
    return [
        {**head, "kind": "Pipeline", "spec": {"displayName": name}},
        {**head, "kind": "PipelineVersion", "spec": content},
    ]


def write_manifests(folder: Path, count: int) -> list[Path]:
    """Write the corpus, repeated under other names, one file a pipeline; return the paths."""
    from kfp_k8s_manifest.yaml import dump_all

    paths = []
    all_packages = packages()
    for index in range(count):
        number, which = divmod(index, len(all_packages))
        path = folder / f"{which:02}-{number:03}.yaml"
        path.write_text(dump_all(wrapped(*all_packages[which], number)), encoding="utf-8")
        paths.append(path)
    return paths


def texts(rng: random.Random) -> Iterator[str]:
    """Yield the manifests of the corpus again and again, in random order."""
    from kfp_k8s_manifest.yaml import dump_all

    all_texts = [dump_all(wrapped(*package)) for package in packages()]
    while True:
        yield rng.choice(all_texts)
