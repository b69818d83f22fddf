"""What one cell's lives have asked of its ledger: the postings that must be there, by payment, by posting, or all of them in pages.

A posting is kept nowhere but in the ledger. What it must be follows from the journal's streams, and from the rows of lives, by the one
builder (`postings_of`). A life that cannot be read makes none: its postings in the ledger are then strays, and L11 names the life.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from uuid import UUID

from cells.backends.postgres import Connection
from cells.batches import lives as of_batches
from cells.batches import store as store_batches
from cells.credits import lives as of_credits
from cells.journal import store as journal
from cells.journal.entry import Entry
from cells.ledger.asked import Asked
from cells.ledger.entry import Posting
from cells.payments import asked as of_payments
from cells.payments.lives import account_of
from cells.payments.stream import TRANSFER
from cells.payments.transfer import Transfer
from cells.rails import store_collections
from cells.reconciliation import store_lives
from cells.reconciliation.postings import Expected
from cells.resolutions import lives as of_resolutions
from cells.resolutions import store as store_resolutions
from cells.returns import lives as of_returns
from cells.returns import store as store_returns
from cells.spec import CellSpec
from cells.sub_wallets import lives as of_internal_transfers
from cells.sub_wallets import store as store_internal_transfers
from cells.tenants.store import find_wallets
from residency.errors import KovraError
from residency.ids import compact, encode, is_id

# A payment's postings stand apart in the ledger, in time: so many payments are remembered from one page to the next.
_REMEMBERED: Final = 5_000
_UNREADABLE: Final = (LookupError, ValueError, KovraError)
_Ask = Callable[[], Sequence[Asked]]


@dataclass(slots=True)
class Lives:
    """The lives of a cell as one transaction sees them. Holds the account numbers of wallets, and the payments of the last pages."""

    connection: Connection
    spec: CellSpec
    _numbers: Mapping[str, int] = field(init=False)
    _accounts: dict[str, int] = field(default_factory=dict)
    _seen: dict[int, dict[int, Expected]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._numbers = {entry.name: entry.number for entry in self.spec.directory.cells.values()}

    async def of(self, ids: Iterable[str]) -> dict[str, list[Expected]]:
        """The postings of payments, credits, batches and internal transfers, with all that is of a number of theirs, by id."""
        by_kind: dict[str, list[str]] = {}
        for one in ids:
            if is_id(one):
                by_kind.setdefault(one.partition("_")[0], []).append(one)
        found: dict[str, list[Expected]] = {}
        for kind, several in by_kind.items():
            match kind:
                case "tr":
                    streams = await journal.read(self.connection, self.spec.region, several)
                    found |= await self._of_payments(streams)
                case "col":
                    found |= await self._of_credits(several)
                case "bat":
                    found |= await self._of_batches(several)
                case "bok":
                    found |= await self._of_internal_transfers(several)
        return found

    async def of_postings(self, page: Sequence[Posting]) -> dict[int, Expected]:
        """Those of the postings' payments that have the ids of the page, by posting id."""
        numbers = {one.user_data_128 for one in page}
        if new := numbers - self._seen.keys():
            for number in new:
                self._seen[number] = {}
            for several in (await self.of(self.candidates(new))).values():
                for one in several:
                    self._seen[one.posting.user_data_128][one.posting.id] = one
        expected = {one.id: found for one in page if (found := self._seen[one.user_data_128].get(one.id)) is not None}
        for number in list(self._seen)[: max(0, len(self._seen) - _REMEMBERED)]:
            del self._seen[number]
        return expected

    def candidates(self, numbers: Iterable[int]) -> Iterator[str]:
        """What the payments with those numbers may be called here. Only a payment across the border may have its id from another cell."""
        own = compact(self.spec.name)
        for number in numbers:
            tail = encode(UUID(int=number))
            yield from (f"tr_{compact(cell)}_{tail}" for cell in self.spec.directory.cells)
            yield from (f"{kind}_{own}_{tail}" for kind in store_lives.KINDS)

    async def pages(self, limit: int) -> AsyncIterator[list[Expected]]:
        """Every posting that there must be, in pages of so many lives or entries."""
        region = self.spec.region
        async for streams in journal.streams(self.connection, region, limit):
            legs = {
                one: entries for one, entries in streams.items() if entries[0].kind.partition(".")[0] == TRANSFER.name
            }
            yield _all(await self._of_payments(legs))
        for kind in store_lives.KINDS:
            after = ""
            while ids := await store_lives.page(self.connection, region, kind, after, limit):
                yield _all(await self.of(ids))
                after = ids[-1]

    async def _of_payments(self, streams: Mapping[str, Sequence[Entry]]) -> dict[str, list[Expected]]:
        legs: dict[str, Transfer] = {}
        for one, entries in streams.items():
            try:
                legs[one] = TRANSFER.fold(entries)
            except _UNREADABLE:
                continue
        came = await store_returns.of_transfers(self.connection, self.spec.region, list(legs))
        await self._know(one.wallet_id for one in legs.values())
        found: dict[str, list[Expected]] = {}
        for one, leg in legs.items():
            account = self._accounts.get(leg.wallet_id, 0)
            found[one] = _expected(one, partial(of_payments.chains_asked, streams[one], account, self._numbers))
            for back in came.get(one, ()):
                found[one] += _expected(
                    one, partial(of_returns.chains_asked, back, leg, account, self._numbers), "return"
                )
        return found

    async def _of_credits(self, ids: Sequence[str]) -> dict[str, list[Expected]]:
        rows = await store_collections.find(self.connection, self.spec.region, ids)
        orders = await store_resolutions.of_credits(self.connection, self.spec.region, list(rows))
        await self._know([*(one.wallet_id or "" for one in rows.values()), *(one.wallet_id for one in orders)])
        suspended = {one.collection_id for one in orders if one.suspended}
        found = {
            one: _expected(
                one,
                partial(
                    of_credits.chains_asked, row, self._accounts.get(row.wallet_id or "", 0), resolved=one in suspended
                ),
                "collect",
            )
            for one, row in rows.items()
        }
        for order in orders:
            account = self._accounts.get(order.wallet_id, 0)
            found[order.collection_id] += _expected(
                order.collection_id, partial(of_resolutions.chains_asked, order, account), order.kind
            )
        return found

    async def _of_batches(self, ids: Sequence[str]) -> dict[str, list[Expected]]:
        rows = await store_batches.find(self.connection, self.spec.region, ids)
        await self._know(one.wallet_id for one in rows.values())
        return {
            one: _expected(one, partial(of_batches.chains_asked, row, self._accounts.get(row.wallet_id, 0)))
            for one, row in rows.items()
        }

    async def _of_internal_transfers(self, ids: Sequence[str]) -> dict[str, list[Expected]]:
        rows = await store_internal_transfers.read(self.connection, self.spec.region, ids)
        await self._know(wallet for one in rows.values() for wallet in (one.from_wallet_id, one.to_wallet_id))
        found: dict[str, list[Expected]] = {}
        for one, row in rows.items():
            sides = (self._accounts.get(wallet, 0) for wallet in (row.from_wallet_id, row.to_wallet_id))
            found[one] = _expected(one, partial(of_internal_transfers.chains_asked, row, *sides))
        return found

    async def _know(self, wallet_ids: Iterable[str]) -> None:
        """Learn the accounts of those wallets. One that there is not stays unknown: what follows from its life is then not in the ledger."""
        new = sorted(set(wallet_ids) - self._accounts.keys())
        found = await find_wallets(self.connection, self.spec.region, new) if new else {}
        self._accounts |= {one: account_of(wallet) for one, wallet in found.items()}


def _expected(payment_id: str, asked: _Ask, effect: str | None = None) -> list[Expected]:
    """The postings of all chains that a life has asked for; none where its facts make none. `effect`: what people are shown it as."""
    try:
        return [
            Expected(posting, payment_id, effect or str(one.action), one.outcome, one.at, one.result)
            for one in asked()
            for posting in one.chain
        ]
    except _UNREADABLE:
        return []


def _all(by_id: Mapping[str, Sequence[Expected]]) -> list[Expected]:
    return [one for several in by_id.values() for one in several]
