"""What one batch loads from the embedded engine's tables, and what it writes back. No transaction begins or
ends here.

A batch costs a handful of statements, whatever its size: everything goes through arrays. The shape of the
tables: migrations/cell/0010_ledger_engine.sql.
"""

from collections.abc import Collection, Sequence

from cells.backends.postgres import Connection
from cells.backends.rows import Rows
from cells.ledger.entry import Account, Balance, Posting
from cells.ledger.postgres_rows import NOW_NS, POSTING, find_accounts, posting_of, signed, uuid, uuids
from cells.ledger.working_set import Changes, PendingStatus, Standing, WorkingSet, expires_at

_ACCOUNTS = Rows(
    "ledger.accounts",
    "id:uuid ledger:bigint code:integer flags:integer user_data_128:uuid user_data_64:bigint user_data_32:bigint timestamp:bigint",
)
_POSTINGS = Rows(
    "ledger.postings",
    "id:uuid debit_account_id:uuid credit_account_id:uuid amount:numeric pending_id:uuid user_data_128:uuid user_data_64:bigint"
    " user_data_32:bigint timeout_s:bigint ledger:bigint code:integer flags:integer timestamp:bigint status:smallint expires_at:bigint",
)
_STANDINGS = Rows(
    "ledger.accounts",
    "id:uuid flags:integer debits_pending:numeric debits_posted:numeric credits_pending:numeric credits_posted:numeric",
)
_STATUSES = Rows("ledger.postings", "id:uuid status:smallint")
_HISTORY = Rows(
    "ledger.balances",
    "account_id:uuid timestamp:bigint debits_pending:numeric debits_posted:numeric credits_pending:numeric credits_posted:numeric",
)


async def advance_clock(connection: Connection, events: int) -> int:
    """Take the ledger for this transaction, and the timestamp of the batch's last event.

    Locks the clock's one row until the commit, so whatever is read after this is what the previous batch
    left. The commit waits for the disk whatever the server's or the role's default.
    """
    timestamp = await connection.fetchval(
        f"update ledger.clock set last_timestamp = greatest(last_timestamp + $1, {NOW_NS}) "
        "returning last_timestamp, set_config('synchronous_commit', 'on', true)",
        events,
    )
    return int(timestamp)


async def holds_are_due(connection: Connection) -> bool:
    """Whether any hold's time is up."""
    return bool(await connection.fetchval(f"select exists (select from ledger.postings where expires_at <= {NOW_NS})"))


async def load_accounts(connection: Connection, books: WorkingSet, ids: Collection[int]) -> None:
    """Add the accounts that exist among `ids`."""
    for account in await find_accounts(connection, ids):
        books.accounts[account.id] = Standing(account)


async def load_postings(
    connection: Connection, books: WorkingSet, postings: Sequence[Posting], due_at: int, due_max: int
) -> list[Posting]:
    """Add everything that a batch can ask for; returns the holds due at `due_at`, oldest deadline first, at
    most `due_max`.
    """
    ids = {posting.id for posting in postings}
    rows = await connection.fetch(
        f"select {POSTING}, false as due from ledger.postings where id = any ($1::uuid[]) union all "
        f"(select {POSTING}, true from ledger.postings where expires_at <= $2 order by expires_at, "
        "timestamp limit $3)",
        uuids(ids.union(posting.pending_id for posting in postings)),
        due_at,
        due_max,
    )
    due = []
    for row in rows:
        posting = posting_of(row)
        books.postings[posting.id] = posting
        books.statuses[posting.id] = PendingStatus(row["status"])
        if row["due"]:
            due.append(posting)
    burnt = await connection.fetch("select id from ledger.burnt_ids where id = any ($1::uuid[])", uuids(ids))
    books.burnt.update(row["id"].int for row in burnt)
    named = {number for posting in postings for number in (posting.debit_account_id, posting.credit_account_id)}
    held = {
        number
        for posting in books.postings.values()
        for number in (posting.debit_account_id, posting.credit_account_id)
    }
    await load_accounts(connection, books, named | held)
    return due


async def save(connection: Connection, books: WorkingSet) -> None:
    """Write what the evaluator changed, a statement per table."""
    changes = books.changes
    if changes.opened:
        await _insert_accounts(connection, changes.opened)
    if changes.postings:
        await _insert_postings(connection, books, changes.postings)
    if changes.burnt:
        await connection.execute(
            "insert into ledger.burnt_ids (id) select unnest($1::uuid[])", uuids(set(changes.burnt))
        )
    await _update_accounts(connection, books, changes)
    await _update_holds(connection, books, changes)
    if changes.balances:
        await _insert_balances(connection, changes.balances)


async def _insert_accounts(connection: Connection, accounts: Sequence[Account]) -> None:
    rows = [
        (
            uuid(one.id), one.ledger, one.code, int(one.flags), uuid(one.user_data_128), signed(one.user_data_64),
            one.user_data_32, one.timestamp,
        )
        for one in accounts
    ]  # fmt: skip
    await _ACCOUNTS.insert(connection, rows, debits_pending=0, debits_posted=0, credits_pending=0, credits_posted=0)


async def _insert_postings(connection: Connection, books: WorkingSet, postings: Sequence[Posting]) -> None:
    await _POSTINGS.insert(connection, [_row(one, books) for one in postings])


def _row(one: Posting, books: WorkingSet) -> tuple[object, ...]:
    status = books.statuses.get(one.id, PendingStatus.NONE)
    return (
        uuid(one.id), uuid(one.debit_account_id), uuid(one.credit_account_id), one.amount, uuid(one.pending_id),
        uuid(one.user_data_128), signed(one.user_data_64), one.user_data_32, one.timeout_s, one.ledger, one.code, one.flags,
        one.timestamp, int(status), expires_at(one) if status is PendingStatus.PENDING and one.timeout_s else None,
    )  # fmt: skip


async def _update_accounts(connection: Connection, books: WorkingSet, changes: Changes) -> None:
    touched = [books.accounts[number] for number in changes.accounts]
    if not touched:
        return
    rows = (
        (
            uuid(one.opening.id), one.flags, one.debits_pending, one.debits_posted, one.credits_pending,
            one.credits_posted,
        )
        for one in touched
    )  # fmt: skip
    await connection.execute(
        "update ledger.accounts a set flags = new.flags, debits_pending = new.debits_pending, debits_posted = new.debits_posted, "
        f"credits_pending = new.credits_pending, credits_posted = new.credits_posted from {_STANDINGS.source(1)} where a.id = new.id",
        *_STANDINGS.arguments(rows),
    )


async def _update_holds(connection: Connection, books: WorkingSet, changes: Changes) -> None:
    # A hold made and resolved in this batch is inserted as resolved; one whose chain broke may not be there
    # at all.
    new = {posting.id for posting in changes.postings}
    resolved = [number for number in changes.statuses if number in books.statuses and number not in new]
    if not resolved:
        return
    await connection.execute(
        "update ledger.postings p set status = new.status, expires_at = case when new.status = 1 then p.expires_at end "
        f"from {_STATUSES.source(1)} where p.id = new.id",
        *_STATUSES.arguments((uuid(number), int(books.statuses[number])) for number in resolved),
    )


async def _insert_balances(connection: Connection, balances: Sequence[tuple[int, Balance]]) -> None:
    rows = [
        (
            uuid(account_id), one.timestamp, one.debits_pending, one.debits_posted, one.credits_pending,
            one.credits_posted,
        )
        for account_id, one in balances
    ]  # fmt: skip
    await _HISTORY.insert(connection, rows)
