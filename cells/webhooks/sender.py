"""One attempt at one delivery: signed now, sent once, judged by its status line alone.

httpcore and not a client above it: it follows no redirect, reads no proxy from the environment, keeps no
cookie, and its network backend is a public seam, where the guard stands. The answer's body means nothing.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Container, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

import httpcore

from cells.backends.vault import Vault
from cells.webhooks.endpoints import open_keys
from cells.webhooks.guard import AddressRefused, GuardedBackend
from cells.webhooks.schedule import Schedule
from cells.webhooks.signing import SigningKeys, sign
from cells.webhooks.store import Delivery
from cells.webhooks.store_secrets import Target
from residency.errors import needed

GONE = 410
_USER_AGENT = "Kovra-Webhooks/1"
_KEYS_MAX = 1_024
_ANSWER_MAX_BYTES = 4_096
_BODY_WITHIN_S = 1.0


class Fault(StrEnum):
    """What an attempt failed of, as partners read it. The class alone: TLS and socket errors can carry addresses that are not the
    partner's."""

    STATUS = "http_status"
    TIMEOUT = "timeout"
    CONNECTION = "no_connection"
    ADDRESS = "address_not_allowed"
    DISABLED = "endpoint_disabled"
    OURS = "failed_on_our_side"


class Attempt(NamedTuple):
    """What came of an attempt: the HTTP status if there was one, the fault if it failed, how long it took."""

    status: int | None
    fault: Fault | None
    took_ms: int = 0

    @property
    def delivered(self) -> bool:
        return self.fault is None


class Sender:
    """Sends deliveries over a pool of connections of its own."""

    def __init__(
        self, vault: Vault, schedule: Schedule, *, loopback_ports: Container[int], connections_max: int
    ) -> None:
        self._vault = vault
        self._schedule = schedule
        self._keys: OrderedDict[Target, SigningKeys] = OrderedDict()
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=connections_max,
            max_keepalive_connections=connections_max,
            keepalive_expiry=30,
            network_backend=GuardedBackend(loopback_ports),
        )

    async def send(self, delivery: Delivery, target: Target) -> Attempt:
        """Sign and send. Expected failures are answers; what is raised is a bug or an unreadable vault."""
        body = needed(delivery.body, "what is sent has a body")
        signed = sign(delivery.event_id, body, datetime.now(UTC), self._keys_of(target))
        headers = {"content-type": "application/json", "user-agent": _USER_AGENT, **signed}
        began = time.monotonic()
        status, fault = await self._outcome(target.url, headers, body.encode())
        return Attempt(status, fault, round((time.monotonic() - began) * 1000))

    async def _outcome(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int | None, Fault | None]:
        try:
            async with asyncio.timeout(self._schedule.total_s):
                status = await self._post(url, headers, body)
        except AddressRefused:
            return None, Fault.ADDRESS
        except (TimeoutError, httpcore.TimeoutException):
            return None, Fault.TIMEOUT
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError, OSError):
            return None, Fault.CONNECTION
        return status, None if 200 <= status < 300 else Fault.STATUS

    def _keys_of(self, target: Target) -> SigningKeys:
        """Opened once for as long as what is sealed stays the same: opening costs more than signing."""
        keys = self._keys.get(target)
        if keys is None:
            keys = self._keys[target] = open_keys(self._vault, target)
            if len(self._keys) > _KEYS_MAX:
                self._keys.popitem(last=False)
        return keys

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
            await _pass_over(response)
            return response.status

    async def close(self) -> None:
        await self._pool.aclose()


async def _pass_over(response: httpcore.Response) -> None:
    """Let the answer's body go by, so that the connection can be used again. One that is long, slow or broken costs the connection,
    and changes nothing about the status."""
    passed = 0
    with suppress(TimeoutError, httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        async with asyncio.timeout(_BODY_WITHIN_S):
            async for chunk in response.aiter_stream():
                passed += len(chunk)
                if passed > _ANSWER_MAX_BYTES:
                    return
