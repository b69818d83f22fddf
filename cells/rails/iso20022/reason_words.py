"""Reason codes in words: ISO 20022's external code sets, as far as they can be shown to a partner (reason_words.toml)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from residency.classes import Public

_DATA = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, slots=True)
class Reason:
    """`source`: the code set that has it. `remedy`: what a partner can do."""

    code: Annotated[str, Public]
    title: Annotated[str, Public]
    meaning: Annotated[str, Public]
    remedy: Annotated[str, Public]
    source: Annotated[str, Public]


@cache
def reasons() -> Mapping[str, Reason]:
    """Every code that has words, by code."""
    return {code: Reason(code, **entry) for code, entry in tomllib.loads(_DATA.read_text("utf-8")).items()}


def reason_in_words(code: str | None) -> str | None:
    """`AC04` → "The account is closed"; None for what has no page at /reasons, such as our own codes, which have one at /problems."""
    found = reasons().get(code or "")
    return found.title if found else None
