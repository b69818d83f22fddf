"""Which pairs of cells may send to each other: both are in the directory, and both regions have a rules file.

The names that such a pair uses on the wire are in residency.links.
"""

from residency.directory import CellEntry, Directory
from residency.errors import KovraError
from residency.rules import rules_of


class NoCorridor(KovraError):
    code = "no-corridor"
    title = "There is no corridor between these cells"


def corridor_ends(directory: Directory, origin: str, destination: str) -> tuple[CellEntry, CellEntry]:
    """Both ends of a lawful corridor, by name (`eu-1`). Raises NoCorridor, UnknownCell, RulesInvalid."""
    if origin == destination:
        raise NoCorridor(f"{origin} needs no border to reach itself.")
    ends = directory.cell(origin), directory.cell(destination)
    for end in ends:
        rules_of(end.region)
    return ends
