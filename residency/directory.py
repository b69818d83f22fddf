"""Every cell there is, known whole at boot, or the process refuses to boot.

Two sources, read together:
- what is declared: one `cells/declared/<cell>.toml` per cell, data in the repository, the same on every machine;
- what is born: the overlay `<home>/directory.json`, written where the cells run: addresses, and public keys with their validity.

Nothing here assumes which regions exist, or that a region has one cell.
"""

import json
import tomllib
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from residency.errors import KovraError
from residency.ids import compact

DECLARED = Path(__file__).resolve().parent.parent / "cells" / "declared"
OVERLAY = "directory.json"


class DirectoryInvalid(KovraError):
    code = "directory-invalid"
    title = "The directory of cells does not hold together"


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

    peer_cap_minor: Mapping[str, int]


class PublicKey(_Data):
    """A public key of a cell: raw 32 bytes in hex, good between the two instants."""

    kid: str
    use: Literal["signing", "sealing"]
    public_hex: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    not_before: datetime
    not_after: datetime


class Declaration(_Data):
    """What a cell declares of itself. `number` is append-only: the ledger's account ids hold it."""

    name: Annotated[str, Field(pattern=r"^[a-z]{2}-[0-9]{1,4}$")]
    region: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    number: int = Field(gt=0, lt=2**32)
    currencies: tuple[str, ...]
    rails: tuple[str, ...]
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
    """Read declarations, and the overlay under `home` when given; validate the whole. Raises DirectoryInvalid."""
    try:
        declarations = [
            Declaration.model_validate(tomllib.loads(file.read_text())) for file in sorted(declared.glob("*.toml"))
        ]
        overlay: dict[str, Any] = {}
        if home is not None:
            overlay = json.loads((home / OVERLAY).read_text())["cells"]
        cells = {
            one.name: CellEntry.model_validate({**one.model_dump(), **overlay.get(one.name, {})})
            for one in declarations
        }
    except (ValidationError, tomllib.TOMLDecodeError, OSError, KeyError, json.JSONDecodeError) as error:
        raise DirectoryInvalid(f"Cannot read the directory of cells: {error}") from error
    _check_whole(declarations, overlay)
    return Directory(cells=cells)


def _check_whole(declarations: list[Declaration], overlay: Mapping[str, Any]) -> None:
    names = [one.name for one in declarations]
    numbers = [one.number for one in declarations]
    if not names:
        raise DirectoryInvalid("No cell is declared; add one under cells/declared.")
    if len(set(names)) != len(names) or len(set(numbers)) != len(numbers):
        raise DirectoryInvalid("Two cells share a name or a number.")
    if strangers := set(overlay) - set(names):
        raise DirectoryInvalid(f"The overlay names cells that are not declared: {sorted(strangers)}.")
    holder: dict[str, str] = {}
    for one in declarations:
        for currency in one.currencies:
            if holder.setdefault(currency, one.region) != one.region:
                raise DirectoryInvalid(f"{currency} is held by two regions, {holder[currency]} and {one.region}.")
