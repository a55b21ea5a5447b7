"""`kfp-k8s fmt`: quotes come back, and nothing else changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfp_k8s_manifest import validate_text
from kfp_k8s_manifest.errors import YamlError, YamlLimitError
from kfp_k8s_manifest.validation.repair import RepairError, repair
from kfp_k8s_manifest.yaml.reader import load_all

PROJECT = Path(__file__).parents[2]

BROKEN = """\
# Kept: a comment, and 08 in it.
apiVersion: pipelines.kubeflow.org/v2beta1
kind: PipelineVersion
metadata:
  name:   0x10   # odd spacing
  labels: {a: y, "b": 'n'}
spec:
  pipelineName: train
  displayName: 08
  pipelineSpec:
    schemaVersion: 2.1.0
    pipelineInfo: {name: train-v1}
    root:
      inputDefinitions:
        parameters:
          y: {parameterType: STRING, defaultValue: 1e3}
          rows: {parameterType: NUMBER_INTEGER, defaultValue: 08}
      dag:
        tasks:
          fit:
            taskInfo: {name: fit}
            componentRef: {name: comp-fit}
            inputs:
              parameters:
                x: {runtimeValue: {constant: 0o17}}
    components:
      comp-fit:
        executorLabel: exec-fit
        inputDefinitions:
          parameters:
            x: {parameterType: STRING}
    deploymentSpec:
      executors:
        exec-fit:
          container:
            image: a:1
            args: [--rate, 1_000, yes, text]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {kept: 08}
"""
LINES = {
    5: '  name:   "0x10"   # odd spacing',
    6: """  labels: {a: "y", "b": 'n'}""",
    9: '  displayName: "08"',
    16: '          "y": {parameterType: STRING, defaultValue: "1e3"}',
    25: '                x: {runtimeValue: {constant: "0o17"}}',
    37: '            args: [--rate, "1_000", "yes", text]',
}


def repaired() -> str:
    lines = BROKEN.split("\n")
    for number, line in LINES.items():
        lines[number - 1] = line
    return "\n".join(lines)


def test_only_quotes_are_added() -> None:
    result = repair(BROKEN)
    assert result.text == repaired()
    assert [(each.line, each.column, each.written, each.was, each.key) for each in result.changes] == [
        (5, 11, "0x10", "16", False),
        (6, 15, "y", "true", False),
        (9, 16, "08", "8", False),
        (16, 11, "y", "true", True),
        (16, 52, "1e3", "1000", False),
        (25, 46, "0o17", "15", False),
        (37, 28, "1_000", "1000", False),
        (37, 35, "yes", "true", False),
    ]  # fmt: skip
    assert repair(result.text).changes == ()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["", "\ufeff", "---\n", "# c\n---\n"])
def test_line_ends_and_the_byte_order_mark_stay(start: str, end: str) -> None:
    given_text = (start + BROKEN).replace("\n", end)
    assert repair(given_text).text == (start + repaired()).replace("\n", end)


HEAD = """\
apiVersion: pipelines.kubeflow.org/v2beta1
kind: PipelineVersion
metadata:
  name: a
"""
SPEC = """\
spec:
  pipelineName: train
  pipelineSpec:
    pipelineInfo: {name: train}
    schemaVersion: 2.1.0
"""


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "  deletionGracePeriodSeconds: 30\n",
        HEAD + "  generation: 1\n",
        HEAD + "  labels: 5\n",
        HEAD + "  finalizers: 5\n",
        HEAD + "  creationTimestamp: 5\n",
        HEAD + "  nope: 5\n",
        HEAD + "  ownerReferences: [{controller: yes, nope: 5}]\n",
        # As a text it would be no valid key of a label.
        HEAD + "  labels: {+1: a}\n",
        HEAD + SPEC + "    root: {inputDefinitions: {parameters: {a: {parameterType: 3}}}}\n",
        HEAD + SPEC + "    root: {dag: {tasks: {a: {retryPolicy: {backoffDuration: 60}}}}}\n",
        HEAD + SPEC + "    deploymentSpec: {executors: {a: {customJob: {customJob: {a: 08}}}}}\n",
        HEAD + SPEC + "    deploymentSpec: {executors: {a: {customJob: {customJob:"
        " {parameterType: STRING, defaultValue: 08}}}}}\n",
        HEAD + "spec: {platformSpec: {platforms: {other: {deploymentSpec: {executors:"
        " {a: {nodeSelector: {labels: {a: 08}}}}}}}}}\n",
    ],
)
def test_where_no_string_is_expected_nothing_is_quoted(text: str) -> None:
    assert repair(text).changes == ()


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("  labels: {generation: 5}\n", '  labels: {generation: "5"}\n'),
        ("  annotations: {defaultValue: yes}\n", '  annotations: {defaultValue: "yes"}\n'),
        ("  managedFields: [{manager: 08}]\n", '  managedFields: [{manager: "08"}]\n'),
        ("  labels: {1_0: a}\n", '  labels: {"1_0": a}\n'),
    ],
)
def test_where_a_string_is_expected_it_gets_its_quotes(text: str, becomes: str) -> None:
    assert repair(HEAD + text).text == HEAD + becomes


def test_a_key_that_quotes_would_make_a_second_time_is_refused() -> None:
    with pytest.raises(RepairError) as caught:
        repair(HEAD + '  labels: {y: a, "y": b}\n', source="a.yaml")
    assert str(caught.value) == (
        "a.yaml: with the quotes put back it could not be read any more (key 'y' occurs twice in"
        " one object); repair it by hand. Nothing was changed."
    )


def test_json_and_lists() -> None:
    obj = {"apiVersion": "pipelines.kubeflow.org/v2beta1", "kind": "Pipeline", "metadata": {"name": 8}}  # fmt: skip
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [obj, obj]})
    assert repair(text).text == text.replace('"name": 8', '"name": "8"')


def test_an_anchor_that_means_two_things_is_refused() -> None:
    text = """\
apiVersion: pipelines.kubeflow.org/v2beta1
kind: PipelineVersion
metadata: {name: a}
spec:
  displayName: &n 8
  pipelineName: train
  pipelineSpec:
    root: {dag: {tasks: {a: {retryPolicy: {maxRetryCount: *n}}}}}
"""
    with pytest.raises(RepairError, match="by hand"):
        repair(text, source="a.yaml")


def test_an_anchor_that_means_one_thing_is_quoted() -> None:
    text = """\
apiVersion: pipelines.kubeflow.org/v2beta1
kind: Pipeline
metadata: {name: &n 08, labels: {a: *n}}
"""
    assert repair(text).text == text.replace("08", '"08"')


def test_text_that_is_no_yaml() -> None:
    with pytest.raises(YamlError, match=r"^a\.yaml:1:"):
        repair("a: b: c", source="a.yaml")


@given(
    st.dictionaries(
        st.sampled_from(["y", "n", "010", "a", "true", "1e3"]),
        st.sampled_from(["08", "1e3", "yes", "text", "0o17", "'8'", "null", "1_0", "2.50", "1:30"]),
        max_size=4,
    )
)
@settings(max_examples=150, deadline=None)
def test_what_was_written_is_what_is_read_afterwards(labels: dict[str, str]) -> None:
    """After the repair every label is the text that stood there."""
    body = "".join(f"    {key}: {value}\n" for key, value in labels.items())
    text = (
        "apiVersion: pipelines.kubeflow.org/v2beta1\nkind: Pipeline\nmetadata:\n  name: a\n"
        + (f"  labels:\n{body}" if labels else "")
        + "spec: {}\n"
    )
    try:
        load_all(text)
    except YamlError:
        return  # `y` and `true` are one key for Kubernetes
    (document,) = load_all(repair(text).text)
    plain = {key: value.strip("'") for key, value in labels.items() if value != "null"}
    found = document.value["metadata"].get("labels", {})
    assert {key: value for key, value in found.items() if value is not None} == plain


def kfp_k8s(*arguments: str, text: str = "") -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "kfp_k8s_manifest", *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    return done.returncode, done.stdout, done.stderr


def test_fmt(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(BROKEN)
    code, out, err = kfp_k8s("fmt", "--check", str(path))
    assert (code, err) == (1, "8 to quote in 1 file.\n")
    assert out.splitlines()[2] == f'{path}:9:16: value 08 (read as 8) -> "08" in spec.displayName'
    assert out.splitlines()[3] == (
        f'{path}:16:11: key y (read as true) -> "y" in'
        " spec.pipelineSpec.root.inputDefinitions.parameters"
    )
    assert path.read_text() == BROKEN
    assert kfp_k8s("fmt", str(path))[0] == 0
    code, out, err = kfp_k8s("fmt", "--fix", str(tmp_path))
    assert (code, err) == (0, "8 quoted in 1 file.\n")
    assert path.read_text() == repaired()
    assert kfp_k8s("fmt", "--check", str(path)) == (0, "", "0 to quote in 0 files.\n")


def test_fmt_of_standard_input() -> None:
    code, out, err = kfp_k8s("fmt", "--fix", "-", text=BROKEN)
    assert (code, out) == (0, repaired())
    assert "value 08 (read as 8)" in err


def test_what_can_be_repaired_is_and_the_rest_is_named(tmp_path: Path) -> None:
    group = "apiVersion: pipelines.kubeflow.org/v2beta1\n"
    texts = {
        "a.yaml": BROKEN,
        "b.yaml": f"{group}a: b: c\n",
        "c.yaml": f"{group}metadata: {{name: {{{{ .Values.name }}}}}}\n",
        "d.json": '{"a": 1, // a comment\n"b": 2}',
        "e.yaml": BROKEN,
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "f.yaml").write_bytes(b"caf\xe9\n")
    (tmp_path / "g.yaml").write_bytes(f"{group}# caf\xe9\n".encode("latin-1"))
    code, out, err = kfp_k8s("fmt", "--fix", "-v", str(tmp_path))
    assert code == 1
    assert {line.partition(":")[0] for line in out.splitlines()} == {
        str(tmp_path / "a.yaml"),
        str(tmp_path / "e.yaml"),
    }
    assert err.splitlines() == [
        f"Error: {tmp_path}/b.yaml:2:5: mapping values are not allowed in this context",
        f"skipped {tmp_path}/c.yaml: it is a template",
        f"skipped {tmp_path}/d.json: it is not read as YAML or JSON",
        f"skipped {tmp_path}/f.yaml: it is not read as YAML or JSON",
        f"Error: {tmp_path}/g.yaml: not text in UTF-8: invalid continuation byte",
        "16 quoted in 2 files; 2 files could not be repaired; 3 other files skipped.",
    ]
    for name, text in texts.items():
        assert (tmp_path / name).read_text() == (repaired() if text is BROKEN else text)
    # Whoever names a file wants to hear of it.
    code, _, err = kfp_k8s("fmt", str(tmp_path / "d.json"), str(tmp_path / "a.yaml"))
    assert code == 1
    assert err.splitlines()[-1] == "0 to quote in 0 files; 1 file could not be repaired."
    code, _, err = kfp_k8s("fmt", "--skip-others", str(tmp_path / "d.json"))
    assert (code, err) == (0, "0 to quote in 0 files; 1 other file skipped.\n")


@pytest.mark.skipif(os.name == "nt", reason="needs a limit of file sizes")
def test_only_what_was_written_is_told(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(BROKEN)
    code = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "from kfp_k8s_manifest.__main__ import main\n"
        "sys.argv = ['kfp-k8s', 'fmt', '--fix', '.']\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    assert (done.returncode, done.stdout) == (1, "")
    errors = done.stderr.splitlines()
    assert [line.partition(":")[0] for line in errors[:2]] == ["Error", "Error"]
    assert "a.yaml: File too large" in errors[0]
    assert "b.yaml: File too large" in errors[1]
    assert errors[2:] == ["0 quoted in 0 files; 2 files could not be repaired."]
    assert {path.read_text() for path in tmp_path.iterdir()} == {BROKEN}


def test_what_is_told_is_short_and_changes_no_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m.yaml"
    number = "1" * 305
    path.write_text(
        "apiVersion: pipelines.kubeflow.org/v2beta1\nkind: Pipeline\n"
        f'metadata: {{name: a, labels: {{"\\e[31m": {number}, "{"k" * 1000}": y}}}}\n'
    )
    (tmp_path / "b\x1b.yaml").write_text("a: b: c\n")
    code, out, err = kfp_k8s("fmt", "-v", str(tmp_path))
    assert (code, "\x1b" in out + err) == (0, False)
    first, second = out.splitlines()
    assert "1" * 301 not in first
    assert "value 11111" in first
    assert "metadata.labels[\\x1b[31m]" in first
    assert len(second) < 1000


def test_what_is_excluded_or_ignored_stays(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml", "c.yaml"):
        (tmp_path / name).write_text(BROKEN)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("b.yaml\n")
    code, _, err = kfp_k8s("fmt", "--fix", "--exclude", "c.*", str(tmp_path))
    assert (code, err) == (0, "8 quoted in 1 file.\n")
    assert (tmp_path / "a.yaml").read_text() == repaired()
    assert (tmp_path / "b.yaml").read_text() == (tmp_path / "c.yaml").read_text() == BROKEN


@pytest.mark.skipif(os.name == "nt", reason="there are no such pipes")
def test_a_pipe_is_repaired_to_standard_output(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(BROKEN)
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m kfp_k8s_manifest fmt --fix <(cat {path})"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    assert done.stdout == repaired()
    assert done.stderr.endswith("8 quoted in 1 file.\n")


def test_an_object_of_another_operator_stays() -> None:
    text = """\
apiVersion: pipelines.kubeflow.org/v1beta1
kind: RunConfiguration
metadata: {name: nightly}
spec: {displayName: 08}
"""
    assert repair(text).text == text


def test_validate_accepts_what_fmt_wrote() -> None:
    rules = {each.rule for each in validate_text(BROKEN, assume_pipelines=True).findings}
    assert {"metadata-type", "yaml-unquoted-key", "yaml-unquoted-value"} <= rules
    after = {each.rule for each in validate_text(repaired(), assume_pipelines=True).findings}
    assert not {"metadata-type", "yaml-unquoted-key", "yaml-unquoted-value"} & after


def test_a_text_with_too_much_in_it_is_refused_quickly() -> None:
    def text(items: int) -> str:
        return f"{HEAD}spec: {{displayName: 08, more: [{'0, ' * items}]}}\n"

    assert len(repair(text(149_900)).changes) == 1
    with pytest.raises(YamlLimitError) as error:
        repair(f"---\na: b\n---\n{text(150_000)}", source="a.yaml")
    assert str(error.value) == (
        "a.yaml:4: at most 150,000 keys and values of objects are repaired in one text, where each"
        " object counts for 50; split it"
    )
    # What is of others is not touched.
    others = f"kind: List\nitems: [{'0, ' * 150_001}]\n"
    assert repair(others).changes == ()
