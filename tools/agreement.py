"""Compare the checks with recorded verdicts of the real thing, row by row.

    python tools/agreement.py spec ../shared/reference/spec-verdicts.jsonl.gz
    python tools/agreement.py metadata ../shared/reference/metadata-verdicts.jsonl.gz
    python tools/agreement.py yaml ../shared/reference/yaml-scalars.jsonl.gz
    python tools/agreement.py verdicts ../shared/reference/go-verdicts.jsonl.gz
    python tools/agreement.py updates ../shared/reference/go-updates.jsonl.gz

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
from kfp_k8s_manifest.checks.order import ObjectContext, check_object
from kfp_k8s_manifest.checks.webhook.mutating import KnownPipelines
from kfp_k8s_manifest.checks.webhook.specs import check_specs
from kfp_k8s_manifest.checks.webhook.update import check_update
from kfp_k8s_manifest.errors import YamlError
from kfp_k8s_manifest.findings import ABSENT, Finding, Severity, format_path
from kfp_k8s_manifest.golang import numbers
from kfp_k8s_manifest.golang.numbers import number_text
from kfp_k8s_manifest.yaml import dump, load_all

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


def verdicts(row: dict[str, Any]) -> str:
    """Return how our verdict on a new version differs from that of KFP's code, or "".

    Compared are: allowed or not, release by release, and the message of the newest one, but for
    the number of the line, which is one of KFP's own YAML.
    """
    given = row["spec"]
    for name, allowed in row["allowed"].items():
        findings = check_specs(
            given.get("pipelineSpec", ABSENT),
            given.get("platformSpec", ABSENT),
            releases.target(name),
        )
        errors = [finding for finding in findings if finding.severity is Severity.ERROR]
        if allowed != (not errors):
            return f"{name}: allowed is {allowed}, ours: {[each.message for each in findings]}"
        said = errors[0].cluster_message if errors else ""
        if name == NEWEST and not _said(said, row["message"]):
            return f"{name}: message is {row['message']!r}, ours {said!r}"
    return ""


NEWEST = "2.17.0"
"""The release whose messages were recorded, and whose webhook judged the updates."""


def _said(ours: str, theirs: str) -> bool:
    """Return whether the webhook's message holds ours, and is empty if ours is."""
    without = [re.sub(r"line [0-9]+: ", "", text) for text in (ours, theirs)]
    return bool(ours) == bool(theirs) and without[0] in without[1]


def updates(row: dict[str, Any]) -> str:
    """Return how our verdict on an update differs from that of KFP's webhook, or ""."""
    findings = check_update(row["old"], row["new"], releases.target(NEWEST))
    if row["allowed"] != (not findings):
        return f"allowed is {row['allowed']}, ours: {[each.message for each in findings]}"
    said = findings[0].cluster_message if findings else ""
    return "" if said == row["message"] else f"message is {row['message']!r}, ours {said!r}"


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
            text(go_string(value) if isinstance(value, str) else numbers.token(value))

    walk(document, ())
    return found


def go_string(value: str) -> str:
    """Return a string as Go's `encoding/json` writes it."""
    written = json.dumps(value, ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        written = written.replace(character, f"\\u{ord(character):04x}")
    return written


def metadata(row: dict[str, Any]) -> str:
    """Return how our verdict on the metadata and CRD fields of a row differs, or "".

    Compared are: allowed or not, the fields with an error, and what is left of the spec when it is
    stored. The recorded server is older than strict field validation, and it has one error that
    newer ones do not have: see `empty_strings`.
    """
    obj = expanded(row["object"])
    context = ObjectContext(target=releases.target("2.17"), pipelines=KnownPipelines(assume=True))
    findings = [
        finding for finding in check_object(obj, context) if finding.rule.startswith(FAMILIES)
    ]
    errors = [
        finding
        for finding in findings
        if finding.severity is Severity.ERROR and finding.rule != "unknown-field"
    ]
    ours = {server_field(finding.path) for finding in errors}
    told = f"ours: {[finding.message for finding in errors]}"
    if row["code"] == 400:
        named = [
            word.lower() for word in re.findall(r"(\w+): ", row["message"].split(", error")[0])
        ]
        places = {str(finding.path[-1]).lower() for finding in errors}
        places |= {str(part).lower() for finding in errors for part in finding.path[1:2]}
        return "" if places & set(named) else f"{row['message']!r}, {told}"
    fields = set(row.get("fields", ())) - empty_strings(row, obj)
    if ours != fields:
        return f"fields are {sorted(fields)}, {told}"
    if row["code"] == 201 and stored_spec(obj, findings) != row["stored_spec"]:
        return f"stored is {row['stored_spec']}, ours {stored_spec(obj, findings)}"
    return ""


FAMILIES = ("api-version", "crd-", "kind", "metadata-", "null-field", "unknown-field")
"""How the rules begin that `metadata` judges by: decoding, metadata and the CRD's schema."""


def empty_strings(row: dict[str, Any], obj: dict[str, Any]) -> set[str]:
    """Return the fields that the recorded server (1.20) rejects for being an empty string.

    It takes an empty string for null. Kubernetes 1.34 does not, so these fields are left out,
    unless the server has something else against them as well.
    """
    spec = obj.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    tags = spec.get("tags")
    values = {f"spec.{key}": value for key, value in spec.items()}
    values |= (
        {f"spec.tags.{key}": value for key, value in (tags or {}).items()}
        if isinstance(tags, dict)
        else {}
    )
    fields = list(row.get("fields", ()))
    return {
        field
        for field in fields
        if values.get(field) == ""
        and fields.count(field) == 1
        and f'{field} in body must be of type string: "null"' in row["message"]
    }


def expanded(value: Any) -> Any:
    """Return a tree with the abbreviated long strings written out."""
    if isinstance(value, dict):
        if set(value) == {"repeat", "times"}:
            return value["repeat"] * value["times"]
        return {key: expanded(each) for key, each in value.items()}
    return [expanded(each) for each in value] if isinstance(value, list) else value


def server_field(path: tuple[str | int, ...]) -> str:
    """Return a path as the API server names fields: it does not tell which entry is at fault."""
    if path[:1] == ("metadata",):
        if path[1] in ("labels", "annotations", "finalizers"):
            path = path[:2]
        elif path[1] == "ownerReferences":
            keys = [part for part in path[2:] if isinstance(part, str) and part != "controller"]
            path = (*path[:2], *keys)
    return ".".join(str(part) for part in path)


def stored_spec(obj: dict[str, Any], findings: list[Finding]) -> Any:
    """Return the spec without what the findings say that the API server drops."""
    spec = json.loads(json.dumps(obj.get("spec")))
    dropped = [finding.path for finding in findings if finding.rule in DROPPING]
    dropped += [("spec", key) for key, value in (spec or {}).items() if value is None]
    for path in dropped:
        tree = {"spec": spec}
        for part in path[:-1]:
            tree = tree[part] if isinstance(tree, dict) and part in tree else {}
        tree.pop(path[-1], None)
    return spec


DROPPING = ("null-field", "unknown-field")


def yaml(row: dict[str, Any]) -> str:
    """Return how our reader and writer treat a plain scalar unlike Kubernetes, or "".

    The scalar is read as a value and as a key. Written, it may stand plain only where Kubernetes
    reads that very string.
    """
    text = row["text"]
    value = _read_scalar(f"v: {text}\n")
    if "error" in row:
        if not isinstance(value, YamlError):
            return f"value is an error, {row['error']}; ours {value!r}"
    elif isinstance(value, YamlError):
        return f"value is {row['value']!r}; ours is an error, {value}"
    else:
        ours, kind = value["v"], row["type"]
        number = isinstance(ours, (int, float)) and not isinstance(ours, bool)
        shown = number_text(ours) if isinstance(ours, float) else str(ours) if number else ours
        if (kind == "number") != number or shown != row["value"]:
            return f"value is {kind} {row['value']!r}; ours {ours!r}"
    key = _read_scalar(f"{text}: v\n")
    if "key_error" in row:
        if not isinstance(key, YamlError):
            return f"key is an error, {row['key_error']}; ours {key!r}"
    elif isinstance(key, YamlError) or key != {row["key"]: "v"}:
        return f"key is {row['key']!r}; ours {key!r}"
    if dump({"v": text}) == f"v: {text}\n" and row.get("value") != text:
        return "our writer leaves the value plain"
    if dump({text: "v"}) == f"{text}: v\n" and row.get("key") != text:
        return "our writer leaves the key plain"
    return ""


def _read_scalar(text: str) -> Any:
    try:
        return load_all(text)[0].value
    except YamlError as error:
        return error


DATA_SETS: dict[str, Callable[[dict[str, Any]], str]] = {
    "metadata": metadata,
    "spec": spec,
    "updates": updates,
    "verdicts": verdicts,
    "yaml": yaml,
}
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
        newer = args.data_set == "metadata" and empty_strings(row, expanded(row["object"]))
        if newer:
            sys.stdout.write(
                f"row {total}: {', '.join(sorted(newer))} is an empty string, which the recorded"
                " server takes for null and newer ones accept\n"
            )
        if difference:
            disagreeing += 1
            sys.stdout.write(f"{row.get('id', total)}: {difference}\n")
    sys.stdout.write(f"{args.data_set}: {total - disagreeing} of {total} rows agree\n")
    return 1 if disagreeing or not total else 0


if __name__ == "__main__":
    sys.exit(main())
