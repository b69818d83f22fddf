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
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from cells.compliance.identity import Birth, births_in, numbers_in, town_of
from residency.errors import KovraError

DATA = Path(__file__).resolve().parent / "data"
PartyKind = Literal["person", "business"]


class ListsInvalid(KovraError):
    """Screening cannot start: without its lists, a cell must not come up."""

    code = "lists-invalid"
    title = "A sanctions list cannot be read"


class Entry(NamedTuple):
    """One name of one listed party, with what its publisher says of the party beside names. `weak`: it calls the alias
    too common to act on alone."""

    list: str
    reference: str
    name: str
    kind: PartyKind
    weak: bool = False
    births: frozenset[Birth] = frozenset()
    birth_towns: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()


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
    """The EU consolidated list of financial sanctions (FSF, CSV 1.1): `;`, one row per name, birth or document of an
    entity."""
    rows = list(csv.DictReader(io.StringIO(text), delimiter=";"))
    by_entity: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_entity.setdefault(row["Entity_LogicalId"], []).append(row)
    for of_entity in by_entity.values():
        known = _known(
            [row["BirthDate_BirthDate"] for row in of_entity],
            [row["BirthDate_Place"] for row in of_entity],
            [row["Identification_Number"] for row in of_entity],
        )
        for row in of_entity:
            if row["NameAlias_WholeName"]:
                weak = row["NameAlias_Strong"] == "false" or "weak" in row["NameAlias_Remark"].lower()
                kind: PartyKind = "person" if row["Entity_SubjectType"] == "P" else "business"
                yield Entry(name, row["Entity_EU_ReferenceNumber"], row["NameAlias_WholeName"], kind, weak, *known)


def _read_uk(name: str, text: str) -> Iterator[Entry]:
    """The UK Sanctions List (CSV; since January 2026 the one list, in place of OFSI's): a report line, then
    one row per name."""
    _, _, table = text.partition("\n")
    for row in csv.DictReader(io.StringIO(table)):
        kind: PartyKind = "person" if row["Designation Type"] == "Individual" else "business"
        numbers = ("National Identifier number", "Passport number", "Business registration number (s)")
        known = _known([row["D.O.B"]], [row["Town of birth"]], [row[one] for one in numbers])
        # Name 6 is the family name or the entity's whole name; 1 to 5 come before it.
        written = " ".join(part for number in (1, 2, 3, 4, 5, 6) if (part := row[f"Name {number}"]))
        weak = row["Alias strength"] == "Low quality a.k.a"
        yield Entry(name, row["Unique ID"], written, kind, weak, *known)
        if row["Name non-latin script"]:
            yield Entry(name, row["Unique ID"], row["Name non-latin script"], kind, weak, *known)


def _read_id(name: str, text: str) -> Iterator[Entry]:
    """Indonesia's DTTOT (PPATK; published as a sheet): one row per party, its names parted by the word
    "alias"."""
    for row in csv.DictReader(io.StringIO(text)):
        kind: PartyKind = "person" if row["Terduga"] == "Orang" else "business"
        # Numbers of identity cards (NIK) and passports stand in the description, with the word before them.
        numbers = re.findall(r"(?:NIK|KTP|Paspor|Passport)\D{0,12}([A-Z]?[0-9]{6,16})", row["Deskripsi"])
        known = _known([row["Tgl Lahir"]], [row["Tpt Lahir"]], numbers)
        for written in re.split(r"\s+alias\s+", row["Nama"], flags=re.IGNORECASE):
            # DTTOT does not grade its aliases; a single word, a nom de guerre as a rule, is treated as weak.
            weak = kind == "person" and len(written.split()) == 1
            yield Entry(name, row["Kode Densus"], written, kind, weak, *known)


def _known(
    births: Sequence[str], towns: Sequence[str], numbers: Sequence[str]
) -> tuple[frozenset[Birth], frozenset[str], frozenset[str]]:
    """What an entry says beside its names; a field may hold several."""
    return (
        frozenset(birth for text in births for birth in births_in(text)),
        frozenset(town_of(town) for text in towns for town in re.split(r"[/;(),]", text) if town.strip()),
        numbers_in(number for text in numbers for number in re.split(r"[,;]|\(\d+\)", text)),
    )


_SHAPES: Mapping[str, Callable[[str, str], Iterator[Entry]]] = {
    "eu_fsf_csv": _read_eu,
    "uk_sanctions_list_csv": _read_uk,
    "id_dttot_csv": _read_id,
}
