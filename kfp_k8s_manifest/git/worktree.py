"""A git work tree and its commits: references, files, contents, changes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kfp_k8s_manifest.errors import SourceError
from kfp_k8s_manifest.git.process import run_git

__all__ = ["Entry", "Repository", "repository"]

_BATCH_BYTES: Final = 64 * 1024 * 1024
"""How many bytes of contents one call may return, if not a single one is larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file of a commit.

    Attributes:
        path: From the root of the work tree, with `/` between its parts.
        blob: The id of its content.
    """

    path: str
    blob: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """The repository of a work tree; `repository()` finds the one that the user stands in.

    Attributes:
        root: The absolute path of the work tree, without symbolic links.
    """

    root: str

    def path_of(self, path: str | os.PathLike[str]) -> str:
        """Return a path as the work tree's commits have it: from its root; "" for the root itself.

        Args:
            path: A file or folder, which need not exist.

        Raises:
            SourceError: It lies outside the work tree.
        """
        folder, name = os.path.split(os.path.abspath(path))  # noqa: PTH100
        # The folder's links are followed, a last one is not: git knows it as a link.
        whole = os.path.join(os.path.realpath(folder), name)  # noqa: PTH118
        if whole != self.root and os.path.realpath(whole) == self.root:
            whole = self.root
        inside = os.path.relpath(whole, self.root)
        if inside == os.pardir or inside.startswith(os.pardir + os.sep) or os.path.isabs(inside):  # noqa: PTH117
            raise SourceError(
                f"{os.fspath(path)} is outside the git work tree {self.root}; git is asked about"
                " the repository that you stand in alone, so run the command in the other one"
            )
        return "" if inside == os.curdir else inside.replace(os.sep, "/")

    def resolve(self, ref: str) -> str:
        """Return the full id of the commit that a reference names.

        Args:
            ref: A commit, branch or tag, such as `origin/main` or `HEAD~2`.

        Raises:
            SourceError: There is no such commit.
        """
        arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        code, out, error = self._try(*arguments)
        if code:
            said = f"; git says: {error}" if error else ""
            raise SourceError(f"there is no commit {ref!r} in the repository {self.root}{said}")
        return out.decode().strip()

    def merge_base(self, ref: str) -> str:
        """Return the full id of the last commit that a reference and the work tree have in common.

        Args:
            ref: A commit, branch or tag.

        Raises:
            SourceError: There is no such commit, or none in common that this clone has.
        """
        commit = self.resolve(ref)
        code, out, _ = self._try("merge-base", commit, "HEAD")
        if code:
            raise SourceError(
                f"{ref!r} and what is checked out have no commit in common in {self.root}; if the"
                " clone is a shallow one, fetch more of its history"
            )
        return out.decode().split()[0]

    def head(self) -> str:
        """Return the full id of the commit that is checked out.

        Raises:
            SourceError: There is none yet.
        """
        return self.resolve("HEAD")

    def remote_url(self) -> str:
        """Return the address of `origin`, or else of the first remote, as configured; or ""."""
        remotes = self._run("remote").decode("utf-8", "replace").split()
        remote = "origin" if "origin" in remotes else next(iter(remotes), "")
        if not remote:
            return ""
        address = self._run("remote", "get-url", "--end-of-options", remote)
        return address.decode("utf-8", "replace").strip()

    def files(self, commit: str, path: str = "") -> list[Entry]:
        """Return the files of a commit, sorted by path; links and submodules are left out.

        Args:
            commit: Its full id.
            path: A file or folder from the root of the work tree; "" for all.
        """
        inside = ("--", path) if path else ()
        listed = self._run("ls-tree", "-r", "-z", "--full-tree", commit, *inside)
        entries = []
        for row in listed.split(b"\0")[:-1]:
            head, _, name = row.partition(b"\t")
            mode, _, blob = head.split()
            if mode.startswith(b"100"):
                entries.append(Entry(path=os.fsdecode(name), blob=blob.decode()))
        return entries

    def contents(self, entries: Sequence[Entry], *, limit: int) -> Iterator[bytes | None]:
        """Yield the content of each file, as it was committed; None for what is too large.

        Args:
            entries: The files.
            limit: The number of bytes that one may have.

        Raises:
            SourceError: A content is not in this clone.
        """
        names = "".join(f"{entry.blob}\n" for entry in entries).encode()
        code, out, error = self._try("cat-file", "--batch-check", stdin=names)
        # Some releases of git try to fetch a content that is not there, others say "missing".
        lines = [] if code and "promisor" in error else self._answer(code, out, error).splitlines()
        sizes: list[int | None] = []
        for index, entry in enumerate(entries):
            words = lines[index].split() if lines else []
            if words[1:2] != [b"blob"]:
                raise SourceError(
                    f"the content of {entry.path} or of a file after it is not in the clone"
                    f" {self.root}, which is a partial one; nothing is fetched here, so fetch it"
                    " with git before"
                )
            length = int(words[2])
            sizes.append(length if length <= limit else None)
        for start, end in _batches(sizes):
            chosen = zip(entries[start:end], sizes[start:end], strict=True)
            asked = "".join(f"{entry.blob}\n" for entry, size in chosen if size is not None)
            answer = self._run("cat-file", "--batch", stdin=asked.encode())
            place = 0
            for size in sizes[start:end]:
                if size is None:
                    yield None
                    continue
                # A line with id, type and size, the content, and a line feed.
                place = answer.index(b"\n", place) + 1
                yield answer[place : place + size]
                place += size + 1

    def changes(self, path: str = "") -> list[str]:
        """Return the files that differ from the commit that is checked out, or are new, sorted.

        What `.gitignore` names is no change, and neither is Python's bytecode.

        Args:
            path: A file or folder from the root of the work tree; "" for all.
        """
        inside = ("--", path or ".")
        shown = ("--cached", "--name-only", "--no-renames", "--no-ext-diff", "-z")
        staged = self._run("diff-index", *shown, "HEAD", *inside)
        # Contents are compared as they are: filters are programs that the configuration names.
        filters = self._filters_off()
        others = ("ls-files", "-z", "--modified", "--others", "--exclude-standard", *inside)
        changed = self._run(*others, settings=filters)
        names = {os.fsdecode(name) for name in (staged + changed).split(b"\0") if name}
        return sorted(name for name in names if "__pycache__" not in name.split("/"))

    def _filters_off(self) -> list[str]:
        """Return settings that turn off each filter which some configuration defines."""
        _, listed, _ = self._try("config", "-z", "--name-only", "--get-regexp", r"^filter\.")
        settings = []
        for name in {key.rpartition(".")[0] for key in os.fsdecode(listed).split("\0") if key}:
            if "=" in name:
                raise SourceError(
                    f"git's configuration has a filter called {name.removeprefix('filter.')!r},"
                    " which cannot be turned off; remove it"
                )
            settings += [f"{name}.clean=", f"{name}.process=", f"{name}.required=false"]
        return settings

    def _run(self, *arguments: str, stdin: bytes = b"", settings: Iterable[str] = ()) -> bytes:
        return self._answer(*self._try(*arguments, stdin=stdin, settings=settings))

    def _answer(self, code: int, out: bytes, error: str) -> bytes:
        if code:
            raise SourceError(f"git cannot tell about {self.root}: {error or 'no reason given'}")
        return out

    def _try(
        self, *arguments: str, stdin: bytes = b"", settings: Iterable[str] = ()
    ) -> tuple[int, bytes, str]:
        return run_git(self.root, *arguments, stdin=stdin, settings=settings)


def repository(start: str | os.PathLike[str] = ".") -> Repository:
    """Return the repository of the work tree that the user stands in.

    Args:
        start: Where the user stands, if not in the working directory.

    Raises:
        SourceError: It is no git work tree, it is a repository without one (a bare one), it
            belongs to another user, or git is missing.
    """
    here = os.path.realpath(start)
    code, out, error = run_git(here, "rev-parse", "--show-toplevel")
    if code:
        raise SourceError(_refusal(here, error))
    root = os.path.realpath(os.fsdecode(out.removesuffix(b"\n")))
    # A git that does not know `safe.bareRepository` yet, or a repository whose configuration calls
    # its own folder a work tree: what is committed as plain files has no `.git` in it.
    if not os.path.lexists(os.path.join(root, ".git")):  # noqa: PTH118
        raise SourceError(_refusal(here, "cannot use bare repository"))
    return Repository(root=root)


def _refusal(here: str, error: str) -> str:
    """Return why there is no repository to ask, and what to do."""
    if "dubious ownership" in error:
        found = re.search(r"repository at '(.+?)'", error)
        place = found[1] if found else here
        return (
            f"the repository {place} belongs to another user, and git does not use it; if you trust"
            f" it: git config --global --add safe.directory {place}"
        )
    if "bare repository" in error or "must be run in a work tree" in error:
        return (
            f"{here} lies in a repository without a work tree, which is not used: whoever committed"
            " it may have put programs into its configuration; stand in the work tree that you"
            " ask about"
        )
    if "not a git repository" in error:
        return f"{here} is in no git work tree; run the command in the one that you ask about"
    return f"git cannot tell about {here}: {error or 'no reason given'}"


def _batches(sizes: Sequence[int | None]) -> Iterator[tuple[int, int]]:
    """Yield ranges of contents of which each fits one call."""
    start, total = 0, 0
    for index, size in enumerate(sizes):
        if total and total + (size or 0) > _BATCH_BYTES:
            yield start, index
            start, total = index, 0
        total += size or 0
    if start < len(sizes):
        yield start, len(sizes)
