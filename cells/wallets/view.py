"""What a wallet shows of itself: its balance and its statement, read from the ledger, which is the record."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cells.ledger import chart
from cells.ledger.codes import Code
from cells.ledger.entry import Balance, Posting, PostingFlag
from cells.ledger.ledger import Ledger

_NANOSECONDS = 1_000_000_000


async def balance(ledger: Ledger, account_id: int, _: object) -> dict[str, int]:
    """Minor units: `available` can be spent now, `held` waits on payments under way. Their sum is what is owed to the tenant."""
    found = await ledger.lookup_accounts([account_id])
    account = found[account_id]
    return {"available_minor": account.available, "held_minor": account.debits_pending}


async def statement(ledger: Ledger, account_id: int, body: Mapping[str, int]) -> dict[str, Any]:
    """A page of the entries from `from_ns` (0: the first) to before `to_ns` (0: the last), after `after_timestamp`, oldest first, `limit`
    at most; the balances at both ends of that time; and `more`, whether there is another page. Times are the ledger's nanoseconds.

    Holds are shown as what they are; only `credit`, `debit` and posted holds move the booked balance.
    """
    start, end, limit = body["from_ns"], body["to_ns"], body["limit"]
    after = max(body["after_timestamp"], start - 1)
    postings = await ledger.account_postings(account_id, limit=limit + 1, after_timestamp=after)
    within = [one for one in postings if not end or one.timestamp < end]
    # Read after the postings, so that each of them finds its own.
    history = await ledger.account_balances(account_id, limit=limit + 1, after_timestamp=after)
    balances = {one.timestamp: one for one in history}
    opening = await _balance_before(ledger, account_id, start) if start else 0
    return {
        "entries": [_entry(account_id, one, balances[one.timestamp]) for one in within[:limit]],
        "more": len(within) > limit,
        "opening_minor": opening,
        "closing_minor": await _balance_before(ledger, account_id, end),
    }


async def _balance_before(ledger: Ledger, account_id: int, timestamp: int) -> int:
    """The booked balance before that instant; 0: now."""
    last = await ledger.account_balances(account_id, limit=1, after_timestamp=timestamp, newest_first=True)
    return _booked(last[0]) if last else 0


def _booked(balance: Balance) -> int:
    return balance.credits_posted - balance.debits_posted


def _entry(account_id: int, posting: Posting, balance: Balance) -> dict[str, Any]:
    key = chart.read_posting(posting)
    flags = PostingFlag(posting.flags)
    if flags & PostingFlag.PENDING:
        kind = "hold"
    elif flags & PostingFlag.VOID_PENDING:
        kind = "release"
    else:
        kind = "debit" if posting.debit_account_id == account_id else "credit"
    return {
        "entry": kind,
        "code": Code(posting.code).name.lower(),
        "payment_number": key.payment,
        "amount_minor": posting.amount,
        "balance_minor": _booked(balance),
        "available_minor": _booked(balance) - balance.debits_pending,
        "timestamp": posting.timestamp,
        "at": datetime.fromtimestamp(posting.timestamp / _NANOSECONDS, UTC).isoformat().replace("+00:00", "Z"),
    }
