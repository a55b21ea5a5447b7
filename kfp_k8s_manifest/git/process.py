"""The one place that starts git.

Whoever validates or compiles a repository has often not written it, and git obeys the
configuration of the repository that it is run in: programs that watch files, connect to servers,
convert contents. So whatever could start a program is turned off for each call; nothing is
fetched; nobody is asked; and no call takes longer than a time limit.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from kfp_k8s_manifest.errors import SourceError

if TYPE_CHECKING:
    import subprocess

__all__ = ["run_git"]

_TIME_LIMIT: Final = 60.0
"""Seconds that one call may take."""

# What a repository's own configuration could have run, or asked of a server. These settings are
# given on the command line, which wins over every file.
_SETTINGS: Final = (
    "safe.bareRepository=explicit",
    "core.fsmonitor=false",
    f"core.hooksPath={os.devnull}",
    "core.untrackedCache=false",
    "core.askPass=",
    "core.sshCommand=false",
    "credential.helper=",
    "diff.ignoreSubmodules=none",
    "protocol.allow=never",
    "gc.auto=0",
    "maintenance.auto=false",
)
_ENVIRONMENT: Final = {
    # An empty list of protocols wins over `protocol.ext.allow` and the like in any configuration.
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "GIT_PAGER": "",
    # What git says is looked at below, so it has to be in one language.
    "LC_ALL": "C",
    "LANGUAGE": "C",
}


def run_git(
    folder: str, *arguments: str, stdin: bytes = b"", settings: Iterable[str] = ()
) -> tuple[int, bytes, str]:
    """Run git; return its exit code, what it wrote, and its complaint.

    Args:
        folder: Where it runs.
        arguments: The command and its arguments.
        stdin: What it reads.
        settings: Further settings, `key=value`, beside those that every call has.

    Raises:
        SourceError: git is missing, cannot be started, or does not end in time.
    """
    import subprocess

    options = [part for setting in (*_SETTINGS, *settings) for part in ("-c", setting)]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    places = _absolute_places()
    program = _program(places)
    try:
        process = subprocess.Popen(
            [program, "--no-pager", *options, *arguments],
            cwd=folder,
            env=environment | _ENVIRONMENT | {"PATH": os.pathsep.join(places)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # A group of its own, so that whatever git has started ends with it.
            start_new_session=True,
        )
    except OSError as error:
        raise SourceError(f"git cannot be run in {folder}: {error.strerror}") from error
    with process:
        try:
            out, err = process.communicate(stdin, timeout=_TIME_LIMIT)
        except BaseException as error:
            _kill(process)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise SourceError(
                f"git {arguments[0]} did not end within {_TIME_LIMIT:.0f} seconds in {folder}"
            ) from error
    lines = err.decode("utf-8", "replace").strip().splitlines()
    fatal = [line for line in lines if line.startswith("fatal: ")]
    said = (*fatal, *lines[-1:], "")[0]
    return process.returncode, out, said.removeprefix("fatal: ")


def _absolute_places() -> list[str]:
    """Return the folders of programs; a relative one would be a folder of the repository."""
    given = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return [place for place in given if os.path.isabs(place)]  # noqa: PTH117


def _program(places: Iterable[str]) -> str:
    """Return the path of git. Windows would look into the working directory first."""
    name = "git.exe" if os.name == "nt" else "git"
    for place in places:
        path = os.path.join(place, name)  # noqa: PTH118
        if os.access(path, os.X_OK):
            return path
    raise SourceError("git is not installed; leave the options that ask git out")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End git and whatever it has started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:  # Windows
        process.kill()
