"""Pays the lines of a file through the partner's client, a bounded number at a time, each to its own outcome.

Invariant: running the same file again pays nothing twice. Every request goes under a key that follows from the file's name and
the line alone, so a repeat finds what the first run made: payer, recipient, quote, transfer. Only a line that was *refused*
before, and so has moved nothing, is tried anew, under the next number of the same sequence.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeVar

from residency import tasks
from residency.errors import KovraError
from router.cli.payments_file import BadLine, Payment
from router.client import KovraClient, ProblemError, Unreachable
from router.client.errors import StillRunning
from router.client.models import Quote, Transfer

Result = Literal["paid", "not paid", "refused", "under way", "unknown"]
_ATTEMPTS_MAX = 100
_EXPIRED = "quote-expired"
Made = TypeVar("Made")


class NoRegion(KovraError):
    code = "no-region"
    title = "No region holds that currency"


@dataclass(frozen=True)
class Outcome:
    """What became of a line. `not paid`: it was accepted and came back; `refused`: nothing moved; `unknown`: run the file again."""

    line: int
    reference: str
    result: Result
    status: str = ""
    code: str = ""
    reason: str = ""
    transfer_id: str = ""
    source: str = ""
    target: str = ""
    seconds: float = 0.0


class Paying:
    """One run. `name` tells this file from others; `region_of_currency` is the API's own word."""

    def __init__(self, client: KovraClient, name: str, region_of_currency: Mapping[str, str], *, wait_s: float) -> None:
        self._client = client
        self._name = name
        self._regions = region_of_currency
        self._wait_s = wait_s
        self._parties: dict[str, asyncio.Task[str]] = {}

    async def run(
        self, lines: Sequence[Payment | BadLine], *, at_once: int, report: Callable[[Outcome], None]
    ) -> list[Outcome]:
        """An outcome per line, in order; `report` gets each as it comes."""
        slots = asyncio.Semaphore(at_once)

        async def one(line: Payment | BadLine) -> Outcome:
            if isinstance(line, BadLine):
                at = f"{line.column}: " if line.column else ""
                outcome = Outcome(line.line, line.reference, "refused", code=line.code, reason=f"{at}{line.reason}")
            else:
                async with slots:
                    outcome = await self._pay(line)
            report(outcome)
            return outcome

        return list(await asyncio.gather(*(one(line) for line in lines)))

    async def _pay(self, line: Payment) -> Outcome:
        began = time.monotonic()

        def ended(result: Result, **more: str) -> Outcome:
            return Outcome(line.line, line.reference, result, seconds=round(time.monotonic() - began, 3), **more)

        try:
            payer_id, recipient_id = await asyncio.gather(self._payer(line), self._recipient(line))
            transfer = await self._accepted(line, payer_id, recipient_id)
        except ProblemError as error:
            problem = error.problem
            if problem.retryable:
                return ended("unknown", code=problem.code, reason=problem.detail)
            at = f"{problem.pointer}: " if problem.pointer else ""
            return ended("refused", code=problem.code, reason=f"{at}{problem.detail}")
        except NoRegion as error:
            return ended("refused", code=error.code, reason=error.detail)
        except Unreachable as error:
            return ended("unknown", code=error.code, reason=error.detail)
        try:
            transfer = await self._client.transfers.wait_for(transfer.id, timeout_s=self._wait_s)
        except (StillRunning, ProblemError, Unreachable) as error:
            return ended("under way", **_shown(transfer), code=error.code, reason=error.detail)
        result: Result = "paid" if transfer.paid else "not paid"
        return ended(result, **_shown(transfer), code=transfer.reason_code or "")

    async def _accepted(self, line: Payment, payer_id: str, recipient_id: str) -> Transfer:
        """The one transfer of this line. Raises ProblemError, Unreachable."""
        for attempt in range(1, _ATTEMPTS_MAX + 1):
            quote = await self._quote(line, attempt)
            try:
                return await self._client.transfers.create(
                    quote_id=quote.id,
                    recipient_id=recipient_id,
                    payer_id=payer_id,
                    reference=line.reference,
                    key=self._key("transfer", line.digest, str(attempt)),
                )
            except ProblemError as error:
                # A quote that an interrupted run left behind may have expired unused: then nothing has moved either.
                if not error.replayed and error.problem.code != _EXPIRED:
                    raise
        raise AssertionError(f"line {line.line} was refused {_ATTEMPTS_MAX} times; nobody runs a file that often")

    async def _quote(self, line: Payment, attempt: int) -> Quote:
        key = self._key("quote", line.digest, str(attempt))
        region = self._region(line.source_currency)
        side, value = line.fixed
        if side == "source":
            source = (value, line.source_currency)
            return await self._client.quotes.create(
                source=source, target_currency=line.target_currency, region=region, key=key
            )
        target = (value, line.target_currency)
        return await self._client.quotes.create(
            target=target, source_currency=line.source_currency, region=region, key=key
        )

    async def needed(self, lines: Sequence[Payment]) -> dict[str, Decimal]:
        """What the wallets must hold for these lines, by currency. Lines that cannot be priced count nothing."""
        totals: dict[str, Decimal] = {}
        for line in lines:
            side, value = line.fixed
            amount = Decimal(value)
            if side == "target":
                try:
                    amount = (await self._quote(line, 1)).source.amount
                except (ProblemError, NoRegion):
                    continue
            totals[line.source_currency] = totals.get(line.source_currency, Decimal()) + amount
        return totals

    async def _payer(self, line: Payment) -> str:
        region = self._region(line.source_currency)
        key = self._key("payer", region, repr(sorted(line.payer.items())))

        async def make() -> str:
            return (await self._client.payers.create(region=region, key=key, **line.payer)).id  # type: ignore[arg-type]

        return await self._once(key, make)

    async def _recipient(self, line: Payment) -> str:
        region = self._region(line.target_currency)
        key = self._key("recipient", region, repr(sorted(line.recipient.items())))

        async def make() -> str:
            return (await self._client.recipients.create(region=region, key=key, **line.recipient)).id  # type: ignore[arg-type]

        return await self._once(key, make)

    async def _once(self, key: str, make: Callable[[], Awaitable[str]]) -> str:
        """Lines with one payer register it once, also while they run at the same time."""
        if key not in self._parties:
            self._parties[key] = tasks.asked(_awaited(make), "a party")
        return await asyncio.shield(self._parties[key])

    def _region(self, currency: str) -> str:
        if currency not in self._regions:
            raise NoRegion(f"No region holds {currency}.")
        return self._regions[currency]

    def _key(self, *parts: str) -> str:
        text = "\x00".join(("kovra-pay-v1", self._name, *parts))
        return f"pay-{hashlib.sha256(text.encode()).hexdigest()}"


async def _awaited(make: Callable[[], Awaitable[Made]]) -> Made:
    return await make()


def _shown(transfer: Transfer) -> dict[str, str]:
    return {
        "status": transfer.status,
        "transfer_id": transfer.id,
        "source": f"{transfer.source.value} {transfer.source.currency}",
        "target": f"{transfer.target.value} {transfer.target.currency}",
    }
