"""Bodies are read as KFP's gateway reads them; answers are written as it writes them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfp_k8s_manifest.rest import messages
from kfp_k8s_manifest.rest.errors import GatewayError
from kfp_k8s_manifest.rest.messages import PipelineBody, VersionBody
from kfp_k8s_manifest.rest.values import Page, PipelineRecord, VersionRecord


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (b"", PipelineBody()),
        (b" \r\n\t", PipelineBody()),
        (b"{}", PipelineBody()),
        (b'{"name":"n","displayName":"d"}', PipelineBody(name="n", display_name="d")),
        (b'{"name":"first"}{"name":"second"}', PipelineBody(name="first")),
        (b'{"name":"trail"} rubbish', PipelineBody(name="trail")),
        (b'{"name":null,"tags":null}', PipelineBody()),
        (b'{"name":"esc\\u00fc\\n\\ud83d\\ude00"}', PipelineBody(name="escü\n😀")),
        (
            b'{"pipeline_id":"x","created_at":"2001-01-01T00:00:00Z","error":{"code":"5","details":[{}]}}',
            PipelineBody(),
        ),
        (b'{"tags":{"a":"1"}}', PipelineBody(tags={"a": "1"})),
        # What clears the tags in an update is told by how it is written.
        (b'{"tags": {} }', PipelineBody(tags={}, clear_tags=True)),
        (b'{"tags": { }}', PipelineBody(tags={})),
        (b'{"name":"\\"tags\\":{}"}', PipelineBody(name='"tags":{}')),
    ],
)
def test_pipelines_are_read(body: bytes, read: PipelineBody) -> None:
    assert messages.read_pipeline(body) == read


def test_versions_are_read() -> None:
    body = b"""{"pipeline_id": "p", "name": "v", "package_url": {"pipeline_url": "https://x/y"},
        "code_source_url": "c", "pipelineSpec": {"a": [1, {"b": null}], "c": {}}, "tags": {}}"""
    assert messages.read_version(body) == VersionBody(
        pipeline_id="p",
        name="v",
        package_url="https://x/y",
        code_source_url="c",
        tags={},
        clear_tags=True,
    )
    assert messages.read_version(b'{"packageUrl":{}}') == VersionBody(package_url="")
    assert messages.read_version(b'{"package_url":null}') == VersionBody()


def test_pipelines_with_versions_are_read() -> None:
    assert messages.read_pipeline_and_version(b"") == (None, None)
    body = b'{"pipeline":{"name":"p","tags":{}},"pipelineVersion":{}}'
    read = (PipelineBody(name="p", tags={}), VersionBody())
    assert messages.read_pipeline_and_version(body) == read


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"null", "proto: syntax error (line 1:1): unexpected token null"),
        (b"[1]", "proto: syntax error (line 1:1): unexpected token ["),
        (b'"x"', 'proto: syntax error (line 1:1): unexpected token "x"'),
        (b"{", "proto: unexpected EOF"),
        (b'{"name": "cut', "proto: unexpected EOF"),
        (b'{"name": "cut\\', "proto: unexpected EOF"),
        (b'{"name"', "proto: unexpected EOF"),
        (b"\xef\xbb\xbf{}", "proto: syntax error (line 1:1): invalid value \ufeff"),
        (b"{'a':1}", "proto: syntax error (line 1:2): invalid value '"),
        (b'{"name" 1}', 'proto: syntax error (line 1:9): unexpected character 1, missing ":" after field name'),
        (b'{"name":"a",}', "proto: syntax error (line 1:13): unexpected token }"),
        (b'{,"name":"a"}', "proto: syntax error (line 1:2): unexpected token ,"),
        (b'{"name":"a" "b"}', 'proto: syntax error (line 1:13): unexpected token "b"'),
        (b'{"name":,}', "proto: syntax error (line 1:9): unexpected token ,"),
        (b'{"name"::1}', "proto: syntax error (line 1:9): invalid value :"),
        (b'{"name":nul}', "proto: syntax error (line 1:9): invalid value nul"),
        (b'{"name":01}', "proto: syntax error (line 1:9): invalid value 01"),
        (b'{"name":1}', "proto: (line 1:9): invalid value for string field name: 1"),
        (b'{"displayName":["a"]}', "proto: (line 1:16): invalid value for string field displayName: ["),
        (b'{\n "x": 1}', 'proto: (line 2:2): unknown field "x"'),
        ('{"name": "ü", "x": 1}'.encode(), 'proto: (line 1:15): unknown field "x"'),
        (b'{"name":"a","name":"b"}', 'proto: (line 1:13): duplicate field "name"'),
        (b'{"display_name":null,"displayName":"b"}', 'proto: (line 1:22): duplicate field "displayName"'),
        (b'{"tags":[]}', "proto: syntax error (line 1:9): unexpected token ["),
        (b'{"tags":{"a":"1","a":"2"}}', 'proto: (line 1:18): duplicate map key "a"'),
        (b'{"tags":{"a":null}}', "proto: (line 1:14): invalid value for string field value: null"),
        (b'{"created_at":1}', "proto: syntax error (line 1:15): unexpected token 1"),
        (b'{"created_at":"yesterday"}', 'proto: (line 1:15): invalid google.protobuf.Timestamp value "yesterday"'),
        (b'{"created_at":"0000-01-01T00:00:00Z"}', 'proto: (line 1:15): google.protobuf.Timestamp value out of range: "0000-01-01T00:00:00Z"'),
        (b'{"created_at":"2001-01-01T00:00:00.1234567891Z"}', 'proto: (line 1:15): invalid google.protobuf.Timestamp value "2001-01-01T00:00:00.1234567891Z"'),
        (b'{"error":{"code":2147483648}}', "proto: (line 1:18): invalid value for int32 field code: 2147483648"),
        (b'{"error":{"details":[{"x":1}]}}', 'proto: (line 1:22): missing "@type" field'),
        (b'{"error":{"details":{}}}', "proto: syntax error (line 1:21): unexpected token {"),
        (b'{"name":"sur\\ud800"}', "proto: unexpected EOF"),
        (b'{"name":"sur\\ud800......"}', r'proto: syntax error (line 1:9): invalid escape code "......" in string'),
        (b'{"name":"sur\\udc00\\udc00"}', r'proto: syntax error (line 1:9): invalid escape code "\\udc00" in string'),
        (b'{"name":"\\x"}', r'proto: syntax error (line 1:9): invalid escape code "\\x" in string'),
        (b'{"name":"\\u00g0"}', r'proto: syntax error (line 1:9): invalid escape code "\\u00g0" in string'),
        (b'{"name":"a\nb"}', r"proto: syntax error (line 1:9): invalid character '\n' in string"),
        (b'{"name":"\xff"}', "proto: syntax error (line 1:9): invalid UTF-8 in string"),
        (b'{"name":\xff}', "proto: syntax error (line 1:9): invalid value \ufffd"),
    ],
)  # fmt: skip
def test_pipelines_are_refused(body: bytes, text: str) -> None:
    with pytest.raises(GatewayError) as caught:
        messages.read_pipeline(body)
    assert (caught.value.status, caught.value.code, caught.value.text) == (400, 3, text)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"pipeline_spec":[]}', "proto: syntax error (line 1:18): unexpected token ["),
        (b'{"pipeline_spec":{"a":{"b":1,"b":2}}}', 'proto: (line 1:30): duplicate map key "b"'),
        (b'{"package_url":"https://x"}', 'proto: syntax error (line 1:16): unexpected token "https://x"'),
        (b'{"package_url":{"url":""}}', 'proto: (line 1:17): unknown field "url"'),
        (b'{"pipeline_spec":' + b'{"a":' * 5_000, "proto: exceeded max recursion depth"),
        (b'{"pipeline_spec":{"a":' + b"[" * 50_000, "proto: exceeded max recursion depth"),
    ],
)  # fmt: skip
def test_versions_are_refused(body: bytes, text: str) -> None:
    with pytest.raises(GatewayError) as caught:
        messages.read_version(body)
    assert caught.value.text == text


def test_what_is_quoted_is_cut() -> None:
    with pytest.raises(GatewayError) as caught:
        messages.read_pipeline(b'{"%b":1}' % (b"x" * 1_000_000))
    assert caught.value.text == f'proto: (line 1:2): unknown field "{"x" * 999}…'


_TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(tree=st.dictionaries(st.text(max_size=5), _TREES, max_size=3), ascii_only=st.booleans())
def test_whatever_is_json_may_be_a_struct(tree: dict[str, Any], ascii_only: bool) -> None:
    body = json.dumps({"name": "v", "pipeline_spec": tree}, ensure_ascii=ascii_only).encode()
    assert messages.read_version(body) == VersionBody(name="v")


@pytest.mark.parametrize("reader", [messages.read_pipeline, messages.read_version])
@given(body=st.binary())
def test_bytes_are_read_or_refused(reader: Callable[[bytes], object], body: bytes) -> None:
    """Nothing else is raised, and the text can be answered."""
    with contextlib.suppress(GatewayError):
        reader(b"{" + body)
    with pytest.raises(GatewayError) as caught:
        reader(b'{"\xff' + body)
    assert caught.value.text.encode()


PIPELINE = PipelineRecord(
    id="p1",
    name="hello",
    display_name="Héllo <b>",
    description="d",
    namespace="ns",
    created_at=1_767_323_045,
    tags={"a": ""},
)
PIPELINE_JSON = {
    "pipeline_id": "p1",
    "display_name": "Héllo <b>",
    "name": "hello",
    "description": "d",
    "created_at": "2026-01-02T03:04:05Z",
    "namespace": "ns",
    "tags": {"a": ""},
}
VERSION = VersionRecord(
    id="v1",
    pipeline_id="p1",
    name="one",
    display_name="One",
    created_at=1_767_323_045,
    package_url="https://x/y.yaml",
    code_source_url="https://never-shown",
    spec_json=b'{"root":{}}',
)
VERSION_JSON = {
    "pipeline_id": "p1",
    "pipeline_version_id": "v1",
    "display_name": "One",
    "name": "one",
    "created_at": "2026-01-02T03:04:05Z",
    "package_url": {"pipeline_url": "https://x/y.yaml"},
    "pipeline_spec": {"root": {}},
}


def test_pipelines_are_written() -> None:
    assert json.loads(messages.write_pipeline(PIPELINE)) == PIPELINE_JSON
    plain = PipelineRecord(id="p", name="n", display_name="n")
    written = b'{"pipeline_id":"p","display_name":"n","name":"n"}'
    assert messages.write_pipeline(plain) == written


def test_versions_are_written() -> None:
    assert json.loads(messages.write_version(VERSION)) == VERSION_JSON
    bare = VersionRecord(id="v", pipeline_id="", name="n", display_name="n", spec_json=b"")
    written = {"pipeline_version_id": "v", "display_name": "n", "name": "n"}
    assert json.loads(messages.write_version(bare)) == written


def test_a_code_source_url_alone_leaves_an_empty_package_url() -> None:
    record = VersionRecord(
        id="v", pipeline_id="", name="n", display_name="n", spec_json=b"{}", package_url=""
    )
    assert json.loads(messages.write_version(record))["package_url"] == {}


def test_what_cannot_be_shown_has_its_error_in_its_place() -> None:
    record = PipelineRecord(id="p", name="n", display_name="n", error="no name")
    assert json.loads(messages.write_pipeline(record)) == {
        "pipeline_id": "p",
        "error": {"code": 13, "message": "no name"},
    }
    version = VersionRecord(
        id="v", pipeline_id="p", name="n", display_name="n", spec_json=b"", error="no spec"
    )
    assert json.loads(messages.write_version(version)) == {
        "pipeline_version_id": "v",
        "error": {"code": 13, "message": "no spec"},
    }


@pytest.mark.parametrize("seconds", [0, -(10**12), 10**12])
def test_a_time_that_is_none_is_left_out(seconds: int) -> None:
    record = PipelineRecord(id="p", name="n", display_name="n", created_at=seconds)
    assert "created_at" not in json.loads(messages.write_pipeline(record))


def test_lists_are_written() -> None:
    empty: Page[Any] = Page(items=(), total=0)
    assert messages.write_pipelines(empty, "") == b"{}"
    assert b"".join(messages.write_versions(empty, "")) == b"{}"
    behind: Page[Any] = Page(items=(), total=5)
    assert messages.write_pipelines(behind, "") == b'{"total_size":5}'
    assert b"".join(messages.write_versions(behind, "")) == b'{"total_size":5}'
    pipelines = messages.write_pipelines(Page(items=(PIPELINE, PIPELINE), total=3), "t")
    assert json.loads(pipelines) == {
        "pipelines": [PIPELINE_JSON, PIPELINE_JSON],
        "total_size": 3,
        "next_page_token": "t",
    }
    versions = b"".join(messages.write_versions(Page(items=(VERSION, VERSION), total=2), ""))
    assert json.loads(versions) == {"pipeline_versions": [VERSION_JSON] * 2, "total_size": 2}
    # No store counts fewer than it lists; the answer would be JSON nevertheless.
    uncounted = b"".join(messages.write_versions(Page(items=(VERSION,), total=0), ""))
    assert json.loads(uncounted) == {"pipeline_versions": [VERSION_JSON]}


def test_half_a_character_does_not_stop_a_list() -> None:
    record = PipelineRecord(id="p", name="a\ud800", display_name="n")
    assert json.loads(messages.write_pipeline(record))["name"] == "a?"
