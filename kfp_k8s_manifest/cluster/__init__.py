"""The Kubernetes API, behind a small Protocol.

```python
from kfp_k8s_manifest.cluster import connect

cluster = connect()                      # kubectl's own configuration, or a pod's
cluster.known_pipelines("team-a")        # ["team-a/train", …], as `check_objects` takes them
cluster.versions("team-a")               # the previous states for its `previous`
```
"""

from __future__ import annotations

from kfp_k8s_manifest.cluster._http import ApiError
from kfp_k8s_manifest.cluster.api import Cluster, KubernetesCluster, connect
from kfp_k8s_manifest.cluster.config import ClusterConfig, in_cluster_config, load_config

__all__ = [
    "ApiError",
    "Cluster",
    "ClusterConfig",
    "KubernetesCluster",
    "connect",
    "in_cluster_config",
    "load_config",
]
