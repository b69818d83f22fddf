"""Whether a party of a like name is the listed one, by what is known of both beside the name. Pure.

A name alone never blocks: OFAC's steps for assessing a match (FAQ 5) and the Wolfsberg Group's Guidance on Sanctions
Screening (2019) both have the rest of the entry compared first. Here that is done with what lists publish and payments
carry: the date of birth, the place of birth, and the numbers of documents, registrations and LEIs.
"""

import re
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple, Protocol

from cells.compliance.names import fold

# Shorter numbers are in too many documents.
_NUMBER_LETTERS_MIN = 5
_NOT_IN_NUMBERS = re.compile(r"[^A-Z0-9]")
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january januari jan",
            "february februari pebruari feb",
            "march maret mar",
            "april apr",
            "may mei",
            "june juni jun",
            "july juli jul",
            "august agustus aug agu agt",
            "september sept sep",
            "october oktober oct okt",
            "november nopember nov nop",
            "december desember dec des",
        ),
        1,
    )
    for name in names.split()
}
# Of a day that its publisher does not know: 00/00/1981, dd/mm/1979.
_YEAR_FIRST = re.compile(r"\b((?:19|20)\d\d)-(\d\d)-(\d\d)\b")
_DAY_FIRST = re.compile(r"\b(\d{1,2}|dd)[/.-](\d{1,2}|mm)[/.-]((?:19|20)\d\d)\b", re.IGNORECASE)
_IN_WORDS = re.compile(r"\b(\d{1,2})\s+([a-z]+)\.?\s+((?:19|20)\d\d)\b", re.IGNORECASE)
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")


class Birth(NamedTuple):
    """A date of birth as far as it is known: `day` is None where only the year is."""

    year: int
    day: date | None


class Known(Protocol):
    """What a list says of a party beside its name."""

    @property
    def births(self) -> frozenset[Birth]: ...
    @property
    def birth_towns(self) -> frozenset[str]: ...
    @property
    def numbers(self) -> frozenset[str]: ...


class Told(Protocol):
    """What a partner says of a party beside its name."""

    @property
    def date_of_birth(self) -> date | None: ...
    @property
    def town_of_birth(self) -> str | None: ...
    @property
    def numbers(self) -> frozenset[str]: ...


def births_in(text: str) -> frozenset[Birth]:
    """Every date of birth in a list's field, in the forms that the EU, the UK and Indonesia write; ranges as their
    years."""
    found: set[Birth] = set()

    def take(year: str, month: int | None, day: str) -> str:
        found.add(_birth(int(year), month, int(day) if day.isdigit() else None))
        return " "

    text = _YEAR_FIRST.sub(lambda one: take(one[1], int(one[2]), one[3]), text)
    text = _DAY_FIRST.sub(lambda one: take(one[3], int(one[2]) if one[2].isdigit() else None, one[1]), text)
    text = _IN_WORDS.sub(lambda one: take(one[3], _MONTHS.get(one[2].lower()), one[1]), text)
    return frozenset(found | {Birth(int(year), None) for year in _YEAR.findall(text)})


def _birth(year: int, month: int | None, day: int | None) -> Birth:
    try:
        return Birth(year, date(year, month or 0, day or 0))
    except ValueError:
        return Birth(year, None)


def number_of(text: str) -> str | None:
    """A document's number as it is compared, without spaces and signs; None if too short to tell anything."""
    number = _NOT_IN_NUMBERS.sub("", text.upper())
    return number if len(number) >= _NUMBER_LETTERS_MIN and any(sign.isdigit() for sign in number) else None


def numbers_in(texts: Iterable[str | None]) -> frozenset[str]:
    return frozenset(number for text in texts if text and (number := number_of(text)) is not None)


def same_number(told: Told, known: Known) -> bool:
    return not told.numbers.isdisjoint(known.numbers)


def same_birth(told: Told, known: Known) -> bool:
    """The same day, or the same year where the list has no day, and the same town."""
    born = told.date_of_birth
    if born is None:
        return False
    if any(one.day == born for one in known.births):
        return True
    year_alone = any(one.day is None and one.year == born.year for one in known.births)
    town = told.town_of_birth
    return year_alone and town is not None and town_of(town) in known.birth_towns


def other_birth(told: Told, known: Known, years: int) -> bool:
    """Born further than `years` from all that the list has."""
    born = told.date_of_birth
    return born is not None and bool(known.births) and all(abs(one.year - born.year) > years for one in known.births)


def town_of(text: str) -> str:
    """A town as it is compared."""
    return " ".join(fold(word) for word in re.findall(r"\w+", text.lower()))
