"""Lives as the tests of the ledger make them: of one tenant's wallet in the EU, and a cell that pays out in Indonesia."""

from cells.ledger.codes import Leg
from cells.ledger.life import Life
from cells.ledger.postings import Action, Chain, postings_of
from cells.ledger.prefunding import Cap, life_of_change

EUR, IDR = 978, 360


def origin(payment: int, wallet: int, peer: int, *, principal: int, margin: int = 0, fee: int = 0, amount: int) -> Life:
    """A payment across the border, in the paying cell."""
    return Life(
        Leg.ORIGIN, payment, wallet, peer=peer, source_ledger=EUR, target_ledger=IDR,
        principal=principal, margin=margin, fee=fee, amount=amount,
    )  # fmt: skip


def destination(payment: int, peer: int, amount: int, recipient_fee: int = 0) -> Life:
    """… and in the cell that pays out."""
    return Life(
        Leg.DESTINATION, payment, peer=peer, rail="bi_fast", target_ledger=IDR,
        amount=amount, recipient_fee=recipient_fee,
    )  # fmt: skip


def in_region(payment: int, wallet: int, net: int, fee: int = 0, recipient_fee: int = 0) -> Life:
    """A payment of which `net` arrives."""
    return Life(
        Leg.IN_REGION, payment, wallet, rail="sepa_instant", target_ledger=EUR,
        amount=net + recipient_fee, fee=fee, recipient_fee=recipient_fee,
    )  # fmt: skip


def credit(payment: int, amount: int, wallet: int = 0) -> Life:
    """Money that arrives by SEPA Instant."""
    return Life(Leg.CREDIT, payment, wallet, rail="sepa_instant", target_ledger=EUR, amount=amount)


def funding(payment: int, amount: int, wallet: int) -> tuple[Chain, Chain]:
    """The chains of a credit to a wallet."""
    life = credit(payment, amount, wallet)
    return postings_of(life, Action.HOLD), postings_of(life, Action.CREDIT)


def granted(decision: int, peer: int, amount: int) -> Chain:
    """What a peer may owe in rupiah, raised."""
    return postings_of(life_of_change(decision, Cap(peer, IDR, amount)), Action.GRANT)


def withdrawn(decision: int, peer: int, amount: int) -> Chain:
    """… and lowered."""
    return postings_of(life_of_change(decision, Cap(peer, IDR, amount)), Action.WITHDRAW)
