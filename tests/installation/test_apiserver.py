"""What `kfp-k8s apiserver manifests` writes: the least that each mode needs."""

from __future__ import annotations

from typing import Any

import pytest

from kfp_k8s_manifest.installation.apiserver import ApiServerOptions, apiserver_manifests

GROUP = "pipelines.kubeflow.org"
STORE_RULES = [
    {
        "apiGroups": [GROUP],
        "resources": ["pipelines", "pipelineversions"],
        "verbs": ["get", "list", "watch", "create", "update", "delete"],
    },
    {"apiGroups": [GROUP], "resources": ["pipelineversions/status"], "verbs": ["patch"]},
    {"apiGroups": [GROUP], "resources": ["pipelines/finalizers"], "verbs": ["update"]},
]
REVIEW_RULES = [
    {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
    {
        "apiGroups": ["authorization.k8s.io"],
        "resources": ["subjectaccessreviews"],
        "verbs": ["create"],
    },
]


def installed(**options: Any) -> dict[str, list[dict[str, Any]]]:
    defaults = {
        "name": "ml-pipeline",
        "namespace": "kubeflow",
        "image": "i:1",
        "store": "kubernetes",
        "target": "2.17",
    }
    found: dict[str, list[dict[str, Any]]] = {}
    for each in apiserver_manifests(ApiServerOptions(**{**defaults, **options})):
        found.setdefault(each["kind"], []).append(each)
    return found


def container(**options: Any) -> dict[str, Any]:
    (deployment,) = installed(**options)["Deployment"]
    (found,) = deployment["spec"]["template"]["spec"]["containers"]
    return found


def test_one_namespace_needs_no_rights_beyond_it() -> None:
    found = installed()
    assert [(r["metadata"]["namespace"], r["rules"]) for r in found["Role"]] == [
        ("kubeflow", STORE_RULES)
    ]
    assert "ClusterRole" not in found


def test_a_database_needs_no_rights_at_all() -> None:
    found = installed(store="database", database_secret="db", tls=False)
    assert not {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"} & found.keys()


@pytest.mark.parametrize(
    ("options", "rules"),
    [
        ({"store": "kubernetes"}, [STORE_RULES, REVIEW_RULES]),
        ({"store": "database", "database_secret": "db"}, [REVIEW_RULES]),
    ],
)
def test_multi_user_mode_asks_about_its_callers(
    options: dict[str, Any], rules: list[list[dict[str, Any]]]
) -> None:
    found = installed(multi_user=True, **options)
    assert [role["rules"] for role in found["ClusterRole"]] == rules
    names = [role["metadata"]["name"] for role in found["ClusterRole"]]
    assert len(set(names)) == len(names)
    assert [each["roleRef"]["name"] for each in found["ClusterRoleBinding"]] == names
    assert "Role" not in found


def test_the_database_is_no_argument() -> None:
    found = container(store="database", database_secret="db")
    assert found["env"][-1] == {
        "name": "KFP_K8S_DATABASE_URL",
        "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}},
    }
    assert not [each for each in found["args"] if "database-url" in each]


def test_plain_http_has_no_certificate() -> None:
    options = {"store": "database", "database_secret": "db", "tls": False}
    (deployment,) = installed(**options)["Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    assert [volume["name"] for volume in pod["volumes"]] == ["tmp"]
    (found,) = pod["containers"]
    assert "--insecure-http" in found["args"]
    assert found["readinessProbe"]["httpGet"] == {
        "path": "/readyz",
        "port": "http",
        "scheme": "HTTP",
    }


def test_the_webhooks_are_those_of_the_served_namespaces() -> None:
    for multi_user, selector in (
        (
            False,
            {
                "matchExpressions": [
                    {
                        "key": "kubernetes.io/metadata.name",
                        "operator": "In",
                        "values": ["kubeflow"],
                    }
                ]
            },
        ),
        (True, None),
    ):
        found = installed(webhooks=True, cert_manager=True, multi_user=multi_user)
        (service,) = found["Service"]
        ports = {port["name"]: port["port"] for port in service["spec"]["ports"]}
        assert ports == {"http": 8888, "webhook": 8443}
        for kind in ("Mutating", "Validating"):
            ((hook,),) = (each["webhooks"] for each in found[f"{kind}WebhookConfiguration"])
            assert hook.get("namespaceSelector") == selector
            assert hook["clientConfig"]["service"]["name"] == "ml-pipeline"
            assert hook["clientConfig"]["service"]["port"] == 8443


def test_without_webhooks_there_is_no_configuration_of_them() -> None:
    found = installed()
    assert "MutatingWebhookConfiguration" not in found
    assert "--disable-webhook" in container()["args"]


@pytest.mark.parametrize(
    ("clients", "sources"),
    [
        ((), ["kubeflow"]),
        (("team-a", "kubeflow"), ["kubeflow", "team-a"]),
        (None, None),
    ],
)
def test_who_reaches_the_server(clients: tuple[str, ...] | None, sources: list[str] | None) -> None:
    found = installed(
        client_namespaces=clients, webhooks=True, ca_bundle="PEM", api_server_cidrs=("10.0.0.7/32",)
    )
    (policy,) = found["NetworkPolicy"]
    rest, hooks = policy["spec"]["ingress"]
    assert rest["ports"] == [{"port": "http", "protocol": "TCP"}]
    if sources is None:
        assert "from" not in rest
    else:
        ((peer,),) = (rest["from"],)
        (expression,) = peer["namespaceSelector"]["matchExpressions"]
        assert expression["values"] == sources
    assert hooks == {
        "ports": [{"port": "webhook", "protocol": "TCP"}],
        "from": [{"ipBlock": {"cidr": "10.0.0.7/32"}}],
    }
