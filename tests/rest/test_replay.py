"""What plays the recorded conversations finds every kind of difference, and no other."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.fake_api import Asked, Reply, fake_api
from tests.rest import differences
from tests.rest.replay import Command, Outcome, Player, Scenario

PIPELINE = {"pipeline_id": "${P1}", "name": "a", "created_at": "<time>"}
CREATE = {
    "id": "s01",
    "request": {"method": "POST", "path": "/pipelines", "body": {"json": {"name": "a"}}},
    "response": {"status": 200, "headers": {"content-type": "application/json"}, "json": PIPELINE},
    "capture": {"P1": "pipeline_id"},
}
GET = {
    "id": "s02",
    "request": {"method": "GET", "path": "/pipelines/${P1}", "query": [["q", "a b+&"]]},
    "response": {"status": 200, "json": PIPELINE},
}
REFUSED = {
    "id": "s03",
    "request": {"method": "GET", "path": "/pipelines/x"},
    "response": {
        "status": 404,
        "json": {"code": 5, "message": "a long chain", "details": [{"code": 5, "message": "no x"}]},
    },
}
SHOWN = {"pipeline_id": "id-1", "name": "a", "created_at": "2026-01-02T03:04:05Z"}


def scenario(*steps: dict[str, Any]) -> Scenario:
    return Scenario(
        name="made-up", store="database", multi_user=False, roles={}, files={}, steps=steps
    )


def play(answers: list[Any], *steps: dict[str, Any], **options: Any) -> tuple[list[Outcome], Any]:
    given = iter(answers)

    def answer(asked: Asked) -> Any:
        each = next(given)
        return each if isinstance(each, Reply) else (200, each)

    with fake_api(answer) as api:
        outcomes = list(Player(api.url, pause=lambda _: None, **options).play(scenario(*steps)))
    return outcomes, api.asked


def test_what_agrees_has_no_difference_and_ids_are_carried_on() -> None:
    refused = {"code": 5, "message": "short", "details": [{"code": 5, "message": "no x"}]}
    steps = [CREATE, {**GET, "response": {**GET["response"], "headers": {"content-type": JSON}}}]
    refusal = {**REFUSED, "response": {**REFUSED["response"], "headers": {"content-type": JSON}}}
    outcomes, asked = play([SHOWN, SHOWN, Reply(404, refused)], *steps, refusal)
    assert [each.difference for each in outcomes] == ["", "", ""]
    assert [each.path for each in asked] == [
        "/pipelines",
        "/pipelines/id-1?q=a%20b%2B%26",
        "/pipelines/x",
    ]
    assert asked[0].body == {"name": "a"}


JSON = "application/json"


@pytest.mark.parametrize(
    ("answer", "difference"),
    [
        (Reply(400, SHOWN), "status 400 instead of 200"),
        ({**SHOWN, "name": "b"}, ".name is 'b' instead of 'a'"),
        ({**SHOWN, "extra": 1}, ".extra is 1"),
        ({"pipeline_id": "id-1", "name": "a"}, ".created_at is missing"),
        ({**SHOWN, "created_at": "2026-01-02T03:04:05.5Z"}, ".created_at is"),
        (Reply(200, b"no json"), "no JSON"),
        (Reply(200, SHOWN, {"Location": "/x"}), "header location '/x' instead of None"),
    ],
)
def test_a_success_differs_in_status_headers_and_body(answer: Any, difference: str) -> None:
    (outcome,), _ = play([answer], CREATE)
    assert difference in outcome.difference


@pytest.mark.parametrize(
    ("body", "difference"),
    [
        ({"code": 3, "details": [{"code": 5, "message": "no x"}]}, ".code is 3 instead of 5"),
        ({"code": 5, "details": [{"code": 5, "message": "none"}]}, ".details[0].message is"),
        ({"code": 5}, ".details is missing"),
        ({"code": 5, "details": []}, ".details has 0 items instead of 1"),
    ],
)
def test_a_refusal_differs_in_its_code_and_its_text(body: Any, difference: str) -> None:
    (outcome,), _ = play([Reply(404, body)], REFUSED)
    assert difference in outcome.difference


def test_a_list_in_undefined_order_is_compared_as_a_set() -> None:
    items = [{"pipeline_id": "1", "name": "a"}, {"pipeline_id": "2", "name": "b"}]
    step = {
        "id": "s01",
        "request": {"method": "GET", "path": "/pipelines"},
        "response": {
            "status": 200,
            "headers": {"content-type": JSON},
            "json": {"pipelines": items, "total_size": 2},
        },
    }
    turned = {"pipelines": items[::-1], "total_size": 2}
    other = {"pipelines": [items[0], items[0]], "total_size": 2}
    found = []
    for answered in (turned, other):
        for each in (step, {**step, "unstable": True, "compare": "as a set"}):
            found += [outcome.difference for outcome in play([answered], each)[0]]
    assert found[0]
    assert not found[1]
    assert found[2]
    assert found[3]


def test_a_command_differs_in_its_exit_code_and_its_objects() -> None:
    step = {
        "id": "s01",
        "kubectl": ["get", "pipelines"],
        "result": {"exit": 0, "objects": [{"kind": "Pipeline", "metadata": {"name": "a"}}]},
        "capture": {"P1": "Pipeline/a: metadata.uid"},
    }
    found = '{"kind": "Pipeline", "metadata": {"name": "%s", "uid": "u"}, "spec": {}}'
    for command, difference in (
        (Command(exit=0, stdout=found % "a", stderr=""), ""),
        (Command(exit=0, stdout=found % "b", stderr=""), "[0].metadata.name is 'b'"),
        (Command(exit=1, stdout="", stderr="no"), "exit 1 instead of 0: no"),
    ):
        (outcome,), _ = play([], step, kubectl=lambda args, stdin, done=command: done)
        assert difference in outcome.difference
        assert bool(difference) is bool(outcome.difference)


PAGE = """
| `made-up` | database | s01-s02, s04 | 200 | 501 |
| `made-up` | MariaDB, kubernetes | s03 | none | 400 |
"""


def test_the_page_lists_steps_by_store_and_scenario() -> None:
    known = differences.listed(PAGE)
    assert len(known) == 3 * 3 + 2
    assert known["SQLite", "made-up", "s02"] == differences.Difference(kfp="200", here="501")
    assert known["MariaDB", "made-up", "s03"] == differences.Difference(kfp="none", here="400")
    assert ("SQLite", "made-up", "s03") not in known
    with pytest.raises(AssertionError, match="listed twice"):
        differences.listed(PAGE + "| `made-up` | SQLite | s04 | 200 | 501 |")


@pytest.mark.parametrize(
    ("row", "difference", "problem"),
    [
        ("", "", []),
        ("", "body", ["s01 differs: body"]),
        ("200 | 501", "status", []),
        ("200 | 501", "", ["s01 is listed as a difference, and agrees"]),
        ("200 | 400", "x", ["s01 is listed as 200 and 400, but it is 200 and 501: x"]),
        ("500 | 501", "x", ["s01 is listed as 500 and 501, but it is 200 and 501: x"]),
    ],
)
def test_what_differs_unlisted_and_what_agrees_listed_is_a_problem(
    row: str, difference: str, problem: list[str]
) -> None:
    known = differences.listed(f"| `made-up` | SQLite | s01 | {row} |") if row else {}
    outcome = Outcome(step="s01", status=501, stable=True, difference=difference)
    assert differences.problems(scenario(CREATE), "SQLite", [outcome], known) == problem
