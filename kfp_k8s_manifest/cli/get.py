"""`kfp-k8s get`: pipelines of a cluster with their versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from kfp_k8s_manifest.cli._cluster import cluster_options, connect
from kfp_k8s_manifest.cli._options import PATH, target_option
from kfp_k8s_manifest.errors import UsageError

if TYPE_CHECKING:
    from kfp_k8s_manifest.live.listing import Row

__all__ = ["get"]


@click.command()
@click.argument("pipelines", nargs=-1, metavar="[PIPELINE]...")
@click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="Of all namespaces.")
@click.option(
    "--match",
    "files",
    multiple=True,
    type=PATH,
    metavar="FILE",
    help="Manifest to compare the versions with, by the digest of their content; repeatable.",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
)
@target_option
@cluster_options
def get(
    pipelines: tuple[str, ...],
    everywhere: bool,  # noqa: FBT001
    files: tuple[str, ...],
    output_format: str,
    target: str,
    kubeconfig: str | None,
    context: str | None,
    namespace: str | None,
) -> None:
    """List pipelines with their versions, tags, age and digest; the newest version first."""
    from kfp_k8s_manifest.live.extract import read_objects, versions_in
    from kfp_k8s_manifest.live.listing import list_versions, local_digests
    from kfp_k8s_manifest.releases import target as find_target

    if everywhere and namespace:
        raise UsageError("-n and -A exclude each other")
    cluster = connect(kubeconfig, context)
    place = None if everywhere else namespace or cluster.namespace
    mutable = find_target(target).mutable_fields
    local = None
    if files:
        objects = [each for file in files for each in versions_in(read_objects(file))]
        local = local_digests(objects, mutable)
    rows = list_versions(
        cluster.pipelines(place), cluster.versions(place), mutable_fields=mutable, local=local
    )
    if pipelines:
        missing = sorted(set(pipelines) - {row.pipeline for row in rows})
        if missing:
            where = f"namespace {place!r}" if place else "any namespace"
            raise UsageError(f"there is no Pipeline {missing[0]!r} in {where}")
        rows = [row for row in rows if row.pipeline in pipelines]
    if output_format == "json":
        import json

        click.echo(json.dumps({"version": 1, "items": [asdict(r) for r in rows]}, indent=2))
    else:
        click.echo(_table(rows, everywhere=everywhere, matched=local is not None), nl=False)


def _table(rows: Sequence[Row], *, everywhere: bool, matched: bool) -> str:
    import datetime

    now = datetime.datetime.now(datetime.timezone.utc)
    lines = [["NAMESPACE", "PIPELINE", "NAME", "VERSION", "TAGS", "AGE", "DIGEST", "MATCH"]]
    for row in rows:
        tags = ",".join(f"{key}={value}" for key, value in sorted(row.tags.items()))
        pipeline = row.pipeline + ("" if row.pipeline_exists else " (missing)")
        shown = row.version or row.display_name
        lines.append(
            [row.namespace, pipeline, row.name, shown, tags, _age(row.created, now),
             row.digest, row.match]
        )  # fmt: skip
    wanted = range(0 if everywhere else 1, 8 if matched else 7)
    chosen = [[line[column] or "-" for column in wanted] for line in lines]
    widths = [max(len(line[column]) for line in chosen) for column in range(len(wanted))]
    return "".join(
        "   ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        + "\n"
        for line in chosen
    )


def _age(created: str, now: object) -> str:
    """Return an age as kubectl writes it, in its greatest unit."""
    import datetime

    assert isinstance(now, datetime.datetime)
    try:
        then = datetime.datetime.fromisoformat(created.replace("Z", "+00:00"))
    except ValueError:
        return ""
    seconds = max(0, int((now - then).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
