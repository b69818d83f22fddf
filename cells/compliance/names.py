"""Names as lists and banks write them, brought to one form for comparing. Pure.

Transliterated to ASCII (anyascii), lower case, punctuation gone, titles and legal forms dropped unless
nothing else is left. `folded` goes one step further, to spellings that sound alike, and is only ever used to
find and to review, never to block.
"""

import re
from functools import cached_property

from anyascii import anyascii

# Titles and forms of company in the languages of our corridors: they say nothing about who it is.
_NOISE_WORDS = """
mr mrs ms miss dr prof sir haji hj bapak ibu pak bu herr frau ltd limited llc llp plc inc corp co company gmbh
ag kg sa sas sarl srl spa bv nv oy ab as aps pt tbk cv ud fa
"""
_NOISE = frozenset(_NOISE_WORDS.split())
# Older Indonesian spelling and common transliterations: Soekarno, Djoko, Tjahja; Youssef, Khalid.
_FOLDS = (
    ("oe", "u"),
    ("ou", "u"),
    ("dj", "j"),
    ("tj", "c"),
    ("nj", "ny"),
    ("sj", "sy"),
    ("ph", "f"),
    ("kh", "h"),
)
_MUHAMMADS = ("mohammad", "mohammed", "mohamed", "mohamad", "muhamad", "muhamed", "mochammad", "mochamad")
_SAME = dict.fromkeys(_MUHAMMADS, "muhammad")
_SIGNS = re.compile(r"[^a-z0-9]+")
_QUOTES = re.compile(r"['`’]")
_REPEATED = re.compile(r"(.)\1+")


class NameForm:
    """One name, normalised. Never logged: it is as personal as the name."""

    __slots__ = ("__dict__", "tokens")

    def __init__(self, name: str) -> None:
        # ASCII names, the most by far, are spared the transliteration.
        text = name if name.isascii() else anyascii(name)
        tokens = _SIGNS.sub(" ", _QUOTES.sub("", text.lower())).split()
        self.tokens = tuple(token for token in tokens if token not in _NOISE) or tuple(tokens)

    @cached_property
    def written(self) -> str:
        """The tokens in the order given."""
        return " ".join(self.tokens)

    @cached_property
    def sorted(self) -> str:
        """The tokens in alphabetical order, so that surname first or last is the same name."""
        return " ".join(sorted(self.tokens))

    @cached_property
    def folded(self) -> tuple[str, ...]:
        """Each token as it sounds."""
        return tuple(_fold(token) for token in self.tokens)


def _fold(token: str) -> str:
    token = _SAME.get(token, token)
    for spelling, sound in _FOLDS:
        token = token.replace(spelling, sound)
    return _REPEATED.sub(r"\1", token)
