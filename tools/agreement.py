"""Compare the checks with recorded verdicts of the real thing, row by row.

    python tools/agreement.py spec ../shared/reference/spec-verdicts.jsonl.gz

Prints how many rows agree and each one that does not, and exits with 1 if there is one. Each data
set is one function that yields what disagrees; `DATA_SETS` names them.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kfp_k8s_manifest import releases
from kfp_k8s_manifest.checks import _gojson
from kfp_k8s_manifest.checks.spec import check_specs
from kfp_k8s_manifest.findings import ABSENT, Severity, format_path

_CAUSE = re.compile(r"proto:\s(?:syntax error )?\(line 1:([0-9]+)\): (.*)", re.DOTALL)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file of JSON lines, compressed or not."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def spec(row: dict[str, Any]) -> str:
    """Return how our verdict on the specs of a row differs from the webhook's, or "".

    Compared are: allowed or not, the message, and, where protojson's error is known, that the first
    finding lies at the very place in the JSON text that the error names.
    """
    platform = row.get("platformSpec", ABSENT)
    target = releases.target(row["release"])
    findings = check_specs(row["pipelineSpec"], platform, target)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    ignored = any(finding.rule == "platform-ignored" for finding in findings)
    if row["allowed"] != (not errors):
        return f"allowed is {row['allowed']}, ours: {[finding.message for finding in findings]}"
    message = errors[0].cluster_message if errors else "platform ignored" if ignored else ""
    # The recorded messages end before the first comma or conjunction of the longer ones.
    if not message.startswith(row["message"]) or bool(message) != bool(row["message"]):
        return f"message is {row['message']!r}, ours {message!r}"
    cause = _CAUSE.fullmatch(row["cause"])
    if not errors or cause is None:
        return ""
    at = positions(row["pipelineSpec"]).get(int(cause[1]))
    expected = None if at is None else ("spec", "pipelineSpec", *at)
    if cause[2] == 'unknown field "platforms"' and "platforms" not in row["pipelineSpec"]:
        # The pipeline spec parses, but has no name or no root; this is the platform spec's error.
        name = ("spec", "pipelineSpec", "pipelineInfo", "name")
        root = ("spec", "pipelineSpec", "root")
        expected = errors[0].path if errors[0].path in (name, root) else name
    if errors[0].path != expected:
        wanted = "?" if expected is None else format_path(expected)
        return f"{cause[2]!r} is at {wanted}, ours at {errors[0].field}: {errors[0].message}"
    return ""


def positions(document: Any) -> dict[int, tuple[str | int, ...]]:
    """Return the paths of all keys and values by their column in Go's JSON text, from 1.

    A key and its value have the same path and different columns.
    """
    found: dict[int, tuple[str | int, ...]] = {}
    column = 1

    def text(value: str) -> None:
        nonlocal column
        column += len(value)

    def walk(value: Any, path: tuple[str | int, ...]) -> None:
        found[column] = path
        if isinstance(value, dict):
            text("{")
            for index, key in enumerate(sorted(value)):
                text("," if index else "")
                found[column] = (*path, key)
                text(f"{go_string(key)}:")
                walk(value[key], (*path, key))
            text("}")
        elif isinstance(value, list):
            text("[")
            for index, item in enumerate(value):
                text("," if index else "")
                walk(item, (*path, index))
            text("]")
        else:
            text(go_string(value) if isinstance(value, str) else _gojson.token(value))

    walk(document, ())
    return found


def go_string(value: str) -> str:
    """Return a string as Go's `encoding/json` writes it."""
    written = json.dumps(value, ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        written = written.replace(character, f"\\u{ord(character):04x}")
    return written


DATA_SETS: dict[str, Callable[[dict[str, Any]], str]] = {"spec": spec}
"""The data sets by name: a function from a row to what disagrees, or ""."""


def main(argv: list[str] | None = None) -> int:
    """Compare one data set and print the outcome."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data_set", choices=sorted(DATA_SETS))
    parser.add_argument("file", type=Path)
    args = parser.parse_args(argv)
    total = disagreeing = 0
    for row in rows(args.file):
        total += 1
        difference = DATA_SETS[args.data_set](row)
        if difference:
            disagreeing += 1
            sys.stdout.write(f"{row.get('id', total)}: {difference}\n")
    sys.stdout.write(f"{args.data_set}: {total - disagreeing} of {total} rows agree\n")
    return 1 if disagreeing or not total else 0


if __name__ == "__main__":
    sys.exit(main())
