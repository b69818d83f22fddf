"""Opening accounts: what every caller needs of the ledger's answer, which is that the accounts are there."""

import logging
from collections.abc import Collection, Sequence

from cells.ledger import chart
from cells.ledger.entry import Account, AccountResult
from cells.ledger.ledger import Ledger, LedgerUnknown
from residency.errors import UnexpectedAnswer

_log = logging.getLogger("kovra.ledger")
_THERE = (AccountResult.CREATED, AccountResult.EXISTS)


class AccountsRefused(UnexpectedAnswer):
    """The ledger holds an account of that id with other facts, or takes it in no form: its books and the chart differ, and a person
    must look. Nothing was booked on it."""


async def open_accounts(ledger: Ledger, account_ids: Collection[int]) -> None:
    """Have each account there, of the kind that its id says. Raises AccountsRefused, LedgerUnknown, ChainTooLong."""
    await ensure_open(ledger, [chart.opening(one) for one in sorted(account_ids)])


async def ensure_open(ledger: Ledger, accounts: Sequence[Account]) -> None:
    """`open_accounts`, of accounts that are described already, in their order."""
    results = await ledger.create_accounts(accounts)
    if len(results) != len(accounts):
        raise LedgerUnknown(f"The ledger answered {len(results)} of {len(accounts)} accounts.")
    refused = {
        f"{one.id:032x}": result.name for one, result in zip(accounts, results, strict=True) if result not in _THERE
    }
    if refused:
        _log.critical("the ledger refused to open accounts, and a person must look: %s", refused)
        raise AccountsRefused("the ledger refused to open an account")
