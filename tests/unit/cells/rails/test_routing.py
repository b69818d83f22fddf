"""The choice of a rail: by deadline, cost, amount, hours and health, with every candidate explained."""

from datetime import UTC, datetime, timedelta

import pytest

from cells.rails.profile_files import rail_profiles
from cells.rails.routing import Route, Table

WEDNESDAY = datetime(2026, 11, 18, 10, 0, tzinfo=UTC)
SATURDAY = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def route(
    currency: str, amount: int, *, at: datetime = WEDNESDAY, within: timedelta | None = None, down: tuple[str, ...] = ()
) -> Route:
    table = Table.of(list(rail_profiles().values()), at, dict.fromkeys(down, "open"))
    return table.route(currency, amount, at + within if within else None)


def verdicts(found: Route) -> dict[str, str]:
    return {one.rail: one.verdict for one in found.candidates}


@pytest.mark.parametrize(
    ("currency", "amount", "rail"),
    [
        ("EUR", 100_00, "sepa_instant"),
        ("GBP", 1_000_000_00, "faster_payments"),
        ("GBP", 1_000_000_01, "chaps"),
        ("IDR", 100_000_000_00, "bi_fast"),
        ("IDR", 250_000_000_00, "bi_fast"),
        ("IDR", 250_000_001_00, "bi_rtgs"),
    ],
)
def test_without_a_deadline_the_soonest_that_carries_it(currency: str, amount: int, rail: str) -> None:
    assert route(currency, amount).rail == rail


def test_with_time_the_cheapest_that_meets_the_deadline() -> None:
    relaxed, urgent = (route("EUR", 100_00, within=timedelta(hours=hours)) for hours in (36, 3))
    assert (relaxed.rail, urgent.rail) == ("sepa_credit_transfer", "sepa_instant")
    assert verdicts(urgent) == {"sepa_instant": "chosen", "sepa_credit_transfer": "late"}
    assert verdicts(relaxed) == {"sepa_instant": "possible", "sepa_credit_transfer": "chosen"}


def test_a_weekend_makes_the_cheap_rail_late() -> None:
    assert route("EUR", 100_00, at=SATURDAY, within=timedelta(hours=36)).rail == "sepa_instant"
    assert route("EUR", 100_00, at=SATURDAY, within=timedelta(days=4)).rail == "sepa_credit_transfer"


def test_an_open_circuit_is_avoided_and_taken_only_where_nothing_else_is_left() -> None:
    found = route("GBP", 50_00, down=("faster_payments",))
    assert found.rail == "chaps"
    assert verdicts(found) == {"faster_payments": "unhealthy", "chaps": "chosen"}
    assert route("GBP", 50_00, down=("faster_payments", "chaps")).rail == "faster_payments"
    assert route("IDR", 50_000_00, down=("bi_fast",)).rail == "bi_fast", "BI-RTGS does not take so little"


def test_a_deadline_that_nothing_meets_is_said() -> None:
    found = route("GBP", 2_000_000_00, at=SATURDAY, within=timedelta(hours=4))
    assert (found.rail, found.in_time) == ("chaps", False)
    assert next(one for one in found.candidates if one.rail == "chaps").settled_by == datetime(
        2026, 11, 23, 6, 1, tzinfo=UTC
    )


def test_every_candidate_is_explained_with_its_numbers() -> None:
    found = route("IDR", 300_000_000_00)
    fast, rtgs = found.candidates
    assert (fast.verdict, fast.reason_code) == ("unfit", "AM02")
    assert rtgs.settled_by == WEDNESDAY.replace(hour=23, minute=31), "after 16:30 in Jakarta: the next morning"
    assert found.document()[1] == {
        "rail": "bi_rtgs",
        "verdict": "chosen",
        "why": "It settles soonest.",
        "cost_minor": 2_500_000,
        "currency": "IDR",
        "settled_by": "2026-11-18T23:31:00+00:00",
    }


@pytest.mark.parametrize("currency", ["SEK", "DKK"])
def test_a_currency_without_a_rail_has_no_candidate(currency: str) -> None:
    assert route(currency, 100_00) == Route(None, in_time=False, candidates=())


def test_a_calendar_that_ends_takes_its_rail_out_alone() -> None:
    found = route("GBP", 50_00, at=datetime(2029, 1, 5, 10, tzinfo=UTC))
    assert verdicts(found) == {"faster_payments": "chosen", "chaps": "calendar_unknown"}
    assert route("GBP", 2_000_000_00, at=datetime(2029, 1, 5, 10, tzinfo=UTC)).rail is None


def test_equal_wishes_get_one_answer() -> None:
    table = Table.of(list(rail_profiles().values()), WEDNESDAY, {})
    assert table.route("EUR", 5_00) is table.route("EUR", 7_00)
    assert table.route("GBP", 5_00) is not table.route("GBP", 1_000_000_01)


def falls_back(
    currency: str, rail: str, *, at: datetime = WEDNESDAY, within: timedelta | None = None, amount: int = 50_00
) -> str | None:
    table = Table.of(list(rail_profiles().values()), at, {rail: "open"})
    found = table.fallback(currency, amount, at + within if within else None)
    return found.rail if found else None


def test_an_urgent_payment_falls_back_only_to_what_settles_within_the_hour() -> None:
    assert falls_back("GBP", "faster_payments") == "chaps"
    assert falls_back("GBP", "faster_payments", at=SATURDAY) is None, "CHAPS is closed: the circuit may close first"
    assert falls_back("EUR", "sepa_instant") is None, "a credit transfer arrives tomorrow"
    assert falls_back("IDR", "bi_fast", amount=50_000_00) is None, "BI-RTGS does not take so little"
    assert falls_back("GBP", "chaps", amount=2_000_000_00) is None, "nothing else takes so much"


def test_acceptance_waits_for_an_open_circuit_by_the_rule_of_the_fallback() -> None:
    def accepted(currency: str, rail: str, at: datetime = WEDNESDAY) -> tuple[str | None, str]:
        found = Table.of(list(rail_profiles().values()), at, {rail: "open"}).route(currency, 50_00)
        return found.rail, next(one.why for one in found.candidates if one.verdict == "chosen")

    waits = "No healthy rail settles it within the hour: it waits for this one's circuit to close."
    assert accepted("EUR", "sepa_instant") == ("sepa_instant", waits)
    assert accepted("GBP", "faster_payments", SATURDAY) == ("faster_payments", waits)
    assert accepted("GBP", "faster_payments") == ("chaps", "It settles soonest.")


def test_a_payment_with_a_deadline_falls_back_to_what_meets_it() -> None:
    assert falls_back("EUR", "sepa_instant", within=timedelta(hours=36)) == "sepa_credit_transfer"
    assert falls_back("EUR", "sepa_instant", within=timedelta(hours=3)) is None


def test_a_rail_that_does_not_reach_the_country_carries_nothing_there() -> None:
    table = Table.of(list(rail_profiles().values()), datetime(2026, 11, 25, 12, tzinfo=UTC), {})
    assert table.route("EUR", 5_00, country="RS").rail == table.route("EUR", 5_00).rail
    route = table.route("EUR", 5_00, country="TR")
    assert (route.rail, route.reason_code) == (None, "CNOR")
    assert "TR" in route.why
