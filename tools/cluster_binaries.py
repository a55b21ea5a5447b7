"""Provide etcd, kube-apiserver, kubectl and kustomize for the tests that run the real ones.

Run as ``python tools/cluster_binaries.py``: the last line on standard output is the folder that
holds the programs, ready to be used as ``KUBEBUILDER_ASSETS``. Where that variable already names
a complete folder (the envtest convention, for instance made by ``setup-envtest``), it is used;
otherwise the programs are built with Go from the pinned modules of ``tools/cluster/go.mod`` into
a cache folder, once. Building needs Go 1.24 or newer and a few minutes.

The script needs nothing but Python's standard library, so that it runs before anything is
installed.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MODULE = Path(__file__).resolve().parent / "cluster"
"""The Go module that pins what is built."""

REQUIRED = ("etcd", "kube-apiserver", "kubectl")
"""What a folder must hold to be used: the three programs of the envtest convention."""

CONTROLLERS = "kube-controllers"
"""Our garbage collector and namespace controller, which `setup-envtest` has no equivalent of."""

KUSTOMIZE = "kustomize"
"""The program itself, which runs KRM functions; `setup-envtest` does not have it, kubectl's own runs none."""

OLDEST_KUBERNETES = (1, 33)
"""The oldest API server that the tests are meant for."""

_VERSION_PACKAGE = "k8s.io/component-base/version"
_KUSTOMIZE_VERSION = "sigs.k8s.io/kustomize/api/provenance.version"
_MINUTES_TO_BUILD = 90


class BinariesError(Exception):
    """The programs cannot be had; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """The versions that the Go module pins, each with its leading ``v``."""

    kubernetes: str
    etcd: str
    kustomize: str

    @classmethod
    def read(cls, module: Path = MODULE) -> Pins:
        """Read the pins from a module's ``go.mod``.

        Raises:
            BinariesError: if the file lacks one of the modules.
        """
        text = (module / "go.mod").read_text(encoding="utf-8")

        def pin(path: str) -> str:
            match = re.search(
                rf"^\s+{re.escape(path)} (v[0-9.]+)(?: // indirect)?$", text, re.MULTILINE
            )
            if match is None:
                raise BinariesError(f"{module / 'go.mod'} does not require {path}")
            return match[1]

        return cls(
            kubernetes=pin("k8s.io/kubernetes"),
            etcd=pin("go.etcd.io/etcd/server/v3"),
            kustomize=pin("sigs.k8s.io/kustomize/kustomize/v5"),
        )


def build_commands(pins: Pins, target: Path) -> list[list[str]]:
    """Return the ``go build`` commands that make every program in the folder `target`.

    Debug information is left out at every step: nobody debugs these programs, and without it
    compiling and linking take noticeably less time.
    """
    major, minor = pins.kubernetes.removeprefix("v").split(".")[:2]
    stamps = {
        "gitVersion": pins.kubernetes,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
    }
    stamp = " ".join(
        [
            *(f"-X {_VERSION_PACKAGE}.{key}={value}" for key, value in stamps.items()),
            f"-X {_KUSTOMIZE_VERSION}={pins.kustomize}",
        ]
    )
    packages = {
        "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
        "etcd": "go.etcd.io/etcd/server/v3",
        "kubectl": "k8s.io/kubernetes/cmd/kubectl",
        CONTROLLERS: f"./{CONTROLLERS}",
        KUSTOMIZE: "sigs.k8s.io/kustomize/kustomize/v5",
    }
    flags = ["-trimpath", "-buildvcs=false", "-mod=readonly", "-gcflags=all=-dwarf=false"]
    return [
        ["go", "build", *flags, f"-ldflags=-s -w {stamp}", "-o", str(target / name), package]
        for name, package in packages.items()
    ]


def versions(folder: Path) -> dict[str, str]:
    """Ask every program in `folder` for its version.

    Returns:
        The version by program name, with its leading ``v``; programs that are absent are too.

    Raises:
        BinariesError: if a program is present and does not run, or its answer has no version.
    """
    arguments = {
        "etcd": ["--version"],
        "kube-apiserver": ["--version"],
        "kubectl": ["version", "--client"],
        CONTROLLERS: ["--version"],
        KUSTOMIZE: ["version"],
    }
    found = {}
    for name, extra in arguments.items():
        program = folder / name
        if not program.is_file():
            continue
        try:
            answer = subprocess.run(
                [program, *extra], capture_output=True, text=True, timeout=60, check=True
            ).stdout
        except (OSError, subprocess.SubprocessError) as error:
            raise BinariesError(f"{program} does not run: {error}") from error
        match = re.search(r"v?(\d+\.\d+\.\d+\S*)", answer)
        if match is None:
            raise BinariesError(f"{program} {' '.join(extra)} printed no version: {answer!r}")
        found[name] = f"v{match[1]}"
    return found


def check_assets(folder: Path) -> str | None:
    """Return why `folder` cannot serve as ``KUBEBUILDER_ASSETS``, or None if it can."""
    missing = [name for name in REQUIRED if not os.access(folder / name, os.X_OK)]
    if missing:
        return f"it lacks {', '.join(missing)}"
    try:
        found = versions(folder)
    except BinariesError as error:
        return str(error)
    for name in ("kube-apiserver", "kubectl"):
        numbers = tuple(int(part) for part in found[name].removeprefix("v").split(".")[:2])
        if numbers < OLDEST_KUBERNETES:
            oldest = ".".join(map(str, OLDEST_KUBERNETES))
            return f"its {name} is {found[name]}, older than {oldest}"
    return None


def cache_root(environ: Mapping[str, str]) -> Path:
    """Return the folder that the project's cached programs live in."""
    base = environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says that a relative path is to be ignored.
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return root / "kfp-k8s-manifest" / "envtest"


def cache_key(pins: Pins, module: Path = MODULE) -> str:
    """Return the name of the cache folder: the versions, the platform and a digest.

    The digest covers the module's files and the build commands, so that a change of either is
    built anew and two checkouts never share programs that differ.
    """
    digest = hashlib.sha256()
    for path in sorted(module.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(module).as_posix().encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    digest.update(json.dumps(build_commands(pins, Path("bin"))).encode())
    system = f"{platform.system()}-{platform.machine()}".lower()
    return f"{pins.kubernetes}-etcd-{pins.etcd}-{system}-{digest.hexdigest()[:10]}"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path` between processes; the kernel frees it on any death."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"waiting for another run that holds {path}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def build(pins: Pins, target: Path, module: Path = MODULE) -> None:
    """Build every program and put the complete folder at `target`, or leave nothing there.

    Raises:
        BinariesError: if Go is missing, a build fails, or a program reports another version
            than the pinned one.
    """
    go = shutil.which("go")
    minor = pins.kubernetes.removeprefix("v").rpartition(".")[0]
    if go is None:
        raise BinariesError(
            "Go is not on the PATH, and it is needed to build the programs. Install Go 1.24 or "
            f"newer, or run 'setup-envtest use {minor}.x -p path' and set KUBEBUILDER_ASSETS to "
            "the folder that it prints"
        )
    # Whoever holds the lock may remove what killed runs left behind.
    for stale in target.parent.glob(f"{target.name}.partial-*"):
        shutil.rmtree(stale)
    partial = Path(tempfile.mkdtemp(prefix=f"{target.name}.partial-", dir=target.parent))
    try:
        for command in build_commands(pins, partial):
            _run_build(command, module)
        _check_built(pins, versions(partial))
        partial.chmod(0o755)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _run_build(command: list[str], module: Path) -> None:
    """Run one ``go build``, telling what and how long, with its output on standard error."""
    name = Path(command[command.index("-o") + 1]).name
    _say(f"building {name}")
    begin = time.monotonic()
    # Without cgo the programs do not depend on a C compiler nor on the machine's C library.
    # A lazier garbage collector in the compiler saves a tenth of its time and costs memory.
    environ = {"GOGC": "400", **os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    try:
        subprocess.run(
            command,
            cwd=module,
            env=environ,
            stdout=sys.stderr,
            check=True,
            timeout=_MINUTES_TO_BUILD * 60,
        )
    except subprocess.SubprocessError as error:
        raise BinariesError(f"building {name} failed: {error}") from error
    _say(f"built {name} in {time.monotonic() - begin:.0f} s")


def _check_built(pins: Pins, found: Mapping[str, str]) -> None:
    """Raise BinariesError unless the programs report the pinned versions."""
    wanted = dict.fromkeys(("kube-apiserver", "kubectl", CONTROLLERS), pins.kubernetes)
    wanted["etcd"] = pins.etcd
    wanted[KUSTOMIZE] = pins.kustomize
    if dict(found) != wanted:
        raise BinariesError(f"the built programs report {dict(found)}, expected {wanted}")


def provide(*, directory: Path | None, environ: Mapping[str, str], may_build: bool = True) -> Path:
    """Return a folder with the programs, building them if need be.

    Args:
        directory: where built programs are kept instead of the cache folder.
        environ: the environment; ``KUBEBUILDER_ASSETS`` and ``XDG_CACHE_HOME`` are read.
        may_build: whether to build what is missing.

    Raises:
        BinariesError: if there is no such folder and none can be made.
    """
    assets = environ.get("KUBEBUILDER_ASSETS")
    if assets and directory is None:
        reason = check_assets(Path(assets))
        if reason is None:
            return Path(assets).resolve()
        # Whoever sets the variable wants those programs; silently testing others would mislead.
        raise BinariesError(
            f"KUBEBUILDER_ASSETS is {assets!r}, but {reason}. Unset it to use the project's own "
            "programs, or point it to a complete folder"
        )
    pins = Pins.read()
    root = directory if directory is not None else cache_root(environ)
    target = root.absolute() / cache_key(pins)
    if not may_build:
        if (reason := _unusable(pins, target)) is not None:
            raise BinariesError(f"{reason}. Run 'python tools/cluster_binaries.py' first")
        return target
    with locked(target.parent / f"{target.name}.lock"):
        reason = _unusable(pins, target)
        if reason is not None:
            if target.exists():
                _say(f"building anew: {reason}")
                shutil.rmtree(target)
            build(pins, target)
    return target


def _unusable(pins: Pins, target: Path) -> str | None:
    """Return why the cache folder `target` cannot be used, or None if it can."""
    if not target.is_dir():
        return f"the programs are not built: there is no {target}"
    try:
        _check_built(pins, versions(target))
    except BinariesError as error:
        return f"{target} is damaged: {error}"
    return None


def _say(text: str) -> None:
    """Tell the user something; standard output is kept for the result."""
    sys.stderr.write(f"cluster_binaries: {text}\n")
    sys.stderr.flush()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(
        description="Provide etcd, kube-apiserver and kubectl; print the folder that holds them."
    )
    parser.add_argument(
        "--dir", type=Path, help="keep the built programs here instead of the cache folder"
    )
    parser.add_argument("--no-build", action="store_true", help="fail instead of building")
    options = parser.parse_args(arguments)
    try:
        folder = provide(directory=options.dir, environ=os.environ, may_build=not options.no_build)
    except BinariesError as error:
        _say(f"error: {error}")
        return 1
    sys.stdout.write(f"{folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
