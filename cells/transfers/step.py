"""One step of many transfers in one transaction: load, decide, make the transition durable with all it implies.

The only place that carries out decisions of the machine, for whoever tells the event: the wallet actor, the exporter, the border. What
a transition implies inside the database (postings planned, limits given back, the partner's event written, the exporter's
queue) is written in its very commit. What it implies outside is returned as a Step, to be carried out once the commit stands.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cells.backends.postgres import Connection
from cells.ledger.chain import Chain
from cells.limits.store import Release, release
from cells.transfers import notices, store
from cells.transfers.machine import LEDGER_EFFECTS, Advance, Decision, Effect, Event, Impossible, State, decide
from cells.transfers.store import Planned, Transition
from cells.transfers.transfer import ExportKind, Told, Transfer

EXPORT_CHANNEL = "kovra_export"

_EXPORT_KIND: dict[State, ExportKind] = {
    State.FUNDS_HELD: "instructed",
    State.SETTLED: "settled",
    State.RELEASED: "rejected",
    State.DESTINATION_REJECTED: "rejected",
}
# Whatever waits on an effect of the step before it, inside the same transaction.
_FOLLOWS: dict[Effect, Event] = {Effect.INSTRUCT_AT_ONCE: Event.INSTRUCT}

ChainBuilder = Callable[[Transfer, Effect], Chain]


@dataclass(frozen=True, slots=True)
class Owed:
    """A journaled chain that the ledger has yet to be asked for."""

    transfer: Transfer
    effect: Effect
    chain: Chain


@dataclass(slots=True)
class Step:
    """What one transaction did, and what is left to do outside it. `now`: every transfer it looked at, as it stands (one that does
    not exist is absent); `told`: events yet to be told; `refused`: events that could not be taken, with the transfer then."""

    now: dict[str, Transfer] = field(default_factory=dict)
    owed: list[Owed] = field(default_factory=list)
    submit: list[Transfer] = field(default_factory=list)
    export: list[Transfer] = field(default_factory=list)
    refused: list[tuple[Told, Transfer]] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)


async def take(
    connection: Connection, region: str, told: Sequence[Told], *, room: str, build: ChainBuilder | None = None
) -> Step:
    """Tell events of transfers, in order, inside the caller's transaction. `build` makes the chains of ledger effects; a room
    that never causes one (the exporter, the border) needs none."""
    step = Step()
    step.now = await store.load(connection, region, sorted({one.transfer_id for one in told}))
    waiting = [one for one in told if one.transfer_id in step.now]
    while waiting:
        wave, waiting = _first_of_each(waiting)
        waiting = [*await _take_wave(connection, region, wave, step, room, build), *waiting]
    await journal(connection, region, step.owed)
    return step


def after(before: Transfer, told: Told, decision: Advance) -> Transfer:
    """The transfer once the transition stands. Pure."""
    facts: dict[str, Any] = {"in_doubt": False, "export_due": None, **told.facts}
    if Effect.QUEUE_EXPORT in decision.effects:
        facts["export_due"] = _EXPORT_KIND[decision.state]
    if decision.state is State.HOLDING and before.state is State.WAITING:
        # The refused chain has burnt its ids: the next try needs ids of its own, journaled before use.
        facts["attempt"] = before.attempt + 1
    return replace(before, state=decision.state, version=before.version + 1, **facts)


async def _take_wave(
    connection: Connection, region: str, wave: Sequence[Told], step: Step, room: str, build: ChainBuilder | None
) -> list[Told]:
    """At most one event of each transfer; the events that follow from it at once are returned."""
    transitions: list[Transition] = []
    moves: list[tuple[Transfer, Transfer, Advance]] = []
    for told in wave:
        before = step.now[told.transfer_id]
        decision: Decision = decide(before.leg, before.state, told.event)
        if isinstance(decision, Impossible):
            step.refused.append((told, before))
        elif isinstance(decision, Advance):
            now = after(before, told, decision)
            transitions.append(Transition(before, now, str(told.event), room))
            moves.append((before, now, decision))
    done = await store.advance(connection, region, transitions)
    # Rows are locked since they were loaded, so each is still at the version that was decided on.
    assert len(done) == len(transitions), "a locked transfer changed its version"
    follows: list[Told] = []
    for before, now, decision in moves:
        step.now[now.transfer_id] = now
        for effect in decision.effects:
            if effect in LEDGER_EFFECTS:
                assert build is not None, f"{room} cannot carry out {effect}"
                step.owed.append(Owed(now, effect, build(now, effect)))
            elif effect is Effect.SUBMIT:
                step.submit.append(now)
            elif effect is Effect.EXPORT:
                step.export.append(now)
            elif effect in _FOLLOWS:
                follows.append(Told(now.transfer_id, _FOLLOWS[effect]))
        if now.state is State.IN_REVIEW and now.screening == "block":
            follows.append(Told(now.transfer_id, Event.SANCTIONED))
    await _write_implied(connection, region, [(now, decision) for _, now, decision in moves])
    return follows


async def _write_implied(connection: Connection, region: str, moves: Sequence[tuple[Transfer, Advance]]) -> None:
    released = [
        Release(one.tenant_id, one.source_currency, one.source_total, one.created_at)
        for one, decision in moves
        if Effect.RELEASE_LIMITS in decision.effects and one.created_at is not None
    ]
    if released:
        await release(connection, region, released)
    noticed = [one for one, decision in moves if Effect.NOTIFY in decision.effects]
    await notices.write(connection, region, noticed)
    if any(Effect.QUEUE_EXPORT in decision.effects for _, decision in moves):
        await store.wake(connection, EXPORT_CHANNEL)


async def journal(connection: Connection, region: str, owed: Sequence[Owed]) -> None:
    """Plan the postings of chains, in the commit of the transitions that owe them: journal first, ledger last."""
    planned = [
        Planned(one.transfer.transfer_id, one.transfer.tenant_id, one.effect, one.transfer.attempt, one.chain)
        for one in owed
    ]
    if planned:
        await store.plan_postings(connection, region, planned)


def _first_of_each(told: Sequence[Told]) -> tuple[list[Told], list[Told]]:
    first: dict[str, Told] = {}
    rest: list[Told] = []
    for one in told:
        if one.transfer_id in first:
            rest.append(one)
        else:
            first[one.transfer_id] = one
    return list(first.values()), rest
