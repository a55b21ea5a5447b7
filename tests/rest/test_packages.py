from __future__ import annotations

import pytest

from kfp_k8s_manifest.rest.errors import RestError
from kfp_k8s_manifest.rest.packages import read_package
from kfp_k8s_manifest.rest.values import Spec

SMALL = "pipelineInfo:\n  name: x\nroot: {}\nschemaVersion: 2.1.0\n"


def refusal(package: str) -> str:
    with pytest.raises(RestError) as caught:
        read_package(package.encode())
    assert caught.value.status == 400
    return caught.value.text


def test_the_smallest_package() -> None:
    assert read_package(SMALL.encode()) == Spec(
        pipeline={"pipelineInfo": {"name": "x"}, "root": {}, "schemaVersion": "2.1.0"}
    )


@pytest.mark.parametrize("package", ["", "\n\n", "---\n", "a: b\n", "name: Comp\ninputs: []\n"])
def test_what_is_no_package_at_all(package: str) -> None:
    assert refusal(package) == "unknown template format"
