"""A BIC beside an IBAN: a bank's, and as far as schwifty's registry or the IBAN itself tells, the IBAN's own bank. Pure."""

import re
from typing import Final

from schwifty import BIC, IBAN
from schwifty.exceptions import SchwiftyException

from cells.rails.account_forms import account_formats
from residency.errors import KovraError

# What programs write where a BIC must stand and nobody gave one: ISO 20022's NOTPROVIDED, and one sign over and over.
_PLACEHOLDER: Final = re.compile(r"NOTPROV.*|NOTAVAIL.*|XXXX.*|(.)\1*")


class AccountInvalid(KovraError):
    code = "account-invalid"
    status = 422
    title = "The account number is not valid"


def check_bic(text: str, iban: IBAN, at: str) -> str:
    """The BIC that `text` (bare, in capitals) gives for the bank of `iban`. Raises AccountInvalid at the pointer `at`."""
    if _PLACEHOLDER.fullmatch(text):
        raise AccountInvalid("That stands for a BIC that is not known; leave it out, the IBAN is enough.", pointer=at)
    try:
        bic = BIC(text)
    except (SchwiftyException, ValueError):
        raise AccountInvalid("That is not a BIC (ISO 9362): 8 or 11 characters.", pointer=at) from None
    shared = account_formats()["iban"].bic_countries
    if bic.country_code not in shared.get(iban.country_code, {iban.country_code}):
        raise AccountInvalid(
            f"The BIC is of a bank in {bic.country_code}, the IBAN of an account in {iban.country_code}; leave the BIC out, or ask the "
            "account's holder for both.",
            pointer=at,
        )
    banks = _banks_of(iban)
    if banks and bic.bank_code not in banks:
        raise AccountInvalid(
            f"The BIC is of {bic.bank_code}, the IBAN of an account at {' or '.join(sorted(banks))}; leave the BIC out, or ask the "
            "account's holder for both.",
            pointer=at,
        )
    return str(bic)


def _banks_of(iban: IBAN) -> set[str]:
    """The first four characters of the BICs that a bank of this IBAN has, as far as the registry or the IBAN itself tells; none where
    neither does. Banks have several BICs, which differ after these."""
    if iban.bank_code.isalpha():
        return {iban.bank_code}
    try:
        return {one.bank_code for one in BIC.candidates_from_bank_code(iban.country_code, iban.bank_code)}
    except (SchwiftyException, ValueError):
        return set()
