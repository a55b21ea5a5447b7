"""What is said of a source whose process gave no answer, or too much of one."""

from __future__ import annotations

import signal

from kfp_k8s_manifest.compiler._worker import OUTPUT_LIMIT, RESULT_LIMIT

__all__ = ["ended", "server_ended", "too_large", "too_late", "too_loud"]


def ended(source: str, code: int) -> str:
    """Say that a source's process ended without an answer.

    Args:
        source: The source.
        code: The exit code, or the negative number of the signal that ended it.
    """
    if code >= 0:
        return (
            f"{source}: the module ended its process, with exit code {code}, before its pipeline"
            " was compiled: it called os._exit, or closed what its result goes through"
        )
    return f"{source}: the module's process was ended by {_signal(-code)}"


def server_ended(code: int) -> str:
    """Say that the process between the caller and the sources ended."""
    how = f"by {_signal(-code)}" if code < 0 else f"with exit code {code}"
    return f"the process that starts one for each source was ended {how}"


def _signal(number: int) -> str:
    try:
        name = f" ({signal.Signals(number).name})"
    except ValueError:
        name = ""
    why = "; is there enough memory?" if number == getattr(signal, "SIGKILL", None) else ""
    return f"signal {number}{name}{why}"


def too_late(source: str, seconds: float) -> str:
    """Say that the time limit has passed."""
    return f"{source}: not done after {seconds:g} s, the time limit (--timeout)"


def too_loud(source: str) -> str:
    """Say that a source printed too much."""
    return f"{source}: the module printed more than {OUTPUT_LIMIT // 2**20} MiB and was ended"


def too_large(source: str) -> str:
    """Say that the pipelines of a source are too large."""
    return f"{source}: its pipelines come to more than {RESULT_LIMIT // 2**20} MiB of JSON"
