"""Credits that go back to who paid them: each return is sent to its scheme from the record, until the scheme's final word.

Invariants: only what the ledger holds is sent; the return's id follows from its order, so asking again is the inquiry and gives back
once; the scheme's word is on record before the wallet is told, and the sweep tells it again.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from actors.wallets import Wallets
from actors.workers.rail_rounds import go_round, opened
from cells.backends.postgres import transaction
from cells.cell import Institution
from cells.rails.calendar import next_opening
from cells.transfers import store_orders
from residency.errors import KovraError

_log = logging.getLogger("kovra.give_backs")
_EVERY_S = 1.0
_BATCH = 50


class GiveBacks:
    """One per cell. Twice would ask the same under the same ids."""

    name = "give_backs"

    def __init__(self, institution: Institution, wallets: Wallets) -> None:
        self._institution = institution
        self._wallets = wallets
        self._answered = 0

    def health(self) -> Mapping[str, Any]:
        return {"answered": self._answered}

    async def run(self, stop: asyncio.Event) -> None:
        await go_round(stop, self._institution, self.round, every_s=_EVERY_S, what="returns")

    async def round(self, rail: str) -> None:
        """Send what is due on one rail. Raises RailUnavailable, StoreUnavailable, CalendarUnknown: then it comes again."""
        spec, pool = self._institution.spec, self._institution.pool
        async with transaction(pool) as connection:
            orders = await store_orders.due(connection, spec.region, rail, _BATCH)
        if not orders:
            return
        async with opened(self._institution, rail) as connector:
            now = datetime.now(UTC)
            if next_opening(connector.profile, now) > now:
                return
            outcomes = await connector.give_back([one.as_return() for one in orders])
        answers = [(one.order_id, outcome) for one, outcome in zip(orders, outcomes, strict=True)]
        async with transaction(pool) as connection:
            final = await store_orders.answered(connection, spec.region, answers)
        self._answered += len(final)
        for reply in await self._wallets.ask_many([one.command("answered") for one in orders if one.order_id in final]):
            if isinstance(reply, KovraError):
                _log.warning("a scheme's word on a return waits for the sweep: %s", reply.code)
