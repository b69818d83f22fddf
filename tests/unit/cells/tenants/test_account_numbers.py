"""Account numbers: valid by their own rules, and never the same for two cells."""

import pytest
from schwifty import IBAN
from stdnum import luhn

from cells.tenants.account_numbers import mint_account_number
from residency.directory import load_directory


@pytest.mark.parametrize(("currency", "country"), [("EUR", "LT"), ("SEK", "SE"), ("DKK", "DK"), ("USD", "LT")])
def test_the_eu_mints_valid_ibans_of_no_real_bank(currency: str, country: str) -> None:
    number = IBAN(mint_account_number("EU", currency, 1))
    assert number.validate()
    assert number.country_code == country
    assert number.bank is None


def test_the_uk_mints_a_sort_code_and_an_account_number() -> None:
    number = mint_account_number("UK", "GBP", 2)
    assert number.isdigit()
    assert len(number) == 14
    assert number.startswith("049902")


def test_indonesia_mints_virtual_accounts_with_a_check_digit() -> None:
    number = mint_account_number("ID", "IDR", 3)
    assert luhn.is_valid(number)
    assert len(number) == 19


@pytest.mark.parametrize("region", ["EU", "UK", "ID"])
def test_two_cells_of_a_region_draw_from_different_numbers(region: str) -> None:
    def account_part(cell_number: int) -> str:
        number = mint_account_number(region, "XXX", cell_number)
        return str(IBAN(number).account_code)[:2] if region == "EU" else number[4:7]

    assert account_part(1) != account_part(2)


def test_every_declared_cell_can_number_every_currency_it_holds() -> None:
    for cell in load_directory().cells.values():
        for currency in cell.currencies:
            assert mint_account_number(cell.region, currency, cell.number)
