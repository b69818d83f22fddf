"""Registers who pays and who is paid, as a file of payments describes them: each once, whichever command reads the file, and however often.

Every request goes under a key that follows from the file's name and the party alone, so a repeat finds what the first run made.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from residency import tasks
from residency.errors import KovraError
from router.cli.payments_file import LineFault, Who, column_of
from router.client import KovraClient
from router.client.errors import Problem

Made = TypeVar("Made")


class NoRegion(KovraError):
    code = "no-region"
    title = "No region holds that currency"


class Parties:
    """`name` tells this file from others; `region_of_currency` is the API's own word."""

    def __init__(self, client: KovraClient, name: str, region_of_currency: Mapping[str, str]) -> None:
        self._client = client
        self._name = name
        self._regions = region_of_currency
        self._made: dict[str, asyncio.Task[str]] = {}

    async def payer(self, who: Who, currency: str) -> str:
        """The id of who pays from a wallet in `currency`. Raises NoRegion, ProblemError, Unreachable."""
        if isinstance(who, str):
            return who
        described, region = who, self.region(currency)
        key = self.key("payer", region, repr(sorted(described.items())))

        async def make() -> str:
            return (await self._client.payers.create(region=region, key=key, **described)).id  # type: ignore[arg-type]

        return await self._once(key, make)

    async def recipient(self, who: Who, currency: str) -> str:
        """The id of who is paid into an account in `currency`. Raises NoRegion, ProblemError, Unreachable."""
        if isinstance(who, str):
            return who
        described, region = who, self.region(currency)
        key = self.key("recipient", region, repr(sorted(described.items())))

        async def make() -> str:
            return (await self._client.recipients.create(region=region, key=key, **described)).id  # type: ignore[arg-type]

        return await self._once(key, make)

    def region(self, currency: str) -> str:
        """Raises NoRegion."""
        if currency not in self._regions:
            raise NoRegion(f"No region holds {currency}.")
        return self._regions[currency]

    def key(self, *parts: str) -> str:
        """The Idempotency-Key of what `parts` name in this file."""
        text = "\x00".join(("kovra-pay-v1", self._name, *parts))
        # A file's name may be no text at all.
        return f"pay-{hashlib.sha256(text.encode(errors='surrogateescape')).hexdigest()}"

    async def _once(self, key: str, make: Callable[[], Awaitable[str]]) -> str:
        """Lines with one party register it once, also while they run at the same time."""
        if key not in self._made:
            self._made[key] = tasks.asked(_awaited(make), "a party")
        return await asyncio.shield(self._made[key])


async def _awaited(make: Callable[[], Awaitable[Made]]) -> Made:
    return await make()


def faults_of(problem: Problem, prefix: str) -> list[LineFault]:
    """What a problem document names, each fault by the column that it speaks of; `prefix`: of the party whose body was refused."""
    named = (problem.model_extra or {}).get("errors")
    found = named if isinstance(named, list) and named else [{"pointer": problem.pointer, "detail": problem.detail}]
    return [
        LineFault(
            problem.code, str(one.get("detail", "")), column_of(str(one.get("pointer") or ""), prefix) or prefix or None
        )
        for one in found
    ]


def all_of(faults: Sequence[LineFault]) -> str:
    """Everything wrong with a line, each with its column."""
    return " ".join(f"{one.column}: {one.reason}" if one.column else one.reason for one in faults)
