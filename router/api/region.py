"""Whether a request belongs to this cell, told from its path and one header, before anything else of it is read. Pure."""

import re

from cells.parties.recipients import WrongRegion
from residency.directory import CellEntry, Directory, UnknownCell
from residency.ids import KINDS, expand

HEADER = "Kovra-Region"
ADMIN_PREFIX = "/v1/admin/"
_ID_HEAD = re.compile(r"([a-z]{2,3})_([a-z]{2}[0-9]{1,4})_")


def check_path(entry: CellEntry, directory: Directory, path: str) -> None:
    """Raises WrongRegion when the path has an id of another cell. Administration is of this cell, whoever is at home elsewhere."""
    if "_" not in path or path.startswith(ADMIN_PREFIX):
        return
    for segment in path.split("/"):
        match = _ID_HEAD.match(segment)
        if match is None or match[1] not in KINDS:
            continue
        other = directory.cells.get(expand(match[2]))
        if other is not None and other.name != entry.name:
            raise elsewhere(other)


def check_header(entry: CellEntry, directory: Directory, value: str) -> None:
    """Raises WrongRegion when the header names another region (or cell), UnknownCell when it names none that there is."""
    named = value.strip()
    cell = directory.cells.get(named.lower())
    if cell is not None:
        if cell.name != entry.name:
            raise elsewhere(cell)
    elif named.upper() not in directory.regions:
        raise UnknownCell(
            f"{HEADER} is one of {', '.join(sorted(directory.regions))}.", regions=sorted(directory.regions)
        )
    elif named.upper() != entry.region:
        raise elsewhere(directory.first_cell(named.upper()))


def check_currency(entry: CellEntry, directory: Directory, currency: str, pointer: str) -> None:
    """Raises WrongRegion when wallets of that currency are in another region."""
    region = directory.region_of_currency.get(currency)
    if region is not None and region != entry.region:
        raise elsewhere(directory.first_cell(region), pointer)


def elsewhere(cell: CellEntry, pointer: str | None = None) -> WrongRegion:
    return WrongRegion(
        f"This belongs to {cell.region}: send it with {HEADER}: {cell.region}, or under /{cell.region.lower()}.",
        pointer=pointer,
        region=cell.region,
        cell=cell.name,
    )
