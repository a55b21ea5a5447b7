"""The real server in a process of its own: `kfp-k8s apiserver`."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.admission.attacked import end, program

__all__ = ["Running", "running"]


@dataclass
class Running:
    """A running server.

    Attributes:
        process: The process.
        ports: Its ports on 127.0.0.1, in the order in which they are listened on.
        log: The file of its log.
    """

    process: subprocess.Popen[bytes]
    ports: list[int]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    def entries(self, message: str) -> list[dict[str, Any]]:
        """Return the log's entries of a message."""
        entries = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [entry for entry in entries if entry["message"] == message]


@contextmanager
def running(
    folder: Path,
    *options: str,
    servers: int = 1,
    env: Mapping[str, str] | None = None,
    limit: int | None = None,
) -> Iterator[Running]:
    """Run a server while the context lasts.

    Args:
        folder: The folder that it runs in.
        options: Options of `apiserver`, besides a free port.
        servers: How many ports it listens on.
        env: Further variables.
        limit: Bytes of memory that it may have.
    """
    port = [] if "--global-kubernetes-webhook-mode" in options else ["--port", "0"]
    log = folder / "apiserver.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [*program(limit), "apiserver", *port, *options],
            cwd=folder,
            env={**os.environ, **(env or {})},
            stderr=stderr,
        )
    try:
        found = Running(process, [], log)
        deadline = time.monotonic() + 60
        while len(found.ports) < servers:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
            text = log.read_text()
            if text.endswith("\n") and text.startswith("{"):
                found.ports = [int(entry["port"]) for entry in found.entries("listening")]
        yield found
    finally:
        end(process)
