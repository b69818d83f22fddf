"""Pays the lines of a file through the partner's client, a bounded number at a time, each to its own outcome.

Invariant: running the same file again pays nothing twice. Every request goes under a key that follows from the file's name and
the line alone, so a repeat finds what the first run made: payer, recipient, quote, transfer. Only a line that was *refused*
before, and so has moved nothing, is tried anew, under the next number of the same sequence.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from residency.errors import KovraError
from residency.wire import Money
from router.cli.parties import NoRegion, Parties, all_of, faults_of
from router.cli.payments_file import BadLine, LineFault, Payment
from router.client import KovraClient, ProblemError, Unreachable
from router.client.errors import StillRunning
from router.client.models import Quote, Transfer

Result = Literal["paid", "not paid", "refused", "under way", "unknown"]
_ATTEMPTS_MAX = 100
_EXPIRED, _INSUFFICIENT = "quote-expired", "insufficient-funds"


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
    """One run. `short`: by line, what would have left a wallet that lacked it."""

    def __init__(self, client: KovraClient, parties: Parties, *, wait_s: float) -> None:
        self._client = client
        self._parties = parties
        self._wait_s = wait_s
        self.short: dict[int, Money] = {}

    async def run(
        self, lines: Sequence[Payment | BadLine], *, at_once: int, report: Callable[[Outcome], None]
    ) -> list[Outcome]:
        """An outcome per line, in order; `report` gets each as it comes."""
        slots = asyncio.Semaphore(at_once)

        async def one(line: Payment | BadLine) -> Outcome:
            if isinstance(line, BadLine):
                outcome = Outcome(
                    line.line, line.reference, "refused", code=line.faults[0].code, reason=all_of(line.faults)
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
            return ended("refused", code=problem.code, reason=all_of(faults_of(problem, "")))
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
                    metadata=line.metadata or None,
                    deadline=line.deadline,
                    key=self._parties.key("transfer", line.digest, str(attempt)),
                )
            except ProblemError as error:
                # A quote that an interrupted run left behind may have expired unused: then nothing has moved either.
                if not error.replayed and error.problem.code != _EXPIRED:
                    if error.problem.code == _INSUFFICIENT:
                        self.short[line.line] = quote.source
                    raise
        raise RefusedTooOften(f"It was refused {_ATTEMPTS_MAX} times before; give the file another name or --run.")

    async def _quote(self, line: Payment, attempt: int) -> Quote:
        key = self._parties.key("quote", line.digest, str(attempt))
        region = self._parties.region(line.source_currency)
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
        made = await asyncio.gather(
            self._parties.payer(line.payer, line.source_currency),
            self._parties.recipient(line.recipient, line.target_currency),
            return_exceptions=True,
        )
        faults: list[LineFault] = []
        for one, who in zip(made, ("payer", "recipient"), strict=True):
            if isinstance(one, ProblemError) and not one.problem.retryable:
                faults += faults_of(one.problem, who)
            elif isinstance(one, BaseException):
                raise one
        if faults:
            raise _PartiesRefused(all_of(faults), of=faults[0].code)
        payer, recipient = (one for one in made if isinstance(one, str))
        return payer, recipient


def _shown(transfer: Transfer) -> dict[str, Any]:
    return {
        "status": transfer.status, "transfer_id": transfer.id, "source": transfer.source, "target": transfer.target,
    }  # fmt: skip
