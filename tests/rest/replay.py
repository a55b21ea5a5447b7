"""Plays recorded conversations against a server, and says where its answers differ from KFP's.

The recordings are scenarios of steps: a request or a kubectl command, and what KFP's real server
answered. Judged are the status, the header fields that clients see, the body of a success, and of a
refusal its code and the text for the caller; the longer `message` beside it, which tells of KFP's
functions, is not.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import http.client
import itertools
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

RECORDINGS = "reference/rest-conversations.jsonl.gz"

# Header fields of an answer that are compared, and how: their value, or that there are any.
_HEADERS = ("content-type", "grpc-metadata-content-type", "location", "x-content-type-options")
_BOUNDARY = "boundary-of-the-replayed-upload"
# What stands in recorded texts for what is another one each time.
_PLACEHOLDERS = {
    "<time>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "<uuid>": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "<token>": r"[A-Za-z0-9+/]+=*",
}
_PLACEHOLDER = re.compile("|".join(_PLACEHOLDERS))
_VARIABLE = re.compile(r"\$\{([A-Z]+\d*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A recorded conversation, which begins with an empty store.

    Attributes:
        name: The scenario's name; it is recorded once for each kind of store.
        store: `database` or `kubernetes`.
        multi_user: Whether callers are named and authorised.
        roles: What callers may do where: verbs by user and namespace.
        files: What the web server serves that is called `${FILES}`.
        steps: The steps, as they are recorded.
    """

    name: str
    store: str
    multi_user: bool
    roles: Mapping[str, Mapping[str, list[str]]]
    files: Mapping[str, bytes]
    steps: tuple[Mapping[str, Any], ...]

    def __str__(self) -> str:
        return f"{self.name}-{self.store}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a server answered.

    Attributes:
        status: The HTTP status.
        headers: The header fields, their names in lower case.
        body: The body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON, or None where it is something else."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a kubectl command came to.

    Attributes:
        exit: Its exit code.
        stdout: What it printed.
        stderr: What it complained of.
    """

    exit: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a step went.

    Attributes:
        step: Its id.
        status: The status of our answer; the exit code of a command.
        stable: False where KFP itself does not always answer alike.
        difference: What differs from the recording, or "".
    """

    step: str
    status: int
    stable: bool
    difference: str


Kubectl = Callable[[list[str], str], Command]
"""Runs kubectl with arguments and an input."""


def read(path: Path) -> list[Scenario]:
    """Return the recorded scenarios."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [_scenario(json.loads(line)) for line in lines]


def _scenario(tree: Mapping[str, Any]) -> Scenario:
    files = tree.get("files") or {}
    return Scenario(
        name=tree["scenario"],
        store=tree["store"],
        multi_user="MULTIUSER=true" in tree["server"],
        roles=(tree.get("roles") or {}).get("verbs", {}),
        files={name: content(each) for name, each in files.items()},
        steps=tuple(tree["steps"]),
    )


def content(part: Mapping[str, str]) -> bytes:
    """Return the content of a recorded file."""
    return base64.b64decode(part["base64"]) if "base64" in part else part["text"].encode()


class Player:
    """Plays scenarios.

    Args:
        url: Where the server listens, such as `http://127.0.0.1:8888`.
        kubectl: Runs kubectl, where scenarios need it.
        files: What stands for `${FILES}`.
        pause: Waits some seconds; a store with a clock of its own may move that instead.
    """

    def __init__(
        self,
        url: str,
        *,
        kubectl: Kubectl | None = None,
        files: str = "",
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = url
        self._kubectl = kubectl
        self._pause = pause
        self._known = {"FILES": files} if files else {}

    def play(self, scenario: Scenario) -> Iterator[Outcome]:
        """Play a scenario, which the store must be empty for; tell of each step."""
        for step in scenario.steps:
            if "sleep" in step:
                self._pause(step["sleep"])
            yield self._command(step) if "kubectl" in step else self._call(step)

    def _call(self, step: Mapping[str, Any]) -> Outcome:
        reply = send(self._url, self._filled(step["request"]))
        wanted, answered = step["response"], reply.json()
        stable = not step.get("unstable")
        as_set = step.get("compare") == "as a set"
        if as_set:
            answered = _in_order_of(self._filled(wanted["json"]), answered)
        self._capture(step, answered)
        difference = ""
        if "no_answer" in wanted:
            # Whatever KFP's server is busy with, ours says what is wrong with the request.
            if not 400 <= reply.status < 500:
                difference = f"status {reply.status} instead of 4xx: {reply.body[:300]!r}"
        elif stable or as_set:
            difference = _compare_replies(self._filled(wanted), reply, answered)
        elif wanted["status"] != reply.status:
            difference = f"status {reply.status} instead of {wanted['status']}: {reply.body!r}"
        return Outcome(step=step["id"], status=reply.status, stable=stable, difference=difference)

    def _command(self, step: Mapping[str, Any]) -> Outcome:
        assert self._kubectl is not None
        done = self._kubectl(self._filled(step["kubectl"]), self._filled(step.get("stdin", "")))
        objects = _objects(done.stdout)
        self._capture(step, objects)
        difference = _compare_commands(self._filled(step["result"]), done, objects)
        return Outcome(step=step["id"], status=done.exit, stable=True, difference=difference)

    def _capture(self, step: Mapping[str, Any], answered: Any) -> None:
        for variable, path in step.get("capture", {}).items():
            found = _look_up(answered, path)
            if found is not None:
                self._known[variable] = found

    def _filled(self, tree: Any) -> Any:
        """Return a tree with the values of the variables that are known."""
        if isinstance(tree, str):
            return _VARIABLE.sub(lambda found: self._known.get(found[1], found[0]), tree)
        if isinstance(tree, Mapping):
            return {self._filled(key): self._filled(value) for key, value in tree.items()}
        return [self._filled(each) for each in tree] if isinstance(tree, list) else tree


def send(url: str, request: Mapping[str, Any]) -> Reply:
    """Send a recorded request as it is: the path as it stands there, header fields twice."""
    target = urlsplit(url)
    path = request["path"]
    if "raw_query" in request:
        path += f"?{request['raw_query']}"
    elif request.get("query"):
        path += "?" + "&".join(
            f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in request["query"]
        )
    headers = dict(request.get("headers") or {})
    content_type, body = _body(request.get("body"))
    if content_type and "content-type" not in map(str.lower, headers):
        headers["Content-Type"] = content_type
    connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)
    with contextlib.closing(connection):
        connection.putrequest(request["method"], path, skip_accept_encoding=True)
        for name, values in headers.items():
            for value in values if isinstance(values, list) else [values]:
                connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        fields = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(status=answer.status, headers=fields, body=answer.read())


def _body(body: Mapping[str, Any] | None) -> tuple[str, bytes | None]:
    """Return the content type and the bytes of a recorded body."""
    if body is None:
        return "", None
    if "text" in body:
        return "application/json", body["text"].encode()
    if "json" in body:
        return "application/json", json.dumps(body["json"]).encode()
    parts = b"".join(map(_part, body["multipart"]))
    content = parts + f"--{_BOUNDARY}--\r\n".encode()
    return f"multipart/form-data; boundary={_BOUNDARY}", content


def _part(part: Mapping[str, str]) -> bytes:
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{part["field"]}"'
    if "filename" in part:
        head += f'; filename="{part["filename"]}"'
    if "content_type" in part:
        head += f"\r\nContent-Type: {part['content_type']}"
    return head.encode() + b"\r\n\r\n" + content(part) + b"\r\n"


def _look_up(tree: Any, path: str) -> str | None:
    """Return what a path such as `pipelines[2].pipeline_id` leads to, or None."""
    if ": " in path:
        # An object by its kind and name.
        which, path = path.split(": ")
        kind, name = which.split("/", 1)
        wanted = (kind, name)
        tree = next((o for o in tree if (o["kind"], o["metadata"]["name"]) == wanted), None)
    with contextlib.suppress(IndexError, KeyError, TypeError):
        for key in re.findall(r"[^.\[\]]+", path):
            tree = tree[int(key)] if isinstance(tree, list) else tree[key]
    return tree if isinstance(tree, str) else None


def _compare_replies(wanted: Mapping[str, Any], reply: Reply, answered: Any) -> str:
    """Return where an answer differs, or ""."""
    if wanted["status"] != reply.status:
        return f"status {reply.status} instead of {wanted['status']}: {reply.body[:1000]!r}"
    found = [*_compare_headers(wanted.get("headers", {}), reply.headers)]
    if "text" in wanted:
        text = reply.body.decode(errors="replace")
        if text != wanted["text"]:
            found.append(f"text {text!r} instead of {wanted['text']!r}")
    elif "json" in wanted:
        if answered is None:
            found.append(f"no JSON: {reply.body[:1000]!r}")
        elif wanted["status"] >= 400:
            found += _compare(_refusal(wanted["json"]), _refusal(answered))
        else:
            found += _compare(wanted["json"], answered)
    return "; ".join(found)


def _compare_headers(wanted: Mapping[str, str], answered: Mapping[str, str]) -> Iterator[str]:
    for name in _HEADERS:
        if wanted.get(name) != answered.get(name):
            yield f"header {name} {answered.get(name)!r} instead of {wanted.get(name)!r}"
    if ("www-authenticate" in wanted) is not ("www-authenticate" in answered):
        yield f"header www-authenticate {answered.get('www-authenticate')!r}"


def _refusal(tree: Any) -> Any:
    """Return what counts of the body of a refusal."""
    if not isinstance(tree, Mapping):
        return tree
    if "error_message" in tree:
        return {"error_message": tree["error_message"]}
    return {key: value for key, value in tree.items() if key != "message"}


def _in_order_of(wanted: Any, answered: Any) -> Any:
    """Return an answer with its list in the recorded order, as far as the items are the same.

    An id that is not known yet may be any: it is recorded as that of the item that came there.
    """
    if not isinstance(answered, Mapping):
        return answered
    ordered = dict(answered)
    for key, items in wanted.items():
        if isinstance(items, list) and isinstance(answered.get(key), list):
            left, found = list(answered[key]), []
            for item in items:
                same = (i for i, each in enumerate(left) if not _compare(_any_ids(item), each))
                found += [left.pop(i) for i in (next(same, None),) if i is not None]
            ordered[key] = found + left
    return ordered


def _any_ids(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: "<uuid>" if isinstance(value, str) and _VARIABLE.fullmatch(value) else value
        for key, value in item.items()
    }


def _compare(wanted: Any, answered: Any, path: str = "") -> list[str]:
    """Return where two trees differ, in which texts may be placeholders."""
    if isinstance(wanted, Mapping) and isinstance(answered, Mapping):
        found = [f"{path}.{key} is missing" for key in wanted if key not in answered]
        found += [f"{path}.{key} is {answered[key]!r}" for key in answered if key not in wanted]
        for key in wanted:
            if key in answered:
                found += _compare(wanted[key], answered[key], f"{path}.{key}")
        return found
    if isinstance(wanted, list) and isinstance(answered, list):
        if len(wanted) != len(answered):
            return [f"{path} has {len(answered)} items instead of {len(wanted)}"]
        pairs = enumerate(zip(wanted, answered, strict=True))
        return [each for i, pair in pairs for each in _compare(*pair, f"{path}[{i}]")]
    if isinstance(wanted, str) and isinstance(answered, str):
        if wanted == answered or _pattern(wanted).fullmatch(answered):
            return []
    elif wanted == answered and isinstance(wanted, bool) is isinstance(answered, bool):
        return []
    return [f"{path or 'the body'} is {answered!r:.1000} instead of {wanted!r:.1000}"]


def _pattern(wanted: str) -> re.Pattern[str]:
    """Return what a text with placeholders stands for."""
    texts = map(re.escape, _PLACEHOLDER.split(wanted))
    patterns = [_PLACEHOLDERS[each] for each in _PLACEHOLDER.findall(wanted)]
    return re.compile(
        "".join(itertools.chain(*itertools.zip_longest(texts, patterns, fillvalue="")))
    )


def _objects(stdout: str) -> list[Any]:
    """Return the objects that kubectl printed."""
    try:
        tree = json.loads(stdout)
    except ValueError:
        return []
    return tree["items"] if tree.get("kind") == "List" else [tree]


# What the cluster puts into objects, and the recordings leave out.
_OF_THE_CLUSTER = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def _compare_commands(wanted: Mapping[str, Any], done: Command, objects: list[Any]) -> str:
    """Return where the outcome of a command differs, or ""."""
    if wanted["exit"] != done.exit:
        return f"exit {done.exit} instead of {wanted['exit']}: {done.stderr}"
    said = {"stdout": done.stdout, "stderr": done.stderr}
    found = [
        f"{key} {text!r} instead of {wanted[key]!r}"
        for key, text in said.items()
        if key in wanted and _without_reason(wanted[key]) != _without_reason(text)
    ]
    if "objects" in wanted:
        found += _compare([*map(_plain, wanted["objects"])], [*map(_plain, objects)])
    return "; ".join(found)


def _without_reason(text: str) -> str:
    """Return what kubectl says without the words of a webhook, which are ours."""
    return text.partition(" denied the request: ")[0]


def _plain(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object without what differs from cluster to cluster."""
    metadata = {k: v for k, v in obj["metadata"].items() if k not in _OF_THE_CLUSTER}
    if "annotations" in metadata:
        kept = {k: v for k, v in metadata["annotations"].items() if k != _LAST_APPLIED}
        metadata["annotations"] = kept
    plain = {**obj, "metadata": metadata}
    if "status" in obj:
        # Recorded for every condition, though neither KFP nor its CRD knows of it.
        conditions = [{k: v for k, v in each.items() if k != "lastTransitionTime"}
                      for each in obj["status"]["conditions"]]  # fmt: skip
        plain["status"] = {**obj["status"], "conditions": conditions}
    return {key: value for key, value in plain.items() if value != {} or key == "metadata"}
