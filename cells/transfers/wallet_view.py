"""What a wallet shows of itself: its balance and its statement, read from the ledger, which is the record."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cells.ledger import chart
from cells.ledger.codes import Code
from cells.ledger.entry import Posting, PostingFlag
from cells.ledger.ledger import Ledger

_NANOSECONDS = 1_000_000_000


async def balance(ledger: Ledger, account_id: int, _: object) -> dict[str, int]:
    """Minor units: `available` can be spent now, `held` waits on payments under way. Their sum is what is owed to the tenant."""
    found = await ledger.lookup_accounts([account_id])
    account = found[account_id]
    return {"available_minor": account.available, "held_minor": account.debits_pending}


async def statement(ledger: Ledger, account_id: int, body: Mapping[str, int]) -> list[dict[str, Any]]:
    """Entries after `after_timestamp` (ledger nanoseconds), oldest first, `limit` at most. Holds are shown as what they are;
    only `credit`, `debit` and posted holds move the booked balance."""
    postings = await ledger.account_postings(account_id, limit=body["limit"], after_timestamp=body["after_timestamp"])
    return [_entry(account_id, posting) for posting in postings]


def _entry(account_id: int, posting: Posting) -> dict[str, Any]:
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
        "timestamp": posting.timestamp,
        "at": datetime.fromtimestamp(posting.timestamp / _NANOSECONDS, UTC).isoformat().replace("+00:00", "Z"),
    }
