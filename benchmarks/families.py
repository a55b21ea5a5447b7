"""Hard inputs by family, each of about a number of bytes: what makes reading and checking dear.

`python benchmarks/families.py [--bytes N] [NAME...]` measures them, each in a process of its own:
processor time and memory of validating, of each renderer, and of `fmt`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.corpus import API_VERSION

HANG_SECONDS = 20
RENDERERS = ("text", "json", "github", "junit", "sarif")
_HEAD = {"apiVersion": API_VERSION, "kind": "PipelineVersion"}
_VERSION_HEAD = f"apiVersion: {API_VERSION}\nkind: PipelineVersion\n"


def version(spec: Any, number: int = 0, platform: Any = None) -> dict[str, Any]:
    """Return a PipelineVersion around a pipeline spec."""
    content = {"pipelineName": "p", "pipelineSpec": spec}
    if platform is not None:
        content["platformSpec"] = platform
    return {**_HEAD, "metadata": {"name": f"v-{number}", "namespace": "n"}, "spec": content}


def pipeline_spec(
    tasks: dict[str, Any], components: dict[str, Any], executors: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return a pipeline spec."""
    return {
        "pipelineInfo": {"name": "v"},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.17.0",
        "root": {"dag": {"tasks": tasks}},
        "components": components,
        "deploymentSpec": {"executors": executors or {}},
    }


def _task(component: str, **fields: Any) -> dict[str, Any]:
    return {"componentRef": {"name": component}, "taskInfo": {"name": "t"}, **fields}


def _text(obj: Any) -> str:
    return json.dumps(obj, separators=(",", ":"))


def _yaml(*objects: Any) -> str:
    from kfp_k8s_manifest.yaml import dump_all

    return dump_all(objects)


def _executor(number: int) -> dict[str, Any]:
    return {"container": {"image": f"i:{number}", "command": ["sh"], "args": ["{{$}}"]}}


def _chain(size: int) -> str:
    """Return a pipeline whose tasks feed each other, in a component each."""
    count = max(2, size // 420)
    value = {"taskOutputParameter": {"producerTask": "", "outputParameterKey": "o"}}
    declared = {"parameters": {"o": {"parameterType": "STRING"}}}
    tasks: dict[str, Any] = {}
    components: dict[str, Any] = {}
    for number in range(count):
        fields: dict[str, Any] = {}
        component: dict[str, Any] = {"executorLabel": f"e{number}", "outputDefinitions": declared}
        if number:
            before = f"t{number - 1}"
            source = {**value["taskOutputParameter"], "producerTask": before}
            fields["inputs"] = {"parameters": {"i": {"taskOutputParameter": source}}}
            fields["dependentTasks"] = [before]
            component["inputDefinitions"] = {"parameters": {"i": {"parameterType": "STRING"}}}
        tasks[f"t{number}"] = _task(f"c{number}", **fields)
        components[f"c{number}"] = component
    executors = {f"e{number}": _executor(number) for number in range(count)}
    return _yaml(version(pipeline_spec(tasks, components, executors)))


def _cycle(size: int) -> str:
    count = max(2, size // 120)
    tasks = {f"t{n}": _task("c", dependentTasks=[f"t{(n + 1) % count}"]) for n in range(count)}
    spec = pipeline_spec(tasks, {"c": {"executorLabel": "e"}}, {"e": _executor(0)})
    return _yaml(version(spec))


def _nested_components(size: int) -> str:
    """Return components that hold each other, the last one the first."""
    count = max(2, size // 130)
    components = {
        f"c{n}": {"dag": {"tasks": {"t": _task(f"c{(n + 1) % count}")}}} for n in range(count)
    }
    return _yaml(version(pipeline_spec({"t": _task("c0")}, components)))


def _all_depend(size: int) -> str:
    """Return tasks each of which depends on all before it."""
    count = max(2, int((size / 5) ** 0.5))
    tasks = {f"t{n}": _task("c", dependentTasks=[f"t{i}" for i in range(n)]) for n in range(count)}
    spec = pipeline_spec(tasks, {"c": {"executorLabel": "e"}}, {"e": _executor(0)})
    return _text(version(spec))


def _wide_map(size: int, at: str, key: Callable[[int], str], value: Any, width: int) -> str:
    """Return an object with one mapping of many members."""
    many = {key(number): value for number in range(max(1, size // width))}
    obj: dict[str, Any] = version(pipeline_spec({"t": _task("c")}, {"c": {"executorLabel": "e"}}))
    place: Any = obj
    *steps, last = at.split(".")
    for step in steps:
        place = place.setdefault(step, {})
    place[last] = many
    return _yaml(obj)


def _copies(size: int) -> str:
    return _yaml(*[version({"x": "a" * 100_000})] * max(2, size // 100_000))


def _many_copies(size: int) -> str:
    one = _yaml(version(pipeline_spec({"t": _task("c")}, {"c": {"executorLabel": "e"}})))
    return "---\n".join([one] * max(2, size // len(one)))


def _small_versions(size: int) -> str:
    return "---\n".join(
        f"{_VERSION_HEAD}metadata: {{name: v{n}}}\nspec: {{pipelineName: p}}\n"
        for n in range(size // 105)
    )


def _listed(size: int) -> str:
    """Return a List of small objects."""
    items = [version({}, number) for number in range(size // 200)]
    return _text({"apiVersion": "v1", "kind": "List", "items": items})


def _unquoted(size: int) -> str:
    """Return constants that lost their quotes."""
    inputs = {f"p{n}": {"runtimeValue": {"constant": "@"}} for n in range(max(1, size // 70))}
    declared = {"parameters": {f"p{n}": {"parameterType": "STRING"} for n in range(len(inputs))}}
    spec = pipeline_spec(
        {"t": _task("c", inputs={"parameters": inputs})},
        {"c": {"executorLabel": "e", "inputDefinitions": declared}},
        {"e": _executor(0)},
    )
    return _yaml(version(spec)).replace("'@'", "08").replace('"@"', "08")


def _placeholders(size: int) -> str:
    args = [f"{{{{$.inputs.parameters['x{n}']}}}}" for n in range(max(1, size // 50))]
    executor = {"container": {"image": "i", "args": args}}
    spec = pipeline_spec({"t": _task("c")}, {"c": {"executorLabel": "e"}}, {"e": executor})
    return _yaml(version(spec))


def _placeholder_starts(size: int) -> str:
    executor = {"container": {"image": "i", "args": ["{{$.inputs.parameters['" * (size // 23)]}}
    spec = pipeline_spec({"t": _task("c")}, {"c": {"executorLabel": "e"}}, {"e": executor})
    return _yaml(version(spec))


FAMILIES: dict[str, Callable[[int], str | bytes]] = {
    "JSON string": lambda n: '{"a":"' + "x" * n + '"}',
    "JSON string of escapes": lambda n: '{"a":"' + '\\"' * (n // 2) + '"}',
    "JSON string of references": lambda n: '{"a":"' + "\\u4e00" * (n // 6) + '"}',
    "JSON string without end": lambda n: '{"a":"' + "x" * n,
    "JSON strings": lambda n: '{"a":[' + '"",' * (n // 3) + '""]}',
    "JSON quotes": lambda n: "{" + '""' * (n // 2),
    "JSON backslashes": lambda n: "{" + "\\" * n,
    "JSON numbers": lambda n: '{"a":[' + "0," * (n // 2) + "0]}",
    "JSON floats": lambda n: '{"a":[' + "1.5," * (n // 4) + "0]}",
    "JSON long number": lambda n: '{"a":' + "1" * n + "}",
    "JSON keys": lambda n: "{" + ",".join(f'"{i}":0' for i in range(n // 10)) + "}",
    "JSON long key": lambda n: '{"' + "k" * n + '":0}',
    "JSON documents": lambda n: "{}" * (n // 2),
    "JSON lines": lambda n: '{"a":1}\n' * (n // 8),
    "JSON then YAML": lambda n: "{}\n" + "a: b\n---\n" * (n // 9),
    "JSON spaces": lambda n: "{" + " " * n + "}",
    "JSON closing": lambda n: "{" + "]" * n,
    "JSON opening": lambda n: '{"a":' + "[" * n,
    "JSON objects": lambda n: '{"a":[' + "{}," * (n // 3) + "{}]}",
    "JSON emoji": lambda n: '{"a":"' + "x" * n + '\U0001f600"}',
    "openings": lambda n: '["a",' * (n // 5),
    "nested and closed": lambda n: "a: " + "[" * (n // 2) + "]" * (n // 2),
    "dashes": lambda n: "- " * (n // 2),
    "question marks": lambda n: "? " * (n // 2),
    "flow mappings": lambda n: "{a: " * (n // 4),
    "flow values": lambda n: "a: [" + "x, " * (n // 3) + "x]",
    "flow quoted": lambda n: "a: [" + "'x', " * (n // 5) + "x]",
    "flow question": lambda n: "a: [" + "x?y, " * (n // 5) + "x]",
    "values": lambda n: "".join("- x\n" for i in range(n // 4)),
    "nulls": lambda n: "-\n" * (n // 2),
    "empty collections": lambda n: "- []\n" * (n // 5),
    "keys": lambda n: "".join(f"k{i}: {i}\n" for i in range(n // 15)),
    "short keys": lambda n: "".join(f"{i:x}:\n" for i in range(n // 7)),
    "number keys": lambda n: "".join(f"{i}: 1\n" for i in range(n // 11)),
    "float keys": lambda n: "".join(f"{i}.5: 1\n" for i in range(n // 13)),
    "tagged": lambda n: "".join(f"- !!str {i}\n" for i in range(n // 16)),
    "short tags": lambda n: "- !a b\n" * (n // 7),
    "binary": lambda n: "a: !!binary " + "QUJD" * (n // 4),
    "anchors": lambda n: "".join(f"- &a{i} x\n" for i in range(n // 12)),
    "anchored keys": lambda n: "".join(f"&a{i} k{i}: x\n" for i in range(n // 17)),
    "anchored collections": lambda n: "".join(f"- &a{i} []\n" for i in range(n // 13)),
    "aliases": lambda n: "- &a x\n" + "- *a\n" * (n // 5),
    "aliases of collections": lambda n: "- &a [x]\n" + "- *a\n" * (n // 5),
    "aliases of many": lambda n: (
        "a: &a [" + "x," * (n // 4) + "]\n" + "b: [" + "*a," * (n // 40) + "]"
    ),
    "merges": lambda n: "a: &a {x: 1}\nb:\n" + "- <<: *a\n" * (n // 9),
    "merges of many": lambda n: (
        "a: &a {" + ",".join(f"k{i}: 1" for i in range(n // 20)) + "}\nb:\n" + "- <<: *a\n" * 50
    ),
    "laughs": lambda n: (
        "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
        + "#" * n
    ),
    "comments": lambda n: "a: b\n" + "#\n" * (n // 2),
    "long comment": lambda n: "a: b #" + "x" * n,
    "comments in flow": lambda n: "a: [\n" + " #\n" * (n // 3) + "]\n",
    "blank lines": lambda n: "a: b\n" + "\n" * n,
    "carriage returns": lambda n: "a: b\r\n" + "\r\n" * (n // 2),
    "lone carriage returns": lambda n: "a: b\r" + "\r" * n,
    "spaces": lambda n: "a: b\n" + " " * n,
    "separators": lambda n: "---\n" * (n // 4),
    "separators with comments": lambda n: "--- # x\n" * (n // 8),
    "documents": lambda n: "a: b\n---\n" * (n // 9),
    "ended documents": lambda n: "a: b\n...\n" * (n // 9),
    "directives": lambda n: "%YAML 1.1\n---\n" * (n // 14),
    "plain text": lambda n: "a: " + "x" * n,
    "plain words": lambda n: "a: " + "x " * (n // 2),
    "plain lines": lambda n: "a:\n" + "  x\n" * (n // 4),
    "quoted text": lambda n: "a: '" + "x" * n + "'",
    "quoted quotes": lambda n: "a: '" + "''" * (n // 2) + "'",
    "quoted lines": lambda n: "a: '" + "\n" * n + "'",
    "double quoted": lambda n: 'a: "' + "x" * n + '"',
    "double quoted escapes": lambda n: 'a: "' + "\\n" * (n // 2) + '"',
    "double quoted slashes": lambda n: 'a: "' + "/" * n + '\\/"',
    "literal": lambda n: "a: |\n" + "  x\n" * (n // 4),
    "literal line": lambda n: "a: |\n  " + "x" * n,
    "folded": lambda n: "a: >\n" + "  x\n" * (n // 4),
    "emoji": lambda n: "a: |\n  \U0001f600" + "x" * n,
    "emojis": lambda n: "a: |\n  " + "\U0001f600" * (n // 4),
    "umlauts": lambda n: "a: |\n  " + "ä" * (n // 2),
    "long key": lambda n: "? " + "k" * n + "\n: v\n",
    "long keys": lambda n: "".join(f"{'k' * 1000}{i}: v\n" for i in range(n // 1010)),
    "number": lambda n: "a: " + "1" * n,
    "underscores": lambda n: "a: 1" + "_" * n,
    "unended quote": lambda n: 'a: "' + "x" * n,
    "colons": lambda n: "a: " + ":" * n,
    "exclamations": lambda n: "a: x" + " !x" * (n // 3),
    "exclamation in literal": lambda n: "a: |\n" + "  : !x\n" * (n // 7),
    "ampersands": lambda n: "a: " + "&" * n + " !x",
    "null characters": lambda n: b"a: \0" * (n // 4),
    "not UTF-8": lambda n: b"a: " + b"x" * n + b"\xff",
    "tabs": lambda n: "\t" * n,
    # From here on what stands in the objects is what is dear.
    "copies of a large object": _copies,
    "copies of a small object": _many_copies,
    "small versions": _small_versions,
    "a List": _listed,
    "text items of a List": lambda n: _text({"kind": "List", "items": ["x"] * (n // 4)}),
    "empty objects": lambda n: f"{_VERSION_HEAD}---\n" * (n // 70),
    "nothing but kinds": lambda n: "kind: Pipeline\n---\n" * (n // 19),
    "no mappings": lambda n: "- a\n---\n" * (n // 8),
    "deep object": lambda n: _text(version(json.loads("[" * 150 + "]" * 150))) + " " * n,
    "chain of tasks": _chain,
    "cycle of tasks": _cycle,
    "nested components": _nested_components,
    "all tasks depend on all": _all_depend,
    "unused components": lambda n: _wide_map(
        n, "spec.pipelineSpec.components", lambda i: f"x{i}", {"executorLabel": "e"}, 55
    ),
    "unused executors": lambda n: _wide_map(
        n, "spec.pipelineSpec.deploymentSpec.executors", lambda i: f"x{i}", {}, 25
    ),
    "empty components": lambda n: _wide_map(
        n, "spec.pipelineSpec.components", lambda i: f"x{i}", {}, 20
    ),
    "tasks without components": lambda n: _wide_map(
        n, "spec.pipelineSpec.root.dag.tasks", lambda i: f"x{i}", {}, 20
    ),
    "tasks of no mapping": lambda n: _wide_map(
        n, "spec.pipelineSpec.root.dag.tasks", lambda i: f"x{i}", 1, 20
    ),
    "unknown fields": lambda n: _wide_map(n, "spec.pipelineSpec.root", lambda i: f"x{i}", 1, 15),
    "unknown fields of the spec": lambda n: _wide_map(n, "spec.more", lambda i: f"x{i}", 1, 15),
    "annotations": lambda n: _wide_map(n, "metadata.annotations", lambda i: f"a/{i}", "x", 18),
    "wrong annotations": lambda n: _wide_map(
        n, "metadata.annotations", lambda i: f"a b/{i}", 1, 18
    ),
    "wrong labels": lambda n: _wide_map(n, "metadata.labels", lambda i: f"a b/{i}", "x y", 22),
    "number labels": lambda n: _wide_map(n, "metadata.labels", lambda i: f"a{i}", 1, 18),
    "tags": lambda n: _wide_map(n, "spec.tags", lambda i: f"a b {i}", 1, 18),
    "finalizers": lambda n: _yaml(
        {**_HEAD, "metadata": {"name": "x", "finalizers": ["a b"] * (n // 6)}, "spec": {}}
    ),
    "distinct owners": lambda n: _yaml(
        {
            **_HEAD,
            "metadata": {"name": "x", "ownerReferences": [{"uid": f"{i}"} for i in range(n // 16)]},
            "spec": {},
        }
    ),
    "managed fields": lambda n: _yaml(
        {**_HEAD, "metadata": {"name": "x", "managedFields": [1] * (n // 4)}, "spec": {}}
    ),
    "unknown fields of the metadata": lambda n: _wide_map(
        n, "metadata", lambda i: f"nam{i}", 1, 14
    ),
    "unknown fields of the object": lambda n: "".join(
        [_VERSION_HEAD, *(f"spe{i}: 1\n" for i in range(n // 12))]
    ),
    "null tags": lambda n: _wide_map(n, "spec.tags", lambda i: f"a{i}", None, 18),
    "tags of objects": lambda n: _wide_map(n, "spec.tags", lambda i: f"a{i}", {"b": 1}, 25),
    "next lines": lambda n: _wide_map(n, "metadata.annotations", lambda i: f"a{i}", "\x85", 22),
    "long labels": lambda n: _wide_map(n, "metadata.labels", lambda i: f"a{i}", "x y" * 3000, 9000),
    "long name": lambda n: _yaml({**_HEAD, "metadata": {"name": "x y" * (n // 3)}, "spec": {}}),
    "long version name": lambda n: _yaml(
        version({}) | {"spec": {"pipelineName": "x y" * (n // 6), "versionName": "x y" * (n // 6)}}
    ),
    "owners": lambda n: _yaml(
        {**_HEAD, "metadata": {"name": "x", "ownerReferences": [{}] * (n // 5)}, "spec": {}}
    ),
    "lost quotes": _unquoted,
    "octal keys": lambda n: _wide_map(
        n, "spec.pipelineSpec.root.inputDefinitions", lambda i: f"0o{i:o}", 1, 18
    ),
    "boolean keys": lambda n: (
        _yaml(version({"x": [{"true": 1}] * (n // 20)}))
        .replace('"true"', "y")
        .replace("'true'", "y")
    ),
    "placeholders": _placeholders,
    "placeholders without an end": _placeholder_starts,
    "values of any kind": lambda n: _yaml(version({"x": list(range(n // 12))})),
    "Struct of a platform": lambda n: _yaml(
        version(pipeline_spec({}, {}), 0, {"platforms": {"kubernetes": {"x": [1] * (n // 10)}}})
    ),
}


@dataclass(frozen=True)
class Cost:
    """What one input took: seconds of processor time by step, and the greatest resident set."""

    seconds: dict[str, float]
    mebibytes: float
    words: str


def costs(text: str | bytes, steps: tuple[str, ...] = ("validate", *RENDERERS, "fmt")) -> Cost:
    """Measure an input in a forked process of its own.

    Raises:
        AssertionError: The process was killed.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(read)
            seconds, words = _steps(text, steps)
            row = json.dumps([seconds, words]).encode()
            os.write(write, row)
            code = 0
        except BaseException:  # noqa: BLE001 (whatever it is, it is told)
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        data = file.read()
    _, status, usage = os.wait4(child, 0)
    if status:
        raise AssertionError(f"the process ended with {os.waitstatus_to_exitcode(status)}")
    seconds, words = json.loads(data)
    return Cost(seconds, usage.ru_maxrss / 1024, words)


def _steps(text: str | bytes, steps: tuple[str, ...]) -> tuple[dict[str, float], str]:
    from kfp_k8s_manifest.errors import KfpK8sError
    from kfp_k8s_manifest.render import render
    from kfp_k8s_manifest.validation.files import validate_text

    resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (HANG_SECONDS, HANG_SECONDS))
    seconds: dict[str, float] = {}

    def timed(name: str, function: Callable[[], Any]) -> Any:
        if name not in steps:
            return None
        start = time.process_time()
        try:
            return function()
        finally:
            seconds[name] = time.process_time() - start

    report = timed("validate", lambda: validate_text(text, target="2.17"))
    words = f"{len(report.findings)} findings"
    if report.findings:
        words += f", first {report.findings[0].rule}"
    for name in RENDERERS:
        timed(name, lambda name=name: render(report, name).encode("utf-8", "backslashreplace"))

    def fix() -> None:
        from kfp_k8s_manifest.validation.repair import repair

        given = text if isinstance(text, str) else text.decode("utf-8", "replace")
        try:
            repair(given)
        except KfpK8sError as error:
            del error

    timed("fmt", fix)
    return seconds, words


def main() -> int:
    """Measure the families; return 1 where one takes too much."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bytes", type=int, default=1_000_000)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    worst = 0
    import kfp_k8s_manifest.render
    import kfp_k8s_manifest.validation.files  # noqa: F401 (once, before forking)

    for name in options.names or FAMILIES:
        text = FAMILIES[name](options.bytes)
        try:
            cost = costs(text)
        except AssertionError as error:
            print(f"FAILED   {name}: {error}", flush=True)
            worst = 1
            continue
        over = max(cost.seconds.values()) > 2 or cost.mebibytes > 512
        worst |= over
        times = " ".join(
            f"{step} {value:.2f}" for step, value in cost.seconds.items() if value > 0.2
        )
        print(
            f"{'OVER' if over else '':8} {name} ({len(text) / 1e6:.1f} MB): {cost.words};"
            f" {cost.mebibytes:.0f} MiB {times}",
            flush=True,
        )
    return worst


if __name__ == "__main__":
    sys.exit(main())
