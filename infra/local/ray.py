"""One cell's Ray cluster: a head on the loopback address, open only to who has the cell's token.

Invariants: no dashboard, no usage statistics, no autoscaler; `RAY_AUTH_MODE=token` on every side; nothing of the
cluster outlives its head (keeper.py). This file starts Ray and does not import it: that costs a second.
"""

import asyncio
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from infra.local.binaries import script
from infra.local.child import clean_environment, kovra_environment
from infra.local.home import Home, ensure_directory, remembered_secret
from infra.local.part import Part
from infra.local.probes import accepts_tcp, accepts_unix

REPOSITORY = Path(__file__).resolve().parents[2]
KEEPER = Path(__file__).with_name("keeper.py")
_OBJECT_STORE_BYTES = 100 * 1024**2
"""Calls carry small batches inline; the store is a formality (Ray's minimum is 75 MiB)."""


def client_environment(token: Path) -> dict[str, str]:
    """What any process needs in its environment to reach the cell's cluster."""
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        # On Linux too this keeps Ray on 127.0.0.1. Else it listens on every interface, and an address that
        # changes with the network (a laptop's does) takes the cluster down. Head and drivers must agree.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
    }


def kept(*command: str, grace_s: float = 8.0) -> tuple[str, ...]:
    """`command` under a keeper, so that its descendants end with it; asked to stop, it has `grace_s` to do so."""
    return (sys.executable, "-I", "-S", str(KEEPER), str(grace_s), *command)


@dataclass(frozen=True)
class RayHead:
    """`directory` is short (sockets live below it) and ours alone; `cpus` is what the cell declares to Ray. Ray opens a port for its
    remote client whether anybody uses it or not, by default the same for all heads of a machine: `client_port` is this head's own.
    """

    directory: Path
    token: Path
    port: int
    client_port: int
    cpus: int
    home: Path

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def command(self) -> tuple[str, ...]:
        return kept(
            str(script("ray", "ray")),
            "start",
            "--head",
            "--block",
            "--node-ip-address=127.0.0.1",
            f"--port={self.port}",
            f"--ray-client-server-port={self.client_port}",
            # Workers listen where the kernel has room; Ray's own range is one for all clusters of a machine, and
            # refuses a head port inside it.
            "--min-worker-port=0",
            "--max-worker-port=0",
            f"--temp-dir={self.directory / 't'}",
            f"--num-cpus={self.cpus}",
            f"--object-store-memory={_OBJECT_STORE_BYTES}",
            "--include-dashboard=false",
            "--disable-usage-stats",
            "--no-monitor",
            "--include-log-monitor=false",
            # With actors alive Ray takes its time to stop. They hold no truth: nothing is lost by not waiting.
            grace_s=1.5,
        )

    def environment(self) -> dict[str, str]:
        """The head's; its workers, which run our actors, inherit it."""
        return clean_environment(
            **kovra_environment() | client_environment(self.token) | {"KOVRA_HOME": str(self.home)},
            PYTHONPATH=str(REPOSITORY),
            PYTHONUNBUFFERED="1",
            # Ray nices its workers by 15: behind every other process of the laptop.
            RAY_worker_niceness="0",
            RAY_enable_metrics_collection="0",
            # Under load, slow is not dead: Ray's own control store would declare its only node dead after half a minute, and end it.
            RAY_health_check_timeout_ms="60000",
            RAY_health_check_failure_threshold="10",
            RAY_gcs_rpc_server_reconnect_timeout_s="300",
            # A wallet's actor is started when it is needed; idle processes cost 80 MB each.
            RAY_prestart_worker_first_driver="0",
            RAY_enable_worker_prestart="0",
        )

    async def prepare(self) -> None:
        """The token, and a directory without the sessions of earlier starts (Ray keeps them for ever)."""
        remembered_secret(self.token)
        ensure_directory(self.directory, 0o700)
        await asyncio.to_thread(shutil.rmtree, self.directory / "t", True)

    async def healthy(self) -> bool:
        """Whether the control store and the raylet take connections."""
        raylet = self.directory / "t" / "session_latest" / "sockets" / "raylet"
        return await accepts_tcp(self.port) and await accepts_unix(raylet)


def head_for(home: Home, cell: str, port: int, client_port: int, cpus: int) -> RayHead:
    return RayHead(
        directory=home.runtime / f"{cell}-ray",
        token=home.keys(cell) / "ray",
        port=port,
        client_port=client_port,
        cpus=cpus,
        home=home.root,
    )


def part(head: RayHead, cell: str) -> Part:
    return Part(
        cell=cell,
        name="ray",
        command=head.command(),
        environment=head.environment(),
        healthy=head.healthy,
        port=head.port,
        prepare=head.prepare,
        death_signal=signal.SIGTERM,
    )
