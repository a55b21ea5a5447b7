"""The parity table, row by row: the verdict offline is the verdict in the cluster.

A target of several releases is replayed on the cluster of each: it allows what all of them allow.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kfp_k8s_manifest import Severity, validate_text
from kfp_k8s_manifest.releases import target as find_target
from tests.parity.table import Row, rows

from .installations import API, pipeline, version
from .replay import Replayer, Verdict

if TYPE_CHECKING:
    from .installations import Installation, Installations

ROWS = rows()

# Rows that no request stands for, and why. Nothing else is left out.
_UNTOLD = "it depends on where it is applied, which a request always tells; offline a warning"
NOT_REPLAYED = {
    "YAML with a comment only": "there is no object that could be sent",
    "pipeline in a namespace that is not told": _UNTOLD,
    "page of pipeline-namespace: fails": _UNTOLD,
}
# Rules where the cluster's words and ours differ: what it has to say in their place.
OWN_WORDS = {
    # Where the object's kind is unknown, every client has its own way to say so.
    "api-version": ("no matches for kind",),
    "kind": ("invalid object type: ", "kind: Invalid value: "),
    "object-type": ("invalid object to validate",),
    # There can be no namespace of such a name: that is what creating it is answered.
    "metadata-namespace": ("metadata.name: Invalid value: ",),
    # Offline we know of Pipelines elsewhere and say so; and that a number had no quotes.
    "pipeline-not-found": ("is no Pipeline in namespace",),
    "spec-wrong-type": ("must be a string, not the number",),
    # Go's parser words a broken text in its own way.
    "yaml-invalid": ("yaml: ", "already set in map", "json: unsupported value"),
    # The limit is our own; the cluster refuses the row's list for its type.
    "yaml-limit": ("spec.description: expected string",),
}


@pytest.fixture(scope="module")
def replayer(installations: Installations) -> Replayer:
    return Replayer(installations)


def told(verdict: Verdict) -> str:
    """Return a verdict for a failure's report."""
    ours = "".join(
        f"\n{error.rule}: {error.message!r} / {error.cluster_message!r}" for error in verdict.errors
    )
    return f"{verdict.release} says {verdict.answer.message[:1500]!r}, we say:{ours[:3000]}"


def test_every_row_is_replayed() -> None:
    left_out = [row.id for row in ROWS if row.id in NOT_REPLAYED]
    assert sorted(left_out) == sorted(NOT_REPLAYED)
    replayed = [row for row in ROWS if row.id not in NOT_REPLAYED]
    assert len(replayed) >= 700
    assert sum(not row.allowed for row in replayed) >= 300
    assert {row.target for row in replayed} >= {"2.14", "2.15", "2.16", "2.17", "kep", "portable"}


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.id not in NOT_REPLAYED], ids=lambda row: row.id
)
def test_row(replayer: Replayer, row: Row) -> None:
    verdicts = [replayer.replay(row, each.name) for each in find_target(row.target).releases]

    for verdict in verdicts:
        assert verdict.agree, told(verdict)
        if not verdict.answer.allowed and verdict.cause is None:
            rules = {error.rule for error in verdict.errors}
            words = [each for rule in rules for each in OWN_WORDS.get(rule, ())]
            assert any(each in verdict.answer.message for each in words), told(verdict)
    assert all(verdict.answer.allowed for verdict in verdicts) is row.allowed


def test_the_webhook_completes_the_owner_reference_of_a_pipeline(
    installation: Installation,
) -> None:
    """The one known difference: offline a reference without uid is an error, whoever it names.

    The API server refuses such a reference where no webhook runs, and nobody has to write it.
    """
    namespace = installation.namespace("owner")
    assert installation.post(namespace, pipeline("train")).status == 201
    obj = version("train-v1", "train")
    owner = {"apiVersion": API, "kind": "Pipeline", "name": "train"}
    obj["metadata"] |= {"ownerReferences": [owner], "namespace": namespace}
    answer = installation.post(namespace, obj, dryRun="All")
    assert answer.status == 201
    assert answer.json()["metadata"]["ownerReferences"][0]["uid"]
    found = validate_text(
        json.dumps(obj), target=installation.target, assume_pipelines=True
    ).findings
    errors = [each.rule for each in found if each.severity is Severity.ERROR]
    assert errors == ["metadata-owner-reference"]
