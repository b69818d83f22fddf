"""One account, however it is written: with spaces or dashes of any kind, in small letters, or a UK account as its IBAN. Pure."""

import re
import unicodedata
from typing import Final

from schwifty import IBAN
from schwifty.exceptions import SchwiftyException

# Spaces, controls (tabs, line ends), format characters (zero-width, soft hyphens, direction marks) and dashes.
_PASTED: Final = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Pd"})
_MINUS_SIGNS: Final = "\u2212\u2043\u02d7"  # that Unicode counts as symbols, and word processors put for a dash
_GB_IBAN = re.compile(r"GB[0-9]{2}[A-Z]{4}([0-9]{6})([0-9]{8})")
_LABEL = re.compile(r"IBAN:?(?=[A-Z]{2}[0-9]{2})")


def bare(text: str) -> str:
    """An account number, bank code or BIC without what people and programs put between its characters, in capitals; an IBAN without
    the word IBAN before it."""
    kept = "".join(one for one in text if unicodedata.category(one) not in _PASTED and one not in _MINUS_SIGNS)
    return _LABEL.sub("", kept.upper(), count=1)


def uk_of_iban(text: str) -> tuple[str, str] | None:
    """Sort code and account number of a GB IBAN in its bare form (ISO 13616, structure of GB); None for any other text."""
    found = _GB_IBAN.fullmatch(text)
    if found is None:
        return None
    try:
        IBAN(text)
    except (SchwiftyException, ValueError):
        return None
    return found[1], found[2]


def account_key(text: str) -> str:
    """A number as a wallet's account number is written: an IBAN, a UK sort code with the number (14 digits), or digits alone. A GB
    IBAN is the UK account that it names: no wallet of ours carries one."""
    plain = bare(text)
    uk = uk_of_iban(plain)
    return plain if uk is None else "".join(uk)
