"""Account numbers as partners write them, checked before anything is registered. Pure.

What is checked: an IBAN wholly (ISO 13616: country, length, structure, ISO 7064 check digits, and the bank
code where the registry knows it, by schwifty); a UK sort code and account number, and an Indonesian bank code
and account number, by form. Invariant: a failure never repeats the number.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

from schwifty import BIC, IBAN
from schwifty.exceptions import (
    InvalidChecksumDigits,
    InvalidCountryCode,
    InvalidLength,
    SchwiftyException,
)

from cells.rails.rail import Account
from residency.errors import KovraError

_SORT_CODE = re.compile(r"[0-9]{6}")
_UK_NUMBER = re.compile(r"[0-9]{8}")
# Bank Indonesia's three-digit bank code (sandi bank); account numbers of Indonesian banks run from 8 to 16
# digits.
_BANK_CODE = re.compile(r"[0-9]{3}")
_INDONESIAN_NUMBER = re.compile(r"[0-9]{8,18}")
_FORM_OF_CURRENCY = {"EUR": "iban", "SEK": "iban", "DKK": "iban", "GBP": "uk", "IDR": "id"}


class IbanInvalid(KovraError):
    code = "iban-invalid"
    status = 422
    title = "The IBAN is not valid"


class AccountInvalid(KovraError):
    code = "account-invalid"
    status = 422
    title = "The account number is not valid"


class NoRailForCurrency(KovraError):
    code = "no-rail-for-currency"
    status = 422
    title = "No rail pays accounts in that currency"


def parse_account(currency: str, given: Mapping[str, Any], pointer: str = "") -> Account:
    """The account in `given`, in the form that `currency` is paid to.

    EUR, SEK, DKK: `iban` and, if wanted, `bic`. GBP: `sort_code`, `account_number`. IDR: `bank_code`,
    `account_number`. Spaces and dashes are ignored. Raises IbanInvalid, AccountInvalid, NoRailForCurrency,
    with a pointer below `pointer`.
    """
    match _FORM_OF_CURRENCY.get(currency):
        case "iban":
            return _iban(given, pointer)
        case "uk":
            return _digits("uk", given, "sort_code", _SORT_CODE, _UK_NUMBER, pointer=pointer)
        case "id":
            return _digits("id", given, "bank_code", _BANK_CODE, _INDONESIAN_NUMBER, pointer=pointer)
        case _:
            raise NoRailForCurrency(f"{currency} cannot be paid to a bank account from here.", pointer=pointer or None)


def account_fields(account: Account) -> dict[str, str]:
    """The account as partners write it: what parse_account takes."""
    if account.form == "iban":
        return {"iban": account.number} | ({"bic": account.bank} if account.bank else {})
    return {
        "sort_code" if account.form == "uk" else "bank_code": account.bank,
        "account_number": account.number,
    }


def _iban(given: Mapping[str, Any], pointer: str) -> Account:
    _only(given, {"iban", "bic"}, pointer)
    at = f"{pointer}/iban"
    try:
        iban = IBAN(_text(given, "iban", pointer))
    except InvalidChecksumDigits:
        raise IbanInvalid(
            "The check digits do not fit the rest of the number; look for a mistyped digit.", pointer=at
        ) from None
    except InvalidLength:
        raise IbanInvalid("The number is too long or too short for its country.", pointer=at) from None
    except InvalidCountryCode:
        raise IbanInvalid("It starts with no country that has IBANs.", pointer=at) from None
    except (SchwiftyException, ValueError):
        raise IbanInvalid("It does not have the structure of an IBAN of its country.", pointer=at) from None
    return Account("iban", str(iban), _bic(given, pointer) or _bic_of(iban))


def _bic(given: Mapping[str, Any], pointer: str) -> str:
    if given.get("bic") is None:
        return ""
    try:
        return str(BIC(_text(given, "bic", pointer)))
    except (SchwiftyException, ValueError):
        raise AccountInvalid("That is not a BIC (ISO 9362): 8 or 11 characters.", pointer=f"{pointer}/bic") from None


def _bic_of(iban: IBAN) -> str:
    """The bank's BIC where the registry knows it, else "": the scheme then routes by the IBAN alone."""
    found = iban.bic
    return "" if found is None else str(found)


def _digits(
    form: Literal["uk", "id"],
    given: Mapping[str, Any],
    bank_field: str,
    bank_form: re.Pattern[str],
    number_form: re.Pattern[str],
    *,
    pointer: str,
) -> Account:
    _only(given, {bank_field, "account_number"}, pointer)
    bank = _text(given, bank_field, pointer)
    number = _text(given, "account_number", pointer)
    if bank_form.fullmatch(bank) is None:
        words = bank_field.replace("_", " ")
        raise AccountInvalid(
            f"The {words} has {'six' if form == 'uk' else 'three'} digits.", pointer=f"{pointer}/{bank_field}"
        )
    if number_form.fullmatch(number) is None:
        length = "eight digits" if form == "uk" else "8 to 18 digits"
        raise AccountInvalid(f"The account number has {length}.", pointer=f"{pointer}/account_number")
    return Account(form, number, bank)


def _only(given: Mapping[str, Any], known: set[str], pointer: str) -> None:
    if given.keys() - known:
        raise AccountInvalid(f"This account takes only {' and '.join(sorted(known))}.", pointer=pointer or None)


def _text(given: Mapping[str, Any], name: str, pointer: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 64 or not value.isascii():
        failure = IbanInvalid if name == "iban" else AccountInvalid
        raise failure(f"Give the {name.replace('_', ' ')} as text.", pointer=f"{pointer}/{name}")
    return re.sub(r"[\s-]", "", value).upper()
