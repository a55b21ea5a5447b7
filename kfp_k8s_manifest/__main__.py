"""The entry point of `kfp-k8s`, and of `python -m kfp_k8s_manifest`."""

from __future__ import annotations

import gc
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    # A command is a short process, and importing click and kfp creates so many objects that
    # looking for cycles among them costs a tenth of the time. Before the first import it pays
    # most; what runs for long turns it on again.
    gc.disable()
    from kfp_k8s_manifest.cli import cli

    # A stream that cannot encode a name must not turn a message into a traceback.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    cli(prog_name="kfp-k8s")


if __name__ == "__main__":
    main()
