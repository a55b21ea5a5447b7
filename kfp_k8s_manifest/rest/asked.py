"""What a message asks for, checked as far as this needs no store: names with their defaults, tags, a URL."""

from __future__ import annotations

from collections.abc import Mapping

from kfp_k8s_manifest.rest.errors import invalid
from kfp_k8s_manifest.rest.messages import PipelineBody, VersionBody
from kfp_k8s_manifest.rest.rules import (
    MAX_NAMESPACE,
    MAX_PIPELINE_NAME,
    check_length,
    check_tags,
)
from kfp_k8s_manifest.rest.values import NewPipeline

__all__ = ["changed_tags", "named_pipeline", "package_url"]


def named_pipeline(body: PipelineBody | None) -> NewPipeline:
    """Return the pipeline that is to be created, with the defaults of its names; its name may be missing.

    Raises:
        RestError: Its name or namespace is too long (400).
    """
    if body is None:
        return NewPipeline(name="", display_name="")
    name = body.name or body.display_name
    check_length("Pipeline.Name", name, MAX_PIPELINE_NAME)
    check_length("Pipeline.Namespace", body.namespace, MAX_NAMESPACE)
    return NewPipeline(
        name=name,
        display_name=body.display_name or name,
        description=body.description,
        namespace=body.namespace,
        tags=body.tags or {},
    )


def package_url(body: VersionBody) -> str:
    """Return the URL of the package of a version that is to be created.

    Raises:
        RestError: There is none (400).
    """
    if body.package_url is None:
        raise invalid("Failed to create a pipeline version. Package URL is nil")
    if not body.package_url:
        raise invalid("Failed to create a pipeline version. Package URL is empty")
    return body.package_url


def changed_tags(body: PipelineBody | VersionBody, *, clear: bool) -> Mapping[str, str] | None:
    """Return the tags that an update sets, or None to keep those that are there.

    Args:
        body: The message.
        clear: Whether the request asks to clear them beside its message.

    Raises:
        RestError: They break the rules (400).
    """
    if body.tags:
        check_tags(body.tags)
        return body.tags
    return {} if clear or body.clear_tags else None
