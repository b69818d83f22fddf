"""Every chain of postings that a payment makes, as pure functions: one per row of LEDGER.md, Dr → Cr.

Invariants:
- each builder returns one linked chain, which the ledger applies whole or not at all;
- a posting of zero is left out: no fee, no posting;
- hold, post and void of a step are three postings with three ids, each with the attempt of its own journal
  row; a post or a void must be built with the `hold_attempt` under which the hold was applied;
- amounts are the quote's integers in minor units, and nothing here multiplies anything.
"""

from cells.ledger.accounts import (
    CollectionAccounts,
    CrossBorderTerms,
    DestinationAccounts,
    InRegionAccounts,
    InRegionTerms,
    OriginAccounts,
)
from cells.ledger.chain import Chain, Draft, link, resolve
from cells.ledger.codes import Code, Leg, Phase, Step

__all__ = [
    "Chain",
    "CollectionAccounts",
    "CrossBorderTerms",
    "DestinationAccounts",
    "InRegionAccounts",
    "InRegionTerms",
    "OriginAccounts",
    "book",
    "collection_accept",
    "collection_hold",
    "collection_refuse",
    "collection_suspend",
    "cross_border_freeze",
    "cross_border_hold",
    "cross_border_post",
    "cross_border_void",
    "destination_hold",
    "destination_post",
    "destination_void",
    "in_region_freeze",
    "in_region_hold",
    "in_region_post",
    "in_region_void",
]

# --- collection


def collection_hold(payment: int, accounts: CollectionAccounts, amount: int, ledger: int, *, attempt: int = 1) -> Chain:
    """Money arrives: C1 RAIL → PI, pending."""
    draft = Draft(payment, Leg.COLLECTION, attempt)
    draft.add(Step.C1, Phase.HOLD, ledger, accounts.rail, accounts.inbound, amount, Code.COLLECTION)
    return link(draft.postings)


def collection_accept(
    payment: int,
    accounts: CollectionAccounts,
    wallet: int,
    amount: int,
    ledger: int,
    *,
    hold_attempt: int = 1,
    attempt: int = 1,
) -> Chain:
    """Matched and accepted: post C1 · C2 PI → W."""
    held = collection_hold(payment, accounts, amount, ledger, attempt=hold_attempt)
    draft = Draft(payment, Leg.COLLECTION, attempt)
    draft.add(Step.C2, Phase.DIRECT, ledger, accounts.inbound, wallet, amount, Code.COLLECTION_CREDIT)
    return link([*resolve(held, Phase.POST, attempt), *draft.postings])


def collection_suspend(
    payment: int,
    accounts: CollectionAccounts,
    amount: int,
    ledger: int,
    *,
    hold_attempt: int = 1,
    attempt: int = 1,
) -> Chain:
    """Unmatched: post C1 · PI → SUS."""
    held = collection_hold(payment, accounts, amount, ledger, attempt=hold_attempt)
    draft = Draft(payment, Leg.COLLECTION, attempt)
    draft.add(Step.C3, Phase.DIRECT, ledger, accounts.inbound, accounts.suspense, amount, Code.COLLECTION_SUSPENSE)
    return link([*resolve(held, Phase.POST, attempt), *draft.postings])


def collection_refuse(
    payment: int,
    accounts: CollectionAccounts,
    amount: int,
    ledger: int,
    *,
    hold_attempt: int = 1,
    attempt: int = 1,
) -> Chain:
    """Refused: void C1."""
    held = collection_hold(payment, accounts, amount, ledger, attempt=hold_attempt)
    return link(resolve(held, Phase.VOID, attempt))


# --- cross-border, the paying cell


def cross_border_hold(payment: int, accounts: OriginAccounts, terms: CrossBorderTerms, *, attempt: int = 1) -> Chain:
    """Hold: S1 W → FX principal · S2 W → MARGIN · S3 W → FEE (source) · S4 FX → REG (target); all pending."""
    draft = Draft(payment, Leg.ORIGIN, attempt)
    draft.add(
        Step.S1,
        Phase.HOLD,
        terms.source_ledger,
        accounts.wallet,
        accounts.fx_source,
        terms.principal,
        Code.PRINCIPAL,
    )
    draft.add(Step.S2, Phase.HOLD, terms.source_ledger, accounts.wallet, accounts.margin, terms.margin, Code.MARGIN)
    draft.add(Step.S3, Phase.HOLD, terms.source_ledger, accounts.wallet, accounts.fee, terms.fee, Code.FEE)
    draft.add(
        Step.S4,
        Phase.HOLD,
        terms.target_ledger,
        accounts.fx_target,
        accounts.settlement,
        terms.target_amount,
        Code.DEALING,
    )
    return link(draft.postings)


def cross_border_post(
    payment: int,
    accounts: OriginAccounts,
    terms: CrossBorderTerms,
    *,
    hold_attempt: int = 1,
    attempt: int = 1,
) -> Chain:
    """`settled` admitted: post S1 to S4."""
    return link(resolve(cross_border_hold(payment, accounts, terms, attempt=hold_attempt), Phase.POST, attempt))


def cross_border_void(
    payment: int,
    accounts: OriginAccounts,
    terms: CrossBorderTerms,
    *,
    hold_attempt: int = 1,
    attempt: int = 1,
) -> Chain:
    """Refused or cancelled: void S1 to S4."""
    return link(resolve(cross_border_hold(payment, accounts, terms, attempt=hold_attempt), Phase.VOID, attempt))


def cross_border_freeze(
    payment: int,
    accounts: OriginAccounts,
    terms: CrossBorderTerms,
    *,
    hold_attempt: int = 1,
    attempt: int = 1,
) -> Chain:
    """A sanction applies: void S1 to S4 · F1 W → BLOCKED_FUNDS, all that was held."""
    held = cross_border_hold(payment, accounts, terms, attempt=hold_attempt)
    draft = Draft(payment, Leg.ORIGIN, attempt)
    total, ledger = terms.source_total, terms.source_ledger
    draft.add(Step.F1, Phase.DIRECT, ledger, accounts.wallet, accounts.blocked, total, Code.FREEZE)
    return link([*resolve(held, Phase.VOID, attempt), *draft.postings])


# --- cross-border, the cell that pays out


def destination_hold(
    payment: int,
    accounts: DestinationAccounts,
    amount: int,
    ledger: int,
    *,
    recipient_fee: int = 0,
    attempt: int = 1,
) -> Chain:
    """Admitted: D1 REG → PO, pending; with a fee that the recipient pays, D1 for the rest · D3 REG → FEE."""
    assert 0 <= recipient_fee < amount
    draft = Draft(payment, Leg.DESTINATION, attempt)
    draft.add(
        Step.D1,
        Phase.HOLD,
        ledger,
        accounts.settlement,
        accounts.outbound,
        amount - recipient_fee,
        Code.PAYOUT,
    )
    draft.add(Step.D3, Phase.HOLD, ledger, accounts.settlement, accounts.fee, recipient_fee, Code.RECIPIENT_FEE)
    return link(draft.postings)


def destination_post(
    payment: int,
    accounts: DestinationAccounts,
    amount: int,
    ledger: int,
    *,
    recipient_fee: int = 0,
    hold_attempt: int = 1,
    attempt: int = 1,
) -> Chain:
    """Rail final: post D1 (and D3) · D2 PO → RAIL."""
    held = destination_hold(payment, accounts, amount, ledger, recipient_fee=recipient_fee, attempt=hold_attempt)
    draft = Draft(payment, Leg.DESTINATION, attempt)
    paid = amount - recipient_fee
    draft.add(Step.D2, Phase.DIRECT, ledger, accounts.outbound, accounts.rail, paid, Code.PAYOUT_SETTLED)
    return link([*resolve(held, Phase.POST, attempt), *draft.postings])


def destination_void(
    payment: int,
    accounts: DestinationAccounts,
    amount: int,
    ledger: int,
    *,
    recipient_fee: int = 0,
    hold_attempt: int = 1,
    attempt: int = 1,
) -> Chain:
    """Refused by the rail or here: void D1 (and D3)."""
    held = destination_hold(payment, accounts, amount, ledger, recipient_fee=recipient_fee, attempt=hold_attempt)
    return link(resolve(held, Phase.VOID, attempt))


# --- in region


def in_region_hold(payment: int, accounts: InRegionAccounts, terms: InRegionTerms, *, attempt: int = 1) -> Chain:
    """Hold: I1 W → PO net · I2 W → FEE · with a fee that the recipient pays, I4 W → FEE; pending."""
    draft, ledger = Draft(payment, Leg.IN_REGION, attempt), terms.ledger
    draft.add(Step.I1, Phase.HOLD, ledger, accounts.wallet, accounts.outbound, terms.net, Code.IN_REGION)
    draft.add(Step.I2, Phase.HOLD, ledger, accounts.wallet, accounts.fee, terms.fee, Code.FEE)
    draft.add(Step.I4, Phase.HOLD, ledger, accounts.wallet, accounts.fee, terms.recipient_fee, Code.RECIPIENT_FEE)
    return link(draft.postings)


def in_region_post(
    payment: int, accounts: InRegionAccounts, terms: InRegionTerms, *, hold_attempt: int = 1, attempt: int = 1
) -> Chain:
    """Final: post I1, I2 (and I4) · I3 PO → RAIL."""
    held = in_region_hold(payment, accounts, terms, attempt=hold_attempt)
    draft = Draft(payment, Leg.IN_REGION, attempt)
    draft.add(Step.I3, Phase.DIRECT, terms.ledger, accounts.outbound, accounts.rail, terms.net, Code.PAYOUT_SETTLED)
    return link([*resolve(held, Phase.POST, attempt), *draft.postings])


def in_region_void(
    payment: int, accounts: InRegionAccounts, terms: InRegionTerms, *, hold_attempt: int = 1, attempt: int = 1
) -> Chain:
    """Refused: void I1, I2 (and I4)."""
    return link(resolve(in_region_hold(payment, accounts, terms, attempt=hold_attempt), Phase.VOID, attempt))


def in_region_freeze(
    payment: int, accounts: InRegionAccounts, terms: InRegionTerms, *, hold_attempt: int = 1, attempt: int = 1
) -> Chain:
    """A sanction applies: void I1, I2 (and I4) · F1 W → BLOCKED_FUNDS, all that was held."""
    held = in_region_hold(payment, accounts, terms, attempt=hold_attempt)
    draft = Draft(payment, Leg.IN_REGION, attempt)
    draft.add(Step.F1, Phase.DIRECT, terms.ledger, accounts.wallet, accounts.blocked, terms.source_total, Code.FREEZE)
    return link([*resolve(held, Phase.VOID, attempt), *draft.postings])


def book(payment: int, source: int, target: int, amount: int, ledger: int, *, attempt: int = 1) -> Chain:
    """Book transfer between wallets of one region, sub-wallets included: W → W, posted at once."""
    draft = Draft(payment, Leg.BOOK, attempt)
    draft.add(Step.B1, Phase.DIRECT, ledger, source, target, amount, Code.BOOK)
    return link(draft.postings)
