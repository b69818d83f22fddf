"""Text that a scheme can carry. Pure.

Letters with marks lose them (NFKD), a few letters have a spelling of their own, Greek and Cyrillic ones are transliterated
(EPC217-08, SEPA conversion table, covers these scripts; by anyascii), and what is left outside the scheme's set becomes a full stop,
as that table advises. Other scripts have no agreed spelling of a person's name: a name of which no letter survives is not sent.
"""

import re
import unicodedata
from functools import lru_cache

from anyascii import anyascii

from cells.rails.profile import TextRules

_SPELLINGS = str.maketrans(
    {
        "ß": "ss",
        "Æ": "AE",
        "æ": "ae",
        "Ø": "O",
        "ø": "o",
        "Œ": "OE",
        "œ": "oe",
        "Đ": "D",
        "đ": "d",
        "Ł": "L",
        "ł": "l",
        "Þ": "TH",
        "þ": "th",
        "Ð": "D",
        "ð": "d",
        "ı": "i",
        "ħ": "h",
        "Ħ": "H",
        "ŋ": "n",
        "Ŋ": "N",
        "€": "E",
        "’": "'",
        "‘": "'",
        "“": "'",
        "”": "'",
        '"': "'",
        "–": "-",
        "—": "-",
        "_": "-",
        "@": "(at)",
        "\t": " ",
        "\n": " ",
    }
)
_AMPERSAND = "&"
_TRANSLITERATED = ("GREEK ", "CYRILLIC ")


class Unwritable(ValueError):
    """Nothing of the text survives in the scheme's character set."""


def written(text: str, rules: TextRules, length: int) -> str:
    """`text` in the scheme's characters, at most `length` of them.
    Raises Unwritable when no letter or digit is left.
    """
    plain = text if _AMPERSAND in rules.characters else text.replace(_AMPERSAND, "+")
    # Transliterated before marks are lost: to take й for и with a mark would be wrong.
    spelt = "".join(map(_latin, unicodedata.normalize("NFC", plain.translate(_SPELLINGS))))
    bare = "".join(letter for letter in unicodedata.normalize("NFKD", spelt) if not unicodedata.combining(letter))
    fitted = " ".join(_outside(rules.characters).sub(".", bare).split())[:length].strip()
    if not any(letter.isalnum() for letter in fitted):
        raise Unwritable
    return fitted


def written_or_empty(text: str, rules: TextRules, length: int) -> str:
    """As `written`, for optional text: "" when nothing survives."""
    try:
        return written(text, rules, length)
    except Unwritable:
        return ""


def _latin(letter: str) -> str:
    if letter.isascii() or not unicodedata.name(letter, "").startswith(_TRANSLITERATED):
        return letter
    return anyascii(letter)


@lru_cache(maxsize=16)
def _outside(characters: str) -> re.Pattern[str]:
    return re.compile(f"[^{characters}]")
