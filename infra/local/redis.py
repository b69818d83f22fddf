"""One cell's Redis: a cache and a counter, on the loopback address, with a password.

Invariant: nothing that guards money lives here, so nothing is persisted; an empty Redis is a correct one.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from infra.local.binaries import redis_server
from infra.local.child import clean_environment
from infra.local.home import Home, ensure_directory, remembered_secret, write_file
from infra.local.part import Part


@dataclass(frozen=True)
class RedisServer:
    """One server: its folder, its password file and its port."""

    data: Path
    secret: Path
    port: int

    @property
    def configuration_file(self) -> Path:
        return self.data / "redis.conf"

    @property
    def url(self) -> str:
        return f"redis://:{remembered_secret(self.secret)}@127.0.0.1:{self.port}/0"

    def command(self) -> tuple[str, ...]:
        return (str(redis_server()), str(self.configuration_file))

    async def prepare(self) -> None:
        """The configuration, 0600 because it holds the password (an argument would show in `ps`)."""
        ensure_directory(self.data, 0o700)
        lines = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": remembered_secret(self.secret),
            "dir": str(self.data),
            "save": '""',
            "appendonly": "no",
            "maxmemory": "64mb",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "databases": "1",
        }
        write_file(
            self.configuration_file, "".join(f"{key} {value}\n" for key, value in lines.items()), 0o600, durable=False
        )

    async def healthy(self) -> bool:
        """Whether it answers an authenticated PING."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        try:
            writer.write(f"AUTH {remembered_secret(self.secret)}\r\nPING\r\n".encode())
            return await reader.readline() == b"+OK\r\n" and await reader.readline() == b"+PONG\r\n"
        except OSError:
            return False
        finally:
            writer.close()


def server_for(home: Home, cell: str, port: int) -> RedisServer:
    return RedisServer(data=home.cell(cell) / "redis", secret=home.keys(cell) / "redis", port=port)


def part(server: RedisServer, cell: str) -> Part:
    return Part(
        cell=cell,
        name="redis",
        command=server.command(),
        environment=clean_environment(),
        healthy=server.healthy,
        port=server.port,
        prepare=server.prepare,
    )
