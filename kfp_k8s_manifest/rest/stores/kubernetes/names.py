"""Names in the Kubernetes store: which it takes, and what the object of a version is called. Pure.

The rules and texts are KFP 2.17's: `Pipeline` and version names are DNS-1123 subdomains, the object of
version V of pipeline P is called `P-V`, or just `P` where V is P as well.
"""

from __future__ import annotations

from typing import Final

from kfp_k8s_manifest.checks.words import go_quote
from kfp_k8s_manifest.golang.sizes import byte_size
from kfp_k8s_manifest.naming import MAX_OBJECT_NAME, namespace_problems, object_name_problems
from kfp_k8s_manifest.rest.errors import Code, RestError, invalid, not_found

__all__ = [
    "check_namespace",
    "check_pipeline_name",
    "object_name",
    "version_exists",
]

_SUBDOMAIN: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.',"
    " and must start and end with an alphanumeric character (e.g. 'example.com', regex used for"
    r" validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_TOO_LONG: Final = f"must be no more than {MAX_OBJECT_NAME} characters"


def check_pipeline_name(name: str) -> None:
    """See that a pipeline can have a name.

    Raises:
        RestError: It is no name of an object (400).
    """
    _check("pipeline", name)


def check_namespace(namespace: str) -> None:
    """See that a namespace can have a name, since it becomes a part of paths.

    Raises:
        RestError: There cannot be such a namespace (404).
    """
    if namespace_problems(namespace):
        raise not_found("Namespace", namespace)


def object_name(pipeline: str, version: str) -> str:
    """Return the name of the object of a version.

    Args:
        pipeline: The pipeline's name.
        version: The version's name.

    Raises:
        RestError: The version's name is no name of an object, or both are too long together (400).
    """
    _check("pipeline version", version)
    if version == pipeline:
        return pipeline
    combined = f"{pipeline}-{version}"
    if object_name_problems(combined):
        raise invalid(
            f"The combined pipeline and version name {go_quote(combined)} exceeds the Kubernetes"
            f" {MAX_OBJECT_NAME}-character naming limit: {_problem(combined)}"
        )
    return combined


def version_exists(name: str, *, resource: str = "") -> RestError:
    """Return the refusal of a version whose name is taken.

    Args:
        name: The version's name.
        resource: The name of the object that is in its way, where this is of another pipeline.
    """
    clash = f" (resource name: {resource})" if resource else ""
    return RestError(
        Code.ALREADY_EXISTS,
        f"Failed to create a new pipeline version. The name {name} already exists{clash}. Please"
        " specify a new name",
    )


def _check(kind: str, name: str) -> None:
    if object_name_problems(name):
        raise invalid(
            f"Invalid {kind} name {go_quote(name)}: {_problem(name)}. Use 'display_name' for"
            " human-readable labels"
        )


def _problem(name: str) -> str:
    return _TOO_LONG if byte_size(name) > MAX_OBJECT_NAME else _SUBDOMAIN
