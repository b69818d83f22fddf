"""A process that is connected to its actors' cluster ends in its own order on SIGTERM: Ray's crash handler has no part in it."""

import asyncio
import signal
import sys

from tests.support.ray_cluster import RunningRay

_PROCESS = """
import asyncio, signal, sys
from pathlib import Path
import uvloop
from actors.on_ray import OnRay, RayConnection

async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    runtime = OnRay(RayConnection(sys.argv[1], Path(sys.argv[2])))
    for _ in range(2):
        await runtime.names()
        await runtime._disconnect()
    await runtime.names()
    print("connected", flush=True)
    await stop.wait()
    await runtime.close()
    print("closed", flush=True)

(uvloop.run if sys.argv[3] == "uvloop" else asyncio.run)(main())
"""


async def test_a_connected_process_ends_on_sigterm_without_a_word(ray_cluster: RunningRay) -> None:
    connection = ray_cluster.connection
    for loop in ("uvloop", "asyncio"):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _PROCESS, connection.address, str(connection.token_path), loop,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        assert await process.stdout.readline() == b"connected\n"
        process.send_signal(signal.SIGTERM)
        said, complained = await process.communicate()
        assert (process.returncode, said) == (0, b"closed\n"), complained.decode()
        assert "SIGTERM" not in complained.decode()
