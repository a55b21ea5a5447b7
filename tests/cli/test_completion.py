"""The shells complete what is typed: tried in the real ones, through a terminal of their own."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from kfp_k8s_manifest.cli import cli
from tests.conftest import ROOT

# How each shell is started without the user's settings, and told to complete.
SHELLS = {
    "bash": (["--norc", "--noprofile"], 'eval "$(kfp-k8s completion bash)"'),
    "zsh": (["-f"], 'autoload -U compinit; compinit -u -D; eval "$(kfp-k8s completion zsh)"'),
    "fish": (["--no-config"], "kfp-k8s completion fish | source"),
}

# How a parameter says that it takes a path, and those that say so of something else.
SAYS_PATH = re.compile(r"\b(FILE|DIR|FOLDER|PATH|SOURCE)\b|\b[Ff](ile|older)s?\b|\bWhere to write")
OF_SOMETHING_ELSE = {"database_url", "environment", "exclude", "name"}


class Shell:
    """An interactive shell, in which `kfp-k8s` notes its arguments instead of running.

    Args:
        name: Its program.
        folder: Where it stands.
        home: A folder for the program and the shell's own files.
    """

    def __init__(self, name: str, folder: Path, home: Path) -> None:
        import pexpect

        self._noted = home / "arguments"
        program = home / "bin" / "kfp-k8s"
        program.parent.mkdir(parents=True)
        real = f"{shlex.quote(sys.executable)} -m kfp_k8s_manifest"
        noted = shlex.quote(str(self._noted))
        program.write_text(
            "#!/bin/sh\n"
            f'if [ -n "$_KFP_K8S_COMPLETE" ] || [ "$1" = completion ]; then exec {real} "$@"; fi\n'
            f"printf '%s\\0' \"$@\" > {noted}.new; mv {noted}.new {noted}\n",
            encoding="utf-8",
        )
        program.chmod(0o755)
        options, setup = SHELLS[name]
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("KFP")},
            "HOME": str(home),
            "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "TERM": "xterm",
        }
        self._child = pexpect.spawn(
            name, options, cwd=str(folder), env=environment, encoding="utf-8", timeout=60
        )
        self._child.delaybeforesend = None
        self._shown = ""
        self._quiet = pexpect.TIMEOUT
        self._child.send(f"{setup}\r")

    def complete(self, line: str) -> list[str]:
        """Type a line, complete its last word, run it, and return the program's arguments."""
        self._noted.unlink(missing_ok=True)
        # A shell reads the end of the line only after it has completed.
        self._child.send(f"kfp-k8s {line}\t\r")
        until = time.monotonic() + 60
        while not self._noted.exists():
            # A shell waits for whoever reads what it shows, once that is much.
            with contextlib.suppress(self._quiet):
                self._shown += self._child.read_nonblocking(100_000, timeout=0.02)
            assert time.monotonic() < until, self._shown
        *arguments, last, _ = self._noted.read_text(encoding="utf-8").split("\0")
        # zsh takes a folder's slash back when the line ends there.
        return [*arguments, last.rstrip("/")]

    def close(self) -> None:
        self._child.close(force=True)


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shell]:
    if sys.platform == "win32":
        pytest.skip("these shells and their terminals are Unix's")
    if shutil.which(request.param) is None:
        message = f"needs the program {request.param}, such as from apt-get install {request.param}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    folder = tmp_path / "work"
    (folder / "manifests").mkdir(parents=True)
    for name in ("pipeline.py", "manifests/train.yaml", "with blank.yaml", "config"):
        (folder / name).touch()
    started = Shell(request.param, folder, tmp_path / "home")
    yield started
    started.close()


def test_words_and_paths(shell: Shell) -> None:
    assert shell.complete("valid") == ["validate"]
    assert shell.complete("compile --tar") == ["compile", "--target"]
    assert shell.complete("compile --target port") == ["compile", "--target", "portable"]
    assert shell.complete("compile --target=port") == ["compile", "--target=portable"]
    assert shell.complete("explain image-lat") == ["explain", "image-latest"]
    assert shell.complete("compile pip") == ["compile", "pipeline.py"]
    assert shell.complete("compile ./pip") == ["compile", "./pipeline.py"]
    assert shell.complete("validate manifests/tr") == ["validate", "manifests/train.yaml"]
    assert shell.complete("validate with") == ["validate", "with blank.yaml"]
    assert shell.complete("validate pipeline.py mani") == ["validate", "pipeline.py", "manifests"]
    assert shell.complete("validate 'with blank.yaml' --format=js")[-1] == "--format=json"
    assert shell.complete("compile --label a=b pip") == ["compile", "--label", "a=b", "pipeline.py"]
    assert shell.complete("validate -n a --kubeconfig con")[-1] == "config"
    assert shell.complete("compile pipeline.py -o manifests/tr")[-1] == "manifests/train.yaml"
    assert shell.complete("compile pipeline.py --output=manifests/tr")[-1] == (
        "--output=manifests/train.yaml"
    )


def path_parameters() -> Iterator[tuple[str, str]]:
    """Yield what to type before each path that a command takes, and the parameter's name."""
    for words, command in commands(cli, click.Context(cli)):
        for parameter in command.params:
            if kind_of_completion(command, parameter) in ("file", "dir"):
                option = f" {parameter.opts[0]}" if isinstance(parameter, click.Option) else ""
                yield f"{words}{option}", parameter.name or ""


def commands(
    group: click.Group, context: click.Context, words: str = ""
) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            if command.invoke_without_command:
                yield f"{words}{name}", command
            inside = click.Context(command, info_name=name, parent=context)
            yield from commands(command, inside, f"{words}{name} ")
        else:
            yield f"{words}{name}", command


def kind_of_completion(command: click.Command, parameter: click.Parameter) -> str:
    items = parameter.shell_complete(click.Context(command), "x")
    return items[0].type if items else ""


def test_every_path_of_every_command(shell: Shell) -> None:
    typed = list(path_parameters())
    assert len(typed) > 15
    for words, _ in typed:
        assert shell.complete(f"{words} mani")[-1] == "manifests", words


def test_what_says_that_it_is_a_path_completes_as_one() -> None:
    texts = [
        (words, parameter)
        for words, command in commands(cli, click.Context(cli))
        for parameter in command.params
        if isinstance(parameter.type, type(click.STRING))
    ]
    assert len(texts) > 30
    for words, parameter in texts:
        said = f"{parameter.metavar or ''} {getattr(parameter, 'help', None) or ''}"
        if parameter.name not in OF_SOMETHING_ELSE:
            assert not SAYS_PATH.search(said), f"{words}: {parameter.name} has no type PATH: {said}"
