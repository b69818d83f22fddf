"""Delivers what the scheme has to say to the cell's gateway, until the cell has answered it, and carries out what is due.

Invariant: a message is on record before it is sent, and counted as delivered only when its answer is on record: a killed simulator
goes on where it was. Money in a message is booked when the cell has accepted it, in the same commit.
"""

import asyncio
import contextlib
import json
import logging
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime

import aiohttp

from infra.schemes.clock import SchemeClock
from infra.schemes.config import SnapSettings
from infra.schemes.messages import Unreadable, now_text, read_report
from infra.schemes.rules import SCHEMES
from infra.schemes.signing import PARTICIPANT, signed_headers
from infra.schemes.snap_signing import notice_headers
from infra.schemes.statements import notification
from infra.schemes.store import Entry, Plan, SchemeStore
from infra.schemes.store_notices import CREDIT, NOTIFICATION, RETURN, SNAP_CREDIT, Notice, NoticeStore
from residency import tasks
from residency.retry import Backoff

_log = logging.getLogger("kovra.schemes")
_ACCEPTED = frozenset({"ACCP", "ACSC", "ACCC", "ACSP"})
_BACKOFF = Backoff(0.2, 5.0)
_ANSWER_TIME_S = 20.0
_AT_ONCE_MAX = 8
_LOOK_AGAIN_S = 60.0
# The gateway read it and will never take it: sent again it would be the same.
_NEVER = frozenset({400, 422})
_MONEY = (CREDIT, RETURN, SNAP_CREDIT)
_Answer = tuple[str, str]


class Courier:
    """Works in the background of the server's loop. `gateway`: the cell's API; `secrets` by rail, and `banks` for those that
    speak SNAP."""

    def __init__(
        self,
        store: SchemeStore,
        notices: NoticeStore,
        clock: SchemeClock,
        gateway: str,
        secrets: Mapping[str, bytes],
        banks: Mapping[str, SnapSettings],
        account: str,
        carry_out: Callable[[Plan], None],
    ) -> None:
        self._store = store
        self._notices = notices
        self._clock = clock
        self._gateway = gateway.rstrip("/")
        self._secrets = secrets
        self._banks = banks
        self._account = account
        self._carry_out = carry_out
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(_AT_ONCE_MAX)
        self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_TIME_S))
        self._changed = asyncio.Event()
        self._watch = tasks.keep(self._keep_time, "the schemes' clock")

    def wake(self) -> None:
        """There may be something new to send, or to do."""
        self._changed.set()

    def work(self) -> None:
        """Carry out what is due, and start sending what nobody is sending yet."""
        with self._store.transaction():
            for plan in self._store.take_due(self._clock.now().isoformat()):
                self._carry_out(plan)
        if not self._notices.added:
            return
        self._notices.added = False
        for key in self._notices.open():
            if key not in self._tasks and key[0] in self._secrets:
                self._tasks[key] = tasks.start(self._deliver(*key), f"a delivery of {key[0]}")

    async def close(self) -> None:
        running = [self._watch, *self._tasks.values()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._client.close()

    async def _keep_time(self) -> None:
        while True:
            self._changed.clear()
            self.work()
            due_at = self._store.next_plan()
            wait_s = _LOOK_AGAIN_S
            if due_at is not None:
                wait_s = min(wait_s, (datetime.fromisoformat(due_at) - self._clock.now()).total_seconds())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), max(wait_s, 0.01))

    async def _deliver(self, rail: str, reference: str) -> None:
        unanswered = 0
        try:
            while (notice := self._notices.find(rail, reference)) and notice.deliveries < notice.deliveries_wanted:
                async with self._places:
                    answer = await self._send(notice)
                if answer is None:
                    unanswered += 1
                    await asyncio.sleep(_BACKOFF.pause_s(unanswered))
                    continue
                with self._store.transaction():
                    self._answered(notice, answer)
                self.wake()
        finally:
            del self._tasks[rail, reference]

    def _answered(self, notice: Notice, answer: _Answer) -> None:
        decided = self._notices.answered(notice.rail, notice.reference, *answer)
        if not decided or answer[0] != "accepted" or notice.kind not in _MONEY:
            return
        entry = Entry(
            rail=notice.rail,
            day=self._clock.today(notice.rail),
            direction="CRDT",
            kind="return" if notice.kind == RETURN else "credit",
            currency=notice.currency,
            amount_minor=notice.amount_minor,
            reference=notice.reference,
            end_to_end_id=notice.end_to_end_id,
            at=now_text(),
        )
        self._store.book(entry)
        if notice.kind == CREDIT and SCHEMES[notice.rail].notifies:
            reference = "NT" + uuid.uuid4().hex
            body = notification(self._account, reference, entry)
            self._notices.add(
                Notice(notice.rail, reference, NOTIFICATION, notice.end_to_end_id, notice.tx_id, notice.currency, notice.amount_minor, "", body)
            )  # fmt: skip

    async def _send(self, notice: Notice) -> _Answer | None:
        """(accepted, refused or undeliverable, reason); None while the cell has given no answer that can be read."""
        if notice.kind == SNAP_CREDIT:
            return await self._tell_by_snap(notice)
        headers = signed_headers(self._secrets[notice.rail], notice.body)
        headers |= {PARTICIPANT: notice.rail, "Content-Type": "application/xml"}
        url = f"{self._gateway}/rails/{notice.rail}/inbound"
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError, Unreadable):
            async with self._client.post(url, data=notice.body, headers=headers) as answer:
                return _meaning(notice, answer.status, await answer.read())
        return None

    async def _tell_by_snap(self, notice: Notice) -> _Answer | None:
        path = f"/rails/{notice.rail}/v1.0/transfer-va/payment"
        external_id = f"{uuid.uuid4().int % 10**30:030d}"
        headers = notice_headers(self._banks[notice.rail], path, notice.body, external_id)
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError, ValueError):
            async with self._client.post(self._gateway + path, data=notice.body, headers=headers) as answer:
                code = str(json.loads(await answer.read()).get("responseCode", ""))
                if code == "2002500":
                    return "accepted", ""
                return ("refused", code) if code.startswith(("40025", "40425")) else None
        return None


def _meaning(notice: Notice, status: int, body: bytes) -> _Answer | None:
    """What the cell's answer says. Raises Unreadable."""
    if status in _NEVER:
        return "undeliverable", f"HTTP {status}"
    if notice.kind not in _MONEY:
        return ("accepted", "") if 200 <= status < 300 else None
    if status != 200:
        return None
    code, reason = read_report(body).get(notice.reference, ("", ""))
    if code in _ACCEPTED:
        return "accepted", ""
    return ("refused", reason) if code == "RJCT" else None
