"""Names as lists and banks write them, taken apart for comparing. Pure.

The parts come from `rigour`, the name library of OpenSanctions: transliterated where a script has letters for its
sounds, legal forms in full brought to their short form. What rigour leaves in its own script goes through anyascii.
Titles count for little and only before a person's name, degrees behind its comma, legal forms only in a business's.

`rigour._core` is its compiled half. The other half imports PyICU, which is published as source alone and needs a
compiler and ICU's headers; and its tagger of persons' names takes 400 MB in every process, so `names.toml` has ours.
"""

import re
import tomllib
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

from anyascii import anyascii
from rigour import _core as rigour

NameKind = Literal["person", "business"]

# How much a part counts for that is left out as often as it is written; a whole part counts 1.
OPTIONAL_WEIGHT = 0.2
PARTICLE_WEIGHT = 0.5

# Older Indonesian spelling and common transliterations: Soekarno, Djoko, Tjahja; Youssef, Khalid.
_FOLDS = (
    ("oe", "u"),
    ("ou", "u"),
    ("oo", "u"),
    ("ee", "i"),
    ("ie", "i"),
    ("dj", "j"),
    ("tj", "c"),
    ("nj", "ny"),
    ("sj", "sy"),
    ("ph", "f"),
    ("kh", "h"),
    ("th", "t"),
    ("ck", "k"),
    ("q", "k"),
    ("w", "v"),
    ("y", "i"),
    ("x", "ks"),
)
_REPEATED = re.compile(r"(.)\1+")
_VOWELS = re.compile(r"[aeiouwyh]+")
# Arabic, Hebrew and Syriac are written without their short vowels, and so read differently from any transliteration.
_UNVOWELLED = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")
# anyascii marks syllables by capitals alone: WangXiaoMing.
_SYLLABLE = re.compile(r"(?<=[a-z])(?=[A-Z])")


_VOCABULARY = tomllib.loads((Path(__file__).resolve().parent / "data" / "names.toml").read_text())
_TITLES = frozenset(_VOCABULARY["titles"].split())
_TITLES_OR_NAMES = frozenset(_VOCABULARY["titles_or_names"].split())
_DEGREES = frozenset(_VOCABULARY["degrees"].split())
_PARTICLES = frozenset(_VOCABULARY["particles"].split())
_LEGAL_FORMS = frozenset(_VOCABULARY["legal_forms"].split())
_SAME = {word: line.split()[0] for line in _VOCABULARY["same"] for word in line.split()}


class Part:
    """One word of a name. `text` as written (ASCII where it can be), `fold` as it sounds, `weight` 0 to 1."""

    __slots__ = ("fold", "raw", "text", "weight")

    def __init__(self, raw: rigour.NamePart, weight: float) -> None:
        self.raw = raw
        self.text = raw.comparable
        self.fold = fold(self.text)
        self.weight = weight


class NameForm:
    """One name of a party of one kind. Never logged: it is as personal as the name.

    `parts` are in the order written; `raw` is None for a text without a letter or digit. `exact` is equal for names
    that differ in nothing but order, case, accents, punctuation, titles before them and legal forms.
    """

    def __init__(self, name: str, kind: NameKind) -> None:
        self.kind = kind
        self.unvowelled = _UNVOWELLED.search(name) is not None
        text = name if rigour.should_ascii(name) else _SYLLABLE.sub(" ", anyascii(name))
        tag = rigour.NameTypeTag.PER if kind == "person" else rigour.NameTypeTag.ORG
        found = rigour.analyze_names(
            tag, [text], symbols=kind == "business", phonetics=False, rewrite=kind == "business"
        )
        self.raw = next(iter(found), None)
        raw = () if self.raw is None else self.raw.parts
        weights = _person_weights(raw, text) if kind == "person" else _business_weights(self.raw)
        self.parts = tuple(Part(part, weight) for part, weight in zip(raw, weights, strict=True))

    @cached_property
    def whole(self) -> tuple[Part, ...]:
        """The parts that count in full: no title, particle or legal form. All of them where none counts in full."""
        return tuple(part for part in self.parts if part.weight == 1) or self.parts

    @cached_property
    def words(self) -> tuple[str, ...]:
        """What the name is found by: each word as it sounds, and each number of a business's name however written."""
        words = [part.fold for part in self.whole]
        if self.kind == "business" and self.raw is not None:
            numeric = rigour.SymbolCategory.NUMERIC
            words += [f"#{span.symbol.id}" for span in self.raw.spans if span.symbol.category == numeric]
        return tuple(dict.fromkeys(words))

    @cached_property
    def exact(self) -> str:
        kept = [part.text for part in self.parts if not self._says_nothing(part)]
        return " ".join(sorted(kept or [part.text for part in self.parts]))

    def _says_nothing(self, part: Part) -> bool:
        if part.weight != OPTIONAL_WEIGHT:
            return False
        return self.kind == "business" or part.text not in _TITLES_OR_NAMES


def _person_weights(parts: tuple[rigour.NamePart, ...], text: str) -> list[float]:
    weights = [PARTICLE_WEIGHT if part.comparable in _PARTICLES else 1.0 for part in parts]
    titles = _TITLES | _TITLES_OR_NAMES
    for position, part in enumerate(parts[:-1]):
        if part.comparable not in titles:
            break
        weights[position] = OPTIONAL_WEIGHT
    behind = _degrees_behind_comma(text)
    for position in range(len(parts) - behind, len(parts)):
        weights[position] = OPTIONAL_WEIGHT
    return weights


def _degrees_behind_comma(text: str) -> int:
    """How many words at the end are degrees, each behind a comma or another degree."""
    before, comma, after = text.partition(",")
    words = [word for word in re.split(r"[,\s]+", after.lower().replace(".", "")) if word]
    if not comma or not before.strip() or not all(word in _DEGREES for word in words):
        return 0
    return len(words)


def _business_weights(name: rigour.Name | None) -> list[float]:
    if name is None:
        return []
    # II is a legal form somewhere, and a number everywhere else.
    numbers = {
        part for span in name.spans if span.symbol.category == rigour.SymbolCategory.NUMERIC for part in span.parts
    }
    weights = [OPTIONAL_WEIGHT if _is_legal_form(part) and part not in numbers else 1.0 for part in name.parts]
    # A name that is nothing but legal forms (PT Firma) is a name.
    return weights if 1.0 in weights else [1.0] * len(weights)


def _is_legal_form(part: rigour.NamePart) -> bool:
    return part.tag == rigour.NamePartTag.LEGAL or part.comparable in _LEGAL_FORMS


@lru_cache(maxsize=65_536)
def fold(word: str) -> str:
    """A word as it sounds: spellings of one name are one word."""
    word = _SAME.get(word, word)
    for spelling, sound in _FOLDS:
        word = word.replace(spelling, sound)
    return _REPEATED.sub(r"\1", word)


@lru_cache(maxsize=65_536)
def skeleton(word: str) -> str:
    """The consonants of a word as written: what is left when a script leaves out vowels, or an ear confuses them."""
    for spelling, sound in (("ph", "f"), ("x", "ks"), ("q", "k"), ("c", "k")):
        word = word.replace(spelling, sound)
    return _REPEATED.sub(r"\1", _VOWELS.sub("", word))
