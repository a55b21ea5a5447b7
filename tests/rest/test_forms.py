"""The file in an upload's form."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfp_k8s_manifest.rest.forms import FormError, UploadedFile, read_file
from tests.rest.serving import form

TYPE = "multipart/form-data; boundary=limit"


def part(head: str, content: bytes = b"content") -> bytes:
    return b"--limit\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"


def disposition(rest: str) -> str:
    return f'Content-Disposition: form-data; name="uploadfile"; {rest}'


def read(body: bytes, content_type: str = TYPE) -> UploadedFile:
    return read_file(content_type, body, "uploadfile")


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (disposition('filename="a.yaml"'), "a.yaml"),
        (disposition("filename=a.yaml"), "a.yaml"),
        (disposition('filename="dir/sub/a b.yaml"'), "a b.yaml"),
        (disposition('filename="日本.yaml"'), "日本.yaml"),
        (disposition("filename*=utf-8''%E6%97%A5.yaml"), "日.yaml"),
        (disposition('filename="../../etc/passwd"'), "passwd"),
        (disposition('filename="a\\"b.yaml"'), 'a"b.yaml'),
        (
            "content-type: text/plain\r\nCONTENT-DISPOSITION: form-data; name=uploadfile; filename=a",
            "a",
        ),
    ],
)
def test_file_names(head: str, name: str) -> None:
    assert read(part(head) + b"--limit--") == UploadedFile(name=name, content=b"content")


def test_the_first_file_of_the_field_counts() -> None:
    body, headers = form(
        ("name", None, b"from the form"),
        ("other", "other.yaml", b"other"),
        ("uploadfile", "one.yaml", b"1"),
        ("uploadfile", "two.yaml", b"2"),
    )
    assert read(body, headers["Content-Type"]) == UploadedFile(name="one.yaml", content=b"1")


@pytest.mark.parametrize(
    "content",
    [b"", b"\r\n", b"--limi", b"\r\n--limi", b"a\r\n\r\nb", bytes(range(256)), b"\r\n--\r\n"],
)
def test_contents_come_as_they_are(content: bytes) -> None:
    body, headers = form(("uploadfile", "a", content))
    assert read(b"preamble\r\n" + body + b"epilogue", headers["Content-Type"]).content == content


@given(content=st.binary(max_size=200), cut=st.integers(0, 300))
def test_a_form_that_is_cut_off_is_no_form(content: bytes, cut: int) -> None:
    if b"\r\n--limit" in content:
        return
    body, headers = form(("uploadfile", "a", content))
    whole = len(body) - len(b"\r\n")
    if cut >= whole:
        assert read(body, headers["Content-Type"]).content == content
        return
    with pytest.raises(FormError):
        read(body[:cut], headers["Content-Type"])


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        (
            b"{}",
            "application/json",
            "the content type is 'application/json', no form with a boundary",
        ),
        (
            b"x",
            "multipart/form-data",
            "the content type is 'multipart/form-data', no form with a boundary",
        ),
        (b"x", "", "the content type is '', no form with a boundary"),
        (b"x", 'multipart/form-data; boundary=""', "the boundary of the form is empty or too long"),
        (b"x", TYPE, "the form does not begin"),
        (b"--limit--\r\n", TYPE, "the form is empty"),
        (b"--limit\r\nbroken", TYPE, "a part of the form has no end of its head"),
        (b"--limitation\r\n", TYPE, "the form is malformed behind a boundary"),
        (part(disposition('filename="a"'))[:-2], TYPE, "the form is cut off"),
        (part("A: b") + b"--limit--", TYPE, "the form has no file 'uploadfile'"),
        (part("A: b") * 1001 + b"--limit--", TYPE, "the form has more than 1000 parts"),
        (
            b"--limit\r\nContent-Disposition: \xff\r\n\r\n\r\n--limit--",
            TYPE,
            "the head of a part of the form is not valid UTF-8",
        ),
    ],
)
def test_what_is_no_form(body: bytes, content_type: str, message: str) -> None:
    with pytest.raises(FormError) as caught:
        read(body, content_type)
    assert str(caught.value) == message


@given(body=st.binary(max_size=300), content_type=st.text(max_size=60))
def test_whatever_comes_is_read_or_refused(body: bytes, content_type: str) -> None:
    for found in (content_type, TYPE):
        with contextlib.suppress(FormError):
            read(body, found)
