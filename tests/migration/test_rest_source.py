"""The export over HTTP, with kfp's own client, on good days and bad ones.

The server is ours (`rest.app` over the database store, SQLite), not KFP's: it listens on 127.0.0.1 in
a thread of the test. Between it and the client stands a proxy of the tests that fails as it is told.
"""

from __future__ import annotations

import json
import random
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, delete

from kfp_k8s_manifest.cli import cli
from kfp_k8s_manifest.migration.sources import signing
from kfp_k8s_manifest.migration.sources.waiting import Patience, retry_after
from kfp_k8s_manifest.rest.stores.database import DatabaseStore, tables
from tests.apiserver.certificates import CertificateAuthority
from tests.rest.serving import Serving, serving
from tests.runner import CliRunner, Result

from .databases import FULL, Pipeline, add_pipelines, identity, make_database, versions
from .proxy import Fault, Seen, proxy
from .test_export import rows, run_export, tree

PIPELINES = [
    Pipeline(
        name=f"pipeline-{number}" if number % 3 else f"Pipeline {number}", versions=versions(7)
    )
    for number in range(30)
]

NOTE = (
    "the server has told no code source URL: KFP 2.17 keeps them, and its API does not answer them; an"
    " export with --database-url has them"
)
LOGIN = b"<html><title>Log in</title></html>"
NO_JSON = (
    "{url} has answered no JSON (text/html): is it the API of a KFP server, and are you logged in? Its"
    " answer begins with '<html><title>Log in</title></html>'"
)


@pytest.fixture
def database(tmp_path: Path) -> str:
    return make_database(tmp_path / "kfp.db", PIPELINES)


@pytest.fixture
def server(database: str) -> Iterator[Serving]:
    with serving(DatabaseStore(database)) as running:
        yield running


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are as many as ever, and shorter."""
    monkeypatch.setattr(Patience, "wait", _short_wait)


def _short_wait(self: Patience, attempt: int, wanted: float | None) -> None:
    time.sleep(wanted if wanted is not None else 0.001)


def run_rest(url: str, folder: Path, *options: str, code: int = 0) -> Result:
    done = CliRunner().invoke(
        cli, ["migrate", "export", "--host", url, "-o", str(folder), *options]
    )
    assert done.exit_code == code, done.output
    return done


def test_the_api_gives_what_the_database_gives(tmp_path: Path) -> None:
    url = make_database(tmp_path / "kfp.db", [FULL, *PIPELINES])
    run_export(url, tmp_path / "expected")
    with serving(DatabaseStore(url)) as running:
        done = run_rest(f"http://127.0.0.1:{running.port}", tmp_path / "out")
    found, expected = tree(tmp_path / "out"), tree(tmp_path / "expected")
    # The server has the URL of the source, and does not answer it, as KFP's.
    (path,) = [path for path in expected if found[path] != expected[path]]
    line = b"  codeSourceURL: https://git.example.com/a/b\n"
    assert found[path] == expected[path].replace(line, b"")
    assert done.stderr == f"note: {NOTE}\n"
    # One request for all pipelines, and one for the versions of each.
    assert "exported 31 pipelines and 212 versions" in done.stdout
    assert "(32 requests)" in done.stdout


@pytest.mark.parametrize("seed", range(3))
def test_with_faults_everything_is_exported_once(
    database: str, server: Serving, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    kinds = [
        Fault(kind="answer", status=429, headers={"Retry-After": "0"}),
        Fault(kind="answer", status=500),
        Fault(kind="answer", status=503, body=b"upstream connect error"),
        Fault(kind="drop"),
        Fault(kind="cut"),
        Fault(kind="slow"),
    ]

    def decide(_: Seen) -> Fault | None:
        return dice.choice(kinds) if dice.random() < 0.1 else None

    run_export(database, tmp_path / "expected")
    with proxy(server.port, decide) as between:
        run_rest(between.url, tmp_path / "out", "--page-size", "3")
    assert tree(tmp_path / "out") == tree(tmp_path / "expected")
    assert len(between.faults) > 5
    counts = Counter(each["original_id"] for each in rows(tmp_path / "out"))
    assert set(counts.values()) == {1}
    assert len(counts) == 240


def test_the_server_is_given_the_time_that_it_asks_for(server: Serving, tmp_path: Path) -> None:
    moments: list[float] = []

    def decide(seen: Seen) -> Fault | None:
        moments.append(time.monotonic())
        if seen.number == 0:
            return Fault(kind="answer", status=429, headers={"Retry-After": "1"})
        return None

    with proxy(server.port, decide) as between:
        run_rest(between.url, tmp_path / "out")
    assert moments[1] - moments[0] >= 1


@pytest.mark.parametrize(
    ("field", "seconds"),
    [
        ("7", 7.0),
        ("Wed, 25 Nov 2026 12:00:10 GMT", 10.0),
        ("Wed, 25 Nov 2026 11:59:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("", None),
        (None, None),
    ],
)
def test_both_forms_of_retry_after_are_read(field: str | None, seconds: float | None) -> None:
    assert retry_after(field, now=1795608000.0) == seconds


def test_a_pipeline_that_keeps_failing_is_told_and_the_next_run_asks_for_it_alone(
    database: str, server: Serving, tmp_path: Path
) -> None:
    bad = identity("", "pipeline-4")

    def decide(seen: Seen) -> Fault | None:
        return Fault(kind="answer") if bad in seen.path else None

    run_export(database, tmp_path / "expected")
    with proxy(server.port, decide) as between:
        done = run_rest(between.url, tmp_path / "out", "--attempts", "3", code=1)
        assert done.stderr == (
            f"failed  pipeline 'pipeline-4': {between.url} has answered 500 (3 attempts): Internal"
            f" Server Error\nnote: {NOTE}\n"
        )
        assert "1 pipeline failed; run the command again" in done.stdout
        bad = "nothing"
        before = len(between.requests)
        run_rest(between.url, tmp_path / "out")
        assert len(between.requests) - before == 1
    assert tree(tmp_path / "out") == tree(tmp_path / "expected")


def test_an_interrupted_export_must_be_asked_for_the_same_again(
    server: Serving, tmp_path: Path
) -> None:
    def decide(seen: Seen) -> Fault | None:
        return Fault(kind="answer") if seen.number > 5 else None

    with proxy(server.port, decide) as between:
        run_rest(between.url, tmp_path / "out", "--attempts", "1", code=1)
        done = run_rest(between.url, tmp_path / "out", "--layout", "flat", code=2)
        assert done.stderr.strip() == (
            "Error: an export that was interrupted here was asked for something else (layout was"
            " 'per-pipeline', is 'flat'): ask for the same again, or begin anew with --restart"
        )
    url = f"http://127.0.0.1:{server.port}"
    run_rest(url, tmp_path / "out", "--layout", "flat", "--restart")
    run_rest(url, tmp_path / "expected", "--layout", "flat")
    assert tree(tmp_path / "out") == tree(tmp_path / "expected")


def test_items_come_and_go_between_pages(database: str, server: Serving, tmp_path: Path) -> None:
    engine = create_engine(database)
    gone = identity("", "pipeline-1", "v2")
    lists = 0

    def decide(seen: Seen) -> Fault | None:
        nonlocal lists
        if identity("", "pipeline-1") in seen.path:
            lists += 1
            if lists == 2:
                with engine.begin() as connection:
                    key = tables.pipeline_versions.c.UUID
                    connection.execute(delete(tables.pipeline_versions).where(key == gone))
                add_pipelines(database, [Pipeline(name="new", versions=versions(1))], start=2**31)
        return None

    with proxy(server.port, decide) as between:
        run_rest(between.url, tmp_path / "out", "--page-size", "2", "--concurrency", "1")
    engine.dispose()
    found = [each["name"] for each in rows(tmp_path / "out") if each["pipeline"] == "pipeline-1"]
    # v2 was on the first page; the others are neither left out nor there twice.
    assert found == ["pipeline-1", "v1", "v2", "v3", "v4", "v5", "v6", "v7"]
    counts = Counter(each["original_id"] for each in rows(tmp_path / "out"))
    assert set(counts.values()) == {1}


def test_a_token_that_expires_is_read_anew(server: Serving, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("token-0\n")
    refused = 0

    def decide(seen: Seen) -> Fault | None:
        nonlocal refused
        current = f"token-{seen.number // 10}"
        if seen.headers.get("authorization") == f"Bearer {current}":
            return None
        # Kubernetes renews the file a moment after the old token has become worthless.
        file.write_text(f"{current}\n")
        refused += 1
        return Fault(kind="answer", status=401, body=b'{"code":16,"message":"expired"}')

    with proxy(server.port, decide) as between:
        run_rest(between.url, tmp_path / "out", "--token-file", str(file), "--concurrency", "1")
    assert refused >= 3
    assert len(rows(tmp_path / "out")) == 240


def test_the_server_gets_who_we_are_over_tls(server: Serving, tmp_path: Path) -> None:
    authority = CertificateAuthority("test-ca")
    certificate, key = authority.issue_server().write(tmp_path, "server")
    client, client_key = authority.issue_client("alice", []).write(tmp_path, "client")
    bundle = tmp_path / "ca.crt"
    bundle.write_bytes(authority.certificate)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    tls.load_verify_locations(bundle)
    tls.verify_mode = ssl.CERT_REQUIRED
    options = [
        "--ca-bundle",
        str(bundle),
        "--client-cert",
        str(client),
        "--client-key",
        str(client_key),
    ]
    who = ["--user-id", "alice@example.com", "--token", "secret", "--cookie", "session=1"]
    with proxy(server.port, tls=tls) as between:
        run_rest(between.url, tmp_path / "out", *options, *who)
        done = run_rest(between.url, tmp_path / "other", code=1)
    assert "certificate verify failed" in done.stderr
    headers = between.requests[0].headers
    assert headers["kubeflow-userid"] == "alice@example.com"
    assert headers["authorization"] == "Bearer secret"
    assert headers["Cookie"] == "session=1"


def test_a_pod_has_a_token_of_its_service_account(
    server: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (
        signing.in_cluster_host("kubeflow") == "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
    )
    assert signing.POD_TOKEN == "/var/run/secrets/kubeflow/pipelines/token"
    (tmp_path / "token").write_text("of-the-pod\n")
    monkeypatch.setattr(signing, "POD_TOKEN", str(tmp_path / "token"))
    with proxy(server.port) as between:
        run_rest(between.url, tmp_path / "out", "--in-cluster")
    assert between.requests[0].headers["authorization"] == "Bearer of-the-pod"


@pytest.mark.parametrize(
    ("host", "options", "told"),
    [
        ("http://kfp.invalid", ["--token", "secret"], True),
        ("http://kfp.invalid", ["--cookie", "session=1"], True),
        ("http://kfp.invalid", ["--user-id", "alice"], False),
        ("https://kfp.invalid", ["--token", "secret"], False),
        ("http://127.0.0.1:1", ["--token", "secret"], False),
    ],
)
def test_a_login_that_others_can_read_is_told(
    tmp_path: Path, host: str, options: list[str], told: bool
) -> None:
    done = run_rest(host, tmp_path / "out", *options, "--attempts", "1", code=1)
    warning = f"warning: {host} is not encrypted: whoever is on the way can read the login\n"
    assert done.stderr.startswith(warning) == told
    assert "secret" not in done.stderr


def test_the_server_that_is_named_wins_over_a_database_of_the_environment(
    server: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KFP_K8S_DATABASE_URL", "sqlite:////nowhere.db")
    run_rest(f"http://127.0.0.1:{server.port}", tmp_path / "out")
    done = CliRunner().invoke(cli, ["migrate", "export", "-o", str(tmp_path / "other")])
    assert done.stderr.strip() == "Error: /nowhere.db: there is no such database"


def test_kfps_environment_variables_count(
    server: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("from-file")
    with proxy(server.port) as between:
        monkeypatch.setenv("KF_PIPELINES_ENDPOINT", between.url)
        monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setenv("KUBEFLOW_USERID_HEADER", "x-user")
        done = CliRunner().invoke(
            cli, ["migrate", "export", "-o", str(tmp_path / "out"), "--user-id", "bob"]
        )
    assert done.exit_code == 0, done.output
    assert between.requests[0].headers["authorization"] == "Bearer from-file"
    assert between.requests[0].headers["x-user"] == "bob"


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (
            Fault(kind="answer", status=302, headers={"Location": "/dex"}, body=LOGIN),
            "{url} leads elsewhere (302): is it the API of a KFP server, and are you logged in?",
        ),
        (
            Fault(kind="answer", status=200, headers={"Content-Type": "text/html"}, body=LOGIN),
            NO_JSON,
        ),
        (
            Fault(kind="answer", status=401, body=b'{"code":16,"message":"no identity"}'),
            "{url} does not know who we are (401: no identity): pass --token-file, --token or --user-id",
        ),
        (
            Fault(kind="answer", status=403, body=b'{"code":7,"message":"not authorized"}'),
            "{url} has answered 403: not authorized",
        ),
        (
            Fault(kind="answer", status=404, body=b"404 page not found\n"),
            (
                "{url} has answered 404: 404 page not found; is it the API of a KFP server, of version 2"
                " or later?"
            ),
        ),
        (Fault(kind="answer", status=200, body=b"[]"), "{url} has answered [], no object"),
        (
            Fault(kind="answer", status=200, body=b'{"status": "ok"}'),
            "{url} has answered no list of pipelines: is it the API of a KFP server? Its answer has 'status'",
        ),
        (
            Fault(kind="answer", status=200, body=b'{"pipelines": [{"name": "a"}]}'),
            "the server has answered an object without pipeline_id: {{'name': 'a'}}",
        ),
        (
            Fault(kind="answer", status=429, body=b"{}"),
            "{url} has too much to do (2 attempts) (429: Too Many Requests): try again later",
        ),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Fault) else "",
)
def test_what_is_no_server_of_kfp_is_told(tmp_path: Path, fault: Fault, text: str) -> None:
    with proxy(1, lambda _: fault) as between:
        done = run_rest(between.url, tmp_path / "out", "--attempts", "2", code=1)
    assert done.stderr.strip() == f"Error: {text.format(url=between.url)}"


def test_a_server_that_answers_the_same_page_for_ever_is_told(tmp_path: Path) -> None:
    page = b'{"pipelines": [{"pipeline_id": "1", "name": "a"}], "next_page_token": "again"}'
    with proxy(1, lambda _: Fault(kind="answer", status=200, body=page)) as between:
        done = run_rest(between.url, tmp_path / "out", code=1)
    assert done.stderr.strip() == (
        "Error: the server has answered that the next page is the same page again"
    )


@pytest.mark.parametrize(("options", "tried"), [((), " (2 attempts)"), (("--attempts", "1"), "")])
def test_a_server_that_does_not_listen_is_told_soon(
    tmp_path: Path, options: tuple[str, ...], tried: str
) -> None:
    done = run_rest("http://127.0.0.1:1", tmp_path / "out", *options, code=1)
    assert done.stderr.strip() == (
        f"Error: http://127.0.0.1:1 cannot be reached{tried}: Failed to establish a new connection:"
        " [Errno 111] Connection refused; is it the right URL, and does the server run?"
    )


def test_a_server_that_never_answered_leaves_nothing_to_go_on_with(
    server: Serving, tmp_path: Path
) -> None:
    run_rest("http://127.0.0.1:1", tmp_path / "out", code=1)
    assert not (tmp_path / "out").exists()
    # So the right URL is no other export that was interrupted.
    run_rest(f"http://127.0.0.1:{server.port}", tmp_path / "out")


def test_a_token_that_is_not_taken_is_told(tmp_path: Path) -> None:
    refusal = Fault(kind="answer", status=401, body=b'{"code":16,"message":"no identity"}')
    token = tmp_path / "token"
    token.write_text("secret-token")
    with proxy(1, lambda _: refusal) as between:
        for option, value, proof in (
            ("--token", "secret-token", "the token"),
            ("--token-file", str(token), f"the token in {token}"),
            ("--cookie", "authservice=secret-token", "the cookie"),
        ):
            done = run_rest(between.url, tmp_path / "out", option, value, code=1)
            assert done.stderr.strip() == (
                f"Error: {between.url} does not know who we are (401: no identity): has {proof} expired,"
                " and is it for this server?"
            )


def test_an_authority_that_is_not_known_is_told(tmp_path: Path) -> None:
    authority = CertificateAuthority("unknown")
    certificate, key = authority.issue_server().write(tmp_path, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with proxy(1, tls=context) as between:
        done = run_rest(between.url, tmp_path / "out", code=1)
    assert "CERTIFICATE_VERIFY_FAILED" in done.stderr
    assert done.stderr.endswith("; --ca-bundle names a file with the authorities to trust\n")


def test_a_server_without_tls_is_told(server: Serving, tmp_path: Path) -> None:
    done = run_rest(f"https://127.0.0.1:{server.port}", tmp_path / "out", code=1)
    assert done.stderr.endswith("; it does not speak TLS: does its URL begin with http://?\n")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ([], "name the server: --host URL, or --in-cluster in a pod"),
        (
            ["--in-cluster", "--kfp-namespace", "kfp"],
            (
                "--in-cluster: /var/run/secrets/kubeflow/pipelines/token, the service account's token for"
                " KFP, is not mounted in this pod; mount it, or pass --token-file, or where KFP asks for no"
                " login --host http://ml-pipeline.kfp.svc.cluster.local:8888"
            ),
        ),
        (["--host", "ftp://x"], "--host 'ftp://x' is no URL such as https://kfp.example.com"),
        (["--host", "http://[x"], "--host 'http://[x' is no URL such as https://kfp.example.com"),
        (
            ["--host", "http://me:secret@x"],
            (
                "--host holds a user or a password, which KFP's client does not send: pass --token,"
                " --token-file, --cookie or --user-id"
            ),
        ),
        (
            ["--host", "x/kfp/#/pipelines"],
            "--host is the address of a page, not of the API: pass what comes before it, https://x/kfp",
        ),
        (
            ["--host", "x", "--token", "a", "--token-file", "b"],
            "--token and --token-file exclude each other",
        ),
        (["--host", "x", "--client-key", "k"], "--client-key needs --client-cert"),
        (
            ["--host", "x", "--token", "secret\nX-Evil: 1"],
            "--token holds a line break or another character that no header takes",
        ),
        (["--host", "x", "--token-file", "/no/file"], "/no/file: there is no such file"),
        (
            ["--host", "x", "--ca-bundle", __file__],
            f"--ca-bundle {__file__} holds no PEM certificate",
        ),
        (
            ["--host", "x", "--database-url", "sqlite:///x.db"],
            "--database-url and --host exclude each other",
        ),
        (["--host", "x", "-A", "-n", "a"], "--namespace and --all-namespaces exclude each other"),
    ],
)
def test_wrong_usage_is_told(tmp_path: Path, options: list[str], text: str) -> None:
    done = CliRunner().invoke(cli, ["migrate", "export", "-o", str(tmp_path / "out"), *options])
    assert (done.exit_code, done.stderr.strip()) == (2, f"Error: {text}")
    assert not (tmp_path / "out").exists()


def test_the_summary_as_json(server: Serving, tmp_path: Path) -> None:
    done = run_rest(f"http://127.0.0.1:{server.port}", tmp_path / "out", "--format", "json")
    found: dict[str, Any] = json.loads(done.stdout)
    assert found == {
        "version": 1,
        "pipelines": 30,
        "versions": 210,
        "renamed": 10,
        "partly": 0,
        "not_exported": 0,
        "gone": 0,
        "reasons": {},
        "requests": 31,
        "failures": [],
        "notes": [NOTE],
    }
