"""click's runner of commands, which tells standard output and standard error apart in every click."""

from __future__ import annotations

import inspect
from typing import Any

from click import testing
from click.testing import Result

__all__ = ["CliRunner", "Result"]


class CliRunner(testing.CliRunner):
    """Up to 8.1 click mixes both unless it is told not to; later it has no such option."""

    def __init__(self) -> None:
        known = inspect.signature(testing.CliRunner).parameters
        options: dict[str, Any] = {"mix_stderr": False} if "mix_stderr" in known else {}
        super().__init__(**options)
