"""Who asks the rails for our money there. In the sandbox the scheme answers; a real one's statements come as messages."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cells.rails import registry
from cells.rails.console import SchemeConsole, Statement
from cells.rails.rail import RailUnavailable
from cells.spec import CellSpec

_log = logging.getLogger("kovra.reconciliation")


class Teller(Protocol):
    """Answers what it can: a rail that does not answer is left out, and the result says so."""

    async def statements(self) -> Sequence[Statement]: ...


@dataclass(frozen=True, slots=True)
class SandboxTeller:
    """Asks the scheme simulators behind a sandbox cell."""

    spec: CellSpec

    async def statements(self) -> Sequence[Statement]:
        found = []
        for rail, settings in self.spec.settings.schemes.items():
            connection = registry.connection_to(rail, self.spec.entry.number, settings.url, settings.secret)
            try:
                async with SchemeConsole(connection) as console:
                    found.append(await console.statement())
            except RailUnavailable:
                _log.warning("%s gives no statement just now", rail)
        return found


class NoTeller:
    """For a cell whose rails cannot be asked."""

    async def statements(self) -> Sequence[Statement]:
        return ()
