"""What is compiled is what the cluster stores, and applying it again changes nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfp_k8s_manifest.cli import cli
from kfp_k8s_manifest.compiler.build import ManifestOptions, build
from kfp_k8s_manifest.compiler.bundle import Bundle
from kfp_k8s_manifest.compiler.fitting import fitted
from kfp_k8s_manifest.compiler.isolation import Request
from kfp_k8s_manifest.compiler.modules import load
from kfp_k8s_manifest.compiler.sources import read_package
from kfp_k8s_manifest.manifests import to_yaml
from kfp_k8s_manifest.model.ir import PipelineIR
from kfp_k8s_manifest.model.kinds import GROUP
from kfp_k8s_manifest.releases import target as find_target
from tests.conftest import ROOT
from tests.runner import CliRunner
from tools.regenerate_golden import GOLDEN

from .compare import difference
from .installations import API, Installation, Installations, pipeline, version

# Every generation of the CRDs, and both ways to apply.
WAYS = [("2.17", "client"), ("2.17", "server"), ("2.14", "client"), ("kep", "server")]
# What these examples are about is tags, which only 2.17 has, and a platform spec, which the KEP
# does not have.
UNKNOWN = {
    "2.14": ["container/manifests.yaml"],
    "kep": ["container/manifests.yaml", "kubernetes/manifests.yaml"],
}
# How many packages are applied: all where there is most to store, every fifth elsewhere. Seven have
# a platform spec, which is not compiled for the KEP, whose CRD has none.
PACKAGES = {"2.14": 10, "2.17": 50, "kep": 7}


@dataclass(frozen=True, kw_only=True)
class Source:
    """A compiled pipeline as kfp itself writes it, which is what has to arrive."""

    pipeline_spec: Any
    platform_spec: Any

    @property
    def name(self) -> str:
        return str(self.pipeline_spec["pipelineInfo"]["name"])


@dataclass(frozen=True, kw_only=True)
class Applied:
    """Everything in one file, applied once.

    Attributes:
        target: The target that it was compiled for.
        options: The options of kubectl that make it client-side or server-side.
        sources: The compiled pipelines by the name of their Pipeline.
        packages: How many of them come from the corpus.
    """

    installation: Installation
    target: str
    namespace: str
    file: Path
    options: tuple[str, ...]
    sources: dict[str, Source]
    packages: int

    def kubectl(self, verb: str, *options: str, check: bool = True) -> Any:
        return self.installation.plane.kubectl(
            verb, *self.options, *options, "-f", self.file, check=check
        )


@cache
def corpus(folder: Path) -> list[Source]:
    return [_source(path.read_bytes()) for path in sorted(folder.glob("*.yaml"))]


def _source(data: bytes) -> Source:
    documents = list(yaml.load_all(data, Loader=yaml.CSafeLoader))
    return Source(pipeline_spec=documents[0], platform_spec=documents[1] if documents[1:] else None)


@cache
def example_sources(goal: str, folder: Path) -> list[Source]:
    """Compile an example with kfp's own compiler."""
    from kfp.compiler import Compiler

    source, *options = GOLDEN[goal]
    sources = []
    path = str(ROOT / "examples" / source)
    request = Request(source=source, kind="file", path=path, every="--all" in options)
    for number, found in enumerate(load(request).pipelines):
        file = folder / f"{goal.replace('/', '-')}-{number}.yaml"
        Compiler().compile(found, str(file))
        sources.append(_source(file.read_bytes()))
    return sources


def example_text(goal: str, namespace: str, target: str) -> str:
    """Compile an example with our command; what comes last on its line counts."""
    source, *options = GOLDEN[goal]
    # Away from 2.17 the pipeline's own default is what is wanted: it is valid everywhere.
    wanted = ["--target", target] if target in ("2.14", "kep") else []
    done = CliRunner().invoke(
        cli, ["compile", str(ROOT / "examples" / source), *options, *wanted, "-n", namespace]
    )
    assert done.exit_code == 0, done.output
    return done.stdout


def bundles(
    sources: list[Source], folder: Path, namespace: str, target: str
) -> dict[str, tuple[Bundle, Source]]:
    """Compile the corpus, and return it by the names of the Pipelines.

    A platform spec is not compiled for a target that would drop it.
    """
    found = {}
    has_platform = "platformSpec" in find_target(target).fields("PipelineVersion")
    for number, path in enumerate(sorted(folder.glob("*.yaml"))):
        if sources[number].platform_spec is not None and not has_platform:
            continue
        if number % 5 and PACKAGES[target] < len(sources):
            continue
        ir = read_package(path.read_bytes(), source=path.name)
        name = f"corpus-{number}"
        options = ManifestOptions(namespace=namespace, pipeline_name=name, target=target)
        bundle = build(ir, options)
        bundle.require_valid()
        found[name] = (bundle, sources[number])
    return found


@pytest.fixture(scope="module", params=WAYS, ids="-".join)
def applied(
    request: pytest.FixtureRequest,
    installations: Installations,
    shared: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Applied:
    target, way = request.param
    installation = installations(target)
    namespace = installation.namespace(f"apply-{way}")
    folder = tmp_path_factory.mktemp("apply")
    packages = shared / "corpus" / "ir"
    built = bundles(corpus(packages), packages, namespace, target)
    sources = {name: source for name, (_, source) in built.items()}
    goals = [goal for goal in GOLDEN if goal not in UNKNOWN.get(target, [])]
    texts = [to_yaml([each for bundle, _ in built.values() for each in bundle.objects()])]
    for goal in goals:
        texts.append(example_text(goal, namespace, target))
        sources |= {each.name: each for each in example_sources(goal, folder)}
    file = folder / "all.yaml"
    file.write_text("---\n".join(texts), encoding="utf-8")
    options = ("--server-side",) if way == "server" else ()
    installation.plane.kubectl("apply", *options, "-f", file)
    return Applied(
        installation=installation,
        target=target,
        namespace=namespace,
        file=file,
        options=options,
        sources=sources,
        packages=len(built),
    )


def test_what_kfp_compiled_is_what_is_stored(applied: Applied) -> None:
    found = applied.installation.stored(applied.namespace).values()
    assert applied.packages == PACKAGES[applied.target]
    assert sorted(each["spec"]["pipelineName"] for each in found) == sorted(applied.sources)
    for each in found:
        source = applied.sources[each["spec"]["pipelineName"]]
        stored = each["spec"]["pipelineSpec"]
        # The one thing that the manifest changes.
        assert stored["pipelineInfo"]["name"] in (each["metadata"]["name"], source.name)
        info = {**source.pipeline_spec["pipelineInfo"], "name": stored["pipelineInfo"]["name"]}
        wanted = {**source.pipeline_spec, "pipelineInfo": info}
        assert difference(stored, wanted) == "", source.name
        # But for what a target lacks and says nothing, such as `optional: false`.
        fit = find_target("portable")
        kept, given = (
            fitted(PipelineIR(pipeline_spec={}, platform_spec=platform), fit).platform_spec
            for platform in (each["spec"].get("platformSpec"), source.platform_spec)
        )
        assert difference(kept, given) == ""


def test_versions_belong_to_their_pipelines(applied: Applied) -> None:
    pipelines = applied.installation.stored(applied.namespace, "Pipeline")
    for each in applied.installation.stored(applied.namespace).values():
        owner = pipelines[each["spec"]["pipelineName"]]["metadata"]
        assert each["metadata"]["ownerReferences"] == [
            {
                "apiVersion": API,
                "blockOwnerDeletion": True,
                "kind": "Pipeline",
                "name": owner["name"],
                "uid": owner["uid"],
            }
        ]
        labels = {f"{GROUP}/pipeline-id": owner["uid"]}
        if applied.target != "kep":
            labels[f"{GROUP}/pipeline"] = owner["name"]
        found = each["metadata"]["labels"]
        assert {key: found.get(key) for key in labels} == labels


def test_the_second_apply_changes_nothing(applied: Applied) -> None:
    if applied.target == "kep":
        # The KEP's default status is seen from the start, but stored by the first update only,
        # which is one new resourceVersion.
        applied.kubectl("apply")
    before = [
        applied.installation.stored(applied.namespace, kind)
        for kind in ("Pipeline", "PipelineVersion")
    ]
    done = applied.kubectl("apply")
    after = [
        applied.installation.stored(applied.namespace, kind)
        for kind in ("Pipeline", "PipelineVersion")
    ]
    # Everything is the same: generation, resourceVersion, and who manages which field since when.
    assert after == before
    assert all(each["metadata"]["generation"] == 1 for kind in after for each in kind.values())
    if not applied.options:
        said = done.stdout.splitlines()
        assert len(said) == 2 * len(applied.sources)
        assert [line for line in said if not line.endswith(" unchanged")] == []


def test_there_is_no_diff(applied: Applied) -> None:
    done = applied.kubectl("diff", check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_a_diff_shows_what_differs(applied: Applied, tmp_path: Path) -> None:
    """The empty diff means something only where another one is not empty."""
    name = min(applied.installation.stored(applied.namespace, "Pipeline"))
    changed = pipeline(name, description="changed")
    changed["metadata"]["namespace"] = applied.namespace
    file = tmp_path / "changed.yaml"
    file.write_text(to_yaml([changed]), encoding="utf-8")
    done = applied.installation.plane.kubectl("diff", *applied.options, "-f", file, check=False)
    assert done.returncode == 1, done.stderr
    assert "+  description: changed" in done.stdout


def test_deleting_a_pipeline_deletes_its_versions_and_no_others(collected: Installation) -> None:
    namespace = collected.namespace("owned")
    for name in ("goes", "stays"):
        for obj in (pipeline(name), version(f"{name}-v1", name), version(f"{name}-v2", name)):
            assert collected.post(namespace, obj).status == 201
    collected.plane.kubectl("delete", "pipeline", "goes", "-n", namespace)
    deadline = time.monotonic() + 60
    while len(found := collected.stored(namespace)) > 2:
        assert time.monotonic() < deadline, list(found)
        time.sleep(0.2)
    # Long enough for the collector to take what it should not.
    time.sleep(1)
    assert sorted(collected.stored(namespace)) == ["stays-v1", "stays-v2"]
    # A Pipeline may also wait for its versions to go first.
    collected.plane.kubectl(
        "delete", "pipeline", "stays", "-n", namespace, "--cascade=foreground", "--timeout=60s"
    )
    assert collected.stored(namespace) == {}
