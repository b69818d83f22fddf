"""Whether a party can be named to a scheme, asked when it is registered: a payment is no place to find out. Pure.

Every scheme here carries Latin letters. Greek and Cyrillic have a spelling in them, marked Latin letters lose their marks
(cells/rails/iso20022/text.py); other scripts have none that a person's bank would recognise, so whoever knows the name spells it.
"""

import unicodedata

from cells.parties.models import Address
from cells.rails.iso20022.text import unwritable_letters
from residency.errors import KovraError

_ADDRESS_FIELDS = ("street", "building_number", "post_code", "town")


class LettersUnwritable(KovraError):
    """`pointer` names the field; `places` the letters, counted from 1. The letters themselves are personal, and stay out."""

    code = "letters-unwritable"
    status = 422
    title = "A name or an address has letters that no payment scheme here carries"


def check_letters(name: str, address: Address | None) -> None:
    """Raises LettersUnwritable for the first field with a letter that cannot be spelt in Latin letters."""
    _check(name, "/name", "the name, as the bank holds the account")
    if address is not None:
        for field in _ADDRESS_FIELDS:
            _check(getattr(address, field) or "", f"/address/{field}", "the address")


def _check(text: str, pointer: str, what: str) -> None:
    places = unwritable_letters(text)
    if not places:
        return
    composed = unicodedata.normalize("NFC", text)
    # HIRAGANA LETTER A, CJK UNIFIED IDEOGRAPH-674E: the first word is the script.
    scripts = sorted({unicodedata.name(composed[one - 1], "UNKNOWN").split()[0].title() for one in places})
    raise LettersUnwritable(
        f"Give {what}, in Latin letters: {len(places)} of its letters ({', '.join(scripts)}) have no agreed spelling in them.",
        pointer=pointer,
        places=places,
    )
