"""The official TigerBeetle client: one session per process and cluster, with a deadline on every request.

A cluster has 64 sessions, and one more evicts another: so all ledgers of a process share one. The client
itself retries for ever; a request that missed its deadline therefore stays in flight, and its outcome is
unknown, never failed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, TypeVar

from tigerbeetle import (
    Account,
    AccountBalance,
    AccountFilter,
    AccountFilterFlags,
    AccountFlags,
    ClientAsync,
    ClientClosedError,
    ClientEvictedError,
    ClientReleaseTooHighError,
    ClientReleaseTooLowError,
    CreateAccountResult,
    CreateTransferResult,
    QueryFilter,
    QueryFilterFlags,
    TooMuchDataError,
    Transfer,
    TransferFlags,
)

from residency import tasks
from residency.errors import KovraError

__all__ = [
    "Account",
    "AccountBalance",
    "AccountFilter",
    "AccountFilterFlags",
    "AccountFlags",
    "ClientAsync",
    "CreateAccountResult",
    "CreateTransferResult",
    "NoAnswer",
    "QueryFilter",
    "QueryFilterFlags",
    "RequestTooLarge",
    "Session",
    "SessionRefused",
    "Transfer",
    "TransferFlags",
]

_Payload = TypeVar("_Payload")
_Result = TypeVar("_Result")
_Answer = TypeVar("_Answer")


class NoAnswer(KovraError):
    """The deadline passed, or the session ended, before the answer came: the request may be applied, now or
    later.
    """

    code = "tigerbeetle-no-answer"
    status = 503
    retryable = True
    title = "The ledger's server has not answered"


class RequestTooLarge(KovraError):
    """The server takes fewer events in one request. Definite: nothing was sent."""

    code = "tigerbeetle-request-too-large"
    status = 500
    title = "The request is larger than the ledger's server takes"


class SessionRefused(KovraError):
    """The server and this client are of releases that do not go together. Definite: nothing was sent."""

    code = "tigerbeetle-release-mismatch"
    status = 500
    title = "The ledger's server does not work with this release of its client"


class Session:
    """A share in the process's one client for a cluster. Get it with `open`; give it back with `close`."""

    _shared: ClassVar[dict[tuple[int, str], "Session"]] = {}

    def __init__(self, cluster_id: int, addresses: str) -> None:
        self._key = (cluster_id, addresses)
        self._client: ClientAsync | None = ClientAsync(cluster_id, addresses)
        self._shares = 0
        self._late: set[asyncio.Future[Any]] = set()

    @classmethod
    def open(cls, cluster_id: int, addresses: str) -> "Session":
        """`addresses`: comma-separated, one per replica. Connects in the background; the first request waits
        for it.
        """
        session = cls._shared.get((cluster_id, addresses))
        if session is None:
            session = cls._shared[cluster_id, addresses] = cls(cluster_id, addresses)
        session._shares += 1
        return session

    async def request(
        self,
        operation: Callable[[ClientAsync, _Payload], Awaitable[Sequence[_Result]]],
        payload: _Payload,
        *,
        deadline_s: float,
    ) -> Sequence[_Result]:
        """One request, such as `request(ClientAsync.create_transfers, transfers, deadline_s=10)`.

        Raises NoAnswer (outcome unknown), RequestTooLarge and SessionRefused (nothing was sent).
        """
        if self._client is None:
            # Evicted earlier: another session has taken our place, and we take one again.
            self._client = ClientAsync(*self._key)
        work = tasks.asked(_answered(operation(self._client, payload)), "a request to the ledger")
        # Not cancelled with the caller: the client keeps the request's memory until the answer has come.
        self._late.add(work)
        work.add_done_callback(self._forget)
        done, _ = await asyncio.wait({work}, timeout=deadline_s)
        if not done:
            raise NoAnswer()
        try:
            return work.result()
        except TooMuchDataError as error:
            raise RequestTooLarge() from error
        except (ClientReleaseTooLowError, ClientReleaseTooHighError) as error:
            raise SessionRefused(str(error)) from error
        except ClientEvictedError as error:
            await self._drop()
            raise NoAnswer("The session was evicted: more than 64 clients use this cluster.") from error
        except ClientClosedError as error:
            raise NoAnswer("The session was closed.") from error

    async def close(self) -> None:
        """Give back this share; the last one ends the session, and what is still in flight with it."""
        if self._shares == 0:
            return
        self._shares -= 1
        if self._shares == 0:
            del self._shared[self._key]
            await self._drop()

    async def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _forget(self, work: asyncio.Future[Any]) -> None:
        self._late.discard(work)
        if not work.cancelled():
            # Whoever waited has read it; if nobody waits any more, the answer has no reader and is no
            # failure.
            work.exception()


async def _answered(request: Awaitable[_Answer]) -> _Answer:
    return await request
