"""Values that the driver refuses when it makes a pod or a volume claim.

The webhook and the compiler of the backend take any string here. The driver looks into it when the
task is about to start.

Source: KFP's driver (backend/src/v2/driver/k8s.go); Kubernetes' rule for names of volumes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from kfp_k8s_manifest import naming
from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.lint._access import get, text, where
from kfp_k8s_manifest.checks.lint._collector import Collector
from kfp_k8s_manifest.checks.lint._executors import is_quantity
from kfp_k8s_manifest.checks.lint._model import VALUE, Task
from kfp_k8s_manifest.checks.words import listed, shown
from kfp_k8s_manifest.findings import ABSENT, Path

__all__ = ["check_claim", "check_config"]

_POLICIES: Final = ("Always", "IfNotPresent", "Never")
_MODES: Final = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")
# The field, the name's field, the parameter's field, whether a volume gets the name.
_NAMED: Final = (
    ("secretAsVolume", "secretName", "secretNameParameter", True),
    ("secretAsEnv", "secretName", "secretNameParameter", False),
    ("configMapAsVolume", "configMapName", "configMapNameParameter", True),
    ("configMapAsEnv", "configMapName", "configMapNameParameter", False),
    ("imagePullSecret", "secretName", "secretNameParameter", False),
)
_VOLUMES: Final = (("genericEphemeralVolume", "size"), ("emptyDirMounts", "sizeLimit"))

_Problem = tuple[tuple["str | int", ...], Any, str, str]


def check_config(label: str, config: object, path: Path, report: Collector) -> None:
    """Check the Kubernetes configuration of one executor.

    Args:
        label: The executor's label.
        config: Its configuration in the platform spec.
        path: Where that is.
        report: Where findings go.
    """
    if not isinstance(config, dict):
        return
    for place, value, what, hint in _problems(config):
        report.add(
            registry.POD_SETTING,
            f"the executor {shown(label)} {what}; KFP cannot start its pod.",
            where(path, config, *place),
            value,
            hint=hint,
        )


def _problems(config: dict[str, Any]) -> Iterator[_Problem]:
    policy = get(config, "imagePullPolicy")
    if isinstance(policy, str) and policy and policy not in _POLICIES:
        hint = f"Write {_any(_POLICIES)}."
        yield ("imagePullPolicy",), policy, f"has the imagePullPolicy {shown(policy)}", hint
    for field, name_field, parameter, is_volume in _NAMED:
        for index, item in _items(config, field):
            yield from _named((field, index), item, name_field, parameter, is_volume=is_volume)
    for field, size_field in _VOLUMES:
        for index, item in _items(config, field):
            yield from _volume((field, index), item, size_field)


def _any(words: tuple[str, ...]) -> str:
    return listed(map(shown, words)).replace(" and ", " or ")


def _items(config: dict[str, Any], field: str) -> Iterator[tuple[int, dict[str, Any]]]:
    found = get(config, field)
    for index, item in enumerate(found if isinstance(found, list) else ()):
        if isinstance(item, dict):
            yield index, item


def _named(
    place: tuple[str | int, ...],
    item: dict[str, Any],
    name_field: str,
    parameter: str,
    *,
    is_volume: bool,
) -> Iterator[_Problem]:
    """Yield what is wrong with the name of a secret or a config map."""
    given = get(item, parameter)
    name = get(item, name_field)
    if given is None and name in (None, ""):
        if is_volume or place[0] == "imagePullSecret" or get(item, "keyToEnv"):
            what = f"has {place[0]} without {name_field}"
            yield place, ABSENT, what, f"Set {name_field}, or {parameter}."
        return
    # The parameter counts where both are given; kfp writes a constant there.
    constant = get(get(given, "runtimeValue"), "constant") if given is not None else name
    if is_volume and isinstance(constant, str) and "{{" not in constant:
        yield from _volume_name((*place, name_field), constant, f"mounts {shown(constant)}")


def _volume(
    place: tuple[str | int, ...], item: dict[str, Any], size_field: str
) -> Iterator[_Problem]:
    """Yield what is wrong with a volume of the pod's own."""
    size = get(item, size_field)
    missing = size in (None, "") and size_field == "size"
    if missing or (isinstance(size, str) and size and not is_quantity(size)):
        told = "no size" if missing else f"the {size_field} {shown(size)}, which is no quantity"
        what = f"has {place[0]} with {told}"
        yield (*place, size_field), size, what, "Write a quantity, such as '10Gi'."
    name = text(item, "volumeName")
    if name is not None:
        yield from _volume_name((*place, "volumeName"), name, f"has a volume named {shown(name)}")
    yield from _modes((*place, "accessModes"), get(item, "accessModes"))


def _volume_name(place: tuple[str | int, ...], name: str, who: str) -> Iterator[_Problem]:
    """Yield that a name is none for a volume: Kubernetes wants a DNS-1123 label."""
    problems = naming.namespace_problems(name)
    if problems:
        what = f"{who}, and the name of a pod's volume {'; '.join(problems)}"
        yield place, name, what, "Choose a name of lowercase letters, digits and '-'."


def _modes(place: tuple[str | int, ...], modes: object) -> Iterator[_Problem]:
    for index, mode in enumerate(modes if isinstance(modes, list) else ()):
        if isinstance(mode, str) and mode not in _MODES and "{{" not in mode:
            what = f"asks for a volume with the access mode {shown(mode)}"
            hint = f"Write {_any(_MODES)}."
            yield (*place, index), mode, what, hint


def check_claim(task: Task, report: Collector) -> None:
    """Check the constants of a task that makes a volume claim (`kubernetes.CreatePVC`)."""
    given = {
        name: get(value, "constant")
        for name, (tag, value, _) in task.sources["parameters"].items()
        if tag is VALUE
    }

    def add(name: str, what: str, hint: str, *steps: str | int, value: Any = ABSENT) -> None:
        report.add(
            registry.VOLUME_CLAIM,
            f"task {shown(task.name)} {what}; KFP's driver fails on it.",
            (*task.where("inputs", "parameters", name, "runtimeValue", "constant"), *steps),
            given[name] if value is ABSENT else value,
            hint=hint,
        )

    for (index,), mode, what, hint in _modes((), given.get("access_modes")):
        add("access_modes", what, hint, index, value=mode)
    size = given.get("size")
    if isinstance(size, str) and "{{" not in size and not is_quantity(size):
        what = f"asks for a volume with the size {shown(size)}, which is no quantity"
        add("size", what, "Write a quantity, such as '10Gi'.")
    if given.get("pvc_name") and given.get("pvc_name_suffix"):
        what = "gives a volume claim both pvc_name and pvc_name_suffix"
        add("pvc_name_suffix", what, "Remove one of the two.")
    if given.get("annotations"):
        what = "gives a volume claim annotations, which the driver cannot read"
        add("annotations", what, "Remove annotations, or make the claim with kubectl.")
