"""Account numbers as partners write them: what is taken, what is refused and where the pointer points."""

import pytest

from cells.rails.accounts import AccountInvalid, IbanInvalid, NoRailForCurrency, account_fields, parse_account
from residency.errors import KovraError


@pytest.mark.parametrize(
    ("currency", "given", "number", "bank"),
    [
        ("EUR", {"iban": "DE89 3704 0044 0532 0130 00"}, "DE89370400440532013000", "COBADEFFXXX"),
        ("EUR", {"iban": "lt643999001123456789"}, "LT643999001123456789", ""),
        ("EUR", {"iban": "LT643999001123456789", "bic": "kovrlt21"}, "LT643999001123456789", "KOVRLT21"),
        ("GBP", {"sort_code": "60-16-13", "account_number": "31926819"}, "31926819", "601613"),
        ("IDR", {"bank_code": "014", "account_number": "1234 5678 90"}, "1234567890", "014"),
    ],
)
def test_taken_in_its_bare_form(currency: str, given: dict[str, str], number: str, bank: str) -> None:
    account = parse_account(currency, given)
    assert (account.number, account.bank) == (number, bank)
    assert parse_account(currency, account_fields(account)) == account


@pytest.mark.parametrize(
    ("currency", "given", "kind", "pointer"),
    [
        ("EUR", {"iban": "DE88370400440532013000"}, IbanInvalid, "/account/iban"),
        ("EUR", {"iban": "DE8937040044053201300"}, IbanInvalid, "/account/iban"),
        ("EUR", {"iban": "XX89370400440532013000"}, IbanInvalid, "/account/iban"),
        ("EUR", {"iban": "DE8937040044O532013000"}, IbanInvalid, "/account/iban"),
        ("EUR", {"iban": ""}, IbanInvalid, "/account/iban"),
        ("EUR", {"iban": 5}, IbanInvalid, "/account/iban"),
        ("EUR", {"iban": "٨٩"}, IbanInvalid, "/account/iban"),
        ("EUR", {}, IbanInvalid, "/account/iban"),
        ("EUR", {"iban": "DE89370400440532013000", "bic": "X"}, AccountInvalid, "/account/bic"),
        ("EUR", {"iban": "DE89370400440532013000", "sort_code": "601613"}, AccountInvalid, "/account"),
        ("GBP", {"sort_code": "60161", "account_number": "31926819"}, AccountInvalid, "/account/sort_code"),
        (
            "GBP",
            {"sort_code": "601613", "account_number": "3192681"},
            AccountInvalid,
            "/account/account_number",
        ),
        ("IDR", {"bank_code": "BCA", "account_number": "1234567890"}, AccountInvalid, "/account/bank_code"),
        ("IDR", {"bank_code": "014", "account_number": "1" * 19}, AccountInvalid, "/account/account_number"),
        ("USD", {"account_number": "1"}, NoRailForCurrency, "/account"),
    ],
)
def test_refused_with_a_pointer_and_without_the_number(
    currency: str, given: dict[str, str], kind: type[KovraError], pointer: str
) -> None:
    with pytest.raises(kind) as caught:
        parse_account(currency, given, "/account")
    assert caught.value.pointer == pointer
    assert caught.value.status == 422
    written = [str(value) for value in given.values() if len(str(value)) > 3]
    assert not any(value in caught.value.detail for value in written)


def test_a_wrong_check_digit_is_named_as_such() -> None:
    with pytest.raises(IbanInvalid, match="check digits"):
        parse_account("EUR", {"iban": "DE88370400440532013000"})


def test_the_wallets_way_of_writing_it() -> None:
    assert parse_account("GBP", {"sort_code": "601613", "account_number": "31926819"}).key == "60161331926819"
    assert parse_account("EUR", {"iban": "LT643999001123456789"}).key == "LT643999001123456789"


def test_a_repr_shows_no_number() -> None:
    assert "31926819" not in repr(parse_account("GBP", {"sort_code": "601613", "account_number": "31926819"}))
