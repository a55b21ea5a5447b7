"""The entry point of `kfp-k8s`, and of `python -m kfp_k8s_manifest`."""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import os
import sys
from typing import Any

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    # A command is a short process, and importing click and kfp creates so many objects that
    # looking for cycles among them costs a tenth of the time. Before the first import it pays
    # most; what runs for long turns it on again.
    gc.disable()
    output = _open_standard_streams()
    try:
        from kfp_k8s_manifest.cli import cli

        cli(prog_name="kfp-k8s")
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        if output.failure is not error:
            raise
        output.give_up()
        reason = "it is closed" if error.errno == errno.EBADF else error.strerror
        sys.stderr.write(f"Error: cannot write to the standard output: {reason}\n")
        sys.exit(1)
    finally:
        # At its end Python looks for cycles among all objects once more, which takes as long as
        # importing a tenth of them. Frozen ones are left to the system.
        gc.freeze()


class _Output(io.FileIO):
    """The standard output, which knows whether it has failed.

    A result that could not be written is an error of the command, wherever in it or in click it
    comes up. A pipe that nobody reads any more is none: click ends the command without a word.
    """

    failure: OSError | None = None

    def write(self, data: Any) -> int | None:  # type: ignore[override]
        """Write bytes, and note a failure."""
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            self.failure = error
            raise

    def give_up(self) -> None:
        """Let Python's own last attempt to write succeed, which would end in a traceback."""
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)


def _open_standard_streams() -> _Output:
    """Make the standard streams fit for use, whatever they were started with."""
    for number in (0, 1, 2):
        # The next file that is opened would take the place of a closed one, and be written to.
        with contextlib.suppress(OSError):
            os.fstat(number)
            continue
        # Open for reading: a result that goes nowhere is an error, which writing tells.
        os.open(os.devnull, os.O_WRONLY if number == 2 else os.O_RDONLY)
    output = _Output(1, "w", closefd=False)
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
    if sys.stdout is None or not sys.stdout.isatty():
        encoding = sys.stdout.encoding if sys.stdout else "utf-8"
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(output), encoding)
    # A stream that cannot encode a name must not turn a message into a traceback.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    return output


if __name__ == "__main__":
    main()
