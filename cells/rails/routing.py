"""Which rail a payment leaves by: the cheapest that meets its deadline, or without one the soonest; and why not the others. Pure.

A Table is made once for a batch, at one moment, and then asked for each payment: a comparison of a few integers.

Invariants: a rail is chosen only if it carries the currency and the amount; a rail whose circuit is open is chosen only when no other
that carries the amount is healthy, or, without a deadline, none settles within an hour of it, since the circuit may close any minute;
equal wishes at one table get one answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from cells.rails.calendar import CalendarUnknown, settled_by
from cells.rails.profile import RailProfile
from residency.errors import KovraError


class NoRoute(KovraError):
    """Nothing that pays out in the currency carries the amount."""

    code = "no-route"
    status = 422
    title = "No rail can carry this payment"


class DeadlineCannotBeMet(KovraError):
    """Every rail that carries the amount would settle later than asked."""

    code = "deadline-cannot-be-met"
    status = 422
    title = "No rail settles by the deadline"


Verdict = Literal["chosen", "possible", "late", "unhealthy", "unfit", "calendar_unknown"]
OPEN_CIRCUIT = "open"
# What an open circuit counts as, in time, for a payment without a deadline: at acceptance as for a fallback.
WORTH_MOVING = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One rail that was weighed. `reason_code`: ISO, for an unfit one; `settled_by`: when the payee has the money, None if unknown."""

    rail: str
    verdict: Verdict
    why: str
    cost_minor: int
    currency: str
    settled_by: datetime | None
    reason_code: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """What was chosen, or None where no rail carries it, and every rail that was weighed. `in_time`: whether the deadline is met."""

    rail: str | None
    in_time: bool
    candidates: tuple[Candidate, ...]

    @property
    def reason_code(self) -> str | None:
        """Why nothing carries it: the objection of the first rail that moves the currency."""
        return next((one.reason_code for one in self.candidates if one.reason_code), None)

    @property
    def why(self) -> str:
        """The objections to a payment that no rail carries, in one line."""
        return " ".join(one.why for one in self.candidates)

    def document(self) -> list[dict[str, Any]]:
        """The candidates as the journal keeps them: codes and numbers, nothing of a person."""
        return [
            {
                "rail": one.rail,
                "verdict": one.verdict,
                "why": one.why,
                "cost_minor": one.cost_minor,
                "currency": one.currency,
                "settled_by": one.settled_by.isoformat() if one.settled_by else None,
            }
            for one in self.candidates
        ]


@dataclass(frozen=True, slots=True)
class _Row:
    profile: RailProfile
    settled_by: datetime | None
    healthy: bool


@dataclass(slots=True)
class Table:
    """The rails of a cell at one moment. `breakers`: state by rail name; a rail of which nothing is known is taken for healthy."""

    rows: Sequence[_Row]
    _memory: dict[tuple[str, tuple[tuple[str, str] | None, ...], datetime | None], Route] = field(default_factory=dict)

    @classmethod
    def of(cls, profiles: Sequence[RailProfile], at: datetime, breakers: Mapping[str, str]) -> "Table":
        return cls([_Row(one, _settled_by(one, at), breakers.get(one.name) != OPEN_CIRCUIT) for one in profiles])

    def route(self, currency: str, amount_minor: int, deadline: datetime | None = None, country: str = "") -> Route:
        """Choose for one payment that is ready now. `country`: where the payee's account is, "" where that is not known."""
        rows = [row for row in self.rows if row.profile.currency == currency]
        objections = tuple(row.profile.objection(amount_minor, currency, country) for row in rows)
        key = (currency, objections, deadline)
        if key not in self._memory:
            self._memory[key] = _choose(rows, objections, deadline)
        return self._memory[key]

    def fallback(self, currency: str, amount_minor: int, deadline: datetime | None, country: str = "") -> Route | None:
        """Another way for a payment whose rail's circuit is open (as this table knows), or None where waiting is better: the choice
        that would be made now, where that is a healthy rail, and one that meets the deadline.
        """
        route = self.route(currency, amount_minor, deadline, country)
        row = next((one for one in self.rows if one.profile.name == route.rail), None)
        return route if row is not None and row.healthy and route.in_time else None


def _settled_by(profile: RailProfile, at: datetime) -> datetime | None:
    try:
        return settled_by(profile, at)
    except CalendarUnknown:
        return None


def _choose(rows: Sequence[_Row], objections: Sequence[tuple[str, str] | None], deadline: datetime | None) -> Route:
    able = [row for row, objection in zip(rows, objections, strict=True) if objection is None and row.settled_by]
    best = min(able, key=lambda row: _rank(row, deadline), default=None)
    candidates = [
        _judged(row, objection, deadline, row is best, best) for row, objection in zip(rows, objections, strict=True)
    ]
    if best is None:
        return Route(None, in_time=False, candidates=tuple(candidates))
    return Route(best.profile.name, _in_time(best, deadline), tuple(candidates))


def _rank(row: _Row, deadline: datetime | None) -> tuple[Any, ...]:
    """What comes first is better: health, then the deadline, then the cost; without a deadline the time, then the cost, and an open
    circuit is a delay."""
    assert row.settled_by is not None
    if deadline is None:
        return (
            row.settled_by if row.healthy else row.settled_by + WORTH_MOVING,
            not row.healthy,
            row.profile.cost_minor,
        )
    if not _in_time(row, deadline):
        return (not row.healthy, True, row.settled_by, row.profile.cost_minor)
    return (not row.healthy, False, row.profile.cost_minor, row.settled_by)


def _in_time(row: _Row, deadline: datetime | None) -> bool:
    return deadline is None or (row.settled_by is not None and row.settled_by <= deadline)


def _judged(
    row: _Row, objection: tuple[str, str] | None, deadline: datetime | None, chosen: bool, best: _Row | None
) -> Candidate:
    profile = row.profile
    verdict, why = _verdict(row, objection, deadline, chosen, best)
    return Candidate(
        rail=profile.name,
        verdict=verdict,
        why=why,
        cost_minor=profile.cost_minor,
        currency=profile.currency,
        settled_by=row.settled_by,
        reason_code=objection[0] if objection else None,
    )


def _verdict(
    row: _Row, objection: tuple[str, str] | None, deadline: datetime | None, chosen: bool, best: _Row | None
) -> tuple[Verdict, str]:
    if objection is not None:
        return "unfit", objection[1]
    if row.settled_by is None:
        return "calendar_unknown", "Its calendar is not known that far ahead."
    if chosen:
        return "chosen", _praise(row, deadline)
    if not row.healthy:
        return "unhealthy", "Its circuit is open."
    if not _in_time(row, deadline):
        return "late", "It would settle after the deadline."
    assert best is not None, "somebody was better"
    return "possible", "It costs more." if deadline is not None else "It settles later."


def _praise(row: _Row, deadline: datetime | None) -> str:
    if not row.healthy:
        better = "carries it" if deadline is not None else "settles it within the hour"
        return f"No healthy rail {better}: it waits for this one's circuit to close."
    if deadline is None:
        return "It settles soonest."
    return (
        "The cheapest that meets the deadline." if _in_time(row, deadline) else "None meets the deadline: the soonest."
    )
