"""Regions and corridors: the directed pairs of cells between which messages may go, and what their subjects are called.

A corridor is legal when both cells are in the directory and both regions have a rules file.
"""

from typing import NamedTuple

from residency.directory import CellEntry, Directory
from residency.errors import KovraError
from residency.ids import compact
from residency.rules import rules_of


class NoCorridor(KovraError):
    code = "no-corridor"
    title = "There is no corridor between these cells"


class Corridor(NamedTuple):
    """From one cell to another, by name (`eu-1`)."""

    origin: str
    destination: str

    def subject(self, kind: str) -> str:
        """The NATS subject of a message kind on this corridor: `fx.eu1.id1.instructed`."""
        return f"fx.{compact(self.origin)}.{compact(self.destination)}.{kind}"

    def message_id(self, sequence: int) -> str:
        """The broker's deduplication id of one sequenced message; the same at every re-publication."""
        return f"{compact(self.origin)}-{compact(self.destination)}-{sequence}"

    @property
    def reverse(self) -> "Corridor":
        return Corridor(self.destination, self.origin)


def corridor(directory: Directory, origin: str, destination: str) -> Corridor:
    """The corridor between two cells of the directory. Raises NoCorridor, UnknownCell, RulesInvalid."""
    if origin == destination:
        raise NoCorridor(f"{origin} needs no border to reach itself.")
    for name in (origin, destination):
        rules_of(directory.cell(name).region)
    return Corridor(origin, destination)


def corridors_from(directory: Directory, origin: CellEntry) -> tuple[Corridor, ...]:
    """Every corridor that starts in `origin`, one per other cell of the directory."""
    return tuple(corridor(directory, origin.name, peer.name) for peer in directory.peers_of(origin.name))
