from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kfp_k8s_manifest.checks.protojson.normal import untyped
from kfp_k8s_manifest.rest import specs
from kfp_k8s_manifest.rest.errors import RestError
from kfp_k8s_manifest.rest.packages import read_package
from kfp_k8s_manifest.rest.values import Spec

SMALL = "pipelineInfo:\n  name: x\nroot: {}\nschemaVersion: 2.1.0\n"


def refusal(package: str) -> str:
    with pytest.raises(RestError) as caught:
        read_package(package.encode())
    assert caught.value.status == 400
    return caught.value.text


def test_the_smallest_package() -> None:
    assert read_package(SMALL.encode()) == Spec(
        pipeline={"pipelineInfo": {"name": "x"}, "root": {}, "schemaVersion": "2.1.0"}
    )


@pytest.mark.parametrize("package", ["", "\n\n", "---\n", "a: b\n", "name: Comp\ninputs: []\n"])
def test_what_is_no_package_at_all(package: str) -> None:
    assert refusal(package) == "unknown template format"


def test_a_refusal_does_not_repeat_all_of_a_package() -> None:
    version = "9" * 10_000
    told = refusal(SMALL.replace("2.1.0", f"'{version}'"))
    assert told.startswith("KFP only supports schema version 2.1.0, but the pipeline spec has")
    assert len(told) == 4097
    many = "".join(f"a: {number}\n" for number in range(10_000))
    told = refusal(f"{SMALL}---\n{many}")
    assert told.startswith(
        "unable to decode yaml document: yaml: unmarshal errors:\n  line 7: mapping key"
    )
    assert len(told) == 4097


@pytest.mark.parametrize(
    ("package", "told"),
    [
        (
            f"{SMALL}---\nhello\n",
            (
                "unable to decode yaml document: yaml: unmarshal errors:\n  line 6: cannot unmarshal"
                " !!str `hello` into map[string]interface {}"
            ),
        ),
        (
            f"hello\n---\n{SMALL}",
            (
                "unable to decode yaml document: yaml: unmarshal errors:\n  line 1: cannot unmarshal"
                " !!str `hello` into map[string]interface {}"
            ),
        ),
        (
            f"{SMALL}---\na: [1\n",
            "unable to decode yaml document: yaml: line 5: did not find expected ',' or ']'",
        ),
        (
            "a: [1\n",
            "failed to parse pipeline spec YAML: yaml: line 1: did not find expected ',' or ']'",
        ),
        (
            f"a: [1\n---\n{SMALL}",
            "failed to parse pipeline spec YAML: yaml: line 1: did not find expected ',' or ']'",
        ),
        (f"{SMALL}---\n{SMALL}---\na: [\n", "multiple pipeline specs provided"),
        (f"{SMALL}---\n{SMALL.replace('x', 'y')}", "multiple pipeline specs provided"),
        (f"{SMALL}extra: 1\n", "unknown template format"),
        (SMALL.replace("x", "''"), "unknown template format"),
        (SMALL.replace("x", "9"), "unknown template format"),
        (
            SMALL.replace("x", "Upper"),
            (
                "pipeline's name must contain only lowercase alphanumeric characters or '-' and must"
                " start with alphanumeric characters"
            ),
        ),
        (
            SMALL.replace("x", "A"),
            (
                "invalid v2 pipeline spec: name should consist of lower case alphanumeric characters,"
                " '-' or '.', and must start and end with an alphanumeric character"
            ),
        ),
        (
            SMALL.replace("2.1.0", "2.0.0"),
            "KFP only supports schema version 2.1.0, but the pipeline spec has version 2.0.0",
        ),
    ],
)
def test_refusals(package: str, told: str) -> None:
    assert refusal(package) == told


PLATFORM = "platforms:\n  kubernetes:\n    pipelineConfig: {workspace: {size: 5Gi}}\n"


def test_what_counts_as_a_platform_spec() -> None:
    whole = {"platforms": {"kubernetes": {"pipelineConfig": {"workspace": {"size": "5Gi"}}}}}
    assert read_package(f"{SMALL}---\n{PLATFORM}".encode()).platform == whole
    assert read_package(f"---\n---\n{PLATFORM}---\n{SMALL}---\n".encode()).platform == whole
    assert read_package(f"{SMALL}---\nplatforms: {{other: {{}}}}\n".encode()).platform is None
    assert (
        read_package(f"{SMALL}---\nplatforms: {{kubernetes: {{x: 1}}}}\n".encode()).platform is None
    )
    assert refusal(f"{SMALL}---\n{PLATFORM}---\n{PLATFORM}") == "multiple platform specs provided"


def test_plain_words_and_dates_are_read_as_kfp_reads_them() -> None:
    package = (
        f"{SMALL}deploymentSpec: {{a: y, b: no, c: on, d: 2001-01-01, e: true, f: 010, g: 1.0,"
        " h: 9007199254740993}\n"
    )
    assert read_package(package.encode()).pipeline["deploymentSpec"] == {
        "a": "y",
        "b": "no",
        "c": "on",
        "d": "2001-01-01T00:00:00Z",
        "e": True,
        "f": 8,
        "g": 1,
        "h": 9007199254740992,
    }


def test_keys_that_are_no_strings() -> None:
    assert refusal(f"{SMALL}deploymentSpec: {{1: a}}\n") == "unknown template format"
    platform = "platforms: {kubernetes: {deploymentSpec: {executors: {e: {1: a, true: b}}}}}\n"
    read = read_package(f"{SMALL}---\n{platform}".encode()).platform
    assert read == {
        "platforms": {
            "kubernetes": {"deploymentSpec": {"executors": {"e": {"1": "a", "true": "b"}}}}
        }
    }


WORKFLOW = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: old-}
spec:
  entrypoint: main
  templates:
  - name: main
    container: {image: busybox}
  - name: dag
    dag: {tasks: [{name: a, template: main}]}
"""


def test_a_workflow_of_kfp_v1() -> None:
    spec = read_package(WORKFLOW.encode())
    assert spec.workflow
    empty: dict[str, object] = {"inputs": {}, "metadata": {}, "outputs": {}}
    assert spec.pipeline == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": "old-"},
        "spec": {
            "arguments": {},
            "entrypoint": "main",
            "templates": [
                {
                    "name": "main",
                    "container": {"image": "busybox", "name": "", "resources": {}},
                    **empty,
                },
                {
                    "name": "dag",
                    "dag": {"tasks": [{"name": "a", "template": "main", "arguments": {}}]},
                    **empty,
                },
            ],
        },
        "status": {"finishedAt": None, "startedAt": None},
    }


@pytest.mark.parametrize("package", [SMALL, f"{SMALL}---\n{PLATFORM}", WORKFLOW])
def test_what_is_stored_is_read_again(package: str) -> None:
    spec = read_package(package.encode())
    assert specs.read_text(specs.write_text(spec)) == spec


def test_the_stored_text_of_two_documents() -> None:
    spec = read_package(f"{SMALL}---\n{PLATFORM}".encode())
    assert specs.write_text(spec) == (
        "pipelineInfo:\n  name: x\nroot: {}\nschemaVersion: 2.1.0\n"
        "\n---\n"
        "platforms:\n  kubernetes:\n    pipelineConfig:\n      workspace:\n        size: 5Gi\n"
    )
    assert specs.present(spec) == (
        b'{"pipeline_spec":{"pipelineInfo":{"name":"x"},"root":{},"schemaVersion":"2.1.0"},'
        b'"platform_spec":{"platforms":{"kubernetes":{"pipelineConfig":{"workspace":{"size":"5Gi"}}}}}}'
    )


def test_stored_contents_that_cannot_be_read() -> None:
    with pytest.raises(specs.SpecError, match=r"^unknown template format$"):
        specs.read_text("")
    with pytest.raises(specs.SpecError, match=r"^no pipeline spec is provided$"):
        specs.from_object({"pipelineSpec": {"foo": "bar"}})
    with pytest.raises(specs.SpecError, match=r"^no pipeline spec is provided$"):
        specs.from_object({})
    with pytest.raises(specs.SpecError, match=r"^unable to decode yaml document"):
        specs.from_object({"pipelineSpec": "text"})


def trees() -> st.SearchStrategy[object]:
    """Return untyped values as protobuf holds them: whole numbers are integers."""
    words = st.sampled_from(
        [
            "0o-7",
            "<<",
            "y",
            "~",
            "2001-01-01",
            "1_0",
            "- a",
            "a: b",
            " x ",
            "\n",
            "a\n b\n",
            "\t",
            "#",
        ]
    )
    texts = st.one_of(
        words, st.text(st.characters(codec="utf-8"), max_size=8), words.map(lambda each: each * 40)
    )
    numbers = st.one_of(
        st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False).map(untyped)
    )
    scalars = st.one_of(st.none(), st.booleans(), texts, numbers)
    return st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)
        ),
        max_leaves=12,
    )


@given(trees())
def test_every_content_is_stored_and_read_again(tree: object) -> None:
    content = {"pipelineInfo": {"name": "x"}, "root": {}, "schemaVersion": "2.1.0"}
    spec = Spec(pipeline={**content, "deploymentSpec": {"a": tree}})
    shown = specs.present(spec)
    # Go's YAML knows no negative zero.
    assume(b"-0.0" not in shown)
    assert specs.present(specs.read_text(specs.write_text(spec))) == shown
