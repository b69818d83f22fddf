"""How a chain is made: drafted step by step, linked, resolved (posted or voided).

Invariants: a chain's postings all carry LINKED but the last, so the ledger applies it whole or not at all; a
posting of zero is left out; the id of every posting follows from (payment, leg, step, phase, attempt) alone,
so that recovery builds the same one again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from cells.ledger.chart import posting_id, posting_mark, read_posting
from cells.ledger.codes import Code, Leg, Phase, Step
from cells.ledger.entry import Posting, PostingFlag

Chain = list[Posting]

# As plain ints: arithmetic on an enum's members costs more than all the rest of a posting.
_LINKED = int(PostingFlag.LINKED)

_PHASE_FLAG = {
    Phase.DIRECT: int(PostingFlag.NONE),
    Phase.HOLD: int(PostingFlag.PENDING),
    Phase.POST: int(PostingFlag.POST_PENDING),
    Phase.VOID: int(PostingFlag.VOID_PENDING),
}


@dataclass(slots=True)
class Draft:
    """The postings of one leg and attempt, under construction: linked as they come, until `link` ends the chain."""

    payment: int
    leg: Leg
    attempt: int
    postings: Chain = field(default_factory=list)

    def add(self, step: Step, phase: Phase, ledger: int, debit: int, credit: int, amount: int, code: Code) -> None:
        """Append Dr → Cr, unless the amount is zero."""
        assert amount >= 0, "an amount is never negative: turn the posting round"
        assert phase in (Phase.DIRECT, Phase.HOLD), "posts and voids are made from their holds"
        if amount == 0:
            return
        self.postings.append(
            Posting(
                id=posting_id(self.payment, self.leg, step, phase, self.attempt),
                debit_account_id=debit,
                credit_account_id=credit,
                amount=amount,
                ledger=ledger,
                code=int(code),
                flags=_PHASE_FLAG[phase] | _LINKED,
                user_data_128=self.payment,
                user_data_64=posting_mark(self.leg, step, phase),
                user_data_32=self.attempt,
            )
        )


def link(postings: Sequence[Posting]) -> Chain:
    """Join postings into one chain: all of them or none."""
    assert postings, "a chain has at least one posting"
    joined = [
        posting if posting.flags & _LINKED else replace(posting, flags=posting.flags | _LINKED)
        for posting in postings[:-1]
    ]
    return [*joined, replace(postings[-1], flags=postings[-1].flags & ~_LINKED)]


def resolve(held: Sequence[Posting], phase: Phase, attempt: int) -> Chain:
    """Post or void every hold of `held`, whole, under ids of their own; linked as in a Draft.

    Everything the hold said is said again, so a post that meets another hold under that id is refused, not
    applied.
    """
    assert phase in (Phase.POST, Phase.VOID)
    resolved = []
    for hold in held:
        key = read_posting(hold)
        assert key.phase is Phase.HOLD
        resolved.append(
            Posting(
                id=posting_id(key.payment, key.leg, key.step, phase, attempt),
                debit_account_id=hold.debit_account_id,
                credit_account_id=hold.credit_account_id,
                amount=hold.amount,
                ledger=hold.ledger,
                code=hold.code,
                flags=_PHASE_FLAG[phase] | _LINKED,
                pending_id=hold.id,
                user_data_128=key.payment,
                user_data_64=posting_mark(key.leg, key.step, phase),
                user_data_32=attempt,
            )
        )
    return resolved
