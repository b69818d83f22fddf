"""How alike two names are, 0 to 1: what is found of each in the other, over all that either is made of. Pure.

The shape is that of OpenSanctions' logic-v2: parts that stand for each other are paired and scored, the rest is
compared letter by letter (`rigour.compare_parts`), and what has no counterpart weighs by the side it is missing on. A
listed name has more parts than a given one as a rule, so a part that only the list has weighs little. Two parts that
stand against each other (same given names, another surname) weigh in full: that is a relative, or nobody.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import permutations

from rigour import _core as rigour

from cells.compliance.names import NameForm, Part, skeleton

# Not the same word, and yet the same name: another spelling, an initial, the beginning of it, consonants alone.
_SPELLING = 0.9
_INITIAL = 0.9
_INITIAL_WEIGHT = 0.5
_ABBREVIATED = 0.75
_CONSONANTS = 0.85
_SOUND = 0.7
# Jaro similarity from which two words may be one word misheard.
MISHEARD = 0.83
_MISHEARD_LENGTHS_APART_MAX = 2
_ABBREVIATION_LETTERS_MIN = 3
# "JC" for Jean-Claude, "HM" for Haji Muhammad.
_INITIALS_MAX = 3

# The weight of a part that the other side has no counterpart for.
_ONLY_GIVEN = 0.8
_ONLY_LISTED = 0.2
# All of the list's name is in the given one, which says more.
_BESIDE_ALL_LISTED = 0.3
_AGAINST_EACH_OTHER = 1.0

_Category = rigour.SymbolCategory
# What a class of word says in a business's name: less than a name, where half the trade has it in theirs.
_BOTH_WEIGHT = {
    _Category.ORG_CLASS: 0.7,
    _Category.SYMBOL: 0.3,
    _Category.DOMAIN: 0.7,
    _Category.NUMERIC: 1.3,
    _Category.LOCATION: 0.8,
}
_EXTRA_WEIGHT = {
    _Category.ORG_CLASS: 0.7,
    _Category.SYMBOL: 0.7,
    _Category.NUMERIC: 1.3,
    _Category.LOCATION: 0.8,
}
_STOP_BOTH_WEIGHT = 0.7
_STOP_EXTRA_WEIGHT = 0.35


def likeness(given: NameForm, listed: NameForm) -> float:
    """0 to 1, of two names of one kind."""
    assert given.kind == listed.kind, "a name is compared in the form of the other's kind"
    if given.raw is None or listed.raw is None:
        return 0.0
    if given.exact == listed.exact:
        return 1.0
    return _of_persons(given, listed) if given.kind == "person" else _of_businesses(given.raw, listed.raw)


class _Pairing:
    """Parts of two persons' names that stand for each other, and those that are left."""

    def __init__(self, given: Sequence[Part], listed: Sequence[Part]) -> None:
        self.given = list(given)
        self.listed = list(listed)
        self.score = 0.0
        self.weight = 0.0

    def pair(self, same: Callable[[Part, Part], bool], score: float, weight: float = 1.0) -> None:
        """Each given part with the first listed one that is the `same`, if any."""
        for one in list(self.given):
            other = next((listed for listed in self.listed if same(one, listed)), None)
            if other is not None:
                self._take([one], [other], score, weight)

    def pair_initials(self) -> None:
        """Letters that stand together for several parts of the other side: JC Juncker."""
        for one in list(self.given):
            if found := _spelt_out(one, self.listed):
                self._take([one], found, _INITIAL, _INITIAL_WEIGHT * len(found))
        for one in list(self.listed):
            if found := _spelt_out(one, self.given):
                self._take(found, [one], _INITIAL, _INITIAL_WEIGHT * len(found))

    def pair_by_letters(self) -> None:
        """The rest by edit distance, also where words were run together."""
        if not self.given or not self.listed:
            return
        given, listed = rigour.align_person_name_order(
            [part.raw for part in self.given], [part.raw for part in self.listed]
        )
        for found in rigour.compare_parts(given, listed):
            if found.score > 0 and found.qps and found.rps:
                ours = [part for part in self.given if part.raw in found.qps]
                theirs = [part for part in self.listed if part.raw in found.rps]
                self._take(ours, theirs, found.score, 1.0)

    def _take(self, given: Iterable[Part], listed: Iterable[Part], score: float, weight: float) -> None:
        for part in given:
            self.given.remove(part)
            weight *= min(1, part.weight)
        for part in listed:
            self.listed.remove(part)
            weight *= min(1, part.weight)
        self.score += score * weight
        self.weight += weight


def _of_persons(given: NameForm, listed: NameForm) -> float:
    pairing = _Pairing(given.parts, listed.parts)
    pairing.pair(lambda one, other: one.text == other.text, 1.0)
    pairing.pair(lambda one, other: one.fold == other.fold, _SPELLING)
    pairing.pair(_one_is_initial, _INITIAL, _INITIAL_WEIGHT)
    pairing.pair_initials()
    if given.unvowelled or listed.unvowelled:
        pairing.pair(lambda one, other: _same_consonants(one, other, letters_min=2), _CONSONANTS)
        pairing.pair(lambda one, other: _same_consonants(one, other, letters_min=1), _SOUND)
    pairing.pair_by_letters()
    pairing.pair(_one_begins_other, _ABBREVIATED)
    pairing.pair(_sounds_like, _SOUND)
    missing = _weight_of_missing(pairing, one_word=min(len(given.whole), len(listed.whole)) == 1)
    total = pairing.weight + missing
    return pairing.score / total if total else 0.0


def _weight_of_missing(pairing: _Pairing, *, one_word: bool) -> float:
    """What the parts without counterpart weigh. A name of one word is in too many others to say anything by it."""
    given = sorted((part.weight for part in pairing.given), reverse=True)
    listed = sorted((part.weight for part in pairing.listed), reverse=True)
    against = min(given.count(1), listed.count(1))
    only_given = _ONLY_GIVEN if one_word or listed.count(1) else _BESIDE_ALL_LISTED
    only_listed = _ONLY_GIVEN if one_word else _ONLY_LISTED
    return sum(given) * only_given + sum(listed[:against]) * _AGAINST_EACH_OTHER + sum(listed[against:]) * only_listed


def _one_is_initial(one: Part, other: Part) -> bool:
    return 1 in (len(one.text), len(other.text)) and one.text[0] == other.text[0]


def _spelt_out(letters: Part, parts: Sequence[Part]) -> list[Part]:
    """The parts that these letters begin, one each and in any order; none if they do not."""
    count = len(letters.text)
    if not 1 < count <= _INITIALS_MAX or count > len(parts):
        return []
    for chosen in permutations(parts[: _INITIALS_MAX * 2], count):
        if all(part.text[0] == letter for part, letter in zip(chosen, letters.text, strict=True)):
            return list(chosen)
    return []


def _same_consonants(one: Part, other: Part, letters_min: int) -> bool:
    ours = skeleton(one.text)
    return len(ours) >= letters_min and ours == skeleton(other.text)


def _one_begins_other(one: Part, other: Part) -> bool:
    short, long = sorted((one.text, other.text), key=len)
    return len(short) >= _ABBREVIATION_LETTERS_MIN and long.startswith(short)


def _sounds_like(one: Part, other: Part) -> bool:
    short, long = sorted((len(one.text), len(other.text)))
    if short < _ABBREVIATION_LETTERS_MIN or long - short > _MISHEARD_LENGTHS_APART_MAX:
        return False
    return max(rigour.raw_jaro(one.text, other.text), rigour.raw_jaro(one.fold, other.fold)) >= MISHEARD


def _of_businesses(given: rigour.Name, listed: rigour.Name) -> float:
    extras = _extra_weights(given) | _extra_weights(listed)
    return max(_of_pairing(given, listed, edges, extras) for edges in rigour.pair_symbols(given, listed))


def _of_pairing(
    given: rigour.Name,
    listed: rigour.Name,
    edges: tuple[rigour.Alignment, ...],
    extras: dict[tuple[rigour.NamePart, ...], float],
) -> float:
    """By one way of pairing the words that rigour knows the class of."""
    used_given = {part for edge in edges for part in edge.qps}
    used_listed = {part for edge in edges for part in edge.rps}
    rest_given = [part for part in given.parts if part not in used_given]
    rest_listed = [part for part in listed.parts if part not in used_listed]
    tag_sort = rigour.NamePart.tag_sort
    found = rigour.compare_parts(tag_sort(rest_given), tag_sort(rest_listed))
    score = weight = 0.0
    for one in [*edges, *found]:
        its_weight = _weight_of(one, extras)
        score += _score_of(one) * its_weight
        weight += its_weight
    return score / weight if weight else 0.0


def _score_of(one: rigour.Alignment) -> float:
    if not one.qps or not one.rps:
        return 0.0
    if one.qstr == one.rstr:
        return 1.0
    if one.symbol is None:
        return one.score
    return 0.8 if one.symbol.category == _Category.ORG_CLASS else _SPELLING


def _weight_of(one: rigour.Alignment, extras: dict[tuple[rigour.NamePart, ...], float]) -> float:
    if one.qps and one.rps:
        both = 1.0 if one.symbol is None else _BOTH_WEIGHT.get(one.symbol.category, 1.0)
        return both * (_STOP_BOTH_WEIGHT if _is_stop(one.qps) or _is_stop(one.rps) else 1.0)
    alone = one.qps or one.rps
    side = _ONLY_GIVEN if one.qps else _ONLY_LISTED
    return side * (_STOP_EXTRA_WEIGHT if _is_stop(alone) else extras.get(tuple(alone), 1.0))


def _is_stop(parts: Sequence[rigour.NamePart]) -> bool:
    return len(parts) == 1 and parts[0].tag == rigour.NamePartTag.STOP


def _extra_weights(name: rigour.Name) -> dict[tuple[rigour.NamePart, ...], float]:
    weights: dict[tuple[rigour.NamePart, ...], float] = {}
    for span in name.spans:
        category = span.symbol.category
        # A single letter (X, V, I) is a Roman numeral only by chance.
        if category == _Category.NUMERIC and len(span.parts) == 1 and len(span.comparable) == 1:
            continue
        if category in _EXTRA_WEIGHT:
            weights[span.parts] = weights.get(span.parts, 1.0) * _EXTRA_WEIGHT[category]
    return weights
