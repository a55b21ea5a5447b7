"""Calls that schemathesis makes up from the API's description, to a real server over SQLite."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kfp_k8s_manifest.rest.errors import invalid
from kfp_k8s_manifest.rest.stores.database import DatabaseStore
from tests.rest.serving import HELLO, Files, Serving, serving

# A status that is not described, a content type or an answer that breaks its schema, or any 5xx. That a
# method which is not described is answered 501 is KFP's way: these are not asked for.
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
_SETTINGS = "[phases.coverage]\nunexpected-methods = []\n"
_CALLS = re.compile(r'calls_total\{call="(\w+)",code="(\w+)"\} ([0-9.]+)')


class AnyUrl(Files):
    """A stand-in for what fetches packages: there is one behind every URL that is one."""

    async def fetch(self, url: str, *, for_version: bool) -> tuple[str, bytes]:
        try:
            urlsplit(url)
        except ValueError as error:
            raise invalid("Pipeline URL validation failed") from error
        return "a.yaml", HELLO.encode()


@contextmanager
def serving_a_database(
    url: str, *, files: Files | None = None, multi_user: bool = False
) -> Iterator[Serving]:
    """Run a server over a database while the context lasts.

    Args:
        url: The database's URL.
        files: What fetches packages; by default there is one behind every URL.
        multi_user: Whether there are namespaces; everybody may do everything in them.
    """
    store: Any = DatabaseStore(url)
    with serving(store, files=files or AnyUrl(), service={"multi_user": multi_user}) as server:
        yield server


def call_at_random(
    server: Serving, folder: Path, *, seed: int, examples: int, limits: bool = True
) -> str:
    """Make calls; the same seed makes the same ones.

    Args:
        server: The server.
        folder: Where schemathesis may write.
        seed: The seed.
        examples: How many calls of each kind are made up.
        limits: Whether all calls at the limits of their schemas are made, too; they are always the same.

    Returns:
        What is wrong, or "".
    """
    settings = folder / "schemathesis.toml"
    settings.write_text(_SETTINGS, encoding="utf-8")
    phases = "examples,coverage,fuzzing,stateful" if limits else "fuzzing,stateful"
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings), "run",
        f"http://127.0.0.1:{server.port}/openapi.json", "--checks", ",".join(_CHECKS),
        "--phases", phases,
        "--max-examples", str(examples), "--seed", str(seed), "--max-redirects", "0",
        "--continue-on-failure", "--no-color", "--warnings", "off",
        "--generation-database", "none",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=3600)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def answered(server: Serving) -> Counter[tuple[str, str]]:
    """Return how many calls were answered, by call and status."""
    text = server.request("GET", "/metrics").body.decode()
    return Counter(
        {(call, status): int(float(count)) for call, status, count in _CALLS.findall(text)}
    )
