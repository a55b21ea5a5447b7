"""Which id of the server that was migrated has become which uid of the cluster, and who uses them. Pure.

Objects of the cluster get uids of their own, and KFP's API over them answers these as ids: whatever names
a pipeline or a version by its old id has to be re-pointed.
"""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

from kfp_k8s_manifest.migration.mapping import plain_cell
from kfp_k8s_manifest.migration.objects import ORIGINAL_ID, original_name
from kfp_k8s_manifest.model.trees import string_at

__all__ = ["Id", "Use", "id_of", "join", "repointing", "to_csv", "uses"]

# What a server answers of a recurring run and does not take, or would take for an order.
_ANSWERED: Final = ("recurring_run_id", "created_at", "updated_at", "status", "error")
_API: Final = "/apis/v2beta1/recurringruns"


@dataclass(frozen=True, slots=True, kw_only=True)
class Id:
    """What has become of an id.

    Attributes:
        kind: `Pipeline` or `PipelineVersion`.
        namespace: The object's namespace.
        name: Its `metadata.name`.
        original_name: The API name that it had.
        original_id: The id that it had.
        uid: Its uid, which is its id now; "" where it is not in the cluster.
    """

    kind: str
    namespace: str
    name: str
    original_name: str
    original_id: str
    uid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A recurring run that refers to a migrated id.

    Attributes:
        run: The recurring run, as the server answers it.
        pipeline: What has become of its pipeline, or None where it names none that was migrated.
        version: What has become of its version, or None likewise.
    """

    run: Mapping[str, Any]
    pipeline: Id | None
    version: Id | None

    @property
    def shown(self) -> str:
        """The run's name, on one line whatever it holds."""
        name = self.run.get("display_name") or self.run.get("recurring_run_id")
        return json.dumps(name, ensure_ascii=True)

    @property
    def missing(self) -> tuple[str, ...]:
        """The old ids for which there is no object in the cluster."""
        return tuple(
            each.original_id
            for each in (self.pipeline, self.version)
            if each is not None and not each.uid
        )


def id_of(obj: Mapping[str, Any]) -> Id | None:
    """Return what an object says of its ids, or None where it does not come from a server."""
    original = string_at(obj, "metadata", "annotations", ORIGINAL_ID)
    if not original:
        return None
    name = string_at(obj, "metadata", "name")
    return Id(
        kind=string_at(obj, "kind"),
        namespace=string_at(obj, "metadata", "namespace"),
        name=name,
        original_name=original_name(obj, name),
        original_id=original,
        uid=string_at(obj, "metadata", "uid"),
    )


def join(wanted: Iterable[Id], there: Iterable[Id]) -> list[Id]:
    """Return the ids of a folder with the uids that the cluster gave them, in order.

    Args:
        wanted: Those of the folder; none to take all of the cluster.
        there: Those of the cluster.
    """
    found = {(each.kind, each.original_id): each for each in there}
    asked = list(wanted)
    if not asked:
        return sorted(found.values(), key=_order)
    joined = []
    for each in asked:
        known = found.get((each.kind, each.original_id))
        joined.append(each if known is None else replace(each, uid=known.uid, name=known.name,
                                                         namespace=known.namespace))  # fmt: skip
    return sorted(joined, key=_order)


def _order(each: Id) -> tuple[str, ...]:
    return (each.namespace, each.kind, each.name, each.original_id)


def to_csv(found: Iterable[Id]) -> str:
    """Return the table as CSV, its cells as those of `rename-report.csv`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [each.name for each in fields(Id)], lineterminator="\n")
    writer.writeheader()
    for each in found:
        writer.writerow({key: plain_cell(value) for key, value in asdict(each).items()})
    return text.getvalue()


def uses(runs: Iterable[Mapping[str, Any]], ids: Iterable[Id]) -> Iterator[Use]:
    """Yield the recurring runs that refer to migrated ids.

    Args:
        runs: The recurring runs, as KFP's v2beta1 API answers them.
        ids: What has become of the ids.
    """
    known = {(each.kind, each.original_id): each for each in ids}
    for run in runs:
        reference = run.get("pipeline_version_reference")
        reference = reference if isinstance(reference, Mapping) else {}
        version_id = reference.get("pipeline_version_id") or run.get("pipeline_version_id")
        pipeline = known.get(("Pipeline", str(reference.get("pipeline_id") or "")))
        version = known.get(("PipelineVersion", str(version_id or "")))
        if pipeline is not None or version is not None:
            yield Use(run=run, pipeline=pipeline, version=version)


def repointing(use: Use, host: str) -> str:
    """Return the calls that replace a recurring run by one of the new ids, for a shell.

    KFP's API cannot change a recurring run: the old one is stopped, a new one is made with all that
    the old one has, and the old one is deleted. `KFP_AUTH` may hold a header field, such as
    `Authorization: Bearer …`.

    Args:
        use: The recurring run.
        host: The URL of the server that runs it.
    """
    run = use.run
    old = str(run.get("recurring_run_id") or "")
    new = {key: value for key, value in run.items() if key not in _ANSWERED}
    new.pop("pipeline_version_id", None)
    new["pipeline_version_reference"] = {
        **(run.get("pipeline_version_reference") or {}),
        **({"pipeline_id": use.pipeline.uid} if use.pipeline is not None else {}),
        **({"pipeline_version_id": use.version.uid} if use.version is not None else {}),
    }
    base = host.rstrip("/") + _API
    notes = [f"# {use.shown}"]
    if not new.get("no_catchup") and _starts(run):
        # Else the new one would first run for every moment since its beginning.
        new["no_catchup"] = True
        notes.append("# It catches up no more: else it would run again for all of its past.")
    disabled = "DISABLED" in (run.get("status"), f"{run.get('mode')}D")
    new["mode"] = "DISABLE" if disabled else "ENABLE"
    body = json.dumps(new, ensure_ascii=False, sort_keys=True)
    curl = 'curl -fsS ${KFP_AUTH:+-H "$KFP_AUTH"}'
    typed = "-H 'Content-Type: application/json'"
    return "\n".join(
        (
            *notes,
            f"{curl} -X POST {shlex.quote(f'{base}/{old}:disable')} &&",
            f"{curl} -X POST {shlex.quote(base)} {typed} -d {shlex.quote(body)} &&",
            f"{curl} -X DELETE {shlex.quote(f'{base}/{old}')}",
        )
    )


def _starts(run: Mapping[str, Any]) -> bool:
    trigger = run.get("trigger")
    schedules = trigger.values() if isinstance(trigger, Mapping) else ()
    return any(isinstance(each, Mapping) and each.get("start_time") for each in schedules)
