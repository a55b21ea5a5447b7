"""`kfp-k8s migrate`: from a KFP server to manifests, and back."""

from __future__ import annotations

import click

from kfp_k8s_manifest.cli import LazyGroup

__all__ = ["migrate"]


@click.group(
    cls=LazyGroup,
    lazy={
        "apply": ("migrate_apply", "apply", "Apply manifests to a cluster, in order."),
        "export": ("migrate_export", "export", "Write a server's pipelines as manifests."),
        "ids": ("migrate_ids", "ids", "Tell which id has become which uid."),
        "import": ("migrate_import", "import_", "Upload manifests to a server."),
        "verify": ("migrate_verify", "verify", "Compare a server with manifests or a cluster."),
    },
)
def migrate() -> None:
    """Take the pipelines of a KFP server to Kubernetes objects, and back.

    The server is only read, but for `import`, which uploads to it.
    """
