"""The verdict on decoding, metadata and CRD fields, against a real API server with our CRDs.

No webhook runs, so the rules of KFP's webhooks are left out of the comparison.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from kfp_k8s_manifest import releases
from kfp_k8s_manifest.checks.order import ObjectContext, check_object
from kfp_k8s_manifest.checks.server.size import client_apply_size, stored_size
from kfp_k8s_manifest.checks.webhook.mutating import KnownPipelines
from kfp_k8s_manifest.findings import Finding, Severity
from kfp_k8s_manifest.model.kinds import MAX_ETCD

from .conftest import ROOT, unavailable
from .odd_objects import OddObjects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .controlplane import ControlPlane

    Post = Callable[..., tuple[int, str, set[str]]]

REFERENCE = ROOT.parent / "shared" / "reference" / "kfp-releases"
GROUP = "pipelines.kubeflow.org"
NAMESPACE = "metadata-parity"
OBJECTS = 400
FAMILIES = ("api-version", "crd-", "kind", "metadata-", "unknown-field")
STRICT = "strict decoding error: "


def path(kind: str, **query: str) -> str:
    text = "&".join(f"{key}={value}" for key, value in query.items())
    return f"/apis/{GROUP}/v2beta1/namespaces/{NAMESPACE}/{kind.lower()}s?{text}"


def install(plane: ControlPlane, release: str) -> None:
    """Apply the CRDs of a release, and wait until the API server goes by them."""
    for plural in ("pipelines", "pipelineversions"):
        file = REFERENCE / f"{release}.{plural}.crd.yaml"
        if not file.exists():
            unavailable(f"the reference data is not there: {file}")
        plane.kubectl("apply", "-f", file)
        plane.kubectl("wait", "--for=condition=Established", f"crd/{plural}.{GROUP}")
    knows_tags = "tags" in releases.target(release).fields("Pipeline")
    until = time.monotonic() + 60
    while time.monotonic() < until:
        # Both kinds, twice: the new schema arrives some time after it is established.
        seen = [
            plane.request(
                "POST",
                path(kind, fieldValidation="Strict", dryRun="All"),
                {
                    "apiVersion": f"{GROUP}/v2beta1",
                    "kind": kind,
                    "metadata": {"name": "probe"},
                    "spec": {"pipelineSpec": {}, "tags": {}}
                    if kind == "PipelineVersion"
                    else {"tags": {}},
                },
            ).status
            for kind in ("Pipeline", "PipelineVersion") * 2
        ]
        if seen == [201 if knows_tags else 400] * 4:
            return
        time.sleep(0.5)
    pytest.fail(f"the CRDs of {release} did not come into force: {seen}")


@pytest.fixture(scope="module")
def namespace(control_plane: ControlPlane) -> str:
    return control_plane.create_namespace(NAMESPACE)


@pytest.fixture(scope="module", params=["2.14.0", "2.17.0"])
def release(
    request: pytest.FixtureRequest, control_plane: ControlPlane, namespace: str
) -> Iterator[str]:
    install(control_plane, request.param)
    yield request.param
    # The control plane is shared, and the other tests want the newest CRDs.
    if request.param != "2.17.0":
        install(control_plane, "2.17.0")


@pytest.fixture
def post(control_plane: ControlPlane, namespace: str) -> Post:
    def post(obj: dict[str, Any], **query: str) -> tuple[int, str, set[str]]:
        response = control_plane.request("POST", path(obj["kind"], **query), obj)
        answer = response.json()
        if response.status == 201:
            return 201, "", set()
        causes = answer.get("details", {}).get("causes", [])
        return response.status, answer["message"], {cause.get("field", "") for cause in causes}

    return post


def judged(obj: dict[str, Any], release: str, *, strict: bool) -> list[Finding]:
    context = ObjectContext(
        target=releases.target(release),
        pipelines=KnownPipelines(assume=True),
        lint=False,
    )
    return [
        finding
        for finding in check_object(obj, context)
        if finding.severity is Severity.ERROR
        and finding.rule.startswith(FAMILIES)
        # A dry run does not reach the storage, which is what refuses it.
        and finding.rule != "metadata-resource-version"
        and (strict or finding.rule != "unknown-field")
    ]


def field(finding: Finding) -> str:
    """Return a finding's place as the API server names it: without the entry at fault."""
    where = finding.path
    if where[:1] == ("metadata",) and len(where) > 1:
        if where[1] in ("labels", "annotations", "finalizers"):
            where = where[:2]
        elif where[1] == "ownerReferences":
            where = (*where[:2], *(key for key in where[3:] if key != "controller"))
    return ".".join(str(part) for part in where)


def difference(obj: dict[str, Any], release: str, post: Post, *, strict: bool) -> str:
    """Return how our verdict differs from the API server's, or ""."""
    mode = "Strict" if strict else "Ignore"
    status, said, fields = post(obj, fieldValidation=mode, dryRun="All")
    ours = judged(obj, release, strict=strict)
    told = f"{mode} {status} {said[:300]!r}, ours {[each.message for each in ours]}: {obj!r}"
    if (status == 201) != (not ours):
        return told
    if status == 422:
        # The fields are the same, and the server says of each what we say that it says.
        same = {field(each) for each in ours} == fields
        return "" if same and all(each.cluster_message in said for each in ours) else told
    if status == 400 and STRICT in said:
        theirs = sorted(f"unknown field {text}" for text in split_unknown(said))
        unknown = sorted(each.cluster_message for each in ours if each.rule == "unknown-field")
        return "" if theirs == unknown else told
    if status == 400:
        types = [each for each in ours if each.rule == "metadata-type"]
        return "" if any(each.cluster_message in said for each in types) else told
    return "" if status == 201 else told


def split_unknown(said: str) -> list[str]:
    fields = said.split(STRICT)[1].removeprefix('unknown field "').removesuffix('"')
    return [f'"{each}"' for each in fields.split('", unknown field "')]


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "ignore"])
def test_odd_objects(release: str, post: Post, strict: bool) -> None:
    objects = OddObjects(seed=20_170 + strict)
    drawn = [objects() for _ in range(OBJECTS)]
    differences = [difference(obj, release, post, strict=strict) for obj in drawn]
    assert [text for text in differences if text] == []
    # The comparison means something only where all kinds of verdicts occur.
    rejected = [bool(judged(obj, release, strict=strict)) for obj in drawn]
    assert OBJECTS // 20 < sum(rejected) < OBJECTS * 19 // 20


def test_resource_versions_on_creation(release: str, post: Post) -> None:
    for index, (text, refused) in enumerate(
        [("0", False), ("5", True), (str(2**64 - 1), True), (str(2**64), False), ("x", False)]
    ):
        obj = pipeline(f"rv-{release}-{index}", resourceVersion=text)
        status, said, _ = post(obj)
        found = [
            finding for finding in check_object(obj) if finding.rule == "metadata-resource-version"
        ]
        assert (status != 201) is refused is bool(found)
        assert all(finding.cluster_message == said for finding in found)


def pipeline(name: str, description: str = "", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/v2beta1",
        "kind": "Pipeline",
        "metadata": {"name": name, "namespace": NAMESPACE, **metadata},
        "spec": {"displayName": name, "description": description},
    }


def test_client_side_apply_to_the_byte(release: str, control_plane: ControlPlane) -> None:
    odd = '<&>"\\\n\u2028é😀\x01' * 1000
    for name, given in (("size-a", {}), ("size-b", {"example.com/a": odd})):
        room = 262_144 - client_apply_size(pipeline(name, odd, annotations=given))
        for extra, fits in ((0, True), (1, False)):
            obj = pipeline(name, odd + "a" * (room + extra), annotations=given)
            done = control_plane.kubectl(
                *("apply", "--dry-run=server", "-f", "-"), stdin=json.dumps(obj), check=False
            )
            assert (done.returncode == 0) is fits
            rules = [finding.rule for finding in check_object(obj)]
            assert rules == ([] if fits else ["size-client-apply"])


@pytest.mark.parametrize("length", [1, 64, 75, 76, 200])
def test_etcd_to_the_byte(release: str, post: Post, length: int) -> None:
    name = "n" * length
    room = MAX_ETCD - stored_size(pipeline(name))
    large = pipeline(name, "a" * (room + 1))
    status, said, _ = post(large)
    (finding,) = check_object(large)
    assert (finding.rule, status) == ("size-etcd", 500)
    assert finding.cluster_message in said
    # Only once for each release, since it stays in the store.
    obj = pipeline(name, "a" * room)
    if release == "2.17.0":
        assert post(obj)[0] == 201
    assert [each.rule for each in check_object(obj)] == ["size-client-apply"]


def test_requests_to_the_byte(release: str, post: Post) -> None:
    obj = pipeline("request", "a" * 3_150_000)
    status, said, _ = post(obj, dryRun="All")
    (finding,) = check_object(obj)
    assert (status, finding.rule, finding.cluster_message) == (413, "size-request", said)
