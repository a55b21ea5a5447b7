"""Replays a row of the parity table on a real API server with our CRDs and our webhooks.

What a row needs in the cluster (`before`, `previous`) is really created, in namespaces that only
rows with the same needs share; the object itself is sent as a dry run, which goes through decoding,
webhooks, metadata and schema. What only the storage refuses is really created as well, in a
namespace of its own.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kfp_k8s_manifest import Severity, validate_text
from kfp_k8s_manifest.errors import YamlError
from kfp_k8s_manifest.model.kinds import PLURALS
from kfp_k8s_manifest.naming import namespace_problems
from kfp_k8s_manifest.yaml import load_all

from .installations import API, LABEL, Installation, Installations, collection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kfp_k8s_manifest.findings import Finding
    from tests.apiserver.controlplane import Response
    from tests.parity.base import Row

# Beyond this size the storage may refuse an object, which a dry run does not reach.
_STORED_FROM = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the cluster says to a row.

    Attributes:
        allowed: Whether everything in the row was taken.
        message: Why not, in the API server's words.
        shown: The same with the row's own names of namespaces.
    """

    allowed: bool
    message: str = ""
    shown: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The cluster's answer to a row in one release, and what we say offline for that release.

    Attributes:
        release: The release.
        answer: The cluster's answer.
        errors: Our errors, in the order in which the cluster would meet them.
        as_given: Puts the row's own names of namespaces into a message.
    """

    release: str
    answer: Answer
    errors: Sequence[Finding]
    as_given: Callable[[str], str]

    @property
    def agree(self) -> bool:
        """Whether both allow it or both refuse it."""
        return self.answer.allowed is (not self.errors)

    @property
    def cause(self) -> Finding | None:
        """Our error that the cluster's message names, or None."""
        for error in self.errors:
            if error.cluster_message and error.cluster_message in self.answer.message:
                return error
            # Our webhook says what we say offline.
            if error.message in self.answer.message:
                return error
        return None


class Replayer:
    """Replays rows; keeps the namespaces that it has prepared.

    Args:
        installations: Starts the clusters.
    """

    def __init__(self, installations: Installations) -> None:
        self._installations = installations
        self._prepared: dict[str, _Place] = {}

    def replay(self, row: Row, release: str) -> Verdict:
        """Apply a row to the cluster of one release, and judge it offline for that release."""
        installation = self._installations(release)
        place = self._place(row, installation)
        answer = _send(row, installation, place)
        return Verdict(
            release=release,
            answer=answer,
            errors=_offline(row, release, place),
            as_given=place.as_given,
        )

    def _place(self, row: Row, installation: Installation) -> _Place:
        """Return namespaces in which the row's needs are met."""
        if _is_stored(row):
            return _prepare(row, installation)
        key = json.dumps([installation.target, row.before, row.previous], sort_keys=True)
        if key not in self._prepared:
            self._prepared[key] = _prepare(row, installation)
        return self._prepared[key]


class _Place:
    """The namespaces that stand for those that rows name, made when they are needed."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._names: dict[str, str] = {}

    def name(self, given: str) -> str:
        """Return the namespace that stands for one; "" is that of objects that name none."""
        if given not in self._names:
            self._names[given] = self._installation.namespace(f"row-{given}" if given else "row")
        return self._names[given]

    def placed(self, obj: Any) -> Any:
        """Return an object with its namespace replaced; without one it stays."""
        given = _namespace(obj)
        if given is None or not _stands_for_another(given):
            return obj
        return {**obj, "metadata": {**obj["metadata"], "namespace": self.name(given)}}

    def path(self, obj: Any) -> str:
        """Return where a placed object is created."""
        return _namespace(obj) or self.name("")

    def as_given(self, message: str) -> str:
        """Return a message with the row's own names of namespaces."""
        for given, name in self._names.items():
            message = message.replace(name, given or "default")
        return message


def _namespace(obj: Any) -> str | None:
    metadata = obj.get("metadata") if isinstance(obj, dict) else None
    found = metadata.get("namespace") if isinstance(metadata, dict) else None
    return found if isinstance(found, str) and found else None


def _stands_for_another(namespace: str) -> bool:
    """Return whether a namespace's name is of no account; else it is what the row is about."""
    return len(namespace) < 20 and not namespace_problems(namespace)


def _objects(row: Row) -> list[Any]:
    """Return the objects of a row, or none where its text cannot be read."""
    try:
        return [document.value for document in load_all(row.text)]
    except YamlError:
        return []


def _is_ours(obj: Any) -> bool:
    return isinstance(obj, dict) and obj.get("apiVersion") == API and obj.get("kind") in PLURALS


def _is_stored(row: Row) -> bool:
    objects = _objects(row)
    return (
        len(objects) > 1
        or len(row.text) > _STORED_FROM
        or any(
            isinstance(obj, dict)
            and isinstance(obj.get("metadata"), dict)
            and bool(obj["metadata"].get("resourceVersion"))
            for obj in objects
        )
    )


def _prepare(row: Row, installation: Installation) -> _Place:
    place = _Place(installation)
    for obj in (*row.before, *([row.previous] if row.previous else ())):
        placed = place.placed(obj)
        answer = installation.post(place.path(placed), placed)
        assert answer.status == 201, (row.id, installation.target, answer.body)
    return place


def _send(row: Row, installation: Installation, place: _Place) -> Answer:
    objects = [place.placed(obj) for obj in _objects(row)]
    if not objects and row.text.startswith(f"apiVersion: {API}\n"):
        # What cannot be read is the API server's to refuse, since kubectl reads less strictly:
        # of a key that stands twice it sends the last one, and the server never knows.
        return _send_text(row, "Pipeline", installation, place)
    if not objects or not all(map(_is_ours, objects)):
        return _with_kubectl(row.text, installation, place)
    if len(objects) > 1:
        return _create_all(objects, installation, place)
    (obj,) = objects
    given = _namespace(obj)
    if given is not None and not _stands_for_another(given):
        return _create_in(given, obj, installation)
    if row.previous is not None and _is_there(obj, installation, place):
        return _update(obj, installation, place)
    if row.text.lstrip().startswith("{") or given is not None:
        return _answer(installation.post(place.path(obj), obj, **_query(row)), place)
    if row.text.startswith(("---", "\ufeff")):
        # Streams are kubectl's to split.
        return _with_kubectl(row.text, installation, place)
    return _send_text(row, obj["kind"], installation, place)


def _query(row: Row) -> dict[str, str]:
    return {"fieldValidation": "Strict"} | ({} if _is_stored(row) else {"dryRun": "All"})


def _send_text(row: Row, kind: str, installation: Installation, place: _Place) -> Answer:
    """Send a document as it stands; the server's own YAML reader is the one of kubectl."""
    query = "&".join(f"{key}={value}" for key, value in _query(row).items())
    path = f"{collection(place.name(''), kind)}?{query}"
    return _answer(
        installation.plane.request("POST", path, row.text, content_type="application/yaml"), place
    )


def _is_there(obj: Any, installation: Installation, place: _Place) -> bool:
    path = f"{collection(place.path(obj), obj['kind'])}/{obj['metadata']['name']}"
    return installation.plane.request("GET", path).status == 200


def _answer(response: Response, place: _Place) -> Answer:
    if response.status in (200, 201):
        return Answer(allowed=True)
    try:
        said = str(response.json()["message"])
    except ValueError:
        said = response.body.decode()
    return Answer(allowed=False, message=said, shown=place.as_given(said))


def _with_kubectl(text: str, installation: Installation, place: _Place) -> Answer:
    """Send what is not plainly one of our objects; kubectl looks for the place of every kind.

    Server-side, as GitOps tools apply: `kubectl create` takes a `pipelineversion` for a
    PipelineVersion, because the webhook's patch happens to give it its kind.
    """
    done = installation.plane.kubectl(
        *("apply", "--server-side", "--dry-run=server", "-n", place.name(""), "-f", "-"),
        stdin=text,
        check=False,
    )
    said = done.stderr.strip()
    return Answer(allowed=done.returncode == 0, message=said, shown=place.as_given(said))


def _update(obj: Any, installation: Installation, place: _Place) -> Answer:
    namespace = place.path(obj)
    path = f"{collection(namespace, obj['kind'])}/{obj['metadata']['name']}"
    stored = installation.plane.request("GET", path).json()["metadata"]
    changed = copy.deepcopy(obj)
    changed["metadata"]["resourceVersion"] = stored["resourceVersion"]
    return _answer(
        installation.plane.request("PUT", f"{path}?fieldValidation=Strict&dryRun=All", changed),
        place,
    )


def _create_all(objects: list[Any], installation: Installation, place: _Place) -> Answer:
    """Create objects in their order, and once more what failed, as all that reconciles does."""
    refused: list[Any] = list(objects)
    said = Answer(allowed=True)
    for _ in range(2):
        tried, refused = refused, []
        for obj in tried:
            answer = _answer(installation.post(place.path(obj), obj), place)
            if not answer.allowed:
                refused.append(obj)
                said = answer
    return said if refused else Answer(allowed=True)


def _create_in(namespace: str, obj: Any, installation: Installation) -> Answer:
    """Create an object whose namespace's name is the matter; there can be none of a bad name."""
    labels = {"name": namespace, "labels": {LABEL: installation.target}}
    made = installation.plane.request(
        "POST",
        "/api/v1/namespaces",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": labels},
    )
    place = _Place(installation)
    if made.status not in (201, 409):
        return _answer(made, place)
    return _answer(installation.post(namespace, obj, dryRun="All"), place)


def _offline(row: Row, release: str, place: _Place) -> list[Finding]:
    """Return our errors for one release, with the names that the cluster was sent."""
    previous: Mapping[str, Any] | None = row.previous
    texts = [json.dumps(each) for each in map(_with(place), _objects(row))]
    unread = not texts or any(not _is_ours(obj) for obj in _objects(row))
    report = validate_text(
        row.text if unread else "---\n".join(f"{text}\n" for text in texts),
        target=release,
        known_pipelines=[
            f"{placed['metadata']['namespace']}/{placed['metadata']['name']}"
            for placed in map(_with(place), row.before)
        ],
        previous=json.dumps(_with(place)(previous)) if previous else "",
        allow_empty=True,
    )
    return [each for each in report.findings if each.severity is Severity.ERROR]


def _with(place: _Place) -> Any:
    def full(obj: Any) -> Any:
        placed = place.placed(obj)
        metadata = placed.get("metadata", {}) if isinstance(placed, dict) else None
        if not isinstance(metadata, dict) or "namespace" in metadata or not _is_ours(obj):
            return placed
        return {**placed, "metadata": {**metadata, "namespace": place.name("")}}

    return full
