"""Credits that go back to who paid them: each return is sent to its scheme from the record, until the scheme's final word.

Invariants: only what the ledger holds is sent; the return's id follows from its order, so asking again is the inquiry and gives back
once; the scheme's word is on record before the wallet is told, and the sweep tells it again.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from actors.wallets import Wallets
from actors.workers.aside import AsideRegister, apart
from actors.workers.rail_rounds import go_round, opened
from cells.backends.postgres import transaction
from cells.cell import Institution
from cells.journal.entry import component
from cells.rails.calendar import next_opening
from cells.rails.rail import Rail
from cells.resolutions import store as store_orders
from cells.resolutions.resolution import Order
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
        self._aside = AsideRegister(institution.pool, institution.spec.region, self.name)

    def health(self) -> Mapping[str, Any]:
        return {"answered": self._answered, "aside": len(self._aside.held)}

    async def run(self, stop: asyncio.Event) -> None:
        await go_round(stop, self._institution, self.round, every_s=_EVERY_S, what="returns", after=self._aside.close)

    async def round(self, rail: str) -> None:
        """Send what is due on one rail. Raises RailUnavailable, StoreUnavailable, CalendarUnknown: then it comes again."""
        spec, pool = self._institution.spec, self._institution.pool
        await self._aside.look()
        async with transaction(pool) as connection:
            orders, unreadable = await store_orders.due(connection, spec.region, rail, _BATCH, self._aside.held)
        await self._aside.put(unreadable)
        if not orders:
            return
        async with opened(self._institution, rail) as connector:
            now = datetime.now(UTC)
            if next_opening(connector.profile, now) > now:
                return
            answered, culprits = await apart(orders, partial(self._send, connector))
        await self._aside.put({one.order_id: error for one, error in culprits})
        final = {order_id for some in answered for order_id in some}
        self._answered += len(final)
        for reply in await self._wallets.ask_many([one.command("answered") for one in orders if one.order_id in final]):
            if isinstance(reply, KovraError):
                _log.warning("a scheme's word on a return waits for the sweep: %s", reply.code)

    async def _send(self, connector: Rail, orders: Sequence[Order]) -> set[str]:
        """Ask the scheme, and put its word on record; the ids that have the final one."""
        outcomes = await connector.give_back([one.as_return() for one in orders])
        answers = [(one.order_id, outcome) for one, outcome in zip(orders, outcomes, strict=True)]
        async with transaction(self._institution.pool) as connection:
            return await store_orders.answered(connection, self._institution.spec.region, answers, component("rail"))
