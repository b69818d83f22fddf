"""One attempt at one delivery: signed now, sent once, judged by its status line alone.

httpcore and not a client above it: it follows no redirect, reads no proxy from the environment, keeps no
cookie, and its network backend is a public seam, where the guard stands. The answer's body is never read.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import httpcore

from cells.backends.vault import Vault
from cells.webhooks.endpoints import open_secrets
from cells.webhooks.guard import AddressRefused, GuardedBackend
from cells.webhooks.schedule import Schedule
from cells.webhooks.signing import load_private, sign
from cells.webhooks.store import Delivery

GONE = 410
_USER_AGENT = "Kovra-Webhooks/1"


class Attempt(NamedTuple):
    """What came of an attempt: the status if there was one, a short text that partners may read if it failed."""

    delivered: bool
    status: int | None
    error: str | None


class Sender:
    """Sends deliveries over a pool of connections of its own."""

    def __init__(self, vault: Vault, schedule: Schedule, *, allow_loopback: bool, connections_max: int) -> None:
        self._vault = vault
        self._schedule = schedule
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=connections_max,
            max_keepalive_connections=connections_max,
            keepalive_expiry=30,
            network_backend=GuardedBackend(allow_loopback=allow_loopback),
        )

    async def send(self, delivery: Delivery) -> Attempt:
        """Sign and send. Expected failures are answers; what is raised is a bug or an unreadable vault."""
        secret, private_jwk = open_secrets(self._vault, delivery)
        signed = sign(delivery.event_id, delivery.body, datetime.now(UTC), secret, load_private(private_jwk))
        headers = {"content-type": "application/json", "user-agent": _USER_AGENT, **signed}
        try:
            async with asyncio.timeout(self._schedule.total_s):
                status = await self._post(delivery.url, headers, delivery.body.encode())
        except AddressRefused as refused:
            return Attempt(False, None, str(refused))
        except (TimeoutError, httpcore.TimeoutException):
            return Attempt(False, None, "no answer in time")
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError, OSError) as error:
            # The class, and not the text: TLS and socket errors can carry addresses that are not the
            # partner's.
            return Attempt(False, None, f"no connection ({type(error).__name__})")
        if 200 <= status < 300:
            return Attempt(True, status, None)
        return Attempt(False, status, f"answered {status}")

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        limits = {
            "connect": self._schedule.connect_s,
            "pool": self._schedule.total_s,
            "read": self._schedule.total_s,
            "write": self._schedule.total_s,
        }
        async with self._pool.stream(
            "POST", url, headers=list(headers.items()), content=body, extensions={"timeout": limits}
        ) as response:
            return response.status

    async def close(self) -> None:
        await self._pool.aclose()
