"""Write `kfp_k8s_manifest/releases/data.json` from what the KFP releases ship.

A developer's script, run once for each new KFP release:

    python tools/make_release_data.py FOLDER [-o kfp_k8s_manifest/releases/data.json]

FOLDER holds, for each release, `RELEASE.ir-schema.json` (messages and enums of the pipeline spec and
of the Kubernetes executor configuration: JSON name, proto name, type, oneof), and
`RELEASE.pipelines.crd.yaml` and `RELEASE.pipelineversions.crd.yaml` (the released CRDs).

All releases are merged into one file. A field or enum value has a `since` where it is missing from
the first release, and an `until` (the first release that no longer knows it) where it was removed.
Neighbouring releases that know exactly the same are one generation. The file's format is described
in `kfp_k8s_manifest/releases/_schema.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml

_DEFAULT_OUTPUT = (
    Path(__file__).resolve().parent.parent / "kfp_k8s_manifest" / "releases" / "data.json"
)
_CRDS = {"Pipeline": "pipelines", "PipelineVersion": "pipelineversions"}


def main(argv: list[str] | None = None) -> int:
    """Read the folder named on the command line and write the data file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=_DEFAULT_OUTPUT)
    args = parser.parse_args(argv)
    text = dump(merge(args.folder))
    args.output.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{args.output}: {len(text)} bytes\n")
    return 0


def merge(folder: Path) -> dict[str, Any]:
    """Return the merged data of all releases in a folder.

    Args:
        folder: Where the schemas and CRDs lie.

    Raises:
        SystemExit: If the folder holds no release, or a field changed its meaning, which the format
            cannot express and the checks do not expect.
    """
    suffix = ".ir-schema.json"
    names = sorted(
        (path.name.removesuffix(suffix) for path in folder.glob(f"*{suffix}")), key=_version
    )
    if not names:
        raise SystemExit(f"{folder}: no *{suffix} in it")
    facts = {name: _facts(folder, name) for name in names}
    generations = [
        name for i, name in enumerate(names) if i == 0 or facts[name] != facts[names[i - 1]]
    ]
    merged: dict[str, Any] = {"generations": generations}
    for part in ("kinds", "messages", "enums"):
        merged[part] = {}
        for owner in sorted({owner for name in generations for owner in facts[name][part]}):
            merged[part][owner] = _merge_members(
                owner, generations, [facts[name][part].get(owner, {}) for name in generations]
            )
    return merged


def _merge_members(
    owner: str, generations: list[str], members: list[dict[str, list[Any]]]
) -> list[list[Any]]:
    """Return rows `[name, *facts, since?, until?]` for one message, enum or kind."""
    rows = []
    for member in sorted({name for generation in members for name in generation}):
        known = [i for i, generation in enumerate(members) if member in generation]
        definitions = {json.dumps(members[i][member]) for i in known}
        if len(definitions) != 1:
            raise SystemExit(f"{owner}.{member}: defined differently: {sorted(definitions)}")
        if known != list(range(known[0], known[-1] + 1)):
            raise SystemExit(f"{owner}.{member}: removed and added again")
        row = [member, *members[known[0]][member]]
        since = generations[known[0]] if known[0] > 0 else ""
        until = generations[known[-1] + 1] if known[-1] + 1 < len(generations) else ""
        rows.append([*row, since, until] if until else [*row, since] if since else row)
    return rows


def _facts(folder: Path, release: str) -> dict[str, dict[str, dict[str, list[Any]]]]:
    """Return what one release knows: kinds, messages and enums."""
    schema = json.loads((folder / f"{release}.ir-schema.json").read_text(encoding="utf-8"))
    return {
        "kinds": {
            kind: _crd_fields(folder / f"{release}.{plural}.crd.yaml")
            for kind, plural in _CRDS.items()
        },
        "messages": {
            name: {field: _field(field, facts) for field, facts in message["fields"].items()}
            for name, message in schema.items()
            if "fields" in message
        },
        "enums": {
            name: {value: [number] for value, number in enum["enum"].items()}
            for name, enum in schema.items()
            if "enum" in enum
        },
    }


def _field(name: str, facts: dict[str, Any]) -> list[Any]:
    """Return `[proto name or "", type, oneof or ""]` of one field of a message."""
    proto_name = facts.get("proto_name", name)
    element = facts.get("type_name") or (
        facts["value"] if facts["type"] == "map" else facts["type"]
    )
    if facts["type"] == "map":
        element = f"{{{facts['key']}}}{element}"
    elif facts.get("repeated"):
        element = f"[]{element}"
    return ["" if proto_name == name else proto_name, element, facts.get("oneof", "")]


def _crd_fields(path: Path) -> dict[str, list[Any]]:
    """Return `[type, required, max length, pattern]` of each field of a CRD's `spec`."""
    (document,) = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    (version,) = document["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    fields = {}
    for name, facts in spec["properties"].items():
        if facts.get("x-kubernetes-preserve-unknown-fields"):
            kind = "schemaless"
        elif facts["type"] == "string":
            kind = "string"
        elif facts["type"] == "object" and facts["additionalProperties"] == {"type": "string"}:
            kind = "map"
        else:
            raise SystemExit(f"{path.name}: spec.{name}: a type that the format does not have")
        fields[name] = [
            kind,
            name in spec.get("required", []),
            facts.get("maxLength", 0),
            facts.get("pattern", ""),
        ]
    return fields


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split("."))


def dump(data: dict[str, Any]) -> str:
    """Return the data as JSON text with one member a line, so that a diff is readable."""
    lines = ["{", f'"generations": {json.dumps(data["generations"])}']
    for part in ("kinds", "messages", "enums"):
        lines[-1] += ","
        lines.append(f'"{part}": {{')
        for owner, rows in data[part].items():
            body = ",\n".join(f"  {json.dumps(row)}" for row in rows)
            lines.append(f"{json.dumps(owner)}: [\n{body}\n]," if rows else f'"{owner}": [],')
        lines[-1] = lines[-1].removesuffix(",")
        lines.append("}")
    return "\n".join([*lines, "}"]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
