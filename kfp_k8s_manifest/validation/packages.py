"""Packages of IR, checked as what `kfp-k8s compile` would make of them."""

from __future__ import annotations

from typing import Final

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.words import finding
from kfp_k8s_manifest.errors import KfpK8sError
from kfp_k8s_manifest.findings import Finding, Path
from kfp_k8s_manifest.model.kinds import PIPELINE_VERSION
from kfp_k8s_manifest.reading import STDIN
from kfp_k8s_manifest.releases import Target

__all__ = ["check_package"]

_REASON: Final = 600
"""Characters of what `compile` says that are told in full."""

_SPECS: Final = ("pipelineSpec", "platformSpec")


def check_package(
    data: bytes | str, name: str, target: Target
) -> tuple[int, list[tuple[int, Path, Finding]]]:
    """Check a package of IR.

    Args:
        data: The whole text: one document or two.
        name: What findings call it.
        target: The releases that count.

    Returns:
        How many objects would be made of it, and the findings: each with the document that it is
        about and the place in it.
    """
    import shlex

    from kfp_k8s_manifest.compiler.build import ManifestOptions, build
    from kfp_k8s_manifest.compiler.sources import read_package

    try:
        bundle = build(read_package(data, source=name), ManifestOptions(target=target.name))
    except KfpK8sError as error:
        reason = str(error).removeprefix(f"{name}: ")
        if len(reason) > _REASON:
            # A value of the package is in it, with what is wrong about it at the end.
            reason = f"{reason[:60]}…{reason[-120:]}"
        refused = finding(registry.IR_INVALID, (), f"`kfp-k8s compile` refuses it: {reason}.")
        return 0, [(0, (), refused)]
    source = "-" if name == STDIN else shlex.quote(name)
    told = finding(
        registry.IR_PACKAGE,
        (),
        "This is a package of IR, which no cluster takes as it is; it was checked as what"
        " `kfp-k8s compile` makes of it.",
        hint=f"Compile it: `kfp-k8s compile {source}`.",
    )
    placed = [(0, (), told), *(_placed(each) for each in bundle.check())]
    return len(bundle.objects()), placed


def _placed(found: Finding) -> tuple[int, Path, Finding]:
    """Return a finding about an object with its place in the package."""
    path = found.path
    if (
        found.kind == PIPELINE_VERSION
        and path[:1] == ("spec",)
        and len(path) > 1
        and path[1] in _SPECS
    ):
        return _SPECS.index(str(path[1])), path[2:], found
    return 0, (), found
