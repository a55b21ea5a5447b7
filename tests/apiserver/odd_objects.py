"""Random manifests with odd metadata and odd fields, the same for the same seed."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

NAMES = [
    "x",
    "a-",
    "-a",
    "a.b",
    "a..b",
    ".a",
    "a.",
    "A",
    "a_b",
    "é",
    "0a",
    "a.-b",
    "a-.b",
    "a:b",
    "a/b",
    "a%b",
    "..",
    ".",
    "1.2",
    "",
    "a b",
    "a\n",
    "\uff11",
    "\u212a",
    "x" * 63,
    "x" * 64,
    "x" * 253,
    "x" * 254,
    "a." * 126 + "a",
    "a." * 127 + "a",
    "x" * 64 + ".b",
]
VALUES: list[Any] = [
    *NAMES,
    *("5", "A.b", "a-b_c.d", "😀" * 20, "é" * 32, "2021-01-01T00:00:00Z"),
    *(True, 5, 5.0, 1.5, -1, 0, 2**63, 1e21, None),
    *([], {}, [1], {"a": 1}, {"a": None}, [None], ["a"], [{"a": 1}], [[{"a": 1}]]),
    {"a": {"b": [{"c": 1}]}},
]
KEYS = [
    "a",
    "a/b",
    "a.b/c",
    "a/b/c",
    "/a",
    "a/",
    "-a",
    "a-",
    "A",
    "A/b",
    "A.B/c",
    "a_b",
    "a.-b/c",
    "é",
    "9",
    "kubernetes.io/x",
    # Fields of ObjectMeta and of its entries that Go gives types of their own.
    "uid",
    "operation",
    "",
    "a b",
    "a\n",
    "\u212a",
    "\u0130",
    "x" * 63,
    "x" * 64,
    "p" * 253 + "/a",
    "p" * 254 + "/a",
]
PREFIXES = ["a-", "A-", "-", "a.-", "a" * 57 + ".-", "x" * 253 + "-", "a" * 60 + "-b", "Ab-"]
TIMES = ["2021-01-01T00:00:00Z", "2020-02-29T23:59:59.5+01:00", "2021-12-31T1:02:03,25-24:60"]


class OddObjects:
    """An endless source of odd objects.

    Args:
        seed: What the objects depend on.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def __call__(self) -> dict[str, Any]:
        """Return the next object."""
        kind = self._random.choice(["Pipeline", "PipelineVersion"])
        obj: dict[str, Any] = {"apiVersion": "pipelines.kubeflow.org/v2beta1", "kind": kind}
        if self._one_in(50, but=True):
            obj["metadata"] = self._metadata()
        if self._one_in(30, but=True):
            obj["spec"] = self._spec(kind)
        if self._one_in(10):
            obj["status"] = self._random.choice(
                [
                    {},
                    {"conditions": [{"type": "a", "foo": 1, "status": {"x": 1}}, 5]},
                    {"foo": 1},
                    {"conditions": {"a": 1}},
                    {"conditions": [[{"z": 1}]]},
                    self._value(),
                ]
            )
        if self._one_in(20):
            obj[self._random.choice(["bogus", "Spec", "uid", "Status"])] = self._value()
        # No value may stand at two places.
        return copy.deepcopy(obj)

    def _one_in(self, number: int, *, but: bool = False) -> bool:
        return (self._random.randrange(number) == 0) is not but

    def _value(self) -> Any:
        return self._random.choice(VALUES)

    def _map(self) -> Any:
        if self._one_in(12):
            return self._value()
        return {
            self._random.choice(KEYS): self._random.choice(NAMES)
            if self._one_in(3, but=True)
            else self._value()
            for _ in range(self._random.randint(0, 3))
        }

    def _time(self) -> Any:
        if self._one_in(4):
            return self._value()
        text = list(self._random.choice(TIMES))
        for _ in range(self._random.randint(0, 2)):
            at = self._random.randrange(len(text))
            text[at] = self._random.choice(["", "0", "9", "T", "Z", ":", "-", ".", ",", "z", "00"])
            text = list("".join(text)) or ["0"]
        return "".join(text)

    def _owner(self) -> Any:
        if self._one_in(10):
            return self._value()
        pick = self._random.choice
        owner: dict[str, Any] = {
            "apiVersion": pick(["v1", "example.com/v1", "a/b/c", "a/", "/v1", "/", ""]),
            "kind": pick(["Pipeline", "Event", "A", ""]),
            "name": pick(["p", "q", ""]),
            "uid": pick(["u", "v", ""]),
        }
        if self._one_in(2):
            owner = {"apiVersion": "v1", "kind": "A", "name": "p", "uid": "u"}
        if self._one_in(3):
            owner["controller"] = pick([True, True, False, None, self._value()])
        if self._one_in(5):
            owner[pick([*owner, "blockOwnerDeletion", "foo", "Name"])] = self._value()
        if self._one_in(10):
            del owner[pick(list(owner))]
        return owner

    def _managed(self) -> Any:
        entry = {
            "manager": self._value(),
            "operation": "Other",
            "time": self._time(),
            "fieldsType": self._value(),
            "fieldsV1": self._value(),
            "subresource": self._value(),
            "foo": 1,
        }
        return {key: value for key, value in entry.items() if self._one_in(4)}

    def _list(self, item: Any) -> Any:
        if self._one_in(12):
            return self._value()
        items = [item() for _ in range(self._random.randint(0, 3))]
        return [*items, items[0]] if items and self._one_in(5) else items

    def _metadata(self) -> Any:
        if self._one_in(40):
            return self._value()
        pick = self._random.choice
        metadata: dict[str, Any] = {}
        if self._one_in(12, but=True):
            metadata["name"] = pick(["x", "x", pick(NAMES)])
        if self._one_in(40):
            metadata["name"] = self._value()
        makers: dict[str, tuple[int, Any]] = {
            "generateName": (7, lambda: pick([*PREFIXES, pick(NAMES), self._value()])),
            "labels": (3, self._map),
            "annotations": (4, self._map),
            "ownerReferences": (5, lambda: self._list(self._owner)),
            "finalizers": (
                8,
                lambda: self._list(
                    lambda: pick([*KEYS, "orphan", "foregroundDeletion", self._value()])
                ),
            ),
            "managedFields": (16, lambda: self._list(self._managed)),
            "creationTimestamp": (16, self._time),
            "deletionTimestamp": (16, self._time),
            "bogus": (20, self._value),
            "Name": (30, self._value),
        }
        for key in ("uid", "resourceVersion", "selfLink", "generation"):
            makers[key] = (25, self._value)
        makers["deletionGracePeriodSeconds"] = (25, self._value)
        for key, (number, make) in makers.items():
            if self._one_in(number):
                metadata[key] = make()
        return metadata

    def _spec(self, kind: str) -> Any:
        if self._one_in(25):
            return self._value()
        spec: dict[str, Any] = {}
        fields = ["displayName", "description", "versionName", "bogus", "Tags"]
        if kind == "PipelineVersion":
            spec = {"pipelineName": "p", "pipelineSpec": {"a": 1}}
            fields += ["platformSpec", "codeSourceURL", "pipelineSpecURI", *spec]
            for key in ("pipelineName", "pipelineSpec"):
                if self._one_in(20):
                    del spec[key]
        fields.append("pipelineSpec")
        for key in fields:
            if self._one_in(9):
                spec[key] = self._value()
        if self._one_in(5):
            spec["tags"] = self._map()
        return spec
