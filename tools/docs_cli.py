"""Writes the reference page of the command line from the commands themselves, when mkdocs builds.

A hook of mkdocs. It reads the click commands, so that the page says what `--help` says.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import click

_INTRO = """# Command line

Every command answers to `--help`. `kfp-k8s completion bash` (or `zsh`, `fish`) prints what completes commands and
options in a shell.
"""


def page(root: click.Group, name: str) -> str:
    """Return the page's Markdown.

    Args:
        root: The group of all commands.
        name: The program's name.
    """
    return "\n".join([_INTRO, *_sections(root, click.Context(root, info_name=name), depth=1)])


def _sections(command: click.Command, context: click.Context, *, depth: int) -> Iterator[str]:
    if depth > 1:
        yield f"{'#' * depth} {context.command_path}\n"
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        # click keeps the lines of a paragraph that begins with \b, as a fenced block does.
        kept = paragraph.lstrip().startswith("\b")
        text = re.sub(r"^ *\x08\n", "", paragraph)
        yield f"```text\n{text}\n```\n" if kept else f"{_escaped(text)}\n"
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"```text\n{usage}\n```\n"
    if depth > 1:
        yield from _options(command, context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None and not inner.hidden:
                inside = click.Context(inner, info_name=name, parent=context)
                yield from _sections(inner, inside, depth=depth + 1)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    rows = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is None or not record[1] or "--help" in parameter.opts:
            continue
        variable = getattr(parameter, "envvar", None)
        more = f" Environment: `{variable}`." if isinstance(variable, str) else ""
        # A bar inside a code span does not end the cell.
        rows.append(f"| `{record[0]}` | {_cell(_escaped(record[1]))}{more} |")
    if rows:
        yield "\n".join(["| option | meaning |", "|---|---|", *rows]) + "\n"


def _escaped(text: str) -> str:
    """Keep braces and stars of a help text from being read as Markdown."""
    return re.sub(r"([*_<\[])", r"\\\1", text).replace("{", "&#123;")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def on_files(files: Any, config: Any) -> Any:
    """Add the page to the site; mkdocs calls this."""
    from mkdocs.structure.files import File

    from kfp_k8s_manifest.cli import cli

    files.append(File.generated(config, "reference/cli.md", content=page(cli, "kfp-k8s")))
    return files
