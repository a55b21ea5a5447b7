"""What no backend can run, or what the backends of some releases get wrong.

Linux starts no program with an argument of 128 KiB or more (`MAX_ARG_STRLEN` of execve). The source
code of a Python component is one, and so is the component that KFP hands to its driver.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.lint._access import get, table, where
from kfp_k8s_manifest.checks.lint._collector import Collector
from kfp_k8s_manifest.checks.lint._model import KINDS, Component, Model
from kfp_k8s_manifest.checks.words import shown
from kfp_k8s_manifest.findings import Path
from kfp_k8s_manifest.golang.sizes import byte_size, json_size
from kfp_k8s_manifest.releases import Target

__all__ = ["check_backends"]

_LONGEST: Final = 128 * 1024 - 1
"""The bytes of an argument or of an environment variable; the zero byte behind them counts, too."""

_ONE_OF: Final = (2, 17, 0)
_LARGE_COMPONENTS: Final = (2, 16, 0)
"""The first releases that do better."""


def check_backends(
    model: Model, report: Collector, *, target: Target | None, at_most: int | None
) -> None:
    """Check what programs are started with, and the outputs of branches.

    Args:
        model: The pipeline.
        report: Where findings go.
        target: The releases that count, None for all.
        at_most: Bytes that the object does not exceed as JSON, where that is known.
    """
    if _concerns(target, _ONE_OF):
        for component in model.reached:
            if component.dag is not None:
                _check_one_of(component, report)
    if at_most is not None and at_most <= _LONGEST:
        return
    for label in model.users_of:
        container = get(model.executors.get(label), "container")
        if isinstance(container, dict):
            path = where((*model.executors_path, label), model.executors.get(label), "container")
            _check_container(label, container, path, report)
    if _concerns(target, _LARGE_COMPONENTS):
        for component in model.reached:
            if component.dag is not None:
                _check_component(component, report)


def _concerns(target: Target | None, better: tuple[int, ...]) -> bool:
    """Tell whether a target has a release before the first that does better."""
    return target is None or any(not each.kep and each.version < better for each in target.releases)


def _check_one_of(component: Component, report: Collector) -> None:
    """Check artifacts that come from whichever branch has run (`dsl.OneOf`)."""
    artifacts = table(get(component.dag, "outputs"), KINDS[1].field)
    for name, output in artifacts.items():
        selectors = get(output, "artifactSelectors")
        if not isinstance(selectors, list) or len(selectors) < 2:
            continue
        producers = [get(each, "producerSubtask") for each in selectors]
        report.add(
            registry.ONE_OF_ARTIFACT,
            f"the artifact {shown(name)} comes from one of {len(selectors)} branches; KFP before 2.17"
            f" always takes that of the last one, {shown(producers[-1])}, and fails where another one"
            " has run.",
            where(component.path, component.spec, "dag", "outputs", KINDS[1].field, name),
            hint="Pass a parameter such as the artifact's URI out of the branches, use the artifact"
            " inside of them, or choose a target from KFP 2.17 on.",
            on_key=True,
        )


def _check_container(label: str, container: dict[str, Any], path: Path, report: Collector) -> None:
    """Check the arguments and the environment that a container is started with; once is enough."""
    for field, text in _given(container):
        size = byte_size(text)
        if size > _LONGEST and "{{$" in text:
            size = byte_size(_without_placeholders(text))
        if size > _LONGEST:
            what = "a variable" if field[0] == "env" else "an argument"
            report.add(
                registry.ARGUMENT_SIZE,
                f"the container of executor {shown(label)} is started with {what} of {size:,} bytes;"
                f" Linux starts no program with more than {_LONGEST:,} bytes in one.",
                where(path, container, *field),
                hint="Move code into an image or a package, and data into an artifact.",
            )
            return


def _without_placeholders(text: str) -> str:
    """Return a text less its placeholders: what one becomes is not known, and may be shorter.

    By searching: a pattern would look for an end behind each beginning of one that has none.
    """
    parts, place = [], 0
    while (start := text.find("{{$", place)) >= 0 and (end := text.find("}}", start)) >= 0:
        parts.append(text[place:start])
        place = end + 2
    return "".join((*parts, text[place:]))


def _given(container: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for name in ("command", "args"):
        items = get(container, name)
        for index, item in enumerate(items if isinstance(items, list) else ()):
            if isinstance(item, str):
                yield (name, index), item
    variables = get(container, "env")
    for index, item in enumerate(variables if isinstance(variables, list) else ()):
        key, value = get(item, "name"), get(item, "value")
        if isinstance(key, str) and isinstance(value, str):
            yield ("env", index, "value"), f"{key}={value}"


def _check_component(component: Component, report: Collector) -> None:
    """Check that the driver can be handed a component that has tasks."""
    try:
        size = json_size(component.spec, exact_from=_LONGEST)
    except (RecursionError, ValueError, TypeError):
        # Such a tree cannot be written as JSON at all; decoding has its own finding for that.
        return
    if size > _LONGEST:
        report.add(
            registry.ARGUMENT_SIZE,
            f"{component.title} takes 128 KiB or more as JSON, which KFP 2.14 and 2.15 hand to their"
            f" driver as one argument; Linux starts no program with more than {_LONGEST:,} bytes in one.",
            component.path,
            hint="Put some of its tasks into a pipeline of their own that it uses as a component, or"
            " choose a target from KFP 2.16 on.",
            on_key=True,
        )
