"""The simulated schemes of a stack on this machine: where each is, and asking several at once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from cells.rails.console import ConsoleRefused, SchemeConsole
from cells.rails.rail import RailUnavailable, end_to_end_id
from cells.rails.registry import connection_to, profile_of
from cells.spec import CellSpec, home_path
from residency.errors import KovraError
from residency.ids import parse
from router.cli.provisioning import all_cells

_Found = TypeVar("_Found")


class NotAtTheSchemes(KovraError):
    code = "not-at-the-schemes"
    status = 404
    title = "No simulated scheme knows of that"


@dataclass(frozen=True)
class Place:
    """One rail's scheme of one cell."""

    cell: str
    rail: str
    spec: CellSpec = field(repr=False, compare=False)

    def console(self) -> SchemeConsole:
        settings = self.spec.settings.schemes[self.rail]
        return SchemeConsole(connection_to(self.rail, self.spec.entry.number, settings.url, settings.secret))


def places(cell: str | None = None, rail: str | None = None) -> list[Place]:
    """The schemes that are meant, at least one. Raises UnknownCell, UnknownRail, NotAtTheSchemes."""
    specs = all_cells(home_path())
    if cell is not None:
        specs[0].directory.cell(cell)
    if rail is not None:
        profile_of(rail)
    found = [
        Place(spec.name, name, spec)
        for spec in specs
        for name in spec.settings.schemes
        if cell in (None, spec.name) and rail in (None, name)
    ]
    if not found:
        raise NotAtTheSchemes("No cell on this machine has that rail.")
    return found


def ask(place: Place, question: Callable[[SchemeConsole], Awaitable[_Found]]) -> _Found:
    """Raises what the console raises."""
    return asyncio.run(_ask(place, question))


def ask_all(
    asked: Sequence[Place], question: Callable[[SchemeConsole], Awaitable[_Found]]
) -> dict[Place, _Found | None]:
    """The answer of each; None where a simulator does not run, or refuses."""

    async def one(place: Place) -> _Found | None:
        try:
            return await _ask(place, question)
        except (RailUnavailable, ConsoleRefused):
            return None

    async def all_of_them() -> list[_Found | None]:
        return list(await asyncio.gather(*(one(place) for place in asked)))

    return dict(zip(asked, asyncio.run(all_of_them()), strict=True))


def of_transfer(transfer: str) -> tuple[Place, str]:
    """The scheme that was asked to pay a transfer, and the end-to-end id there. Raises MalformedId, NotAtTheSchemes."""
    reference = end_to_end_id(parse(transfer, "tr").text)
    for place, counted in ask_all(places(), lambda console: console.payments(reference)).items():
        if counted is not None and counted.asked:
            return place, reference
    raise NotAtTheSchemes(f"No scheme that runs on this machine was asked to pay {transfer}.")


def of_message(reference: str, rail: str | None) -> Place:
    """The scheme that sent a credit or a return. Raises UnknownRail, NotAtTheSchemes."""
    for place, found in ask_all(places(None, rail), lambda console: console.collection(reference)).items():
        if found is not None:
            return place
    raise NotAtTheSchemes(f"No scheme that runs on this machine sent {reference}.")


async def _ask(place: Place, question: Callable[[SchemeConsole], Awaitable[_Found]]) -> _Found:
    async with place.console() as console:
        return await question(console)
