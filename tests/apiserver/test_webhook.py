"""Our CRDs and our webhooks on a real cluster: what is written is stored, what is said is done."""

from __future__ import annotations

import json
import re
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("aiohttp", reason="needs the extra 'webhook'")

from kfp_k8s_manifest.compiler.build import ManifestOptions, build
from kfp_k8s_manifest.compiler.sources import read_package
from kfp_k8s_manifest.manifests import to_yaml
from kfp_k8s_manifest.releases import TARGET_NAMES

from .webhook_server import LIST, Webhook, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from .controlplane import ControlPlane
    from .kubectl import Kubectl

GROUP = "pipelines.kubeflow.org"
ID_LABEL, NAME_LABEL = f"{GROUP}/pipeline-id", f"{GROUP}/pipeline"


def apply_crds(plane: ControlPlane, target: str) -> None:
    plane.kubectl(
        "apply", "--server-side", "--force-conflicts", "-f", "-",
        stdin=run("crds", "--target", target),
    )  # fmt: skip
    for plural in ("pipelines", "pipelineversions"):
        plane.kubectl("wait", "--for=condition=Established", f"crd/{plural}.{GROUP}")


@pytest.fixture(scope="module")
def crds(control_plane: ControlPlane) -> ControlPlane:
    apply_crds(control_plane, "portable")
    return control_plane


def new_namespace(plane: ControlPlane, **labels: str) -> str:
    return plane.create_namespace(f"hooks-{uuid.uuid4().hex[:8]}", labels)


def settle(plane: ControlPlane, namespace: str, *, watched: bool = True) -> None:
    """Wait until the API server has taken the webhook configurations in."""
    probe = version("probe", "no-such-pipeline", namespace)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        done = plane.kubectl(
            "create", "--dry-run=server", "-f", "-", stdin=json.dumps(probe), check=False
        )
        if ("denied the request" in done.stderr) is watched:
            return
        time.sleep(0.2)
    raise AssertionError(done.stderr)


@pytest.fixture(scope="module")
def hooks(crds: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hooks]:
    """Two installations, each for one namespace: KFP 2.16's rules and 2.17's."""
    running = Hooks()
    for target in ("2.16", "2.17"):
        namespace = new_namespace(crds)
        running.namespaces[target] = namespace
        running.webhooks[target] = Webhook.install(
            crds,
            tmp_path_factory.mktemp("webhook"),
            target=target,
            scope=["--watch", namespace],
            name=f"hooks-{target.replace('.', '-')}",
        )
        settle(crds, namespace)
    yield running
    for webhook in running.webhooks.values():
        webhook.remove()


class Hooks:
    def __init__(self) -> None:
        self.webhooks: dict[str, Webhook] = {}
        self.namespaces: dict[str, str] = {}


def pipeline(name: str, namespace: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/v2beta1",
        "kind": "Pipeline",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def version(name: str, pipeline_name: str, namespace: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/v2beta1",
        "kind": "PipelineVersion",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "pipelineName": pipeline_name,
            "pipelineSpec": {
                "pipelineInfo": {"name": name},
                "root": {"dag": {"tasks": {}}},
                "schemaVersion": "2.1.0",
            },
            **spec,
        },
    }


def apply(plane: ControlPlane, *objects: Any, check: bool = True, verb: str = "apply") -> Any:
    text = json.dumps({**LIST, "items": list(objects)})
    return plane.kubectl(verb, "-f", "-", stdin=text, check=check)


@pytest.mark.parametrize("target", TARGET_NAMES)
def test_the_api_server_takes_the_crds(control_plane: ControlPlane, target: str) -> None:
    control_plane.kubectl(
        "apply", "--server-side", "--dry-run=server", "--force-conflicts", "-f", "-",
        stdin=run("crds", "--target", target),
    )  # fmt: skip


def test_printer_columns_short_names_and_categories(crds: ControlPlane, hooks: Hooks) -> None:
    namespace = hooks.namespaces["2.17"]
    apply(
        crds,
        pipeline("shown", namespace, displayName="Shown"),
        version("shown-v1", "shown", namespace, versionName="v1"),
    )
    table = crds.kubectl("get", "kfpv", "-n", namespace).stdout.splitlines()
    assert table[0].split() == ["NAME", "PIPELINE", "VERSION", "AGE"]
    row = next(line.split() for line in table if line.startswith("shown-v1"))
    assert row[:3] == ["shown-v1", "shown", "v1"]
    assert "shown" in crds.kubectl("get", "kfp", "-n", namespace).stdout
    listed = crds.kubectl("get", "kubeflow-pipelines", "-n", namespace, "-o", "name").stdout
    assert f"pipelineversion.{GROUP}/shown-v1" in listed
    assert f"pipeline.{GROUP}/shown" in listed


def stored(plane: ControlPlane, namespace: str, names: list[str]) -> dict[str, Any]:
    items = plane.kubectl.json("get", "pipelineversions", "-n", namespace)["items"]
    return {i["metadata"]["name"]: i for i in items if i["metadata"]["name"] in names}


@pytest.mark.parametrize(
    ("change", "allowed_by"),
    [
        ({"displayName": "New"}, {"2.17"}),
        ({"tags": {"a": "b"}}, {"2.17"}),
        ({"description": "New"}, set()),
        ({"codeSourceURL": "https://example.com"}, set()),
        ({"pipelineSpec": {"pipelineInfo": {"name": "other"}}}, set()),
    ],
)
@pytest.mark.parametrize("target", ["2.16", "2.17"])
def test_updates(
    crds: ControlPlane, hooks: Hooks, target: str, change: dict[str, Any], allowed_by: set[str]
) -> None:
    namespace = hooks.namespaces[target]
    name = f"update-{uuid.uuid4().hex[:8]}"
    apply(crds, pipeline(name, namespace), version(f"{name}-v1", name, namespace))
    patch = json.dumps({"spec": change})
    where = ("pipelineversion", f"{name}-v1", "-n", namespace)
    done = crds.kubectl("patch", *where, "--type=merge", "-p", patch, check=False)
    assert (done.returncode == 0) is (target in allowed_by), done.stderr
    if done.returncode:
        assert "denied the request" in done.stderr
        assert "but a PipelineVersion is immutable" in done.stderr
    crds.kubectl("label", *where, "team=vision")
    crds.kubectl("annotate", *where, "note=x")
    labels = crds.kubectl.json("get", *where)["metadata"]["labels"]
    assert labels["team"] == "vision"
    assert labels[NAME_LABEL] == name


def test_a_pipeline_that_was_created_a_moment_ago_is_found(
    crds: ControlPlane, hooks: Hooks
) -> None:
    namespace = hooks.namespaces["2.17"]
    base = f"/apis/{GROUP}/v2beta1/namespaces/{namespace}"
    for number in range(20):
        name = f"fresh-{number}"
        refused = crds.request(
            "POST", f"{base}/pipelineversions", version(f"{name}-v1", name, namespace)
        )
        assert refused.status == 400
        assert f"spec.pipelineName: '{name}' is no Pipeline in namespace" in refused.body.decode()
        uids = []
        for _ in range(2):
            created = crds.request("POST", f"{base}/pipelines", pipeline(name, namespace))
            assert created.status == 201
            uids.append(created.json()["metadata"]["uid"])
            # One of that name was deleted before: its uid must not come back.
            answer = crds.request(
                "POST", f"{base}/pipelineversions?dryRun=All",
                version(f"{name}-v1", name, namespace),
            )  # fmt: skip
            assert answer.status == 201, answer.body
            assert answer.json()["metadata"]["ownerReferences"][0]["uid"] == uids[-1]
            assert crds.request("DELETE", f"{base}/pipelines/{name}").status == 200


def test_the_refusal_says_what_validate_says(
    crds: ControlPlane, hooks: Hooks, tmp_path: Path
) -> None:
    namespace = hooks.namespaces["2.17"]
    apply(crds, pipeline("refused", namespace))
    bad = version("refused-v1", "refused", namespace)
    bad["spec"]["pipelineSpec"]["root"]["dag"]["tasks"] = {"a": {"taskInf": {}}}
    done = apply(crds, bad, check=False)
    from kfp_k8s_manifest.checks.webhook.specs import check_specs
    from kfp_k8s_manifest.releases import target

    (finding, *_) = check_specs(bad["spec"]["pipelineSpec"], None, target("2.17"))
    assert finding.message in done.stderr
    assert f'admission webhook "pipelineversions.{GROUP}" denied the request' in done.stderr


def test_kubectl_prints_the_warnings(crds: ControlPlane, hooks: Hooks) -> None:
    namespace = hooks.namespaces["2.17"]
    lost = version("warned-v1", "warned", namespace, platformSpec={"platforms": {"kubernets": {}}})
    done = apply(crds, pipeline("warned", namespace), lost)
    assert "Warning: " in done.stderr
    assert "platformSpec" in done.stderr


def test_a_finalizer_can_go_when_the_pipeline_is_gone(
    controllers: ControlPlane, crds: ControlPlane, hooks: Hooks
) -> None:
    namespace = hooks.namespaces["2.17"]
    held = version("held-v1", "held", namespace)
    held["metadata"]["finalizers"] = ["example.com/hold"]
    apply(crds, pipeline("held", namespace), held)
    where = ("pipelineversion", "held-v1", "-n", namespace)
    crds.kubectl("delete", *where, "--wait=false")
    crds.kubectl("delete", "pipeline", "held", "-n", namespace, "--cascade=orphan")
    crds.kubectl("patch", *where, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    assert stored(crds, namespace, ["held-v1"]) == {}


def test_other_namespaces_are_not_judged(crds: ControlPlane, hooks: Hooks) -> None:
    namespace = new_namespace(crds)
    apply(crds, version("free-v1", "no-such-pipeline", namespace))
    reviewed = {
        entry["namespace"]
        for webhook in hooks.webhooks.values()
        for entry in webhook.entries()
        if entry["message"] == "review"
    }
    assert reviewed <= set(hooks.namespaces.values())
    for target, webhook in hooks.webhooks.items():
        seen = {e["namespace"] for e in webhook.entries() if e["message"] == "review"}
        assert seen <= {hooks.namespaces[target]}


def test_kustomize_keeps_our_output(
    go_reader: Callable[[Iterable[str]], list[Any]],
    offline_kubectl: Kubectl,
    tmp_path: Path,
    shared: Path,
) -> None:
    objects = []
    for number, path in enumerate(sorted((shared / "corpus" / "ir").glob("*.yaml"))):
        ir = read_package(path.read_bytes(), source=path.name)
        bundle = build(ir, ManifestOptions(pipeline_name=f"corpus-{number}"))
        objects += bundle.objects()
    (tmp_path / "all.yaml").write_text(to_yaml(objects), encoding="utf-8")
    (tmp_path / "kustomization.yaml").write_text("resources: [all.yaml]\nnamespace: team-a\n")
    text = offline_kubectl("kustomize", tmp_path).stdout
    read = go_reader(part for part in re.split(r"^---\n", text, flags=re.MULTILINE))
    specs = {(i["kind"], i["metadata"]["name"]): i.get("spec", {}) for i in read}
    assert len(specs) == len(objects)
    for obj in objects:
        assert specs[obj["kind"], obj["metadata"]["name"]] == obj.get("spec", {})
    assert {item["metadata"]["namespace"] for item in read} == {"team-a"}


def test_what_cannot_be_judged_is_refused_with_its_reason(
    crds: ControlPlane, tmp_path: Path
) -> None:
    """The server may not read Pipelines any more. Whoever creates a version learns that."""
    namespace = new_namespace(crds)
    webhook = Webhook.install(
        crds, tmp_path, target="2.17", scope=["--watch", namespace], name="blind"
    )
    try:
        settle(crds, namespace)
        apply(crds, pipeline("p", namespace))
        crds.kubectl("delete", "rolebinding", "blind-default", "-n", namespace)
        reason = "cannot be judged: the API server answered 403 Forbidden to GET /apis/"
        deadline = time.monotonic() + 30
        while True:
            done = apply(crds, version("p-v1", "p", namespace), check=False, verb="create")
            if done.returncode and reason in done.stderr:
                break
            assert time.monotonic() < deadline, done.stderr
            crds.kubectl("delete", "pipelineversion", "--all", "-n", namespace)
        assert "denied the request: cannot be judged" in done.stderr
        assert stored(crds, namespace, ["p-v1"]) == {}
        answer = crds.request(
            "POST",
            f"/apis/{GROUP}/v2beta1/namespaces/{namespace}/pipelineversions",
            version("p-v1", "p", namespace),
        )
        assert (answer.status, answer.json()["reason"]) == (503, "ServiceUnavailable")
    finally:
        webhook.remove()


@pytest.mark.parametrize("scope", [["--watch", "default"], ["--global"],
                                   ["--namespace-selector", "kfp=on"],
                                   ["--api-server-cidr", "10.0.0.7/32"]])  # fmt: skip
def test_the_api_server_takes_all_that_installs_the_webhooks(
    control_plane: ControlPlane, scope: list[str], tmp_path: Path
) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(control_plane.authority.certificate)
    text = run("webhook", "manifests", "--ca-bundle", str(ca), "-n", "default", *scope)
    done = control_plane.kubectl("apply", "--server-side", "--dry-run=server", "-f", "-",
                                 stdin=text)  # fmt: skip
    created = done.stdout.splitlines()
    assert len(created) == 9
    assert all(line.endswith("serverside-applied (server dry run)") for line in created)
    assert not done.stderr


def test_the_global_mode_judges_every_namespace(crds: ControlPlane, tmp_path: Path) -> None:
    webhook = Webhook.install(crds, tmp_path, target="2.17", scope=["--global"], name="everywhere")
    try:
        for _ in range(2):
            namespace = new_namespace(crds)
            settle(crds, namespace)
            apply(crds, pipeline("p", namespace), version("p-v1", "p", namespace))
            assert NAME_LABEL in stored(crds, namespace, ["p-v1"])["p-v1"]["metadata"]["labels"]
    finally:
        webhook.remove()


def test_failure_policy_and_restart(crds: ControlPlane, tmp_path: Path) -> None:
    namespace = new_namespace(crds)
    webhook = Webhook.install(
        crds, tmp_path, target="2.17", scope=["--watch", namespace], name="failing"
    )
    try:
        settle(crds, namespace)
        apply(crds, pipeline("p", namespace))
        webhook.server.stop()
        done = apply(crds, version("p-v1", "p", namespace), check=False)
        assert done.returncode == 1
        assert "failed calling webhook" in done.stderr
        webhook.restart("2.17")
        apply(crds, version("p-v1", "p", namespace))
        webhook.server.stop()
        crds.kubectl(
            *("apply", "-f", "-"),
            stdin=webhook.manifests.replace("failurePolicy: Fail", "failurePolicy: Ignore"),
        )
        deadline = time.monotonic() + 30
        while apply(crds, version("p-v2", "p", namespace), check=False).returncode:
            assert time.monotonic() < deadline
            time.sleep(0.5)
    finally:
        webhook.remove()


class Writers:
    """Create versions through the API server, one after the other, until told to stop."""

    def __init__(self, plane: ControlPlane, namespace: str) -> None:
        import threading

        self.plane, self.namespace = plane, namespace
        self.statuses: list[int] = []
        self.bodies: list[bytes] = []
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(n,)) for n in range(3)]
        for thread in self.threads:
            thread.start()

    def _run(self, number: int) -> None:
        path = f"/apis/{GROUP}/v2beta1/namespaces/{self.namespace}/pipelineversions?dryRun=All"
        while not self.stopped.is_set():
            answer = self.plane.request("POST", path, version(f"w-{number}", "p", self.namespace))
            self.statuses.append(answer.status)
            if answer.status != 201:
                self.bodies.append(answer.body)

    def more(self) -> None:
        """Wait until every writer has written again, and what was under way before is through."""
        goal = len(self.statuses) + 2 * len(self.threads)
        deadline = time.monotonic() + 60
        while len(self.statuses) < goal:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def finish(self) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join()


def reloads(webhook: Webhook) -> list[dict[str, Any]]:
    return [e for e in webhook.entries() if e["message"] == "certificate reloaded"]


def test_the_certificate_is_rotated_under_load(crds: ControlPlane, tmp_path: Path) -> None:
    namespace = new_namespace(crds)
    webhook = Webhook.install(
        crds, tmp_path, target="2.17", scope=["--watch", namespace], name="rotating"
    )
    try:
        settle(crds, namespace)
        apply(crds, pipeline("p", namespace))
        writers = Writers(crds, namespace)
        writers.more()
        for number in (1, 2, 3):
            webhook.authority.issue_server().write(webhook.folder, "tls")
            deadline = time.monotonic() + 60
            while len(reloads(webhook)) < number:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            writers.more()
        writers.finish()
        assert len(reloads(webhook)) == 3
        assert set(writers.statuses) == {201}, writers.bodies[:1]
    finally:
        webhook.remove()


def test_sigterm_under_load_loses_no_review(crds: ControlPlane, tmp_path: Path) -> None:
    """Every review that reached the server is answered; only then nobody listens any more."""
    namespace = new_namespace(crds)
    webhook = Webhook.install(
        crds, tmp_path, target="2.17", scope=["--watch", namespace], name="ending"
    )
    try:
        settle(crds, namespace)
        apply(crds, pipeline("p", namespace))
        writers = Writers(crds, namespace)
        writers.more()
        # SIGTERM, and time enough to end by itself.
        code = webhook.server.stop(grace=30)
        writers.more()
        writers.finish()
        assert code == 0
        assert webhook.entries()[-1]["message"] == "stopped"
        # There is no second replica here, so what comes after the end is refused a connection.
        lost = [body.decode() for body in writers.bodies if b"connection refused" not in body]
        assert lost == []
        assert writers.statuses.count(201) > 0
        # Reviews that were answered and requests that came through are the same: two for each.
        answered = [e for e in webhook.entries() if e["message"] == "review" and e["allowed"]]
        assert len(
            [e for e in answered if e["name"].startswith("w-")]
        ) >= 2 * writers.statuses.count(201)
    finally:
        webhook.remove()


def test_the_kep_s_crd_makes_versions_ready(
    crds: ControlPlane, request: pytest.FixtureRequest
) -> None:
    namespace = new_namespace(crds)
    apply_crds(crds, "kep")
    request.addfinalizer(lambda: apply_crds(crds, "portable"))

    def ready() -> Any:
        apply(crds, version("ready-v1", "p", namespace))
        (found,) = stored(crds, namespace, ["ready-v1"]).values()
        return found.get("status", {}).get("conditions")

    deadline = time.monotonic() + 20
    while (conditions := ready()) is None:
        # The new schema is served a moment after it is stored.
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert conditions == [
        {
            "type": "PipelineVersionStatus",
            "status": "True",
            "reason": "READY",
            "message": "READY",
        }
    ]
    crds.kubectl(
        *("wait", "--for=condition=PipelineVersionStatus", "pipelineversion/ready-v1"),
        *("-n", namespace, "--timeout=10s"),
    )
