"""What of a payer may cross: the rules of both jurisdictions, no less and no more."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from residency.directory import load_directory
from residency.rules import ALLOW_LIST_VERSION, RulesInvalid, all_rules, allow_list, rules_of
from residency.travel_rule import (
    CrossingRefused,
    SealedParties,
    TravelRuleIncomplete,
    check,
    crossed_fields,
    demand,
    sealable_fields,
    select,
)
from tests.support.border import PAYER_NAME, REMITTANCE, parties

REGIONS = sorted(all_rules())
LARGE = 20_000_000_000
SMALL = 1_400_000_000


def test_every_region_of_the_directory_has_rules() -> None:
    assert set(load_directory().regions) <= set(all_rules())
    with pytest.raises(RulesInvalid, match=r"zz\.toml"):
        rules_of("ZZ")


def test_the_published_list_is_the_type() -> None:
    assert allow_list(ALLOW_LIST_VERSION) == sealable_fields()


def test_above_the_ceiling_the_first_alternative_of_the_eu_crosses_and_no_birth_data() -> None:
    chosen = crossed_fields(select(parties(), demand("EU", "ID", "IDR", LARGE)))
    assert chosen == (
        "payer.account_number",
        "payer.address",
        "payer.customer_number",
        "payer.document_number",
        "payer.name",
        "remittance",
    )


def test_birth_data_crosses_only_instead_of_the_documents() -> None:
    chosen = crossed_fields(select(parties(document_number=None), demand("EU", "ID", "IDR", LARGE)))
    assert "payer.birth_date" in chosen
    assert "payer.birth_place" in chosen
    assert "payer.customer_number" not in chosen
    assert "payer.address" not in chosen


def test_up_to_the_ceiling_names_and_accounts_are_enough() -> None:
    below = crossed_fields(select(parties(), demand("EU", "UK", "EUR", 100_000)))
    above = crossed_fields(select(parties(), demand("EU", "UK", "EUR", 100_001)))
    assert below == ("payer.account_number", "payer.name", "remittance")
    assert set(below) < set(above)


def test_indonesia_asks_for_the_full_tier_of_any_amount() -> None:
    assert "payer.address" in crossed_fields(select(parties(), demand("EU", "ID", "IDR", 100)))


def test_a_currency_without_a_ceiling_gets_the_full_tier() -> None:
    assert demand("EU", "UK", "JPY", 1).sending == rules_of("EU").travel_rule.sending.full


def test_what_is_missing_is_named_and_never_shown() -> None:
    poor = parties(address=None, document_number=None, customer_number=None, birth_date=None)
    with pytest.raises(TravelRuleIncomplete) as refusal:
        select(poor, demand("EU", "ID", "IDR", LARGE))
    assert "payer.document_number" in refusal.value.extra["missing"]
    assert PAYER_NAME not in repr(refusal.value) + str(refusal.value.extra)


def test_excess_is_refused() -> None:
    with pytest.raises(CrossingRefused, match=r"payer\.birth_date"):
        check(["payer.name", "payer.account_number", "payer.birth_date"], demand("EU", "UK", "EUR", 100))


def test_a_person_never_shows_in_a_repr() -> None:
    shown = repr(parties()) + str(parties()) + f"{parties().payer}"
    for personal in (PAYER_NAME, REMITTANCE, "Storgatan", "SE4550000000058398257466", "1979"):
        assert personal not in shown


FIELDS = ("address", "document_number", "customer_number", "birth_date", "birth_place")


@given(
    absent=st.sets(st.sampled_from(FIELDS)),
    corridor=st.permutations(REGIONS),
    amount=st.integers(1, 10**13),
    currency=st.sampled_from(["EUR", "GBP", "IDR", "SEK", "USD"]),
)
def test_selection_meets_both_demands_and_exceeds_neither(
    absent: set[str], corridor: list[str], amount: int, currency: str
) -> None:
    wanted = demand(corridor[0], corridor[1], currency, amount)
    available: SealedParties = parties(**dict.fromkeys(absent))
    if wanted.missing(crossed_fields(available)):
        with pytest.raises(TravelRuleIncomplete):
            select(available, wanted)
        return
    chosen = set(crossed_fields(select(available, wanted)))
    assert chosen <= wanted.allowed() & set(crossed_fields(available))
    assert not wanted.missing(chosen)
    # No smaller set would do: a field that crosses is demanded, part of an alternative, or optional.
    offered = {name for tier in (wanted.sending, wanted.receiving) for group in tier.one_of for name in group}
    optional = set(wanted.sending.optional) | set(wanted.receiving.optional)
    for name in chosen - optional:
        assert wanted.missing(chosen - {name}) or name in offered


def test_the_readme_publishes_the_list_in_force() -> None:
    text = (Path(__file__).parents[3] / "residency" / "README.md").read_text()
    section = text.split(f"## The allow-list, version {ALLOW_LIST_VERSION}\n")[1].split("\n|")[0]
    assert set(re.findall(r"`([a-z_.]+)`", section)) == allow_list(ALLOW_LIST_VERSION)
