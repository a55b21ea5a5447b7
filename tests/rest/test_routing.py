"""Which call a request is."""

from __future__ import annotations

import pytest

from kfp_k8s_manifest.rest.errors import Code, GatewayError, RestError
from kfp_k8s_manifest.rest.routing import Call, Misdirected, Moved, Route, find, read_target

API = "/apis/v2beta1"
FORM = "application/x-www-form-urlencoded"


def route(method: str, path: str, content_type: str = "", override: str = "") -> Route:
    target = read_target(path.replace("~", API, 1))
    return find(method, target, content_type=content_type, override=override)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "~/pipelines", Route(call=Call.LIST_PIPELINES)),
        ("GET", "~/pipelines?page_size=1", Route(call=Call.LIST_PIPELINES)),
        ("POST", "~/pipelines", Route(call=Call.CREATE_PIPELINE)),
        ("POST", "~/pipelines/create", Route(call=Call.CREATE_PIPELINE_AND_VERSION)),
        ("GET", "~/pipelines/create", Route(call=Call.GET_PIPELINE, pipeline_id="create")),
        ("GET", "~/pipelines/names", Route(call=Call.GET_PIPELINE, pipeline_id="names")),
        ("GET", "~/pipelines/", Route(call=Call.GET_PIPELINE)),
        ("PATCH", "~/pipelines/p", Route(call=Call.UPDATE_PIPELINE, pipeline_id="p")),
        ("DELETE", "~/pipelines/p", Route(call=Call.DELETE_PIPELINE, pipeline_id="p")),
        ("GET", "~/pipelines/names/n", Route(call=Call.GET_PIPELINE_BY_NAME, name="n")),
        ("GET", "~/pipelines/names/%C3%BC%20+", Route(call=Call.GET_PIPELINE_BY_NAME, name="ü +")),
        ("GET", "~/pipelines/names/ü", Route(call=Call.GET_PIPELINE_BY_NAME, name="ü")),
        ("GET", "~/pipelines/names/", Route(call=Call.GET_PIPELINE_BY_NAME)),
        ("GET", "~/pipelines/names/versions", Route(call=Call.LIST_VERSIONS, pipeline_id="names")),
        ("GET", "~/pipelines/p:x", Route(call=Call.GET_PIPELINE, pipeline_id="p:x")),
        ("GET", "~/pipelines/p/versions", Route(call=Call.LIST_VERSIONS, pipeline_id="p")),
        ("POST", "~/pipelines/p/versions", Route(call=Call.CREATE_VERSION, pipeline_id="p")),
        (
            "GET",
            "~/pipelines/p/versions/v",
            Route(call=Call.GET_VERSION, pipeline_id="p", version_id="v"),
        ),
        ("GET", "~/pipelines/p/versions/", Route(call=Call.GET_VERSION, pipeline_id="p")),
        (
            "PATCH",
            "~/pipelines/p/versions/v",
            Route(call=Call.UPDATE_VERSION, pipeline_id="p", version_id="v"),
        ),
        (
            "DELETE",
            "~/pipelines/p/versions/v",
            Route(call=Call.DELETE_VERSION, pipeline_id="p", version_id="v"),
        ),
        ("BREW", "~/pipelines/upload", Route(call=Call.UPLOAD)),
        ("GET", "~/pipelines/upload_version?name=a", Route(call=Call.UPLOAD_VERSION)),
        ("PUT", "~/healthz", Route(call=Call.HEALTH)),
        ("GET", "/apis/v1beta1/healthz", Route(call=Call.HEALTH_V1)),
        ("GET", "http://host/apis/v2beta1/pipelines?a=b", Route(call=Call.LIST_PIPELINES)),
    ],
)
def test_calls(method: str, path: str, expected: Route) -> None:
    assert route(method, path) == expected


def test_a_form_in_place_of_another_method() -> None:
    listed = Route(call=Call.LIST_VERSIONS, pipeline_id="p", form=True)
    assert route("POST", "~/pipelines/p", FORM) == Route(
        call=Call.GET_PIPELINE, pipeline_id="p", form=True
    )
    assert route("POST", "~/pipelines/p", FORM, "delete") == Route(
        call=Call.DELETE_PIPELINE, pipeline_id="p", form=True
    )
    assert route("POST", "~/pipelines/p/versions", FORM, "GET") == listed
    # Where there is a POST, it is one; and only a form may ask for another method.
    assert route("POST", "~/pipelines", FORM) == Route(call=Call.CREATE_PIPELINE)
    assert route("POST", "~/pipelines", "application/json", "GET").call is Call.CREATE_PIPELINE
    assert route("POST", "~/pipelines", f"{FORM}; charset=utf-8", "GET").call is (
        Call.CREATE_PIPELINE
    )
    with pytest.raises(GatewayError, match=r"^Method Not Allowed$"):
        route("POST", "~/pipelines", FORM, "DELETE")


@pytest.mark.parametrize(
    "path",
    ["~", "~/", "/apis/", "/apis/v3/pipelines", "~/Pipelines", "~/nothing", "~/pipelines:x",
     "~/pipelines/a%2Fb", "~/pipelines/names/a%2Fb", "~/pipelines/a/b", "~/pipelines/upload/",
     "~/pipelines/a/versions/b/c", "~/pipelines/a/", "~/healthz/", "~/filters", "~/auth",
     "/apis/v1beta1", "/apis/v1beta1/"],
)  # fmt: skip
def test_paths_that_the_api_does_not_have(path: str) -> None:
    with pytest.raises(GatewayError) as caught:
        route("GET", path)
    assert (caught.value.code, caught.value.text) == (Code.NOT_FOUND, "Not Found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "~/pipelines"),
        ("HEAD", "~/pipelines"),
        ("OPTIONS", "~/pipelines/p"),
        ("POST", "~/pipelines/p"),
        ("POST", "~/pipelines/"),
        ("POST", "~/pipelines/names/x"),
        ("DELETE", "~/pipelines/p/versions"),
        ("BREW", "~/pipelines"),
    ],
)
def test_methods_that_a_path_does_not_have(method: str, path: str) -> None:
    with pytest.raises(GatewayError) as caught:
        route(method, path)
    assert (caught.value.status, caught.value.text) == (501, "Method Not Allowed")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("~/runs", "This server does not serve runs; it serves pipelines and their versions alone"),
        (
            "~/experiments/1:archive",
            "This server does not serve experiments; it serves pipelines and their versions alone",
        ),
        (
            "~/visualizations/team-a",
            "This server does not serve visualizations; it serves pipelines and their versions alone",
        ),
        (
            "/apis/v1beta1/pipelines",
            (
                "This server does not serve the API v1beta1; use /apis/v2beta1 for pipelines and"
                " their versions"
            ),
        ),
    ],
)
def test_parts_of_the_api_that_are_not_served(path: str, text: str) -> None:
    with pytest.raises(RestError) as caught:
        route("GET", path)
    assert not isinstance(caught.value, GatewayError)
    assert (caught.value.status, caught.value.text) == (501, text)


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("~/pipelines//versions", f"{API}/pipelines/versions"),
        ("~//pipelines", f"{API}/pipelines"),
        ("~/pipelines/../healthz", f"{API}/healthz"),
        ("~/./pipelines", f"{API}/pipelines"),
        ("~/pipelines/a/..", f"{API}/pipelines"),
        ("~/pipelines/a/../", f"{API}/pipelines/"),
        ("~/%2e%2e/pipelines?a=b%20c", "/apis/pipelines?a=b%20c"),
        ("/../../etc/passwd", "/etc/passwd"),
        ("//evil.example/a", "/evil.example/a"),
        ("/.//%5C%5Cevil.example/a", "/%5C%5Cevil.example/a"),
        ("/a//%0D%0ASet-Cookie:%20x", "/a/%0D%0ASet-Cookie:%20x"),
        ("/a//%FF", "/a/%FF"),
    ],
)
def test_paths_that_are_not_clean(path: str, location: str) -> None:
    with pytest.raises(Moved) as caught:
        route("GET", path)
    assert caught.value.location == location


@pytest.mark.parametrize("path", ["/", "/apis", "/healthz", "/metrics/x", "/apis2/v2beta1"])
def test_paths_outside_the_api(path: str) -> None:
    with pytest.raises(Misdirected) as caught:
        route("GET", path)
    assert (caught.value.status, caught.value.text) == (404, "404 page not found\n")


@pytest.mark.parametrize("path", ["~/pipelines/%zz", "~/pipelines/%", "~/%2", "pipelines", "*"])
def test_paths_that_are_malformed(path: str) -> None:
    with pytest.raises(Misdirected) as caught:
        route("GET", path)
    assert (caught.value.status, caught.value.text) == (400, "400 Bad Request")


@pytest.mark.parametrize("path", ["~/pipelines/%FF", "~/pipelines/names/%ed%a0%80"])
def test_ids_and_names_that_are_no_text(path: str) -> None:
    with pytest.raises(GatewayError) as caught:
        route("GET", path)
    assert (caught.value.status, caught.value.text) == (400, "the path is not valid UTF-8")
