"""`kfp-k8s fmt`: find the strings that have lost their quotes, and put the quotes back."""

from __future__ import annotations

import click

from kfp_k8s_manifest.cli._options import PATH

__all__ = ["fmt"]


@click.command()
@click.argument("paths", nargs=-1, required=True, type=PATH, metavar="PATH...")
@click.option("--fix", is_flag=True, help="Write the files anew.")
@click.option("--check", is_flag=True, help="Exit with 1 if a file needs it.")
@click.pass_context
def fmt(
    ctx: click.Context,
    paths: tuple[str, ...],
    fix: bool,  # noqa: FBT001 (click passes options by name)
    check: bool,  # noqa: FBT001
) -> None:
    """Find strings in PATH... that Kubernetes reads as numbers or booleans; quote them with --fix.

    Only quotes are added: comments, order and everything else stay as they are. With - standard
    input is read, and with --fix the repaired text is written to standard output.
    """
    from kfp_k8s_manifest.errors import SourceError
    from kfp_k8s_manifest.files import write_texts
    from kfp_k8s_manifest.reading import STDIN
    from kfp_k8s_manifest.validation.inputs import find_inputs
    from kfp_k8s_manifest.validation.repair import repair
    from kfp_k8s_manifest.yaml.limits import DEFAULT_LIMITS

    limit = DEFAULT_LIMITS.size
    texts: dict[str, str] = {}
    changed = 0
    for each in find_inputs(paths, limit=limit):
        try:
            text = each.read(limit).decode("utf-8")
        except OSError as error:
            raise SourceError(f"{each.name} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise SourceError(f"{each.name} is not UTF-8 text: {error.reason}") from error
        result = repair(text, source=each.name)
        changed += len(result.changes)
        if each.name == STDIN and fix:
            click.echo(result.text, nl=False)
        elif result.changes:
            texts[each.name] = result.text
        for change in result.changes:
            what = "key" if change.key else "value"
            where = f" in {change.field}" if change.field else ""
            click.echo(
                f"{each.name}:{change.line}:{change.column}: {what} {change.written} (read as"
                f' {change.was}) -> "{change.written}"{where}',
                err=each.name == STDIN and fix,
            )
    if fix:
        write_texts({name: text for name, text in texts.items() if name != STDIN})
    done = "quoted" if fix else "to quote"
    click.echo(
        f"{changed} {done} in {len(texts)} {'file' if len(texts) == 1 else 'files'}.", err=True
    )
    if check and changed:
        ctx.exit(1)
