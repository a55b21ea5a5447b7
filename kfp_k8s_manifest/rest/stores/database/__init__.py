"""The store of pipelines in a database, in the tables of KFP's own API server."""

from __future__ import annotations

from kfp_k8s_manifest.rest.stores.database.engine import DatabaseError
from kfp_k8s_manifest.rest.stores.database.store import DatabaseStore

__all__ = ["DatabaseError", "DatabaseStore"]
