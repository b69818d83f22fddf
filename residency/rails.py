"""The rails there are, as they are written: `cells/rails/profiles/<rail>.toml`, one file of data per rail.

cells.rails.profile says what a profile must hold, and refuses any other before a cell starts. What may not look into that room (the
books, which know a rail by its number, and the sandbox's schemes) reads its one fact here.
"""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Self

from residency.errors import KovraError

FOLDER = "cells/rails/profiles"
_PROFILES = Path(__file__).resolve().parent.parent / FOLDER


class RailsInvalid(KovraError):
    """`of` makes one of faults, a sentence each, with the file, the key and what was expected."""

    code = "rails-invalid"
    title = "The profiles of the rails do not hold together"

    @classmethod
    def of(cls, faults: Sequence[str]) -> Self:
        return cls("".join(f"\n  {one}" for one in faults))

    @property
    def faults(self) -> list[str]:
        return self.detail.split("\n  ")[1:]


@cache
def rail_documents() -> Mapping[str, Mapping[str, Any]]:
    """Each profile as TOML has it, by the rail's name, which is its file's. Raises RailsInvalid."""
    found: dict[str, Mapping[str, Any]] = {}
    faults: list[str] = []
    for file in sorted(_PROFILES.glob("*.toml")):
        try:
            found[file.stem] = tomllib.loads(file.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            faults.append(f"{FOLDER}/{file.name}: cannot be read: {error}.")
    if faults:
        raise RailsInvalid.of(faults)
    return found
