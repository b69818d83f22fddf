"""The embedded engine's statements, and how accounts and postings become rows. No transaction begins or ends
here.

u128 numbers travel as the text of a uuid and amounts as decimal text, which costs a tenth of building UUID
and Decimal objects; a u64 is stored in a bigint, two's complement. The shape of the tables:
migrations/cell/0010_ledger_engine.sql.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from cells.backends.postgres import Connection, Record
from cells.ledger.entry import Account, Balance, Posting
from cells.ledger.working_set import Changes, PendingStatus, Standing, WorkingSet, expires_at

_NOW_NS = "(extract(epoch from clock_timestamp()) * 1000000)::bigint * 1000"

_BALANCES = (
    "debits_pending::text, debits_posted::text, credits_pending::text, credits_posted::text, timestamp"
)
_ACCOUNT = f"id, ledger, code, flags, user_data_128, user_data_64, user_data_32, {_BALANCES}"
_POSTING = (
    "id, debit_account_id, credit_account_id, amount::text, pending_id, user_data_128, user_data_64, user_data_32, "
    "timeout_s, ledger, code, flags, timestamp, status"
)
# A page in order of time, whichever way it is read.
_PAGE_UP = "timestamp > $2 order by timestamp limit $3"
_PAGE_DOWN = "timestamp < $2 order by timestamp desc limit $3"


async def advance_clock(connection: Connection, events: int) -> int:
    """Take the ledger for this transaction, and the timestamp of the batch's last event.

    Locks the clock's one row until the commit, so whatever is read after this is what the previous batch
    left. The commit waits for the disk whatever the server's or the role's default.
    """
    timestamp = await connection.fetchval(
        f"update ledger.clock set last_timestamp = greatest(last_timestamp + $1, {_NOW_NS}) "
        "returning last_timestamp, set_config('synchronous_commit', 'on', true)",
        events,
    )
    return int(timestamp)


async def holds_are_due(connection: Connection) -> bool:
    """Whether any hold's time is up."""
    return bool(
        await connection.fetchval(
            f"select exists (select from ledger.postings where expires_at <= {_NOW_NS})"
        )
    )


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
        f"select {_POSTING}, false as due from ledger.postings where id = any ($1::uuid[]) union all "
        f"(select {_POSTING}, true from ledger.postings where expires_at <= $2 order by expires_at, timestamp limit $3)",
        _uuids(ids.union(posting.pending_id for posting in postings)),
        due_at,
        due_max,
    )
    due = []
    for row in rows:
        posting = _posting(row)
        books.postings[posting.id] = posting
        books.statuses[posting.id] = PendingStatus(row["status"])
        if row["due"]:
            due.append(posting)
    burnt = await connection.fetch("select id from ledger.burnt_ids where id = any ($1::uuid[])", _uuids(ids))
    books.burnt.update(row["id"].int for row in burnt)
    named = {
        number for posting in postings for number in (posting.debit_account_id, posting.credit_account_id)
    }
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
            "insert into ledger.burnt_ids (id) select unnest($1::uuid[])", _uuids(set(changes.burnt))
        )
    await _update_accounts(connection, books, changes)
    await _update_holds(connection, books, changes)
    if changes.balances:
        await _insert_balances(connection, changes.balances)


async def _insert_accounts(connection: Connection, accounts: Sequence[Account]) -> None:
    await connection.execute(
        "insert into ledger.accounts (id, ledger, code, flags, user_data_128, user_data_64, user_data_32, debits_pending, "
        "debits_posted, credits_pending, credits_posted, timestamp) select id, ledger, code, flags, u128, u64, u32, 0, 0, 0, 0, at "
        "from unnest($1::uuid[], $2::bigint[], $3::integer[], $4::integer[], $5::uuid[], $6::bigint[], $7::bigint[], "
        "$8::bigint[]) as new (id, ledger, code, flags, u128, u64, u32, at)",
        _uuids(account.id for account in accounts),
        [account.ledger for account in accounts],
        [account.code for account in accounts],
        [int(account.flags) for account in accounts],
        _uuids(account.user_data_128 for account in accounts),
        [_signed(account.user_data_64) for account in accounts],
        [account.user_data_32 for account in accounts],
        [account.timestamp for account in accounts],
    )


async def _insert_postings(connection: Connection, books: WorkingSet, postings: Sequence[Posting]) -> None:
    statuses = [books.statuses.get(posting.id, PendingStatus.NONE) for posting in postings]
    await connection.execute(
        "insert into ledger.postings (id, debit_account_id, credit_account_id, amount, pending_id, user_data_128, user_data_64, "
        "user_data_32, timeout_s, ledger, code, flags, timestamp, status, expires_at) "
        "select id, debit, credit, amount::numeric, pending, u128, u64, u32, timeout, ledger, code, flags, at, status, expires "
        "from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::uuid[], $7::bigint[], $8::bigint[], "
        "$9::bigint[], $10::bigint[], $11::integer[], $12::integer[], $13::bigint[], $14::smallint[], $15::bigint[]) "
        "as new (id, debit, credit, amount, pending, u128, u64, u32, timeout, ledger, code, flags, at, status, expires)",
        _uuids(posting.id for posting in postings),
        _uuids(posting.debit_account_id for posting in postings),
        _uuids(posting.credit_account_id for posting in postings),
        [str(posting.amount) for posting in postings],
        _uuids(posting.pending_id for posting in postings),
        _uuids(posting.user_data_128 for posting in postings),
        [_signed(posting.user_data_64) for posting in postings],
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
        "update ledger.accounts a set flags = new.flags, debits_pending = new.dpe::numeric, debits_posted = new.dpo::numeric, "
        "credits_pending = new.cpe::numeric, credits_posted = new.cpo::numeric from unnest($1::uuid[], $2::integer[], "
        "$3::text[], $4::text[], $5::text[], $6::text[]) as new (id, flags, dpe, dpo, cpe, cpo) where a.id = new.id",
        _uuids(standing.opening.id for standing in touched),
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
        "update ledger.postings p set status = new.status, expires_at = case when new.status = 1 then p.expires_at end "
        "from unnest($1::uuid[], $2::smallint[]) as new (id, status) where p.id = new.id",
        _uuids(resolved),
        [int(books.statuses[number]) for number in resolved],
    )


async def _insert_balances(connection: Connection, balances: Sequence[tuple[int, Balance]]) -> None:
    await connection.execute(
        "insert into ledger.balances (account_id, timestamp, debits_pending, debits_posted, credits_pending, credits_posted) "
        "select id, at, dpe::numeric, dpo::numeric, cpe::numeric, cpo::numeric from unnest($1::uuid[], $2::bigint[], "
        "$3::text[], $4::text[], $5::text[], $6::text[]) as new (id, at, dpe, dpo, cpe, cpo)",
        _uuids(account_id for account_id, _ in balances),
        [balance.timestamp for _, balance in balances],
        [str(balance.debits_pending) for _, balance in balances],
        [str(balance.debits_posted) for _, balance in balances],
        [str(balance.credits_pending) for _, balance in balances],
        [str(balance.credits_posted) for _, balance in balances],
    )


async def find_accounts(connection: Connection, ids: Iterable[int]) -> list[Account]:
    """The accounts that exist among `ids`."""
    rows = await connection.fetch(
        f"select {_ACCOUNT} from ledger.accounts where id = any ($1::uuid[])", _uuids(ids)
    )
    return [_account(row) for row in rows]


async def find_postings(connection: Connection, ids: Iterable[int]) -> list[Posting]:
    """The postings that exist among `ids`."""
    rows = await connection.fetch(
        f"select {_POSTING} from ledger.postings where id = any ($1::uuid[])", _uuids(ids)
    )
    return [_posting(row) for row in rows]


async def page_of_account(
    connection: Connection, account_id: int, limit: int, after_timestamp: int, newest_first: bool
) -> list[Posting]:
    """Postings on either side of an account: two index scans, merged."""
    page, start, direction = _paging(after_timestamp, newest_first)
    rows = await connection.fetch(
        f"(select {_POSTING} from ledger.postings where debit_account_id = $1 and {page}) union all "
        f"(select {_POSTING} from ledger.postings where credit_account_id = $1 and {page}) order by timestamp {direction} limit $3",
        _uuid(account_id),
        start,
        limit,
    )
    return [_posting(row) for row in rows]


async def page_of_balances(
    connection: Connection, account_id: int, limit: int, after_timestamp: int, newest_first: bool
) -> list[Balance]:
    """The history of an account."""
    page, start, _ = _paging(after_timestamp, newest_first)
    rows = await connection.fetch(
        f"select {_BALANCES} from ledger.balances where account_id = $1 and {page}",
        _uuid(account_id),
        start,
        limit,
    )
    return [
        Balance(
            row["timestamp"],
            int(row["debits_pending"]),
            int(row["debits_posted"]),
            int(row["credits_pending"]),
            int(row["credits_posted"]),
        )
        for row in rows
    ]


async def page_of_accounts(
    connection: Connection, limit: int, ledger: int, code: int, after_timestamp: int
) -> list[Account]:
    """Accounts in order of creation; 0 filters nothing."""
    rows = await connection.fetch(
        f"select {_ACCOUNT} from ledger.accounts where timestamp > $1 and ($2 = 0 or ledger = $2) "
        "and ($3 = 0 or code = $3) order by timestamp limit $4",
        after_timestamp,
        ledger,
        code,
        limit,
    )
    return [_account(row) for row in rows]


async def page_of_postings(
    connection: Connection, limit: int, user_data_128: int, ledger: int, code: int, after_timestamp: int
) -> list[Posting]:
    """Postings in order of time; 0 filters nothing. By payment through its own index."""
    by_payment = "user_data_128 = $5" if user_data_128 else "$5 = $5"
    rows = await connection.fetch(
        f"select {_POSTING} from ledger.postings where {by_payment} and timestamp > $1 and ($2 = 0 or ledger = $2) "
        "and ($3 = 0 or code = $3) order by timestamp limit $4",
        after_timestamp,
        ledger,
        code,
        limit,
        _uuid(user_data_128),
    )
    return [_posting(row) for row in rows]


def _paging(after_timestamp: int, newest_first: bool) -> tuple[str, int, str]:
    if newest_first:
        return _PAGE_DOWN, after_timestamp or 2**63 - 1, "desc"
    return _PAGE_UP, after_timestamp, "asc"


def _uuid(number: int) -> str:
    return f"{number:032x}"


def _uuids(numbers: Iterable[int]) -> list[str]:
    return [f"{number:032x}" for number in numbers]


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number


def _unsigned(number: int) -> int:
    return number + 2**64 if number < 0 else number


def _account(row: Record) -> Account:
    values: list[Any] = list(row.values())
    return Account(
        id=values[0].int,
        ledger=values[1],
        code=values[2],
        flags=values[3],
        user_data_128=values[4].int,
        user_data_64=_unsigned(values[5]),
        user_data_32=values[6],
        debits_pending=int(values[7]),
        debits_posted=int(values[8]),
        credits_pending=int(values[9]),
        credits_posted=int(values[10]),
        timestamp=values[11],
    )


def _posting(row: Record) -> Posting:
    values: list[Any] = list(row.values())
    return Posting(
        id=values[0].int,
        debit_account_id=values[1].int,
        credit_account_id=values[2].int,
        amount=int(values[3]),
        pending_id=values[4].int,
        user_data_128=values[5].int,
        user_data_64=_unsigned(values[6]),
        user_data_32=values[7],
        timeout_s=values[8],
        ledger=values[9],
        code=values[10],
        flags=values[11],
        timestamp=values[12],
    )
