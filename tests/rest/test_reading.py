"""Large packages are read beside other work, and not too many at a time."""

from __future__ import annotations

import asyncio
import threading

import pytest

from kfp_k8s_manifest.rest import reading
from kfp_k8s_manifest.rest.errors import RestError
from kfp_k8s_manifest.rest.reading import Packages
from tests.rest.serving import HELLO

LARGE = HELLO + "# padding\n" * 2000


def test_a_large_package_is_read_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    def read(text: bytes) -> str:
        threads.append(threading.current_thread() is threading.main_thread())
        return "read"

    monkeypatch.setattr(reading, "read_package", read)

    async def check() -> None:
        packages = Packages()
        await packages.read(HELLO.encode())
        await packages.read(LARGE.encode())
        packages.close()

    asyncio.run(check())
    assert threads == [True, False]


def test_too_many_large_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    going = threading.Event()

    def read(text: bytes) -> str:
        assert going.wait(20)
        return "read"

    monkeypatch.setattr(reading, "read_package", read)

    async def check() -> None:
        packages = Packages()
        tasks = [asyncio.create_task(packages.read(LARGE.encode())) for _ in range(40)]
        await asyncio.sleep(0.1)
        refused = [task for task in tasks if task.done()]
        assert len(refused) == 8
        for task in refused:
            with pytest.raises(RestError) as caught:
                task.result()
            assert (caught.value.status, caught.value.text) == (
                503,
                "There are too many packages to read; try again",
            )
        # Who leaves gives the place to another.
        tasks[0].cancel()
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(packages.read(LARGE.encode())))
        await asyncio.sleep(0.1)
        assert not tasks[-1].done()
        going.set()
        assert await tasks[-1] == "read"
        await asyncio.gather(*tasks, return_exceptions=True)
        packages.close()

    asyncio.run(check())
