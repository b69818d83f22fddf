"""Time at the simulated schemes: the machine's clock, plus what a command has advanced it by; and who keeps hours.

Invariant: simulator time only goes forward, and the advance is durable. What is "days later" is due in simulator time, so that
nobody has to wait for it: `advance` is how the days go by, for all at once, and `bring_nearer` how they go by for some payments alone: a
tenant's, of whom a scheme knows nothing. Timestamps in messages are the machine's own; business days are the simulator's.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from infra.schemes.rules import SCHEMES, SchemeRules
from infra.schemes.store import SchemeStore

_ADVANCED = "advanced_s"
_HOURS = "hours"
_OPEN, _CLOSED, _OWN = "open", "closed", "own"


class SchemeClock:
    """The clock of one region's schemes, and which of them is open."""

    def __init__(self, store: SchemeStore) -> None:
        self._store = store
        self._advanced_s = float(store.setting("", _ADVANCED) or 0)
        self._hours = {rail: store.setting(rail, _HOURS) or _OPEN for rail in SCHEMES}

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._advanced_s)

    def today(self, rail: str) -> str:
        """The day, where that scheme is, that entries are booked on."""
        return SCHEMES[rail].day(self.now()).isoformat()

    def advance(self, by_s: float, reference: str | None = None) -> datetime:
        """Let that much time go by; returns the new time. `by_s` is not negative. The same reference again changes nothing."""
        assert by_s >= 0, by_s
        known = f"{_ADVANCED} {reference}"
        if reference is None or self._store.setting("", known) is None:
            self._advanced_s += by_s
            with self._store.transaction():
                self._store.set_setting("", _ADVANCED, repr(self._advanced_s))
                if reference is not None:
                    self._store.set_setting("", known, repr(by_s))
        return self.now()

    def bring_nearer(self, rail: str, end_to_end_ids: Sequence[str], by_s: float, reference: str) -> None:
        """Let that much time go by for these payments alone: what is planned about them is due sooner. The same reference again changes
        nothing."""
        with self._store.transaction():
            for number, due_at in self._store.plans_of(rail, end_to_end_ids):
                sooner = datetime.fromisoformat(due_at) - timedelta(seconds=by_s)
                self._store.move_plan(number, sooner.isoformat(), reference)

    def set_hours(self, rail: str, open_now: bool | None) -> None:
        """Open or close the scheme until further notice; None: by its own hours."""
        kept = _OWN if open_now is None else _OPEN if open_now else _CLOSED
        with self._store.transaction():
            self._store.set_setting(rail, _HOURS, kept)
        self._hours[rail] = kept

    def hours(self, rail: str) -> str:
        """`open` (until somebody says otherwise a sandbox is open at all hours), `closed`, or `own`."""
        return self._hours[rail]

    def is_open(self, rail: str, rules: SchemeRules) -> bool:
        kept = self.hours(rail)
        return kept == _OPEN or (kept == _OWN and rules.works_at(self.now()))
