"""What a line of a pain.001 tells the payee, and which service it asks for. Pure.

The creditor reference's check digits (ISO 11649) are python-stdnum's. National references come with SCOR too, under rules of their own
country, so only a reference that begins with RF is held against that standard.
"""

import re
from typing import Final

from lxml import etree
from stdnum import iso11649

from cells.rails.iso20022.text import unwritable_letters
from cells.rails.iso20022.upload_line import Gathered, words
from cells.rails.profile_files import rail_profiles
from cells.rails.remittance import Carried, Remittance

_TEXT_MAX: Final = 140
_SCOR: Final = "SCOR"
_LEVELS: Final = ("SEPA", "NURG", "URGP")
_CHARACTERS: Final = re.compile(r"[A-Za-z0-9/\-?:().,'+ ]*")


def carried_in(currency: str) -> frozenset[Carried]:
    """What every rail of the currency carries, so that whichever is chosen does."""
    rails = [one.carries for one in rail_profiles().values() if one.currency == currency]
    return frozenset.intersection(*rails) if rails else frozenset()


def check_payment_type(gathered: Gathered, block: etree._Element, one: etree._Element, currency: str) -> None:
    both = [found for found in (block.find("PmtTpInf"), one.find("PmtTpInf")) if found is not None]
    if len(both) > 1:
        gathered.no(both[1], "FF03", "PmtTpInf stands in PmtInf or in its lines, not in both.")
    for level in (each for found in both for each in found.findall("SvcLvl/Cd")):
        said = (level.text or "").strip()
        if said not in _LEVELS or (said == "SEPA" and currency not in ("EUR", "")):
            gathered.no(level, "FF04", f"SvcLvl is to be {', '.join(_LEVELS)}; SEPA where EUR is paid.")


def read_remittance(gathered: Gathered, block: etree._Element, one: etree._Element, currency: str) -> Remittance:
    given = one.find("RmtInf")
    texts = [] if given is None else [" ".join((each.text or "").split()) for each in given.findall("Ustrd")]
    text = " ".join(each for each in texts if each)
    if given is not None and len(text) > _TEXT_MAX:
        gathered.no(given, "RR08", f"Ustrd has {len(text)} characters together; payments carry {_TEXT_MAX}.")
    if any(not each.isprintable() for each in text):
        gathered.no(one.find("RmtInf"), "RR07", "Ustrd has characters that cannot be printed.")
    if unwritable_letters(text):
        said = "Ustrd has letters that no payment scheme here carries: write them in Latin letters."
        gathered.no(one.find("RmtInf"), "CH16", said)
    reference, issuer = _reference(gathered, given, bool(text))
    found = Remittance(
        text=text,
        reference=reference,
        issuer=issuer,
        purpose=words(one, "Purp/Cd"),
        category_purpose=words(one, "PmtTpInf/CtgyPurp/Cd") or words(block, "PmtTpInf/CtgyPurp/Cd"),
    )
    places: dict[Carried, tuple[str, str]] = {
        "creditor_reference": ("RmtInf/Strd", "RR07"),
        "purpose": ("Purp", "FF07"),
        "category_purpose": ("PmtTpInf/CtgyPurp", "FF06"),
    }
    for name in sorted(found.needs - carried_in(currency)) if currency else ():
        path, code = places[name]
        at = one.find(path) if one.find(path) is not None else block.find(path)
        gathered.no(at, code, f"{at.tag} is not carried by the rails that pay {currency}.")
    return found


def _reference(gathered: Gathered, given: etree._Element | None, beside_text: bool) -> tuple[str, str]:
    """(creditor reference, issuer); empty where none is given."""
    blocks = [] if given is None else given.findall("Strd")
    if len(blocks) > 1:
        gathered.no(blocks[1], "RR07", "One Strd is carried with a payment.")
    if blocks and beside_text:
        gathered.no(blocks[0], "RR07", "Ustrd or Strd, not both, is carried with a payment.")
    found = next((each for each in (one.find("CdtrRefInf") for one in blocks) if each is not None), None)
    if found is None:
        return "", ""
    kind, reference = words(found, "Tp/CdOrPrtry/Cd"), words(found, "Ref")
    if found.find("Tp/CdOrPrtry/Prtry") is None and kind != _SCOR:
        gathered.no(found, "RR07", f"CdtrRefInf is to have its type: Tp/CdOrPrtry/Cd {_SCOR}.")
    if not reference:
        gathered.no(found, "RR07", "CdtrRefInf has no Ref.")
    if not _CHARACTERS.fullmatch(reference):
        gathered.no(found, "RR09", "Ref has characters that no rail carries.")
    # On paper it is written in fours; what is sent has no spaces (ISO 11649).
    if reference.upper().startswith("RF"):
        reference = reference.replace(" ", "").upper()
        if not iso11649.is_valid(reference):
            gathered.no(found.find("Ref"), "RR09", "Ref begins with RF, and its check digits do not hold (ISO 11649).")
    return reference, words(found, "Tp/Issr")
