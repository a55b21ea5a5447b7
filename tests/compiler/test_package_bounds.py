"""A package of IR may come from anywhere: reading it runs nothing, and is bounded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kfp_k8s_manifest.compiler.sources import read_package
from kfp_k8s_manifest.errors import SourceError
from tests.conftest import Run

PACKAGE = "pipelineInfo: {name: a}\nschemaVersion: 2.1.0\nroot: {dag: {tasks: {}}}\nx: "
TOO_MUCH = (
    "more than 150,000 keys and values, those that aliases stand for included; a pipeline of that"
    " size fits into no cluster"
)
NO_NUMBER = "x.yaml: a date or number that is none: "


def bomb(levels: int) -> str:
    lines = ["", "  a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (bomb(6), f"x.yaml:10: {TOO_MUCH}"),
        # `<<` copies as aliases do.
        (f"&a {{{', '.join(f'k{n}: 1' for n in range(1000))}}}\ny: {{<<: [{'*a, ' * 80}]}}", f"x.yaml:5: {TOO_MUCH}"),
        ("[" + "a," * 150_001 + "]", f"x.yaml:4: {TOO_MUCH}"),
        ("1\n" + "---\n" * 8000, f"x.yaml:7146: {TOO_MUCH}"),
        ("&a [*a]", "x.yaml:4: the anchor &a contains itself"),
        ("[" * 100_000, "x.yaml:4: nested deeper than 200 levels"),
        ("{a: " * 100_000, "x.yaml:4: nested deeper than 200 levels"),
        ("!!bool abc", "x.yaml:4: the tag 'tag:yaml.org,2002:bool', which no package of IR has; leave it out"),
        ("!!int ''", "x.yaml:4: the tag 'tag:yaml.org,2002:int', which no package of IR has; leave it out"),
        ("!!python/object/apply:os.getcwd []", ("x.yaml:4: the tag 'tag:yaml.org,2002:python/object/apply:os.getcwd',"
         " which no package of IR has; leave it out")),
        # Keys of equal hashes, and a number whose reading takes the square of its length.
        (f"{{{2**61 - 1}: a}}", "x.yaml:4: a mapping has the key 2305843009213693951, which is not a string; quote it"),
        ("{? 0x" + "f" * 500 + " : a}", f"x.yaml:4: a mapping has the key 0x{'f' * 38}, which is not a string; quote it"),
        ("1" + ":1" * 1_000_000, f"x.yaml:4: the number {'1:' * 20}… in base 60 is too long; quote it"),
        ("0x" + "f" * 1000, f"x.yaml:4: the number 0x{'f' * 38}… is longer than any in JSON; quote it"),
        ("9" * 401, f"x.yaml:4: the number {'9' * 40}… is longer than any in JSON; quote it"),
        ("2020-99-99", f"{NO_NUMBER}month must be in 1..12; quote it to make it a string"),
        ("0x_", f"{NO_NUMBER}invalid literal for int() with base 16: ''; quote it to make it a string"),
    ],
)  # fmt: skip
def test_what_is_dear_to_read_is_refused(value: str, message: str) -> None:
    for text in (PACKAGE + value + "\n", (PACKAGE + value + "\n").encode()):
        with pytest.raises(SourceError) as caught:
            read_package(text, source="x.yaml")
        assert str(caught.value) == message


def test_what_packages_hold_is_read() -> None:
    deep = "[" * 199 + "]" * 199
    text = (
        (
            f"{PACKAGE}&a {{k: '08', ? !!str 7 : !!seq [{'9' * 309}, 1:30, 2020-01-01x, *b]}}\n"
            f"deep: {deep}\n"
        )
        .replace(", *b", "")
        .replace("&a {k", "&a {<<: {n: 1}, k")
    )
    spec = read_package(text, source="x.yaml").pipeline_spec
    assert spec["x"] == {"n": 1, "k": "08", "7": [int("9" * 309), 90, "2020-01-01x"]}
    many = {"x": {f"key-{number}": "v" for number in range(70_000)}}
    text = PACKAGE.removesuffix("x: ") + json.dumps(many)[1:-1]
    assert len(read_package(text, source="x.yaml").pipeline_spec["x"]) == 70_000


def test_the_command_ends_in_time(kfp_k8s: Run, tmp_path: Path) -> None:
    """Before, the first took all memory that there is, and the second ended in a crash."""
    (tmp_path / "bomb.yaml").write_text(f"{PACKAGE}{bomb(9)}\n")
    (tmp_path / "deep.json").write_text("[" * 1_000_000)
    done = kfp_k8s("compile", "bomb.yaml", "deep.json", "-o", "out/")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"Error: bomb.yaml:10: {TOO_MUCH}\nError: deep.json:1: nested deeper than 200 levels\n"
    )
