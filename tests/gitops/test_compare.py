"""What has changed between two versions of a pipeline."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfp_k8s_manifest.findings import ABSENT
from kfp_k8s_manifest.gitops.changes import Area, Change
from kfp_k8s_manifest.gitops.compare import compare_specs
from kfp_k8s_manifest.yaml import load_all
from tests.conftest import ROOT
from tests.gitops.pipelines import ir


def example(name: str) -> dict[str, Any]:
    (path,) = sorted((ROOT / "examples" / name).glob("*.yaml"))
    objects = [each.value for each in load_all(path.read_text(encoding="utf-8"))]
    (version,) = [each for each in objects if each["kind"] == "PipelineVersion"]
    spec: dict[str, Any] = version["spec"]["pipelineSpec"]
    return spec


def changed(
    change: Callable[[dict[str, Any]], None], spec: dict[str, Any] | None = None
) -> list[Change]:
    before = spec or dict(ir().pipeline_spec)
    after = copy.deepcopy(before)
    change(after)
    return compare_specs(before, after)


def told(changes: list[Change]) -> list[tuple[str, str, str, str]]:
    return [(each.area.value, each.where, each.what, each.kind) for each in changes]


def container(spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = spec["deploymentSpec"]["executors"]["exec-f"]["container"]
    return found


def task(spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = spec["root"]["dag"]["tasks"]["f"]
    return found


def parameters(spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = spec["root"]["inputDefinitions"]["parameters"]
    return found


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda s: container(s).update(image="busybox:2"), ("image", "f", "image", "changed")),
        (lambda s: container(s)["command"].__setitem__(3, "\ndef f():\n  return 1\n"), ("source", "f", "source code", "changed")),
        (lambda s: container(s)["command"].__setitem__(0, "bash"), ("command", "f", "command", "changed")),
        (lambda s: container(s)["command"].append("x"), ("command", "f", "command", "changed")),
        (lambda s: container(s).update(args=["--x"]), ("command", "f", "args", "changed")),
        (lambda s: container(s).update(env=[{"name": "A"}]), ("command", "f", "env", "added")),
        (lambda s: parameters(s)["region"].update(defaultValue="eu"), ("parameter", "", "default of parameter region", "changed")),
        (lambda s: parameters(s)["count"].update(defaultValue=3), ("parameter", "", "default of parameter count", "added")),
        (lambda s: parameters(s)["count"].update(parameterType="STRING"), ("parameter", "", "type of parameter count", "changed")),
        (lambda s: parameters(s).pop("tags"), ("parameter", "", "parameter tags", "removed")),
        (lambda s: parameters(s).update(new={"parameterType": "STRING"}), ("parameter", "", "parameter new", "added")),
        (lambda s: task(s).update(cachingOptions={"enableCache": True}), ("caching", "f", "caching", "added")),
        (lambda s: task(s).update(triggerPolicy={"condition": "1 == 2"}), ("condition", "f", "condition", "added")),
        (lambda s: task(s).update(retryPolicy={"maxRetryCount": 2}), ("retry", "f", "retry", "added")),
        (lambda s: task(s).update(iteratorPolicy={"parallelismLimit": 2}), ("loop", "f", "parallelism", "added")),
        (lambda s: task(s).update(taskInfo={"name": "g"}), ("task", "f", "display name", "changed")),
        (lambda s: task(s).update(inputs={"parameters": {"x": {"runtimeValue": {"constant": 1}}}}), ("input", "f", "input x", "added")),
        (lambda s: task(s).update(unheard={"of": 1}), ("other", "f", "unheard", "added")),
        (lambda s: s["root"]["dag"]["tasks"].update(g={}), ("task", "g", "task", "added")),
        (lambda s: s["root"]["dag"]["tasks"].pop("f"), ("task", "f", "task", "removed")),
        (lambda s: s["root"]["dag"].update(outputs={"x": 1}), ("output", "", "outputs", "added")),
        (lambda s: s.update(sdkVersion="kfp-3"), ("pipeline", "", "kfp SDK", "changed")),
        (lambda s: s["pipelineInfo"].update(description="x"), ("pipeline", "", "description", "added")),
        (lambda s: s.update(unheard=[1]), ("other", "", "unheard", "added")),
        (lambda s: s["components"]["comp-f"].update(unheard=1), ("other", "f", "unheard", "added")),
        (lambda s: s["deploymentSpec"]["executors"]["exec-f"].update(unheard=1), ("command", "f", "unheard", "added")),
        (lambda s: s["deploymentSpec"].update(unheard=1), ("other", "", "deploymentSpec.unheard", "added")),
        (lambda s: s["components"].update(unused={"x": 1}), ("other", "", "components[unused]", "added")),
        (lambda s: s["root"].update(unheard=1), ("other", "", "root.unheard", "added")),
    ],
)  # fmt: skip
def test_each_change_is_told_in_its_words(change: Any, expected: tuple[str, ...]) -> None:
    assert told(changed(change)) == [expected]


def test_nothing_changed_nothing_told() -> None:
    for name in ("control_flow", "nested", "kubernetes"):
        assert compare_specs(example(name), copy.deepcopy(example(name))) == []


def test_numbers_are_equal_by_value_and_booleans_are_no_numbers() -> None:
    same = lambda s: parameters(s)["count"].update(defaultValue=1.0)  # noqa: E731
    before = dict(ir().pipeline_spec)
    parameters(before)["count"]["defaultValue"] = 1
    assert changed(same, before) == []
    (change,) = changed(lambda s: parameters(s)["count"].update(defaultValue=True), before)
    assert (change.before, change.after) == (1, True)


def test_source_code_is_a_unified_diff() -> None:
    (change,) = changed(
        lambda s: container(s)["command"].__setitem__(3, "\ndef f():\n  return 1\n")
    )
    assert change.lines == ("@@ -1,3 +1,3 @@", " ", " def f():", "-  pass", "+  return 1")
    assert change.tasks == ("f",)


def test_what_kfp_numbers_anew_is_no_change() -> None:
    def renumber(spec: dict[str, Any]) -> None:
        spec["components"]["comp-f-2"] = spec["components"].pop("comp-f")
        spec["components"]["comp-f-2"]["executorLabel"] = "exec-f-2"
        executors = spec["deploymentSpec"]["executors"]
        executors["exec-f-2"] = executors.pop("exec-f")
        task(spec)["componentRef"]["name"] = "comp-f-2"

    assert changed(renumber) == []


def test_tasks_that_share_a_component_are_told_once() -> None:
    before = dict(ir().pipeline_spec)
    for number in range(6):
        before["root"]["dag"]["tasks"][f"g{number}"] = {"componentRef": {"name": "comp-f"}}
    (change,) = changed(lambda s: container(s).update(image="busybox:2"), before)
    assert change.where == "f, g0, g1, g2 and 3 more"
    assert change.tasks == ("f", "g0", "g1", "g2", "g3", "g4", "g5")


def test_tasks_inside_are_told_by_their_place() -> None:
    before = example("nested")

    def change(spec: dict[str, Any]) -> None:
        inner = spec["components"]["comp-measure-text"]["dag"]["tasks"]
        inner["count"]["cachingOptions"] = {}

    assert ("caching", "measure-text/count", "caching", "changed") in told(changed(change, before))


def test_platform_configuration_is_told_by_task() -> None:
    def platform(secret: str, other: int = 1) -> dict[str, Any]:
        config = {"secretAsEnv": [{"secretName": secret}]}
        kubernetes = {"deploymentSpec": {"executors": {"exec-f": config}}, "x": other}
        return {"platforms": {"kubernetes": kubernetes}}

    spec = ir().pipeline_spec
    changes = compare_specs(
        spec, spec, platform_before=platform("a"), platform_after=platform("b", 2)
    )
    assert told(changes) == [
        ("platform", "f", "secretAsEnv[0].secretName", "changed"),
        ("platform", "", "platforms[kubernetes].x", "changed"),
    ]
    added = compare_specs(spec, spec, platform_after=platform("a"))
    assert {each.kind for each in added} == {"added"}


def test_a_component_that_holds_itself_ends() -> None:
    spec = dict(ir().pipeline_spec)
    spec["components"] = {
        "comp-f": {"dag": {"tasks": {"again": {"componentRef": {"name": "comp-f"}}}}}
    }
    assert compare_specs(spec, copy.deepcopy(spec)) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a", "f", "comp-f"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["dag", "tasks", "f", "inputs", "name", "container"]), inner
        )
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.data())
def test_every_difference_is_told(data: st.DataObject) -> None:
    """Whatever one place of a pipeline becomes: something is told, or nothing has changed."""
    before = ir().pipeline_spec
    after = copy.deepcopy(dict(before))
    place: Any = after
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        inner = place[key]
        if not inner or not isinstance(inner, (dict, list)) or data.draw(st.booleans()):
            break
        place = inner
    place[key] = data.draw(JSON)
    changes = compare_specs(before, after)
    info = after["pipelineInfo"]
    if isinstance(info, dict):
        # The name may be that of the version, and so is no change.
        info["name"] = "train"
    assert bool(changes) == (repr(before) != repr(after)), (key, place)
    assert all(isinstance(each.area, Area) for each in changes)
    assert all(each.before is not ABSENT or each.after is not ABSENT for each in changes)
