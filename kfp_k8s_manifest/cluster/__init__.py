"""The Kubernetes API: one client, and what this package's commands ask with it.

`requests` and `answers` make requests and read answers without IO; `operations` and `watching` are
dialogues made of them. Two clients carry them out: `Client` in this thread, `AsyncClient` (in
`async_client`, with the extra `webhook`) in an event loop.

```python
from kfp_k8s_manifest.cluster import PIPELINES, Client, connect, load_config
from kfp_k8s_manifest.cluster import operations, requests, watching

cluster = connect()                      # kubectl's own configuration, or a pod's
cluster.known_pipelines("team-a")        # ["team-a/train", …], as `check_objects` takes them
cluster.versions("team-a")               # the previous states for its `previous`

client = Client(load_config())
client.send(requests.apply(PIPELINES, obj, field_manager="me"))
client.run(operations.find(requests.delete(PIPELINES, "train", namespace="team-a")))
client.run(operations.list_all(requests.list_objects(PIPELINES, namespace="team-a")))
for event in client.watch(watching.watch(requests.list_objects(PIPELINES))): ...
```
"""

from __future__ import annotations

from kfp_k8s_manifest.cluster import operations, requests, watching
from kfp_k8s_manifest.cluster.answers import ApiError, Event, Page, UnknownTypeError
from kfp_k8s_manifest.cluster.api import Cluster, KubernetesCluster, connect
from kfp_k8s_manifest.cluster.client import Client
from kfp_k8s_manifest.cluster.config import ClusterConfig, in_cluster_config, load_config
from kfp_k8s_manifest.cluster.requests import Object
from kfp_k8s_manifest.cluster.resource_types import PIPELINE_VERSIONS, PIPELINES, ResourceType

__all__ = [
    "PIPELINES",
    "PIPELINE_VERSIONS",
    "ApiError",
    "Client",
    "Cluster",
    "ClusterConfig",
    "Event",
    "KubernetesCluster",
    "Object",
    "Page",
    "ResourceType",
    "UnknownTypeError",
    "connect",
    "in_cluster_config",
    "load_config",
    "operations",
    "requests",
    "watching",
]
