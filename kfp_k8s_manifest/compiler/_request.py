"""What is asked of the process of one source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

__all__ = ["Origin", "Request"]

Origin = tuple[str, str]
"""Where a pipeline's function is defined: the file and the function's qualified name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One source to compile.

    Attributes:
        source: What messages call it, as the user named it.
        kind: A Python file, a module by its dotted name, or a notebook.
        path: The file, or the dotted name.
        function: The name of one pipeline or component in it; None for its top-level pipeline.
        every: Return all top-level pipelines instead of insisting on one.
        own: Return the pipelines that are defined in this very file, which may be none.
        parameters: Defaults of the pipeline's parameters, by name.
        type_check: Whether kfp checks the types of what tasks hand to each other.
        caching: Whether tasks use the execution cache unless they say otherwise.
        package: A path: return the text that kfp would write there, instead of values.
        watch: A folder without links: note what is read in it and below while compiling.
    """

    source: str
    kind: Literal["file", "module", "notebook"]
    path: str
    function: str | None = None
    every: bool = False
    own: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)
    type_check: bool = True
    caching: bool = True
    package: str | None = None
    watch: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the request as JSON has it."""
        return asdict(self)
