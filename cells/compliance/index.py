"""Finds the listed names that a name might be, without comparing it to all of them. Pure.

Symmetric deletion: two words within an edit or two share a word that comes from each by leaving letters out. Each word of each
listed name is stored under all such shortenings, so that a search is a few dozen look-ups however long the lists are, and a
name that is nothing like any listed one costs microseconds.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

from cells.compliance.names import NameForm

# A word of four letters may miss one, a word of seven two: with fewer, everything resembles everything.
_ONE_DELETION = 4
_TWO_DELETIONS = 7


class NameIndex:
    """An index over names; results are positions in the sequence it was made from."""

    def __init__(self, names: Sequence[NameForm]) -> None:
        by_word: dict[str, set[int]] = defaultdict(set)
        by_whole: dict[str, set[int]] = defaultdict(set)
        self._words = [len(set(name.folded)) for name in names]
        for position, name in enumerate(names):
            for word in name.folded:
                for short in _shortenings(word):
                    by_word[short].add(position)
            for short in _shortenings("".join(name.folded)):
                by_whole[short].add(position)
        self._by_word = dict(by_word)
        self._by_whole = dict(by_whole)

    def candidates(self, name: NameForm) -> set[int]:
        """Listed names that share two words with this one (or its only word, or theirs), or run together to the same."""
        words = set(name.folded)
        shared: dict[int, int] = defaultdict(int)
        for word in words:
            for position in _found(self._by_word, word):
                shared[position] += 1
        needed = min(2, len(words))
        found = {position for position, count in shared.items() if count >= min(needed, self._words[position])}
        return found | _found(self._by_whole, "".join(name.folded))


def _found(index: dict[str, set[int]], word: str) -> set[int]:
    found: set[int] = set()
    for short in _shortenings(word):
        if hits := index.get(short):
            found |= hits
    return found


def _shortenings(word: str) -> Iterator[str]:
    yield word
    length = len(word)
    if length >= _ONE_DELETION:
        for cut in range(length):
            yield word[:cut] + word[cut + 1 :]
    if _TWO_DELETIONS <= length <= 24:
        for first, second in combinations(range(length), 2):
            yield word[:first] + word[first + 1 : second] + word[second + 1 :]
