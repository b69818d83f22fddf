"""What a scheme will be given of a text, and what of it is cut: for whoever gave it to read before it is paid. Pure.

It is what parties.py and payments.py write; a name that cannot be written was refused when it was given.
"""

from typing import NamedTuple

from cells.rails.iso20022.parties import ADDRESS_LENGTHS
from cells.rails.iso20022.text import convert
from cells.rails.profile import RailProfile
from cells.rails.rail import Party


class PartySent(NamedTuple):
    """`name` as the scheme gets it; `cut`: by field, how many characters at its end it does not."""

    name: str
    cut: dict[str, int]


class TextSent(NamedTuple):
    """`text` as the scheme gets it; `cut`: how many characters at its end it does not."""

    text: str
    cut: int


def party_sent(of: Party, profile: RailProfile) -> PartySent:
    """How a payee or a payer is named. The fields are `name` and those of ADDRESS_LENGTHS."""
    name = convert(of.name, profile.text, profile.text.name_length)
    cut = {"name": name.cut}
    for field, length in ADDRESS_LENGTHS.items():
        held = getattr(of, field)
        cut[field] = sum(convert(one, profile.text, length).cut for one in (held if field == "lines" else (held,)))
    return PartySent(name.text, {field: count for field, count in cut.items() if count})


def remittance_sent(text: str, profile: RailProfile) -> TextSent:
    """How the payee's text (unstructured remittance) is written."""
    found = convert(text, profile.text, profile.text.remittance_length)
    return TextSent(found.text, found.cut)
