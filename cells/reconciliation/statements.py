"""Who asks the rails for our money there. In the sandbox the scheme answers; a real one's statements come as messages."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from cells.rails import registry
from cells.rails.connection import SchemeConnection
from cells.rails.console import ConsoleRefused, SchemeConsole, Statement
from cells.rails.iso20022.accounts import read_statements
from cells.rails.later import Movement
from cells.rails.rail import MessageInvalid, RailUnavailable
from cells.spec import CellSpec

_log = logging.getLogger("kovra.reconciliation")
_FIRST_DAY = date(2000, 1, 1)


class Teller(Protocol):
    """Answers what it can: a rail that does not answer is left out, and the result says so."""

    async def statements(self) -> Sequence[Statement]: ...

    async def movements(self, rail: str) -> Sequence[Movement] | None:
        """All that the rail has ever booked on our account there, by its own statements; None where it does not say."""
        ...


@dataclass(frozen=True, slots=True)
class SandboxTeller:
    """Asks the scheme simulators behind a sandbox cell."""

    spec: CellSpec

    async def statements(self) -> Sequence[Statement]:
        found = []
        for rail in self.spec.settings.schemes:
            try:
                async with SchemeConsole(self._connection(rail)) as console:
                    found.append(await console.statement())
            except RailUnavailable:
                _log.warning("%s gives no statement just now", rail)
        return found

    async def movements(self, rail: str) -> Sequence[Movement] | None:
        """See Teller. Page by page, each held against its balances."""
        found: list[Movement] = []
        try:
            async with SchemeConsole(self._connection(rail)) as console:
                page, last = 1, False
                while not last:
                    read = read_statements(registry.profile_of(rail), await console.statement_page(_FIRST_DAY, page))
                    found += read.movements
                    page, last = page + 1, read.statements[-1].last
        except (RailUnavailable, ConsoleRefused, MessageInvalid):
            _log.warning("%s gives no statement of its movements just now", rail)
            return None
        return found

    def _connection(self, rail: str) -> SchemeConnection:
        settings = self.spec.settings.schemes[rail]
        return registry.connection_to(rail, self.spec.entry.number, settings.url, settings.secret)


class NoTeller:
    """For a cell whose rails cannot be asked."""

    async def statements(self) -> Sequence[Statement]:
        return ()

    async def movements(self, rail: str) -> Sequence[Movement] | None:
        return None
