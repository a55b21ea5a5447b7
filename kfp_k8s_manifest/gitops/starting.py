"""A configuration to start from, which fits what a repository has."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kfp_k8s_manifest.gitops.sources import may_hold_sources
from kfp_k8s_manifest.model.kinds import API_VERSION
from kfp_k8s_manifest.reading import read_found
from kfp_k8s_manifest.releases import TARGET_NAMES
from kfp_k8s_manifest.yaml.limits import DEFAULT_LIMITS

__all__ = ["Findings", "look_around", "starting_text"]

_PIPELINE = re.compile(rb"@(?:kfp\.)?(?:dsl\.)?pipeline\b")
_MOST_FILES: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a repository has.

    Attributes:
        sources: Patterns of what defines pipelines; a common one where nothing does.
        any_pipeline: Whether something does.
        target: The release of the installed kfp, or "portable".
        output: The folder for manifests.
        manifests: The folders that hold manifests already.
    """

    sources: tuple[str, ...]
    any_pipeline: bool = True
    target: str = "portable"
    output: str = "manifests"
    manifests: tuple[str, ...] = ()


def look_around(root: str) -> Findings:
    """Return what a repository has.

    Args:
        root: Its root.
    """
    code: set[str] = set()
    notebooks: set[str] = set()
    manifests: set[str] = set()
    for path in _files(root):
        try:
            content = read_found(os.path.join(root, path), limit=DEFAULT_LIMITS.size)  # noqa: PTH118
        except OSError:
            continue
        folder = path.rpartition("/")[0]
        if path.endswith((".yaml", ".yml")):
            if API_VERSION.encode() in content and b"kind: Pipeline" in content:
                manifests.add(folder)
        elif _PIPELINE.search(content):
            (code if path.endswith(".py") else notebooks).add(folder)
    sources = [*_patterns(code, "*.py"), *_patterns(notebooks, "*.ipynb")]
    tops = sorted({_top(folder) for folder in manifests if folder})
    # No source is looked for in the folder of the manifests.
    of_sources = {_top(folder) for folder in code | notebooks}
    return Findings(
        sources=tuple(sources) or ("pipelines/**/*.py",),
        any_pipeline=bool(sources),
        target=_installed_target(),
        output=tops[0] if len(tops) == 1 and tops[0] not in of_sources else "manifests",
        manifests=tuple(sorted(manifests)),
    )


def _files(root: str) -> Iterator[str]:
    count = 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if name not in ("node_modules", "site-packages") and may_hold_sources(folder, name)
        )
        inside = os.path.relpath(folder, root).replace(os.sep, "/")
        prefix = "" if inside == "." else f"{inside}/"
        for name in sorted(names):
            if name.endswith((".py", ".ipynb", ".yaml", ".yml")) and not name.startswith("test"):
                count += 1
                if count > _MOST_FILES:
                    return
                yield f"{prefix}{name}"


def _top(folder: str) -> str:
    return folder.partition("/")[0]


def _patterns(folders: set[str], ending: str) -> list[str]:
    """Return patterns for the files of some folders: one for all below a folder."""
    tops = sorted({_top(folder) for folder in folders})
    found = []
    for top in tops:
        deep = any(folder.startswith(f"{top}/") for folder in folders)
        found.append(f"{top}/**/{ending}" if top and deep else f"{top}/{ending}".lstrip("/"))
    return found


def _installed_target() -> str:
    try:
        version = importlib.metadata.version("kfp")
    except importlib.metadata.PackageNotFoundError:
        return "portable"
    release = ".".join(version.split(".")[:2])
    return release if release in TARGET_NAMES else "portable"


def starting_text(found: Findings) -> str:
    """Return the text of a commented `kfp-k8s.toml`.

    Args:
        found: What the repository has.
    """
    manifests = _comment_on(found.manifests)
    return f"""\
# The pipelines of this repository, as `kfp-k8s build` has them.

# What is compiled: patterns of modules, notebooks and IR packages, `file.py:function`, or
# `package.module:function`. A module that only helps others may be among them.
sources = {_list(found.sources)}
# What the patterns match and is none, as in .gitignore.
# exclude = ["pipelines/common/**"]

# The KFP release that the manifests have to be valid under; "portable" is valid under all.
target = "{found.target}"
{manifests}output = "{found.output}"
# How it is laid out: flat, per-pipeline, kustomize, argocd or flux.
layout = "per-pipeline"

# metadata.namespace of all objects; without it, whoever applies them decides.
# namespace = "kubeflow"

# How many versions of a pipeline stay in the tree; 0 for all.
keep = 0

# Environments, each in a folder of its own: take `output` above away, and let each have one.
# [environments.dev]
# output = "{found.output}/dev"
# namespace = "dev"
#
# [environments.prod]
# output = "{found.output}/prod"
# namespace = "prod"
# promoted-from = "dev"                             # `kfp-k8s promote dev prod`
# images = {{ "registry.dev/" = "registry.prod/" }}

# What differs for one pipeline.
# [pipelines.train]
# display-name = "Training"
# parameters = {{ epochs = 3 }}
"""


def _comment_on(folders: Sequence[str]) -> str:
    text = "# The folder for the manifests.\n"
    if folders:
        shown = ", ".join(folder or "." for folder in folders[:3])
        more = ", and others" if len(folders) > 3 else ""
        text += (
            f"# There are manifests in {shown}{more} already; a file may hold one object only.\n"
        )
    return text


def _list(values: Sequence[str]) -> str:
    return "[" + ", ".join(json.dumps(value, ensure_ascii=False) for value in values) + "]"
