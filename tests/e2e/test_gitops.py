"""Tools between our output and the cluster: kustomize, and what Flux does before it applies."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from kfp_k8s_manifest.compiler.build import ManifestOptions, build
from kfp_k8s_manifest.compiler.sources import read_package
from kfp_k8s_manifest.manifests import to_yaml
from tests.apiserver.kubectl import go_reads
from tests.yaml.strategies import HOSTILE_NUMBERS, HOSTILE_TEXTS

from .compare import difference
from .installations import Installation, pipeline, version

if TYPE_CHECKING:
    from pathlib import Path

    from tests.apiserver.kubectl import Kubectl

# What kustomize itself cannot write so that it can read it again, whoever wrote its input: a text
# of several lines that begins with a tab, and characters that are no part of YAML's printable set.
# NEL does not even stop it: it silently becomes a space.
KUSTOMIZE_SPOILS_VALUES = frozenset(
    {
        *("\ta\nb", "\x7f", "a\x7f\n", "\x80", "\x9f", "\ufffe", "\uffff"),
        *("\x85", "a\x85b", "a\n\x85b"),
    }
)
# A tab is no trouble in a key, but "<<" is lost there.
KUSTOMIZE_SPOILS_KEYS = (KUSTOMIZE_SPOILS_VALUES - {"\ta\nb"}) | {"<<"}
# Longer keys need "? " before them, which kustomize does not write.
LONGEST_KEY = 1000
LABELS = {"team": "vision", "y": "on", "stage": "08"}


def kustomization(folder: Path, text: str, **fields: Any) -> Path:
    """Write a kustomization over one file of manifests."""
    (folder / "manifests.yaml").write_text(text, encoding="utf-8")
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["manifests.yaml"],
        **fields,
    }
    (folder / "kustomization.yaml").write_text(json.dumps(content), encoding="utf-8")
    return folder


def documents(kubectl: Kubectl, text: str) -> list[Any]:
    """Read a stream of block mappings as Kubernetes does."""
    return go_reads(kubectl, text.split("\n---\n"))


def test_kustomize_sets_namespace_and_labels_and_nothing_else(
    installation: Installation, shared: Path, tmp_path: Path
) -> None:
    namespace = installation.namespace("kustomize")
    bundles = []
    for number, path in enumerate(sorted((shared / "corpus" / "ir").glob("*.yaml"))):
        ir = read_package(path.read_bytes(), source=path.name)
        options = ManifestOptions(pipeline_name=f"corpus-{number}", version_name="v-{pipeline}")
        bundles.append(build(ir, options))
    assert len(bundles) == 50
    objects = [each for bundle in bundles for each in bundle.objects()]
    folder = kustomization(
        tmp_path,
        to_yaml(objects),
        namespace=namespace,
        labels=[{"pairs": LABELS}],
        commonAnnotations={"example.com/owner": "0o17"},
    )
    built = installation.plane.kubectl("kustomize", folder).stdout
    read = documents(installation.plane.kubectl, built)
    by_name = {(each["kind"], each["metadata"]["name"]): each for each in read}
    assert len(by_name) == len(read) == len(objects)
    for each in objects:
        found = by_name[each["kind"], each["metadata"]["name"]]
        assert difference(found.get("spec"), each.get("spec")) == ""
        assert found["metadata"] == {
            "name": each["metadata"]["name"],
            "namespace": namespace,
            "labels": LABELS,
            "annotations": {"example.com/owner": "0o17"},
        }
    # And so they arrive.
    installation.plane.kubectl("apply", "--server-side", "-k", folder)
    stored = installation.stored(namespace)
    for bundle in bundles:
        found = stored[bundle.version.name]
        assert difference(found["spec"], bundle.version.to_dict()["spec"]) == ""
        assert LABELS.items() <= found["metadata"]["labels"].items()


def kustomized_default(kubectl: Kubectl, folder: Path, default: Any) -> str:
    """Send a default value through kustomize; return how it differs afterwards, or ""."""
    obj = version("hostile-v1", "hostile")
    obj["spec"]["pipelineSpec"]["root"]["inputDefinitions"] = {
        "parameters": {"p": {"parameterType": "STRUCT", "defaultValue": default}}
    }
    kustomization(folder, to_yaml([obj]), namespace="kustomized")
    done = kubectl("kustomize", folder, check=False)
    if done.returncode != 0:
        return done.stderr[-200:]
    (read,) = documents(kubectl, done.stdout)
    return difference(read["spec"], obj["spec"])


def test_kustomize_keeps_hostile_scalars(offline_kubectl: Kubectl, tmp_path: Path) -> None:
    """What our writer quotes stays what it is when another program writes it once more."""
    rng = random.Random(11551)
    values: dict[str, Any] = {
        f"k{number}": text
        for number, text in enumerate(HOSTILE_TEXTS)
        if text not in KUSTOMIZE_SPOILS_VALUES
    }
    keys = [
        text
        for text in HOSTILE_TEXTS
        if text not in KUSTOMIZE_SPOILS_KEYS and len(json.dumps(text)) < LONGEST_KEY
    ]
    values |= {text: rng.choice(HOSTILE_NUMBERS) for text in keys}
    assert len(values) > 550
    assert kustomized_default(offline_kubectl, tmp_path, values) == ""


@pytest.mark.parametrize("text", sorted(KUSTOMIZE_SPOILS_VALUES), ids=ascii)
def test_what_kustomize_spoils(offline_kubectl: Kubectl, tmp_path: Path, text: str) -> None:
    """The list above names nothing that kustomize has learned in the meantime."""
    assert kustomized_default(offline_kubectl, tmp_path, text) != ""


def test_a_name_prefix_parts_versions_from_their_pipelines(
    installation: Installation, tmp_path: Path
) -> None:
    """The documented reason not to use one: kustomize does not know what `pipelineName` is."""
    objects = [pipeline("train"), version("train-v1", "train")]
    namespace = installation.namespace("prefix")
    folder = kustomization(tmp_path, to_yaml(objects), namePrefix="dev-", namespace=namespace)
    done = installation.plane.kubectl("apply", "-k", folder, check=False)
    assert done.returncode == 1
    assert list(installation.stored(namespace, "Pipeline")) == ["dev-train"]
    assert "spec.pipelineName: 'train' is no Pipeline in namespace" in done.stderr

    # With the field told to it, kustomize renames it as well.
    rename = {
        "nameReference": [
            {
                "kind": "Pipeline",
                "group": "pipelines.kubeflow.org",
                "fieldSpecs": [{"kind": "PipelineVersion", "path": "spec/pipelineName"}],
            }
        ]
    }
    (tmp_path / "names.yaml").write_text(json.dumps(rename), encoding="utf-8")
    kustomization(
        tmp_path,
        to_yaml(objects),
        namePrefix="dev-",
        namespace=namespace,
        configurations=["names.yaml"],
    )
    installation.plane.kubectl("apply", "-k", folder)
    assert installation.stored(namespace)["dev-train-v1"]["spec"]["pipelineName"] == "dev-train"


@pytest.mark.parametrize("installation", ["2.14", "2.17", "kep"], indirect=True)
def test_flux_cannot_apply_both_at_once(installation: Installation, tmp_path: Path) -> None:
    """The documented reason for two Flux Kustomizations, and that two are enough.

    Flux dry-runs everything that is in one Kustomization before it applies any of it, as one
    server-side apply for each object.
    """
    namespace = installation.namespace("flux")
    kubectl = installation.plane.kubectl
    objects = [pipeline("train"), version("train-v1", "train")]
    for each in objects:
        each["metadata"]["namespace"] = namespace
    files = []
    for each in objects:
        files.append(tmp_path / f"{each['kind']}.yaml")
        files[-1].write_text(to_yaml([each]), encoding="utf-8")
    apply = ("apply", "--server-side", "--field-manager=kustomize-controller")
    both = [argument for file in files for argument in ("-f", file)]

    done = kubectl(*apply, "--dry-run=server", *both, check=False)

    assert done.returncode == 1
    assert "/train serverside-applied (server dry run)" in done.stdout
    assert "spec.pipelineName: 'train' is no Pipeline in namespace" in done.stderr
    assert "denied the request" in done.stderr
    assert installation.stored(namespace, "Pipeline") == {}

    # Two Kustomizations, of which the second depends on the first.
    for file in files:
        kubectl(*apply, "--dry-run=server", "-f", file)
        kubectl(*apply, "-f", file)
    assert list(installation.stored(namespace)) == ["train-v1"]
    # From then on both pass in one go, which is how the mistake hides until the next new cluster.
    kubectl(*apply, "--dry-run=server", *both)


def test_kubectl_and_argo_cd_can_apply_both_at_once(
    installation: Installation, tmp_path: Path
) -> None:
    """They apply one object after the other, in the order that our output has."""
    namespace = installation.namespace("argo")
    objects = [pipeline("train"), version("train-v1", "train")]
    file = tmp_path / "all.yaml"
    file.write_text(to_yaml(objects), encoding="utf-8")
    installation.plane.kubectl("apply", "--server-side", "-n", namespace, "-f", file)
    assert list(installation.stored(namespace)) == ["train-v1"]
