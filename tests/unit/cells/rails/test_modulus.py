"""The modulus check: the specification's own test cases and worked examples, and tables that cannot be followed."""

from pathlib import Path

import pytest

from cells.rails.accounts import AccountInvalid, parse_account
from cells.rails.modulus import ModulusTableInvalid, ModulusTables, parse_substitutions, parse_weights, read_tables
from tests.support.modulus_tables import SUBSTITUTIONS, WEIGHTS, installed

TABLES = ModulusTables.parse(WEIGHTS, SUBSTITUTIONS)
# Section 3.1, test cases 1 to 34 in its order.
PUBLISHED = [
    ("MOD10", "089999", "66374958", True),
    ("MOD11", "107999", "88837491", True),
    ("MOD11 and DBLAL", "202959", "63748472", True),
    ("10 and 11: first passes, second fails", "871427", "46238510", True),
    ("10 and 11: first fails, second passes", "872427", "46238510", True),
    ("10: ab=09, g=9", "871427", "09123496", True),
    ("10: ab=99, g=9", "871427", "99123496", True),
    ("3: c=6, start of a range", "820000", "73688637", True),
    ("3: c=9, end of a range", "827999", "73988638", True),
    ("3: both pass", "827101", "28748352", True),
    ("4: the remainder is gh", "134020", "63849203", True),
    ("1: 27 is added", "118765", "64371389", True),
    ("6: a foreign currency", "200915", "41011166", True),
    ("5", "938611", "07806039", True),
    ("5: with substitution", "938600", "42368003", True),
    ("5: both remainders 0", "938063", "55065200", True),
    ("7: would fail without", "772798", "99345694", True),
    ("8", "086090", "06774744", True),
    ("2 and 9: first passes", "309070", "02355688", True),
    ("2 and 9: second passes with substitution", "309070", "12345668", True),
    ("2 and 9: a≠0, g≠9", "309070", "12345677", True),
    ("2 and 9: a≠0, g=9", "309070", "99345694", True),
    ("5: second check digit wrong", "938063", "15764273", False),
    ("5: first check digit wrong", "938063", "15764264", False),
    ("5: a remainder of 1", "938063", "15763217", False),
    ("1: fails", "118765", "64371388", False),
    ("MOD11 passes, DBLAL fails", "203099", "66831036", False),
    ("MOD11 fails, DBLAL passes", "203099", "58716970", False),
    ("MOD10 fails", "089999", "66374959", False),
    ("MOD11 fails", "107999", "88837493", False),
    ("12 and 13: first passes, second would fail", "074456", "12345112", True),
    ("12 and 13: both would pass", "070116", "34012583", True),
    ("12 and 13: first fails, second passes", "074456", "11104102", True),
    ("14: second passes", "180002", "00000190", True),
]


def row(method: str, weights: str, exception: str = "", sort_codes: str = "000000 000000") -> str:
    return f"{sort_codes} {method} {weights} {exception}"


def valid(weights: str, number: str, sort_code: str = "000000", substitutions: str = SUBSTITUTIONS) -> bool:
    return ModulusTables.parse(weights, substitutions).check(sort_code, number)


@pytest.mark.parametrize(("case", "sort_code", "number", "expected"), PUBLISHED, ids=[one[0] for one in PUBLISHED])
def test_the_published_cases(case: str, sort_code: str, number: str, expected: bool) -> None:
    assert TABLES.check(sort_code, number) is expected


def test_the_worked_examples() -> None:
    """1.3.3, 1.3.4, and the two of exception 14 in 2.2.2."""
    double = row("DBLAL", "2 1 2 1 2 1 2 1 2 1 2 1 2 1", sort_codes="499273 499273")
    assert valid(double, "12345678", "499273")
    assert not valid(double, "12345679", "499273")
    standard = row("MOD11", "0 0 0 0 0 0 7 5 8 3 4 6 2 1")
    assert valid(standard, "58177632")
    assert not valid(standard, "58177633")
    assert TABLES.check("180002", "98093517")
    assert TABLES.check("180002", "00000190")


def test_of_exception_14_the_last_digit_that_is_removed_is_0_1_or_9() -> None:
    passing = [digit for digit in "0123456789" if TABLES.check("180002", f"0000019{digit}")]
    # Of the first check only 1 passes (3·1 + 2·9 + 1 = 22); of the second the rest is the same for all, 00000019, and passes.
    assert passing == ["0", "1", "9"]


def test_exception_8_checks_another_sort_code() -> None:
    only_z = row("MOD10", "0 0 0 0 0 1 0 0 0 0 0 0 0 1", "8")
    assert valid(only_z, "00000004")
    assert not valid(only_z, "00000000")


def test_exception_6_excuses_foreign_accounts_alone() -> None:
    never = row("MOD11", "0 0 0 0 0 0 0 0 0 0 0 0 1 0", "6")
    foreign = [a for a in "0123456789" if valid(never, f"{a}0000011")]
    assert foreign == list("45678")
    assert not valid(never, "40000012")


def test_a_sort_code_in_no_range_is_presumed_valid() -> None:
    for sort_code in ("000000", "089000", "090000", "827100", "999999"):
        inside = any(one.first <= sort_code <= one.last for one in TABLES.checks)
        assert inside or TABLES.check(sort_code, "12345678")
    assert not TABLES.check("820000", "12345678")
    assert TABLES.check("819999", "12345678")
    assert TABLES.check("828000", "12345678")


GOOD = "010004 016715 MOD11    0    0    0    0    0    0    8    7    6    5    4    3    2    1"


@pytest.mark.parametrize(
    ("lines", "place", "said"),
    [
        ([GOOD, GOOD.replace("MOD11", "MOD12")], 2, "fourteen weights"),
        ([GOOD.removesuffix("    1")], 1, "fourteen weights"),
        ([GOOD + "   2   9"], 1, "fourteen weights"),
        ([GOOD.replace("010004", "10004")], 1, "fourteen weights"),
        (["", GOOD + "  15"], 2, "exception 15"),
        ([GOOD + "   0"], 1, "exception 0"),
        ([GOOD.replace("010004", "016716")], 1, "ends before"),
        ([GOOD, GOOD, GOOD], 3, "third"),
        ([GOOD, GOOD.replace("010004", "016000")], 2, "does not come after"),
        ([GOOD, GOOD.replace("010004", "010003").replace("016715", "010003")], 2, "does not come after"),
        ([GOOD.replace("MOD11", "DBLAL").replace("    8", "   -8")], 1, "negative"),
    ],
)
def test_a_weight_table_that_cannot_be_followed_is_refused_by_line(lines: list[str], place: int, said: str) -> None:
    with pytest.raises(ModulusTableInvalid, match=said) as caught:
        parse_weights("\r\n".join(lines))
    assert caught.value.detail.startswith(f"Line {place} ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("938600 938611\n938600 938612\n", "Line 2 substitutes"),
        ("938600\n", "Line 1 is not two"),
        ("938600 93861x\n", "Line 1 is not two"),
        ("\n", "empty"),
    ],
)
def test_a_substitution_table_that_cannot_be_followed_is_refused_by_line(text: str, said: str) -> None:
    with pytest.raises(ModulusTableInvalid, match=said):
        parse_substitutions(text)


def test_an_empty_weight_table_is_none() -> None:
    with pytest.raises(ModulusTableInvalid, match="empty"):
        parse_weights("\n\n")


def test_the_files_are_read_as_published_and_a_failure_names_the_file(tmp_path: Path) -> None:
    paths = {name: Path(path) for name, path in installed(tmp_path, "\ufeff" + WEIGHTS.replace("\n", "\r\n")).items()}
    weights, substitutions = paths["weights_path"], paths["substitutions_path"]
    assert read_tables(weights, substitutions) == TABLES
    weights.write_text(WEIGHTS + "nonsense\n")
    with pytest.raises(ModulusTableInvalid, match=rf"VALACDOS\.txt: Line {WEIGHTS.count(chr(10)) + 1} "):
        read_tables(weights, substitutions)
    weights.write_bytes(b"\xff")
    with pytest.raises(ModulusTableInvalid, match=r"Cannot read .*VALACDOS\.txt"):
        read_tables(weights, substitutions)
    with pytest.raises(ModulusTableInvalid, match="Cannot read"):
        read_tables(tmp_path / "absent", substitutions)


def test_an_account_is_refused_by_the_tables_and_taken_without_them() -> None:
    right, wrong = ({"sort_code": "10-79-99", "account_number": number} for number in ("88837491", "88837493"))
    assert parse_account("GBP", right, "/account", TABLES) == parse_account("GBP", right)
    assert parse_account("GBP", wrong).number == "88837493"
    with pytest.raises(AccountInvalid, match="mistyped digit") as caught:
        parse_account("GBP", wrong, "/account", TABLES)
    assert (caught.value.status, caught.value.pointer) == (422, "/account/account_number")
    assert "88837493" not in caught.value.detail
    assert "107999" not in caught.value.detail


def test_the_tables_say_nothing_of_other_accounts() -> None:
    for currency, given in (
        ("EUR", {"iban": "DE89370400440532013000"}),
        ("IDR", {"bank_code": "014", "account_number": "1234567890"}),
    ):
        assert parse_account(currency, given, "", TABLES) == parse_account(currency, given)
