"""Looks at a cluster and says what is missing or does not fit.

Each check says one of four things: `ok`, `warning`, `error`, or `unknown` where it could not be
carried out, for want of a permission for instance, which is another thing than a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kfp_k8s_manifest.checks.order import check_each
from kfp_k8s_manifest.cluster import ApiError, Cluster
from kfp_k8s_manifest.errors import ClusterError, SourceError
from kfp_k8s_manifest.findings import Severity
from kfp_k8s_manifest.installation.crds import served_schema
from kfp_k8s_manifest.model.ir import JsonValue
from kfp_k8s_manifest.model.kinds import (
    API_VERSION,
    GROUP,
    PIPELINE,
    PIPELINE_VERSION,
    PLURALS,
    VERSION,
)
from kfp_k8s_manifest.model.resources import resource_from_dict
from kfp_k8s_manifest.releases import TARGET_NAMES, Target
from kfp_k8s_manifest.releases import target as find_target

__all__ = ["Diagnosis", "examine"]

Object = Mapping[str, JsonValue]

_VERBS: Final = ("get", "list", "create", "update", "patch", "delete")
_PROBE: Final = "kfp-k8s-doctor-probe"
# With this code our webhook refuses what it cannot judge for the moment.
_NOT_NOW: Final = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What one check says.

    Attributes:
        check: Which one: `api-server`, `crd`, `webhook`, `permissions` or `object`.
        status: `ok`, `warning`, `error` or `unknown`.
        subject: What was looked at, such as a CRD's name.
        message: What is the case.
        hint: What would change it, or "".
    """

    check: str
    status: str
    subject: str
    message: str
    hint: str = ""


def examine(
    cluster: Cluster, *, namespace: str, target: Target, everywhere: bool = False
) -> Iterator[Diagnosis]:
    """Examine a cluster, check by check.

    Nothing is changed: the one object that is created, to see whether the webhooks answer, is
    created as a dry run.

    Args:
        cluster: The cluster.
        namespace: The namespace whose permissions, webhooks and objects are looked at.
        target: The releases under which the objects should be valid.
        everywhere: True to look at the objects of all namespaces.
    """
    try:
        version = cluster.server_version()
    except ClusterError as error:
        yield Diagnosis(check="api-server", status="error", subject=cluster.server,
                        message=str(error))  # fmt: skip
        return
    yield Diagnosis(check="api-server", status="ok", subject=cluster.server,
                    message=f"Kubernetes {version} answers")  # fmt: skip
    place = None if everywhere else namespace
    steps: list[tuple[str, str, Callable[[], Iterator[Diagnosis]]]] = [
        ("crd", "CustomResourceDefinitions", lambda: _crds(cluster, target)),
        ("webhook", "webhook configurations", lambda: _configurations(cluster)),
        ("webhook", f"namespace {namespace}", lambda: _probe(cluster, namespace)),
        ("permissions", f"namespace {namespace}", lambda: _permissions(cluster, namespace)),
        ("object", "PipelineVersions", lambda: _objects(cluster, place, target)),
    ]
    for check, subject, step in steps:
        yield from _guarded(check, subject, step)


def _guarded(
    check: str, subject: str, step: Callable[[], Iterator[Diagnosis]]
) -> Iterator[Diagnosis]:
    try:
        yield from step()
    except ClusterError as error:
        yield Diagnosis(
            check=check, status="unknown", subject=subject, message=f"cannot be checked: {error}"
        )


def _crds(cluster: Cluster, target: Target) -> Iterator[Diagnosis]:
    fits: dict[str, list[str]] = {}
    for kind, plural in PLURALS.items():
        name = f"{plural}.{GROUP}"
        found = cluster.crd(plural)
        if found is None:
            yield Diagnosis(
                check="crd", status="error", subject=name, message="is not installed",
                hint="kfp-k8s crds | kubectl apply --server-side -f -",
            )  # fmt: skip
            continue
        schema = _served(found)
        if schema is None:
            message = f"does not serve {VERSION}"
            yield Diagnosis(check="crd", status="error", subject=name, message=message)
            continue
        fields = _fields(schema)
        fits[kind] = [
            each
            for each in TARGET_NAMES
            if each != "portable"
            and fields == _fields(served_schema(kind, find_target(each).releases[-1]))
        ]
        yield _fit(kind, name, fields, fits[kind], target)
        established = _condition(found, "Established")
        if established != "True":
            message = f"is not established (status {established!r})"
            yield Diagnosis(check="crd", status="error", subject=name, message=message)
    if len(fits) == 2 and all(fits.values()) and not set.intersection(*map(set, fits.values())):
        yield Diagnosis(
            check="crd", status="warning", subject=GROUP,
            message="the two CRDs are of different releases: "
            + "; ".join(f"{kind} {_listed(names)}" for kind, names in fits.items()),
            hint="Install both of one release: kfp-k8s crds --target RELEASE",
        )  # fmt: skip


def _fit(
    kind: str, name: str, fields: Mapping[str, Any], fits: Sequence[str], target: Target
) -> Diagnosis:
    wanted = sorted(set(target.fields(kind)) - set(fields))
    if wanted:
        return Diagnosis(
            check="crd", status="error", subject=name,
            message=f"fits {_listed(fits)}, but lacks {', '.join(wanted)} of target {target.name}:"
            " the API server drops these fields",
            hint=f"kfp-k8s crds --target {target.name} | kubectl apply --server-side -f -",
        )  # fmt: skip
    status = "ok" if fits else "warning"
    message = f"fits {_listed(fits)}"
    if not fits:
        newest = _fields(served_schema(kind, find_target(TARGET_NAMES[-1]).releases[-1]))
        odd = sorted(key for key in {*fields, *newest} if fields.get(key) != newest.get(key))
        message = f"fits no release; from the newest it differs in {', '.join(odd) or 'nothing'}"
    return Diagnosis(check="crd", status=status, subject=name, message=message)


def _listed(names: Sequence[str]) -> str:
    return f"KFP {', '.join(names)}" if names else "no release"


def _served(crd: Object) -> Mapping[str, Any] | None:
    for version in _at(crd, "spec").get("versions") or ():
        if version.get("name") == VERSION and version.get("served"):
            return _at(_at(version, "schema"), "openAPIV3Schema")
    return None


def _fields(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `spec` and what the schema says of each, less its descriptions."""
    spec = _at(_at(schema, "properties"), "spec")
    return {
        name: {key: value for key, value in _at(_at(spec, "properties"), name).items()
               if key != "description"}
        for name in _at(spec, "properties")
    }  # fmt: skip


def _condition(obj: Object, kind: str) -> str:
    for condition in _at(obj, "status").get("conditions") or ():
        if condition.get("type") == kind:
            return str(condition.get("status"))
    return "Unknown"


def _configurations(cluster: Cluster) -> Iterator[Diagnosis]:
    seen = set()
    for configuration in cluster.webhook_configurations():
        kind = str(configuration["kind"]).removesuffix("WebhookConfiguration").lower()
        name = str(_at(configuration, "metadata").get("name"))
        for hook in configuration.get("webhooks") or ():
            rules = [rule for rule in hook.get("rules") or () if _covers(rule)]
            if rules:
                seen.add(kind)
                yield from _hook(cluster, configuration, hook, rules, f"{kind} webhook {name}")
    for kind in ("mutating", "validating"):
        if kind not in seen:
            yield Diagnosis(
                check="webhook", status="error", subject=f"{kind} webhook",
                message="no configuration covers pipelineversions, so they are stored unjudged"
                + (" and without an owner" if kind == "mutating" else ""),
                hint="Start the KFP API server with --pipelines-store=kubernetes, or install ours:"
                " kfp-k8s webhook manifests",
            )  # fmt: skip


def _covers(rule: Mapping[str, Any]) -> bool:
    def has(key: str, *words: str) -> bool:
        return any(word in (rule.get(key) or ()) for word in words)

    return has("apiGroups", GROUP, "*") and has("resources", PLURALS[PIPELINE_VERSION], "*", "*/*")


def _hook(
    cluster: Cluster,
    configuration: Object,
    hook: Mapping[str, Any],
    rules: Sequence[Mapping[str, Any]],
    subject: str,
) -> Iterator[Diagnosis]:
    problems: list[tuple[str, str, str]] = []
    operations = {each for rule in rules for each in rule.get("operations") or ()}
    missing = {"CREATE", "UPDATE"} - operations if "*" not in operations else set()
    if missing:
        problems.append(("warning", f"is not asked on {' and '.join(sorted(missing))}", ""))
    if hook.get("failurePolicy") == "Ignore":
        problems.append(
            ("warning", "is passed over while it does not answer (failurePolicy Ignore)", "")
        )
    client = _at(hook, "clientConfig")
    if not client.get("caBundle"):
        injected = "cert-manager.io/inject-ca-from" in _at(
            _at(configuration, "metadata"), "annotations"
        )
        problems.append(
            (
                "error" if injected else "warning",
                "has no caBundle" + (", which cert-manager has not filled in" if injected else ""),
                "Look at cert-manager's cainjector and Certificate." if injected else "",
            )
        )
    service = _at(client, "service")
    where = str(client.get("url") or f"{service.get('namespace')}/{service.get('name')}")
    if service:
        ready = cluster.endpoints(str(service.get("namespace")), str(service.get("name")))
        if ready is None:
            problems.append(("error", f"its service {where} does not exist", ""))
        elif not ready:
            problems.append(("error", f"its service {where} has no ready endpoint", ""))
    for status, message, hint in problems:
        yield Diagnosis(check="webhook", status=status, subject=subject, message=message, hint=hint)
    if not problems:
        yield Diagnosis(
            check="webhook", status="ok", subject=subject, message=f"is configured at {where}"
        )


def _probe(cluster: Cluster, namespace: str) -> Iterator[Diagnosis]:
    """Ask the API server to create, as a dry run, what every webhook refuses."""
    subject = f"namespace {namespace}"
    obj = {
        "apiVersion": API_VERSION,
        "kind": PIPELINE_VERSION,
        "metadata": {"name": _PROBE},
        "spec": {"pipelineName": _PROBE, "pipelineSpec": {}},
    }
    try:
        cluster.dry_run(obj, namespace)
    except ApiError as error:
        said = error.server_message
        if "denied the request" in said and error.code == _NOT_NOW:
            yield Diagnosis(check="webhook", status="error", subject=subject,
                            message=f"a webhook cannot judge: {said}")  # fmt: skip
        elif "denied the request" in said:
            yield Diagnosis(check="webhook", status="ok", subject=subject,
                            message="the webhooks answer, and refuse what they should")  # fmt: skip
        elif "failed calling webhook" in said or "failed to call webhook" in said:
            yield Diagnosis(check="webhook", status="error", subject=subject,
                            message=f"a webhook does not answer: {said}")  # fmt: skip
        else:
            raise
        return
    yield Diagnosis(
        check="webhook", status="error", subject=subject,
        message="a PipelineVersion without a Pipeline is accepted: no webhook judges this namespace",
        hint="Look at the namespaceSelector of the webhook configurations.",
    )  # fmt: skip


def _permissions(cluster: Cluster, namespace: str) -> Iterator[Diagnosis]:
    for plural in PLURALS.values():
        missing = [verb for verb in _VERBS if not cluster.can(verb, plural, namespace, group=GROUP)]
        subject = f"{plural} in namespace {namespace}"
        if missing:
            message = f"the current user may not {', '.join(missing)}"
            yield Diagnosis(check="permissions", status="warning", subject=subject, message=message)
        else:
            message = f"the current user may {', '.join(_VERBS)}"
            yield Diagnosis(check="permissions", status="ok", subject=subject, message=message)


def _objects(cluster: Cluster, namespace: str | None, target: Target) -> Iterator[Diagnosis]:
    pipelines = cluster.known_pipelines(namespace)
    versions = cluster.versions(namespace)
    good = 0
    for version in versions:
        faults = list(_faults(version, pipelines, target))
        good += not faults
        yield from faults
    if good == len(versions):
        yield Diagnosis(
            check="object", status="ok", subject="PipelineVersions",
            message=f"all {good} are valid under target {target.name}",
        )  # fmt: skip


def _faults(version: Object, pipelines: Sequence[str], target: Target) -> Iterator[Diagnosis]:
    metadata = _at(version, "metadata")
    subject = f"{metadata.get('namespace')}/{metadata.get('name')}"

    def warned(message: str, hint: str = "") -> Diagnosis:
        return Diagnosis(
            check="object", status="warning", subject=subject, message=message, hint=hint
        )

    try:
        manifest = resource_from_dict(version).to_dict()
    except SourceError as error:
        yield warned(f"would be rejected by target {target.name}: {error}")
        return
    owners = metadata.get("ownerReferences") or ()
    if not any(owner.get("kind") == PIPELINE for owner in owners):
        yield warned(
            "has no owner reference, so it was created while no webhook was there; it stays when"
            " its Pipeline is deleted",
            f"kubectl label pipelineversion -n {metadata.get('namespace')} {metadata.get('name')}"
            " checked=true (any update sets it)",
        )
    # The labels of the webhook are no fault of the author's.
    labels = {k: v for k, v in _at(manifest["metadata"], "labels").items() if GROUP not in k}
    manifest["metadata"] = {**manifest["metadata"], "labels": labels}
    (findings,) = check_each([manifest], target=target, known_pipelines=pipelines, lint=False)
    for finding in findings:
        if finding.severity is Severity.ERROR:
            yield warned(
                f"would be rejected by target {target.name}: {finding.message}", finding.hint
            )


def _at(obj: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = obj.get(key)
    return value if isinstance(value, Mapping) else {}
