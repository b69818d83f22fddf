"""Book transfers in the main wallet's actor: journal first, ledger last, as for a deposit. And the sub-wallets that it opens.

The API has put the wish on record under an Idempotency-Key; here it is refused, or planned, the ledger asked, and the row
ended with the ledger's word. Repeating any of it changes nothing: a posting's id follows from the row's, and a row ends once.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cells.backends.postgres import Connection
from cells.journal.entry import component
from cells.ledger.ledger import Ledger
from cells.ledger.postings import Action, Chain, postings_of
from cells.ledger.submit import ChainResult
from cells.payments.origin import WalletNotOpen
from cells.payments.transfer import InsufficientFunds
from cells.sub_wallets import store as store_books
from cells.sub_wallets import store_sub_wallets
from cells.sub_wallets.internal_transfer import Book, WalletLocked
from cells.sub_wallets.lives import life_of_internal_transfer
from cells.sub_wallets.store import Loaded

_log = logging.getLogger("kovra.books")
_BY = component("wallet")


@dataclass(frozen=True, slots=True)
class BookOwed:
    """A book transfer on record, the one chain that the ledger has yet to be asked for, and the accounts that it needs to be there."""

    book: Book
    chains: tuple[Chain]
    accounts: tuple[int, int]

    @property
    def subject(self) -> str:
        return self.book.book_id


async def journal(connection: Connection, region: str, book_ids: Sequence[str], ledger: Ledger) -> list[BookOwed]:
    """Plan those that stand; a close whose sub-wallet other money is still on its way to or from waits, and is asked for again."""
    rows = await store_books.load(connection, region, sorted(set(book_ids)))
    refused = {one.book.book_id: reason for one in rows if (reason := _refusal(one)) is not None}
    if refused:
        await store_books.end(connection, region, refused, _BY)
    standing = [one for one in rows if not one.book.over and one.book.book_id not in refused]
    amounts = {one.book.book_id: one.book.amount for one in standing if one.book.kind == "transfer"}
    amounts |= await _close(connection, region, [one for one in standing if one.book.kind == "close"], standing, ledger)
    if empty := {book_id: None for book_id, amount in amounts.items() if amount == 0}:
        await store_books.end(connection, region, empty, _BY)
    owed = [_owed(one, amounts[one.book.book_id]) for one in standing if amounts.get(one.book.book_id)]
    if owed:
        await store_books.plan(connection, region, {one.book.book_id: amounts[one.book.book_id] for one in owed}, _BY)
    return owed


async def close(
    connection: Connection,
    region: str,
    owed: Sequence[BookOwed],
    results: Sequence[Sequence[ChainResult]],
    missing: Mapping[str, int],
) -> None:
    """The ledger has spoken. `results`: those of each one's chain; `missing`: what its wallet lacks, by book id."""
    ended: dict[str, str | None] = {}
    for one, (answer,) in zip(owed, results, strict=True):
        if answer.applied:
            ended[one.book.book_id] = None
        elif answer.lacks_funds or answer.burnt:
            ended[one.book.book_id] = InsufficientFunds.code
        else:
            _log.critical("the ledger refused %s: %s", one.book.book_id, answer.reason.name)
    await store_books.end(connection, region, ended, _BY, missing)


def _refusal(one: Loaded) -> str | None:
    """Why a wish that nobody has acted upon yet cannot be met, as a code; a closed sub-wallet may be emptied again."""
    if one.book.state != "asked":
        return None
    if one.locked:
        return WalletLocked.code
    closing = one.book.kind == "close"
    return None if one.target_open and (one.source_open or closing) else WalletNotOpen.code


async def _close(
    connection: Connection, region: str, closes: Sequence[Loaded], standing: Sequence[Loaded], ledger: Ledger
) -> dict[str, int]:
    """Close sub-wallets, and say how much is in each, by book id. Nobody else takes money out, so it is still there when the ledger is
    asked; those that money is on its way to or from are left as they are."""
    amounts = {one.book.book_id: one.book.amount for one in closes if one.book.state == "planned"}
    asked = [one for one in closes if one.book.state == "asked"]
    if not asked:
        return amounts
    busy = await store_books.touched(connection, region, sorted({one.book.writer_wallet_id for one in asked}))
    for one in standing:
        if one.book.kind == "transfer":
            busy |= {one.book.from_wallet_id, one.book.to_wallet_id}
    quiet = {one.book.from_wallet_id: one for one in asked if one.book.from_wallet_id not in busy}.values()
    await store_sub_wallets.close(connection, region, [one.book.from_wallet_id for one in quiet], _BY)
    accounts = await ledger.lookup_accounts([one.source for one in quiet])
    return amounts | {
        one.book.book_id: accounts[one.source].available if one.source in accounts else 0 for one in quiet
    }


def _owed(one: Loaded, amount: int) -> BookOwed:
    life = life_of_internal_transfer(one.book, one.source, one.target, amount)
    return BookOwed(one.book, (postings_of(life, Action.TRANSFER),), (one.source, one.target))
