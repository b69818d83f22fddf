"""What one batch loads from the embedded engine's tables, and what it writes back. No transaction begins or
ends here.

A batch costs a handful of statements, whatever its size: everything goes through arrays. The shape of the
tables: migrations/cell/0010_ledger_engine.sql.
"""

from collections.abc import Collection, Sequence

from cells.backends.postgres import Connection
from cells.ledger.entry import Account, Balance, Posting
from cells.ledger.postgres_rows import NOW_NS, POSTING, find_accounts, posting_of, signed, uuids
from cells.ledger.working_set import Changes, PendingStatus, Standing, WorkingSet, expires_at


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
    await connection.execute(
        "insert into ledger.accounts (id, ledger, code, flags, user_data_128, user_data_64, "
        "user_data_32, debits_pending, "
        "debits_posted, credits_pending, credits_posted, timestamp) select id, ledger, code, flags, "
        "u128, u64, u32, 0, 0, 0, 0, at "
        "from unnest($1::uuid[], $2::bigint[], $3::integer[], $4::integer[], $5::uuid[], "
        "$6::bigint[], $7::bigint[], "
        "$8::bigint[]) as new (id, ledger, code, flags, u128, u64, u32, at)",
        uuids(account.id for account in accounts),
        [account.ledger for account in accounts],
        [account.code for account in accounts],
        [int(account.flags) for account in accounts],
        uuids(account.user_data_128 for account in accounts),
        [signed(account.user_data_64) for account in accounts],
        [account.user_data_32 for account in accounts],
        [account.timestamp for account in accounts],
    )


async def _insert_postings(connection: Connection, books: WorkingSet, postings: Sequence[Posting]) -> None:
    statuses = [books.statuses.get(posting.id, PendingStatus.NONE) for posting in postings]
    await connection.execute(
        "insert into ledger.postings (id, debit_account_id, credit_account_id, amount, pending_id, "
        "user_data_128, user_data_64, "
        "user_data_32, timeout_s, ledger, code, flags, timestamp, status, expires_at) "
        "select id, debit, credit, amount::numeric, pending, u128, u64, u32, timeout, ledger, code, "
        "flags, at, status, expires "
        "from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::uuid[], "
        "$7::bigint[], $8::bigint[], "
        "$9::bigint[], $10::bigint[], $11::integer[], $12::integer[], $13::bigint[], "
        "$14::smallint[], $15::bigint[]) "
        "as new (id, debit, credit, amount, pending, u128, u64, u32, timeout, ledger, code, flags, "
        "at, status, expires)",
        uuids(posting.id for posting in postings),
        uuids(posting.debit_account_id for posting in postings),
        uuids(posting.credit_account_id for posting in postings),
        [str(posting.amount) for posting in postings],
        uuids(posting.pending_id for posting in postings),
        uuids(posting.user_data_128 for posting in postings),
        [signed(posting.user_data_64) for posting in postings],
        [posting.user_data_32 for posting in postings],
        [posting.timeout_s for posting in postings],
        [posting.ledger for posting in postings],
        [posting.code for posting in postings],
        [posting.flags for posting in postings],
        [posting.timestamp for posting in postings],
        [int(status) for status in statuses],
        [
            expires_at(posting) if status is PendingStatus.PENDING and posting.timeout_s else None
            for posting, status in zip(postings, statuses, strict=True)
        ],
    )


async def _update_accounts(connection: Connection, books: WorkingSet, changes: Changes) -> None:
    touched = [books.accounts[number] for number in changes.accounts]
    if not touched:
        return
    await connection.execute(
        "update ledger.accounts a set flags = new.flags, debits_pending = new.dpe::numeric, "
        "debits_posted = new.dpo::numeric, "
        "credits_pending = new.cpe::numeric, credits_posted = new.cpo::numeric from "
        "unnest($1::uuid[], $2::integer[], "
        "$3::text[], $4::text[], $5::text[], $6::text[]) as new (id, flags, dpe, dpo, cpe, cpo) "
        "where a.id = new.id",
        uuids(standing.opening.id for standing in touched),
        [standing.flags for standing in touched],
        [str(standing.debits_pending) for standing in touched],
        [str(standing.debits_posted) for standing in touched],
        [str(standing.credits_pending) for standing in touched],
        [str(standing.credits_posted) for standing in touched],
    )


async def _update_holds(connection: Connection, books: WorkingSet, changes: Changes) -> None:
    # A hold made and resolved in this batch is inserted as resolved; one whose chain broke may not be there
    # at all.
    new = {posting.id for posting in changes.postings}
    resolved = [number for number in changes.statuses if number in books.statuses and number not in new]
    if not resolved:
        return
    await connection.execute(
        "update ledger.postings p set status = new.status, expires_at = case when new.status = 1 "
        "then p.expires_at end "
        "from unnest($1::uuid[], $2::smallint[]) as new (id, status) where p.id = new.id",
        uuids(resolved),
        [int(books.statuses[number]) for number in resolved],
    )


async def _insert_balances(connection: Connection, balances: Sequence[tuple[int, Balance]]) -> None:
    await connection.execute(
        "insert into ledger.balances (account_id, timestamp, debits_pending, debits_posted, "
        "credits_pending, credits_posted) "
        "select id, at, dpe::numeric, dpo::numeric, cpe::numeric, cpo::numeric from "
        "unnest($1::uuid[], $2::bigint[], "
        "$3::text[], $4::text[], $5::text[], $6::text[]) as new (id, at, dpe, dpo, cpe, cpo)",
        uuids(account_id for account_id, _ in balances),
        [balance.timestamp for _, balance in balances],
        [str(balance.debits_pending) for _, balance in balances],
        [str(balance.debits_posted) for _, balance in balances],
        [str(balance.credits_pending) for _, balance in balances],
        [str(balance.credits_posted) for _, balance in balances],
    )
