"""The embedded engine's rows: how accounts and postings are told from them, and every question that reads
only.

u128 numbers travel as the text of a uuid and amounts as decimal text, which costs a tenth of building UUID
and Decimal objects; a u64 is stored in a bigint, two's complement.
"""

from collections.abc import Iterable
from typing import Any

from cells.backends.postgres import Connection, Record
from cells.ledger.entry import Account, Balance, Posting

NOW_NS = "(extract(epoch from clock_timestamp()) * 1000000)::bigint * 1000"

_BALANCES = "debits_pending::text, debits_posted::text, credits_pending::text, credits_posted::text, timestamp"
_ACCOUNT = f"id, ledger, code, flags, user_data_128, user_data_64, user_data_32, {_BALANCES}"
POSTING = (
    "id, debit_account_id, credit_account_id, amount::text, pending_id, user_data_128, user_data_64, "
    "user_data_32, "
    "timeout_s, ledger, code, flags, timestamp, status"
)
# A page in order of time, whichever way it is read.
_PAGE_UP = "timestamp > $2 order by timestamp limit $3"
_PAGE_DOWN = "timestamp < $2 order by timestamp desc limit $3"


async def find_accounts(connection: Connection, ids: Iterable[int]) -> list[Account]:
    """The accounts that exist among `ids`."""
    rows = await connection.fetch(f"select {_ACCOUNT} from ledger.accounts where id = any ($1::uuid[])", uuids(ids))
    return [_account(row) for row in rows]


async def find_postings(connection: Connection, ids: Iterable[int]) -> list[Posting]:
    """The postings that exist among `ids`."""
    rows = await connection.fetch(f"select {POSTING} from ledger.postings where id = any ($1::uuid[])", uuids(ids))
    return [posting_of(row) for row in rows]


async def page_of_account(
    connection: Connection, account_id: int, limit: int, after_timestamp: int, newest_first: bool
) -> list[Posting]:
    """Postings on either side of an account: two index scans, merged."""
    page, start, direction = _paging(after_timestamp, newest_first)
    rows = await connection.fetch(
        f"(select {POSTING} from ledger.postings where debit_account_id = $1 and {page}) union all "
        f"(select {POSTING} from ledger.postings where credit_account_id = $1 and {page}) order by "
        f"timestamp {direction} limit $3",
        uuid(account_id),
        start,
        limit,
    )
    return [posting_of(row) for row in rows]


async def page_of_balances(
    connection: Connection, account_id: int, limit: int, after_timestamp: int, newest_first: bool
) -> list[Balance]:
    """The history of an account."""
    page, start, _ = _paging(after_timestamp, newest_first)
    rows = await connection.fetch(
        f"select {_BALANCES} from ledger.balances where account_id = $1 and {page}",
        uuid(account_id),
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
    connection: Connection, *, limit: int, user_data_128: int, ledger: int, code: int, after_timestamp: int
) -> list[Posting]:
    """Postings in order of time; 0 filters nothing. By payment through its own index."""
    by_payment = "user_data_128 = $5" if user_data_128 else "$5 = $5"
    rows = await connection.fetch(
        f"select {POSTING} from ledger.postings where {by_payment} and timestamp > $1 and ($2 = 0 or "
        "ledger = $2) "
        "and ($3 = 0 or code = $3) order by timestamp limit $4",
        after_timestamp,
        ledger,
        code,
        limit,
        uuid(user_data_128),
    )
    return [posting_of(row) for row in rows]


def _paging(after_timestamp: int, newest_first: bool) -> tuple[str, int, str]:
    if newest_first:
        return _PAGE_DOWN, after_timestamp or 2**63 - 1, "desc"
    return _PAGE_UP, after_timestamp, "asc"


def uuid(number: int) -> str:
    return f"{number:032x}"


def uuids(numbers: Iterable[int]) -> list[str]:
    return [uuid(number) for number in numbers]


def signed(number: int) -> int:
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


def posting_of(row: Record) -> Posting:
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
