"""What each KFP release knows and does: targets, releases, and their data.

```python
from kfp_k8s_manifest import releases

target = releases.target("2.17")        # UsageError for a name that is none
target.fields("PipelineVersion")        # the CRD fields that may be written
target.mutable_fields                   # what an update may still change
for release in target.releases:         # what an object has to satisfy, release by release
    release.pipeline_label("a-name")
    release.generation                  # the schema of the IR that its webhook uses
```

Nothing is read before it is needed: importing this module costs no file access, and asking for a
target none either; `fields()` and the schema load `data.json` once.
"""

from __future__ import annotations

from kfp_k8s_manifest.model.targets import DEFAULT_TARGET, TARGET_NAMES
from kfp_k8s_manifest.releases._schema import (
    EnumValue,
    IRField,
    enum_values,
    generations,
    message_fields,
    type_names,
)
from kfp_k8s_manifest.releases._values import (
    CrdField,
    FieldType,
    Release,
    Target,
    target,
)

__all__ = [
    "DEFAULT_TARGET",
    "TARGET_NAMES",
    "CrdField",
    "EnumValue",
    "FieldType",
    "IRField",
    "Release",
    "Target",
    "enum_values",
    "generations",
    "message_fields",
    "target",
    "type_names",
]
