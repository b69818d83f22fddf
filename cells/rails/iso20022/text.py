"""Text in the characters that a scheme carries. Pure.

Letters are converted by the EPC's table ("SEPA Requirements for an Extended Character Set (UNICODE Subset): Best Practices", EPC217-08,
with its conversion table). It is a recommendation for SEPA; the other schemes here publish none, and take the same. Where the table's
answer to a letter is a full stop ("in no SEPA country in use"), and beyond U+04FF, anyascii spells Latin, Greek and Cyrillic letters.
We differ from the table in one thing: ß, Æ, Œ, Þ and Ĳ keep both of their letters, as ICAO Doc 9303 part 3 (section 6) writes them on
passports, and as Germany's banks allow for ß. Signs without a meaning of their own become a full stop, as the table has it.

Other scripts have no agreed spelling of a person's name: a name that would lose a letter is Unwritable, and never sent.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final, NamedTuple

from anyascii import anyascii

from cells.rails.profile import TextRules

_SPELLINGS: Final = {
    # Both letters.
    "ß": "ss", "ẞ": "SS", "Æ": "AE", "æ": "ae", "Ǽ": "AE", "ǽ": "ae", "Ǣ": "AE", "ǣ": "ae", "Œ": "OE", "œ": "oe",
    "Þ": "TH", "þ": "th", "Ĳ": "IJ", "ĳ": "ij", "Ŋ": "N", "ŋ": "n",
    # The table's Cyrillic is Bulgaria's, and anyascii's is not.
    "Х": "H", "х": "h", "Щ": "Sht", "щ": "sht", "Ъ": "A", "ъ": "a", "Ь": "Y", "ь": "y",
    # The table's signs, and EPC217-08 section 6.2 for €, @, _ and &. The last ones are typed for an apostrophe or a hyphen.
    "€": "E", "@": "(at)", "&": "+", "_": "-", ";": ",", "[": "(", "]": ")", "{": "(", "}": ")", "\\": "/", "|": "/", "~": "-",
    "`": "'", '"': "'", "´": "'", "¿": "?", "⁄": "/", "−": "-", "ˇ": ".",
    "\t": " ", "\n": " ", "\r": " ",
}  # fmt: skip
_SPELT_SCRIPTS: Final = ("LATIN ", "GREEK ", "CYRILLIC ", "MODIFIER LETTER ")
_ANYASCII_PUNCTUATION_FROM: Final = "\u2000"
_STOP: Final = "."


class Unwritable(ValueError):
    """The text has a letter for which the scheme's character set has no spelling, or no letter and no digit at all."""


class Written(NamedTuple):
    """`text` as it is sent. `cut`: how many characters did not fit; `lost`: how many letters have no spelling (a full stop each)."""

    text: str
    cut: int
    lost: int


def convert(text: str, rules: TextRules, length: int) -> Written:
    """`text` in the scheme's characters, at most `length` of them; white space is joined. `text` is "" when nothing survives."""
    allowed = _allowed(rules.characters)
    if allowed.fullmatch(text):
        return _fitted(text, length, 0)
    # Composed first: й is a letter of its own, and no и with a mark.
    spelt = [_spelling(one, allowed) for one in unicodedata.normalize("NFC", text)]
    lost = sum(found is None for found in spelt)
    return _fitted("".join(_STOP if found is None else found for found in spelt), length, lost)


def _fitted(text: str, length: int, lost: int) -> Written:
    whole = " ".join(text.split())
    fitted = whole[:length].strip()
    if not any(letter.isalnum() for letter in fitted):
        return Written("", 0, lost)
    return Written(fitted, len(whole) - len(fitted), lost)


def written(text: str, rules: TextRules, length: int) -> str:
    """`text` in the scheme's characters, at most `length` of them: for names. Raises Unwritable."""
    found = convert(text, rules, length)
    if found.lost or not found.text:
        raise Unwritable
    return found.text


def written_or_empty(text: str, rules: TextRules, length: int) -> str:
    """The same for text that may be missing: what has no spelling is a full stop, and "" when nothing survives."""
    return convert(text, rules, length).text


def unwritable_letters(text: str) -> list[int]:
    """The places (from 1, of the composed text) of the letters that have no spelling in Latin letters, on any rail."""
    composed = unicodedata.normalize("NFC", text)
    return [place for place, one in enumerate(composed, start=1) if not one.isascii() and _plain(one) is None]


def _spelling(sign: str, allowed: re.Pattern[str]) -> str | None:
    if allowed.fullmatch(sign):
        return sign
    found = _plain(sign)
    return None if found is None else "".join(one if allowed.fullmatch(one) else _STOP for one in found)


@lru_cache(maxsize=4_096)
def _plain(sign: str) -> str | None:
    """What stands for one character, in ASCII; None for a letter without a spelling."""
    if sign in _SPELLINGS:
        return _SPELLINGS[sign]
    if sign.isascii():
        return sign
    kind = unicodedata.category(sign)
    if kind[0] == "M":
        return ""
    if kind[0] == "Z":
        return " "
    if kind[0] == "L":
        return _letter(sign)
    if kind == "Nd":
        return str(unicodedata.digit(sign))
    if kind[0] == "P" and sign >= _ANYASCII_PUNCTUATION_FROM:
        return _signs(anyascii(sign))
    # ½, ², ™, №: what they are made of. An accent that stands alone is made of a space, and of nothing that is worth sending.
    made_of = unicodedata.normalize("NFKC", sign)
    return _STOP if made_of == sign or " " in made_of else "".join(_plain(one) or "" for one in made_of)


def _letter(sign: str) -> str | None:
    if unicodedata.name(sign, "").startswith(_SPELT_SCRIPTS):
        return _signs(anyascii(sign)) or None
    # Full-width, mathematical and the like, which are Latin or Greek letters by another look.
    made_of = unicodedata.normalize("NFKC", sign)
    if made_of == sign:
        return None
    parts = [_plain(one) for one in made_of]
    return None if None in parts else "".join(part for part in parts if part is not None)


def _signs(ascii_text: str) -> str:
    """With the table's signs in place of those that it does not have: ` is an apostrophe."""
    return "".join(_SPELLINGS.get(one, one) for one in ascii_text)


@lru_cache(maxsize=16)
def _allowed(characters: str) -> re.Pattern[str]:
    return re.compile(f"[{characters}]+")
