"""What a ledger holds and answers: accounts, postings, balances and result codes. Pure data, no engine.

Names, numbers and field widths are TigerBeetle's (src/tigerbeetle.zig), with one change of word: what it
calls a *transfer* is a *posting* here, because a transfer is a customer's payment in this house. Every engine
answers with these codes, so a caller cannot tell the engines apart by what they say.

Invariants: amounts and balances are integers in minor units within u128; ids are u128, neither 0 nor 2^128 -
1; a timestamp is nanoseconds since 1970, set by the ledger, strictly increasing over everything it has ever
applied. TigerBeetle's `imported` flag is no part of this port: our events are never older than their posting.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

U16_MAX: Final = 2**16 - 1
U32_MAX: Final = 2**32 - 1
U64_MAX: Final = 2**64 - 1
U128_MAX: Final = 2**128 - 1
AMOUNT_MAX: Final = U128_MAX
"""As the amount of a post: all that was held. As the amount of a balancing posting: as much as there is."""


class AccountFlag(IntFlag):
    """Account flags, bit for bit TigerBeetle's."""

    NONE = 0
    LINKED = 1 << 0
    DEBITS_MUST_NOT_EXCEED_CREDITS = 1 << 1
    CREDITS_MUST_NOT_EXCEED_DEBITS = 1 << 2
    HISTORY = 1 << 3
    CLOSED = 1 << 5


class PostingFlag(IntFlag):
    """Posting flags, bit for bit TigerBeetle's."""

    NONE = 0
    LINKED = 1 << 0
    PENDING = 1 << 1
    POST_PENDING = 1 << 2
    VOID_PENDING = 1 << 3
    BALANCING_DEBIT = 1 << 4
    BALANCING_CREDIT = 1 << 5
    CLOSING_DEBIT = 1 << 6
    CLOSING_CREDIT = 1 << 7


ACCOUNT_IMPORTED: Final = 1 << 4
POSTING_IMPORTED: Final = 1 << 8
ACCOUNT_PADDING: Final = U16_MAX & ~0x3F
POSTING_PADDING: Final = U16_MAX & ~0x1FF


@dataclass(frozen=True, slots=True)
class Account:
    """One account. Balances and timestamp are the ledger's answer and must be zero when an account is
    created.
    """

    id: int
    ledger: int
    code: int
    flags: int = 0
    user_data_128: int = 0
    user_data_64: int = 0
    user_data_32: int = 0
    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0
    timestamp: int = 0

    @property
    def credit_balance(self) -> int:
        """Posted credits less posted debits, in minor units; negative when the account is in debit."""
        return self.credits_posted - self.debits_posted

    @property
    def available(self) -> int:
        """What may still be debited under DEBITS_MUST_NOT_EXCEED_CREDITS: posted credits less all debits."""
        return self.credits_posted - self.debits_posted - self.debits_pending


@dataclass(frozen=True, slots=True)
class Posting:
    """One ledger entry: `amount` minor units from the debit account to the credit account."""

    id: int
    debit_account_id: int
    credit_account_id: int
    amount: int
    ledger: int
    code: int
    flags: int = 0
    pending_id: int = 0
    timeout_s: int = 0
    user_data_128: int = 0
    user_data_64: int = 0
    user_data_32: int = 0
    timestamp: int = 0


@dataclass(frozen=True, slots=True)
class Balance:
    """The balances of an account with HISTORY, right after the event at `timestamp`."""

    timestamp: int
    debits_pending: int
    debits_posted: int
    credits_pending: int
    credits_posted: int


class AccountResult(IntEnum):
    """The answer to one account creation; declared in order of precedence, numbered as TigerBeetle numbers
    it.
    """

    CREATED = U32_MAX
    LINKED_EVENT_FAILED = 1
    LINKED_EVENT_CHAIN_OPEN = 2
    TIMESTAMP_MUST_BE_ZERO = 3
    RESERVED_FIELD = 4
    RESERVED_FLAG = 5
    ID_MUST_NOT_BE_ZERO = 6
    ID_MUST_NOT_BE_INT_MAX = 7
    EXISTS_WITH_DIFFERENT_FLAGS = 15
    EXISTS_WITH_DIFFERENT_USER_DATA_128 = 16
    EXISTS_WITH_DIFFERENT_USER_DATA_64 = 17
    EXISTS_WITH_DIFFERENT_USER_DATA_32 = 18
    EXISTS_WITH_DIFFERENT_LEDGER = 19
    EXISTS_WITH_DIFFERENT_CODE = 20
    EXISTS = 21
    FLAGS_ARE_MUTUALLY_EXCLUSIVE = 8
    DEBITS_PENDING_MUST_BE_ZERO = 9
    DEBITS_POSTED_MUST_BE_ZERO = 10
    CREDITS_PENDING_MUST_BE_ZERO = 11
    CREDITS_POSTED_MUST_BE_ZERO = 12
    LEDGER_MUST_NOT_BE_ZERO = 13
    CODE_MUST_NOT_BE_ZERO = 14


class PostingResult(IntEnum):
    """The answer to one posting; declared in order of precedence, numbered as TigerBeetle numbers it."""

    CREATED = U32_MAX
    LINKED_EVENT_FAILED = 1
    LINKED_EVENT_CHAIN_OPEN = 2
    TIMESTAMP_MUST_BE_ZERO = 3
    RESERVED_FLAG = 4
    ID_MUST_NOT_BE_ZERO = 5
    ID_MUST_NOT_BE_INT_MAX = 6
    EXISTS_WITH_DIFFERENT_FLAGS = 36
    EXISTS_WITH_DIFFERENT_PENDING_ID = 40
    EXISTS_WITH_DIFFERENT_TIMEOUT = 44
    EXISTS_WITH_DIFFERENT_DEBIT_ACCOUNT_ID = 37
    EXISTS_WITH_DIFFERENT_CREDIT_ACCOUNT_ID = 38
    EXISTS_WITH_DIFFERENT_AMOUNT = 39
    EXISTS_WITH_DIFFERENT_USER_DATA_128 = 41
    EXISTS_WITH_DIFFERENT_USER_DATA_64 = 42
    EXISTS_WITH_DIFFERENT_USER_DATA_32 = 43
    EXISTS_WITH_DIFFERENT_LEDGER = 67
    EXISTS_WITH_DIFFERENT_CODE = 45
    EXISTS = 46
    ID_ALREADY_FAILED = 68
    FLAGS_ARE_MUTUALLY_EXCLUSIVE = 7
    DEBIT_ACCOUNT_ID_MUST_NOT_BE_ZERO = 8
    DEBIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX = 9
    CREDIT_ACCOUNT_ID_MUST_NOT_BE_ZERO = 10
    CREDIT_ACCOUNT_ID_MUST_NOT_BE_INT_MAX = 11
    ACCOUNTS_MUST_BE_DIFFERENT = 12
    PENDING_ID_MUST_BE_ZERO = 13
    PENDING_ID_MUST_NOT_BE_ZERO = 14
    PENDING_ID_MUST_NOT_BE_INT_MAX = 15
    PENDING_ID_MUST_BE_DIFFERENT = 16
    TIMEOUT_RESERVED_FOR_PENDING_TRANSFER = 17
    CLOSING_TRANSFER_MUST_BE_PENDING = 64
    LEDGER_MUST_NOT_BE_ZERO = 19
    CODE_MUST_NOT_BE_ZERO = 20
    DEBIT_ACCOUNT_NOT_FOUND = 21
    CREDIT_ACCOUNT_NOT_FOUND = 22
    ACCOUNTS_MUST_HAVE_THE_SAME_LEDGER = 23
    TRANSFER_MUST_HAVE_THE_SAME_LEDGER_AS_ACCOUNTS = 24
    PENDING_TRANSFER_NOT_FOUND = 25
    PENDING_TRANSFER_NOT_PENDING = 26
    PENDING_TRANSFER_HAS_DIFFERENT_DEBIT_ACCOUNT_ID = 27
    PENDING_TRANSFER_HAS_DIFFERENT_CREDIT_ACCOUNT_ID = 28
    PENDING_TRANSFER_HAS_DIFFERENT_LEDGER = 29
    PENDING_TRANSFER_HAS_DIFFERENT_CODE = 30
    EXCEEDS_PENDING_TRANSFER_AMOUNT = 31
    PENDING_TRANSFER_HAS_DIFFERENT_AMOUNT = 32
    PENDING_TRANSFER_ALREADY_POSTED = 33
    PENDING_TRANSFER_ALREADY_VOIDED = 34
    PENDING_TRANSFER_EXPIRED = 35
    DEBIT_ACCOUNT_ALREADY_CLOSED = 65
    CREDIT_ACCOUNT_ALREADY_CLOSED = 66
    OVERFLOWS_DEBITS_PENDING = 47
    OVERFLOWS_CREDITS_PENDING = 48
    OVERFLOWS_DEBITS_POSTED = 49
    OVERFLOWS_CREDITS_POSTED = 50
    OVERFLOWS_DEBITS = 51
    OVERFLOWS_CREDITS = 52
    OVERFLOWS_TIMEOUT = 53
    EXCEEDS_CREDITS = 54
    EXCEEDS_DEBITS = 55

    @property
    def burns_id(self) -> bool:
        """Whether a posting that failed so can never be applied under its id again (TigerBeetle:
        transient).
        """
        return self in _BURNS_ID


_BURNS_ID: Final = frozenset(
    {
        PostingResult.DEBIT_ACCOUNT_NOT_FOUND,
        PostingResult.CREDIT_ACCOUNT_NOT_FOUND,
        PostingResult.PENDING_TRANSFER_NOT_FOUND,
        PostingResult.EXCEEDS_CREDITS,
        PostingResult.EXCEEDS_DEBITS,
        PostingResult.DEBIT_ACCOUNT_ALREADY_CLOSED,
        PostingResult.CREDIT_ACCOUNT_ALREADY_CLOSED,
    }
)


def check_accounts(accounts: Sequence[Account]) -> None:
    """Refuse what no engine can encode. Raises ValueError: a bug in the caller, not an answer of the
    ledger.
    """
    for account in accounts:
        balances = (
            account.debits_pending,
            account.debits_posted,
            account.credits_pending,
            account.credits_posted,
        )
        in_range = (
            min(account.id, account.user_data_128, *balances) >= 0
            and max(account.id, account.user_data_128, *balances) <= U128_MAX
            and min(account.user_data_64, account.timestamp) >= 0
            and max(account.user_data_64, account.timestamp) <= U64_MAX
            and min(account.user_data_32, account.ledger) >= 0
            and max(account.user_data_32, account.ledger) <= U32_MAX
            and min(account.code, account.flags) >= 0
            and max(account.code, account.flags) <= U16_MAX
        )
        if not in_range or account.flags & ACCOUNT_IMPORTED:
            raise ValueError(f"account {account.id}: a field is out of range, or the imported flag is set")


def check_postings(postings: Sequence[Posting]) -> None:
    """Refuse what no engine can encode. Raises ValueError: a bug in the caller, not an answer of the
    ledger.
    """
    for posting in postings:
        wide = (
            posting.id,
            posting.debit_account_id,
            posting.credit_account_id,
            posting.amount,
            posting.pending_id,
            posting.user_data_128,
        )
        in_range = (
            min(wide) >= 0
            and max(wide) <= U128_MAX
            and min(posting.user_data_64, posting.timestamp) >= 0
            and max(posting.user_data_64, posting.timestamp) <= U64_MAX
            and min(posting.user_data_32, posting.timeout_s, posting.ledger) >= 0
            and max(posting.user_data_32, posting.timeout_s, posting.ledger) <= U32_MAX
            and min(posting.code, posting.flags) >= 0
            and max(posting.code, posting.flags) <= U16_MAX
        )
        if not in_range or posting.flags & POSTING_IMPORTED:
            raise ValueError(f"posting {posting.id}: a field is out of range, or the imported flag is set")
