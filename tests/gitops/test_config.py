"""The configuration of a repository of pipelines."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.gitops.config import ConfigError, parse_config
from kfp_k8s_manifest.gitops.project import find_project, key_lines, read_config
from kfp_k8s_manifest.gitops.settings import FIELDS, Settings

SOURCES = {"sources": ["pipelines/*.py"]}


def parse(**table: Any) -> Any:
    return parse_config({**SOURCES, **table}, source="kfp-k8s.toml")


def write(folder: Path, text: str, name: str = "kfp-k8s.toml") -> Path:
    path = folder / name
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def test_the_defaults() -> None:
    config = parse()
    assert config.settings_for() == Settings()
    assert config.built == ("",)


def test_what_stands_nearer_to_a_pipeline_wins_and_tables_are_merged() -> None:
    config = parse(
        namespace="all",
        keep=5,
        labels={"team": "a", "tier": "1"},
        pin=["p-1"],
        environments={
            "dev": {"namespace": "dev", "output": "out/dev", "labels": {"tier": "2"}},
            "prod": {"promoted-from": "dev", "output": "out/prod"},
        },
        pipelines={
            "train": {"keep": 9, "labels": {"own": "x"}, "pin": ["p-2"], "parameters": {"n": 1}}
        },
    )
    train = config.settings_for("dev", "train")
    assert (train.namespace, train.keep, train.pin) == ("dev", 9, ("p-1", "p-2"))
    assert train.labels == {"team": "a", "tier": "2", "own": "x"}
    assert train.required_parameters == {"n"}
    other = config.settings_for("dev", "other")
    assert (other.keep, other.labels, other.required_parameters) == (
        5,
        {"team": "a", "tier": "2"},
        frozenset(),
    )
    assert config.settings_for("prod").namespace == "all"
    assert config.built == ("dev",)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"sources": []}, "sources is missing or empty: name what is to be compiled, such as sources = [\"pipelines/**/*.py\"]"),
        ({"sources": "a.py"}, "sources is 'a.py', not a list of strings; for example sources = [\"pipelines/**/*.py\"]"),
        ({"tags": {}}, "tags is not a setting. Did you mean 'pipeline-tags' or 'version-tags'?"),
        ({"output": ""}, "output is empty; remove it, or write output = \"manifests\""),
        ({"version-name": "{pipline}-x"}, "version-name cannot be used: the version name template '{pipline}-x' has an unknown field {pipline}; fields are {pipeline}, {digest}, {git_sha}"),
        ({"version-name": "{"}, "version-name cannot be used: the version name template '{' is malformed ("),
        ({"labels": {"a b": "c"}}, "labels.a b cannot be a label: its key name part must be letters, digits, "),
        ({"labels": {"a": "b c"}}, "labels.a is 'b c', and a label's value "),
        ({"annotations": {"a b": "c"}}, "annotations.a b cannot be an annotation: its key "),
        ({"namepsace": "a"}, "namepsace is not a setting. Did you mean 'namespace'?"),
        ({"enviroments": {}}, "enviroments is not a setting. Did you mean 'environments'?"),
        ({"keep": "5"}, "keep is '5', not a whole number from 0 on; for example keep = 10"),
        ({"keep": -1}, "keep is -1, not a whole number from 0 on; for example keep = 10"),
        ({"keep": True}, "keep is True, not a whole number from 0 on; for example keep = 10"),
        ({"strict": "yes"}, "strict is 'yes', not true or false; for example strict = true"),
        ({"labels": {"a": 5}}, "labels.a is 5, not a string: quote it"),
        ({"labels": ["a"]}, "labels is ['a'], not a table; for example labels = { team = \"a\" }"),
        ({"layout": "kustomise"}, "layout is 'kustomise', not one of 'flat', 'per-pipeline', 'kustomize', 'argocd', 'flux'. Did you mean 'kustomize'?"),
        ({"target": "2.99"}, "target is '2.99', not one of "),
        ({"namespace": "A"}, "namespace 'A' must be a DNS-1123 label"),
        ({"output": "../out"}, "output is '../out'; it has to be a path below the repository's root, such as 'manifests'"),
        ({"output": "/out"}, "output is '/out'; it has to be a path below the repository's root"),
        ({"output": "C:\\out"}, "output is 'C:\\\\out'; it has to be a path below"),
        ({"output": "."}, "output is '.'; it has to be a path below"),
        ({"output": ".git/x"}, "output is '.git/x', which belongs to git"),
        ({"output": ".kfp-k8s"}, "output is '.kfp-k8s', which belongs to this program, so that git ignores it"),
        ({"output": "a\0b"}, "output is 'a\\x00b', which no file can be called"),
        ({"display-name": "x"}, "display-name has no meaning here; it stands in the overrides of a pipeline"),
        ({"environments": {"dev": {"sources": []}}}, "environments.dev.sources has no meaning here; it stands at the top"),
        ({"environments": {"dev": 5}}, "environments.dev is 5, not a table"),
        ({"environments": {"../x": {}}}, "environments.../x must be a DNS-1123 label"),
        ({"environments": {"a": {"output": "a"}, "b": {"output": "b", "promoted-from": "a", "image-digests": "d.json", "keep": 3, "images": {"x/": "y/"}}}}, "environments.b.image-digests has no effect: versions come from 'a' as they are, but for namespace and images; remove it, or set it where they are built"),
        ({"environments": {"dev": {"promoted-from": "test"}}}, "environments.dev.promoted-from is 'test', which is no other environment; there is none"),
        ({"environments": {"a": {}, "b": {}}}, "environments.b.output is 'manifests', which is not apart from 'manifests' of 'a': give each environment a folder of its own, such as 'manifests/b'"),
        ({"environments": {"a": {"output": "m"}, "b": {"output": "m/b"}}}, "environments.b.output is 'm/b', which is not apart from 'm' of 'a'"),
        ({"environments": {"a": {"output": "a", "promoted-from": "b"}, "b": {"output": "b", "promoted-from": "a"}}}, "environments.a.promoted-from goes in a circle: a ← b ← a"),
        ({"pipelines": {"A_B": {}}}, "pipelines.A_B must be a DNS-1123 subdomain"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(**table)
    assert str(caught.value).startswith(f"kfp-k8s.toml: {message}")
    assert caught.value.exit_code == 2


def test_everything_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """\
        # A comment.
        sources = [
          "a.py",
        ]
        kepe = 3

        [environments.dev]
        output = "manifests"
        namespace = "Dev"
        labels = { a = 1 }

        [environments."prod"]
        promoted-from = "dve"
        output = "prod"
        """,
    )
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert str(caught.value).splitlines() == [
        "kfp-k8s.toml:5: kepe is not a setting. Did you mean 'keep'?",
        (
            "kfp-k8s.toml:9: environments.dev.namespace 'Dev' must be a DNS-1123 label: lower-case"
            " letters, digits and '-', with a letter or digit at both ends (for example 'team-a')"
        ),
        "kfp-k8s.toml:10: environments.dev.labels.a is 1, not a string: quote it",
        (
            "kfp-k8s.toml:13: environments.prod.promoted-from is 'dve', which is no other"
            " environment; there is 'dev'"
        ),
    ]


def test_a_misspelt_setting_is_told_once_and_a_misspelt_table_at_its_first_line(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, 'source = ["a.py"]\n\n[environment.prod]\noutput = "x"\n')
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert str(caught.value).splitlines() == [
        "kfp-k8s.toml:1: source is not a setting. Did you mean 'sources'?",
        "kfp-k8s.toml:3: environment is not a setting. Did you mean 'environments'?",
    ]


def test_the_lines_of_keys() -> None:
    text = 'a = 1\n[b]\n"c d" = 2\ne.f = 3\n[ x . "y" ]\nz = [\n  1,\n]\n'
    assert key_lines(text) == {
        ("a",): 1,
        ("b",): 2,
        ("b", "c d"): 3,
        ("b", "e", "f"): 4,
        ("x", "y"): 5,
        ("x", "y", "z"): 6,
    }


def test_the_configuration_is_found_above_up_to_the_root_of_the_work_tree(tmp_path: Path) -> None:
    write(tmp_path, '[tool.kfp-k8s]\nsources = ["a.py"]\n', "pyproject.toml")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    found = find_project(inner)
    assert (found.root, found.config.path) == (tmp_path.resolve(), "pyproject.toml")
    assert found.config.sources == ("a.py",)
    (tmp_path / "a" / ".git").mkdir()
    with pytest.raises(UsageError, match=r"no configuration in .*; `kfp-k8s init` writes one"):
        find_project(inner)


def test_a_project_without_our_table_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, 'sources = ["top.py"]\n')
    inner = tmp_path / "package"
    inner.mkdir()
    write(inner, "[tool.other]\nx = 1\n", "pyproject.toml")
    assert find_project(inner).config.sources == ("top.py",)


def test_one_configuration_stands_in_one_file(tmp_path: Path) -> None:
    write(tmp_path, 'sources = ["a.py"]\n')
    write(tmp_path, '[tool.kfp-k8s]\nsources = ["b.py"]\n', "pyproject.toml")
    with pytest.raises(ConfigError, match=r"has a configuration in kfp-k8s\.toml and in pyproject"):
        find_project(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = \n", "kfp-k8s.toml: it is not TOML: "),
        (b"\xff = 1", "kfp-k8s.toml: it is not UTF-8"),
        (b"a = " + b"[" * 100_000, "kfp-k8s.toml: it is nested too deeply"),
    ],
)
def test_what_is_no_toml_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "kfp-k8s.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert str(caught.value).startswith(message)


def test_every_setting_of_the_table_can_be_set() -> None:
    import sys

    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    for field in FIELDS:
        value = tomllib.loads(f"x = {field.example}")["x"]
        if "top" in field.where:
            config = parse(**{field.name: value})
        elif "environment" in field.where:
            config = parse(
                environments={"dev": {"output": "dev"}, "x": {field.name: value, "output": "x"}}
            )
            assert config.environments["x"].promoted_from == value
            continue
        else:
            config = parse(pipelines={"p": {field.name: value}})
        name = field.name.replace("-", "_")
        settings = config.settings_for("", "p")
        found = getattr(settings if hasattr(settings, name) else config, name)
        assert found == (tuple(value) if isinstance(value, list) else value)


def test_a_byte_order_mark_in_front_of_the_configuration_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "kfp-k8s.toml"
    path.write_bytes(b'\xef\xbb\xbfsources = ["a.py"]\r\nkeep = 3\r\n')
    assert read_config(path).config.settings.keep == 3
