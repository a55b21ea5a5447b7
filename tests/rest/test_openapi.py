"""The description is true: of what KFP's server answered, and of what this one answers to made-up calls."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra 'apiserver'")

from kfp_k8s_manifest._version import __version__
from kfp_k8s_manifest.rest.openapi.document import PATH, document
from kfp_k8s_manifest.rest.routing import Call
from tests.rest import generated, replay
from tests.rest.serving import serving


def _description() -> dict[str, Any]:
    return document("1.2.3")


def test_it_is_served() -> None:
    with serving() as server:
        answer = server.request("GET", PATH)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        assert answer.json == document(__version__)
    assert answer.json["info"]["version"] == __version__


def test_it_is_openapi() -> None:
    import schemathesis

    schema = schemathesis.openapi.from_dict(_description())
    schema.validate()
    for name, each in _description()["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(each)
        assert each["description"], name


def test_it_has_every_call_once() -> None:
    operations = [
        operation["operationId"].rpartition("_")[2]
        for path in _description()["paths"].values()
        for method, operation in path.items()
        if method != "parameters" and not operation["operationId"].startswith("Server_")
    ]
    assert sorted(operations) == sorted(call.value for call in Call)


def test_multi_user_mode_has_its_identities() -> None:
    told = document("1", identity_header="kubeflow-userid")
    assert told["security"] == [{"user": []}, {"token": []}]
    assert told["components"]["securitySchemes"] == {
        "user": {"type": "apiKey", "in": "header", "name": "kubeflow-userid"},
        "token": {"type": "http", "scheme": "bearer"},
    }
    assert told["paths"][PATH]["get"]["security"] == []
    assert "security" not in _description()


def _answers(shared: Path) -> Iterator[tuple[str, str, str, str, Any]]:
    """Return the place, method, path, status and body of each JSON answer of the recordings."""
    for scenario in replay.read(shared / replay.RECORDINGS):
        for step in scenario.steps:
            response = step.get("response", {})
            if "json" in response and response["status"] < 500:
                request = step["request"]
                yield (
                    f"{scenario} {step['id']}",
                    request["method"].lower(),
                    request["path"],
                    str(response["status"]),
                    response["json"],
                )


def _described(told: Mapping[str, Any], method: str, path: str) -> Mapping[str, Any] | None:
    """Return the operation of a request; of two paths the one with fewer parameters counts."""
    for template in sorted(told["paths"], key=lambda each: each.count("{")):
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path):
            found: Mapping[str, Any] | None = told["paths"][template].get(method)
            return found
    return None


def test_what_kfp_answered_is_described(shared: Path) -> None:
    """Every answer has a described status, and conforms to its schema."""
    told = _description()
    wrong, seen = [], 0
    for place, method, path, status, body in _answers(shared):
        # The one name that is no name, but a list of versions.
        operation = None if path.endswith("/names/versions") else _described(told, method, path)
        if operation is None:
            continue
        seen += 1
        response = operation["responses"].get(status)
        if response is None:
            wrong.append(f"{place}: {method} {path} {status}")
            continue
        if "$ref" in response:
            response = told["components"]["responses"][response["$ref"].rpartition("/")[2]]
        schema = response["content"]["application/json"]["schema"]
        validator = jsonschema.Draft202012Validator({**schema, "components": told["components"]})
        wrong += [f"{place}: {error.message}" for error in validator.iter_errors(body)]
    assert wrong == []
    assert seen > 2_000


def test_made_up_calls_are_answered_as_described(tmp_path: Path) -> None:
    """No 5xx, no status, content type or answer that is not described."""
    with generated.serving_a_database(f"sqlite:///{tmp_path / 'pipelines.db'}") as server:
        assert generated.call_at_random(server, tmp_path, seed=1, examples=2) == ""
        counts = generated.answered(server)
    assert sum(counts.values()) > 300
    assert [status for _, status in counts if status >= "5"] == []
    # The calls reach what they are about.
    for call in ("CreatePipelineVersion", "GetPipelineVersion", "UpdatePipeline", "DeletePipeline"):
        assert counts[call, "200"] > 0
