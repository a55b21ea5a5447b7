"""Record what the API server says to each refused row of the parity table, as a page of the docs.

Run it as `python -m tests.e2e.record_messages` with KUBEBUILDER_ASSETS set; never in CI, since a
change of these words has to be read by eye.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from kfp_k8s_manifest.releases import target as find_target
from tests.conftest import ROOT
from tests.parity.table import Row, rows

from .installations import Installations
from .messages_page import PAGE, Recorded, render
from .replay import Replayer
from .test_parity import NOT_REPLAYED

# What stands in a finding for KFP's own webhook's words, not for the API server's.
_WEBHOOK_RULES = ("kep-", "pipeline-not-found", "spec-", "version-immutable")


def record(replayer: Replayer, row: Row) -> Recorded:
    """Return what is said in the first release of the row's target that refuses it."""
    for release in find_target(row.target).releases:
        verdict = replayer.replay(row, release.name)
        if not verdict.answer.allowed:
            finding = verdict.cause or verdict.errors[0]
            kfp = finding.cluster_message if finding.rule.startswith(_WEBHOOK_RULES) else ""
            return Recorded(
                id=row.id,
                target=row.target,
                rule=finding.rule,
                cluster=verdict.answer.shown,
                ours=verdict.as_given(finding.message),
                kfp=kfp,
            )
    raise AssertionError(f"{row.id} is not refused")


def main() -> None:
    """Write the page."""
    if os.environ.get("CI"):
        sys.exit("the cluster's messages are not recorded in CI")
    assets = subprocess.run(
        [sys.executable, ROOT / "tools" / "cluster_binaries.py", "--no-build"],
        capture_output=True,
        text=True,
        check=False,
    )
    if assets.returncode != 0:
        sys.exit(assets.stderr.strip())
    with tempfile.TemporaryDirectory() as folder:
        installations = Installations(Path(assets.stdout.splitlines()[-1]), Path(folder))
        try:
            replayer = Replayer(installations)
            refused = [row for row in rows() if not row.allowed and row.id not in NOT_REPLAYED]
            recorded = [record(replayer, row) for row in refused]
            version = installations.plane("2.17").request("GET", "/version").json()["gitVersion"]
        finally:
            installations.stop()
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(render(recorded, version=str(version)), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {len(recorded)} rows")


if __name__ == "__main__":
    main()
