"""Finds the listed names that a name might be, without comparing it to all of them. Pure.

Symmetric deletion: two words within an edit or two share a word that comes from each by leaving letters out.
Each distinct word of the lists is stored under all such shortenings, so that a search is a few dozen look-ups
however long the lists are, and a name that is nothing like any listed one costs microseconds.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

from cells.compliance.names import NameForm

# A word of four letters may miss one, a word of eight two: with fewer, everything resembles everything.
_ONE_DELETION = 4
_TWO_DELETIONS = 8
# Beyond this many letters a word is compared by its beginning, which keeps the number of shortenings bounded.
_COMPARED_LETTERS = 12


class _Words:
    """Positions of names by their words, found again by words that are nearly the same."""

    def __init__(self, deletions_max: int) -> None:
        self._deletions_max = deletions_max
        self._positions: dict[str, set[int]] = defaultdict(set)
        self._words_by_shortening: dict[str, list[str]] = defaultdict(list)

    def add(self, word: str, position: int) -> None:
        if word not in self._positions:
            for short in _shortenings(word, self._deletions_max):
                self._words_by_shortening[short].append(word)
        self._positions[word].add(position)

    def like(self, word: str) -> set[int]:
        words: set[str] = set()
        known = self._words_by_shortening
        for short in _shortenings(word, self._deletions_max):
            if short in known:
                words.update(known[short])
        return {position for found in words for position in self._positions[found]}


class NameIndex:
    """An index over names; results are positions in the sequence it was made from."""

    def __init__(self, names: Sequence[NameForm]) -> None:
        self._words = _Words(deletions_max=2)
        self._wholes = _Words(deletions_max=1)
        self._counts = [len(set(name.folded)) for name in names]
        for position, name in enumerate(names):
            for word in name.folded:
                self._words.add(word, position)
            self._wholes.add("".join(name.folded), position)

    def candidates(self, name: NameForm) -> list[int]:
        """In order, listed names that share two words with this one (or its or their only word), or run
        together to the same."""
        words = set(name.folded)
        shared: dict[int, int] = defaultdict(int)
        for word in words:
            for position in self._words.like(word):
                shared[position] += 1
        needed = min(2, len(words))
        found = {position for position, count in shared.items() if count >= min(needed, self._counts[position])}
        return sorted(found | self._wholes.like("".join(name.folded)))


def _shortenings(word: str, deletions_max: int) -> Iterator[str]:
    word = word[:_COMPARED_LETTERS] if deletions_max > 1 else word
    yield word
    length = len(word)
    if length >= _ONE_DELETION:
        for cut in range(length):
            yield word[:cut] + word[cut + 1 :]
    if length >= _TWO_DELETIONS and deletions_max > 1:
        for first, second in combinations(range(length), 2):
            yield word[:first] + word[first + 1 : second] + word[second + 1 :]
