from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytest.importorskip("aiohttp", reason="needs the extra 'webhook'")

CODE = """
import logging
from aiohttp.http_exceptions import LineTooLong
from kfp_k8s_manifest.serving.logs import log, set_up
set_up("info")
log(logging.INFO, "review", uid="1", allowed=True)
log(logging.DEBUG, "not shown")
for error in (LineTooLong(b"x"), ValueError("ours")):
    try:
        raise error
    except Exception:
        logging.getLogger("aiohttp.server").exception("Error handling request")
"""


def test_logs_are_json_and_a_client_s_fault_has_no_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    review, theirs, ours = (json.loads(line) for line in done.stderr.splitlines())
    assert review["time"].endswith("Z")
    del review["time"]
    assert review == {"level": "info", "message": "review", "uid": "1", "allowed": True}
    assert theirs["message"] == "bad request"
    assert theirs["reason"] == "LineTooLong"
    assert "exception" not in theirs
    assert ours["level"] == "error"
    assert "ValueError: ours" in ours["exception"]
