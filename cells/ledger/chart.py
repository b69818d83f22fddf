"""The chart of accounts: every number that a ledger entry can carry, and how account and posting ids are made
of them.

Here, in codes.py and (a rail's number) in cells/rails/profiles are all constants of the ledger. They are APPEND-ONLY: books written years ago are read
with them, so a number is never changed and never given to something else (a test pins them).

Account id (u128) = `qualifier:32 | owner:64 | account type:8 | currency:24`. The lower 96 bits are the
documented format; the qualifier is 0, or the number of a sub-wallet. Owners (64 bits, told apart by the top
byte):

    0x00 to 0x7f…   a tenant: its random 63-bit number, the same in every cell
    0x80…           the platform
    0x81… | number  a peer cell, by its number in the directory
    0x82… | number  a rail or bank, by the number in its profile

An account's `ledger` is the ISO 4217 number, its `code` the account type. A posting's `user_data_128` is the
payment, `user_data_64` its leg, step and phase (`posting_mark`), `user_data_32` the attempt, and `code` its
kind (`Code`).
"""

from collections.abc import Mapping
from enum import IntEnum
from functools import cache
from hashlib import blake2b
from types import MappingProxyType
from typing import Final, NamedTuple

from cells.kit.money import CURRENCIES, amount_text
from cells.ledger.codes import Leg, Phase, Step
from cells.ledger.entry import U32_MAX, U64_MAX, U128_MAX, Account, AccountFlag, Posting
from residency.rails import rail_documents

CURRENCY_LEDGER: Final = MappingProxyType({code: currency.number for code, currency in CURRENCIES.items()})
"""ISO 4217 numbers; the ledger of a currency."""

CURRENCY_OF_LEDGER: Final = MappingProxyType({ledger: currency for currency, ledger in CURRENCY_LEDGER.items()})


def ledger_amount(minor: int, of: int) -> str:
    """The amount as a person reads it. `of`: a ledger, or an account, which ends in the number of its ledger."""
    ledger = of & (1 << 24) - 1
    currency = CURRENCY_OF_LEDGER.get(ledger)
    return amount_text(minor, currency) if currency else f"{minor} in unknown ledger {ledger}"


class AccountType(IntEnum):
    """What an account is for; the account's `code` (LEDGER.md, Accounts)."""

    TENANT_WALLET = 1
    PENDING_INBOUND = 2
    PENDING_OUTBOUND = 3
    RAIL_SETTLEMENT = 4
    REGIONAL_SETTLEMENT = 5
    FX_POSITION = 6
    FEE_REVENUE = 7
    FX_MARGIN = 8
    BATCH_RESERVE = 9
    SUSPENSE = 10
    BLOCKED_FUNDS = 11
    IN_DOUBT_LOSS = 12
    FX_RESULT = 13
    OWN_FUNDS = 14
    EQUITY = 15
    # The other side of a peer's prefunding: its debit balance is the cap that REGIONAL_SETTLEMENT carries as
    # credit.
    REGIONAL_CAP = 16


_PLATFORM: Final = 0x80 << 56
_PEER: Final = 0x81 << 56
_RAIL: Final = 0x82 << 56
PLATFORM_OWNER: Final = _PLATFORM

_NO_OVERDRAFT: Final = frozenset(
    {
        AccountType.TENANT_WALLET,
        AccountType.PENDING_INBOUND,
        AccountType.PENDING_OUTBOUND,
        AccountType.REGIONAL_SETTLEMENT,
        AccountType.BATCH_RESERVE,
        AccountType.SUSPENSE,
        AccountType.BLOCKED_FUNDS,
    }
)
# History costs a row per posting, and cannot be added later: kept where somebody will ask for a statement.
_WITH_HISTORY: Final = frozenset(
    {
        AccountType.TENANT_WALLET,
        AccountType.RAIL_SETTLEMENT,
        AccountType.REGIONAL_SETTLEMENT,
        AccountType.FX_POSITION,
        AccountType.BATCH_RESERVE,
        AccountType.SUSPENSE,
        AccountType.BLOCKED_FUNDS,
        AccountType.OWN_FUNDS,
    }
)


def tenant_owner(number: int) -> int:
    """The owner field of a tenant, from its random 63-bit number."""
    assert 0 < number < 2**63, "a tenant's number has 63 bits and is not zero"
    return number


def peer_owner(cell_number: int) -> int:
    """The owner field of a peer cell, from its number in the directory."""
    assert 0 < cell_number <= U32_MAX, "a cell's number has 32 bits and is not zero"
    return _PEER | cell_number


def rail_owner(rail: str) -> int:
    """The owner field of a rail, by its name."""
    return _RAIL | rail_numbers()[rail]


@cache
def rail_numbers() -> Mapping[str, int]:
    """The owner number of each rail's settlement account, by the rail's name: `ledger_number` of its profile."""
    return MappingProxyType({rail: document["ledger_number"] for rail, document in rail_documents().items()})


def account_id(owner: int, account_type: AccountType, ledger: int, qualifier: int = 0) -> int:
    """The u128 of an account; `ledger` is an ISO 4217 number."""
    assert 0 < owner <= U64_MAX
    assert 0 <= qualifier <= U32_MAX
    assert 0 < ledger < 2**24
    return qualifier << 96 | owner << 32 | account_type << 24 | ledger


class AccountKey(NamedTuple):
    """An account id, taken apart."""

    qualifier: int
    owner: int
    account_type: AccountType
    ledger: int

    @property
    def peer_number(self) -> int | None:
        """The peer cell's number, or None."""
        return self.owner & ~_PEER if self.owner >> 56 == _PEER >> 56 else None


def read_account_id(number: int) -> AccountKey:
    """Take an account id apart. Raises ValueError for an account type that this chart does not know."""
    assert 0 < number <= U128_MAX
    return AccountKey(number >> 96, number >> 32 & U64_MAX, AccountType(number >> 24 & 0xFF), number & 0xFFFFFF)


def opening(number: int) -> Account:
    """The account to create for an id, with the flags and the code of its type."""
    key = read_account_id(number)
    flags = AccountFlag.NONE
    if key.account_type in _NO_OVERDRAFT:
        flags |= AccountFlag.DEBITS_MUST_NOT_EXCEED_CREDITS
    if key.account_type in _WITH_HISTORY:
        flags |= AccountFlag.HISTORY
    return Account(number, key.ledger, int(key.account_type), int(flags))


def wallet(tenant_number: int, ledger: int, qualifier: int = 0) -> int:
    """W: what we owe a tenant in a currency."""
    return account_id(tenant_owner(tenant_number), AccountType.TENANT_WALLET, ledger, qualifier)


def reserve(wallet_account: int) -> int:
    """RSV beside a wallet: what its batches have been funded with, and have not held, spent or given back yet."""
    key = read_account_id(wallet_account)
    assert key.account_type is AccountType.TENANT_WALLET, "only a wallet has a reserve"
    return account_id(key.owner, AccountType.BATCH_RESERVE, key.ledger, key.qualifier)


def platform(account_type: AccountType, ledger: int) -> int:
    """An account of the platform: FX, MARGIN, FEE, PI, PO, SUS and so on, one per currency."""
    return account_id(PLATFORM_OWNER, account_type, ledger)


def settlement(cell_number: int, ledger: int) -> int:
    """REG: what this cell and a peer owe each other in a currency."""
    return account_id(peer_owner(cell_number), AccountType.REGIONAL_SETTLEMENT, ledger)


def settlement_cap(cell_number: int, ledger: int) -> int:
    """The other side of the prefunding of REG."""
    return account_id(peer_owner(cell_number), AccountType.REGIONAL_CAP, ledger)


def rail(name: str, ledger: int) -> int:
    """RAIL: our account at a scheme or bank."""
    return account_id(rail_owner(name), AccountType.RAIL_SETTLEMENT, ledger)


def posting_id(payment: int, leg: Leg, step: Step, phase: Phase, attempt: int) -> int:
    """The id of one posting: 48 bits of the payment's milliseconds (a uuidv7's first), then 80 bits of hash.

    Time-ordered, so that ids of one period lie together in every index; the hash covers the payment and the
    rest, so two postings of one millisecond meet with a chance of 2^-80. `attempt` counts from 1 and rises
    only after a *definite* failure, journaled before use (LEDGER.md, ids): a posting that failed for want of
    funds has burnt its id.
    """
    assert 0 < payment <= U128_MAX
    assert 1 <= attempt <= U32_MAX
    identity = payment.to_bytes(16) + posting_mark(leg, step, phase).to_bytes(8) + attempt.to_bytes(4)
    return payment >> 80 << 80 | int.from_bytes(blake2b(identity, digest_size=10, person=b"kovra-posting").digest())


def posting_mark(leg: Leg, step: Step, phase: Phase) -> int:
    """A posting's `user_data_64`: `leg:8 | step:8 | phase:8`."""
    return leg << 16 | step << 8 | phase


class PostingKey(NamedTuple):
    """What a posting's user data says: which payment, and which posting of it."""

    payment: int
    leg: Leg
    step: Step
    phase: Phase
    attempt: int


def read_posting(posting: Posting) -> PostingKey:
    """What a posting is part of. Raises ValueError for a mark that this chart does not know."""
    mark = posting.user_data_64
    return PostingKey(
        posting.user_data_128,
        Leg(mark >> 16),
        Step(mark >> 8 & 0xFF),
        Phase(mark & 0xFF),
        posting.user_data_32,
    )
