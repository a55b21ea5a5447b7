"""Attempts to have the server run, read or write something else, in every place that takes a text.

They are refused, or taken for the texts that they are: what is in the store stays, and nobody is shown
more than without them. The store is a database, where there is a language to speak to.
"""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra 'apiserver'")

from kfp_k8s_manifest.rest.fetch import Fetcher, FetchPolicy
from tests.rest.generated import serving_a_database
from tests.rest.serving import Answer, Serving, form
from tests.rest.stores.conftest import DATABASES

SQL = (
    "'",
    '"',
    "`",
    "\\",
    "' OR '1'='1",
    "' OR 1=1 --",
    '" OR ""="',
    "') OR ('a'='a",
    "1 OR 1=1",
    "1; DROP TABLE pipelines",
    "'; DROP TABLE pipelines; --",
    "'; UPDATE pipelines SET Name='owned'; --",
    "x' UNION SELECT * FROM pipeline_versions --",
    "x' AND (SELECT COUNT(*) FROM sqlite_master) > 0 --",
    "\\' OR 1=1 #",
    "' || (SELECT Name FROM pipelines) || '",
    "%' OR 1=1 --",
    "pipelines.Name",
    "UUID",
    "1' OR SLEEP(9) --",
    "'; SELECT pg_sleep(9); --",
    "\u02bc OR 1=1 --",
    "\x00' OR 1=1 --",
    ":id",
    "%(id)s",
    "?",
    "$1",
    "${jndi:ldap://127.0.0.1/a}",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "a\r\nSet-Cookie: a=b",
    "\ud83d\ude00' --".encode("utf-16", "surrogatepass").decode("utf-16"),
)
PATHS = (
    "../../../../etc/passwd",
    "..\\..\\..\\windows\\win.ini",
    "/etc/passwd",
    "file:///etc/passwd",
    "....//....//etc/passwd",
    "a/../../b",
    "a\x00.yaml",
)
# What a refusal never tells.
_INSIDE = ("sqlite3", "sqlalchemy", "traceback", 'file "', "operationalerror", "programmingerror")


@pytest.fixture(scope="module", params=DATABASES)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    """A server with two pipelines, one of them with a version."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('injections') / 'pipelines.db'}"
    else:
        url = request.getfixturevalue(request.param).new_database()
    fetcher: Any = Fetcher(FetchPolicy())
    with serving_a_database(url, files=fetcher) as found:
        for name in ("alpha", "beta"):
            created = found.request("POST", "~/pipelines", {"name": name, "tags": {"k": "v"}})
            assert created.status == 200
        path = f"upload_version?name=v1&pipelineid={created.json['pipeline_id']}"
        assert found.upload(path).status == 200
        yield found


def everything(server: Serving) -> Any:
    """Return all that is in the store."""
    pipelines = server.request("GET", "~/pipelines?sort_by=name&page_size=200").json["pipelines"]
    versions = [
        server.request("GET", f"~/pipelines/{each['pipeline_id']}/versions?sort_by=name").json
        for each in pipelines
    ]
    return pipelines, versions


@pytest.fixture(autouse=True)
def unchanged(request: pytest.FixtureRequest) -> Iterator[None]:
    """What is in the store is the same afterwards."""
    if "server" not in request.fixturenames:
        yield
        return
    server: Serving = request.getfixturevalue("server")
    before = everything(server)
    yield
    assert everything(server) == before


def assert_refused(answer: Answer, *statuses: int) -> None:
    """A refusal tells nothing of the inside, and has no header that was sent in."""
    # A path with dots in it is cleaned first, which leads nowhere else.
    assert answer.status in (statuses or (301, 400, 404)), answer.body
    text = answer.body.decode().lower()
    assert not any(word in text for word in _INSIDE), answer.body
    assert "set-cookie" not in {name.lower() for name in answer.headers}
    assert_here(answer.headers.get("Location", "/"))


def assert_here(location: str) -> None:
    """An address is one of this server."""
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))


def refused_as_no_text(answer: Answer, text: str) -> bool:
    """Tell whether a text is refused that this database cannot hold: PostgreSQL has no NUL."""
    return "\x00" in text and answer.status == 400


def assert_nothing(answer: Answer, text: str) -> None:
    """An empty list, or the refusal of what is no text."""
    if refused_as_no_text(answer, text):
        assert_refused(answer, 400)
    else:
        assert (answer.status, answer.json) == (200, {}), text


def only_version(server: Serving) -> tuple[str, str]:
    (pipeline,) = [each for each in everything(server)[0] if each["name"] == "beta"]
    found = server.request("GET", f"~/pipelines/{pipeline['pipeline_id']}/versions").json
    return pipeline["pipeline_id"], found["pipeline_versions"][0]["pipeline_version_id"]


@pytest.mark.parametrize("text", [*SQL, *PATHS])
def test_ids_and_names_in_paths(server: Serving, text: str) -> None:
    """None of them is the id or the name of anything."""
    pipeline, version = only_version(server)
    attempt = quote(text, safe="")
    for each in (attempt, pipeline + attempt, attempt + pipeline):
        for method in ("GET", "PATCH", "DELETE"):
            assert_refused(server.request(method, f"~/pipelines/{each}"))
        assert_refused(server.request("DELETE", f"~/pipelines/{each}?cascade=true"))
        assert_refused(server.request("GET", f"~/pipelines/{each}/versions"))
        assert_refused(server.request("GET", f"~/pipelines/names/{each}"))
    assert_refused(server.request("GET", f"~/pipelines/names/{quote('alpha' + text, safe='')}"))
    for each in (attempt, version + attempt):
        for method in ("GET", "PATCH", "DELETE"):
            path = f"~/pipelines/{pipeline}/versions/{each}"
            assert_refused(server.request(method, path))


@pytest.mark.parametrize("text", [*SQL, *PATHS])
def test_parameters_of_lists(server: Serving, text: str) -> None:
    pipeline, _ = only_version(server)
    attempt = quote(text, safe="")
    lists = ("~/pipelines", f"~/pipelines/{pipeline}/versions")
    for path in lists:
        for name in ("page_size", "page_token", "filter"):
            assert_refused(server.request("GET", f"{path}?{name}={attempt}"), 400)
        for sort_by in (text, f"name {text}", f"name; {text}", f"name,{text}", f"(name){text}"):
            answer = server.request("GET", f"{path}?sort_by={quote(sort_by, safe='')}")
            assert_refused(answer, 400)
        # A parameter of another name is none.
        assert server.request("GET", f"{path}?{attempt}={attempt}").status == 200
    assert_refused(server.request("DELETE", f"~/pipelines/{pipeline}?cascade={attempt}"), 400)


@pytest.fixture(scope="module")
def many_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A server with a pipeline in each of two namespaces, and one in none."""
    url = f"sqlite:///{tmp_path_factory.mktemp('namespaces') / 'pipelines.db'}"
    with serving_a_database(url, multi_user=True) as found:
        for namespace in ("", "one", "two"):
            body = {"name": "alpha", "namespace": namespace}
            assert found.request("POST", "~/pipelines", body).status == 200
        yield found


@pytest.mark.parametrize("text", [*SQL, *PATHS])
def test_namespaces(many_users: Serving, text: str) -> None:
    """A namespace of such a name has nothing in it, and what is put into it is in no other."""
    for namespace in (text, f"one{text}"):
        attempt = quote(namespace, safe="")
        assert_nothing(many_users.request("GET", f"~/pipelines?namespace={attempt}"), namespace)
        by_name = many_users.request("GET", f"~/pipelines/names/alpha?namespace={attempt}")
        assert_refused(by_name, 404)
        body = {"name": "beta", "namespace": namespace}
        made = many_users.request("POST", "~/pipelines", body)
        assert (made.status, made.json["namespace"]) == (200, namespace)
        path = f"~/pipelines/{made.json['pipeline_id']}"
        try:
            listed = many_users.request("GET", f"~/pipelines?namespace={attempt}").json
            assert [each["name"] for each in listed["pipelines"]] == ["beta"]
            for other in ("one", "two"):
                listed = many_users.request("GET", f"~/pipelines?namespace={other}").json
                assert [each["namespace"] for each in listed["pipelines"]] == [other]
        finally:
            assert many_users.request("DELETE", path).json == {}


@pytest.mark.parametrize("text", [*SQL, *PATHS])
def test_filters(server: Serving, text: str) -> None:
    """A value is looked for as it is, and there is none; all else of a filter is refused."""
    pipeline, _ = only_version(server)
    for path in ("~/pipelines", f"~/pipelines/{pipeline}/versions"):
        for key in ("name", "id", "display_name", "description", "tags.k"):
            for value in (text, f"alpha{text}", f"v1{text}"):
                answer = _filtered(
                    server, path, {"operation": "EQUALS", "key": key, "string_value": value}
                )
                assert_nothing(answer, text)
        for operation in ("GREATER_THAN", "LESS_THAN_EQUALS", "NOT_EQUALS", "IS_SUBSTRING"):
            condition = {"operation": operation, "key": "name", "string_value": text}
            answer = _filtered(server, path, condition)
            assert answer.status == 200 or refused_as_no_text(answer, text)
        among = {"operation": "IN", "key": "name", "string_values": {"values": [text, "'", text]}}
        assert_nothing(_filtered(server, path, among), text)
        when = {"operation": "EQUALS", "key": "created_at", "string_value": text}
        assert _filtered(server, path, when).json == {}
        # Of a number in a text Go reads the first word.
        number = {"operation": "EQUALS", "key": "created_at", "int_value": text}
        answer = _filtered(server, path, number)
        assert answer.status == 400 or answer.json == {}
        tag = {"operation": "EQUALS", "key": f"tags.k{text}", "string_value": "v"}
        assert_nothing(_filtered(server, path, tag), text)
        for condition in (
            {"operation": "EQUALS", "key": text, "string_value": "a"},
            {"operation": "EQUALS", "key": f"name{text}", "string_value": "a"},
            {"operation": text, "key": "name", "string_value": "a"},
            {"operation": "EQUALS", "key": "name", text: "a"},
            {"operation": "EQUALS", "key": "created_at", "timestamp_value": text},
        ):
            assert_refused(_filtered(server, path, condition), 400)


def _filtered(server: Serving, path: str, condition: dict[str, Any]) -> Answer:
    # The server decodes a filter once more.
    text = quote(json.dumps({"predicates": [condition]}), safe="")
    return server.request("GET", f"{path}?sort_by=name&filter={quote(text, safe='')}")


@pytest.mark.parametrize("text", [*SQL, *PATHS])
def test_page_tokens(server: Serving, text: str) -> None:
    """Names in a token are refused; its values are compared, whatever they are."""
    first = server.request("GET", "~/pipelines?sort_by=name&page_size=1").json
    token = json.loads(base64.b64decode(first["next_page_token"]))
    for key in ("SortByFieldName", "SortBySQLColumn", "SortByFieldPrefix", "KeyFieldName",
                "KeyFieldPrefix", "ModelName"):  # fmt: skip
        # A name that could be one is not used either: the list is the same.
        answer = _paged(server, {**token, key: text})
        if answer.status == 200:
            assert text in ("UUID", "pipelines.Name"), key
            assert {each["name"] for each in answer.json.get("pipelines", ())} <= {"alpha", "beta"}
        else:
            assert_refused(answer, 400)
    for column in (text, f"pipelines.{text}", f"pipelines.Name{text}", f"{text}.Name"):
        if column != "pipelines.UUID":
            refused = _paged(server, {**token, "Filter": {"EQ": {column: ["alpha"]}}})
            assert refused.status == 400 or text in ("pipelines.Name",), refused.body
    assert_refused(_paged(server, {**token, "IsDesc": text}), 400)
    assert_refused(_paged(server, {**token, "Filter": text}), 400)
    assert _paged(server, {**token, "Filter": {text: {"pipelines.Name": ["a"]}}}).status == 200
    filtered = _paged(server, {**token, "Filter": {"EQ": {"pipelines.Name": [text]}}})
    assert_nothing(filtered, text)
    assert_nothing(_paged(server, {**token, "Tags": {text: text}}), text)
    for changed in ({"SortByFieldValue": text}, {"KeyFieldValue": text or "x"}):
        answer = _paged(server, {**token, **changed})
        if refused_as_no_text(answer, text):
            continue
        assert (answer.status, answer.json["total_size"]) == (200, 2)
        assert {each["name"] for each in answer.json.get("pipelines", ())} <= {"alpha", "beta"}


def _paged(server: Serving, token: Any) -> Answer:
    packed = base64.b64encode(json.dumps(token).encode()).decode()
    return server.request("GET", f"~/pipelines?page_token={quote(packed, safe='')}")


@pytest.mark.parametrize("text", [*SQL, *PATHS])
def test_bodies(server: Serving, text: str) -> None:
    """A name is that name, and nothing else: it is answered as it was sent, and deleted by its id."""
    tag = text.replace(".", "")[:63]
    body = {"name": f"n{text}", "display_name": text, "description": text, "namespace": text,
            "tags": {tag: text}}  # fmt: skip
    created = server.request("POST", "~/pipelines", body)
    if refused_as_no_text(created, text):
        return
    assert created.status == 200, created.body
    path = f"~/pipelines/{created.json['pipeline_id']}"
    expected = {key: body[key] for key in ("name", "display_name", "description", "tags")}
    try:
        found = server.request("GET", path).json
        assert {key: found[key] for key in expected} == expected
        changed = server.request(
            "PATCH", path, {"display_name": f"{text}{text}", "tags": {tag: ""}}
        )
        assert (changed.json["display_name"], changed.json["tags"]) == (f"{text}{text}", {tag: ""})
        named = quote(f"n{text}", safe="")
        if "/" not in text:
            by_name = server.request("GET", f"~/pipelines/names/{named}?namespace={named}")
            assert by_name.json["pipeline_id"] == found["pipeline_id"]
    finally:
        assert server.request("DELETE", path).json == {}
    assert_refused(server.request("POST", "~/pipelines", {"name": "a", text: "b"}), 400)
    assert_refused(server.request("POST", "~/pipelines", {"name": "a", "error": {text: 1}}), 400)


@pytest.mark.parametrize("text", [*SQL, *PATHS])
def test_urls_of_packages(server: Serving, text: str) -> None:
    """What is no URL is refused, and a version is never made for a pipeline that is none."""
    pipeline, _ = only_version(server)
    url = {"pipeline_url": text}
    version = {"pipeline_id": pipeline, "name": "n", "package_url": url}
    assert_refused(server.request("POST", f"~/pipelines/{pipeline}/versions", version), 400)
    both = {"pipeline": {"name": "n"}, "pipeline_version": {"package_url": url}}
    assert_refused(server.request("POST", "~/pipelines/create", both), 400)
    path = f"~/pipelines/{quote(text, safe='')}/versions"
    assert_refused(server.request("POST", path, version))


@pytest.mark.parametrize("text", [*SQL, *PATHS])
def test_uploads(server: Serving, text: str) -> None:
    """A file's name is a name at most: nothing is read or written under it."""
    attempt = quote(text, safe="")
    assert_refused(server.upload(f"upload_version?pipelineid={attempt}"), 400)
    assert_refused(server.upload(f"upload?name=a&tags={attempt}"), 400)
    assert_refused(server.upload(f"upload?name=a&namespace={attempt * 64}"), 400)
    for query, file in ((f"name=n{attempt}&description={attempt}", "a.yaml"), ("", f"{text}.yaml")):
        safe = file.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        answer = server.upload(f"upload?{query}", file=safe)
        if answer.status == 400:
            assert_refused(answer, 400)
            continue
        assert answer.status == 200, answer.body
        name = answer.json["name"]
        assert name == f"n{text}" if query else "/" not in name
        path = f"~/pipelines/{answer.json['pipeline_id']}?cascade=true"
        assert server.request("DELETE", path).json == {}


@pytest.mark.parametrize(
    "head",
    [
        'name="uploadfile"; filename="a.yaml"\r\nSet-Cookie: a=b',
        'name="uploadfile"; filename="a.yaml"; filename="../../b.yaml"',
        "name=\"uploadfile\"; filename*=UTF-8''..%2f..%2fetc%2fpasswd.yaml",
        'name="uploadfile\' OR 1=1"; filename="a.yaml"',
        'name="uploadfile"; filename="\x00.yaml"',
        'name="uploadfile"; filename="' + "a" * 20_000 + '.yaml"',
    ],
)
def test_heads_of_forms(server: Serving, head: str) -> None:
    body = f"--x\r\nContent-Disposition: form-data; {head}\r\n\r\n\r\n--x--\r\n".encode()
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert_refused(server.request("POST", "~/pipelines/upload", body, headers), 400)


@pytest.mark.parametrize("kind", ["x'--", "multipart/form-data; boundary=' OR 1=1", "a\tb"])
def test_content_types(server: Serving, kind: str) -> None:
    body, _ = form(("uploadfile", "a.yaml", b"a: b"))
    answer = server.request("POST", "~/pipelines/upload", body, {"Content-Type": kind})
    assert_refused(answer, 400)


@pytest.mark.parametrize(
    ("target", "statuses"),
    [
        ("/apis/v2beta1/pipelines/../../../etc/passwd", (301,)),
        ("/apis/v2beta1/pipelines/%2e%2e/%2e%2e/etc/passwd", (301,)),
        ("/apis/v2beta1/pipelines/..%2f..%2f..%2fetc%2fpasswd", (301,)),
        ("/apis/v2beta1/pipelines/..%5c..%5cetc", (404,)),
        ("/apis/v2beta1/pipelines/%252e%252e%252f", (404,)),
        ("/apis/v2beta1/pipelines/%c0%ae%c0%ae/x", (400, 404)),
        ("/apis/v2beta1/pipelines/%ff", (400,)),
        ("/apis/v2beta1/pipelines/%00", (400, 404)),
        ("/apis/v2beta1/pipelines/%zz", (400,)),
        ("/apis/v2beta1/pipelines/%u002e", (400,)),
        ("/apis/v2beta1/pipelines;a=b", (404,)),
        ("/apis/v2beta1/pipelines/a%0d%0aSet-Cookie:%20a=b", (404,)),
        ("/apis//v2beta1/%0d%0aSet-Cookie:%20a=b", (301,)),
        ("//example.com/apis/", (301,)),
        ("///example.com/..", (301,)),
        ("/\\example.com", (404,)),
        ("/.%2f/example.com", (301,)),
        ("http://example.com/etc/passwd", (404,)),
        ("/etc/passwd", (404,)),
        ("/apis/v2beta1/pipelines?filter=%00", (400,)),
        ("/apis/v2beta1/pipelines?page_token=%0d%0aSet-Cookie:a", (400,)),
        ("/apis/v2beta1/pipelines?namespace=a;b", (400,)),
        ("*", (400, 404)),
        ("example.com:443", (400,)),
        ("/" + "a" * 100_000, (400, 414)),
    ],
)
def test_targets(server: Serving, target: str, statuses: tuple[int, ...]) -> None:
    """No path leads out, and none is answered with a header of its own or the address of another server."""
    answer = _raw(server, f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    head = answer.partition("\r\n\r\n")[0]
    assert int(head.split(" ", 2)[1]) in statuses, answer
    fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:])
    assert "set-cookie" not in fields
    assert_here(fields.get("location", "/"))


@pytest.mark.parametrize(
    ("field", "statuses"),
    [
        ("Grpc-Timeout: 1S; DROP TABLE pipelines", (400,)),
        ("Grpc-Timeout: \u0661S", (400,)),
        ("Grpc-Timeout: " + "9" * 5000 + "H", (400,)),
        ("X-HTTP-Method-Override: DELETE", (200,)),
        ("X-Request-Id: a\tb", (200,)),
        ("X-Request-Id: ' OR 1=1 --", (200,)),
        ("kubeflow-userid: ' OR 1=1 --", (200,)),
        ("Authorization: Bearer ' OR 1=1 --", (200,)),
        ("Content-Type: application/x-www-form-urlencoded\r\nX-HTTP-Method-Override: DELETE", (200,)),
        ("X-Request-Id: a\r\n folded: b", (200, 400)),
        ("X-Request-Id: a\x00b", (400,)),
        ("X-Request-Id: a\nSet-Cookie: b", (200, 400)),
        ("Bad Name: a", (400,)),
        ("Content-Length: 1\r\nTransfer-Encoding: chunked", (400,)),
        ("Content-Length: -1", (400,)),
        ("Content-Length: 1\r\nContent-Length: 2", (400,)),
        ("Content-Encoding: gzip", (200, 415)),
        ("X-Long: " + "a" * 100_000, (400, 431)),
    ],
)  # fmt: skip
def test_headers(server: Serving, field: str, statuses: tuple[int, ...]) -> None:
    """A header is refused or of no account: never answered as one, and never more than a list."""
    target = "GET /apis/v2beta1/pipelines?sort_by=name HTTP/1.1"
    answer = _raw(server, f"{target}\r\nHost: a\r\nConnection: close\r\n{field}\r\n\r\n")
    head, _, body = answer.partition("\r\n\r\n")
    assert int(head.split(" ", 2)[1]) in statuses, answer
    assert "set-cookie" not in head.lower()
    assert "folded" not in head
    if head.split(" ", 2)[1] == "200":
        names = [each["name"] for each in json.loads(body)["pipelines"]]
        assert names == ["alpha", "beta"]


def _raw(server: Serving, request: str) -> str:
    """Send bytes as they are."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(request.encode())
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts).decode()
