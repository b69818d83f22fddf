"""What each peer may owe a cell, brought to what its declaration says: the founding prefunding, and every later change of it.

A cap is raised at once. It is lowered by what of it is free; what a peer owes already keeps its room until netting has brought the money, and
the next start of the cell takes it. The id of a change follows from what the cap has seen so far, so that asking again changes nothing.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b

from cells.ledger import chart
from cells.ledger.codes import Leg
from cells.ledger.entry import Account, PostingResult
from cells.ledger.ledger import Ledger
from cells.ledger.life import Life
from cells.ledger.postings import Action, Chain, postings_of
from cells.ledger.submit import submit_chains

_log = logging.getLogger("kovra.prefunding")
_DECISION = 1


@dataclass(frozen=True, slots=True)
class Cap:
    """What one peer may owe the cell in one currency, minor units. `peer_number`: of the cell; `ledger`: the currency's ISO 4217 number."""

    peer_number: int
    ledger: int
    amount: int


async def declare_caps(ledger: Ledger, caps: Mapping[str, Cap]) -> None:
    """Bring caps to what is declared; `caps`: by what each is called in the log. Idempotent. Raises LedgerUnknown."""
    pending, attempt = dict(caps), 1
    while pending:
        accounts = await ledger.lookup_accounts([one for cap in pending.values() for one in _accounts_of(cap)])
        changes = {name: change for name, cap in pending.items() if (change := _change(cap, accounts, attempt))}
        results = await submit_chains(ledger, list(changes.values())) if changes else []
        # An id that a failure has burnt, in an earlier run: another attempt, on what the accounts hold then.
        pending = {
            name: pending[name]
            for name, result in zip(changes, results, strict=True)
            if result.reason is PostingResult.ID_ALREADY_FAILED
        }
        attempt += 1
    await _name_what_stays(ledger, caps)


async def _name_what_stays(ledger: Ledger, caps: Mapping[str, Cap]) -> None:
    accounts = await ledger.lookup_accounts([_accounts_of(cap)[1] for cap in caps.values()])
    for name, cap in caps.items():
        stands = -accounts[_accounts_of(cap)[1]].credit_balance
        if stands != cap.amount:
            _log.warning("%s may still owe %d, of which %d is declared: the rest is in use", name, stands, cap.amount)


def _change(cap: Cap, accounts: Mapping[int, Account], attempt: int) -> Chain | None:
    """The posting that brings a cap as near to its declaration as can be now; None: it is there. Pure."""
    settlement, other_side = (accounts[one] for one in _accounts_of(cap))
    missing = cap.amount + other_side.credit_balance
    decision = _number(cap, other_side)
    if missing > 0:
        return postings_of(life_of_change(decision, replace(cap, amount=missing)), Action.GRANT, attempt)
    free = min(-missing, max(settlement.available, 0))
    return postings_of(life_of_change(decision, replace(cap, amount=free)), Action.WITHDRAW, attempt) if free else None


def life_of_change(decision: int, change: Cap) -> Life:
    """A change of a cap, by its amount. `decision`: the u128 that stands for it, in place of a payment."""
    return Life(Leg.HOUSE, decision, peer=change.peer_number, target_ledger=change.ledger, amount=change.amount)


def _accounts_of(cap: Cap) -> tuple[int, int]:
    return chart.settlement(cap.peer_number, cap.ledger), chart.settlement_cap(cap.peer_number, cap.ledger)


def _number(cap: Cap, other_side: Account) -> int:
    """The u128 that stands for one change of a cap, in place of a payment: of all that the cap has been given and has given back."""
    seen = f"{cap.peer_number}:{cap.ledger}:{other_side.debits_posted}:{other_side.credits_posted}"
    return _DECISION << 80 | int.from_bytes(blake2b(seen.encode(), digest_size=10, person=b"kovra-cap").digest())
