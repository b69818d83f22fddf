"""The sandbox's magic values: the table in the README is the one that is run."""

from pathlib import Path

import pytest

from cells.kit.money import format_amount
from infra.schemes.magic import NAME_SCRIPTS, ORDINARY, SCRIPTS, Script, amount_of, script_for
from infra.schemes.rules import SCHEMES

README = Path(__file__).parents[4] / "cells" / "rails" / "README.md"
EURO = SCHEMES["sepa_instant"]


def table() -> list[str]:
    lines = [
        "| creditor's name contains | units | EUR, GBP | IDR, BI-FAST | IDR, BI-RTGS | what happens |",
        "|---|---|---|---|---|---|",
    ]
    for one in SCRIPTS:
        euro, fast, gross = (
            format_amount(amount_of(one, rail), "EUR") for rail in ("sepa_instant", "bi_fast", "bi_rtgs")
        )
        lines.append(f"| `{one.phrase}` | {one.units} | {euro} | {fast} | {gross} | {one.story} |")
    return lines


def name_table() -> list[str]:
    rows = [f"| `{one.phrase}` | {one.story} |" for one in NAME_SCRIPTS]
    return ["| recipient's name contains | the name check says |", "|---|---|", *rows]


def test_the_readme_shows_the_table_that_is_run() -> None:
    text = README.read_text()
    for mark, made in (("magic values", table()), ("magic names", name_table())):
        shown = text.partition(f"<!-- {mark}: begin -->\n")[2].partition(f"\n<!-- {mark}: end -->")[0]
        assert shown.splitlines() == made, "take it from here"


def test_no_two_scripts_share_a_phrase_or_an_amount() -> None:
    assert len({one.phrase for one in SCRIPTS}) == len({one.units for one in SCRIPTS}) == len(SCRIPTS)


@pytest.mark.parametrize("rail", SCHEMES)
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda one: one.phrase)
def test_a_script_is_chosen_by_name_or_by_exact_amount(script: Script, rail: str) -> None:
    rules = SCHEMES[rail]
    amount_minor = amount_of(script, rail)
    assert rules.above_minor < amount_minor <= (rules.ceiling_minor or amount_minor)
    assert script_for(f"x {script.phrase.lower()} y", 5, rules) == script
    assert script_for("Ayu", amount_minor, rules) == script
    assert script_for("Ayu", amount_minor + 1_000 * rules.unit_minor, rules) == ORDINARY
    if rules.unit_minor > 1:
        assert script_for("Ayu", amount_minor + 1, rules) == ORDINARY


def test_a_reason_code_may_follow() -> None:
    assert script_for("Sandbox Reject RR04", 5, EURO).reason == "RR04"
    assert script_for("Sandbox Reject Ayu", 5, EURO).reason == "AC04"
    assert script_for("Sandbox Timeout Settled AC04", 5, EURO).reason == ""
    assert script_for("Sandbox Return Half AC06", 5, EURO).reason == "AC06"


def test_ordinary_payments_are_ordinary() -> None:
    assert script_for("Budi Santoso", 125_000, EURO) == ORDINARY
