"""U+0085 outside of the specs: what server-side apply and kustomize make of it.

`kubectl apply --server-side` sends JSON, where the character stands as it is, and the API server
reads that as YAML, where it is a line break: inside a value it becomes a space, inside a key the
object is refused. `kubectl kustomize` reads it so too. Client-side apply and create store it.

What KFP makes of it inside the specs is told by `checks.webhook`.

Source: a real API server and kubectl, 1.34.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.first import First
from kfp_k8s_manifest.checks.walks import strings
from kfp_k8s_manifest.checks.words import finding, shown
from kfp_k8s_manifest.findings import Finding

__all__ = ["check_next_line"]

_NEXT_LINE: Final = "\x85"
_SPECS: Final = ("pipelineSpec", "platformSpec")


def check_next_line(obj: Mapping[str, Any]) -> Iterator[Finding]:
    """Return warnings about U+0085 in an object, but for its two specs.

    Args:
        obj: A JSON tree with anything in it.
    """
    rest = dict(obj)
    spec = rest.get("spec")
    if isinstance(spec, dict):
        rest["spec"] = {key: value for key, value in spec.items() if key not in _SPECS}
    first = First()
    for path, text, on_key in strings(rest, _NEXT_LINE):
        if not first.passes(registry.NEXT_LINE, ()):
            continue
        if on_key:
            what = "The key holds U+0085, with which server-side apply refuses the object."
        else:
            what = (
                f"{shown(text)} holds U+0085, which server-side apply and kustomize turn into a"
                " space."
            )
        yield finding(
            registry.NEXT_LINE,
            path,
            what,
            value=text,
            hint="Write a space, or a line break such as \\n.",
            on_key=on_key,
        )
    yield from first.rest()
