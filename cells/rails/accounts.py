"""Account numbers as partners write them, checked before anything is registered. Pure.

What is checked: an IBAN wholly (ISO 13616: country, length, structure, ISO 7064 check digits, and the bank
code where the registry knows it, by schwifty); a UK sort code and account number by form, and by the modulus check where its tables are
installed; an Indonesian bank code and account number by form. Invariant: a failure never repeats the number.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from schwifty import BIC, IBAN
from schwifty.exceptions import (
    InvalidChecksumDigits,
    InvalidCountryCode,
    InvalidLength,
    SchwiftyException,
)

from cells.rails.modulus import ModulusTables
from cells.rails.rail import Account
from residency.errors import KovraError

Form = Literal["iban", "uk", "id"]
_FORM_OF_CURRENCY: Final[Mapping[str, Form]] = {"EUR": "iban", "SEK": "iban", "DKK": "iban", "GBP": "uk", "IDR": "id"}


@dataclass(frozen=True, slots=True)
class AccountField:
    """One field of an account. `pattern`: of the bare form, without spaces and dashes; `said`: what it holds, in words."""

    name: str
    label: str
    pattern: str
    said: str
    required: bool = True


# What parse_account checks, and what a form for an account asks for: one table, so that they cannot differ. Bank Indonesia's bank
# code (sandi bank) has three digits; account numbers of Indonesian banks run from 8 to 18.
FORMS: Final[Mapping[Form, tuple[AccountField, ...]]] = {
    "iban": (
        AccountField("iban", "IBAN", r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", "ISO 13616, check digits and all"),
        AccountField("bic", "BIC", r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?", "ISO 9362: 8 or 11 characters", False),
    ),
    "uk": (
        AccountField("sort_code", "Sort code", r"[0-9]{6}", "six digits"),
        AccountField("account_number", "Account number", r"[0-9]{8}", "eight digits"),
    ),
    "id": (
        AccountField("bank_code", "Bank code", r"[0-9]{3}", "three digits"),
        AccountField("account_number", "Account number", r"[0-9]{8,18}", "8 to 18 digits"),
    ),
}  # fmt: skip
# Accounts that are nobody's, as their issuers print them in examples.
_EXAMPLES: Final[Mapping[str, Mapping[str, str]]] = {
    "EUR": {"iban": "DE89370400440532013000"},
    "SEK": {"iban": "SE4550000000058398257466"},
    "DKK": {"iban": "DK5000400440116243"},
    "GBP": {"sort_code": "601613", "account_number": "31926819"},
    "IDR": {"bank_code": "014", "account_number": "1234567890"},
}


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


def parse_account(
    currency: str, given: Mapping[str, Any], pointer: str = "", modulus: ModulusTables | None = None
) -> Account:
    """The account in `given`, in the form that `currency` is paid to.

    EUR, SEK, DKK: `iban` and, if wanted, `bic`. GBP: `sort_code`, `account_number`. IDR: `bank_code`,
    `account_number`. Spaces and dashes are ignored. Without `modulus` GBP is checked by form alone. Raises IbanInvalid,
    AccountInvalid, NoRailForCurrency, with a pointer below `pointer`.
    """
    match _FORM_OF_CURRENCY.get(currency):
        case "iban":
            return _iban(given, pointer)
        case "uk":
            return _uk(given, pointer, modulus)
        case "id":
            return _digits("id", given, pointer)
        case None:
            raise _no_rail(currency, pointer)


def form_of(currency: str, pointer: str = "") -> tuple[tuple[AccountField, ...], Mapping[str, str]]:
    """What an account in `currency` is asked for, and one that is taken. Raises NoRailForCurrency."""
    form = _FORM_OF_CURRENCY.get(currency)
    if form is None:
        raise _no_rail(currency, pointer)
    return FORMS[form], _EXAMPLES[currency]


def _no_rail(currency: str, pointer: str) -> NoRailForCurrency:
    return NoRailForCurrency(f"{currency} cannot be paid to a bank account from here.", pointer=pointer or None)


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


def _uk(given: Mapping[str, Any], pointer: str, modulus: ModulusTables | None) -> Account:
    account = _digits("uk", given, pointer)
    if modulus is not None and not modulus.check(account.bank, account.number):
        raise AccountInvalid(
            "No account at that sort code can have that number (UK modulus check); look for a mistyped digit in either, "
            "or ask the account's holder for both.",
            pointer=f"{pointer}/account_number",
        )
    return account


def _digits(form: Literal["uk", "id"], given: Mapping[str, Any], pointer: str) -> Account:
    fields = FORMS[form]
    _only(given, {one.name for one in fields}, pointer)
    bank, number = (_text(given, one.name, pointer) for one in fields)
    for one, text in zip(fields, (bank, number), strict=True):
        if re.fullmatch(one.pattern, text) is None:
            raise AccountInvalid(f"The {one.label.lower()} has {one.said}.", pointer=f"{pointer}/{one.name}")
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
