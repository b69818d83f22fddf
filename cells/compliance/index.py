"""Finds the listed names that a name might be, without comparing it to all of them. Pure.

A word of the lists is found again by a word that sounds the same, or by one whose consonants are the same but for one;
a word of few consonants by one whose letters are the same but for one (symmetric deletion: two words within an edit
share what is left of each without a letter). So a search is a few dozen look-ups however long the lists are. Of what
it finds, those names remain that share two words with the one asked for, or one word and the initial of another.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from heapq import nsmallest
from itertools import combinations, pairwise

from rigour import _core as rigour

from cells.compliance.likeness import MISHEARD
from cells.compliance.names import OPTIONAL_WEIGHT, NameForm, skeleton

# A word of three consonants may not miss one: the two left would be everybody's.
_CONSONANTS_MIN = 3
_CONSONANTS_TO_MISS_ONE_MIN = 4
_LETTERS_MIN = 4
# A word in more listed names than this tells nothing by itself (Muhammad, Trading).
_COMMON = 150
# A business given by one word (Faberlic) may be listed with as many as this.
_WORDS_BESIDE_ONE_MAX = 3
# Words of as many letters may be initials: J, JC, HM.
_INITIALS_MAX = 3
# With two names that stand against each other, more words than this must be shared for the rest to be alike.
_SHARED_IN_SPITE_MIN = 3
# As many likely names as are compared at most for one name, the likeliest first.
CANDIDATES_MAX = 40

_NOTHING: frozenset[int] = frozenset()
_NOTHING_SAID: frozenset[str] = frozenset()


class NameIndex:
    """An index over listed names; results are positions in the sequence it was made from."""

    def __init__(self, names: Iterable[NameForm]) -> None:
        self._positions: dict[str, set[int]] = defaultdict(set)
        self._exact: dict[str, list[int]] = defaultdict(list)
        self._joined: dict[str, list[int]] = defaultdict(list)
        self._words: list[frozenset[str]] = []
        for position, name in enumerate(names):
            words = frozenset(name.words)
            self._words.append(words)
            for word in words:
                self._positions[word].add(position)
            self._exact[name.exact].append(position)
            for joined in _joined(name):
                self._joined[joined].append(position)
        self._alike: dict[str, list[str]] = defaultdict(list)
        for word in self._positions:
            for key in _keys(word):
                self._alike[key].append(word)
        self._by_beginning = self._index_common()

    def exact(self, name: NameForm) -> Sequence[int]:
        """Listed names that are this one but for order, case, accents, titles and legal forms."""
        return self._exact.get(name.exact, ())

    def candidates(self, name: NameForm) -> list[int]:
        """Listed names worth comparing with this one, the likeliest first; `CANDIDATES_MAX` at most beside exact
        ones."""
        alike = {word: self._alike_words(word) for word in name.words}
        found = {word: self._positions_of(words) for word, words in alike.items()}
        ranked = self._sharing_two(list(found.values()))
        ranked |= {position: 1 for position in self._sharing_one(name, found) if position not in ranked}
        if name.kind == "person":
            ranked = self._without_contradicted(ranked, found, alike)
        else:
            ranked = self._without_same_trade(ranked, found)
        ranked |= {position: 2 for joined in _joined(name) for position in self._joined.get(joined, ())}
        exact = self.exact(name)
        # Likelier: more words shared, and fewer beside them.
        rest = ((-shared, len(self._words[one]), one) for one, shared in ranked.items() if one not in exact)
        return [*exact, *(one for _, _, one in nsmallest(CANDIDATES_MAX, rest))]

    def _without_contradicted(
        self, ranked: Mapping[int, int], found: Mapping[str, Set[int]], alike: Mapping[str, Set[str]]
    ) -> dict[int, int]:
        """Those in which no word stands against one of the person's, or so many others are shared that it may."""
        known = _NOTHING_SAID.union(*alike.values())
        stands_for: dict[tuple[str, str], bool] = {}
        kept: dict[int, int] = {}
        for position, shared in ranked.items():
            theirs = self._words[position] - known
            if theirs:
                ours = [word for word, positions in found.items() if position not in positions]
                if len(ours) > 0 and len(found) - len(ours) <= _SHARED_IN_SPITE_MIN:
                    pairs = [(one, other) for one in ours for other in theirs]
                    for pair in pairs:
                        if pair not in stands_for:
                            stands_for[pair] = _may_stand_for(*pair)
                    if not any(stands_for[pair] for pair in pairs):
                        continue
            kept[position] = shared
        return kept

    def _without_same_trade(self, ranked: Mapping[int, int], found: Mapping[str, Set[int]]) -> dict[int, int]:
        """Those that share more than a trade with the business, or all of it."""
        telling = _NOTHING.union(*(positions for positions in found.values() if len(positions) <= _COMMON))
        everything = set.intersection(*map(set, found.values())) if found else _NOTHING
        return {one: shared for one, shared in ranked.items() if one in telling or one in everything}

    def _index_common(self) -> dict[tuple[str, str], set[int]]:
        """Names with a common word, by it and the beginning of another of their words."""
        found: dict[tuple[str, str], set[int]] = defaultdict(set)
        for common in [word for word, positions in self._positions.items() if len(positions) > _COMMON]:
            for position in self._positions[common]:
                for other in self._words[position]:
                    if other != common:
                        found[common, other[0]].add(position)
                        found[common, other[:2]].add(position)
        return found

    def _alike_words(self, word: str) -> set[str]:
        return {found for key in _keys(word) for found in self._alike.get(key, ())}

    def _positions_of(self, words: Set[str]) -> Set[int]:
        if len(words) == 1:
            return self._positions[next(iter(words))]
        return set().union(*(self._positions[one] for one in words)) if words else _NOTHING

    def _sharing_two(self, found: Sequence[Set[int]]) -> dict[int, int]:
        """Names with two words or more like two of these; more, the more there are."""
        shared: dict[int, int] = {}
        for ours, theirs in combinations(found, 2):
            for position in ours & theirs:
                shared[position] = shared.get(position, 1) + 1
        return shared

    def _sharing_one(self, name: NameForm, found: Mapping[str, Set[int]]) -> Iterator[int]:
        """Names with one word like one of these, where that may be all there is, or another word begins alike."""
        told = {*name.words, *(part.fold for part in name.parts if part.weight > OPTIONAL_WEIGHT)}
        if len(told) == 1:
            words_max = 1 if name.kind == "person" else _WORDS_BESIDE_ONE_MAX
            for positions in found.values():
                yield from (one for one in positions if len(self._words[one]) <= words_max)
            return
        for word, positions in found.items():
            beginnings = {_beginning(other) for other in told if other != word}
            if len(positions) > _COMMON:
                for beginning in beginnings:
                    yield from self._by_beginning.get((word, beginning), ())
            else:
                yield from (one for one in positions if self._begins(one, beginnings))

    def _begins(self, position: int, beginnings: Set[str]) -> bool:
        """Whether a word of this name begins so, or is an initial of one that does."""
        for word in self._words[position]:
            if word[:2] in beginnings or word[0] in beginnings:
                return True
            if len(word) == 1 and any(one[0] == word for one in beginnings):
                return True
        return False


def _may_stand_for(one: str, other: str) -> bool:
    """Whether two words may be one in a way that the index does not find words by: initials, a beginning, a mishearing."""
    short, long = sorted((one, other), key=len)
    if len(short) <= _INITIALS_MAX:
        return short[0] == long[0]
    return long.startswith(short[:_INITIALS_MAX]) or rigour.raw_jaro(one, other) >= MISHEARD


def _beginning(word: str) -> str:
    """What a listed word must begin with to be this one: the first letter of initials, else the first two."""
    return word[0] if len(word) <= _INITIALS_MAX else word[:2]


def _joined(name: NameForm) -> Iterator[str]:
    """The name run together, and each two words of it."""
    parts = [part.text for part in name.parts if part.weight == 1 or name.kind == "person"]
    yield skeleton("".join(parts))
    if len(parts) > 2:
        for one, other in pairwise(parts):
            yield skeleton(one + other)


def _keys(word: str) -> Iterator[str]:
    """What a word is found by: itself, and its consonants, or its letters, without any one of them."""
    yield word
    consonants = skeleton(word)
    if len(consonants) >= _CONSONANTS_MIN:
        yield "+" + consonants
    if len(consonants) >= _CONSONANTS_TO_MISS_ONE_MIN:
        for cut in range(len(consonants)):
            yield "+" + consonants[:cut] + consonants[cut + 1 :]
    elif len(word) >= _LETTERS_MIN:
        for cut in range(len(word)):
            yield word[:cut] + word[cut + 1 :]
