"""The sandbox's magic values: the table in the README is the one that is run."""

import re
from pathlib import Path

import pytest

from infra.schemes.magic import ORDINARY, SCRIPTS, Script, script_for

README = Path(__file__).parents[4] / "cells" / "rails" / "README.md"


def test_the_readme_lists_every_script_with_its_amount() -> None:
    rows = re.findall(r"^\| `(SANDBOX [A-Z ]+)` \| (\d+) \| ([\d,.]+) \| ([\d,]+) \|", README.read_text(), re.MULTILINE)
    listed = {phrase: int(units) for phrase, units, _, _ in rows}
    assert listed == {script.phrase: script.units for script in SCRIPTS}
    for _, units, cents, rupiah in rows:
        assert cents.replace(",", "").replace(".", "") == units == rupiah.replace(",", "")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda one: one.phrase)
def test_a_script_is_chosen_by_name_or_by_exact_amount(script: Script) -> None:
    assert script_for(f"x {script.phrase.lower()} y", 5, 1) == script
    assert script_for("Ayu", script.units, 1) == script
    assert script_for("Ayu", script.units * 100, 100) == script
    assert script_for("Ayu", script.units * 100 + 1, 100) == ORDINARY


def test_a_reason_code_may_follow() -> None:
    assert script_for("Sandbox Reject RR04", 5, 1).reason == "RR04"
    assert script_for("Sandbox Reject Ayu", 5, 1).reason == "AC04"
    assert script_for("Sandbox Timeout Settled AC04", 5, 1).reason == ""


def test_ordinary_payments_are_ordinary() -> None:
    assert script_for("Budi Santoso", 125_000, 1) == ORDINARY
