"""Book transfers as rows. Multi-row statements inside the caller's transaction; nothing commits here."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from cells.backends.postgres import Connection, Read
from cells.journal import store_lives
from cells.journal.entry import Author
from cells.journal.life import Birth, Change
from cells.kit.money import CURRENCIES
from cells.ledger import chart
from cells.sub_wallets.internal_transfer import INTERNAL_TRANSFER, Book

_QUALIFIED = ", ".join(f"b.{one}" for one in INTERNAL_TRANSFER.columns)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A book transfer with its two accounts (W, by the chart) and what may stand in its way, at this transaction's instant."""

    book: Book
    source: int
    target: int
    source_open: bool
    target_open: bool
    locked: bool


async def insert(connection: Connection, region: str, books: Sequence[Book], by: Author) -> None:
    """Put wishes on record."""
    births = [Birth(one, INTERNAL_TRANSFER.kind("asked"), by) for one in books]
    await store_lives.begin(connection, region, INTERNAL_TRANSFER, births)


async def read(connection: Connection, region: str, book_ids: Sequence[str]) -> dict[str, Book]:
    """By id, as they are."""
    return await store_lives.read(connection, region, INTERNAL_TRANSFER, book_ids)


async def load(connection: Connection, region: str, book_ids: Sequence[str]) -> list[Loaded]:
    """Locked for this transaction, in the order in which they were asked for."""
    rows = await connection.fetch(
        f"""
        select {_QUALIFIED}, f.qualifier, t.qualifier, n.owner_number, f.state = 'open', t.state = 'open',
            coalesce(s.locked_until > now(), false)
        from book_transfers b
        join wallets f on f.compliance_region = $1 and f.wallet_id = b.from_wallet_id
        join wallets t on t.compliance_region = $1 and t.wallet_id = b.to_wallet_id
        join tenants n on n.compliance_region = $1 and n.tenant_id = b.tenant_id
        left join sub_wallets s on s.compliance_region = $1 and s.wallet_id = b.from_wallet_id
        where b.compliance_region = $1 and b.book_id = any ($2::text[])
        order by b.book_id for update of b
        """,
        region, book_ids,
    )  # fmt: skip
    size = len(INTERNAL_TRANSFER.columns)
    found = []
    for row in map(tuple, rows):
        book, (source, target, owner, source_open, target_open, locked) = Book(*row[:size]), row[size:]
        ledger = CURRENCIES[book.currency].number
        source_account, target_account = (chart.wallet(owner, ledger, number) for number in (source, target))
        found.append(Loaded(book, source_account, target_account, source_open, target_open, locked))
    return found


async def touched(connection: Connection, region: str, writer_wallet_ids: Sequence[str]) -> set[str]:
    """The wallets that planned book transfers of these writers move money of: the ledger has yet to be heard."""
    rows = await connection.fetch(
        """
        select from_wallet_id, to_wallet_id from book_transfers
        where compliance_region = $1 and writer_wallet_id = any ($2::text[]) and state = 'planned'
        """,
        region, writer_wallet_ids,
    )  # fmt: skip
    return {wallet_id for row in rows for wallet_id in row}


async def plan(connection: Connection, region: str, amounts: Mapping[str, int], by: Author) -> None:
    """The ledger is about to be asked for these, by id, for these amounts."""
    rows = await store_lives.load(connection, region, INTERNAL_TRANSFER, list(amounts))
    changes = [
        Change(one, replace(one, state="planned", amount=amounts[one.book_id]), INTERNAL_TRANSFER.kind("planned"), by)
        for one in rows.values()
        if one.state == "asked"
    ]
    await store_lives.append(connection, region, INTERNAL_TRANSFER, changes)


async def end(
    connection: Connection,
    region: str,
    reasons: Mapping[str, str | None],
    by: Author,
    missing: Mapping[str, int] | None = None,
) -> None:
    """How they ended, by id: None, or why they were refused; `missing`: what the wallet lacked. What has ended stays so."""
    rows = await store_lives.load(connection, region, INTERNAL_TRANSFER, list(reasons))
    changes = [
        _ended(one, reasons[one.book_id], (missing or {}).get(one.book_id), by) for one in rows.values() if not one.over
    ]
    await store_lives.append(connection, region, INTERNAL_TRANSFER, changes)


def _ended(one: Book, reason: str | None, missing_minor: int | None, by: Author) -> Change[Book]:
    if reason is None:
        return Change(one, replace(one, state="applied"), INTERNAL_TRANSFER.kind("applied"), by)
    now = replace(one, state="refused", reason=reason, missing_minor=missing_minor)
    return Change(one, now, INTERNAL_TRANSFER.kind("refused"), by)


async def standing(
    connection: Connection, region: str, older_than: timedelta, limit: int, aside: Collection[str] = ()
) -> Read[Book]:
    """Those that nobody has ended for a while: what the sweep takes up."""
    return await store_lives.apart(
        connection, region, INTERNAL_TRANSFER,
        "state in ('asked', 'planned') and created_at < now() - $2::interval and book_id <> all ($4::text[])"
        " order by writer_wallet_id, book_id limit $3",
        older_than, limit, list(aside),
    )  # fmt: skip
