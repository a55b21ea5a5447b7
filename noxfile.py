"""The sessions of the project: `sh tools/nox.sh -l` lists them."""

from __future__ import annotations

import os
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["tests", "lint", "types", "docs", "e2e"]
nox.options.error_on_missing_interpreters = False

ROOT = Path(__file__).parent
PINS = str(ROOT / "requirements" / "constraints.txt")
PYTHONS = ["3.10", "3.11", "3.12", "3.13"]
# The newest patch of each kfp release that is supported, but for the newest, which is pinned.
KFP_RELEASES = ["2.14.6", "2.15.2", "2.16.1"]

TEST_TOOLS = [
    "cryptography",
    "hatchling",
    "hypothesis",
    "jsonschema",
    "pexpect",
    "pip",  # The commands of components call it in local runs; uv's environments lack it.
    "pre-commit",
    "pydantic-sarif",
    "pytest",
    "pytest-xdist",
    "rfc8785",
    "ruamel.yaml",
    "schemathesis",
]
NOTEBOOK_TOOLS = ["ipykernel", "nbclient"]


def install(
    session: nox.Session, *packages: str, extras: str = "apiserver,kubernetes,webhook"
) -> None:
    """Install the project and what a session needs, at the pinned versions."""
    session.install("-c", PINS, f".[{extras}]", *packages)


@nox.session
def demo(session: nox.Session) -> None:
    """Compile an example to manifests, check them, and print where they are."""
    session.install("-c", PINS, ".")
    output = ROOT / "build" / "demo"
    session.run(
        "kfp-k8s",
        "compile",
        "examples/hello_world/pipeline.py",
        "-n",
        "kubeflow",
        "-o",
        f"{output}/",
    )
    session.run("kfp-k8s", "validate", str(output))
    session.log(f"the manifests are in {output}")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests that need no cluster."""
    install(session, *TEST_TOOLS, *NOTEBOOK_TOOLS)
    session.run("pytest", "-n", "auto", "-m", "not cluster and not site", *session.posargs)


@nox.session(name="tests-python", python=PYTHONS)
def tests_python(session: nox.Session) -> None:
    """Run the tests under every supported Python that is found."""
    install(session, *TEST_TOOLS, *NOTEBOOK_TOOLS)
    session.run("pytest", "-n", "auto", "-m", "not cluster and not site", *session.posargs)


@nox.session
@nox.parametrize("kfp", KFP_RELEASES)
def kfp(session: nox.Session, kfp: str) -> None:
    """Run the tests against other releases of kfp."""
    session.install(
        ".[apiserver,webhook]",
        f"kfp=={kfp}",
        f"kfp-kubernetes=={kfp}",
        *TEST_TOOLS,
        "docker",  # kfp 2.15 imports it for every local run, without asking for it.
        *NOTEBOOK_TOOLS,
    )
    session.run("pytest", "-n", "auto", "-m", "not cluster and not site", *session.posargs)


@nox.session(name="tests-newest")
def tests_newest(session: nox.Session) -> None:
    """Run the tests with the newest version of every dependency, as a new user gets them."""
    session.install("-U", ".[apiserver,kubernetes,webhook]", *TEST_TOOLS, *NOTEBOOK_TOOLS)
    newest = session.run(
        *("python", "-c", "from importlib.metadata import version; print(version('kfp'))"),
        silent=True,
    )
    if f"kfp=={str(newest).strip()}\n" not in Path(PINS).read_text(encoding="utf-8"):
        session.error(
            f"a new user gets kfp {str(newest).strip()}, and so other names than the pages print:"
            " pin it (session pins), then write the names anew (session golden)"
        )
    session.run("pytest", "-n", "auto", "-m", "not cluster and not site", *session.posargs)


@nox.session(name="tests-lowest")
def tests_lowest(session: nox.Session) -> None:
    """Run the tests with the lowest allowed version of every dependency."""
    lowest = str(Path(session.create_tmp()) / "lowest.txt")
    session.install("uv")
    session.run(
        *("uv", "pip", "compile", "--quiet", "--resolution", "lowest-direct", "-o", lowest),
        *("--extra", "apiserver", "--extra", "kubernetes", "--extra", "webhook", "pyproject.toml"),
    )
    session.install("-c", lowest, ".[apiserver,kubernetes,webhook]", *TEST_TOOLS, *NOTEBOOK_TOOLS)
    session.run("pytest", "-n", "auto", "-m", "not cluster and not site", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, imports between the layers, and that the package data is complete."""
    session.install("-c", PINS, "ruff", "import-linter", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types, strictly."""
    install(session, "mypy", "types-PyYAML", "types-Pygments")
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, where a warning is an error, and read it in a browser."""
    # ruff formats the signatures on the page of the API.
    session.install("-c", PINS, ".[docs]", "ruff", "pytest", "websocket-client")
    session.run(
        *("mkdocs", "build", "--strict", *session.posargs),
        env={"NO_MKDOCS_2_WARNING": "1"},
    )
    session.run("pytest", "-m", "site", "tests/site")


@nox.session
def e2e(session: nox.Session) -> None:
    """Run the tests against a real etcd, kube-apiserver and kubectl."""
    install(session, *TEST_TOOLS)
    assets = session.run("python", "tools/cluster_binaries.py", silent=True)
    folder = str(assets).strip().splitlines()[-1]
    session.run(
        "pytest",
        # Each worker has a cluster and databases of its own, which the tests of a file share.
        *("-n", "auto", "--dist", "loadfile"),
        *("-m", "cluster"),
        *session.posargs,
        env={"KUBEBUILDER_ASSETS": os.environ.get("KUBEBUILDER_ASSETS", folder)},
    )


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the figures that the project promises, as ratios within one run."""
    install(session, *TEST_TOOLS)
    session.run("python", "benchmarks/run.py", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Feed the checks 100,000 broken inputs."""
    install(session, *TEST_TOOLS)
    session.run("python", "benchmarks/fuzz.py", *session.posargs)


@nox.session
def calls(session: nox.Session) -> None:
    """Make 20,000 calls of the REST API that its description makes up."""
    install(session, *TEST_TOOLS)
    session.run("python", "benchmarks/rest_schemathesis.py", *session.posargs)


@nox.session
def golden(session: nox.Session) -> None:
    """Write the golden manifests and the names that the pages print anew; never in CI."""
    if os.environ.get("CI"):
        session.error("golden files are not regenerated in CI")
    install(session, *TEST_TOOLS)
    session.run("python", "tools/regenerate_golden.py", *session.posargs)
    session.run("python", "tools/regenerate_pages.py")


@nox.session
def pins(session: nox.Session) -> None:
    """Add what requirements/constraints.txt lacks; `-- --upgrade` pins the newest of all."""
    session.install("uv")
    session.run(
        *("uv", "pip", "compile", "--quiet", "--universal", "--python-version", PYTHONS[0]),
        *("--no-header", "--no-annotate", "--all-extras", "pyproject.toml"),
        *("requirements/dev.in", "-o", PINS, *session.posargs),
    )
