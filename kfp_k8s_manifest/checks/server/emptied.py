"""Updates that server-side apply refuses: a map that had entries and has none.

Server-side apply removes the entries that are no longer applied, and the API server then takes
what is left for null, which the CRD does not accept. Client-side apply and replace store `{}`.

Source: a real API server, 1.34.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.words import finding, value_at
from kfp_k8s_manifest.findings import Finding
from kfp_k8s_manifest.model.kinds import PIPELINE

__all__ = ["check_emptied"]

_MAPS: Final = (("spec", "tags"), ("spec",))


def check_emptied(previous: Mapping[str, Any], current: Mapping[str, Any]) -> Iterator[Finding]:
    """Return warnings about the maps that an update empties.

    Args:
        previous: The object as it is in the cluster, or was applied last.
        current: The object that is to replace it, of the same kind, namespace and name.
    """
    for path in _MAPS:
        before, after = value_at(previous, *path), value_at(current, *path)
        if not (isinstance(before, dict) and before and after == {}):
            continue
        if path == ("spec",) and current.get("kind") != PIPELINE:
            continue
        tags = path[-1] == "tags"
        yield finding(
            registry.EMPTY_MAP,
            path,
            "is empty and had entries before, which server-side apply refuses: it takes what is left"
            " for null.",
            value=after,
            hint="Remove it." if tags else "Keep a field, such as displayName.",
            cluster_message=f'{".".join(path)}: Invalid value: "null"',
        )
