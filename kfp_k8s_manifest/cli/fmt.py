"""`kfp-k8s fmt`: find the strings that have lost their quotes, and put the quotes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kfp_k8s_manifest.cli._options import PATH, exclude_option, skip_others_option, verbose_option
from kfp_k8s_manifest.errors import OutputError

if TYPE_CHECKING:
    from kfp_k8s_manifest.validation.repairs import Attempt

__all__ = ["fmt"]

_SHOWN = 300
"""Characters of a value or a field that are told."""


@click.command()
@click.argument("paths", nargs=-1, required=True, type=PATH, metavar="PATH...")
@click.option("--fix", is_flag=True, help="Write the files anew.")
@click.option("--check", is_flag=True, help="Exit with 1 if a file needs it.")
@exclude_option
@skip_others_option
@verbose_option
@click.pass_context
def fmt(
    ctx: click.Context,
    paths: tuple[str, ...],
    fix: bool,  # noqa: FBT001 (click passes options by name)
    check: bool,  # noqa: FBT001
    exclude: tuple[str, ...],
    skip_others: bool,  # noqa: FBT001
    verbose: bool,  # noqa: FBT001
) -> None:
    """Find strings in PATH... that Kubernetes reads as numbers or booleans; quote them with --fix.

    PATH is what `validate` takes. Only quotes are added: comments, order and everything else stay
    as they are. With - standard input is read, and with --fix the repaired text is written to
    standard output. What can be repaired is, whatever is wrong with the other files.

    Exit codes: 0 done, 1 a file could not be repaired, or needs it with --check, 2 wrong usage.
    """
    from kfp_k8s_manifest.findings import printable
    from kfp_k8s_manifest.validation.inputs import find_inputs
    from kfp_k8s_manifest.validation.repairs import repair_all
    from kfp_k8s_manifest.yaml.limits import DEFAULT_LIMITS

    limit = DEFAULT_LIMITS.size
    inputs = find_inputs(paths, limit=limit, exclude=exclude, skip_others=skip_others)
    quoted = changed = refused = skipped = 0
    for attempt in repair_all(inputs):
        if attempt.passed_over:
            skipped += 1
            if verbose:
                told = f"skipped {attempt.source.name}: {attempt.passed_over}"
                click.echo(printable(told), err=True)
            continue
        reason = attempt.refused or (_write(attempt) if fix else "")
        if reason:
            refused += 1
            click.echo(printable(f"Error: {reason}"), err=True)
            continue
        assert attempt.repaired is not None
        quoted += len(attempt.repaired.changes)
        changed += bool(attempt.repaired.changes)
        # Where the text itself goes to standard output, what is said of it does not.
        _tell(attempt, err=fix and not attempt.source.in_place)
    click.echo(_summary(quoted, changed, refused, skipped, fix=fix), err=True)
    if refused or (check and quoted):
        ctx.exit(1)


def _write(attempt: Attempt) -> str:
    """Write a repaired text to where it is from; return why that was not possible, or ""."""
    from kfp_k8s_manifest.cli._documents import emit, write_outputs

    assert attempt.repaired is not None
    if not attempt.source.in_place:
        emit(attempt.repaired.text)
    elif attempt.repaired.changes:
        try:
            write_outputs({attempt.source.name: attempt.repaired.text}, force=True)
        except OutputError as error:
            return str(error)
    return ""


def _tell(attempt: Attempt, *, err: bool) -> None:
    from kfp_k8s_manifest.findings import printable, shortened

    assert attempt.repaired is not None
    for change in attempt.repaired.changes:
        what = "key" if change.key else "value"
        where = f" in {shortened(change.field, _SHOWN)}" if change.field else ""
        written, was = shortened(change.written, _SHOWN), shortened(change.was, _SHOWN)
        text = f'{what} {written} (read as {was}) -> "{written}"{where}'
        place = f"{attempt.source.name}:{change.line}:{change.column}"
        click.echo(printable(f"{place}: {text}"), err=err)


def _summary(quoted: int, changed: int, refused: int, skipped: int, *, fix: bool) -> str:
    def files(number: int, kind: str = "") -> str:
        return f"{number:,} {kind}{'file' if number == 1 else 'files'}"

    text = f"{quoted:,} {'quoted' if fix else 'to quote'} in {files(changed)}"
    if refused:
        text += f"; {files(refused)} could not be repaired"
    if skipped:
        text += f"; {files(skipped, 'other ')} skipped"
    return f"{text}."
