"""How commands write their results: the one way to standard output and to files."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import click

from kfp_k8s_manifest.cli._options import PATH
from kfp_k8s_manifest.errors import OutputError, UsageError

__all__ = [
    "emit",
    "force_option",
    "output_option",
    "write_documents",
    "write_output",
    "write_outputs",
]

F = TypeVar("F", bound=Callable[..., Any])

# A line that a manifest may have at its left edge: a key, a list's item, a mark, a comment.
_YAML_LINE = re.compile(
    rb"(?:[A-Za-z_][^\s:]*|\"[^\"\n]*\"|'[^'\n]*'):(?:[ \t\r].*)?|- .*|-|---.*|\.\.\.|%.*|#.*|[ \t\r].*|"
)
# The keys of a manifest, of IR and of a JSON Schema.
_KEYS = ("apiVersion", "kind"), ("pipelineInfo", "schemaVersion"), ("$schema", "properties")
_TOP_KEY = re.compile(rb"^[\"']?(\w+)[\"']?:", re.MULTILINE)
# What kfp writes above IR, whatever it spills into the lines below.
_KFPS_HEADERS = (b"# PIPELINE DEFINITION", b"# COMPONENT DEFINITION")


def output_option(function: F) -> F:
    """Add `-o` and `--force` to a command."""
    return click.option(
        "-o",
        "--output",
        default="-",
        type=PATH,
        metavar="FILE|-",
        help="Where to write; '-' is the standard output; .json writes JSON.",
    )(force_option(function))


def force_option(function: F) -> F:
    """Add `--force` to a command."""
    return click.option(
        "--force", is_flag=True, help="Replace a file that this program has not written."
    )(function)


def write_documents(documents: Sequence[Any], output: str, *, force: bool) -> None:
    """Write objects as YAML documents, or as JSON.

    Args:
        documents: The objects.
        output: A file, or `-` for the standard output.
        force: Replace whatever stands there.

    Raises:
        OutputError: The file cannot be written, or holds something else.
    """
    from kfp_k8s_manifest.manifests import to_json, to_yaml

    text = (to_json if output.endswith(".json") else to_yaml)(documents)
    write_output(text, output, force=force)


def write_output(text: str, output: str, *, force: bool, inputs: Iterable[str] = ()) -> None:
    """Write a text to a file, or to the standard output for `-`.

    Args:
        text: The whole text.
        output: The file, or `-`.
        force: Replace whatever stands there.
        inputs: The files that the command was given to read.

    Raises:
        OutputError: It cannot be written, or holds something else.
        UsageError: The file is one of the inputs, or its name is that of source code.
    """
    if output == "-":
        emit(text)
    else:
        write_outputs({output: text}, force=force, inputs=inputs)


def write_outputs(texts: Mapping[str, str], *, force: bool, inputs: Iterable[str] = ()) -> None:
    """Write several files, all or none.

    Args:
        texts: The whole text of each file.
        force: As for `write_output`.
        inputs: As for `write_output`.

    Raises:
        OutputError: One cannot be written, or holds something else.
        UsageError: As for `write_output`.
    """
    from kfp_k8s_manifest.files import is_descriptor, write_texts

    files = [output for output in texts if not is_descriptor(output)]
    _require_no_input(files, inputs)
    if not force:
        _require_replaceable(files)
    for note in write_texts(texts):
        click.echo(f"warning: {note}", err=True)


def emit(text: str) -> None:
    """Write a result to the standard output: in UTF-8, whatever the terminal is set to.

    Raises:
        OSError: It cannot be written. The program's entry point tells it.
    """
    stream = sys.stdout
    buffer = getattr(stream, "buffer", None)
    if buffer is None or stream.isatty():
        click.echo(text, nl=False, color=True)
        return
    stream.flush()
    buffer.write(text.encode("utf-8", "backslashreplace"))
    buffer.flush()


def _require_no_input(outputs: Iterable[str], inputs: Iterable[str]) -> None:
    """Refuse to replace what was read."""
    read = [(given, _stat(given)) for given in inputs if given != "-"]
    for output in outputs:
        there = _stat(output)
        for given, found in read:
            same = found is not None and there is not None and os.path.samestat(found, there)
            if same and os.path.isfile(output):  # noqa: PTH113
                raise UsageError(
                    f"the output {output} is the source {given}; choose another name for it"
                )


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(os.path.expanduser(path))  # noqa: PTH111, PTH116
    except OSError:
        return None


def _require_replaceable(outputs: Iterable[str]) -> None:
    """Refuse to replace a file that this program would not have written.

    Args:
        outputs: The files that will be written.

    Raises:
        OutputError: One exists and holds neither manifests nor IR nor a schema.
    """
    for output in outputs:
        path = os.path.expanduser(output)  # noqa: PTH111
        if not os.path.isfile(path):  # noqa: PTH113
            continue
        try:
            with open(path, "rb") as file:  # noqa: PTH123 (pathlib costs at start)
                data = file.read()
        except OSError:
            # Whoever writes it will say why it cannot.
            continue
        if not _is_ours(data):
            raise OutputError(
                f"{output} exists, and holds nothing that this program writes; choose another name,"
                " or pass --force to replace it"
            )


def _is_ours(data: bytes) -> bool:
    """Tell whether a file may be replaced: manifests, IR, or nothing at all.

    It is looked at line by line, not read as YAML, since that would take longer than compiling.
    """
    if not data.strip() or data.startswith(_KFPS_HEADERS):
        return True
    if data.lstrip().startswith(b"{"):
        import json

        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            return False
        return any(all(key in found for key in keys) for keys in _KEYS)
    if not all(_YAML_LINE.fullmatch(line) for line in data.split(b"\n")):
        return False
    names = {name.decode() for name in _TOP_KEY.findall(data)}
    return any(names.issuperset(keys) for keys in _KEYS)
