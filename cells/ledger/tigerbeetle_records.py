"""Accounts, postings and filters as the TigerBeetle client's records, and back."""

from cells.backends.tigerbeetle import Account as AccountRecord
from cells.backends.tigerbeetle import (
    AccountBalance,
    AccountFilter,
    AccountFilterFlags,
    AccountFlags,
    QueryFilter,
    QueryFilterFlags,
    Transfer,
    TransferFlags,
)
from cells.ledger.entry import Account, Balance, Posting


def account_filter(account_id: int, limit: int, after_timestamp: int, newest_first: bool) -> AccountFilter:
    flags = AccountFilterFlags.DEBITS | AccountFilterFlags.CREDITS
    return AccountFilter(
        account_id=account_id,
        user_data_128=0,
        user_data_64=0,
        user_data_32=0,
        code=0,
        timestamp_min=0 if newest_first else after_timestamp + 1,
        timestamp_max=after_timestamp - 1 if newest_first and after_timestamp else 0,
        limit=limit,
        flags=flags | AccountFilterFlags.REVERSED if newest_first else flags,
    )


def query_filter(limit: int, user_data_128: int, ledger: int, code: int, after_timestamp: int) -> QueryFilter:
    return QueryFilter(
        user_data_128=user_data_128,
        user_data_64=0,
        user_data_32=0,
        ledger=ledger,
        code=code,
        timestamp_min=after_timestamp + 1,
        timestamp_max=0,
        limit=limit,
        flags=QueryFilterFlags.NONE,
    )


def account_record(account: Account) -> AccountRecord:
    return AccountRecord(
        id=account.id,
        debits_pending=account.debits_pending,
        debits_posted=account.debits_posted,
        credits_pending=account.credits_pending,
        credits_posted=account.credits_posted,
        user_data_128=account.user_data_128,
        user_data_64=account.user_data_64,
        user_data_32=account.user_data_32,
        ledger=account.ledger,
        code=account.code,
        flags=AccountFlags(account.flags),
        timestamp=account.timestamp,
    )


def account_of(record: AccountRecord) -> Account:
    return Account(
        id=record.id,
        ledger=record.ledger,
        code=record.code,
        flags=int(record.flags),
        user_data_128=record.user_data_128,
        user_data_64=record.user_data_64,
        user_data_32=record.user_data_32,
        debits_pending=record.debits_pending,
        debits_posted=record.debits_posted,
        credits_pending=record.credits_pending,
        credits_posted=record.credits_posted,
        timestamp=record.timestamp,
    )


def transfer_record(posting: Posting) -> Transfer:
    return Transfer(
        id=posting.id,
        debit_account_id=posting.debit_account_id,
        credit_account_id=posting.credit_account_id,
        amount=posting.amount,
        pending_id=posting.pending_id,
        user_data_128=posting.user_data_128,
        user_data_64=posting.user_data_64,
        user_data_32=posting.user_data_32,
        timeout=posting.timeout_s,
        ledger=posting.ledger,
        code=posting.code,
        flags=TransferFlags(posting.flags),
        timestamp=posting.timestamp,
    )


def posting_of(record: Transfer) -> Posting:
    return Posting(
        id=record.id,
        debit_account_id=record.debit_account_id,
        credit_account_id=record.credit_account_id,
        amount=record.amount,
        ledger=record.ledger,
        code=record.code,
        flags=int(record.flags),
        pending_id=record.pending_id,
        timeout_s=record.timeout,
        user_data_128=record.user_data_128,
        user_data_64=record.user_data_64,
        user_data_32=record.user_data_32,
        timestamp=record.timestamp,
    )


def balance_of(record: AccountBalance) -> Balance:
    return Balance(
        timestamp=record.timestamp,
        debits_pending=record.debits_pending,
        debits_posted=record.debits_posted,
        credits_pending=record.credits_pending,
        credits_posted=record.credits_posted,
    )
