"""Small questions to a server: does it take connections, does its /healthz say yes. False is the only other answer."""

import asyncio
import contextlib
from pathlib import Path


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):  # it hung up first
        await writer.wait_closed()


async def accepts_tcp(port: int) -> bool:
    """Whether somebody accepts connections on the loopback port."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    await _closed(writer)
    return True


async def accepts_unix(path: Path) -> bool:
    """Whether somebody accepts connections on the socket file."""
    try:
        _, writer = await asyncio.open_unix_connection(str(path))
    except OSError:
        return False
    await _closed(writer)
    return True


async def answers_http(port: int, path: str = "/healthz") -> bool:
    """Whether GET `path` on the loopback port is answered with 200."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        status_line = await reader.readline()
        return status_line.split(b" ")[1:2] == [b"200"]
    except OSError:
        return False
    finally:
        await _closed(writer)
