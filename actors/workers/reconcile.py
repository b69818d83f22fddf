"""The reconciliation worker of a cell: at a steady pace, the invariants that its own record can say, as gauges.

L1 to L3, L5, L6, L9, L10 and L11. What takes a peer's record (L4, L7, L8) is `kovra reconcile`'s, run where both can be reached. A round
reads the whole record, so it grows with it: rounds keep their distance in proportion to how long one takes, and the share of
time that goes into them stays the same.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

from prometheus_client import Gauge

from actors.workers.worker import sleep_unless
from cells.reconciliation.reconcile import opened, own_results
from cells.reconciliation.report import Result
from cells.reconciliation.strange_credits import examined
from cells.spec import CellSpec
from residency.errors import KovraError, place_of

_log = logging.getLogger("kovra.reconcile")
EVERY_S = 300.0
_SHARE = 0.05  # of the time, at most

_FINDINGS = Gauge(
    "kovra_invariant_findings", "Findings against each invariant of the books; 0 when it holds", ["cell", "invariant"]
)
_MOVING = Gauge(
    "kovra_payments_in_flight", "Payments and collections on their way, by leg and state", ["cell", "state"]
)
_SUCCESS = Gauge("kovra_reconciled_timestamp_seconds", "When the books were last read to the end", ["cell"])
_DURATION = Gauge("kovra_reconcile_seconds", "How long the last round took", ["cell"])


class Reconciler:
    """A Worker (actors/workers/worker.py); one per cell. Opens the cell anew for each round: a ledger has few sessions to give."""

    name = "reconcile"

    def __init__(self, spec: CellSpec, *, every_s: float = EVERY_S) -> None:
        self._spec = spec
        self._every_s = every_s
        self._rounds = 0
        self._shown: set[str] = set()
        self._violated: list[str] = []
        self._failure = ""

    def health(self) -> Mapping[str, Any]:
        return {"rounds": self._rounds, "violated": self._violated, "last_failure_to_read": self._failure}

    async def run(self, stop: asyncio.Event) -> None:
        """The first round is a whole pause after the start, when a cell has better things to do."""
        pause_s = self._every_s
        while True:
            await sleep_unless(stop, pause_s)
            if stop.is_set():
                return
            began = time.monotonic()
            try:
                await self._round()
                self._failure = ""
            except Exception as error:  # noqa: BLE001 - an outage, or a row that cannot be read: the next round is a whole pause away
                # The gauge of the last success grows old, which is what an alert watches.
                self._failure = error.code if isinstance(error, KovraError) else place_of(error)
                _log.error("%s could not be reconciled: %s", self._spec.name, self._failure)
            took_s = time.monotonic() - began
            _DURATION.labels(self._spec.name).set(took_s)
            pause_s = max(self._every_s, took_s / _SHARE)

    async def _round(self) -> None:
        async with opened(self._spec) as cell:
            results = own_results([await examined(cell)])
        for one in results:
            _FINDINGS.labels(self._spec.name, one.invariant).set(len(one.findings))
            for finding in one.findings[:10]:
                _log.critical("%s is violated: %s", one.invariant, finding)
        self._show_moving(results)
        self._violated = [one.invariant for one in results if one.findings]
        self._rounds += 1
        _SUCCESS.labels(self._spec.name).set_to_current_time()

    def _show_moving(self, results: list[Result]) -> None:
        now = next(one.moving for one in results if one.invariant == "L3")
        for state in self._shown - now.keys():
            _MOVING.labels(self._spec.name, state).set(0)
        for state, count in now.items():
            _MOVING.labels(self._spec.name, state).set(count)
        self._shown |= now.keys()
