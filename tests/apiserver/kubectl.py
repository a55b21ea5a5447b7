"""kubectl, cut off from the user's own configuration, and reading YAML as it reads it."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubectl:
    """One kubectl program with one configuration.

    Attributes:
        program: the program's path.
        home: a folder of the test run that stands in for the home folder, so that neither
            kubectl's cache nor a ``kuberc`` of the user takes part.
        kubeconfig: the credentials; None for commands that need no server.
    """

    program: Path
    home: Path
    kubeconfig: Path | None = None

    def __call__(
        self,
        *arguments: str | Path,
        stdin: str | bytes | None = None,
        check: bool = True,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl and return what it printed.

        Args:
            arguments: the command line after ``kubectl``.
            stdin: what it reads on standard input; nothing if None.
            check: whether an exit code other than 0 is an error.
            timeout: seconds after which it is killed.

        Raises:
            AssertionError: if `check` and the exit code is not 0; it quotes standard error.
        """
        # Without a configuration kubectl would try a server on localhost:8080.
        kubeconfig = self.kubeconfig if self.kubeconfig is not None else Path("/dev/null")
        done = subprocess.run(
            [
                str(self.program),
                f"--cache-dir={self.home / 'cache'}",
                *(str(argument) for argument in arguments),
            ],
            input=stdin.encode() if isinstance(stdin, str) else (stdin or b""),
            capture_output=True,
            env={
                "HOME": str(self.home),
                "KUBECONFIG": str(kubeconfig),
                "PATH": "/usr/bin:/bin",
                "LC_ALL": "C.UTF-8",
            },
            timeout=timeout,
            check=False,
        )
        # Decoded here: text mode would also change "\r\n", which some tests are about.
        result = subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace")
        )
        if check and result.returncode != 0:
            raise AssertionError(
                f"kubectl {' '.join(map(str, arguments))} exited with {result.returncode}:\n"
                f"{result.stderr}{result.stdout}"
            )
        return result

    def json(self, *arguments: str | Path, stdin: str | None = None) -> Any:
        """Run kubectl with ``-o json`` and return what it printed, parsed."""
        return json.loads(self(*arguments, "-o", "json", stdin=stdin).stdout)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What stands in a result for a document that kubectl cannot read.

    Attributes:
        message: kubectl's own words, without the file's name.
    """

    message: str


_HEADER = "apiVersion: v1\nkind: Read\n"
_WHOLE = re.compile(r"""\A\s*\{|^["']?apiVersion["']?:""", re.MULTILINE)
_PARSE_ERROR = re.compile(r"^(?:error: )?error parsing \S*?(\d{8})\.yaml: (.*)$", re.MULTILINE)


def go_reads(kubectl: Kubectl, texts: Iterable[str]) -> list[Any]:
    """Read many YAML documents with one run of kubectl, as ``kubectl apply`` would.

    Each text is one document that is a block mapping with its keys in the first column: either a
    whole manifest, or any other mapping, for instance ``value: 08``. Numbers come back as
    Python's ``json`` module reads what Kubernetes would send to the server.

    Duplicate keys are not refused here, the last one counts: kubectl leaves that to the server.

    Args:
        kubectl: the program; no server is asked.
        texts: the documents.

    Returns:
        For each text, in order, the mapping that kubectl read, or an `Unreadable`.
    """
    # kubectl takes nothing for an object that lacks these two fields.
    documents = [text if _WHOLE.search(text) else _HEADER + text for text in texts]
    if not documents:
        return []
    results = _read_stream(kubectl, documents)
    if results is None:
        results = _read_files(kubectl, documents)
    for document, result in zip(documents, results, strict=True):
        if document.startswith(_HEADER) and isinstance(result, dict):
            del result["apiVersion"], result["kind"]
    return results


def _read_stream(kubectl: Kubectl, documents: list[str]) -> list[Any] | None:
    """Read all documents from one file; return None if that does not give one object for each.

    It is about four times as fast as a file for each, and cannot tell which document failed.
    """
    # kubectl itself ends every document with a line break, so this changes nothing.
    ended = [document if document.endswith("\n") else f"{document}\n" for document in documents]
    with tempfile.TemporaryDirectory(prefix="go-reads-") as folder:
        (Path(folder) / "all.yaml").write_bytes("---\n".join(ended).encode())
        done = _empty_patch(kubectl, folder)
    objects = list(_json_documents(done.stdout))
    return objects if done.returncode == 0 and len(objects) == len(documents) else None


def _read_files(kubectl: Kubectl, documents: list[str]) -> list[Any]:
    """Read each document from a file of its own, so that one that fails spoils no other."""
    with tempfile.TemporaryDirectory(prefix="go-reads-") as folder:
        for number, document in enumerate(documents):
            # The names sort in the order of the documents, which is the order of the output.
            (Path(folder) / f"{number:08}.yaml").write_bytes(document.encode())
        done = _empty_patch(kubectl, folder)
    results: list[Any] = [None] * len(documents)
    for match in _PARSE_ERROR.finditer(done.stderr):
        results[int(match[1])] = Unreadable(match[2])
    readable = [number for number, result in enumerate(results) if result is None]
    objects = list(_json_documents(done.stdout))
    failed = len(documents) - len(readable)
    if len(objects) != len(readable) or (done.returncode != 0) != bool(failed):
        raise AssertionError(
            f"kubectl read {len(objects)} objects and refused {failed} of {len(documents)} "
            f"texts (exit code {done.returncode}); each must be exactly one document:\n"
            f"{done.stderr[:2000]}"
        )
    for number, value in zip(readable, objects, strict=True):
        results[number] = value
    return results


def _empty_patch(kubectl: Kubectl, folder: str) -> subprocess.CompletedProcess[str]:
    """Have kubectl write the objects in a folder back as it read them.

    A patch that changes nothing does it, and being --local it asks no server, so that no kind
    needs to be known.
    """
    return kubectl(
        *("patch", "--local", "--type=json", "--patch=[]", "-o", "json", "-f", folder),
        check=False,
    )


def _json_documents(text: str) -> Iterator[Any]:
    """Yield the JSON documents that follow each other in a text."""
    decoder = json.JSONDecoder()
    position = 0
    while position < len(text):
        value, position = decoder.raw_decode(text, position)
        yield value
        while position < len(text) and text[position].isspace():
            position += 1
