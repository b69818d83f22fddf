"""What schemes are told of recalls: that we ask a payment back (camt.056), or keep a credit that was asked back (camt.029).

From the record, and again until the scheme has taken it: the same recalls under the same ids, so a repetition says nothing new.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from actors.workers.aside import AsideRegister, apart
from actors.workers.rail_rounds import go_round, opened
from cells.backends.postgres import transaction
from cells.cell import Institution
from cells.journal.entry import component
from cells.rails import store_recalls
from cells.rails.iso20022.connector import Iso20022Rail
from cells.rails.later import RecallKept, RecallOut
from cells.rails.store_recalls import RecallRow
from residency.errors import needed

_EVERY_S = 2.0
_BATCH = 50


class RecallMessages:
    """One per cell. Twice would say the same."""

    name = "recalls"

    def __init__(self, institution: Institution) -> None:
        self._institution = institution
        self._told = 0
        self._aside = AsideRegister(institution.pool, institution.spec.region, self.name)

    def health(self) -> Mapping[str, Any]:
        return {"told": self._told, "aside": len(self._aside.held)}

    async def run(self, stop: asyncio.Event) -> None:
        await go_round(stop, self._institution, self.round, every_s=_EVERY_S, what="recalls", after=self._aside.close)

    async def round(self, rail: str) -> None:
        """Tell what is due on one rail. Raises RailUnavailable, StoreUnavailable: then it comes again."""
        spec, pool = self._institution.spec, self._institution.pool
        await self._aside.look()
        async with transaction(pool) as connection:
            due, unreadable = await store_recalls.due(connection, spec.region, rail, _BATCH, self._aside.held)
        await self._aside.put(unreadable)
        if not due:
            return
        async with opened(self._institution, rail) as connector:
            if not isinstance(connector, Iso20022Rail):
                return
            for direction in ("sent", "received"):
                some = [one for one in due if one.direction == direction]
                told, culprits = await apart(some, partial(self._tell, connector))
                await self._aside.put({one.recall_id: error for one, error in culprits})
                self._told += sum(told)

    async def _tell(self, connector: Iso20022Rail, some: Sequence[RecallRow]) -> int:
        """Recalls of one direction; how many."""
        if some[0].direction == "sent":
            await connector.recall([_asked(one) for one in some])
        else:
            await connector.keep([_kept(one) for one in some])
        async with transaction(self._institution.pool) as connection:
            await store_recalls.told(
                connection, self._institution.spec.region, [one.recall_id for one in some], component("rail")
            )
        return len(some)


def _asked(one: RecallRow) -> RecallOut:
    amount, currency = needed(one.amount, "a recall of ours has an amount"), needed(one.currency, "and its currency")
    return RecallOut(one.case_id, one.end_to_end_id, amount, currency, one.reason_code)


def _kept(one: RecallRow) -> RecallKept:
    code = needed(one.answer_code, "a recall that was refused has a reason code")
    return RecallKept(one.case_id, one.scheme_reference, one.end_to_end_id, code)
