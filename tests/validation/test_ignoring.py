"""`.gitignore` is heeded as git heeds it, and --exclude has the same syntax."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from kfp_k8s_manifest.errors import UsageError
from kfp_k8s_manifest.validation.inputs import find_inputs

NAMES = ("a", "b", "build", "x.yaml", "y.yaml", "z.gen.yaml")


def found(*paths: Path | str, root: Path | None = None, exclude: tuple[str, ...] = ()) -> list[str]:
    """Return the names of what is found, from a folder."""
    given_paths = [str(path) for path in paths]
    inputs = find_inputs(given_paths, limit=1000, exclude=exclude)
    return [each.name.removeprefix(f"{root}/") for each in inputs]


def make(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def by_git(folder: Path) -> list[str]:
    listed = subprocess.run(
        ["git", "-c", "core.excludesFile=", "ls-files", "-z", "--others", "--exclude-standard"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return sorted(name for name in listed.split("\0") if name.endswith(".yaml"))


patterns = st.lists(
    st.one_of(
        st.sampled_from(
            ["*.yaml", "x.*", "!x.yaml", "a/", "/a", "b/x.yaml", "**/y.yaml", "a/**", "!b/", "#a"]
        ),
        st.builds(
            lambda mark, parts, end: mark + "/".join(parts) + end,
            st.sampled_from(["", "!", "/", "**/"]),
            st.lists(st.sampled_from([*NAMES, "*", "**", "?", "[ab]", "*.gen.*"]), min_size=1, max_size=3),
            st.sampled_from(["", "/", "/*"]),
        ),
    ),
    max_size=4,
)  # fmt: skip
trees = st.lists(
    st.tuples(
        st.lists(st.sampled_from(["a", "b", "build"]), max_size=2),
        st.sampled_from(["x.yaml", "y.yaml", "z.gen.yaml"]),
    ).map(lambda each: "/".join([*each[0], each[1]])),
    min_size=1,
    max_size=6,
)


@given(files=trees, top=patterns, below=patterns)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_as_git_does(files: list[str], top: list[str], below: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        make(folder, dict.fromkeys(files, ""))
        (folder / ".gitignore").write_text("\n".join(top) + "\n")
        if (folder / "a").is_dir():
            (folder / "a" / ".gitignore").write_text("\n".join(below) + "\n")
        assert sorted(found(folder, root=folder)) == by_git(folder)


def test_files_above_and_below_a_folder(tmp_path: Path) -> None:
    make(
        tmp_path,
        {
            ".git/HEAD": "",
            ".gitignore": "*.gen.yaml\nout/\n",
            "m/.gitignore": "!keep.gen.yaml\n/x.yaml\n",
            "m/keep.gen.yaml": "",
            "m/old.gen.yaml": "",
            "m/x.yaml": "",
            "m/n/x.yaml": "",
            "m/out/y.yaml": "",
        },
    )
    assert found(tmp_path / "m", root=tmp_path) == ["m/keep.gen.yaml", "m/n/x.yaml"]
    assert found(tmp_path / "m" / "n", root=tmp_path) == ["m/n/x.yaml"]
    # Whoever names a file or a folder that is ignored means it.
    assert found(tmp_path / "m" / "x.yaml", root=tmp_path) == ["m/x.yaml"]
    assert found(tmp_path / "m" / "out", root=tmp_path) == ["m/out/y.yaml"]
    # Above the root of the work tree, nothing counts.
    make(tmp_path, {"m/.git/HEAD": ""})
    assert found(tmp_path / "m", root=tmp_path) == [
        "m/keep.gen.yaml",
        "m/old.gen.yaml",
        "m/n/x.yaml",
        "m/out/y.yaml",
    ]


def test_outside_of_a_work_tree_the_folders_own_files_count(tmp_path: Path) -> None:
    make(tmp_path, {".gitignore": "x.yaml\n", "m/x.yaml": "", "m/y.yaml": "", "m/.gitignore": "y*"})
    assert found(tmp_path / "m", root=tmp_path) == ["m/x.yaml"]


ODD = ("a.yaml", "ab.yaml", "]b.yaml", "-.yaml", "a b.yaml", "#a.yaml", "!a.yaml", "A.yaml", "é.yaml",
       "\\.yaml", "a/b.yaml", "a/a/b.yaml", "a ", "a /b.yaml")  # fmt: skip


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    make(folder, dict.fromkeys([name for name in ODD if name.endswith(".yaml")], ""))
    return folder


TOKENS = [*"ab*?[]!\\-/ .#^éA:", "**", "**/", "[:alpha:]", "[:", ".yaml", "a/", "\\]"]


@given(line=st.lists(st.sampled_from(TOKENS), max_size=8).map("".join))
@settings(max_examples=300, deadline=None)
@example("[[:upper:]]*")
@example("[![:alpha:]]*")
@example("[a-")
@example("a\\ ")
@example("a\\  ")
@example("/a/**/b.yaml")
@example("a/**/**/b.yaml")
@example("**/a/b.yaml")
@example("[]]b*")
@example("[^]]b*")
@example("[\\]]*")
@example("[a-b-]*")
@example("[--.]*")
@example("a\\")
@example("[a\\-z]*.yaml")
@example("[é]*")
@example("[/a]*")
@example("a\\/b*")
@example("[a/b.yaml")
def test_each_pattern_as_git_does(odd: Path, line: str) -> None:
    # git cuts the plain beginning off, and then takes the stars of `a**/b` for those of `**/b`.
    assume(not re.search(r"[^/]\*\*+(/|$)", line))
    (odd / ".gitignore").write_bytes(f"{line}\n".encode())
    assert sorted(found(odd, root=odd)) == by_git(odd)


def test_line_ends_and_the_byte_order_mark(odd: Path) -> None:
    for text in ("\ufeffa.yaml\r\n# c\r\n\r\n-*\r\n", "a.yaml\r\n-*", "a.yaml\r"):
        (odd / ".gitignore").write_bytes(text.encode())
        assert sorted(found(odd, root=odd)) == by_git(odd)


def test_a_pattern_cannot_keep_it_busy(tmp_path: Path) -> None:
    name = "a" * 200
    patterns_text = "*a" * 100 + "b.yaml\n" + "**/a*/" * 40 + "b\nx.yaml\n"
    make(tmp_path, {".gitignore": patterns_text, "x.yaml": "", f"{name}.yaml": ""})
    deep = tmp_path.joinpath(*["a"] * 60)
    deep.mkdir(parents=True)
    (deep / "y.yaml").write_text("")
    before = time.process_time()
    assert [Path(each).name for each in found(tmp_path, root=tmp_path)] == [
        f"{name}.yaml",
        "y.yaml",
    ]
    # With regular expressions this does not end.
    assert time.process_time() - before < 60


def test_a_file_that_is_not_heeded(tmp_path: Path) -> None:
    make(tmp_path, {".gitignore": "x.yaml\n" + "#" * 300_000, "x.yaml": ""})
    assert found(tmp_path, root=tmp_path) == ["x.yaml"]
    (tmp_path / ".gitignore").unlink()
    (tmp_path / ".gitignore").symlink_to("/dev/zero")
    assert found(tmp_path, root=tmp_path) == ["x.yaml"]


def test_exclude(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(
        tmp_path,
        dict.fromkeys(["here/a/x.yaml", "here/a/y.yaml", "here/b/x.yaml", "there/a/x.yaml"], ""),
    )
    monkeypatch.chdir(tmp_path / "here")
    assert found(".", exclude=("a/",)) == ["b/x.yaml"]
    assert found(".", exclude=("/a/x.yaml", "b/*")) == ["a/y.yaml"]
    assert found(".", exclude=("*.yaml", "!y.yaml")) == ["a/y.yaml"]
    assert found("a", exclude=("/a",)) == []
    # What is named is left out as well, and so is what a pattern of the shell's finds.
    assert found("a/x.yaml", "b/x.yaml", "*/y.yaml", exclude=("a",)) == ["b/x.yaml"]
    assert found("../there", exclude=("x.yaml",)) == []
    assert found("../there", exclude=("a/",)) == []
    assert found(str(tmp_path / "here"), exclude=("a/",)) == [f"{tmp_path}/here/b/x.yaml"]
    for pattern in ("", "!", "#a", "/", "[a"):
        with pytest.raises(UsageError) as caught:
            found(".", exclude=(pattern,))
        assert str(caught.value) == (
            f"the pattern {pattern!r} names nothing; an example that does: 'charts/'"
        )
