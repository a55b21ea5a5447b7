"""What a SOURCE may be: modules in and out of packages, notebooks, folders; and what it may not."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from kfp_k8s_manifest.compiler.sources import ACCEPTED
from tests.compiler.snippets import PIPELINE, write
from tests.conftest import Run


def names(text: str) -> list[str]:
    return [item["metadata"]["name"] for item in yaml.safe_load_all(text)]


def compiled(kfp_k8s: Run, *arguments: str, **options: object) -> list[str]:
    done = kfp_k8s("compile", *arguments, "--only", "pipeline", **options)
    assert done.returncode == 0, done.stderr
    return names(done.stdout)


def test_relative_imports_work_inside_a_package(kfp_k8s: Run, tmp_path: Path) -> None:
    write(tmp_path, "top/__init__.py", "WHERE = __name__\n")
    write(tmp_path, "top/common.py", "NAME = 'relative'\n")
    write(tmp_path, "top/inner/__init__.py", "")
    write(tmp_path, "top/inner/near.py", "NEAR = 1\n")
    write(
        tmp_path,
        "top/inner/train.py",
        "from .. import WHERE\nfrom ..common import NAME\nfrom top.inner import near\n"
        "assert (WHERE, __name__, __package__) == ('top', 'top.inner.train', 'top.inner')\n"
        + PIPELINE,
    )
    # Neighbours are found without the package's name as well, as under kfp's own command.
    write(tmp_path, "top/inner/plain.v2.py", "from near import NEAR\nNAME = 'v2'\n" + PIPELINE)
    write(tmp_path, "top/inner/plain.py", "from near import NEAR\nNAME = 'plain'\n" + PIPELINE)
    assert compiled(kfp_k8s, "top/inner/plain.py", "top/inner/plain.v2.py") == ["plain", "v2"]
    for source in ("top/inner/train.py", "top/inner/train.py:pipeline", "top.inner.train:pipeline"):
        assert compiled(kfp_k8s, source) == ["relative"]
    # From elsewhere, and through the package itself.
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert compiled(kfp_k8s, "../top/inner/train.py", cwd=elsewhere) == ["relative"]
    write(tmp_path, "top/inner/__init__.py", "from .train import pipeline\n")
    for source in ("top/inner/train.py", "top/inner/__init__.py", "top.inner:pipeline"):
        assert compiled(kfp_k8s, source) == ["relative"]


@pytest.mark.parametrize("folder", ["kfp", "json", "yaml", "site-packages", "my-pipelines"])
def test_any_name_of_a_package_does(kfp_k8s: Run, tmp_path: Path, folder: str) -> None:
    write(tmp_path, f"{folder}/__init__.py", "")
    write(tmp_path, f"{folder}/helper.py", "NAME = 'helped'\n")
    write(tmp_path, f"{folder}/train.py", "from helper import NAME\n" + PIPELINE)
    assert compiled(kfp_k8s, f"{folder}/train.py") == ["helped"]


@pytest.mark.parametrize("folder", ["kfp", "site-packages", "kfp_k8s_manifest", "lib/python3.11"])
@pytest.mark.parametrize("packaged", [True, False])
def test_errors_show_the_users_own_lines(
    kfp_k8s: Run, tmp_path: Path, folder: str, packaged: bool
) -> None:
    if packaged:
        write(tmp_path, f"{folder}/__init__.py", "")
    helper = write(tmp_path, f"{folder}/helper.py", "def divide(x):\n    return 1 / x\n")
    code = "import helper\nfrom kfp import dsl\n@dsl.pipeline\ndef p():\n    helper.divide(0)\n"
    file = write(tmp_path, f"{folder}/train.py", code)
    done = kfp_k8s("compile", f"{folder}/train.py")
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if "^" not in line]
    assert lines == [
        f"Error: {folder}/train.py: the module raised ZeroDivisionError",
        "Traceback (most recent call last):",
        f'  File "{file}", line 3, in <module>',
        "    @dsl.pipeline",
        f'  File "{file}", line 5, in p',
        "    helper.divide(0)",
        f'  File "{helper}", line 2, in divide',
        "    return 1 / x",
        "ZeroDivisionError: division by zero",
    ]


def test_a_broken_package_is_told_by_its_own_line(kfp_k8s: Run, tmp_path: Path) -> None:
    write(tmp_path, "top/__init__.py", "import nothing_of_the_kind\n")
    write(tmp_path, "top/train.py", "NAME = 'x'\n" + PIPELINE)
    done = kfp_k8s("compile", "top/train.py")
    assert done.returncode == 1
    assert "top/train.py: the module raised ModuleNotFoundError\n" in done.stderr
    assert '__init__.py", line 1, in <module>\n    import nothing_of_the_kind\n' in done.stderr


def test_modules_by_name_that_are_not_there(kfp_k8s: Run, tmp_path: Path) -> None:
    write(tmp_path, "a/b.py", "import c\n")
    for source, message in (
        ("nothing.here:train", "no module 'nothing', neither in the current folder nor among"),
        ("a.nothing:train", "no module 'a.nothing', neither in the current folder nor among"),
        ("a.b:train", "a.b:train: the module raised ModuleNotFoundError\nTraceback (most recent"),
        ("kfp.dsl:nothing", "kfp.dsl: no pipeline or component 'nothing'; it has: none"),
    ):
        done = kfp_k8s("compile", source)
        assert (done.returncode, done.stdout) == (1, "")
        assert message in done.stderr


def notebook(*cells: str, **metadata: object) -> str:
    content = [
        {"cell_type": "markdown", "source": ["# Title"]},
        *({"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells),
    ]
    return json.dumps({"nbformat": 4, "metadata": metadata, "cells": content})


def test_a_notebook(kfp_k8s: Run, tmp_path: Path) -> None:
    write(tmp_path, "nb/helper.py", "NAME = 'noted'\n")
    write(tmp_path, "nb/image.txt", "alpine:3.20")
    write(
        tmp_path,
        "nb/train.ipynb",
        notebook(
            "%load_ext kfp_k8s_manifest\n!pip install kfp \\\n    --quiet\n",
            "%%bash\nexit 1\n",
            "%%time\nfrom helper import NAME\nif True:\n    %matplotlib inline\n",
            "text = '''\n%not a magic\n!neither\n'''\nrest = (7\n% 4)\nassert rest == 3\nfiles = !ls\n",
            "from kfp import dsl\ndsl.component?\n",
            # The source of the function, which kfp copies into the component.
            "@dsl.component(base_image=open('image.txt').read())\n"
            "def say(text: str) -> str:\n    return text + '%not a magic'\n",
            "@dsl.pipeline(name=NAME)\ndef noted(text: str = 'x'):\n    say(text=text)\n",
            "display(noted.name)\n",
            kernelspec={"language": "python"},
        ),
    )
    for source in ("nb/train.ipynb", "nb/train.ipynb:noted"):
        done = kfp_k8s("compile", source)
        assert done.returncode == 0, done.stderr
        pipeline = next(yaml.safe_load_all(done.stdout))
        assert pipeline["metadata"]["name"] == "noted"
        assert "return text + '%not a magic'" in done.stdout
        assert done.stderr == "noted\n"


def test_what_goes_wrong_in_a_notebook(kfp_k8s: Run, tmp_path: Path) -> None:
    for text, message in (
        (notebook("x = 1\n", "!ls\n1 / 0\n"), 'a.ipynb[cell 3]", line 2, in <module>\n    1 / 0\n'),
        (notebook("def f(:\n"), "the module is not valid Python\n"),
        (notebook("x = 1\n"), "a.ipynb: no pipeline or component; decorate a function"),
        ("{", "a.ipynb: not a notebook: not valid JSON: "),
        ("{}", "a.ipynb: not a notebook of format 4: it has no list of 'cells'"),
        (notebook("x", kernelspec={"language": "R"}), "a.ipynb: a notebook in r; pipelines are"),
    ):
        write(tmp_path, "a.ipynb", text)
        done = kfp_k8s("compile", "a.ipynb")
        assert (done.returncode, done.stdout) == (1, "")
        assert message in done.stderr


def test_a_folder_stands_for_the_pipelines_of_its_modules(kfp_k8s: Run, tmp_path: Path) -> None:
    component = PIPELINE.partition("@dsl.pipeline")[0]
    write(tmp_path, "all/a.py", "NAME = 'a'\n" + PIPELINE)
    write(
        tmp_path,
        "all/two.py",
        "NAME = 'b'\n" + PIPELINE + PIPELINE.replace("def pipe", "def p").replace("NAME", "'b2'"),
    )
    # Not compiled for itself: it is used by main, whose helper has no pipeline either.
    write(tmp_path, "all/part.py", "NAME = 'part'\n" + PIPELINE)
    write(tmp_path, "all/steps.py", component + "# A part of a pipeline.\n")
    write(tmp_path, "all/broken_but_unrelated.py", "1 / 0\n")
    write(
        tmp_path,
        "all/main.py",
        "from kfp import dsl\nimport part, a\nfrom a import pipeline as imported\n"
        "@dsl.pipeline(name='main')\ndef main():\n    part.pipeline()\n",
    )
    write(tmp_path, "all/.hidden.py", "1 / 0  # pipeline\n")
    write(tmp_path, "all/below/c.py", "1 / 0  # pipeline\n")
    for source in ("all", "all/", "./all"):
        assert compiled(kfp_k8s, source) == ["a", "main", "b", "b2"]
    write(tmp_path, "all/z.py", "1 / 0  # pipeline\n")
    done = kfp_k8s("compile", "all", "-o", "out/")
    assert done.returncode == 1
    assert "Error: all/z.py: the module raised ZeroDivisionError" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["empty", "none", "components"])
def test_a_folder_without_pipelines(kfp_k8s: Run, tmp_path: Path, name: str) -> None:
    component = PIPELINE.partition("@dsl.pipeline")[0]
    (tmp_path / "empty").mkdir()
    write(tmp_path, "none/a.py", "x = 1\n")
    write(tmp_path, "components/a.py", component + "# for a pipeline\n")
    messages = {
        "empty": f"empty: a folder without modules (*.py) of its own; {ACCEPTED}",
        "none": "none: none of its 1 modules (*.py) has a pipeline",
        "components": "components: no module in it defines a pipeline; decorate a function with"
        " @dsl.pipeline",
    }
    done = kfp_k8s("compile", name)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: {messages[name]}\n"


WRONG = {
    "train": (None, f"train: no such file; {ACCEPTED}"),
    "https://example.com/a.py": (None, f"https://example.com/a.py: no such file; {ACCEPTED}"),
    "a b:train": (None, f"a b:train: no such file; {ACCEPTED}"),
    "a.ipynb:train": (None, "a.ipynb: no such file"),
    "a.py": (None, "a.py: no such file"),
    "a.txt": ("some words\n", f"a.txt: not a pipeline: the document is 'some words'; {ACCEPTED}"),
    "script": ("#!/usr/bin/env python3\n", "script: Python code; give the file a name that ends"),
    "code": ("import os\nfrom kfp import dsl\n", "code: Python code; give the file a name that"),
    "a.zip": ("PK\x03\x04", "a.zip: a compressed package; unpack it, and compile what is in it"),
    "a.tar.gz": ("\x1f", "a.tar.gz: not valid YAML: "),
    "a.md": ("# Title\n\n* one\n: two\n", "a.md: not valid YAML: "),
    "/dev/zero": (None, "/dev/zero: larger than 16,777,216 bytes, so it was not read"),
}


@pytest.mark.parametrize("source", WRONG)
def test_wrong_sources_are_told_what_is_accepted(kfp_k8s: Run, tmp_path: Path, source: str) -> None:
    text, message = WRONG[source]
    if text is not None:
        write(tmp_path, source, text)
    done = kfp_k8s("compile", source)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"Error: {message}")
    if message.endswith(": "):
        assert done.stderr.endswith(f"; {ACCEPTED}\n")


def test_no_source_at_all(kfp_k8s: Run) -> None:
    done = kfp_k8s("compile")
    assert (done.returncode, done.stderr) == (2, f"Error: no SOURCE given; {ACCEPTED}\n")


def test_a_source_has_a_size_limit_and_may_be_a_pipe(kfp_k8s: Run, tmp_path: Path) -> None:
    os.truncate(write(tmp_path, "large.yaml", ""), 2**24 + 1)
    done = kfp_k8s("compile", "large.yaml")
    assert done.stderr == "Error: large.yaml: larger than 16,777,216 bytes, so it was not read\n"
    os.mkfifo(tmp_path / "pipe")
    text = "pipelineInfo: {name: p}\nroot: {dag: {tasks: {}}}\nschemaVersion: 2.1.0\n"
    writer = subprocess.Popen(["sh", "-c", f"printf '%s' '{text}' > pipe"], cwd=tmp_path)
    assert compiled(kfp_k8s, "pipe") == ["p"]
    writer.wait(10)


def test_function_goes_with_modules(kfp_k8s: Run, tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "a: 1\n")
    write(tmp_path, "all/a.py", "NAME = 'a'\n" + PIPELINE)
    for source, message in (
        ("a.yaml", "a.yaml: --function needs a module, not a package of IR"),
        ("all", "--function goes with a module or a notebook; all/a.py is none"),
        ("all/a.py:pipeline", "--function goes with a module or a notebook; all/a.py:pipeline is"),
    ):
        done = kfp_k8s("compile", source, "--function", "x")
        assert done.returncode == 2
        assert message in done.stderr


KFPS_WRITER = """\
from kfp import dsl
@dsl.container_component
def step(x: str):
    return dsl.ContainerSpec(image="a:1", args=[x])
@dsl.pipeline(name="spilled")
def pipeline(x: str = "one\\n{}"):
    step(x=x)
"""


@pytest.mark.parametrize("rest", ["two: three", "- two", "two", "# two", "'"])
def test_what_kfps_writer_breaks_is_told_and_compiles_from_the_module(
    kfp_k8s: Run, tmp_path: Path, rest: str
) -> None:
    from kfp import compiler

    write(tmp_path, "module.py", KFPS_WRITER.replace("{}", rest))
    namespace: dict[str, object] = {}
    code = compile((tmp_path / "module.py").read_text(), "module", "exec", dont_inherit=True)
    exec(code, namespace)
    compiler.Compiler().compile(namespace["pipeline"], str(tmp_path / "package.yaml"))
    assert compiled(kfp_k8s, "module.py") == ["spilled"]
    if rest.startswith("#"):
        # It spills into a comment of its own accord.
        assert compiled(kfp_k8s, "package.yaml") == ["spilled"]
        return
    done = kfp_k8s("compile", "package.yaml")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "Error: package.yaml:5: this line has spilled out of the comment above it: kfp writes"
        " default values into the comment without marking the lines after their line feeds, which"
        " breaks the package; compile the module instead of its package\n"
    )


@pytest.mark.parametrize("kind", ["component", "container_component", "pipeline"])
def test_annotations_as_text_are_told_by_their_line(
    kfp_k8s: Run, tmp_path: Path, kind: str
) -> None:
    text = (
        f'"""A module."""\n\nfrom __future__ import annotations\n\nfrom kfp import dsl\n\n'
        f"@dsl.{kind}\ndef thing(text: str) -> str:\n    return text\n"
    )
    file = write(tmp_path, "later.py", text)
    done = kfp_k8s("compile", "later.py")
    assert done.returncode == 1
    assert f'File "{file}", line 7, in <module>\n' in done.stderr
    assert done.stderr.endswith(
        f"The cause is `from __future__ import annotations` ({file}, line 3): it turns annotations"
        " into text, and kfp reads types only. Remove that line.\n"
    )


LOOP = """\
from kfp import dsl


@dsl.component(base_image="python:3.12")
def say(text: str):
    print(text)


@dsl.pipeline(name="loop")
def loop(count: int = 1):
"""


def test_a_part_of_an_item_that_kfp_loses_is_told_by_its_cause(
    kfp_k8s: Run, tmp_path: Path
) -> None:
    inside = (
        '    with dsl.ParallelFor([{"a": "1"}]) as item:\n'
        '        with dsl.If(item.a == "1"):\n            say(text=item.a)\n'
    )
    write(tmp_path, "inside.py", LOOP + inside)
    done = kfp_k8s("compile", "inside.py")
    assert done.returncode == 1
    assert done.stderr.endswith(
        "The cause is in kfp: it loses `item.part` of dsl.ParallelFor where a condition or another"
        " group inside of the loop takes it. Pass the whole item to a component that returns the part,"
        " and use what that returns.\n"
    )
    outside = (
        "    with dsl.If(count == 1):\n"
        '        with dsl.ParallelFor([{"a": "1"}]) as item:\n            say(text=item.a)\n'
    )
    write(tmp_path, "outside.py", LOOP + outside)
    done = kfp_k8s("compile", "outside.py", "-o", "out.yaml")
    assert (done.returncode, done.stderr.count("[input-missing]")) == (0, 1)
    told = kfp_k8s("validate", "out.yaml").stdout
    assert (
        "fix: In Python, pass the whole item of dsl.ParallelFor to the task and take its part in the"
        " component: kfp loses `item.part` where the loop stands inside of another group.\n"
    ) in told


def test_a_missing_extra_is_named(kfp_k8s: Run, tmp_path: Path) -> None:
    # What an installation without the extra has: kfp without its part `kubernetes`.
    hide = (
        "import sys, kfp\nsys.modules['kfp.kubernetes'] = None\nkfp.__dict__.pop('kubernetes', 0)\n"
    )
    for code in ("from kfp import kubernetes", "import kfp.kubernetes"):
        write(tmp_path, "a.py", f"{hide}{code}\n")
        done = kfp_k8s("compile", "a.py")
        assert done.returncode == 1
        assert f'a.py", line 4, in <module>\n    {code}\n' in done.stderr
        assert done.stderr.endswith(
            "\nkfp.kubernetes is an extra: pip install 'kfp-k8s-manifest[kubernetes]'\n"
        )
