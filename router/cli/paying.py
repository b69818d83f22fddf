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
from typing import Any, Literal, TypeVar

from residency import tasks
from residency.errors import KovraError
from router.cli.payments_file import BadLine, LineFault, Payment, column_of
from router.client import KovraClient, ProblemError, Unreachable
from router.client.errors import Problem, StillRunning
from router.client.models import Money, Quote, Transfer

Result = Literal["paid", "not paid", "refused", "under way", "unknown"]
_ATTEMPTS_MAX = 100
_EXPIRED, _INSUFFICIENT = "quote-expired", "insufficient-funds"
Made = TypeVar("Made")


class NoRegion(KovraError):
    code = "no-region"
    title = "No region holds that currency"


class RefusedTooOften(KovraError):
    code = "refused-too-often"
    title = "The line was refused in every run before"


class _PartiesRefused(KovraError):
    """`of`: the code of the first refusal."""

    code = "parties-refused"
    title = "Who pays or is paid was refused"


@dataclass(frozen=True)
class Outcome:
    """What became of a line of the file. `not paid`: it was accepted and came back; `refused`: nothing moved; `unknown`: run the file again."""

    line: int
    reference: str
    result: Result
    status: str = ""
    code: str = ""
    reason: str = ""
    transfer_id: str = ""
    source: Money | None = None
    target: Money | None = None
    seconds: float = 0.0


class Paying:
    """One run. `name` tells this file from others; `region_of_currency` is the API's own word. `short`: by line, what would have left a
    wallet that lacked it."""

    def __init__(self, client: KovraClient, name: str, region_of_currency: Mapping[str, str], *, wait_s: float) -> None:
        self._client = client
        self._name = name
        self._regions = region_of_currency
        self._wait_s = wait_s
        self._parties: dict[str, asyncio.Task[str]] = {}
        self.short: dict[int, Money] = {}

    async def run(
        self, lines: Sequence[Payment | BadLine], *, at_once: int, report: Callable[[Outcome], None]
    ) -> list[Outcome]:
        """An outcome per line, in order; `report` gets each as it comes."""
        slots = asyncio.Semaphore(at_once)

        async def one(line: Payment | BadLine) -> Outcome:
            if isinstance(line, BadLine):
                outcome = Outcome(
                    line.line, line.reference, "refused", code=line.faults[0].code, reason=_all(line.faults)
                )
            else:
                async with slots:
                    outcome = await self._pay(line)
            report(outcome)
            return outcome

        return list(await asyncio.gather(*(one(line) for line in lines)))

    async def _pay(self, line: Payment) -> Outcome:
        began = time.monotonic()

        def ended(result: Result, **more: Any) -> Outcome:
            return Outcome(line.line, line.reference, result, seconds=round(time.monotonic() - began, 3), **more)

        try:
            payer_id, recipient_id = await self._registered(line)
            transfer = await self._accepted(line, payer_id, recipient_id)
        except ProblemError as error:
            problem = error.problem
            if problem.retryable:
                return ended("unknown", code=problem.code, reason=problem.detail)
            return ended("refused", code=problem.code, reason=_all(_faults(problem, "")))
        except (_PartiesRefused, NoRegion, RefusedTooOften) as error:
            return ended("refused", code=error.extra.get("of", error.code), reason=error.detail)
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
                    if error.problem.code == _INSUFFICIENT:
                        self.short[line.line] = quote.source
                    raise
        raise RefusedTooOften(f"It was refused {_ATTEMPTS_MAX} times before; give the file another name or --run.")

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

    def lacked(self) -> dict[str, Decimal]:
        """What the wallets must hold for the lines in `short`, by currency."""
        totals: dict[str, Decimal] = {}
        for one in self.short.values():
            totals[one.currency] = totals.get(one.currency, Decimal()) + one.amount
        return totals

    async def _registered(self, line: Payment) -> tuple[str, str]:
        """(payer, recipient). Raises _PartiesRefused with all that is wrong with either, NoRegion, ProblemError, Unreachable."""
        made = await asyncio.gather(self._payer(line), self._recipient(line), return_exceptions=True)
        faults: list[LineFault] = []
        for one, who in zip(made, ("payer", "recipient"), strict=True):
            if isinstance(one, ProblemError) and not one.problem.retryable:
                faults += _faults(one.problem, who)
            elif isinstance(one, BaseException):
                raise one
        if faults:
            raise _PartiesRefused(_all(faults), of=faults[0].code)
        payer, recipient = (one for one in made if isinstance(one, str))
        return payer, recipient

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
        # A file's name may be no text at all.
        return f"pay-{hashlib.sha256(text.encode(errors='surrogateescape')).hexdigest()}"


async def _awaited(make: Callable[[], Awaitable[Made]]) -> Made:
    return await make()


def _shown(transfer: Transfer) -> dict[str, Any]:
    return {
        "status": transfer.status, "transfer_id": transfer.id, "source": transfer.source, "target": transfer.target,
    }  # fmt: skip


def _faults(problem: Problem, prefix: str) -> list[LineFault]:
    """What a problem document names, each fault by the column that it speaks of; `prefix`: of the party whose body was refused."""
    named = (problem.model_extra or {}).get("errors")
    found = named if isinstance(named, list) and named else [{"pointer": problem.pointer, "detail": problem.detail}]
    return [
        LineFault(
            problem.code, str(one.get("detail", "")), column_of(str(one.get("pointer") or ""), prefix) or prefix or None
        )
        for one in found
    ]


def _all(faults: Sequence[LineFault]) -> str:
    """Everything wrong with a line, each with its column."""
    return " ".join(f"{one.column}: {one.reason}" if one.column else one.reason for one in faults)
