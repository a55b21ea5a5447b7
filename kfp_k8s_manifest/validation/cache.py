"""Remember the verdicts of texts, so that texts that have not changed are not checked again.

What is remembered changes how long a run takes, never what it says. A key is the BLAKE2b hash of all that
a verdict depends on: the bytes, what was asked for, this package's own code and data, Python, and
PyYAML. Kept are the texts that have no error, with their warnings and notes, and that a set of texts
as a whole has no findings. What depends on the previous states of objects is not kept.

All of it is one file in the folder `.kfp-k8s/`. Each line is a key, a checksum and JSON, the oldest
first; a line is looked at only if its key is asked for.
"""

from __future__ import annotations

import binascii
import contextlib
import importlib.machinery
import json
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

try:
    # The whole of hashlib loads OpenSSL, which takes longer than to hash what most folders hold.
    from _blake2 import blake2b
except ImportError:  # not every Python has it by itself
    from hashlib import blake2b

from kfp_k8s_manifest._version import __version__
from kfp_k8s_manifest.errors import OutputError
from kfp_k8s_manifest.findings import ABSENT, Finding, Severity
from kfp_k8s_manifest.state_folder import read_state, state_file
from kfp_k8s_manifest.validation.inputs import Input
from kfp_k8s_manifest.validation.outcome import Checked, Item, Outcome
from kfp_k8s_manifest.yaml.limits import DEFAULT_LIMITS

__all__ = ["Cache", "key_of", "open_cache"]

_FILE: Final = "validated"
_HEADER: Final = b"validated 2"
_KEY: Final = 64
_WORTH_A_THREAD: Final = 2_000_000
"""Bytes from which on a second thread pays."""
_MOST_ENTRIES: Final = 50_000
_MOST_BYTES: Final = 64 * 2**20
_LARGEST_ENTRY: Final = 256 * 1024
_CLEAN_SET: Final = b"{}"
_MALFORMED: Final = (ValueError, TypeError, IndexError, KeyError, RecursionError)
_PARTS: Final = (
    "_version.py", "checks", "errors.py", "findings.py", "golang", "model", "naming.py",
    "reading.py", "releases", "spelling.py", "validation", "yaml",
)  # fmt: skip
"""The files and folders of this package that decide about a verdict."""


def open_cache(target: str) -> Cache | None:
    """Return what is remembered where the current directory belongs to.

    That is the closest folder above with a git work tree or a `kfp-k8s.toml`. Outside of any nothing
    is remembered.

    Args:
        target: What the texts are checked for.
    """
    root = _root()
    code = _fingerprint() if root else ""
    if not root or not code:
        return None
    parts = [__version__, code, sys.version, sys.platform, repr(DEFAULT_LIMITS), target]
    mark = _new_hash(json.dumps(parts).encode()).hexdigest()
    return Cache(root, mark)


def key_of(mark: str, data: bytes, *, explicit: bool) -> str:
    """Return the key of a text's verdict.

    Args:
        mark: What the verdicts of a run depend on, all texts alike.
        data: The text.
        explicit: Whether somebody named it.
    """
    found = _new_hash(f"{mark} {explicit:d} ".encode())
    found.update(data)
    return found.hexdigest()


class Cache:
    """The verdicts that are remembered.

    Args:
        root: The folder in which `.kfp-k8s/` lies.
        mark: What the verdicts of this run depend on, all texts alike.

    Attributes:
        mark: The same.
    """

    def __init__(self, root: str, mark: str) -> None:
        self.mark = mark
        self._root = root
        self._lines = _load(root)
        self._new: dict[str, bytes] = {}

    def recall(self, inputs: Sequence[Input]) -> dict[int, Checked]:
        """Return the verdicts that are remembered: each by its text's index, with its key.

        They lack their objects, which are needed only where texts have to be checked together.
        """
        known: dict[int, Checked] = {}
        if not self._lines:
            # There is no need to read anything.
            return known
        keys = self._keys(inputs)
        for index in sorted(keys):
            with contextlib.suppress(*_MALFORMED):
                head, _ = self._get(keys[index]).split(b"\t")
                known[index] = keys[index], _unpacked(head, inputs[index].name)
        return known

    def _keys(self, inputs: Sequence[Input]) -> dict[int, str]:
        """Return the keys of the texts that can be read, by their indexes."""
        keys: dict[int, str] = {}

        def read(first: int, step: int) -> None:
            for index in range(first, len(inputs), step):
                each = inputs[index]
                if each.skip:
                    continue
                with contextlib.suppress(OSError):
                    data = each.read(DEFAULT_LIMITS.size)
                    keys[index] = key_of(self.mark, data, explicit=each.explicit)

        if sum(each.size for each in inputs) < _WORTH_A_THREAD:
            read(0, 1)
            return keys
        # Reading and hashing take most of the time, and neither holds the interpreter's lock.
        other = threading.Thread(target=read, args=(1, 2))
        other.start()
        read(0, 2)
        other.join()
        return keys

    def complete(self, recalled: Mapping[int, Checked]) -> dict[int, Checked]:
        """Return verdicts with their objects."""
        known: dict[int, Checked] = {}
        for index, (key, outcome) in recalled.items():
            with contextlib.suppress(*_MALFORMED):
                _, items = self._get(key).split(b"\t")
                known[index] = key, outcome._replace(items=_items(items))
        return known

    def knows_set(self, keys: Iterable[str], known: Sequence[str], *, assume: bool) -> bool:
        """Tell whether texts together are known to have no findings.

        Args:
            keys: The keys of all texts, in their order.
            known: The Pipelines that are known to exist.
            assume: Whether all are taken to exist.
        """
        return self._get(self._set_key(keys, known, assume=assume)) == _CLEAN_SET

    def put(self, key: str, outcome: Outcome) -> bool:
        """Remember a verdict; return False for one that cannot be remembered."""
        text = _packed(outcome)
        if not key or text is None:
            return False
        self._new[key] = text
        return True

    def put_set(self, keys: Iterable[str], known: Sequence[str], *, assume: bool) -> None:
        """Remember that texts together have no findings, as `knows_set` asks for it."""
        self._new[self._set_key(keys, known, assume=assume)] = _CLEAN_SET

    def save(self) -> None:
        """Write what is new; a run that cannot is slower the next time, and right."""
        if not self._new:
            return
        with contextlib.suppress(OutputError, OSError):
            path = state_file(self._root, _FILE)
            if path is None:
                return
            # Another run may have written since; what it knows stays.
            lines = _load(self._root)
            for key, text in self._new.items():
                lines.pop(key.encode(), None)
                lines[key.encode()] = b" ".join((key.encode(), _checksum(text), text))
            from kfp_k8s_manifest.files import write_text

            kept = [_HEADER, *reversed(list(_newest(lines))), b""]
            write_text(path, b"\n".join(kept).decode("ascii"))

    def _set_key(self, keys: Iterable[str], known: Sequence[str], *, assume: bool) -> str:
        parts = [self.mark, *keys, sorted(known), assume]
        return _new_hash(json.dumps(parts).encode()).hexdigest()

    def _get(self, key: str) -> bytes:
        """Return what is remembered by a key, or b"" where that is nothing, or damaged."""
        line = self._lines.get(key.encode(), b"")
        text = line[_KEY + 10 :]
        return text if line[_KEY + 1 : _KEY + 9] == _checksum(text) else b""


def _new_hash(data: bytes = b"") -> blake2b:
    # Half of its length: keys as long as those of SHA-256.
    return blake2b(data, digest_size=_KEY // 2)


def _root() -> str:
    try:
        place = os.getcwd()  # noqa: PTH109 (pathlib costs at start)
    except OSError:
        return ""
    while True:
        for name in (".git", "kfp-k8s.toml"):
            if os.path.lexists(os.path.join(place, name)):  # noqa: PTH118
                return place
        above = os.path.dirname(place)  # noqa: PTH120
        if above == place:
            return ""
        place = above


def _load(root: str) -> dict[bytes, bytes]:
    """Return the lines of the file by key; none of one that is damaged, or not there."""
    data = read_state(root, _FILE, limit=2 * _MOST_BYTES)
    header, *lines = (data or b"").split(b"\n")
    if header != _HEADER:
        return {}
    return {line[:_KEY]: line for line in lines if line}


def _newest(lines: Mapping[bytes, bytes]) -> Iterator[bytes]:
    """Yield the newest lines, as many as are kept, the newest first."""
    size = 0
    for number, line in enumerate(reversed(list(lines.values()))):
        size += len(line) + 1
        if number >= _MOST_ENTRIES or size > _MOST_BYTES:
            return
        # What is damaged is not carried on.
        if line.isascii() and line[_KEY : _KEY + 1] == b" ":
            yield line


def _checksum(text: bytes) -> bytes:
    return b"%08x" % binascii.crc32(text)


def _packed(outcome: Outcome) -> bytes | None:
    """Return a verdict as JSON, its objects apart; or None for one that is not remembered."""
    if any(each.severity is Severity.ERROR for each in outcome.findings):
        return None
    if outcome.objects != len(outcome.items):
        # A package of IR: its verdict depends on more than on this package's checks.
        return None
    findings = []
    for each in outcome.findings:
        absent = each.value is ABSENT
        if not absent and type(each.value) not in (str, bool, int, type(None)):
            return None
        findings.append([
            each.rule, each.severity.value, each.message, each.path, [] if absent else [each.value],
            each.hint, each.cluster_message, each.on_key, each.kind, each.namespace, each.name,
            each.line, each.column,
        ])  # fmt: skip
    excerpts = list(outcome.excerpts.items())
    head = [outcome.objects, outcome.skipped, outcome.passed_over, findings, excerpts]
    items = [[item.document, item.prefix, item.object] for item in outcome.items]
    text = "\t".join(json.dumps(each, separators=(",", ":")) for each in (head, items))
    return text.encode("ascii") if len(text) <= _LARGEST_ENTRY else None


def _unpacked(head: bytes, file: str) -> Outcome:
    """Return a verdict without its objects."""
    objects, skipped, passed_over, findings, excerpts = json.loads(head.decode("ascii"))
    return Outcome(
        objects=objects,
        skipped=skipped,
        passed_over=passed_over,
        findings=tuple([_finding(each, file) for each in findings]),
        excerpts=dict(excerpts),
    )


def _items(text: bytes) -> tuple[Item, ...]:
    return tuple(
        Item(document=document, prefix=tuple(prefix), object=obj)
        for document, prefix, obj in json.loads(text.decode("ascii"))
    )


def _finding(fields: Sequence[Any], file: str) -> Finding:
    rule, severity, message, path, value, hint, cluster_message, on_key, *rest = fields
    kind, namespace, name, line, column = rest
    return Finding(
        rule=rule,
        severity=Severity(severity),
        message=message,
        path=tuple(path),
        value=value[0] if value else ABSENT,
        hint=hint,
        cluster_message=cluster_message,
        on_key=on_key,
        kind=kind,
        namespace=namespace,
        name=name,
        file=file,
        line=line,
        column=column,
    )


def _fingerprint() -> str:
    """Return a mark of the code and the data that decide, or "" where they cannot be read."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    mark = _new_hash()
    try:
        for name in _PARTS:
            for path in _sources(os.path.join(package, name)):  # noqa: PTH118
                _add(mark, path, len(package))
        spec = importlib.machinery.PathFinder.find_spec("yaml")
        if spec is None or spec.origin is None:
            return ""
        # Its version, and whether libyaml came with it, in which build.
        _add(mark, spec.origin, len(spec.origin))
        with os.scandir(os.path.dirname(spec.origin)) as entries:  # noqa: PTH120
            sizes = sorted((e.name, e.stat().st_size) for e in entries if e.is_file())
    except OSError:
        return ""
    mark.update(repr(sizes).encode())
    return mark.hexdigest()


def _sources(path: str) -> Iterator[str]:
    """Yield a file, or the modules and data of a folder and those below, in a fixed order."""
    if not os.path.isdir(path):  # noqa: PTH112
        yield path
        return
    with os.scandir(path) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _sources(entry.path)
        elif entry.name.endswith((".py", ".json")):
            yield entry.path


def _add(mark: Any, path: str, start: int) -> None:
    """Add a file to a mark, under its path from a place on."""
    number = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        data = os.read(number, os.fstat(number).st_size)
    finally:
        os.close(number)
    mark.update(f"{path[start:]} {len(data)} ".encode("utf-8", "surrogatepass"))
    mark.update(data)
