"""Every reason code that the product gives by itself has words, and each word its source."""

import re
from pathlib import Path

import pytest

from cells.rails.iso20022.reason_words import reason_in_words, reasons
from cells.rails.iso20022.reasons import DUPLICATES, pick
from cells.rails.profile_files import rail_profiles

ROOT = Path(__file__).parents[4]
# A code as it stands in a text of the product: in quotes, two letters and two digits. What else looks so, and is none.
_QUOTED = re.compile(r"""["']([A-Z]{2}[0-9]{2})["']""")
_NOT_REASONS: set[str] = set()


def given() -> set[str]:
    """The codes in the code and data of the floors that answer partners."""
    sources = [*(ROOT / "cells").rglob("*.py"), *(ROOT / "cells").rglob("*.toml"), *(ROOT / "router").rglob("*.py")]
    own = ROOT / "cells/rails/iso20022/reason_words.toml"
    found: set[str] = set()
    for path in sources:
        if path != own:
            found |= set(_QUOTED.findall(path.read_text("utf-8")))
    return found - _NOT_REASONS


def test_every_code_that_is_given_has_words() -> None:
    assert {"AC04", "RR04", "AM05"} <= given(), "the search sees what is there"
    assert sorted(given() - set(reasons())) == []


def test_every_rails_refusals_have_words() -> None:
    shown = {code for one in rail_profiles().values() for code in one.reasons} | DUPLICATES
    assert (
        sorted({code for code in shown if re.fullmatch(r"[A-Z0-9]{4}", code) and not code.isdigit()} - set(reasons()))
        == []
    )


def test_a_rail_s_words_are_those_that_partners_read() -> None:
    """One table: what a rail says of a refusal, and what the API shows, are never two texts."""
    of_the_standard = {
        (code, text) for one in rail_profiles().values() for code, text in one.reasons.items() if code in reasons()
    }
    assert {code for code, _ in of_the_standard} >= {"AC04", "AB05", "TM01"}
    assert {(code, f"{reasons()[code].title}.") for code, _ in of_the_standard} == of_the_standard
    with pytest.raises(KeyError):
        pick("ZZ99")


def test_every_entry_is_whole_and_says_where_it_is_from() -> None:
    for code, one in reasons().items():
        assert re.fullmatch(r"[A-Z0-9]{4}", code)
        assert one.source.startswith("ISO 20022 External")
        assert one.title[-1] != "."
        assert one.meaning[-1] == one.remedy[-1] == "."


def test_words_are_for_codes_of_the_standard_alone() -> None:
    assert reason_in_words("AC04") == "The account is closed"
    assert reason_in_words("insufficient-funds") is reason_in_words(None) is reason_in_words("ZZ99") is None
