"""`kfp-k8s compile`, through the real entry point."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, Run

HELLO = str(ROOT / "examples" / "hello_world" / "pipeline.py")
SEVERAL = str(ROOT / "examples" / "several" / "pipelines.py")


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_standard_output_holds_the_manifests_alone(kfp_k8s: Run, tmp_path: Path) -> None:
    noisy = write(
        tmp_path,
        "noisy.py",
        "import os, sys\nprint('to stdout')\nos.system('echo from a child')\n"
        + Path(HELLO).read_text(encoding="utf-8"),
    )
    done = kfp_k8s("compile", str(noisy), "--version", "v1")
    assert done.returncode == 0, done.stderr
    kinds = [item["kind"] for item in yaml.safe_load_all(done.stdout)]
    assert kinds == ["Pipeline", "PipelineVersion"]
    assert "to stdout" in done.stderr
    assert "from a child" in done.stderr


def test_a_file_a_folder_and_json(kfp_k8s: Run, tmp_path: Path) -> None:
    done = kfp_k8s("compile", HELLO, "-o", "one.yaml", "--version", "v1")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "one.yaml: Pipeline hello-world, PipelineVersion hello-world-v1\n"
    done = kfp_k8s("compile", HELLO, f"{SEVERAL}:train", "-o", "deep/folder/")
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / "deep" / "folder").iterdir())
    assert names == ["hello-world.yaml", "several-train.yaml"]
    done = kfp_k8s("compile", HELLO, "-o", "one.json", "--version", "v1")
    made = json.loads((tmp_path / "one.json").read_text(encoding="utf-8"))
    assert made["items"] == list(yaml.safe_load_all((tmp_path / "one.yaml").read_text()))
    done = kfp_k8s("compile", HELLO, "--format", "json", "--only", "pipeline")
    assert json.loads(done.stdout)["kind"] == "Pipeline"


def test_packages_of_ir_from_a_file_and_from_standard_input(kfp_k8s: Run, tmp_path: Path) -> None:
    text = (
        "pipelineInfo: {name: p}\nroot: {dag: {tasks: {}}}\nschemaVersion: 2.1.0\n"
        "deploymentSpec: {a: 08}\n---\nplatforms: {kubernetes: {}}\n"
    )
    write(tmp_path, "p.yaml", text)
    from_file = kfp_k8s("compile", "p.yaml", "--only", "version")
    from_stdin = kfp_k8s("compile", "-", "--only", "version", input=text)
    assert from_file.stdout == from_stdin.stdout
    spec = yaml.safe_load(from_file.stdout)["spec"]
    assert spec["platformSpec"] == {"platforms": {"kubernetes": {}}}
    assert "a: '08'" in from_file.stdout


def test_kfps_spelling(kfp_k8s: Run, tmp_path: Path) -> None:
    arguments = [
        *("--py", HELLO, "--output", "out.yaml", "--function", "hello_world"),
        *("--pipeline-parameters", "{}", "--disable-type-check"),
        *("--disable-execution-caching-by-default", "--kubernetes-manifest-format"),
        *("--pipeline-name", "hw", "--pipeline-display-name", "HW"),
        *("--pipeline-version-name", "hw-1", "--pipeline-version-display-name", "HW 1"),
        *("--namespace", "team-a", "--include-pipeline-manifest"),
    ]
    for command in (["compile"], ["dsl", "compile"]):
        done = kfp_k8s(*command, *arguments)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        pipeline, version = yaml.safe_load_all((tmp_path / "out.yaml").read_text())
        assert pipeline["metadata"] == {"name": "hw", "namespace": "team-a"}
        assert pipeline["spec"] == {"displayName": "HW", "description": "A simple intro pipeline"}
        assert version["metadata"] == {"name": "hw-1", "namespace": "team-a"}
        assert version["spec"]["displayName"] == "HW 1"
        assert version["spec"]["description"] == "A simple intro pipeline"
        tasks = version["spec"]["pipelineSpec"]["root"]["dag"]["tasks"]
        assert tasks["print-text"]["cachingOptions"] == {}


def kfp_text(folder: Path, output: str, *options: str) -> bytes:
    """Return what kfp's own command writes."""
    program = str(Path(sys.executable).parent / "kfp")
    command = [program, "dsl", "compile", "--py", HELLO]
    subprocess.run(
        [*command, "--output", output, *options], cwd=folder, check=True, capture_output=True
    )
    return (folder / output).read_bytes()


@pytest.mark.parametrize(
    ("output", "options"),
    [
        ("out.yaml", []),
        ("out.yml", ["--disable-execution-caching-by-default"]),
        ("out.yaml", ["--function", "generate_text", "--pipeline-parameters", "{}"]),
        ("out.json", []),
    ],
)
def test_dsl_compile_writes_ir_as_kfp_does(
    kfp_k8s: Run, tmp_path: Path, output: str, options: list[str]
) -> None:
    expected = kfp_text(tmp_path, output, *options)
    (tmp_path / output).unlink()
    done = kfp_k8s("dsl", "compile", "--py", HELLO, "--output", output, *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"Pipeline code was successfully compiled with the output saved to {tmp_path / output}\n"
    )
    assert (tmp_path / output).read_bytes() == expected


def test_dsl_compile_warns_of_options_without_use_as_kfp_does(kfp_k8s: Run, tmp_path: Path) -> None:
    warning = (
        "Warning: Kubernetes manifest options were provided but --kubernetes-manifest-format was"
        " not set. These options will be ignored.\n"
    )
    for options in (
        ["--namespace", "a", "--pipeline-name", "b"],
        ["--include-pipeline-manifest"],
        ["--label", "a=b"],
        ["--target", "2.17"],
    ):
        done = kfp_k8s("dsl", "compile", "--py", HELLO, "--output", "out.yaml", *options)
        assert (done.returncode, done.stderr) == (0, warning)
        assert yaml.safe_load((tmp_path / "out.yaml").read_text())["schemaVersion"] == "2.1.0"
    # A variable of the environment is no request.
    environment = {"KFP_K8S_TARGET": "2.17"}
    done = kfp_k8s("dsl", "compile", "--py", HELLO, "--output", "out.yaml", env=environment)
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "--py is missing: the module to compile"),
        (["--py", HELLO], 2, "--output is missing: the file to write, such as pipeline.yaml"),
        (["--py", HELLO, "--output", "x.yaml", "--all"], 2, "IR holds one pipeline; leave --all"),
        (["--py", HELLO, HELLO, "--output", "x.yaml"], 2, "IR is compiled from one module; name"),
        (["--py", "no.py", "--output", "x.yaml"], 1, "no.py: no such file"),
        (
            ["--py", HELLO, "--output", "x.txt"],
            1,
            f'{HELLO}: The output path {{folder}}/x.txt should end with ".yaml".',
        ),
        (["--py", HELLO, "--output", "x.py"], 1, 'x.py should end with ".yaml".'),
    ],
)
def test_bad_requests_of_dsl_compile(
    kfp_k8s: Run, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    done = kfp_k8s("dsl", "compile", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert message.format(folder=tmp_path) in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_kfps_default_is_the_version_alone(kfp_k8s: Run, tmp_path: Path) -> None:
    kfp_k8s("compile", "--py", HELLO, "--output", "out.yaml")
    assert yaml.safe_load((tmp_path / "out.yaml").read_text())["kind"] == "PipelineVersion"


def test_every_option_beyond_kfp(kfp_k8s: Run) -> None:
    done = kfp_k8s(
        *("compile", HELLO, "--target", "2.17", "--version", "1.0"),
        *("--pipeline-info-name", "pipeline", "--description", "both"),
        *("--version-description", "one", "--label", "a=b", "--annotation", "c=d=e"),
        *("--pipeline-label", "p=1", "--version-label", "v=1", "--pipeline-annotation", "pa=1"),
        *("--version-annotation", "va=1", "--tag", "t=08", "--version-tag", "vt="),
        *("--pipeline-tag", "pt=x", "--code-source-url", "https://example.com"),
        *("--pipeline-spec-uri", "s3://x/y"),
    )
    assert done.returncode == 0, done.stderr
    pipeline, version = yaml.safe_load_all(done.stdout)
    assert pipeline["metadata"] == {
        "name": "hello-world",
        "labels": {"a": "b", "p": "1"},
        "annotations": {"c": "d=e", "pa": "1"},
    }
    assert pipeline["spec"] == {
        "displayName": "hello-world",
        "description": "both",
        "tags": {"t": "08", "pt": "x"},
    }
    assert version["metadata"]["labels"] == {"a": "b", "v": "1"}
    spec = version["spec"]
    assert spec.pop("pipelineSpec")["pipelineInfo"]["name"] == "hello-world"
    assert spec == {
        "pipelineName": "hello-world",
        "versionName": "1.0",
        "description": "one",
        "tags": {"t": "08", "vt": ""},
        "codeSourceURL": "https://example.com",
        "pipelineSpecURI": "s3://x/y",
    }


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with the hello world, committed."""
    folder = tmp_path / "repository"
    folder.mkdir()
    shutil.copy(HELLO, folder / "pipeline.py")
    for command in (
        ["init", "-q"],
        ["remote", "add", "origin", "https://user:secret@example.com/team/repo.git"],
        ["add", "-A"],
        ["-c", "user.name=n", "-c", "user.email=e@example.com", "commit", "-qm", "m"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def test_git(kfp_k8s: Run, repository: Path) -> None:
    sha = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=repository, check=True, capture_output=True, text=True
    ).stdout.strip()
    name = ("--version-name", "{pipeline}-{git_sha}")
    done = kfp_k8s("compile", "pipeline.py", "--git", *name, "--only", "version", cwd=repository)
    assert done.returncode == 0, done.stderr
    version = yaml.safe_load(done.stdout)
    assert version["metadata"] == {
        "name": f"hello-world-{sha[:12]}",
        "annotations": {
            "org.opencontainers.image.revision": sha,
            "org.opencontainers.image.source": "https://example.com/team/repo",
        },
    }
    assert version["spec"]["codeSourceURL"] == "https://example.com/team/repo"
    assert "secret" not in done.stdout
    # Neither this run nor an earlier one of the user's own makes the work tree differ.
    assert sorted(path.name for path in repository.iterdir()) == [".git", "pipeline.py"]
    (repository / "__pycache__").mkdir()
    write(repository / "__pycache__", "pipeline.cpython-311.pyc", "")
    assert kfp_k8s("compile", "pipeline.py", *name, cwd=repository).returncode == 0
    # A commit that does not hold the content must not name it.
    write(repository, "pipeline.py", (repository / "pipeline.py").read_text() + "\n")
    done = kfp_k8s("compile", "pipeline.py", *name, cwd=repository)
    assert (done.returncode, done.stdout) == (1, "")
    assert "{git_sha} would name a commit that does not hold this content" in done.stderr
    done = kfp_k8s("compile", "pipeline.py", *name, "--allow-dirty", cwd=repository)
    assert done.returncode == 0


def test_several_pipelines(kfp_k8s: Run) -> None:
    done = kfp_k8s("compile", SEVERAL)
    assert (done.returncode, done.stdout) == (2, "")
    assert "2 pipelines at top level: evaluate, train; name one as" in done.stderr
    done = kfp_k8s("compile", SEVERAL, "--all", "--only", "pipeline")
    names = sorted(item["metadata"]["name"] for item in yaml.safe_load_all(done.stdout))
    assert names == ["several-evaluate", "several-train"]
    for spelling in ([f"{SEVERAL}:shared_step"], [SEVERAL, "--function", "shared_step"]):
        done = kfp_k8s("compile", *spelling, "--only", "pipeline")
        assert yaml.safe_load(done.stdout)["metadata"]["name"] == "shared-step"


def test_neighbouring_modules_of_one_name_do_not_meet(kfp_k8s: Run, tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        write(folder, "common.py", f"NAME = 'pipeline-{name}'\n")
        write(
            folder,
            "json.py",
            "from common import NAME\nfrom kfp import dsl\n"
            "@dsl.container_component\ndef c():\n"
            "    return dsl.ContainerSpec(image='a:1', command=['x'])\n"
            "@dsl.pipeline(name=NAME)\ndef p():\n    c()\n",
        )
    done = kfp_k8s("compile", "one/json.py", "two/json.py", "--only", "pipeline")
    assert done.returncode == 0, done.stderr
    names = [item["metadata"]["name"] for item in yaml.safe_load_all(done.stdout)]
    assert names == ["pipeline-one", "pipeline-two"]


def test_the_same_bytes_from_any_folder_with_any_hash_seed(kfp_k8s: Run, tmp_path: Path) -> None:
    outputs = set()
    source = ROOT / "examples" / "control_flow" / "pipeline.py"
    for seed in ("1", "2"):
        folder = tmp_path / f"folder-{seed}"
        folder.mkdir()
        shutil.copy(source, folder)
        done = kfp_k8s("compile", "pipeline.py", cwd=folder, env={"PYTHONHASHSEED": seed})
        assert done.returncode == 0, done.stderr
        outputs.add(done.stdout)
    assert len(outputs) == 1


FAILURES = {
    "raises.py": (
        "from kfp import dsl\ndef f(x):\n    return 1 / x\n@dsl.pipeline(name='p')\ndef p():\n    f(0)\n",
        1,
        ["the module raised ZeroDivisionError", "return 1 / x", "division by zero"],
    ),
    "syntax.py": ("def f(:\n", 1, ["the module is not valid Python", 'syntax.py", line 1']),
    "exits.py": ("import sys\nsys.exit(0)\n", 1, ["the module raised SystemExit"]),
    "nothing.py": ("x = 1\n", 1, ["no pipeline or component; decorate a function with"]),
    "empty.yaml": ("", 1, ["empty.yaml: the file is empty"]),
    "comment.yaml": ("# nothing\n", 1, ["comment.yaml: the file is empty"]),
    "broken.yaml": ("a: [\n", 1, ["broken.yaml: not valid YAML", "content, line 2, column 1;"]),
    "text.yaml": ("hello\n", 1, ["not a pipeline: the document is 'hello'"]),
    "old.yaml": (
        "pipelineInfo: {name: p}\nroot: {}\nschemaVersion: 2.0.0\n",
        1,
        ["schemaVersion is '2.0.0'; KFP takes '2.1.0' only"],
    ),
    "argo.yaml": (
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n",
        1,
        ["this is a Workflow of KFP v1 (argoproj.io/v1alpha1)"],
    ),
    "manifest.yaml": (
        "apiVersion: pipelines.kubeflow.org/v2beta1\nkind: PipelineVersion\n",
        1,
        ["this is a PipelineVersion manifest already"],
    ),
    "component.yaml": ("name: c\nimplementation: {}\n", 1, ["neither 'pipelineInfo' nor 'root'"]),
    "three.yaml": (
        "pipelineInfo: {name: p}\nroot: {}\nschemaVersion: 2.1.0\n---\nplatforms: {}\n---\na: 1\n",
        1,
        ["3 YAML documents"],
    ),
    "second.yaml": (
        "pipelineInfo: {name: p}\nroot: {}\nschemaVersion: 2.1.0\n---\na: 1\n",
        1,
        ["the second document is no platform spec"],
    ),
    "date.yaml": (
        "pipelineInfo: {name: p}\nroot: {}\nschemaVersion: 2.1.0\ndeploymentSpec: {a: 2020-01-01}\n",
        1,
        ["2020"],
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_bad_sources(kfp_k8s: Run, tmp_path: Path, name: str) -> None:
    text, code, parts = FAILURES[name]
    write(tmp_path, name, text)
    write(tmp_path, "out.yaml", "before")
    done = kfp_k8s("compile", name, "-o", "out.yaml")
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("Error: ")
    for part in parts:
        assert part in done.stderr
    # Only the frames of the user's module are shown.
    assert "kfp_k8s_manifest" not in done.stderr
    assert (tmp_path / "out.yaml").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".tmp") == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "no SOURCE given"),
        (["missing.py"], 1, "missing.py: no such file"),
        (["missing.yaml"], 1, "missing.yaml: no such file\n"),
        ([f"{HELLO}:nope"], 1, "no pipeline or component 'nope'; it has: generate_text, "),
        ([f"{HELLO}:IMAGE"], 1, "not a pipeline or component; decorate it with @dsl.pipeline"),
        ([HELLO, HELLO], 2, "two pipelines are called 'hello-world'"),
        ([HELLO, "--function", "a", "--all"], 2, "--function goes with exactly one module"),
        ([HELLO, "--pipeline-parameters", "{x"], 2, "--pipeline-parameters is not valid JSON"),
        ([HELLO, "--pipeline-parameters", "[]"], 2, "is [], not a JSON object"),
        ([HELLO, "--pipeline-parameters", '{"a": 1}'], 1, "does not match any known pipeline"),
        ([HELLO, "--pipeline-name", "My_Pipe"], 1, "'my-pipe' would pass."),
        ([HELLO, "--version", "V1"], 1, "'hello-world-v1' would pass."),
        ([HELLO, "--version-name", "{x"], 2, "the version name template '{x' is malformed"),
        ([HELLO, "--label", "a"], 2, "'a' is not of the form key=value, such as team=vision"),
        ([HELLO, "--target", "2.13"], 2, "target '2.13' is not known"),
        ([HELLO, "--tag", "a=b"], 2, "Pipeline spec.tags is not known to the target 'portable'"),
        ([HELLO, "-o", "/dev/full"], 1, "/dev/full: No space left on device"),
        ([HELLO, "--only", "version", "--include-pipeline-manifest"], 2, "exclude each other"),
        (
            [HELLO, "--git"],
            1,
            "is in no git work tree; run the command in the one that you ask about",
        ),
    ],
)
def test_bad_requests(
    kfp_k8s: Run, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    if "--git" in arguments:
        arguments = [str(shutil.copy(HELLO, tmp_path)), "--git"]
    done = kfp_k8s("compile", *arguments, env={"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)})
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_write_protected_file_is_not_replaced(tmp_path: Path) -> None:
    path = write(tmp_path, "out.yaml", "apiVersion: v1\nkind: List\n")
    path.chmod(0o444)
    # Root may write anywhere, so it has to give that right away first.
    without_right = ["setpriv", "--bounding-set=-dac_override"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*without_right, sys.executable, "-m", "kfp_k8s_manifest", "compile", HELLO, "-o", path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "the file is write-protected; nothing was changed there" in done.stderr
    assert path.read_text() == "apiVersion: v1\nkind: List\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(kfp_k8s: Run, shell: str) -> None:
    done = kfp_k8s("completion", shell)
    assert done.returncode == 0
    assert f"_KFP_K8S_COMPLETE={shell}_complete" in done.stdout


def test_completion_offers_commands_and_targets(kfp_k8s: Run) -> None:
    def offers(words: str, position: str) -> list[str]:
        environment = {
            "_KFP_K8S_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": position,
        }
        return [line.split(",")[1] for line in kfp_k8s(env=environment).stdout.splitlines()]

    assert "compile" in offers("kfp-k8s co", "1")
    assert offers("kfp-k8s compile --target 2.1", "3") == ["2.14", "2.15", "2.16", "2.17"]
