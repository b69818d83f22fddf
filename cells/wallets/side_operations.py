"""What a wallet's actor does beside its payments' own lives: money that arrives, orders about it, money that comes back, what its
batches set aside and give back, and what a tenant moves between its own wallets.

Each kind is one command, in a file of its own that journals its chains and closes them with the ledger's word; here they are joined,
so that the saga asks the ledger once for everything. What their closing tells payments is told in the same commit.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cells.backends.postgres import Connection
from cells.batches import funding
from cells.batches.funding import BatchOwed
from cells.credits import book as credits_book
from cells.credits.book import DepositOwed
from cells.journal.entry import component
from cells.ledger import opening
from cells.ledger.ledger import Ledger
from cells.ledger.submit import ChainResult
from cells.payments.transfer import Told
from cells.resolutions import book as resolutions_book
from cells.resolutions.book import OrderOwed
from cells.returns import book as returns_book
from cells.returns.book import ReturnOwed
from cells.sub_wallets import book as sub_wallets_book
from cells.sub_wallets import store_sub_wallets
from cells.sub_wallets.book import BookOwed
from cells.wallets.replies import Short
from cells.wallets.store_locks import KINDS, Kind
from residency.directory import CellEntry

Errand = DepositOwed | ReturnOwed | OrderOwed | BatchOwed | BookOwed
AccountOf = Callable[[str], int]
COMMANDS: Final = frozenset({"open_sub_wallet", "book", "deposit", "return", "order", "fund", "give_back"})


async def journal(
    connection: Connection,
    cell: CellEntry,
    bodies: Mapping[str, Mapping[int, Any]],
    account_of: AccountOf,
    cell_numbers: Mapping[str, int],
    ledger: Ledger,
) -> list[Errand]:
    """What the ledger is owed for everything among `bodies` (by command name, by place in the batch) that is done beside.

    `account_of`: W by wallet id. `ledger`: to read what is in a sub-wallet that is closed.
    """
    errands: list[Errand] = []
    region = cell.region
    if wanted := bodies.get("open_sub_wallet"):
        await store_sub_wallets.open_asked(connection, cell, list(wanted.values()), component("wallet"))
    if books := bodies.get("book"):
        errands += await sub_wallets_book.journal(connection, region, list(books.values()), ledger)
    if deposits := bodies.get("deposit"):
        errands += credits_book.owed(list(deposits.values()), account_of)
    if returns := bodies.get("return"):
        errands += await returns_book.journal(connection, region, list(returns.values()), account_of, cell_numbers)
    if orders := bodies.get("order"):
        errands += await resolutions_book.journal(connection, region, list(orders.values()), account_of)
    if funded := bodies.get("fund"):
        errands += await funding.journal_funding(connection, region, list(funded.values()), account_of)
    if ended := bodies.get("give_back"):
        errands += await funding.journal_remainders(connection, region, list(ended.values()), account_of)
    return errands


def rows_asked(bodies: Mapping[str, Mapping[int, Any]], found: Sequence[str]) -> dict[Kind, list[str]]:
    """What commands (by name, by place in the batch) are about, for lock_rows. `found`: payments of requests that are made again."""

    def of(*names: str) -> list[Any]:
        return [body for name in names for body in bodies.get(name, {}).values()]

    return {
        "batches": of("accept_lines", "fund", "give_back"),
        "transfers": [*found, *of("doubt", "resume"), *(one.transfer_id for one in of("cancel", "tell"))],
        "book_transfers": of("book"),
        "collections": [deposit.collection_id for deposit in of("deposit")],
        "orders": of("order"),
        "returns": of("return"),
    }


def rows_owed(errands: Sequence[Errand], transfer_ids: Sequence[str]) -> dict[Kind, list[str]]:
    """What the closing of these writes, for lock_rows. `transfer_ids`: the payments whose own chains are closed beside them."""
    rows: dict[Kind, list[str]] = {kind: [] for kind in KINDS} | {"transfers": [*transfer_ids]}
    for one in errands:
        match one:
            case BatchOwed(batch=batch):
                rows["batches"].append(batch.batch_id)
            case BookOwed(book=book):
                rows["book_transfers"].append(book.book_id)
            case DepositOwed(deposit=deposit):
                rows["collections"].append(deposit.collection_id)
            case OrderOwed(order=order):
                rows["collections"].append(order.collection_id)
                rows["orders"].append(order.order_id)
            case ReturnOwed(one=returned, transfer=transfer):
                rows["transfers"].append(transfer.transfer_id)
                rows["returns"].append(returned.return_id)
    return rows


async def open_accounts(ledger: Ledger, errands: Sequence[Errand]) -> None:
    """What is moved to and from must be there: a sub-wallet's account is opened with the first money that goes there."""
    accounts = {account for one in errands if isinstance(one, BookOwed) for account in one.accounts}
    if accounts:
        await opening.open_accounts(ledger, accounts)


def lacking(errands: Sequence[Errand], results: Sequence[ChainResult]) -> list[Short]:
    """What the ledger has just refused to batches and between own wallets for want of funds. `results`: one for each chain, in order."""
    chains = [(one, chain) for one in errands for chain in one.chains]
    short = [one for one, result in zip(chains, results, strict=True) if result.lacks_funds]
    return [
        Short(one.subject, chain[0].debit_account_id, chain[0].amount)
        for one, chain in short
        if isinstance(one, BatchOwed | BookOwed)
    ]


async def close(
    connection: Connection,
    region: str,
    errands: Sequence[Errand],
    results: Sequence[ChainResult],
    missing: Mapping[str, int],
) -> list[Told]:
    """The ledger has spoken: close each, and answer what payments must hear of it. `results`: one for each chain, in order; `missing`: what
    the wallets of those that lacked funds lack, by subject."""
    told: list[Told] = []
    answers, start = dict[int, Sequence[ChainResult]](), 0
    for place, one in enumerate(errands):
        answers[place] = results[start : start + len(one.chains)]
        start += len(one.chains)
    deposits = [(place, one) for place, one in enumerate(errands) if isinstance(one, DepositOwed)]
    returns = [(place, one) for place, one in enumerate(errands) if isinstance(one, ReturnOwed)]
    orders = [(place, one) for place, one in enumerate(errands) if isinstance(one, OrderOwed)]
    batches = [(place, one) for place, one in enumerate(errands) if isinstance(one, BatchOwed)]
    if batches:
        await funding.close(
            connection, region, [one for _, one in batches], [answers[place] for place, _ in batches], missing
        )
    books = [(place, one) for place, one in enumerate(errands) if isinstance(one, BookOwed)]
    if books:
        await sub_wallets_book.close(
            connection, region, [one for _, one in books], [answers[place] for place, _ in books], missing
        )
    if deposits:
        await credits_book.close(
            connection, region, [one for _, one in deposits], [answers[place] for place, _ in deposits]
        )
    if returns:
        told += await returns_book.close(
            connection, region, [one for _, one in returns], [answers[place] for place, _ in returns]
        )
    if orders:
        await resolutions_book.close(
            connection, region, [one for _, one in orders], [answers[place] for place, _ in orders]
        )
    return told
