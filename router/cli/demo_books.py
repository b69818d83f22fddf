"""The cells' own ledgers and vaults, read beside the running stack. Amounts in minor units."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from cells.backends.postgres import Connection
from cells.backends.vault import Vault
from cells.cell import Institution, open_ledger
from cells.ledger.chart import CURRENCY_OF_LEDGER
from cells.ledger.ledger import Ledger
from cells.reconciliation.gather import read_accounts
from cells.reconciliation.journey import account_name
from cells.spec import load_spec
from residency.directory import load_directory
from router.cli.record import institution_of, reading_of

Opener = Callable[[Connection, Vault, Sequence[str]], Awaitable[Mapping[str, Any]]]


class Place(NamedTuple):
    cell: str
    account: str
    currency: str


@dataclass(frozen=True)
class Totals:
    """One account's."""

    place: Place
    debit: int
    credit: int
    held: int


Snapshot = Mapping[tuple[str, int], Totals]
"""Accounts by cell and id."""


@dataclass(frozen=True)
class Books:
    """One cell's records."""

    institution: Institution
    ledger: Ledger

    async def totals(self) -> Snapshot:
        """Every account of the cell's ledger."""
        spec = self.institution.spec
        return {
            (spec.name, number): Totals(
                Place(spec.name, account_name(number, spec.directory), CURRENCY_OF_LEDGER[one.ledger]),
                one.debits_posted, one.credits_posted, one.debits_pending + one.credits_pending,
            )
            for number, one in (await read_accounts(self.ledger)).items()
        }  # fmt: skip

    async def opened(self, opener: Opener, subject: str) -> Any | None:
        """What this cell's own keys open of `subject`; None where its vault has nothing."""
        async with reading_of(self.institution.pool) as connection:
            return (await opener(connection, self.institution.vault, [subject])).get(subject)


def moved(before: Snapshot, after: Snapshot) -> dict[Place, tuple[int, int]]:
    """What was posted to each account meanwhile, debit and credit; accounts without any left out."""
    found: dict[Place, tuple[int, int]] = {}
    for account, now in after.items():
        then = before.get(account, Totals(now.place, 0, 0, 0))
        posted = now.debit - then.debit, now.credit - then.credit
        if any(posted):
            assert now.place not in found, f"two accounts {now.place} moved"
            found[now.place] = posted
    return found


@asynccontextmanager
async def open_books(home: Path) -> AsyncIterator[Mapping[str, Books]]:
    """The books of every cell under `home`, by cell."""
    async with AsyncExitStack() as stack:
        opened: dict[str, Books] = {}
        for cell in sorted(load_directory(home).cells):
            spec = load_spec(cell, home)
            institution = await stack.enter_async_context(institution_of(spec))
            ledger = await open_ledger(spec, name="kovra-demo")
            stack.push_async_callback(ledger.close)
            opened[cell] = Books(institution, ledger)
        yield opened
