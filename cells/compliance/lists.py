"""Reads the sanctions lists under data/, each in its publisher's own shape, into one form.

A new list is a file, a row in lists.toml, and a reader here if its shape is new. The version that
attestations carry is the declared date and the first twelve digits of the file's SHA-256, so that no edit
goes unnoticed.
"""

import csv
import hashlib
import io
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from residency.errors import KovraError

DATA = Path(__file__).resolve().parent / "data"
PartyKind = Literal["person", "business"]


class ListsInvalid(KovraError):
    """Screening cannot start: without its lists, a cell must not come up."""

    code = "lists-invalid"
    title = "A sanctions list cannot be read"


class Entry(NamedTuple):
    """One name of one listed party. `weak`: its publisher calls the alias too common to act on alone."""

    list: str
    reference: str
    name: str
    kind: PartyKind
    weak: bool
    birth_years: frozenset[int]


class SanctionsList(NamedTuple):
    name: str
    region: str
    version: str
    entries: tuple[Entry, ...]


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{1,31}$")]
    region: str
    file: str
    shape: str
    date: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]


class _Manifest(BaseModel):
    model_config = ConfigDict(extra="forbid")
    lists: list[_Declared]


def load_lists(data: Path = DATA) -> tuple[SanctionsList, ...]:
    """Every list that lists.toml declares. Raises ListsInvalid; a list without entries is invalid too."""
    try:
        manifest = _Manifest.model_validate(tomllib.loads((data / "lists.toml").read_text()))
        return tuple(_load(data, declared) for declared in manifest.lists)
    except (OSError, ValueError, KeyError, ValidationError) as error:
        raise ListsInvalid(f"Cannot read the lists under {data}: {error!r}") from error


def _load(data: Path, declared: _Declared) -> SanctionsList:
    raw = (data / declared.file).read_bytes()
    entries = tuple(_SHAPES[declared.shape](declared.name, raw.decode("utf-8-sig")))
    if not entries:
        raise ListsInvalid(f"{declared.file} has no entries.")
    version = f"{declared.date}.{hashlib.sha256(raw).hexdigest()[:12]}"
    return SanctionsList(declared.name, declared.region, version, entries)


def _read_eu(name: str, text: str) -> Iterator[Entry]:
    """The EU consolidated list of financial sanctions (FSF, CSV 1.1): `;`, one row per name or birth date of
    an entity."""
    rows = list(csv.DictReader(io.StringIO(text), delimiter=";"))
    years: dict[str, set[int]] = {}
    for row in rows:
        years.setdefault(row["Entity_LogicalId"], set()).update(_years(row["BirthDate_BirthDate"]))
    for row in rows:
        if row["NameAlias_WholeName"]:
            yield Entry(
                name,
                row["Entity_EU_ReferenceNumber"],
                row["NameAlias_WholeName"],
                "person" if row["Entity_SubjectType"] == "P" else "business",
                "weak" in row["NameAlias_Remark"].lower(),
                frozenset(years[row["Entity_LogicalId"]]),
            )


def _read_uk(name: str, text: str) -> Iterator[Entry]:
    """The UK Sanctions List (CSV; since January 2026 the one list, in place of OFSI's): a report line, then
    one row per name."""
    _, _, table = text.partition("\n")
    for row in csv.DictReader(io.StringIO(table)):
        # Name 6 is the family name or the entity's whole name; 1 to 5 come before it.
        parts = [row[f"Name {number}"] for number in (1, 2, 3, 4, 5, 6)]
        yield Entry(
            name,
            row["Unique ID"],
            " ".join(part for part in parts if part),
            "person" if row["Designation Type"] == "Individual" else "business",
            row["Alias strength"] == "Low quality a.k.a",
            frozenset(_years(row["D.O.B"])),
        )
        if row["Name non-latin script"]:
            yield Entry(
                name,
                row["Unique ID"],
                row["Name non-latin script"],
                "person" if row["Designation Type"] == "Individual" else "business",
                False,
                frozenset(_years(row["D.O.B"])),
            )


def _read_id(name: str, text: str) -> Iterator[Entry]:
    """Indonesia's DTTOT (PPATK; published as a sheet): one row per party, its names parted by the word
    "alias"."""
    for row in csv.DictReader(io.StringIO(text)):
        for written in re.split(r"\s+alias\s+", row["Nama"], flags=re.IGNORECASE):
            yield Entry(
                name,
                row["Kode Densus"],
                written,
                "person" if row["Terduga"] == "Orang" else "business",
                # DTTOT does not grade its aliases; a single word, a nom de guerre as a rule, is treated as
                # weak.
                row["Terduga"] == "Orang" and len(written.split()) == 1,
                frozenset(_years(row["Tgl Lahir"])),
            )


def _years(text: str) -> set[int]:
    return {int(year) for year in re.findall(r"\b(?:19|20)[0-9]{2}\b", text)}


_SHAPES: Mapping[str, Callable[[str, str], Iterator[Entry]]] = {
    "eu_fsf_csv": _read_eu,
    "uk_sanctions_list_csv": _read_uk,
    "id_dttot_csv": _read_id,
}
