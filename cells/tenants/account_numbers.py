"""The account number of a wallet, by which inbound money finds it. Pure, but for the random digits.

The formats and the institution's codes are data (account_numbers.toml). Check digits come from kept
libraries: schwifty for IBANs (ISO 13616), python-stdnum for Luhn (ISO/IEC 7812-1).
"""

import secrets
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from schwifty import IBAN
from stdnum import luhn

_DATA = Path(__file__).with_suffix(".toml")
_CELL_DIGITS = 2


def mint_account_number(region: str, currency: str, cell_number: int) -> str:
    """A new random account number: an IBAN, a sort code and account number (14 digits), or a virtual account.

    It is not known to be free: the unique key of the wallets table decides.
    """
    region_data = _formats().get(region)
    assert region_data is not None, f"account_numbers.toml has no region {region}"
    data = region_data.get(currency, region_data["default"])
    cell = f"{cell_number % 10**_CELL_DIGITS:0{_CELL_DIGITS}d}"
    match data["format"]:
        case "iban":
            account = cell + _random_digits(data["digits"] - _CELL_DIGITS)
            return str(IBAN.generate(data["country"], bank_code=data["bank"], account_code=account))
        case "sort_code":
            return str(data["bank"]) + cell + _random_digits(data["digits"])
        case "virtual_account":
            body = str(data["bank"]) + cell + _random_digits(data["digits"] - _CELL_DIGITS)
            return body + str(luhn.calc_check_digit(body))
        case unknown:
            raise AssertionError(f"account_numbers.toml names an unknown format {unknown!r}")


def _random_digits(count: int) -> str:
    return f"{secrets.randbelow(10**count):0{count}d}"


@cache
def _formats() -> dict[str, dict[str, dict[str, Any]]]:
    return tomllib.loads(_DATA.read_text())
