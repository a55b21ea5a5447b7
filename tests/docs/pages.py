"""Runs the examples of a Markdown page, block after block, in one folder.

How a fenced block is run depends on its language:

* any language with `title="NAME"`: written to that file;
* `python`: executed, in one namespace for the whole page;
* `pycon`: the same with prompts, as a doctest;
* `console`: the lines after `$ ` are run by a shell, what follows is what they print;
* `shell`: run by a shell, and has to succeed;
* `sh`: not run, for what needs a server or a repository of the reader's;
* `yaml`, `json`: has to parse.

A shell block that uses a program that is not there (see `absent`) is not run. In expected output
`...` stands for anything. The digest in a version's name and the numbers of lines depend on the
release of kfp that compiles: with the pinned one they are compared, with another they may differ.
"""

from __future__ import annotations

import doctest
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from tools.docs_copy import console_commands

_FENCE = re.compile(r"^( *)```(\w+)([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
DIGEST = re.compile(r"(?<=-)[a-z2-7]{10}\b|^[a-z2-7]{10}$", re.MULTILINE)
_PLACES = (
    re.compile(r"(?<=\.yaml):\d+:\d+(?=:)"),
    re.compile(r"^ *\d+(?= \|)", re.MULTILINE),
    re.compile(r"^ +(?=\|)", re.MULTILINE),
    re.compile(r"^\d[\d,]*[acd]\d[\d,]*$", re.MULTILINE),
)
_KFP = re.compile(r"\bkfp(==|-)\d+\.\d+\.\d+")

_PINS = Path(__file__).parents[2] / "requirements" / "constraints.txt"
# Whether the pages were written with the kfp that is installed.
EXACT = f"kfp=={metadata.version('kfp')}" in _PINS.read_text(encoding="utf-8").splitlines()


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of code.

    Attributes:
        language: Its language.
        title: The file that it stands for, or "".
        line: Its one-based line in the page.
        text: What is in it.
    """

    language: str
    title: str
    line: int
    text: str


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        indent, language, attributes, body = match.groups()
        title = re.search(r'title="([^"]+)"', attributes)
        yield Block(
            language=language,
            title=title[1] if title else "",
            line=text.count("\n", 0, match.start()) + 1,
            text=re.sub(rf"^{indent}", "", body, flags=re.MULTILINE),
        )


class Runner:
    """Runs the blocks of one page.

    Args:
        page: The page.
        folder: Where its files are written and its commands run.
        absent: Programs whose blocks are not run.
        environment: What the shell sees.
        exact: Whether what depends on the release of kfp has to be as the page says.

    Attributes:
        updates: What the page prints, each with the same text under the digests of now.
    """

    def __init__(
        self,
        page: Path,
        folder: Path,
        *,
        absent: frozenset[str],
        environment: Mapping[str, str],
        exact: bool = EXACT,
    ) -> None:
        self.page = page
        self.folder = folder
        self.absent = absent
        self.environment = dict(environment)
        self.exact = exact
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.updates: list[tuple[str, str]] = []
        self.ran = 0

    def run(self) -> None:
        """Run all blocks, in order.

        Raises:
            AssertionError: One of them fails or prints something else; the text says which.
        """
        for block in blocks(self.page):
            where = f"{self.page.name}:{block.line}"
            if block.title:
                path = self.folder / block.title
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text, encoding="utf-8")
            elif block.language in ("python", "pycon"):
                self._python(block, where)
            elif block.language in ("console", "shell"):
                self._shell(block, where)
            elif block.language == "json":
                json.loads(block.text)
            if block.language == "yaml":
                list(yaml.safe_load_all(block.text))

    def _python(self, block: Block, where: str) -> None:
        self.ran += 1
        # A notebook's magic, as the function that it calls.
        text = block.text.replace(
            "%load_ext kfp_k8s_manifest", "import kfp_k8s_manifest; kfp_k8s_manifest.install()"
        )
        assert (">>> " in text) == (block.language == "pycon"), f"{where}: prompts are pycon's"
        if block.language == "python":
            # A file of its own, so that kfp finds the source of components.
            path = self.folder / f"_block_{block.line}.py"
            path.write_text(text, encoding="utf-8")
            # This file's `from __future__` imports are not the page's.
            exec(compile(text, str(path), "exec", dont_inherit=True), self.names)
            return
        test = doctest.DocTestParser().get_doctest(text, self.names, where, str(self.page), 0)
        told: list[str] = []
        runner = doctest.DocTestRunner(_Checker(), optionflags=doctest.ELLIPSIS)
        runner.run(test, out=told.append, clear_globs=False)
        self.names.update(test.globs)
        assert not runner.failures, "".join(told)

    def _shell(self, block: Block, where: str) -> None:
        pairs = list(commands(block))
        if any(uses(command, self.absent) for command, _ in pairs):
            return
        for command, expected in pairs:
            self.ran += 1
            done = subprocess.run(
                ["sh", "-c", command],
                cwd=self.folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=120,
                check=False,
            )
            told = f"{where}: {command}\n{done.stdout}"
            # Where the page shows an error or a difference, the command fails.
            shows_failure = re.search(
                r"\b[Ee]rror|not valid", expected or ""
            ) or command.startswith("diff ")
            assert done.returncode == 0 or shows_failure, told
            if expected is not None:
                assert matches(expected, done.stdout, exact=self.exact), (
                    f"{told}\nis not what the page says:\n{expected}"
                )
                self.updates.append((expected, updated(expected, done.stdout)))


def commands(block: Block) -> Iterator[tuple[str, str | None]]:
    """Yield the commands of a block, each with what it has to print; None where that is open."""
    if block.language == "shell":
        yield block.text, None
    else:
        yield from console_commands(block.text)


def uses(command: str, programs: frozenset[str]) -> bool:
    """Tell whether a command runs one of some programs."""
    for line in re.split(r"[\n|;]|&&", command.replace("\\\n", " ")):
        words = [word for word in line.split() if "=" not in word]
        if words and Path(words[0]).name in programs:
            return True
    return False


def normal(text: str, *, exact: bool = EXACT) -> str:
    """Return a text without trailing blanks; unless exact, with what depends on kfp made alike."""
    if not exact:
        text = _KFP.sub(r"kfp\1X", DIGEST.sub("DIGEST", text))
        for pattern in _PLACES:
            text = pattern.sub("PLACE", text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def matches(expected: str, actual: str, *, exact: bool = EXACT) -> bool:
    """Tell whether an output is what a page says; `...` stands for anything."""
    parts = [re.escape(part) for part in normal(expected, exact=exact).split("...")]
    return re.fullmatch(".*".join(parts), normal(actual, exact=exact), re.DOTALL) is not None


def updated(expected: str, actual: str) -> str:
    """Return what a page prints, with each digest as it is in an output that matches it."""
    pattern = re.escape(normal(expected, exact=False)).replace(r"\.\.\.", ".*")
    for mask, digits in (
        ("DIGEST", "([a-z2-7]{10})"),
        ("PLACE", "[^\n]*?"),
        ("kfp==X", "kfp==.*?"),
    ):
        pattern = pattern.replace(mask, digits)
    found = re.fullmatch(pattern.replace(r"kfp\-X", "kfp-.*?"), normal(actual, exact=True), re.S)
    digests = iter(found.groups() if found else ())
    return DIGEST.sub(lambda old: next(digests, old[0]), expected)


class _Checker(doctest.OutputChecker):
    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return super().check_output(normal(want), normal(got), optionflags)


def shell_environment(home: Path, root: Path, **more: str) -> dict[str, str]:
    """Return the environment of the shell, in which `kfp-k8s` is this project's.

    Args:
        home: A folder for the program and what the shell takes for the user's home.
        root: The project's root.
        **more: Further variables.
    """
    programs = home / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    starts = {
        "kfp": "-c 'from kfp.cli.__main__ import main; main()'",
        "kfp-k8s": "-m kfp_k8s_manifest",
        "python": "",
    }
    for name, start in starts.items():
        script = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {start} "$@"\n'
        (programs / name).write_text(script, encoding="utf-8")
        (programs / name).chmod(0o755)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("KFP")}
    return {
        **kept,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "NO_COLOR": "1",
        **more,
    }
