"""Which of a payer's fields put on file what the law may make travel (residency.travel_rule decides which of it does)."""

from itertools import product

from residency.travel_rule import Demand

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


def ways_to_meet(wanted: Demand) -> list[frozenset[str]]:
    """The least sets of a payer's fields, any of which a payment of that demand is content with, in the order in which the two laws
    name their alternatives.
    """
    tiers = wanted.sending, wanted.receiving
    always = frozenset[str]().union(*(_ON_FILE[name] for tier in tiers for name in tier.required))
    choices = [tier.one_of or ((),) for tier in tiers]
    ways = [always.union(*(_ON_FILE[name] for group in chosen for name in group)) for chosen in product(*choices)]
    return [one for one in dict.fromkeys(ways) if not any(other < one for other in ways)]
