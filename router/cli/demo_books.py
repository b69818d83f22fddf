"""What the operator of the cells can see of a payment, read from their own records: timelines, ledger accounts, customs logs.

Reads only, through the rooms' own stores, beside the running stack. Amounts in minor units.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cells.cell import Institution, open_ledger
from cells.customs import store as customs
from cells.customs.chain import CustomsEntry, verify_chain
from cells.kit.hashchain import Break, Head
from cells.ledger.chart import CURRENCY_OF_LEDGER, AccountKey, AccountType, rail_numbers, read_account_id
from cells.ledger.entry import Account
from cells.ledger.ledger import Ledger
from cells.parties.payers import open_payers
from cells.parties.sealing import open_recipient_details
from cells.spec import load_spec
from cells.transfers import store_stream
from cells.transfers.personal import open_parties
from cells.transfers.stream import states
from router.cli.record import institution_of, reading_of

_PAGE = 500


@dataclass(frozen=True)
class Moment:
    """One line of a leg's timeline."""

    cell: str
    event: str
    state: str
    room: str
    at: datetime


@dataclass(frozen=True)
class Balance:
    """One account's totals."""

    name: str
    currency: str
    debits: int
    credits: int
    debits_pending: int
    credits_pending: int


@dataclass(frozen=True)
class Customs:
    """A cell's customs log: the entries of one payment, the length of the whole, and the first break of its chain."""

    cell: str
    entries: tuple[CustomsEntry, ...]
    length: int
    broken: Break | None


class Books:
    """One cell's records."""

    def __init__(self, institution: Institution, ledger: Ledger) -> None:
        self._institution = institution
        self._spec = institution.spec
        self.ledger = ledger
        self.cell = institution.spec.name

    async def timeline(self, transfer_id: str) -> list[Moment]:
        async with reading_of(self._institution.pool) as connection:
            lines = await store_stream.stream(connection, self._spec.region, transfer_id)
        told = zip(lines, states(lines), strict=True)
        return [Moment(self.cell, line.event, str(state), line.by, line.at) for line, state in told]

    async def balances(self) -> dict[int, Balance]:
        """Every account of the cell's ledger, by id."""
        found: dict[int, Balance] = {}
        after = 0
        while page := await self.ledger.query_accounts(limit=_PAGE, after_timestamp=after):
            found |= {account.id: self._balance(account) for account in page}
            after = page[-1].timestamp
        return found

    def _balance(self, account: Account) -> Balance:
        key = read_account_id(account.id)
        return Balance(
            name=self._name(key),
            currency=CURRENCY_OF_LEDGER[key.ledger],
            debits=account.debits_posted,
            credits=account.credits_posted,
            debits_pending=account.debits_pending,
            credits_pending=account.credits_pending,
        )

    def _name(self, key: AccountKey) -> str:
        kind = AccountType(key.account_type).name
        if key.peer_number is not None:
            numbers = {cell.number: cell.name for cell in self._spec.directory.cells.values()}
            return f"{kind} {numbers[key.peer_number]}"
        if kind == "RAIL_SETTLEMENT":
            rails = {number: rail for rail, number in rail_numbers().items()}
            return f"{kind} {rails[key.owner & 0xFFFFFFFF]}"
        return kind

    async def customs(self, transfer_id: str) -> Customs:
        async with reading_of(self._institution.pool) as connection:
            head: Head = await customs.read_head(connection, self._spec)
            log: list[CustomsEntry] = []
            while page := await customs.read_log(connection, self._spec, after=log[-1].position if log else 0):
                log += page
        # The head was read first: what was logged since then lies beyond it.
        whole = log[: head.sequence]
        ours = tuple(entry for entry in whole if entry.crossing.transfer_id == transfer_id)
        return Customs(self.cell, ours, len(whole), verify_chain(whole, self.cell, head))

    async def travelled(self, transfer_id: str) -> dict[str, str]:
        """At the destination: what its own key opens of the parties that crossed sealed. Empty where nothing is kept."""
        async with reading_of(self._institution.pool) as connection:
            opened = await open_parties(connection, self._institution.vault, [transfer_id])
        found = opened.get(transfer_id)
        if found is None:
            return {}
        return {"name": found.payer.name, "account_number": found.payer.account_number}

    async def payer_name(self, payer_id: str) -> str | None:
        """The name that this cell's vault keeps under a payer's id; None where it keeps none."""
        async with reading_of(self._institution.pool) as connection:
            found = await open_payers(connection, self._institution.vault, [payer_id])
        return found[payer_id].name if payer_id in found else None

    async def recipient_name(self, token: str) -> str | None:
        """The name that this cell's vault keeps behind a recipient's token; None where it keeps none."""
        row_id = token.partition(".")[0]
        async with reading_of(self._institution.pool) as connection:
            found = await open_recipient_details(connection, self._institution.vault, [row_id])
        return found[row_id].name if row_id in found else None


@asynccontextmanager
async def open_books(home: Path) -> AsyncIterator[Mapping[str, Books]]:
    """The books of every cell under `home`, by cell."""
    async with AsyncExitStack() as stack:
        opened: dict[str, Books] = {}
        for cell in _cells(home):
            spec = load_spec(cell, home)
            institution = await stack.enter_async_context(institution_of(spec))
            ledger = await open_ledger(spec, name="kovra-demo")
            stack.push_async_callback(ledger.close)
            opened[cell] = Books(institution, ledger)
        yield opened


def _cells(home: Path) -> Sequence[str]:
    return sorted(path.parent.name for path in home.glob("*/cell.json"))
