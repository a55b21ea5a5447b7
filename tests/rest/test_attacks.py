"""The attacks on the webhook server, on the REST API's server: it lives, and answers others meanwhile.

They come over plain HTTP: what TLS adds is the same in both servers, and costs the attacker most.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="needs the extra 'apiserver'")
if sys.platform != "linux":
    pytest.skip("the limit of memory and its measurement are Linux's", allow_module_level=True)

from kfp_k8s_manifest.installation.apiserver import ApiServerOptions, apiserver_manifests
from tests.admission.attacks import ATTACKS, attacking
from tests.rest.process import Running, running
from tests.rest.serving import API, HELLO, form


@dataclass
class Attacked:
    """A server with the memory that its manifest gives it, and a client of it."""

    server: Running
    limit: int

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Any = None
    ) -> Any:
        """Send a request as a client does that tries again."""
        deadline = time.monotonic() + 60
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.server.ports[0], timeout=60)
            try:
                connection.request(method, API + path, body=body, headers=headers or {})
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException):
                assert self.server.process.poll() is None, self.server.log.read_text()[-2000:]
                if time.monotonic() > deadline:
                    raise
                continue
            finally:
                connection.close()
            if answer.status == 503 and time.monotonic() < deadline:
                # There was too much to do.
                time.sleep(0.2)
                continue
            assert answer.status == 200, content
            return json.loads(content)

    def peak(self) -> float:
        """Return the most memory that the server has had, in MiB."""
        status = Path(f"/proc/{self.server.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def manifest() -> tuple[int, dict[str, str]]:
    """Return the memory limit of our own manifest, in MiB, and the environment."""
    options = ApiServerOptions(
        name="a", namespace="a", image="a", store="database", target="2.17", database_secret="a"
    )
    (deployment,) = (d for d in apiserver_manifests(options) if d["kind"] == "Deployment")
    container: Any = deployment["spec"]["template"]["spec"]["containers"][0]  # type: ignore[index,call-overload]
    limit = container["resources"]["limits"]["memory"]
    assert limit.endswith("Mi")
    plain = [each for each in container["env"] if "value" in each]
    return int(limit[:-2]), {each["name"]: each["value"] for each in plain}


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """One server for all attacks, one after the other."""
    folder = tmp_path_factory.mktemp("attacked")
    limit, env = manifest()
    with running(folder, limit=limit * 2**20, env=env) as server:
        yield Attacked(server, limit)


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks(attacked: Attacked, name: str) -> None:
    body, headers = form(("uploadfile", "a.yaml", HELLO.encode()))
    with attacking(name, attacked.server.ports[0], None, "apiserver"):
        made = attacked.request("POST", f"/pipelines/upload?name={name}", body, headers)
        listed = attacked.request("GET", f"/pipelines/{made['pipeline_id']}/versions")
        assert listed["total_size"] == 1
    assert attacked.peak() < attacked.limit
    # Nothing that a client does is a fault of ours.
    log = attacked.server.log.read_text().splitlines()
    assert not [line for line in log if '"exception"' in line]
