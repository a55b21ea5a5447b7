from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfp_k8s_manifest.installation.webhooks import InstallOptions, install_manifests
from tests.apiserver.certificates import CertificateAuthority
from tests.conftest import ROOT, Run


def installed(**options: Any) -> dict[str, list[dict[str, Any]]]:
    defaults = {"name": "hooks", "namespace": "kubeflow", "image": "i:1", "target": "2.17"}
    found: dict[str, list[dict[str, Any]]] = {}
    for each in install_manifests(InstallOptions(**{**defaults, **options})):
        found.setdefault(each["kind"], []).append(each)
    return found


def test_the_permissions_are_the_least() -> None:
    rule = {"apiGroups": ["pipelines.kubeflow.org"], "resources": ["pipelines"], "verbs": ["get"]}
    found = installed(namespaces=("a", "b"))
    assert [role["metadata"]["namespace"] for role in found["Role"]] == ["a", "b"]
    assert all(role["rules"] == [rule] for role in found["Role"])
    assert "ClusterRole" not in found
    subject = {"kind": "ServiceAccount", "name": "hooks", "namespace": "kubeflow"}
    assert all(binding["subjects"] == [subject] for binding in found["RoleBinding"])
    found = installed(everywhere=True)
    assert [role["rules"] for role in found["ClusterRole"]] == [[rule]]
    assert "Role" not in found


def test_the_pod_is_restricted() -> None:
    (deployment,) = installed(namespaces=("a",), replicas=3)["Deployment"]
    spec = deployment["spec"]
    assert spec["replicas"] == 3
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"startupProbe", "livenessProbe", "readinessProbe", "resources"} <= set(container)
    drain, grace = (
        int(each.partition("=")[2])
        for name in ("--drain", "--grace")
        for each in container["args"]
        if each.startswith(name)
    )
    assert pod["terminationGracePeriodSeconds"] > drain + grace
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize(
    ("options", "selector"),
    [
        (
            {"namespaces": ("a", "b")},
            {
                "matchExpressions": [
                    {
                        "key": "kubernetes.io/metadata.name",
                        "operator": "In",
                        "values": ["a", "b"],
                    }
                ]
            },
        ),
        ({"selector": (("kfp", "on"),)}, {"matchLabels": {"kfp": "on"}}),
        ({"everywhere": True}, None),
    ],
)
def test_which_namespaces_are_judged(options: dict[str, Any], selector: Any) -> None:
    found = installed(**options, ca_bundle="PEM")
    for verb, kind in (("mutate", "Mutating"), ("validate", "Validating")):
        ((hook,),) = (each["webhooks"] for each in found[f"{kind}WebhookConfiguration"])
        assert hook.get("namespaceSelector") == selector
        assert hook["sideEffects"] == "None"
        assert hook["clientConfig"]["caBundle"] == base64.b64encode(b"PEM").decode()
        assert hook["clientConfig"]["service"] == {
            "name": "hooks",
            "namespace": "kubeflow",
            "path": f"/webhooks/{verb}-pipelineversion",
            "port": 443,
        }


def test_the_network_policy() -> None:
    (policy,) = installed(namespaces=("a",))["NetworkPolicy"]
    port = {"port": "https", "protocol": "TCP"}
    selector = {
        "matchLabels": {
            "app.kubernetes.io/name": "kfp-k8s-webhook",
            "app.kubernetes.io/instance": "hooks",
        }
    }
    assert policy["spec"] == {
        "podSelector": selector,
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": [port]}],
    }
    cidrs = ("10.0.0.7/32", "fd00::/64")
    (policy,) = installed(namespaces=("a",), api_server_cidrs=cidrs)["NetworkPolicy"]
    blocks = [{"ipBlock": {"cidr": cidr}} for cidr in cidrs]
    assert policy["spec"] == {
        "podSelector": selector,
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": blocks, "ports": [port]}],
        "egress": [{"to": blocks}],
    }


@pytest.mark.parametrize(
    ("given", "written"),
    [("10.0.0.7/32", "10.0.0.7/32"), ("10.0.0.7", "10.0.0.7/32"), ("FD00::/64", "fd00::/64")],
)
def test_the_addresses_of_api_servers(
    kfp_k8s: Run, tmp_path: Path, given: str, written: str
) -> None:
    done = kfp_k8s(
        *("webhook", "manifests", "--cert-manager", "--api-server-cidr", given),
        *("--api-server-cidr", "192.0.2.0/24", "-o", "out.yaml"),
    )
    assert done.returncode == 0, done.stderr
    documents = yaml.safe_load_all((tmp_path / "out.yaml").read_text())
    (policy,) = (each for each in documents if each["kind"] == "NetworkPolicy")
    assert [each["ipBlock"]["cidr"] for each in policy["spec"]["ingress"][0]["from"]] == [
        written,
        "192.0.2.0/24",
    ]


def test_cert_manager() -> None:
    found = installed(namespaces=("a",), cert_manager=True)
    assert len(found["Issuer"]) == len(found["Certificate"]) == 2
    (serving,) = (c["spec"] for c in found["Certificate"] if "dnsNames" in c["spec"])
    assert serving["dnsNames"][0] == "hooks.kubeflow.svc"
    (volume,) = (
        v for v in found["Deployment"][0]["spec"]["template"]["spec"]["volumes"] if "secret" in v
    )
    assert volume["secret"]["secretName"] == serving["secretName"]
    for kind in ("Mutating", "Validating"):
        (configuration,) = found[f"{kind}WebhookConfiguration"]
        assert configuration["metadata"]["annotations"] == {
            "cert-manager.io/inject-ca-from": "kubeflow/hooks"
        }


def test_a_name_of_63_characters_fits_in_the_authority_s_certificate() -> None:
    """cert-manager refuses a common name of more than 64, as X.509 has it."""
    found = installed(name="a" * 63, namespaces=("a",), cert_manager=True)
    names = [c["spec"]["commonName"] for c in found["Certificate"] if "commonName" in c["spec"]]
    assert names == ["a" * 63 + "-"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "pass either --ca-bundle FILE or --cert-manager"),
        (["--cert-manager", "--ca-bundle", "ca.pem"], "pass either --ca-bundle FILE"),
        (["--cert-manager", "--global", "--watch", "a"], "exclude each other"),
        (["--cert-manager", "--name", "No"], "--name 'No'"),
        (["--cert-manager", "--name", "1a"], "--name '1a' must begin with a letter"),
        (["--cert-manager", "--watch", "a.b"], "--watch 'a.b'"),
        (["--ca-bundle", "bad.pem"], "no PEM certificate"),
        (["--ca-bundle", "ca.pem", "--url", "http://x"], "must begin with https://"),
        (
            ["--cert-manager", "--api-server-cidr", "10.0.0.7/24"],
            "--api-server-cidr '10.0.0.7/24': 10.0.0.7/24 has host bits set (for example 10.0.0.7/32",
        ),
        (
            ["--cert-manager", "--api-server-cidr", "x"],
            "--api-server-cidr 'x': 'x' does not appear",
        ),
        (["--cert-manager", "--target", "1.0"], "target '1.0' is not known"),
        (["--cert-manager", "--image", "a b"], "--image 'a b' is no container image"),
        (
            ["--ca-bundle", "ca.pem", "--url", "https://x", "--replicas", "3"],
            "--replicas is about the server, and --url names one that runs elsewhere",
        ),
    ],
)
def test_wrong_usage(kfp_k8s: Run, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "ca.pem").write_bytes(CertificateAuthority().certificate)
    (tmp_path / "bad.pem").write_text("nothing\n")
    done = kfp_k8s("webhook", "manifests", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_the_command(kfp_k8s: Run, tmp_path: Path) -> None:
    done = kfp_k8s("webhook", "manifests", "--cert-manager", "-n", "a", "-o", "out.yaml")
    assert done.returncode == 0, done.stderr
    documents = list(yaml.safe_load_all((tmp_path / "out.yaml").read_text()))
    assert {"Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service"} <= {
        each["kind"] for each in documents
    }
    assert documents[-1]["kind"] == "ValidatingWebhookConfiguration"


@pytest.mark.parametrize(
    "command", ["crds", "webhook manifests --cert-manager", "crds --target kep"]
)
def test_writing_manifests_imports_neither_kfp_nor_a_web_server(command: str) -> None:
    code = (
        "import sys\nfrom kfp_k8s_manifest.cli import cli\n"
        f"cli({command.split()!r}, standalone_mode=False)\n"
        "heavy = {'kfp', 'kubernetes', 'aiohttp', 'asyncio', 'prometheus_client'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_serving_without_the_extra(kfp_k8s: Run, tmp_path: Path) -> None:
    (tmp_path / "aiohttp.py").write_text("raise ModuleNotFoundError(name='aiohttp')")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from kfp_k8s_manifest.cli import cli\n"
        "cli(['webhook', 'serve'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "aiohttp is not installed: pip install 'kfp-k8s-manifest[webhook]'" in done.stderr


def test_serving_without_a_certificate(kfp_k8s: Run, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp", reason="needs the extra 'webhook'")
    (tmp_path / "config").write_text(
        '{"clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],'
        '"contexts": [{"name": "c", "context": {"cluster": "c"}}], "current-context": "c"}'
    )
    done = kfp_k8s("webhook", "serve", "--kubeconfig", "nope")
    assert done.returncode == 1
    assert "the kubeconfig 'nope' does not exist" in done.stderr
