"""Book transfers as rows. Multi-row statements inside the caller's transaction; nothing commits here."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta

from cells.backends.postgres import Connection, Read, fetch_apart
from cells.backends.rows import Rows
from cells.kit.money import CURRENCIES
from cells.ledger import chart
from cells.sub_wallets.internal_transfer import Book

_COLUMNS = ", ".join(field.name for field in fields(Book))
_QUALIFIED = ", ".join(f"b.{field.name}" for field in fields(Book))


@dataclass(frozen=True, slots=True)
class Loaded:
    """A book transfer with its two accounts (W, by the chart) and what may stand in its way, at this transaction's instant."""

    book: Book
    source: int
    target: int
    source_open: bool
    target_open: bool
    locked: bool


_ASKED = ("book_id", "tenant_id", "writer_wallet_id", "kind", "from_wallet_id", "to_wallet_id", "currency", "amount")
_ROWS = Rows("book_transfers", Book, _ASKED)
_AMOUNTS = Rows("book_transfers", "book_id amount:bigint")
_REASONS = Rows("book_transfers", "book_id reason missing_minor:bigint")


async def insert(connection: Connection, region: str, books: Sequence[Book]) -> None:
    """Put wishes on record."""
    await _ROWS.insert(connection, books, compliance_region=region)


async def read(connection: Connection, region: str, book_ids: Sequence[str]) -> dict[str, Book]:
    """By id, as they are."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from book_transfers where compliance_region = $1 and book_id = any ($2::text[])",
        region, book_ids,
    )  # fmt: skip
    return {row["book_id"]: Book(**row) for row in rows}


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
    size = len(fields(Book))
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


async def plan(connection: Connection, region: str, amounts: Mapping[str, int]) -> None:
    """The ledger is about to be asked for these, by id, for these amounts."""
    await connection.execute(
        f"""
        update book_transfers b set state = 'planned', amount = n.amount from {_AMOUNTS.source(2, "n")}
        where b.compliance_region = $1 and b.book_id = n.book_id and b.state = 'asked'
        """,
        region, *_AMOUNTS.arguments(amounts.items()),
    )  # fmt: skip


async def end(
    connection: Connection, region: str, reasons: Mapping[str, str | None], missing: Mapping[str, int] | None = None
) -> None:
    """How they ended, by id: None, or why they were refused; `missing`: what the wallet lacked. What has ended stays so."""
    await connection.execute(
        f"""
        update book_transfers b set state = case when n.reason is null then 'applied' else 'refused' end, reason = n.reason,
            missing_minor = n.missing_minor
        from {_REASONS.source(2, "n")}
        where b.compliance_region = $1 and b.book_id = n.book_id and b.state in ('asked', 'planned')
        """,
        region, *_REASONS.arguments((one, reason, (missing or {}).get(one)) for one, reason in reasons.items()),
    )  # fmt: skip


async def standing(
    connection: Connection, region: str, older_than: timedelta, limit: int, aside: Collection[str] = ()
) -> Read[Book]:
    """Those that nobody has ended for a while: what the sweep takes up."""
    return await fetch_apart(
        connection, lambda row: Book(**row), "book_id",
        f"""
        select {_COLUMNS} from book_transfers
        where compliance_region = $1 and state in ('asked', 'planned') and created_at < now() - $2::interval
          and book_id <> all ($4::text[])
        order by writer_wallet_id, book_id limit $3
        """,
        region, older_than, limit, list(aside),
    )  # fmt: skip
