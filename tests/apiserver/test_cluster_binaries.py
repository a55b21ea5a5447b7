"""The script that provides the programs, with stand-ins for Go and for the programs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import ROOT

SCRIPT = ROOT / "tools" / "cluster_binaries.py"
GO_MOD = (ROOT / "tools" / "cluster" / "go.mod").read_text(encoding="utf-8")
PROGRAMS = ("etcd", "kube-apiserver", "kube-controllers", "kubectl", "kustomize")


def pin(module: str) -> str:
    match = re.search(rf"^\s+{re.escape(module)} v(\S+)", GO_MOD, re.MULTILINE)
    assert match is not None
    return match[1]


def write_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}", encoding="utf-8")
    path.chmod(0o755)


def fake_go(
    folder: Path, *, before: str = "", kubernetes: str = pin("k8s.io/kubernetes")
) -> dict[str, str]:
    """Put a `go` that writes programs on the PATH, counting its calls in `calls`.

    Its programs answer the version that they are asked to have.
    """
    etcd, kustomize = pin("go.etcd.io/etcd/server/v3"), pin("sigs.k8s.io/kustomize/kustomize/v5")
    folder.mkdir(exist_ok=True)
    write_program(
        folder / "go",
        f"""echo call >> {folder}/calls
        while [ "$1" != -o ]; do shift; done
        {before}
        version=v{kubernetes}
        case "$2" in */etcd) version={etcd};; */kustomize) version={kustomize};; esac
        printf '#!/bin/sh\\necho Version: %s\\n' "$version" > "$2"
        chmod +x "$2"
        """,
    )
    return {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder)}


def calls(folder: Path) -> int:
    file = folder / "calls"
    return len(file.read_text(encoding="utf-8").splitlines()) if file.exists() else 0


def run(environ: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def assets(folder: Path, **versions: str) -> dict[str, str]:
    """Make a folder of programs that answer the given versions, and name it to the script."""
    folder.mkdir()
    for name, version in versions.items():
        write_program(folder / name.replace("_", "-"), f"echo Kubernetes {version}\n")
    return {"KUBEBUILDER_ASSETS": str(folder), "PATH": "/usr/bin:/bin", "HOME": str(folder)}


def test_it_builds_once_into_the_cache_folder(tmp_path: Path) -> None:
    environ = {**fake_go(tmp_path / "go"), "XDG_CACHE_HOME": str(tmp_path / "cache")}

    first = run(environ)

    assert first.returncode == 0, first.stderr
    (line,) = first.stdout.splitlines()
    (folder,) = (path for path in (tmp_path / "cache").glob("*/envtest/*") if path.is_dir())
    assert line == str(folder)
    assert str(folder).startswith(str(tmp_path / "cache" / "kfp-k8s-manifest" / "envtest"))
    assert sorted(path.name for path in folder.iterdir()) == list(PROGRAMS)
    built = calls(tmp_path / "go")

    assert run(environ).stdout == first.stdout
    assert run(environ, "--no-build").stdout == first.stdout
    assert calls(tmp_path / "go") == built == len(PROGRAMS)


def test_a_relative_cache_home_is_ignored(tmp_path: Path) -> None:
    environ = {**fake_go(tmp_path / "go"), "XDG_CACHE_HOME": "relative"}

    assert run(environ).stdout.startswith(str(tmp_path / "go" / ".cache"))


def test_the_folder_can_be_chosen(tmp_path: Path) -> None:
    done = run(fake_go(tmp_path / "go"), "--dir", tmp_path / "here")

    assert done.stdout.startswith(f"{tmp_path / 'here'}{os.sep}")


def test_a_damaged_folder_is_built_anew(tmp_path: Path) -> None:
    environ = fake_go(tmp_path / "go")
    (folder,) = run(environ, "--dir", tmp_path / "here").stdout.splitlines()
    write_program(Path(folder) / "etcd", "exit 1\n")

    refused = run(environ, "--dir", tmp_path / "here", "--no-build")
    assert refused.returncode == 1
    assert "is damaged" in refused.stderr
    assert run(environ, "--dir", tmp_path / "here").returncode == 0
    assert run(environ, "--dir", tmp_path / "here", "--no-build").returncode == 0


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    environ = fake_go(tmp_path / "go", before='case "$2" in */kubectl) exit 3;; esac')

    done = run(environ, "--dir", tmp_path / "here")

    assert done.returncode == 1
    assert done.stdout == ""
    assert "building kubectl failed" in done.stderr
    assert [path.suffix for path in (tmp_path / "here").iterdir()] == [".lock"]


def test_a_program_of_another_version_is_refused(tmp_path: Path) -> None:
    done = run(fake_go(tmp_path / "go", kubernetes="1.2.3"), "--dir", tmp_path / "here")

    assert done.returncode == 1
    assert "the built programs report" in done.stderr
    assert [path.suffix for path in (tmp_path / "here").iterdir()] == [".lock"]


def test_a_killed_build_leaves_nothing_that_counts(tmp_path: Path) -> None:
    environ = fake_go(tmp_path / "go", before="sleep 2")
    process = subprocess.Popen(
        [sys.executable, SCRIPT, "--dir", tmp_path / "here"],
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 20
    while calls(tmp_path / "go") == 0:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert run(environ, "--dir", tmp_path / "here", "--no-build").returncode == 1

    done = run(fake_go(tmp_path / "go"), "--dir", tmp_path / "here")

    assert done.returncode == 0, done.stderr
    folders = [path for path in (tmp_path / "here").iterdir() if path.is_dir()]
    assert [str(path) for path in folders] == done.stdout.splitlines()


def test_runs_at_the_same_time_build_once(tmp_path: Path) -> None:
    environ = fake_go(tmp_path / "go", before="sleep 0.2")
    command = [sys.executable, str(SCRIPT), "--dir", str(tmp_path / "here")]

    processes = [
        subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    outputs = [process.communicate(timeout=60) for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    assert len({stdout for stdout, _ in outputs}) == 1
    assert calls(tmp_path / "go") == len(PROGRAMS)


def test_without_go_it_says_what_to_do(tmp_path: Path) -> None:
    done = run({"PATH": str(tmp_path), "HOME": str(tmp_path)})

    assert done.returncode == 1
    assert "Install Go" in done.stderr
    assert "setup-envtest use" in done.stderr


def test_no_build_says_what_to_run(tmp_path: Path) -> None:
    environ = fake_go(tmp_path / "go")

    done = run(environ, "--no-build")

    assert done.returncode == 1
    assert "Run 'python tools/cluster_binaries.py' first" in done.stderr
    assert calls(tmp_path / "go") == 0


def test_complete_assets_are_used(tmp_path: Path) -> None:
    environ = assets(tmp_path / "a", etcd="3.5.1", kube_apiserver="v1.33.0", kubectl="v1.40.1")

    assert run(environ).stdout == f"{tmp_path / 'a'}\n"


@pytest.mark.parametrize(
    ("versions", "reason"),
    [
        ({"etcd": "3.5.1", "kubectl": "v1.34.0"}, "it lacks kube-apiserver"),
        ({}, "it lacks etcd, kube-apiserver, kubectl"),
        (
            {"etcd": "3.5.1", "kube_apiserver": "v1.32.9", "kubectl": "v1.34.0"},
            "its kube-apiserver is v1.32.9, older than 1.33",
        ),
        (
            {"etcd": "3.5.1", "kube_apiserver": "v1.34.0", "kubectl": "v1.4.0"},
            "its kubectl is v1.4.0, older than 1.33",
        ),
        ({"etcd": "x", "kube_apiserver": "v1.34.0", "kubectl": "v1.34.0"}, "printed no version"),
    ],
)
def test_unfit_assets_are_an_error(tmp_path: Path, versions: dict[str, str], reason: str) -> None:
    # The wish is explicit: other programs in their place would test something else.
    done = run(assets(tmp_path / "a", **versions))

    assert done.returncode == 1
    assert done.stdout == ""
    assert reason in done.stderr
