"""What two officers release from a sanction freeze, as chains: the funds go back to the wallet, or back and on hold again.

F2 is the mirror of F1 (cells/ledger/chains.py): all that was frozen, fee and margin included. A payment that goes on is held under the
next attempt, so that its holds, posts and voids have ids of their own beside those of the payment that was frozen.
"""

from cells.ledger.accounts import CrossBorderTerms, InRegionAccounts, InRegionTerms, OriginAccounts
from cells.ledger.chain import Chain, Draft, link
from cells.ledger.chains import cross_border_hold, in_region_hold
from cells.ledger.codes import Code, Leg, Phase, Step


def cross_border_unfreeze(payment: int, accounts: OriginAccounts, terms: CrossBorderTerms, *, attempt: int) -> Chain:
    """Found not to be sanctioned: F2 BLOCKED_FUNDS → W, all that was frozen."""
    draft = Draft(payment, Leg.ORIGIN, attempt)
    total = terms.source_total
    draft.add(Step.F2, Phase.DIRECT, terms.source_ledger, accounts.blocked, accounts.wallet, total, Code.UNFREEZE)
    return link(draft.postings)


def cross_border_resume(payment: int, accounts: OriginAccounts, terms: CrossBorderTerms, *, attempt: int) -> Chain:
    """… and the payment goes on: F2 BLOCKED_FUNDS → W · S1 to S4 pending, anew."""
    freed = cross_border_unfreeze(payment, accounts, terms, attempt=attempt)
    return link([*freed, *cross_border_hold(payment, accounts, terms, attempt=attempt)])


def in_region_unfreeze(payment: int, accounts: InRegionAccounts, terms: InRegionTerms, *, attempt: int) -> Chain:
    """Found not to be sanctioned: F2 BLOCKED_FUNDS → W, all that was frozen."""
    draft = Draft(payment, Leg.IN_REGION, attempt)
    total = terms.source_total
    draft.add(Step.F2, Phase.DIRECT, terms.ledger, accounts.blocked, accounts.wallet, total, Code.UNFREEZE)
    return link(draft.postings)


def in_region_resume(payment: int, accounts: InRegionAccounts, terms: InRegionTerms, *, attempt: int) -> Chain:
    """… and the payment goes on: F2 BLOCKED_FUNDS → W · I1, I2 (and I4) pending, anew."""
    freed = in_region_unfreeze(payment, accounts, terms, attempt=attempt)
    return link([*freed, *in_region_hold(payment, accounts, terms, attempt=attempt)])
