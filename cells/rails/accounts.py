"""Account numbers as partners write them, checked before anything is registered. Pure.

What is checked: an IBAN wholly (ISO 13616: country, length, structure, ISO 7064 check digits, and the bank
code where the registry knows it, by schwifty); a BIC beside it: that it is a bank's, of the IBAN's country, and as far as schwifty's
registry or the IBAN itself tells, of the IBAN's bank; a UK sort code and account number by form, and by the modulus check where its tables
are installed; an Indonesian bank code and account number by form; that a scheme reaches the account's country. Invariants: one account has
one form, however it is written (account_spelling.py); a failure never repeats the number.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from schwifty import IBAN
from schwifty.exceptions import (
    InvalidChecksumDigits,
    InvalidCountryCode,
    InvalidLength,
    SchwiftyException,
)

from cells.rails.account_forms import AccountField, AccountForm, account_formats, form_of_currency
from cells.rails.account_spelling import bare, uk_of_iban
from cells.rails.bic import AccountInvalid, check_bic
from cells.rails.modulus import ModulusTables
from cells.rails.profile import RailProfile
from cells.rails.rail import Account
from residency.errors import KovraError

_TEXT_MAX = 64
_UK_FIELDS: Final = ("sort_code", "account_number")
_SORT_CODE, _JOINED = 6, 14  # digits of a UK sort code, and of one with the account number behind it


class IbanInvalid(KovraError):
    code = "iban-invalid"
    status = 422
    title = "The IBAN is not valid"


class AccountUnreachable(KovraError):
    code = "account-unreachable"
    status = 422
    title = "No scheme that pays the currency reaches that account"


class NoRailForCurrency(KovraError):
    code = "no-rail-for-currency"
    status = 422
    title = "No rail pays accounts in that currency"


def parse_account(
    currency: str, given: Mapping[str, Any], pointer: str = "", modulus: ModulusTables | None = None
) -> Account:
    """The account in `given`, in the form that `currency` is paid to.

    By account_forms.toml. EUR: `iban` and, if wanted, `bic`. GBP: `sort_code` and `account_number`, in one of the two fields joined, or a GB `iban`
    in place of both. IDR: `bank_code`, `account_number`. Spaces and dashes of any kind are ignored. Without `modulus` GBP is checked by
    form alone. Raises IbanInvalid, AccountInvalid, NoRailForCurrency, with a pointer below `pointer`.
    """
    match form_of_currency(currency):
        case "iban":
            return _iban(given, pointer)
        case "uk":
            return _uk(given, pointer, modulus)
        case "id":
            return _digits("id", given, pointer)
        case None:
            raise _no_rail(currency, pointer)


def check_reach(account: Account, currency: str, rails: Iterable[RailProfile], pointer: str = "") -> None:
    """Whether one of `rails` that move `currency` reaches the account. Of a currency that none moves nothing is known. Raises
    AccountUnreachable, which names the country."""
    paying = [one for one in rails if one.currency == currency]
    if not paying or any(account.country in one.countries for one in paying):
        return
    known = IBAN(account.number, allow_invalid=True).country if account.form == "iban" else None
    where = account.country if known is None else f"{known.name} ({account.country})"
    schemes = " or ".join(one.title for one in paying)
    at = f"{pointer}/iban" if account.form == "iban" else pointer
    raise AccountUnreachable(f"Accounts in {where} cannot be paid in {currency} by {schemes}.", pointer=at or None)


def received_account(form: AccountForm, number: str, bank: str) -> Account:
    """An account that a scheme's message names, in the form that parse_account gives it; never refused, since money has moved. `form`: of
    the rail's accounts. A GB IBAN beside another bank's sort code stays the IBAN: such a pair is nobody's account."""
    plain, code = bare(number), bare(bank)
    uk = uk_of_iban(plain) if form == "uk" else None
    if form == "uk" and plain.isdigit() and len(plain) == _JOINED:
        uk = plain[:_SORT_CODE], plain[_SORT_CODE:]
    if uk is not None and (not code.isdigit() or code == uk[0]):
        return Account("uk", uk[1], uk[0])
    return Account("iban" if IBAN(plain, allow_invalid=True).is_valid else form, plain, code)


def form_of(currency: str, pointer: str = "") -> tuple[tuple[AccountField, ...], Mapping[str, str]]:
    """What an account in `currency` is asked for, and one that is taken. Raises NoRailForCurrency."""
    form = form_of_currency(currency)
    if form is None:
        raise _no_rail(currency, pointer)
    found = account_formats()[form]
    return found.fields, found.examples[currency]


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
    bic = "" if given.get("bic") is None else check_bic(_text(given, "bic", pointer), iban, f"{pointer}/bic")
    return Account("iban", str(iban), bic or _bic_of(iban))


def _bic_of(iban: IBAN) -> str:
    """The bank's BIC where the registry knows it, else "": the scheme then routes by the IBAN alone."""
    found = iban.bic
    return "" if found is None else str(found)


def _uk(given: Mapping[str, Any], pointer: str, modulus: ModulusTables | None) -> Account:
    account = _digits("uk", _unjoined(given), pointer) if given.get("iban") is None else _uk_iban(given, pointer)
    if modulus is not None and not modulus.check(account.bank, account.number):
        raise AccountInvalid(
            "No account at that sort code can have that number (UK modulus check); look for a mistyped digit in either, "
            "or ask the account's holder for both.",
            pointer=f"{pointer}/account_number",
        )
    return account


def _unjoined(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Sort code and number in their own fields, where one field has both, joined or as an IBAN."""
    written = [given.get(name) or "" for name in _UK_FIELDS]
    if not all(isinstance(one, str) for one in written):
        return given
    sort_code, number = (bare(one) for one in written)
    whole = number or sort_code
    pair = uk_of_iban(whole)
    if pair is None and whole.isdigit() and len(whole) == _JOINED:
        pair = whole[:_SORT_CODE], whole[_SORT_CODE:]
    if pair is None or sort_code not in ("", whole, pair[0]):
        return given
    return {**given, **dict(zip(_UK_FIELDS, pair, strict=True))}


def _uk_iban(given: Mapping[str, Any], pointer: str) -> Account:
    """The account of a GB IBAN; sort code and number may be repeated beside it."""
    _only(given, {"iban", "bic", *_UK_FIELDS}, pointer)
    iban = _iban({name: one for name, one in given.items() if name in ("iban", "bic")}, pointer)
    uk = uk_of_iban(iban.number)
    if uk is None:
        raise IbanInvalid(
            "Pounds are paid to accounts in the United Kingdom: the IBAN starts with GB.", pointer=f"{pointer}/iban"
        )
    for name, own in zip(_UK_FIELDS, uk, strict=True):
        if given.get(name) is not None and _text(given, name, pointer) != own:
            raise AccountInvalid("The IBAN is of another account.", pointer=f"{pointer}/{name}")
    return Account("uk", uk[1], uk[0])


def _digits(form: Literal["uk", "id"], given: Mapping[str, Any], pointer: str) -> Account:
    fields = account_formats()[form].fields
    _only(given, {one.name for one in fields}, pointer)
    bank, number = (_text(given, one.name, pointer) for one in fields)
    for one, text in zip(fields, (bank, number), strict=True):
        if re.fullmatch(one.pattern, text) is None:
            raise AccountInvalid(f"The {one.label.lower()} has {one.holds}.", pointer=f"{pointer}/{one.name}")
    return Account(form, number, bank)


def _only(given: Mapping[str, Any], known: set[str], pointer: str) -> None:
    if given.keys() - known:
        raise AccountInvalid(f"This account takes only {' and '.join(sorted(known))}.", pointer=pointer or None)


def _text(given: Mapping[str, Any], name: str, pointer: str) -> str:
    value = given.get(name)
    plain = bare(value) if isinstance(value, str) and len(value) <= _TEXT_MAX else ""
    if not plain or not plain.isascii():
        failure = IbanInvalid if name == "iban" else AccountInvalid
        said = {"iban": "IBAN", "bic": "BIC"}.get(name, name.replace("_", " "))
        raise failure(f"Give the {said} in Latin letters and digits.", pointer=f"{pointer}/{name}")
    return plain
