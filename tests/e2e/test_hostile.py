"""Hostile scalars: what our writer writes is what Kubernetes reads, and what a cluster stores."""

from __future__ import annotations

import copy
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from kfp_k8s_manifest.checks.server.emptied import check_emptied
from kfp_k8s_manifest.checks.server.next_line import check_next_line
from kfp_k8s_manifest.checks.webhook.specs import check_specs
from kfp_k8s_manifest.errors import YamlError
from kfp_k8s_manifest.findings import Finding, Severity
from kfp_k8s_manifest.manifests import to_yaml
from kfp_k8s_manifest.releases import target as find_target
from kfp_k8s_manifest.yaml import dump, load_all
from tests.apiserver.kubectl import Unreadable
from tests.yaml.strategies import HOSTILE_NUMBERS, HOSTILE_TEXTS, hostile_text, hostile_trees

from .compare import difference
from .installations import Installation, pipeline, version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Reader = Callable[[Iterable[str]], list[Any]]

SEED = 11_551
TREES = 2500
MANIFESTS = 400
REVIEWED = 150
SCALARS = 3000
# What kubectl reads and our reader refuses: "! a", and "[a:]", which YAML 1.1 forbids.
REFUSED_ON_PURPOSE = {
    "readers disagree about the tag !",
    "while scanning a plain scalar, found unexpected ':'",
}


def errors_of(obj: dict[str, Any], target: str) -> list[Finding]:
    found = check_specs(obj["spec"]["pipelineSpec"], None, find_target(target))
    return [each for each in found if each.severity is Severity.ERROR]


def hostile_versions(seed: int, count: int) -> list[dict[str, Any]]:
    """Return versions with hostile names and defaults of parameters, by seed."""
    objects = []
    for number, tree in enumerate(hostile_trees(seed, count)):
        obj = version(f"hostile-{number}", "hostile")
        # Every JSON value is a default that the decoder takes.
        parameters = {
            key: {"parameterType": "STRUCT", "defaultValue": value} for key, value in tree.items()
        }
        obj["spec"]["pipelineSpec"]["root"]["inputDefinitions"] = {"parameters": parameters}
        objects.append(obj)
    return objects


def every_hostile_scalar() -> dict[str, Any]:
    """Return one version that has all of them, as values and as keys."""
    obj = version("hostile-all", "hostile")
    values = [*HOSTILE_TEXTS, *HOSTILE_NUMBERS]
    defaults: dict[str, Any] = {f"value-{number}": value for number, value in enumerate(values)}
    defaults |= {text: {text: [text]} for text in HOSTILE_TEXTS}
    parameters = {
        key: {"parameterType": "STRUCT", "defaultValue": value} for key, value in defaults.items()
    }
    obj["spec"]["pipelineSpec"]["root"]["inputDefinitions"] = {"parameters": parameters}
    return obj


def without_nulls(value: Any) -> Any:
    """Leave out the keys that `kubectl apply` without `--server-side` leaves out as well."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def strings(value: Any) -> Iterator[tuple[bool, str]]:
    """Yield all strings of a tree, and whether they are keys."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield True, key
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield False, value


def survives_json_read_as_yaml(value: Any) -> bool:
    """Return whether JSON of a tree is the same as YAML, as which server-side apply is read.

    The API server gets what kubectl read as JSON, where NEL stands as it is, and reads that with
    its YAML parser, which folds NEL into a space and takes no key of more than 1,024 characters.
    """
    return not any(
        "\x85" in text or (is_key and len(json.dumps(text)) > 1000)
        for is_key, text in strings(value)
    )


@pytest.mark.parametrize(
    "verb", [("create",), ("apply", "--server-side"), ("apply",)], ids=" ".join
)
def test_the_cluster_stores_what_was_written(
    installation: Installation, verb: tuple[str, ...], tmp_path: Any
) -> None:
    namespace = installation.namespace("hostile")
    assert installation.post(namespace, pipeline("hostile")).status == 201
    objects = hostile_versions(SEED + len(" ".join(verb)), MANIFESTS)
    objects = [each for each in objects if not errors_of(each, installation.target)]
    # What is refused is the next test's.
    assert len(objects) > MANIFESTS // 10
    if "--server-side" in verb:
        objects = [each for each in objects if survives_json_read_as_yaml(each)]
    if verb == ("apply",):
        objects = [without_nulls(each) for each in objects]
    file = tmp_path / "hostile.yaml"
    file.write_text(to_yaml(objects), encoding="utf-8")

    installation.plane.kubectl(*verb, "-n", namespace, "-f", file)

    stored = installation.stored(namespace)
    assert len(stored) == len(objects)
    for obj in objects:
        found = stored[obj["metadata"]["name"]]
        assert difference(found["spec"], obj["spec"]) == ""


@pytest.mark.parametrize(
    ("tags", "becomes"),
    [
        ({"k": "a\x85b"}, {"k": "a b"}),
        ({"a\x85b": "1"}, None),
        ({"x" * 1100: "1"}, None),
    ],
    ids=["NEL in a value", "NEL in a key", "a long key"],
)
def test_what_server_side_apply_spoils(installation: Installation, tags: Any, becomes: Any) -> None:
    """Whoever wrote the manifest: the API server reads kubectl's JSON as YAML. Others store it."""
    namespace = installation.namespace("spoilt")
    for verb, wanted in (("create",), tags), (("apply", "--server-side"), becomes):
        obj = pipeline("-".join(verb).replace("--", ""), tags=tags)
        done = installation.plane.kubectl(
            *verb, "-n", namespace, "-f", "-", stdin=to_yaml([obj]), check=False
        )
        found = installation.stored(namespace, "Pipeline").get(obj["metadata"]["name"])
        if wanted is None:
            assert found is None
            assert "error decoding YAML: " in done.stderr
        else:
            assert found is not None, done.stderr
            assert difference(found["spec"]["tags"], wanted) == ""
    told = [each.rule for each in check_next_line(obj)]
    assert told == (["next-line"] if "\x85" in "".join(*tags.items()) else [])


@pytest.mark.parametrize("installation", ["2.14", "2.17"], indirect=True)
def test_hostile_scalars_that_are_refused_are_refused_alike(installation: Installation) -> None:
    """KFP's webhook reads the stored spec as YAML once more, where some texts become others."""
    namespace = installation.namespace("refused")
    assert installation.post(namespace, pipeline("hostile")).status == 201
    objects = [*hostile_versions(SEED, REVIEWED), every_hostile_scalar()]
    refused = 0
    for obj in objects:
        answer = installation.post(namespace, obj, dryRun="All")
        errors = errors_of(obj, installation.target)
        assert (answer.status == 201) is (not errors), (answer.body, errors)
        refused += bool(errors)
        if errors:
            assert answer.status == 400
            assert errors[0].message in answer.json()["message"]
    assert REVIEWED // 5 < refused < REVIEWED * 9 // 10


def test_go_reads_what_our_writer_wrote(go_reader: Reader) -> None:
    trees = list(hostile_trees(SEED, TREES))
    read = go_reader(dump(tree) for tree in trees)
    differences = [
        text for ours, theirs in zip(trees, read, strict=True) if (text := difference(theirs, ours))
    ]
    assert differences == []


@pytest.mark.parametrize("kind", ["value", "key"])
def test_go_reads_every_hostile_text(go_reader: Reader, kind: str) -> None:
    """One by one, at every place where a text can stand, so that a failure names its text."""
    trees: list[dict[str, Any]] = [
        {"a": text, "b": [text, [text]], "c": {"d": text}, "e": "end"}
        if kind == "value"
        else {text: 1, "b": [{text: {text: [text]}}], "e": "end"}
        for text in HOSTILE_TEXTS
    ]
    for tree, read in zip(trees, go_reader(dump(tree) for tree in trees), strict=True):
        assert not isinstance(read, Unreadable), read
        assert difference(read, tree) == ""


def test_what_is_not_written_carefully_is_not_read_back(go_reader: Reader) -> None:
    """The comparison above means something: PyYAML's own output does not pass it."""
    import yaml

    trees = [copy.deepcopy(tree) for tree in hostile_trees(SEED, 100)]
    read = go_reader(yaml.safe_dump(tree, allow_unicode=True) for tree in trees)
    spoilt = [1 for ours, theirs in zip(trees, read, strict=True) if difference(theirs, ours)]
    assert len(spoilt) > 20


def hostile_scalars(seed: int, count: int) -> list[str]:
    """Return texts that stand on a line without quotes, by seed."""
    rng = random.Random(seed)
    texts = [text for text in HOSTILE_TEXTS if text.isprintable() and len(text) < 100]
    while len(texts) < count:
        text = hostile_text(rng)
        if text.isprintable() and len(text) < 100:
            # What is around a scalar matters as well.
            texts.append(rng.choice(("", "", "", "- ", "!!str ", "!!int ", "'", '"')) + text)
    return texts


@pytest.mark.parametrize("form", ["value: {}\n", "value: [{}]\n", "value:\n  {}: 1\n"])
def test_our_reader_reads_scalars_as_kubectl_does(go_reader: Reader, form: str) -> None:
    texts = [form.replace("{}", text) for text in hostile_scalars(SEED, SCALARS)]
    refused: dict[str, int] = {}
    for text, theirs in zip(texts, go_reader(texts), strict=True):
        try:
            documents = load_all(text)
        except YamlError as error:
            if not isinstance(theirs, Unreadable):
                refused[error.reason] = refused.get(error.reason, 0) + 1
            continue
        assert not isinstance(theirs, Unreadable), (text, theirs, documents[0].value)
        assert difference(theirs, documents[0].value) == "", text
    # Where the parser underneath and Go's differ, ours refuses rather than read something else.
    assert set(refused) <= REFUSED_ON_PURPOSE
    assert sum(refused.values()) < SCALARS // 50


@pytest.mark.parametrize(
    ("before", "after", "stored"),
    [
        ({"tags": {"a": "b"}}, {"tags": {}}, None),
        ({"displayName": "a", "tags": {"a": "b"}}, {"displayName": "a"}, {"displayName": "a"}),
        ({"displayName": "a"}, {}, None),
    ],
    ids=["emptied tags", "tags left out", "emptied spec"],
)
def test_what_server_side_apply_refuses_to_empty(
    installation: Installation, before: Any, after: Any, stored: Any
) -> None:
    """Client-side apply takes each of them, and our check tells the difference beforehand."""
    namespace = installation.namespace("emptied")
    for options in ((), ("--server-side",)):
        name = "server" if options else "client"
        old, new = (pipeline(name, **spec) for spec in (before, after))
        for obj in (old, new):
            done = installation.plane.kubectl(
                *("apply", *options, "-n", namespace, "-f", "-"), stdin=to_yaml([obj]), check=False
            )
        found = list(check_emptied(old, new))
        spec = installation.stored(namespace, "Pipeline")[name]["spec"]
        if options and stored is None:
            (finding,) = found
            assert done.returncode == 1
            assert finding.cluster_message in done.stderr
            assert spec == before
        else:
            assert done.returncode == 0, done.stderr
            assert spec == after
            assert bool(found) is (stored is None)
