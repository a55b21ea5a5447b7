"""The rules of `metadata`, as the API server validates it on creation.

The rules are those of `k8s.io/apimachinery/pkg/api/validation/objectmeta.go` with
`NameIsDNSSubdomain` for names, which is what custom resources use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from kfp_k8s_manifest import naming
from kfp_k8s_manifest.checks import registry
from kfp_k8s_manifest.checks.first import First
from kfp_k8s_manifest.checks.server.names import (
    key_message,
    label_value_message,
    name_message,
    quoted_value,
)
from kfp_k8s_manifest.checks.words import (
    finding,
    shown,
    valid_name,
)
from kfp_k8s_manifest.findings import ABSENT, Finding
from kfp_k8s_manifest.golang.sizes import byte_size
from kfp_k8s_manifest.model.kinds import API_VERSION, MAX_ANNOTATIONS

__all__ = ["annotations_size", "check_metadata"]

# A generated name is the first 58 bytes of the prefix and five characters out of this alphabet.
_GENERATED_PREFIX: Final = 58
_GENERATED_SUFFIX: Final = "bcdfg"


def check_metadata(values: Mapping[str, Any]) -> list[Finding]:
    """Check decoded metadata.

    Args:
        values: What `decode_metadata` returned, without a field of a wrong type.
    """
    return [
        *_names(values),
        *_namespace(values),
        *_labels(values.get("labels", {})),
        *_annotations(values.get("annotations", {})),
        *_owner_references(values.get("ownerReferences", ())),
        *_finalizers(values.get("finalizers", ())),
        *_server_fields(values),
    ]


def _names(values: Mapping[str, Any]) -> Iterator[Finding]:
    name, prefix = values.get("name", ""), values.get("generateName", "")
    prefix_problems = naming.object_name_problems(_masked(prefix)) if prefix else []
    if prefix_problems:
        yield finding(
            registry.METADATA_GENERATE_NAME,
            ("metadata", "generateName"),
            f"{shown(prefix)}, with a suffix, {prefix_problems[0]}.",
            value=prefix,
            cluster_message=name_message("metadata.generateName", prefix, masked=_masked(prefix)),
        )
    if name:
        problems = naming.object_name_problems(name)
        if problems:
            yield finding(
                registry.METADATA_NAME,
                ("metadata", "name"),
                f"{shown(name)} {'; '.join(problems)}.",
                value=name,
                hint=valid_name(name, "version"),
                cluster_message=name_message("metadata.name", name),
            )
    elif not prefix:
        yield finding(
            registry.METADATA_NAME,
            ("metadata", "name"),
            "is missing; every object needs a name.",
            value=values.get("name", ABSENT),
            hint="Write a name, such as 'train-v1'.",
            cluster_message="metadata.name: Required value: name or generateName is required",
        )
    else:
        yield from _generated(prefix)


def _generated(prefix: str) -> Iterator[Finding]:
    """Check a name that the API server has yet to generate."""
    start = prefix.encode("utf-8", "surrogatepass")[:_GENERATED_PREFIX]
    generated = start.decode("utf-8", "replace") + _GENERATED_SUFFIX
    problems = naming.object_name_problems(generated)
    if problems:
        yield finding(
            registry.METADATA_NAME,
            ("metadata", "name"),
            f"would be generated as {shown(generated)} or alike, which {problems[0]}.",
            value=prefix,
            hint="Choose another metadata.generateName.",
            cluster_message="metadata.name: Invalid value: ",
        )
        return
    yield finding(
        registry.GENERATE_NAME,
        ("metadata", "generateName"),
        f"{shown(prefix)} gives the object a new name at every creation: `kubectl apply`, Argo CD"
        " and Flux refuse it, only `kubectl create` takes it.",
        value=prefix,
        hint="Write metadata.name instead.",
        cluster_message="cannot use generate name with apply",
    )


def _masked(prefix: str) -> str:
    """Return what the API server checks in place of a prefix: a final dash is not the end.

    Kubernetes drops the dash together with the character before it and writes `a`; that quirk
    lets `A-` pass here.
    """
    if byte_size(prefix) > 1 and prefix.endswith("-"):
        return prefix[:-2] + "a" if ord(prefix[-2]) < 128 else prefix
    return prefix


def _namespace(values: Mapping[str, Any]) -> Iterator[Finding]:
    namespace = values.get("namespace", "")
    problems = naming.namespace_problems(namespace) if namespace else []
    if problems:
        yield finding(
            registry.METADATA_NAMESPACE,
            ("metadata", "namespace"),
            f"{shown(namespace)} {'; '.join(problems)}.",
            value=namespace,
            hint=valid_name(namespace, "namespace"),
        )


def _labels(labels: Mapping[str, str]) -> Iterator[Finding]:
    first = First()
    whole = ("metadata", "labels")
    for key, value in labels.items():
        problems = naming.label_key_problems(key)
        if problems and first.passes(registry.METADATA_LABEL_KEY, whole):
            yield finding(
                registry.METADATA_LABEL_KEY,
                whole,
                f"has the key {shown(key)}, which is invalid: its {_key_words(problems)}.",
                value=key,
                on_key=True,
                cluster_message=key_message("metadata.labels", key),
            )
        problems = naming.label_value_problems(value)
        if problems and first.passes(registry.METADATA_LABEL_VALUE, whole):
            yield finding(
                registry.METADATA_LABEL_VALUE,
                (*whole, key),
                f"{shown(value)} {'; '.join(problems)}.",
                value=value,
                hint=valid_name(value, "label"),
                cluster_message=label_value_message(value),
            )
    yield from first.rest()


def _key_words(problems: Sequence[str]) -> str:
    text = "; ".join(problems)
    return text if text.startswith(("name part", "prefix part")) else f"text {text}"


def annotations_size(annotations: Mapping[str, str]) -> int:
    """Return the bytes of all annotations, keys and values, as the API server counts them."""
    return sum(byte_size(text) for pair in annotations.items() for text in pair)


def _annotations(annotations: Mapping[str, str]) -> Iterator[Finding]:
    first = First()
    whole = ("metadata", "annotations")
    for key in annotations:
        problems = naming.annotation_key_problems(key)
        if problems and first.passes(registry.METADATA_ANNOTATION_KEY, whole):
            yield finding(
                registry.METADATA_ANNOTATION_KEY,
                whole,
                f"has the key {shown(key)}, which is invalid: its {_key_words(problems)}.",
                value=key,
                on_key=True,
                cluster_message=key_message("metadata.annotations", key, lower=True),
            )
    yield from first.rest()
    size = annotations_size(annotations)
    if size > MAX_ANNOTATIONS:
        largest = max(annotations, key=lambda key: len(annotations[key]))
        yield finding(
            registry.METADATA_ANNOTATIONS_SIZE,
            whole,
            f"have {size:,} bytes together; all keys and values of an object may have"
            f" {MAX_ANNOTATIONS:,} bytes. The largest is {shown(largest)}.",
            value=size,
            hint="Keep large values in a ConfigMap.",
            cluster_message="metadata.annotations: Too long: may not be more than 262144 bytes",
        )


def _owner_references(references: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    controllers: list[tuple[int, str]] = []
    seen: set[frozenset[tuple[str, Any]]] = set()
    first = First()
    for index, reference in enumerate(references):
        # Before anything else the API server removes references that equal an earlier one.
        # All that could be decoded in them are strings and booleans.
        content = frozenset(reference.items())
        if content in seen:
            continue
        seen.add(content)
        yield from _owner_reference(reference, index, first)
        if reference.get("controller"):
            controllers.append((index, f"{reference.get('kind')}/{reference.get('name')}"))
    yield from first.rest()
    if len(controllers) > 1:
        index, second = controllers[1]
        yield finding(
            registry.METADATA_OWNER_REFERENCE,
            ("metadata", "ownerReferences", index, "controller"),
            f"is true for {shown(second)} and for {shown(controllers[0][1])}; only one owner may be the"
            " controller.",
            value=True,
            cluster_message="Only one reference can have Controller set to true.",
        )


def _owner_reference(reference: Mapping[str, Any], index: int, first: First) -> Iterator[Finding]:
    whole = ("metadata", "ownerReferences")
    path = (*whole, index)
    api_version = reference.get("apiVersion", "")
    version = api_version
    if "/" in api_version:
        version = api_version.partition("/")[2] if api_version.count("/") == 1 else ""
    if not version and first.passes(registry.METADATA_OWNER_REFERENCE, whole):
        yield finding(
            registry.METADATA_OWNER_REFERENCE,
            (*path, "apiVersion"),
            f"{shown(api_version)} names no version; it must be like {API_VERSION!r} or 'v1'.",
            value=reference.get("apiVersion", ABSENT),
            cluster_message="metadata.ownerReferences.apiVersion: Invalid value: "
            f"{quoted_value(api_version)}version must not be empty",
        )
    for key in ("kind", "name", "uid"):
        if not reference.get(key) and first.passes(registry.METADATA_OWNER_REFERENCE, whole):
            yield finding(
                registry.METADATA_OWNER_REFERENCE,
                (*path, key),
                "is missing or empty; an owner reference needs apiVersion, kind, name and uid.",
                value=reference.get(key, ABSENT),
                hint="Remove the reference if its owner is the Pipeline: KFP's webhook adds it, with the uid.",
                cluster_message=f'metadata.ownerReferences.{key}: Invalid value: "": must not be'
                " empty",
            )
    event = version == "v1" and api_version in ("v1", "/v1") and reference.get("kind") == "Event"
    if event and first.passes(registry.METADATA_OWNER_REFERENCE, whole):
        yield finding(
            registry.METADATA_OWNER_REFERENCE,
            path,
            "names an Event as the owner, which Kubernetes forbids.",
            value=dict(reference),
            cluster_message="/v1, Kind=Event is disallowed from being an owner",
        )


def _finalizers(finalizers: Sequence[str]) -> Iterator[Finding]:
    first = First()
    whole = ("metadata", "finalizers")
    for index, name in enumerate(finalizers):
        problems = naming.qualified_name_problems(name)
        if problems and first.passes(registry.METADATA_FINALIZER, whole):
            yield finding(
                registry.METADATA_FINALIZER,
                (*whole, index),
                f"{shown(name)} is no valid finalizer: its {_key_words(problems)}.",
                value=name,
                cluster_message=key_message("metadata.finalizers", name),
            )
    yield from first.rest()
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        yield finding(
            registry.METADATA_FINALIZER,
            whole,
            "hold both 'orphan' and 'foregroundDeletion', of which only one may be set.",
            value=list(finalizers),
            cluster_message="finalizer orphan and foregroundDeletion cannot be both set",
        )


_REFUSED: Final[Mapping[str, str]] = {
    "uid": "server-side apply refuses the object unless it exists with this uid",
    "resourceVersion": "every later apply fails once the object has changed in the cluster",
    "managedFields": "server-side apply refuses the object",
}
_REFUSED_MESSAGES: Final = {"managedFields": "metadata.managedFields must be nil"}
_IGNORED: Final = (
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
)


def _server_fields(values: Mapping[str, Any]) -> Iterator[Finding]:
    version = values.get("resourceVersion", "")
    if _sets_version(version):
        yield finding(
            registry.METADATA_RESOURCE_VERSION,
            ("metadata", "resourceVersion"),
            f"{shown(version)} may not be set on an object that is to be created; the API server"
            " sets it.",
            value=version,
            hint="Remove it, with all that an export from a cluster adds.",
            cluster_message="resourceVersion should not be set on objects to be created",
        )
        version = ""
    for key, why in _REFUSED.items():
        value = version if key == "resourceVersion" else values.get(key)
        if value:
            yield finding(
                registry.METADATA_SERVER_FIELD,
                ("metadata", key),
                f"is set by the API server; {why}.",
                value=value,
                hint="Remove it.",
                cluster_message=_REFUSED_MESSAGES.get(key, ""),
            )
    for key in _IGNORED:
        if values.get(key):
            yield finding(
                registry.METADATA_IGNORED_FIELD,
                ("metadata", key),
                "is set by the API server; what is written here is ignored.",
                value=values[key],
                hint="Remove it.",
            )


def _sets_version(text: str) -> bool:
    """Tell whether the storage takes a resource version for one: an unsigned integer but 0."""
    return text.isascii() and text.isdigit() and len(text) < 99 and 0 < int(text) < 2**64
