"""Every cell there is, known whole at boot, or the process refuses to boot.

Two sources, read together:
- what is declared: one `cells/declared/<cell>.toml` per cell, data in the repository, the same on every machine;
- what is born: the overlay `<home>/directory.json`, written where the cells run: addresses, and public keys with their validity.

Nothing here assumes which regions exist, or that a region has one cell.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from residency.errors import KovraError
from residency.faults import faults_of
from residency.ids import compact

DECLARED = Path(__file__).resolve().parent.parent / "cells" / "declared"
OVERLAY = "directory.json"


class DirectoryInvalid(KovraError):
    """`of` makes one of several faults, a line each: whoever mends a directory wants to know all of them."""

    code = "directory-invalid"
    title = "The directory of cells does not hold together"

    @classmethod
    def of(cls, faults: Sequence[str]) -> Self:
        return cls("".join(f"\n  {one}" for one in faults) if len(faults) > 1 else faults[0])


class NeverStarted(DirectoryInvalid):
    """The first start has yet to write the overlay."""

    code = "never-started"
    title = "Nothing has been started in this home yet"


class UnknownCell(KovraError):
    code = "unknown-cell"
    status = 404
    title = "There is no such cell"


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Capacity(_Data):
    """`wallet_actors_max`: Ray actors of their own; `hosting_actors`: Ray actors that share the other wallets."""

    wallet_actors_max: int = Field(gt=0)
    hosting_actors: int = Field(gt=0)


class Settlement(_Data):
    """Prefunding per peer: how much a peer may owe this cell before its payments wait, in minor units by currency."""

    peer_cap_minor: Mapping[str, Annotated[int, Field(gt=0)]]


class PublicKey(_Data):
    """A public key of a cell: raw 32 bytes in hex, good between the two instants."""

    kid: str
    use: Literal["signing", "sealing"]
    public_hex: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    not_before: datetime
    not_after: datetime


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if twice := sorted({one for one in names if names.count(one) > 1}):
        raise ValueError(f"{', '.join(twice)} is there twice")
    return names


class Declaration(_Data):
    """What a cell declares of itself. `number` is append-only: the ledger's account ids hold it."""

    name: Annotated[str, Field(pattern=r"^[a-z]{2}-[0-9]{1,4}$")]
    region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    number: int = Field(gt=0, lt=2**32)
    currencies: Annotated[tuple[str, ...], AfterValidator(_each_once), Field(min_length=1)]
    rails: Annotated[tuple[str, ...], AfterValidator(_each_once)]
    capacity: Capacity
    settlement: Settlement


class CellEntry(Declaration):
    """A declared cell with what its overlay adds. `addresses` are URLs or paths by part, such as `api` or `nats`."""

    addresses: Mapping[str, str] = Field(default_factory=dict)
    keys: tuple[PublicKey, ...] = ()

    @property
    def compact(self) -> str:
        """The name inside ids and subjects: `eu1`."""
        return compact(self.name)

    def key(self, kid: str, use: Literal["signing", "sealing"]) -> PublicKey | None:
        return next((key for key in self.keys if key.kid == kid and key.use == use), None)

    def current_key(self, use: Literal["signing", "sealing"], at: datetime) -> PublicKey:
        """The newest key of that use valid at `at`. Raises DirectoryInvalid when there is none."""
        valid = [key for key in self.keys if key.use == use and key.not_before <= at < key.not_after]
        if not valid:
            raise DirectoryInvalid(f"{self.name} has no valid {use} key; run the key rotation for that cell.")
        return max(valid, key=lambda key: key.not_before)


class Directory(_Data):
    """All cells by name. Build it with load_directory."""

    cells: Mapping[str, CellEntry]

    def cell(self, name: str) -> CellEntry:
        """Raises UnknownCell."""
        try:
            return self.cells[name]
        except KeyError:
            known = ", ".join(sorted(self.cells))
            raise UnknownCell(f"There is no cell {name!r}; the directory knows {known}.") from None

    @cached_property
    def regions(self) -> Mapping[str, tuple[CellEntry, ...]]:
        grouped: dict[str, tuple[CellEntry, ...]] = {}
        for cell in sorted(self.cells.values(), key=lambda cell: cell.number):
            grouped[cell.region] = (*grouped.get(cell.region, ()), cell)
        return grouped

    @cached_property
    def region_of_currency(self) -> Mapping[str, str]:
        return {currency: cell.region for cell in self.cells.values() for currency in cell.currencies}

    def first_cell(self, region: str) -> CellEntry:
        """The cell of a region that takes new resources: the one with the lowest number. Raises UnknownCell."""
        try:
            return self.regions[region][0]
        except KeyError:
            known = ", ".join(sorted(self.regions))
            raise UnknownCell(f"There is no region {region!r}; use one of {known}.") from None

    def peers_of(self, name: str) -> tuple[CellEntry, ...]:
        return tuple(cell for cell in self.cells.values() if cell.name != name)


def load_directory(home: Path | None = None, declared: Path = DECLARED) -> Directory:
    """Read declarations, and the overlay under `home` when given; validate the whole. Raises DirectoryInvalid with all that is wrong.

    What a declaration needs beside itself (rules, rails, account numbers, fees) is for cells.preflight to ask.
    """
    declarations = _declarations(declared)
    if faults := list(_contradictions(declarations)):
        raise DirectoryInvalid.of(faults)
    overlay = {} if home is None else _overlay(home, {one.name for one in declarations})
    try:
        cells = {
            one.name: CellEntry.model_validate({**one.model_dump(), **overlay.get(one.name, {})})
            for one in declarations
        }
    except ValidationError as error:
        raise DirectoryInvalid.of([f"{OVERLAY}: {one}" for one in faults_of(error)]) from error
    return Directory(cells=cells)


def _declarations(folder: Path) -> list[Declaration]:
    found: list[Declaration] = []
    faults: list[str] = []
    for file in sorted(folder.glob("*.toml")):
        place = f"cells/declared/{file.name}"
        try:
            one = Declaration.model_validate(tomllib.loads(file.read_text()))
        except ValidationError as error:
            faults += [f"{place}: {said}." for said in faults_of(error)]
        except (tomllib.TOMLDecodeError, OSError) as error:
            faults.append(f"{place}: cannot be read: {error}.")
        else:
            found.append(one)
            if one.name != file.stem:
                faults.append(
                    f"{place}: it declares {one.name}; call the file {one.name}.toml, or the cell {file.stem}."
                )
    if not found and not faults:
        faults.append("No cell is declared; add one under cells/declared.")
    if faults:
        raise DirectoryInvalid.of(faults)
    return found


def _overlay(home: Path, declared: set[str]) -> dict[str, Any]:
    try:
        overlay: dict[str, Any] = json.loads((home / OVERLAY).read_text())["cells"]
    except FileNotFoundError as error:
        raise NeverStarted(
            f"There is no {home / OVERLAY} yet: the first start writes it (`kovra run`). KOVRA_HOME names another home."
        ) from error
    except (OSError, KeyError, json.JSONDecodeError) as error:
        raise DirectoryInvalid(f"Cannot read the directory of cells: {error}") from error
    if strangers := set(overlay) - declared:
        raise DirectoryInvalid(f"The overlay names cells that are not declared: {sorted(strangers)}.")
    return overlay


def _contradictions(declarations: list[Declaration]) -> Iterator[str]:
    numbers: dict[int, str] = {}
    holder: dict[str, Declaration] = {}
    for one in declarations:
        place = f"cells/declared/{one.name}.toml"
        if (first := numbers.setdefault(one.number, one.name)) != one.name:
            yield f"{place}: number {one.number} is {first}'s; take one that was never used."
        for currency in one.currencies:
            other = holder.setdefault(currency, one)
            if other.region != one.region:
                yield (
                    f"{place}: {currency} is held by two regions, {other.region} and {one.region}; "
                    f"take it out of the currencies of {other.name} or {one.name}."
                )
