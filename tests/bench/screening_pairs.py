"""Labelled pairs of names and a list of twenty thousand parties, made by rules: no name in them is anybody's.

Same: a listed name as forms, banks and people write it. Another: the same name with one part of another listed party.
"""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cells.compliance.checker import Subject
from cells.compliance.lists import Entry, PartyKind
from cells.compliance.names import NameForm

_SEED = 20261129
_ONSETS = [
    "b",
    "br",
    "c",
    "ch",
    "d",
    "dr",
    "f",
    "g",
    "gr",
    "h",
    "j",
    "k",
    "kr",
    "l",
    "m",
    "n",
    "p",
    "pr",
    "r",
    "s",
    "sh",
    "sk",
    "st",
    "t",
    "tr",
    "v",
    "w",
    "y",
    "z",
    "zh",
]
_VOWELS = ["a", "a", "a", "e", "e", "i", "i", "o", "o", "u", "ai", "ei", "ia"]
_CODAS = ["", "", "", "", *["n", "r", "l", "m", "s", "k", "t", "d", "v"]]
_SURNAME_ENDS = ["", "", "ov", "enko", "in", "yan", "wati", "oglu", "sen", "i"]
_TRADES = [
    "Trading",
    "Shipping",
    "Bank",
    "Petroleum",
    "Energy",
    "Industries",
    "Holding",
    "Company",
    "International",
    "Metals",
    "Logistics",
]
_FORMS = ["LLC", "Ltd", "OOO", "PT", "GmbH", "JSC", "AG"]


class Pair(NamedTuple):
    given: str
    listed: str
    kind: PartyKind
    same: bool


def written_anew(entries: Sequence[Entry]) -> Iterator[Pair]:
    """Each entry of two words or more, written in every way that the house knows, and confused with its neighbours."""
    strong = [one for one in entries if not one.weak and len(NameForm(one.name, one.kind).whole) > 1]
    for entry in strong:
        for given in _spellings(entry.name, entry.kind):
            yield Pair(given, entry.name, entry.kind, True)
    for entry, other in zip(strong, [*strong[1:], strong[0]], strict=True):
        for given in _strangers(entry, other):
            yield Pair(given, entry.name, entry.kind, False)


def _spellings(name: str, kind: PartyKind) -> Iterator[str]:
    words = name.split()
    yield name.upper()
    yield name.replace(" ", "  ").replace("-", " ")
    yield _swapped(name)
    if kind == "business":
        yield f"{name} Limited Liability Company"
        yield f"P.T. {name}"
        return
    yield f"{words[-1]}, {' '.join(words[:-1])}"
    yield f"Mr. {name}"
    yield f"Bapak {name}, S.H."
    yield f"{words[0][0]}. {' '.join(words[1:])}"
    if len(words) > 2:
        yield f"{words[0]} {words[-1]}"
        yield f"{words[0]} {words[1][0]}. {' '.join(words[2:])}"
    yield f"{words[0]} {_invented(random.Random(name))} {' '.join(words[1:])}"


def _swapped(name: str) -> str:
    """Two letters in the middle of the longest word changed places."""
    word = max(name.split(), key=len)
    middle = len(word) // 2
    return name.replace(word, word[: middle - 1] + word[middle] + word[middle - 1] + word[middle + 1 :])


def _strangers(entry: Entry, other: Entry) -> Iterator[str]:
    ours = [part.text for part in NameForm(entry.name, entry.kind).whole]
    theirs = [part.text for part in NameForm(other.name, other.kind).whole]
    if set(ours) & set(theirs):
        return
    yield f"{ours[0]} {theirs[-1]}"
    yield f"{theirs[0]} {ours[-1]}"
    yield f"{theirs[0]} {theirs[-1]}"
    yield ours[0]


def listed_twenty_thousand() -> Iterator[Entry]:
    """Seven of ten are persons, each party has one to five names, and given names are as often the common ones as in life."""
    names = _Names(random.Random(_SEED))
    for number in range(20_000):
        kind: PartyKind = "person" if names.dice.random() < 0.7 else "business"
        for _ in range(names.dice.choice([1, 1, 2, 3, 4, 5])):
            yield Entry("bench", str(number), names.of(kind), kind)


def payers(count: int) -> Iterator[Subject]:
    """Other names from the same words."""
    names = _Names(random.Random(_SEED))
    names.dice.seed(_SEED + 1)
    for number in range(count):
        kind: PartyKind = "person" if names.dice.random() < 0.8 else "business"
        yield Subject(f"pyr_{number}", kind, names.of(kind))


class _Names:
    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self._given = [_invented(dice) for _ in range(3_000)]
        self._surnames = [_invented(dice) + dice.choice(_SURNAME_ENDS) for _ in range(20_000)]
        self._firms = [_invented(dice) for _ in range(10_000)]

    def of(self, kind: PartyKind) -> str:
        if kind == "business":
            words = [self.dice.choice(self._firms) for _ in range(self.dice.choice([1, 1, 2]))]
            return " ".join([*words, *self.dice.sample(_TRADES, self.dice.choice([1, 2])), self.dice.choice(_FORMS)])
        given = [
            self._often(["Muhammad", "Ali", "Ahmad", *self._given]) for _ in range(self.dice.choice([1, 1, 2, 2, 3]))
        ]
        return " ".join([*given, self._often(self._surnames)])

    def _often(self, words: Sequence[str]) -> str:
        """One of them; every second time by Zipf's law, so that one name in twelve has the commonest given name."""
        if self.dice.random() < 0.5:
            return self.dice.choice(words)
        return words[int(len(words) ** self.dice.random()) - 1]


def _invented(dice: random.Random) -> str:
    syllables = [
        dice.choice(_ONSETS) + dice.choice(_VOWELS) + dice.choice(_CODAS) for _ in range(dice.choice([2, 2, 3, 3, 4]))
    ]
    return "".join(syllables).capitalize()
