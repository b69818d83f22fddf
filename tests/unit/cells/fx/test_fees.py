"""Fee rules: which version counts, what each takes, and the sum that leaves what is fixed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY

from cells.fx.expressions import EvaluationFailed
from cells.fx.fees import FeeItem, FeeRule, FeesUnavailable, in_force, seeds, tags_of, total
from cells.kit.money import CURRENCIES
from tests.support.tariffs import circumstances, founded, linear, made, rule

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def version(number: int, since: datetime, until: datetime | None = None, tenant_id: str = "") -> FeeRule:
    made_up = rule(str(number), name="eur", version=number)
    return replace(made_up, tenant_id=tenant_id, effective_from=since, effective_to=until)


def at(moment: datetime, *rules: FeeRule, tenant: str = "ten") -> list[int]:
    return [one.version for one in in_force(rules, tenant, moment)]


def test_the_highest_version_in_force_counts_from_its_date_on() -> None:
    first, second = version(1, NOON - timedelta(days=9)), version(2, NOON)
    assert at(NOON - timedelta(microseconds=1), second, first) == [1]
    assert at(NOON, second, first) == [2]
    assert at(NOON - timedelta(days=10), first, second) == []


def test_after_a_promotion_the_version_below_counts_again() -> None:
    usual, promotion = version(1, NOON - timedelta(days=9)), version(2, NOON, NOON + timedelta(hours=1))
    assert at(NOON, usual, promotion) == [2]
    assert at(NOON + timedelta(hours=1), usual, promotion) == [1]


def test_a_tenants_own_rule_stands_before_the_platforms_and_for_nobody_else() -> None:
    usual, own = version(7, NOON), version(1, NOON, tenant_id="ten")
    assert at(NOON, usual, own) == [1]
    assert at(NOON, usual, own, tenant="another") == [7]


def test_each_rule_that_applies_is_an_item_and_none_is_zero() -> None:
    tariff = made(
        rule("20", name="flat"),
        rule("bps(amount_minor, 10)", name="share"),
        rule("5", name="elsewhere", applies="rail == 'chaps'"),
        rule("0", name="nothing"),
        rule("-1 + 1", name="neither"),
        rule("300", "POST", name="his"),
    )
    assert tariff.of("PRE", 1_001) == (FeeItem("PRE", "flat", 1, 20), FeeItem("PRE", "share", 1, 2))
    assert tariff.of("POST", 1_001, unit_minor=100) == (FeeItem("POST", "his", 1, 300),)


def test_what_the_recipient_pays_is_rounded_down_to_what_a_rail_can_pay() -> None:
    tariff = made(rule("299", "POST", name="a"), rule("99", "POST", name="b"))
    assert tariff.of("POST", 10_000, unit_minor=100) == (FeeItem("POST", "a", 1, 200),)


def test_labels_reach_the_rules() -> None:
    free = rule("'payroll' in metadata.tags ? 0 : 90")
    assert total(made(free).of("PRE", 1)) == 90
    assert total(made(free, here=circumstances(tags=tags_of(" q4, payroll ,,"))).of("PRE", 1)) == 0
    assert len(tags_of(",".join("abcdefghijklmnopqrstuvwxyz"))) == 20


@pytest.mark.parametrize("left", [1, 99, 100, 101, 9_980, 10**9, 10**16])
def test_the_fee_upon_what_shall_be_left_is_the_fee_of_the_whole(left: int) -> None:
    tariff = linear(100, 20)
    fee = total(tariff.upon("PRE", left))
    assert total(tariff.of("PRE", left + fee)) == fee
    assert total(tariff.of("PRE", left + fee - 1)) > fee - 1, "and no smaller sum would do"


def test_where_a_step_down_leaves_no_sum_the_dearer_side_is_charged() -> None:
    tariff = made(rule("amount_minor < 1000 ? 100 : 50"))
    fee = total(tariff.upon("PRE", 920))
    assert fee == 100, "no S leaves 920: 999 leaves 899, 1000 leaves 950"
    assert 920 + fee - total(tariff.of("PRE", 920 + fee)) >= 920


@pytest.mark.parametrize("text", ["0 - 1", "1 / (amount_minor - amount_minor)", "9223372036854775807 + amount_minor"])
def test_a_rule_that_fails_refuses_and_says_nothing_of_itself(text: str) -> None:
    tariff = made(rule(text))
    with pytest.raises(FeesUnavailable) as refused:
        tariff.of("PRE", 100)
    assert (refused.value.status, refused.value.retryable, refused.value.extra) == (503, True, {})
    assert text not in refused.value.detail
    with pytest.raises(EvaluationFailed):
        tariff.answer(tariff.rules[0], 100)


def test_a_rule_that_takes_all_that_is_added_to_it_is_refused() -> None:
    with pytest.raises(FeesUnavailable):
        linear(1, 9_999).upon("PRE", 10**9)


def test_a_failing_rule_is_counted_under_its_name() -> None:
    labels = {"rule": "counted", "version": "3"}
    with pytest.raises(FeesUnavailable):
        made(rule("1 / 0", name="counted", version=3)).of("PRE", 1)
    assert REGISTRY.get_sample_value("kovra_fee_rule_failures_total", labels) == 1


def test_a_broken_row_in_the_record_refuses_too() -> None:
    with pytest.raises(FeesUnavailable):
        made(rule("no_such_thing + 1.5")).of("PRE", 100)


def test_the_rules_that_a_cell_begins_with_are_whole_and_named_once() -> None:
    names = [one.rule for one in seeds(CURRENCIES)]
    assert len(set(names)) == len(names)
    assert total(founded("IDR", "IDR", "bi_fast").of("PRE", 10**9)) == 250_000
