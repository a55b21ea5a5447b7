"""A KRM function: what kustomize hands over, and what it gets back. No IO.

The specification is Kubernetes' own: https://github.com/kubernetes-sigs/kustomize (KRM Functions
Specification). A function reads a ResourceList and writes one: with other items, and with results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kfp_k8s_manifest.checks.order import check_each, is_ours
from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.findings import Finding, Severity
from kfp_k8s_manifest.manifests import to_yaml
from kfp_k8s_manifest.releases import target
from kfp_k8s_manifest.spelling import closest

__all__ = [
    "API_VERSION",
    "GENERATOR",
    "VALIDATOR",
    "Call",
    "generated",
    "read_call",
    "results_of",
    "validated",
]

API_VERSION: Final = "kfp-k8s/v1"
GENERATOR: Final = "KfpPipelines"
VALIDATOR: Final = "KfpValidate"
_LIST: Final = ("config.kubernetes.io/v1", "ResourceList")
_PATH: Final = "config.kubernetes.io/path"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is asked.

    Attributes:
        kind: `KfpPipelines`, which adds the manifests of sources, or `KfpValidate`.
        items: The objects that are handed over.
        config: The `functionConfig` as it came.
        sources: For the generator: what is compiled, as `kfp-k8s compile` takes it.
        namespace: For the generator: the namespace of the objects, or None.
        version_name: For the generator: a template of the versions' names, or None.
        labels: For the generator: labels of all objects.
        target: The KFP release that counts.
        strict: For the validator: True where warnings count as errors.
        assume_pipelines: For the validator: True where every Pipeline is taken to exist.
    """

    kind: str
    items: tuple[Any, ...]
    config: Mapping[str, Any]
    sources: tuple[str, ...] = ()
    namespace: str | None = None
    version_name: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    target: str = "portable"
    strict: bool = False
    assume_pipelines: bool = False


_SETTINGS: Final = {
    GENERATOR: {"sources", "namespace", "versionName", "labels", "target"},
    VALIDATOR: {"target", "strict", "assumePipelines"},
}
_TYPES: Final[Mapping[str, tuple[type, str]]] = {
    "namespace": (str, "a string"),
    "versionName": (str, "a string"),
    "target": (str, "a string"),
    "labels": (dict, "an object of strings"),
    "sources": (list, "a list of strings"),
    "strict": (bool, "true or false"),
    "assumePipelines": (bool, "true or false"),
}


def read_call(tree: Any) -> Call:
    """Return what a ResourceList asks.

    Args:
        tree: The list as a JSON tree.

    Raises:
        UsageError: It is none, or its functionConfig is not understood.
    """
    if not isinstance(tree, dict) or (tree.get("apiVersion"), tree.get("kind")) != _LIST:
        raise UsageError(
            f"standard input is no {_LIST[1]} of {_LIST[0]}; kustomize runs this command as a"
            " function, see the guide of kustomize"
        )
    config = tree.get("functionConfig")
    config = config if isinstance(config, dict) else {}
    kind = config.get("kind")
    if config.get("apiVersion") != API_VERSION or kind not in _SETTINGS:
        raise UsageError(
            f"functionConfig is a {config.get('kind')!r} of {config.get('apiVersion')!r}; it has to"
            f" be a {GENERATOR} or a {VALIDATOR} of {API_VERSION}"
        )
    spec = config.get("spec", {})
    if not isinstance(spec, dict):
        raise UsageError(f"functionConfig.spec is {spec!r}, not an object")
    known = _SETTINGS[kind]
    for key, value in spec.items():
        if key not in known:
            meant = closest(key, known)
            hint = f"did you mean {meant}?" if meant else f"known are {', '.join(sorted(known))}"
            raise UsageError(f"functionConfig.spec.{key} is not known to {kind}; {hint}")
        _require_type(key, value)
    if kind == GENERATOR and not spec.get("sources"):
        raise UsageError(f"functionConfig.spec.sources is missing: {GENERATOR} compiles them")
    items = tree.get("items")
    values: dict[str, Any] = {
        _snake(key): tuple(value) if isinstance(value, list) else value
        for key, value in spec.items()
    }
    return Call(
        kind=str(kind),
        items=tuple(items) if isinstance(items, list) else (),
        config=config,
        **values,
    )


def _require_type(key: str, value: Any) -> None:
    wanted, words = _TYPES[key]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if not isinstance(value, wanted) or not all(isinstance(each, str) for each in inner):
        raise UsageError(f"functionConfig.spec.{key} is {value!r:.100}, not {words}")


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)


def results_of(call: Call) -> list[dict[str, Any]]:
    """Return what a target says of the items, as results of a function.

    Args:
        call: A call of the validator.

    Raises:
        UsageError: There is no such target.
    """
    ours = [each for each in call.items if is_ours(each)]
    found = check_each(ours, target=target(call.target), assume_pipelines=call.assume_pipelines)
    return [
        _result(finding, obj, strict=call.strict)
        for obj, findings in zip(ours, found, strict=True)
        for finding in findings
    ]


def _result(finding: Finding, obj: Mapping[str, Any], *, strict: bool) -> dict[str, Any]:
    levels = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "info"}
    severity = levels[finding.severity]
    if strict and severity == "warning":
        severity = "error"
    hint = f" {finding.hint}" if finding.hint else ""
    result: dict[str, Any] = {
        "message": f"{finding.message}{hint} [{finding.rule}]",
        "severity": severity,
        "resourceRef": {
            "apiVersion": str(obj.get("apiVersion", "")),
            "kind": finding.kind,
            "name": finding.name,
            "namespace": finding.namespace,
        },
        "tags": {"rule": finding.rule},
    }
    if finding.field:
        result["field"] = {"path": finding.field}
    metadata = obj.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    path = annotations.get(_PATH) if isinstance(annotations, dict) else None
    if isinstance(path, str):
        result["file"] = {"path": path}
    return result


def generated(call: Call, added: Sequence[Any]) -> str:
    """Return the ResourceList that goes back with further items, as YAML.

    Args:
        call: What was asked.
        added: Objects that come to the items.
    """
    tree = {
        "apiVersion": _LIST[0],
        "kind": _LIST[1],
        "functionConfig": call.config,
        "items": [*call.items, *added],
    }
    return to_yaml([tree])


def validated(text: str, results: Sequence[Mapping[str, Any]]) -> str:
    """Return the ResourceList that goes back with results.

    A validator must not change anything, and for kustomize another style is a change: so what came
    goes back as it is.

    Args:
        text: The ResourceList as it came, in block style, as kustomize writes it.
        results: What there is to say.
    """
    if not results:
        return text
    return text.rstrip("\n") + "\n" + to_yaml([{"results": list(results)}])
