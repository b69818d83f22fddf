"""One step of many transfers in one transaction: load, decide, make the transition durable with all it implies.

The only place that carries out decisions of the machine, for whoever tells the event: the wallet actor, the exporter, the border.
`plan` is the pure half (the explorer runs it too), `take` the shell around it. What a transition implies inside the database (limits given
back, the exporter's queue) is written in its very commit; the partner's event is the entry of the transition itself (events.py). What it implies outside is returned as a Step, to be
carried out once the commit stands: the ledger is asked for chains that follow from the entries just written (lives.py), now or by recovery.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cells.backends.postgres import Connection
from cells.journal import store_lives
from cells.journal.entry import component
from cells.journal.life import Change
from cells.limits.store import Release, release
from cells.payments import store, watch
from cells.payments.machine import (
    LEDGER_EFFECTS,
    Advance,
    Early,
    Effect,
    Event,
    Impossible,
    Leg,
    State,
    decide,
)
from cells.payments.stream import LEDGER_RESULT, TRANSFER
from cells.payments.transfer import ExportKind, Move, Told, Transfer

EXPORT_CHANNEL = "kovra_export"

_EXPORT_KIND: dict[State, ExportKind] = {
    State.FUNDS_HELD: "instructed",
    State.SETTLED: "settled",
    State.RELEASED: "rejected",
    State.DESTINATION_REJECTED: "rejected",
}
_AGAIN = frozenset({(State.WAITING, State.HOLDING), (State.BLOCKED, State.RESUMING)})
_RELEASES = frozenset({Event.RELEASED_TO_PAYER, Event.RELEASED_TO_PAYEE})
# Whatever waits on an effect of the step before it, inside the same transaction.
_FOLLOWS: dict[Effect, Event] = {Effect.INSTRUCT_AT_ONCE: Event.INSTRUCT}


@dataclass(frozen=True, slots=True)
class Owed:
    """A chain that a leg's journal asks for, and that the ledger has yet to answer."""

    transfer: Transfer
    effect: Effect


@dataclass(slots=True)
class Step:
    """What one transaction does, and what is left to do outside it. `now`: every transfer it looks at, as it stands (one that does
    not exist is absent); `waves`: its transitions, at most one of each transfer in a wave; `told`: events yet to be told;
    `refused`: events that cannot be taken, or not yet, with the transfer as it stood."""

    now: dict[str, Transfer] = field(default_factory=dict)
    waves: list[list[Move]] = field(default_factory=list)
    owed: list[Owed] = field(default_factory=list)
    submit: list[Transfer] = field(default_factory=list)
    export: list[Transfer] = field(default_factory=list)
    refused: list[tuple[Told, Transfer]] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)


async def take(connection: Connection, region: str, told: Sequence[Told], *, room: str) -> Step:
    """Tell events of transfers, in order, inside the caller's transaction: load, plan, write. What the ledger is owed is recovery's to ask
    for where the caller does not."""
    if not told:
        return Step()
    loaded = await store.load(connection, region, sorted({one.transfer_id for one in told}))
    return await take_loaded(connection, region, loaded, told, room=room)


async def take_loaded(
    connection: Connection,
    region: str,
    loaded: Mapping[str, Transfer],
    told: Sequence[Told],
    *,
    room: str,
) -> Step:
    """`take`, of transfers that this transaction has loaded already. Raises Overtaken where one has moved on since, which it cannot have
    if it was locked."""
    step = plan(loaded, told)
    for wave in step.waves:
        await store_lives.append(connection, region, TRANSFER, [_change(move, room) for move in wave])
    await _write_implied(connection, region, [move for wave in step.waves for move in wave])
    watch.moved(step.waves)
    return step


def plan(now: Mapping[str, Transfer], told: Sequence[Told]) -> Step:
    """Decide every event on the transfers as they stand, and all that follows from it at once. Pure."""
    step = Step(now=dict(now))
    waiting = [one for one in told if one.transfer_id in now]
    while waiting:
        wave, waiting = _first_of_each(waiting)
        moves = [move for one in wave if (move := _decided(step, one)) is not None]
        if moves:
            step.waves.append(moves)
        follows = [follow for move in moves for follow in _carry_out(step, move)]
        waiting = [*follows, *waiting]
    return step


def after(before: Transfer, told: Told, decision: Advance) -> Transfer:
    """The transfer once the transition stands. Pure."""
    facts: dict[str, Any] = {"in_doubt": False, "export_due": None, **told.facts}
    if Effect.QUEUE_EXPORT in decision.effects:
        facts["export_due"] = _EXPORT_KIND[decision.state]
    if (before.state, decision.state) in _AGAIN:
        # The first chain has used its ids up: the next needs ids of its own, journaled before use.
        facts["attempt"] = before.attempt + 1
    if told.event in _RELEASES:
        facts["released"] = True
    return replace(before, state=decision.state, version=before.version + 1, **facts)


def _change(move: Move, room: str) -> Change[Transfer]:
    told = move.told
    beside = {} if told.ledger_result is None else {LEDGER_RESULT: told.ledger_result}
    return Change(move.before, move.now, TRANSFER.kind(str(told.event)), told.author or component(room), beside)


def _decided(step: Step, told: Told) -> Move | None:
    before = step.now[told.transfer_id]
    if told.attempt not in (None, before.attempt):
        return None
    decision = decide(before.leg, before.state, told.event)
    if isinstance(decision, Impossible | Early):
        step.refused.append((told, before))
    if not isinstance(decision, Advance):
        return None
    now = step.now[told.transfer_id] = after(before, told, decision)
    return Move(before, now, told, decision.effects)


def _carry_out(step: Step, move: Move) -> list[Told]:
    """Note what the move asks for outside the database; the events that follow from it at once are returned."""
    now, follows = move.now, list[Told]()
    for effect in move.effects:
        if effect in LEDGER_EFFECTS:
            step.owed.append(Owed(now, effect))
        elif effect is Effect.SUBMIT:
            step.submit.append(now)
        elif effect is Effect.EXPORT:
            step.export.append(now)
        elif effect in _FOLLOWS:
            follows.append(Told(now.transfer_id, _FOLLOWS[effect]))
    if now.state is State.IN_REVIEW and now.leg is not Leg.DESTINATION and now.screening == "block":
        follows.append(Told(now.transfer_id, Event.SANCTIONED))
    return follows


async def _write_implied(connection: Connection, region: str, moves: Sequence[Move]) -> None:
    released = [
        Release(one.now.sender(), one.now.source_total, one.now.created_at)
        for one in moves
        if Effect.RELEASE_LIMITS in one.effects and one.now.created_at is not None
    ]
    if released:
        await release(connection, region, released)
    if any(Effect.QUEUE_EXPORT in one.effects for one in moves):
        await store.wake(connection, EXPORT_CHANNEL)


def _first_of_each(told: Sequence[Told]) -> tuple[list[Told], list[Told]]:
    first: dict[str, Told] = {}
    rest: list[Told] = []
    for one in told:
        if one.transfer_id in first:
            rest.append(one)
        else:
            first[one.transfer_id] = one
    return list(first.values()), rest
