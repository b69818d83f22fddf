"""From what the vault keeps of a payer to what the law may make travel (residency.travel_rule decides which
of it does)."""

from collections.abc import Sequence
from itertools import product

from cells.parties.models import Address, PayerDetails
from residency import travel_rule
from residency.travel_rule import BirthPlace, Demand, SealedParties, SealedPayer

# The fields of a payer that put each name of the allow-list on file. The wallet's account number is the cell's to give.
_ON_FILE = {
    "payer.name": frozenset({"name"}),
    "payer.account_number": frozenset[str](),
    "payer.address": frozenset({"address"}),
    "payer.document_number": frozenset({"document"}),
    "payer.customer_number": frozenset({"customer_number"}),
    "payer.birth_date": frozenset({"date_of_birth"}),
    "payer.birth_place": frozenset({"place_of_birth", "country_of_birth"}),
    "payer.lei": frozenset({"lei"}),
}
_LINE_MAX = 70
_POSTCODE_MAX = 16


def sealed_parties(details: PayerDetails, account_number: str, remittance: str | None = None) -> SealedParties:
    """All of a payer that the allow-list names; `select` trims it to what one payment needs.

    `account_number` is the number that the payer's payment is made from: the tenant's wallet.
    """
    document = details.document
    town, country = details.place_of_birth, details.country_of_birth
    payer = SealedPayer(
        name=details.name,
        account_number=account_number,
        address=None if details.address is None else _address(details.address),
        document_number=None if document is None else document.number,
        customer_number=details.customer_number,
        birth_date=details.date_of_birth,
        birth_place=BirthPlace(town=town, country=country) if town and country else None,
        lei=details.lei,
    )
    return SealedParties(payer=payer, remittance=remittance)


def missing_fields(payers: Sequence[tuple[PayerDetails, Demand]]) -> list[tuple[str, ...]]:
    """For each payer and the demand of its payment, the fields that the law asks for and that are not on
    file; empty: none.

    Names only, as in the allow-list (`payer.birth_date`), fit to be shown.
    """
    # The wallet's account number is always there; it is the cell's to give.
    return [demand.missing(travel_rule.crossed_fields(sealed_parties(one, "wallet"))) for one, demand in payers]


def ways_to_meet(wanted: Demand) -> list[frozenset[str]]:
    """The least sets of a payer's fields, any of which a payment of that demand is content with, in the order in which the two laws
    name their alternatives.
    """
    tiers = wanted.sending, wanted.receiving
    always = frozenset[str]().union(*(_ON_FILE[name] for tier in tiers for name in tier.required))
    choices = [tier.one_of or ((),) for tier in tiers]
    ways = [always.union(*(_ON_FILE[name] for group in chosen for name in group)) for chosen in product(*choices)]
    return [one for one in dict.fromkeys(ways) if not any(other < one for other in ways)]


def _address(address: Address) -> travel_rule.Address | None:
    lines = tuple(part[:_LINE_MAX] for part in address.in_lines)
    if not lines:
        return None
    postcode = address.post_code[:_POSTCODE_MAX] if address.post_code else None
    return travel_rule.Address(lines=lines, town=address.town, postcode=postcode, country=address.country)
