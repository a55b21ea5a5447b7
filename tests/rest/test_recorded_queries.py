"""What KFP's server answered to every body, filter, order and token of the recordings, without a server."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from kfp_k8s_manifest.rest import messages, pages, parameters
from kfp_k8s_manifest.rest.errors import GatewayError, RestError
from kfp_k8s_manifest.rest.filters import ListKind
from kfp_k8s_manifest.rest.matching import Listing
from kfp_k8s_manifest.rest.values import Anchor, ListQuery, PipelineRecord
from tests.rest import replay

_ROOT = "/apis/v2beta1/pipelines"
# Here the server's first look at the JSON finds the fault, in other words; nobody can rely on them.
_OTHER_WORDS = ("unexpected EOF", "invalid character 'a' in literal null (expecting 'u')")


class Step(NamedTuple):
    """A step of a recording."""

    place: str
    method: str
    path: list[str]
    query: str
    body: bytes
    status: int
    answer: Any
    ordered: bool
    variables: dict[str, str]

    def order(self, items: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return a list as it is, or sorted where KFP's order says nothing."""
        return items if self.ordered else sorted(items)

    @property
    def refusal(self) -> tuple[str, bool]:
        """What the caller is told, and whether it is the gateway that refuses."""
        details = self.answer.get("details")
        return (details[0]["message"], False) if details else (self.answer["message"], True)

    @property
    def listed(self) -> ListKind | None:
        """What is listed, or None."""
        if self.method != "GET" or self.path[-1:] not in ([], ["versions"]) or len(self.path) == 1:
            return None
        return "PipelineVersion" if self.path else "Pipeline"


@pytest.fixture(scope="module")
def scenarios(shared: Path) -> list[replay.Scenario]:
    return replay.read(shared / replay.RECORDINGS)


def _steps(scenario: replay.Scenario) -> Iterator[Step]:
    """Return the requests to pipelines, with the tokens of ours in the place of KFP's."""
    variables: dict[str, str] = {}
    for step in map(_with_ids, scenario.steps):
        request, answer = step.get("request"), step.get("response", {})
        if request is None or not request["path"].startswith(_ROOT) or "status" not in answer:
            continue
        query = request.get("raw_query") or "&".join(
            f"{quote(k, safe='')}={quote(_filled(v, variables), safe='')}"
            for k, v in request.get("query") or ()
        )
        _, body = replay._body(request.get("body"))
        found = Step(
            place=f"{scenario}: {step['id']}",
            method=request["method"],
            path=request["path"].removeprefix(_ROOT).split("/")[1:],
            query=query,
            body=body or b"",
            status=answer["status"],
            answer=answer.get("json"),
            ordered="compare" not in step,
            variables=variables,
        )
        yield found
        if "next_page_token" in step.get("capture", {}).values():
            _keep_token(step, found, variables)


def _with_ids(step: Mapping[str, Any]) -> Any:
    """Return a step with ids in the place of `${P1}`: refusals count their characters."""

    def made(found: re.Match[str]) -> str:
        return f"00000000-0000-4000-8000-{int(found[1]):012}"

    return json.loads(re.sub(r"\$\{[PV](\d+)\}", made, json.dumps(step)))


def _filled(text: str, variables: Mapping[str, str]) -> str:
    for name, value in variables.items():
        text = text.replace(f"${{{name}}}", value)
    return text


def _keep_token(step: Mapping[str, Any], found: Step, variables: dict[str, str]) -> None:
    """Write our token for a page that KFP wrote one for."""
    kind = found.listed
    assert kind is not None
    query = _read_list(found, kind)
    for variable, path in step["capture"].items():
        if path == "next_page_token":
            value = 1 if query.sort.field == "created_at" else "v"
            made = pages.write_token(kind, query, Anchor(value=value, id="i"))
            variables[variable] = variables.pop("next", made)


def _read_list(step: Step, kind: ListKind) -> ListQuery:
    known = parameters.PIPELINES if kind == "Pipeline" else parameters.VERSIONS
    read = parameters.read(step.query, known)
    return pages.read_query(
        kind,
        page_size=read.page_size,
        page_token=read.page_token,
        sort_by=read.sort_by,
        filter=read.filter,
    )


def _read_body(step: Step) -> object:
    if step.method == "PATCH":
        reader: Callable[[bytes], object] = (
            messages.read_version if "versions" in step.path else messages.read_pipeline
        )
    elif step.path == ["create"]:
        reader = messages.read_pipeline_and_version
    else:
        reader = messages.read_version if step.path else messages.read_pipeline
    return reader(step.body)


def _takes_a_body(step: Step) -> bool:
    if step.path[-1:] in (["upload"], ["upload_version"]):
        return False
    if step.method == "PATCH":
        return len(step.path) == 1 or (len(step.path) == 3 and step.path[1] == "versions")
    return step.method == "POST" and (
        step.path in ([], ["create"]) or (len(step.path) == 2 and step.path[1] == "versions")
    )


def _check(step: Step, read: Callable[[], object], ours: Callable[[str, bool], bool]) -> str:
    """Return what differs: read must refuse what KFP's server refused for what is ours to see."""
    expected = step.refusal if step.status == 400 else None
    if expected is not None and not ours(*expected):
        expected = None
    try:
        read()
    except RestError as error:
        if expected is None:
            return f"{step.place}: {step.status}, but {error.text}"
        text, by_gateway = expected
        if by_gateway is not isinstance(error, GatewayError) or error.status != 400:
            return f"{step.place}: another kind of refusal, {error!r}"
        if error.text != text and text not in _OTHER_WORDS:
            return f"{step.place}: {error.text!r} instead of {text!r}"
        return ""
    return f"{step.place}: not refused with {expected[0]}" if expected else ""


def test_lists(scenarios: list[replay.Scenario]) -> None:
    """All that is refused for its parameters alone is, with KFP's words; the rest is read."""
    found, seen = [], 0
    for scenario in scenarios:
        for step in _steps(scenario):
            kind = step.listed
            # A token that names columns which are not there is an error of KFP's server (500).
            if kind is not None and step.status in (200, 400):
                seen += 1
                found.append(
                    _check(step, lambda s=step, k=kind: _read_list(s, k), _about_parameters)
                )
    assert [each for each in found if each] == []
    assert seen > 800


def _about_parameters(text: str, by_gateway: bool) -> bool:
    """Tell whether a refusal is for the query: not for a header, nor by the store or the service."""
    others = ("invalid grpc-timeout", "Namespace is required", "Filter ")
    return not text.startswith(others)


# KFP's Kubernetes store starts again at the first page where the item that a token names is
# gone, and forgets the tags; ours goes on behind the item's place, and keeps them.
_AFTER_THE_ANCHOR = {
    ("page-token-tampered", "s16"),
    ("page-token-tampered", "s20"),
    ("page-token-tampered", "s21"),
    ("page-token-tampered", "s22"),
    ("page-token-tampered", "s25"),
    ("page-token-tampered", "s28"),
    ("paging-filters", "s11"),
    ("paging-with-deletes", "s08"),
    ("paging-with-deletes", "s10"),
    ("paging-with-deletes", "s13"),
}


def test_lists_in_memory(scenarios: list[replay.Scenario]) -> None:
    """Filters, orders and pages give what KFP's Kubernetes store answered."""
    different, seen = set(), 0
    for scenario in scenarios:
        if scenario.store != "kubernetes" or not scenario.name.startswith(
            ("filter-", "page-", "paging-", "sort-", "list-", "create-body-forms")
        ):
            continue
        items: dict[str, PipelineRecord] = {}
        for step in _steps(scenario):
            if step.listed == "Pipeline" and step.status in (200, 400):
                seen += 1
                if _list_in_memory(step, items) != _recorded_list(step):
                    different.add((scenario.name, step.place.rpartition(": ")[2]))
            elif step.status == 200 and step.method == "DELETE":
                del items[step.path[0]]
            elif step.status == 200 and step.method == "POST" and step.path in ([], ["upload"]):
                record = _record(step.answer, created_at=1_600_000_000 + len(items))
                items[record.id] = record
    assert different == _AFTER_THE_ANCHOR
    assert seen > 250


def _record(answer: Mapping[str, Any], created_at: int) -> PipelineRecord:
    keys = ("name", "display_name", "description", "namespace")
    texts = {key: answer.get(key, "") for key in keys}
    tags = answer.get("tags", {})
    return PipelineRecord(id=answer["pipeline_id"], created_at=created_at, tags=tags, **texts)


class _Facts:
    """What is compared of a pipeline."""

    def id(self, item: PipelineRecord) -> str:
        return item.id

    def filtered(self, item: PipelineRecord, field: str) -> str | int:
        value: str | int = getattr(item, field)
        return value

    def sorted(self, item: PipelineRecord, field: str) -> str | int:
        return self.filtered(item, field)

    def tags(self, item: PipelineRecord) -> Mapping[str, str]:
        return item.tags


def _list_in_memory(step: Step, items: Mapping[str, PipelineRecord]) -> object:
    try:
        query = _read_list(step, "Pipeline")
        page = Listing(_Facts(), items.values()).page(query)
    except RestError as error:
        return error.text
    answer = [(item.name, item.id) for item in page.items]
    if page.next is not None:
        step.variables["next"] = pages.write_token("Pipeline", query, page.next)
    return step.order(answer), page.total, page.next is not None


def _recorded_list(step: Step) -> object:
    if step.status == 400:
        return step.refusal[0]
    items = [(each["name"], each["pipeline_id"]) for each in step.answer.get("pipelines", ())]
    total = step.answer.get("total_size", 0)
    return step.order(items), total, "next_page_token" in step.answer


def test_cascade(scenarios: list[replay.Scenario]) -> None:
    seen = 0
    for scenario in scenarios:
        for step in _steps(scenario):
            if step.method == "DELETE" and len(step.path) == 1 and step.query:
                seen += 1
                read = lambda s=step: parameters.read(s.query, parameters.DELETE)  # noqa: E731
                assert _check(step, read, lambda _, by_gateway: by_gateway) == ""
    assert seen > 30


def test_bodies(scenarios: list[replay.Scenario]) -> None:
    """A body is refused where the gateway refused it, at the same place of it."""
    found, seen, refused = [], 0, 0
    for scenario in scenarios:
        for step in _steps(scenario):
            if _takes_a_body(step) and step.status in (200, 400):
                seen += 1
                ours = lambda _, by_gateway: by_gateway  # noqa: E731
                refused += step.status == 400 and step.refusal[1]
                found.append(_check(step, lambda s=step: _read_body(s), ours))
    assert [each for each in found if each] == []
    assert (seen > 700, refused > 50) == (True, True)
