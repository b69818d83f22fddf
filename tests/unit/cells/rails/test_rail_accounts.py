"""Account numbers as partners write them: what is taken, what is refused and where the pointer points."""

import pytest

from cells.rails.account_spelling import account_key, bare
from cells.rails.accounts import (
    AccountInvalid,
    AccountUnreachable,
    IbanInvalid,
    NoRailForCurrency,
    account_fields,
    check_reach,
    parse_account,
    received_account,
)
from cells.rails.profile_files import rail_profiles
from cells.rails.rail import Account
from residency.errors import KovraError

_UK = Account("uk", "31926819", "601613")
_GB_IBAN = "GB29NWBK60161331926819"


@pytest.mark.parametrize(
    ("currency", "given", "number", "bank"),
    [
        ("EUR", {"iban": "DE89 3704 0044 0532 0130 00"}, "DE89370400440532013000", "COBADEFFXXX"),
        ("EUR", {"iban": "lt643999001123456789"}, "LT643999001123456789", ""),
        ("EUR", {"iban": "LT643999001123456789", "bic": "kovrlt21"}, "LT643999001123456789", "KOVRLT21"),
        # Another BIC of the IBAN's bank; a bank of a territory whose IBANs are its country's.
        ("EUR", {"iban": "DE89370400440532013000", "bic": "COBADEHHXXX"}, "DE89370400440532013000", "COBADEHHXXX"),
        ("EUR", {"iban": _GB_IBAN, "bic": "NWBKGB2L"}, _GB_IBAN, "NWBKGB2L"),
        ("EUR", {"iban": _GB_IBAN, "bic": "NWBKJESH"}, _GB_IBAN, "NWBKJESH"),
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


@pytest.mark.parametrize(
    "iban",
    [
        "DE89 3704 0044 0532 0130 00",
        "de89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000",  # no-break spaces, as web pages have them
        "DE89\u202f3704\u20090044\u20070532\u20030130 00",  # narrow, thin, figure and em spaces
        "DE89-3704\u20100044\u20110532\u20130130\u201400",  # hyphens and dashes of four kinds
        "DE89\u22123704 0044 0532 0130\u00ad00",  # a minus sign, a soft hyphen
        "\ufeffDE89370400440532013000\u200b",  # a byte order mark, a zero-width space
        "\u202aDE89370400440532013000\u202c",  # direction marks, as address books paste them
        "DE89\t3704\n0044 0532 0130 00",
        "IBAN: DE89 3704 0044 0532 0130 00",
        "IBAN DE89370400440532013000",
    ],
)
def test_one_iban_however_it_is_written(iban: str) -> None:
    assert parse_account("EUR", {"iban": iban}) == Account("iban", "DE89370400440532013000", "COBADEFFXXX")
    assert bare(iban) == account_key(iban) == "DE89370400440532013000"


@pytest.mark.parametrize(
    "given",
    [
        {"sort_code": "60-16-13", "account_number": "31926819"},
        {"sort_code": "60\u201316\u201313", "account_number": "3192\u00a06819"},
        {"iban": "GB29 NWBK 6016 1331 9268 19"},
        {"iban": _GB_IBAN.lower(), "bic": "NWBKGB2L"},
        {"iban": _GB_IBAN, "sort_code": "60-16-13", "account_number": "31926819"},
        {"account_number": "60-16-13 31926819"},
        {"account_number": _GB_IBAN},
        {"sort_code": "60161331926819"},
        {"sort_code": "60-16-13", "account_number": "60161331926819"},
        {"sort_code": "60-16-13", "account_number": _GB_IBAN},
    ],
)
def test_one_uk_account_however_it_is_written(given: dict[str, str]) -> None:
    assert parse_account("GBP", given) == _UK
    assert _UK.key == "60161331926819"


@pytest.mark.parametrize(
    ("number", "bank"),
    [
        ("31926819", "601613"),
        ("31926819", "60-16-13"),
        (_GB_IBAN, "601613"),
        ("GB29 NWBK 6016 1331 9268 19", ""),
        (_GB_IBAN, "NWBKGB2L"),
        ("60161331926819", "601613"),
        ("60-16-13 31926819", ""),
    ],
)
def test_what_a_uk_scheme_names_is_the_wallet_s_number(number: str, bank: str) -> None:
    assert received_account("uk", number, bank) == _UK


def test_an_iban_with_another_bank_s_sort_code_is_no_account_of_a_wallet() -> None:
    assert received_account("uk", _GB_IBAN, "049901").number == _GB_IBAN
    assert received_account("uk", "60161331926819", "049901").key == "04990160161331926819"


def test_what_other_schemes_name() -> None:
    assert received_account("uk", "DE89370400440532013000", "COBADEFF") == Account(
        "iban", "DE89370400440532013000", "COBADEFF"
    )
    assert received_account("iban", "lt643999001123456789", "") == Account("iban", "LT643999001123456789")
    assert received_account("iban", _GB_IBAN, "").form == "iban"
    assert received_account("id", " 8899 9123-4567 ", "").key == "889991234567"


@pytest.mark.parametrize(
    ("given", "said", "pointer"),
    [
        ({"iban": "DE89370400440532013000"}, "starts with GB", "/iban"),
        ({"iban": "GB28NWBK60161331926819"}, "check digits", "/iban"),
        ({"iban": _GB_IBAN, "account_number": "31926818"}, "another account", "/account_number"),
        ({"iban": _GB_IBAN, "sort_code": "601614"}, "another account", "/sort_code"),
        ({"sort_code": "601614", "account_number": "60161331926819"}, "eight digits", "/account_number"),
        ({"account_number": "31926819"}, "sort code", "/sort_code"),
    ],
)
def test_a_uk_account_that_contradicts_itself_is_refused(given: dict[str, str], said: str, pointer: str) -> None:
    with pytest.raises((IbanInvalid, AccountInvalid), match=said) as caught:
        parse_account("GBP", given)
    assert caught.value.pointer == pointer


@pytest.mark.parametrize(
    "bic", ["NOTPROVIDED", "notprovided", "XXXXXXXX", "XXXXDEXX", "XXXXXXXXXXX", "AAAAAAAA", "00000000"]
)
def test_what_stands_for_no_bic_is_no_bic(bic: str) -> None:
    with pytest.raises(AccountInvalid, match="leave it out") as caught:
        parse_account("EUR", {"iban": "DE89370400440532013000", "bic": bic})
    assert caught.value.pointer == "/bic"


@pytest.mark.parametrize(
    ("iban", "bic", "said"),
    [
        ("DE89370400440532013000", "DEUTDEFF", "DEUT.*COBA"),
        ("DE89370400440532013000", "COBAATWX", "AT.*DE"),
        ("NL91ABNA0417164300", "INGBNL2A", "INGB.*ABNA"),
        (_GB_IBAN, "BARCGB22", "BARC.*NWBK"),
        ("FR1420041010050500013M02606", "PSSTNCNX", "NC.*FR"),  # New Caledonia is outside SEPA
        ("LT643999001123456789", "KOVRLV21", "LV.*LT"),
    ],
)
def test_a_bic_of_another_bank_or_country_than_the_iban_is_refused(iban: str, bic: str, said: str) -> None:
    with pytest.raises(AccountInvalid, match=said) as caught:
        parse_account("EUR", {"iban": iban, "bic": bic})
    assert caught.value.pointer == "/bic"


@pytest.mark.parametrize(
    ("iban", "named"),
    [
        ("TR330006100519786457841326", "TR"),
        ("IR580540105180021273113007", "Iran"),
        ("RU0204452560040702810412345678901", "Russian Federation"),
        ("SA0380000000608010167519", "Saudi Arabia"),
        ("BR1800360305000010009795493C1", "Brazil"),
        ("UA213223130000026007233566001", "Ukraine"),
        ("XK051212012345678906", "XK"),
        ("FO6264600001631634", "Faroe Islands"),
        ("GE29NB0000000101904917", "Georgia"),
    ],
)
def test_valid_in_form_is_not_reachable(iban: str, named: str) -> None:
    account = parse_account("EUR", {"iban": iban})
    with pytest.raises(AccountUnreachable, match=named) as caught:
        check_reach(account, "EUR", rail_profiles().values(), "/account")
    assert caught.value.pointer == "/account/iban"
    assert iban not in caught.value.detail


def test_what_sepa_s_list_has_is_reachable() -> None:
    for iban in (
        "RS35260005601001611379", "MD24AG000225100013104168", "AL47212110090000000235698741", "ME25505000012345678951",
        "MK07250120000058984", "CH9300762011623852957", "GI75NWBK000000007099453", _GB_IBAN, "VA59001123000012345678",
    ):  # fmt: skip
        check_reach(parse_account("EUR", {"iban": iban}), "EUR", rail_profiles().values())
    check_reach(_UK, "GBP", rail_profiles().values())
    check_reach(parse_account("SEK", {"iban": "SE4550000000058398257466"}), "SEK", rail_profiles().values())


def test_a_wrong_check_digit_is_named_as_such() -> None:
    with pytest.raises(IbanInvalid, match="check digits"):
        parse_account("EUR", {"iban": "DE88370400440532013000"})


def test_the_wallets_way_of_writing_it() -> None:
    assert parse_account("GBP", {"sort_code": "601613", "account_number": "31926819"}).key == "60161331926819"
    assert parse_account("EUR", {"iban": "LT643999001123456789"}).key == "LT643999001123456789"


def test_a_repr_shows_no_number() -> None:
    assert "31926819" not in repr(parse_account("GBP", {"sort_code": "601613", "account_number": "31926819"}))
