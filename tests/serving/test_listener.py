"""Connections that are ended in the midst of a handshake: no socket stays open, none is closed twice."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="the server needs the extra 'webhook'")

from kfp_k8s_manifest.serving.certificate import ServingCertificate
from kfp_k8s_manifest.serving.connections import Connection, ConnectionLimits, Connections
from kfp_k8s_manifest.serving.listener import Listener
from tests.apiserver.certificates import CertificateAuthority


class Client:
    """A client of TLS in the server's own thread, so that the test decides what comes when."""

    def __init__(self, port: int) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._received, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._to_send)
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(0)

    def go_on(self) -> bool:
        """Send the next part of the handshake; tell whether it is the last one."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            last = False
        else:
            last = True
        self.socket.sendall(self._to_send.read())
        return last

    async def receive(self) -> bytes:
        data = await asyncio.get_running_loop().sock_recv(self.socket, 65536)
        self._received.write(data)
        return data


class Recorded(Connections):
    """Connections of a protocol that does nothing."""

    def __init__(self) -> None:
        super().__init__(asyncio.Protocol, ConnectionLimits())
        self.seen: list[Connection] = []

    def new(self, connected: float) -> Connection | None:
        connection = super().new(connected)
        assert connection is not None
        self.seen.append(connection)
        return connection


async def closed(client: Client) -> bool:
    try:
        while await asyncio.wait_for(client.receive(), 20):
            pass
    except ConnectionResetError:
        pass
    return True


@pytest.mark.parametrize("parts", [0, 1, 2])
def test_a_connection_is_ended_when_bytes_of_its_handshake_have_just_come(
    tmp_path: Path, parts: int
) -> None:
    """Its socket was closed under a transport that was watched on, and whoever got its number failed."""
    CertificateAuthority("test").issue_server().write(tmp_path, "tls")
    context = ServingCertificate(tmp_path / "tls.crt", tmp_path / "tls.key").context
    faults: list[dict[str, Any]] = []

    async def test() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, fault: faults.append(fault))
        connections = Recorded()
        listener = Listener(connections, ConnectionLimits(), context)
        client = Client(await listener.listen("127.0.0.1", 0))
        assert not client.go_on()
        while not connections.seen:
            await asyncio.sleep(0)
        (connection,) = connections.seen
        if parts == 1:
            await asyncio.sleep(0)
        elif parts == 2:
            await client.receive()
            assert client.go_on()
        # It runs before what the loop finds readable in the same turn.
        loop.call_soon(connection.end)
        for _ in range(5):
            await asyncio.sleep(0)
        # The next connections get the number of the socket that was closed.
        other = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        async with other:
            for _ in range(3):
                address = other.sockets[0].getsockname()
                reader, writer = await asyncio.open_connection(*address)
                assert await asyncio.wait_for(reader.read(), 20) == b""
                writer.close()
        assert await closed(client)
        assert (len(connections), connections.busy) == (0, 0)
        client.socket.close()
        listener.stop()
        listener.close()

    asyncio.run(asyncio.wait_for(test(), 60))
    assert faults == []
