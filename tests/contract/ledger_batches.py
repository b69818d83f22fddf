"""Random batches for the differential test: mostly meaningful, often wrong, all made from one seed."""

from dataclasses import replace
from random import Random

from cells.ledger.entry import (
    AMOUNT_MAX,
    U32_MAX,
    U64_MAX,
    U128_MAX,
    Account,
    AccountFlag,
    Posting,
    PostingFlag,
)

F = PostingFlag
_RESOLVES = int(F.POST_PENDING | F.VOID_PENDING)
_ACCOUNTS = 6


class Batches:
    """A run of batches over a few accounts whose ids follow `base`."""

    def __init__(self, seed: int, base: int) -> None:
        self._random = Random(seed)
        self._base = base
        self._sent: list[Posting] = []

    @property
    def account_ids(self) -> list[int]:
        """Every account that a batch may have opened."""
        return [self._base + index for index in range(_ACCOUNTS + 2)]

    @property
    def posting_ids(self) -> list[int]:
        """Every posting sent so far."""
        return list({one.id for one in self._sent})

    def opening(self) -> list[Account]:
        """The accounts of the run: some limited one way or the other, some with history, one of another
        ledger.
        """
        flags = (0, 0, 2, 2 | 8, 4, 8)
        return [Account(self._base + index, 360 if index == 1 else 978, 1, flag) for index, flag in enumerate(flags)]

    def accounts(self) -> list[Account]:
        """Accounts sent again with a change, or malformed, or new."""
        return [self._account() for _ in range(self._random.randint(1, 5))]

    def postings(self) -> list[Posting]:
        """One batch of postings."""
        events = [self._posting() for _ in range(self._random.randint(1, 10))]
        self._sent += events
        return events

    def _often(self, chance: float) -> bool:
        return self._random.random() < chance

    def _account(self) -> Account:
        random = self._random
        account = random.choice(self.opening())
        if self._often(0.1):
            account = replace(account, id=random.choice([0, U128_MAX, self._base + _ACCOUNTS]))
        changes: dict[str, int] = {}
        if self._often(0.7):
            name = random.choice([name for name in Account.__dataclass_fields__ if name not in ("id", "flags")])
            changes[name] = random.choice([0, 1, 2])
        if self._often(0.3):
            changes["flags"] = random.choice([1, 2, 6, 8, 32, 64])
        if self._often(0.3):
            changes["flags"] = int(changes.get("flags", account.flags) | AccountFlag.LINKED)
        return replace(account, **changes)

    def _posting(self) -> Posting:
        if self._sent and self._often(0.15):
            return self._again()
        if self._sent and self._often(0.3):
            return self._resolution()
        random = self._random
        flags = F.PENDING if self._often(0.5) else F.NONE
        for flag, chance in (
            (F.LINKED, 0.3),
            (F.BALANCING_DEBIT, 0.05),
            (F.BALANCING_CREDIT, 0.05),
            (F.CLOSING_DEBIT, 0.01),
            (F.CLOSING_CREDIT, 0.01),
        ):
            if self._often(chance):
                flags |= flag
        posting = Posting(
            id=self._fresh(),
            debit_account_id=random.choice(self.account_ids[:_ACCOUNTS]),
            credit_account_id=random.choice(self.account_ids[:_ACCOUNTS]),
            amount=random.choice([0, 1, 7, 30, 100, AMOUNT_MAX]),
            ledger=random.choice([978] * 9 + [360]),
            code=1,
            flags=int(flags),
            timeout_s=random.choice([3600, U32_MAX]) if flags & F.PENDING and self._often(0.1) else 0,
            user_data_128=random.choice([0, 9]),
            user_data_64=random.choice([0, U64_MAX]),
            user_data_32=random.choice([0, U32_MAX]),
        )
        return self._spoilt(posting) if self._often(0.1) else posting

    def _again(self) -> Posting:
        """A posting sent before, as it was or with one field changed."""
        posting = self._random.choice(self._sent)
        return self._spoilt(posting) if self._often(0.7) else posting

    def _resolution(self) -> Posting:
        """A post or a void of something sent before, whole, in part or too much, spelt out or left out."""
        random = self._random
        holds = [one for one in self._sent if one.flags & F.PENDING] or self._sent
        hold = random.choice(holds)
        named = self._often(0.6)
        posting = Posting(
            id=self._fresh(),
            debit_account_id=hold.debit_account_id if named else 0,
            credit_account_id=hold.credit_account_id if named else 0,
            amount=random.choice([hold.amount, hold.amount, 0, AMOUNT_MAX, 1]),
            ledger=hold.ledger if named else 0,
            code=hold.code if named else 0,
            flags=int(random.choice([F.POST_PENDING, F.VOID_PENDING]) | (F.LINKED if self._often(0.3) else F.NONE)),
            pending_id=hold.id,
            user_data_128=random.choice([0, 9, 8]),
        )
        return self._spoilt(posting) if self._often(0.15) else posting

    def _spoilt(self, posting: Posting) -> Posting:
        name = self._random.choice([name for name in Posting.__dataclass_fields__ if name != "id"])
        values = [0, 1, 2, 7, self._base + 2, U128_MAX]
        limits = {
            "flags": 1 << 10,
            "code": 1 << 16,
            "ledger": 1 << 32,
            "timeout_s": 1 << 32,
            "user_data_32": 1 << 32,
        }
        limit = limits.get(name, 1 << 64 if name in ("user_data_64", "timestamp") else 1 << 128)
        value = self._random.choice([value for value in values if value < limit])
        if name == "flags":
            value = int(posting.flags ^ (1 << self._random.choice([0, 1, 2, 3, 4, 5, 6, 7, 9])))
        return replace(posting, **{name: value})

    def _fresh(self) -> int:
        return self._base + self._random.getrandbits(48) + 1000
