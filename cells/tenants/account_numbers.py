"""The account number of a wallet, by which inbound money finds it. Pure, but for the random digits.

The formats and the institution's codes are data (account_numbers.toml). Check digits come from kept
libraries: schwifty for IBANs (ISO 13616), python-stdnum for Luhn (ISO/IEC 7812-1).
"""

import secrets
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from schwifty import IBAN
from schwifty.exceptions import SchwiftyException
from stdnum import luhn

from residency.errors import KovraError
from residency.faults import faults_of

AccountForm = Literal["iban", "uk", "id"]
_DATA = Path(__file__).with_suffix(".toml")
_CELL_DIGITS = 2
# A sort code and an account number.
_UK_DIGITS = 14


class AccountNumbersMissing(KovraError):
    """`detail` says what to write into account_numbers.toml."""

    code = "account-numbers-missing"
    title = "Wallets of that region and currency cannot be numbered"


class _Format(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    bank: Annotated[str, Field(pattern=r"^[0-9A-Z]+$")]
    digits: Annotated[int, Field(gt=_CELL_DIGITS, le=30)]


class _Iban(_Format):
    format: Literal["iban"]
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]

    def mint(self, cell: str) -> str:
        account = cell + _random_digits(self.digits - _CELL_DIGITS)
        return str(IBAN.generate(self.country, bank_code=self.bank, account_code=account))


class _SortCode(_Format):
    format: Literal["sort_code"]

    def mint(self, cell: str) -> str:
        return self.bank + cell + _random_digits(self.digits)


class _VirtualAccount(_Format):
    format: Literal["virtual_account"]

    def mint(self, cell: str) -> str:
        body = self.bank + cell + _random_digits(self.digits - _CELL_DIGITS)
        return body + str(luhn.calc_check_digit(body))


_Formats = dict[str, dict[str, Annotated[_Iban | _SortCode | _VirtualAccount, Field(discriminator="format")]]]
# The form of the accounts that a rail pays to and from, by the format of the wallets' numbers.
_FORM: Final[Mapping[str, AccountForm]] = {"iban": "iban", "sort_code": "uk", "virtual_account": "id"}


def mint_account_number(region: str, currency: str, cell_number: int) -> str:
    """A new random account number: an IBAN, a sort code and account number (14 digits), or a virtual account.

    It is not known to be free: the unique key of the wallets table decides. Raises AccountNumbersMissing.
    """
    return _format(region, currency).mint(cell_digits(cell_number))


def cell_digits(cell_number: int) -> str:
    """What a cell's account numbers begin with, within their bank: two cells of a region that share it could mint one number twice."""
    return f"{cell_number % 10**_CELL_DIGITS:0{_CELL_DIGITS}d}"


def account_form(region: str, currency: str, cell_number: int) -> AccountForm:
    """The form of the numbers that such wallets get, tried by minting one. Raises AccountNumbersMissing."""
    found = _format(region, currency)
    try:
        number = found.mint(cell_digits(cell_number))
    except (SchwiftyException, ValueError) as error:
        raise AccountNumbersMissing(f"correct [{region}.default] or [{region}.{currency}]: {error}") from error
    if found.format == "sort_code" and not (number.isdigit() and len(number) == _UK_DIGITS):
        raise AccountNumbersMissing(
            f"correct [{region}.default] or [{region}.{currency}]: bank and cell make six digits, digits is 8"
        )
    return _FORM[found.format]


def _format(region: str, currency: str) -> _Iban | _SortCode | _VirtualAccount:
    of_region = _formats().get(region, {})
    found = of_region.get(currency) or of_region.get("default")
    if found is None:
        raise AccountNumbersMissing(f"add [{region}.default], or [{region}.{currency}]")
    return found


def _random_digits(count: int) -> str:
    return f"{secrets.randbelow(10**count):0{count}d}"


@cache
def _formats() -> _Formats:
    try:
        return TypeAdapter(_Formats).validate_python(tomllib.loads(_DATA.read_text()))
    except ValidationError as error:
        raise AccountNumbersMissing(f"correct {'; '.join(faults_of(error))}") from error
