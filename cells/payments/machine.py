"""The transfer's life: one table, one pure function. No I/O, no clock, no ids.

A payment across a border is two legs, each in its own cell's journal, each with its own state:

    origin       the payer's wallet: hold, instruct, then post or void on the destination's word
    destination  the peer's position: hold, ask the rail, then post or void, and tell the origin
    in_region    both in one: hold, ask the rail, post or void

Whoever learns something (the wallet actor, the exporter, the border, the rail, an officer) says it as an Event; `decide` answers with
the next state and the effects to carry out, or that it is a repeat, or cannot be. Effects are idempotent, so an event may be told
any number of times. A state whose arrival carries a ledger effect waits for the ledger: after a crash it is asked again (`owed`).
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Leg(StrEnum):
    ORIGIN = "origin"
    DESTINATION = "destination"
    IN_REGION = "in_region"


class State(StrEnum):
    CREATED = "CREATED"
    ADMITTED = "ADMITTED"
    HOLDING = "HOLDING"
    WAITING = "WAITING"
    IN_REVIEW = "IN_REVIEW"
    FREEZING = "FREEZING"
    BLOCKED = "BLOCKED"
    UNFREEZING = "UNFREEZING"
    RESUMING = "RESUMING"
    FUNDS_HELD = "FUNDS_HELD"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    INSTRUCTED = "INSTRUCTED"
    PENDING_RAIL = "PENDING_RAIL"
    SETTLING = "SETTLING"
    SETTLED = "SETTLED"
    COMPLETED = "COMPLETED"
    RAIL_REJECTED = "RAIL_REJECTED"
    DESTINATION_REJECTED = "DESTINATION_REJECTED"
    RELEASING = "RELEASING"
    RELEASED = "RELEASED"
    REFUNDED = "REFUNDED"
    RESTORING = "RESTORING"
    LOSING = "LOSING"
    LOST = "LOST"
    PARTIALLY_RETURNED = "PARTIALLY_RETURNED"
    RETURNED = "RETURNED"


class Event(StrEnum):
    TAKEN = "taken"  # the peer's wallet actor takes up an admitted (or waiting) instruction
    HELD = "held"  # the ledger holds the funds
    HELD_FOR_REVIEW = "held_for_review"  # … and a rule wants a person to look first
    REFERRED = (
        "referred"  # screening wants a person to look: of the payee at admission, of the payer as it stands at export
    )
    HOLD_REFUSED = "hold_refused"  # the ledger's balance flag said no
    CLEARED = "cleared"  # the review ended well
    REVIEW_REFUSED = "review_refused"  # … or badly, or its deadline passed
    SANCTIONED = "sanctioned"  # a sanction applies: funds are frozen, not given back
    FROZEN = "frozen"  # the ledger moved them to BLOCKED_FUNDS
    RELEASED_TO_PAYER = "released_to_payer"  # two officers found that no sanction applies: the funds go back
    RELEASED_TO_PAYEE = "released_to_payee"  # … the payment goes on
    UNFROZEN = "unfrozen"  # the ledger moved them back to the wallet
    CANCEL = "cancel"  # the partner asks
    INSTRUCT = "instruct"  # the exporter (or, in region, the wallet actor) commits to paying
    RECEIPTED = "receipted"  # the destination's signed receipt covers the instruction
    RAIL_SETTLED = "rail_settled"  # the scheme's final yes
    RAIL_REFUSED = "rail_refused"  # the scheme's final no
    RESTORE = "restore"  # the scheme is silent for longer than its rules let the payer's money be held
    SETTLED = "settled"  # the destination says so, admitted at our border
    RAIL_REJECTED = "rail_rejected"  # the destination says its rail refused
    DESTINATION_REJECTED = "destination_rejected"  # the destination itself refused
    POSTED = "posted"  # the ledger posted the hold
    VOIDED = "voided"  # the ledger voided the hold
    LOSS_BOOKED = "loss_booked"  # the ledger booked what it cost to have given the money back
    EXPORT = "export"  # the exporter signs and logs our answer to the origin
    PARTIALLY_RETURNED = "partially_returned"  # the ledger booked a return, and more may come
    RETURNED = "returned"  # … and with it all that was paid has come back


class Effect(StrEnum):
    # On the ledger, one chain each; the state waits for the answer.
    HOLD = "hold"
    POST = "post"
    VOID = "void"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    RESUME = "resume"  # unfreeze and hold anew
    LOSE = "lose"
    # Outwards.
    SUBMIT = "submit"  # hand to the rail
    INSTRUCT_AT_ONCE = "instruct_at_once"  # in region nothing crosses: tell ourselves INSTRUCT
    QUEUE_EXPORT = "queue_export"  # leave it to the exporter, which tells INSTRUCT or EXPORT
    EXPORT = "export"  # sign, log, hand to the outbox, in the commit of this very transition
    RELEASE_LIMITS = "release_limits"
    NOTIFY = "notify"  # the entry is an event for the partner, named after the new state (events.py)


_F = Effect
LEDGER_EFFECTS: Final = frozenset({_F.HOLD, _F.POST, _F.VOID, _F.FREEZE, _F.UNFREEZE, _F.RESUME, _F.LOSE})
INITIAL: Final = MappingProxyType(
    {Leg.ORIGIN: State.CREATED, Leg.IN_REGION: State.CREATED, Leg.DESTINATION: State.ADMITTED}
)

_O, _D, _I = Leg.ORIGIN, Leg.DESTINATION, Leg.IN_REGION
_PAYER = (_O, _I)
_E, _S = Event, State

# legs, state, event → state, effects. Read it aloud: "origin, funds held: instruct → INSTRUCTED, export".
_ROWS: Final = (
    # Holding the payer's funds. CREATED is born with its HOLD in the intent commit.
    (_O, _S.CREATED, _E.HELD, _S.FUNDS_HELD, (_F.NOTIFY, _F.QUEUE_EXPORT)),
    (_I, _S.CREATED, _E.HELD, _S.FUNDS_HELD, (_F.NOTIFY, _F.INSTRUCT_AT_ONCE)),
    (_PAYER, _S.CREATED, _E.HELD_FOR_REVIEW, _S.IN_REVIEW, (_F.NOTIFY,)),
    (_PAYER, _S.CREATED, _E.HOLD_REFUSED, _S.REJECTED, (_F.RELEASE_LIMITS, _F.NOTIFY)),
    # Review.
    (_O, _S.IN_REVIEW, _E.CLEARED, _S.FUNDS_HELD, (_F.NOTIFY, _F.QUEUE_EXPORT)),
    (_I, _S.IN_REVIEW, _E.CLEARED, _S.FUNDS_HELD, (_F.NOTIFY, _F.INSTRUCT_AT_ONCE)),
    (_PAYER, _S.IN_REVIEW, _E.REVIEW_REFUSED, _S.RELEASING, (_F.VOID,)),
    (_PAYER, _S.RELEASING, _E.VOIDED, _S.REFUNDED, (_F.RELEASE_LIMITS, _F.NOTIFY)),
    (_PAYER, _S.IN_REVIEW, _E.SANCTIONED, _S.FREEZING, (_F.FREEZE,)),
    (_PAYER, _S.FREEZING, _E.FROZEN, _S.BLOCKED, (_F.NOTIFY,)),
    (_O, _S.FUNDS_HELD, _E.REFERRED, _S.IN_REVIEW, (_F.NOTIFY,)),
    # Found between acceptance and export; at the destination, before anything is held there.
    (_D, _S.ADMITTED, _E.REFERRED, _S.IN_REVIEW, ()),
    (_D, _S.IN_REVIEW, _E.CLEARED, _S.HOLDING, (_F.HOLD,)),
    (_D, _S.IN_REVIEW, _E.REVIEW_REFUSED, _S.DESTINATION_REJECTED, (_F.QUEUE_EXPORT,)),
    (_D, _S.IN_REVIEW, _E.SANCTIONED, _S.DESTINATION_REJECTED, (_F.QUEUE_EXPORT,)),
    (_PAYER, _S.UNFREEZING, _E.UNFROZEN, _S.REFUNDED, (_F.RELEASE_LIMITS, _F.NOTIFY)),
    (_O, _S.RESUMING, _E.HELD, _S.FUNDS_HELD, (_F.NOTIFY, _F.QUEUE_EXPORT)),
    (_I, _S.RESUMING, _E.HELD, _S.FUNDS_HELD, (_F.NOTIFY, _F.INSTRUCT_AT_ONCE)),
    # The partner changes its mind: only before INSTRUCT (which in region follows the hold in the same commit).
    (_O, _S.FUNDS_HELD, _E.CANCEL, _S.CANCELLING, (_F.VOID,)),
    (_PAYER, _S.IN_REVIEW, _E.CANCEL, _S.CANCELLING, (_F.VOID,)),
    (_PAYER, _S.CANCELLING, _E.VOIDED, _S.CANCELLED, (_F.RELEASE_LIMITS, _F.NOTIFY)),
    # Across the border: only the cell that was instructed can end it now.
    (_O, _S.FUNDS_HELD, _E.INSTRUCT, _S.INSTRUCTED, (_F.EXPORT, _F.NOTIFY)),
    (_O, _S.INSTRUCTED, _E.RECEIPTED, _S.PENDING_RAIL, ()),
    (_O, _S.INSTRUCTED, _E.SETTLED, _S.SETTLING, (_F.POST,)),
    (_O, _S.PENDING_RAIL, _E.SETTLED, _S.SETTLING, (_F.POST,)),
    (_O, _S.INSTRUCTED, _E.RAIL_REJECTED, _S.RAIL_REJECTED, (_F.VOID,)),
    (_O, _S.PENDING_RAIL, _E.RAIL_REJECTED, _S.RAIL_REJECTED, (_F.VOID,)),
    (_O, _S.INSTRUCTED, _E.DESTINATION_REJECTED, _S.DESTINATION_REJECTED, (_F.VOID,)),
    (_O, _S.PENDING_RAIL, _E.DESTINATION_REJECTED, _S.DESTINATION_REJECTED, (_F.VOID,)),
    (_O, _S.DESTINATION_REJECTED, _E.VOIDED, _S.REFUNDED, (_F.RELEASE_LIMITS, _F.NOTIFY)),
    # At the destination: the peer's position is held, then the rail is asked. At the peer's cap a payment waits its turn.
    (_D, _S.ADMITTED, _E.TAKEN, _S.HOLDING, (_F.HOLD,)),
    (_D, _S.HOLDING, _E.HOLD_REFUSED, _S.WAITING, ()),
    (_D, _S.WAITING, _E.TAKEN, _S.HOLDING, (_F.HOLD,)),
    (_D, _S.HOLDING, _E.HELD, _S.PENDING_RAIL, (_F.SUBMIT,)),
    (_I, _S.FUNDS_HELD, _E.INSTRUCT, _S.PENDING_RAIL, (_F.SUBMIT,)),
    # The rail has spoken.
    ((_D, _I), _S.PENDING_RAIL, _E.RAIL_SETTLED, _S.SETTLING, (_F.POST,)),
    ((_D, _I), _S.PENDING_RAIL, _E.RAIL_REFUSED, _S.RAIL_REJECTED, (_F.VOID,)),
    (_PAYER, _S.SETTLING, _E.POSTED, _S.COMPLETED, (_F.NOTIFY,)),
    (_PAYER, _S.RAIL_REJECTED, _E.VOIDED, _S.REFUNDED, (_F.RELEASE_LIMITS, _F.NOTIFY)),
    # The rail is silent, and its rules have the money given back although the outcome is unknown (`restore` in its profile).
    ((_D, _I), _S.PENDING_RAIL, _E.RESTORE, _S.RESTORING, (_F.VOID,)),
    (_I, _S.RESTORING, _E.VOIDED, _S.REFUNDED, (_F.RELEASE_LIMITS, _F.NOTIFY)),
    (_D, _S.RESTORING, _E.VOIDED, _S.RELEASED, (_F.QUEUE_EXPORT,)),
    # … and the origin must hear it.
    (_D, _S.SETTLING, _E.POSTED, _S.SETTLED, (_F.QUEUE_EXPORT,)),
    (_D, _S.SETTLED, _E.EXPORT, _S.COMPLETED, (_F.EXPORT,)),
    (_D, _S.RAIL_REJECTED, _E.VOIDED, _S.RELEASED, (_F.QUEUE_EXPORT,)),
    (_D, _S.RELEASED, _E.EXPORT, _S.REFUNDED, (_F.EXPORT,)),
    (_D, _S.ADMITTED, _E.DESTINATION_REJECTED, _S.DESTINATION_REJECTED, (_F.QUEUE_EXPORT,)),
    (_D, _S.DESTINATION_REJECTED, _E.EXPORT, _S.REFUNDED, (_F.EXPORT,)),
    # Paid after it was given back: a contradiction between two words of the scheme, or the price of `restore`.
    ((_D, _I), _S.LOSING, _E.LOSS_BOOKED, _S.LOST, (_F.NOTIFY,)),
)
# What may still happen to a payment that has come to rest; nobody waits for it.
_AFTERWARDS: Final = (
    (_PAYER, _S.BLOCKED, _E.RELEASED_TO_PAYER, _S.UNFREEZING, (_F.UNFREEZE,)),
    (_PAYER, _S.BLOCKED, _E.RELEASED_TO_PAYEE, _S.RESUMING, (_F.RESUME,)),
    ((_D, _I), _S.REFUNDED, _E.RAIL_SETTLED, _S.LOSING, (_F.LOSE,)),
    # Money comes back after completion. Each return has a life of its own (returned.py); it is told here once it is booked.
    (_PAYER, _S.COMPLETED, _E.PARTIALLY_RETURNED, _S.PARTIALLY_RETURNED, (_F.NOTIFY,)),
    (_PAYER, _S.COMPLETED, _E.RETURNED, _S.RETURNED, (_F.NOTIFY,)),
    (_PAYER, _S.PARTIALLY_RETURNED, _E.PARTIALLY_RETURNED, _S.PARTIALLY_RETURNED, (_F.NOTIFY,)),
    (_PAYER, _S.PARTIALLY_RETURNED, _E.RETURNED, _S.RETURNED, (_F.NOTIFY,)),
)


@dataclass(frozen=True, slots=True)
class Advance:
    """The event moves the transfer to `state`; carry out `effects` in order, after the transition is durable."""

    state: State
    effects: tuple[Effect, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """The transfer has been through this already: do nothing, answer as the first time."""


@dataclass(frozen=True, slots=True)
class Impossible:
    """The transfer can no longer, or not yet, take this event: a late cancel, or two answers that contradict each other."""


@dataclass(frozen=True, slots=True)
class Early:
    """The transfer will take this event once it has come to rest: tell it again."""


Decision = Advance | Repeat | Impossible | Early

TABLE: Final[MappingProxyType[tuple[Leg, State, Event], Advance]] = MappingProxyType(
    {
        (leg, state, event): Advance(target, effects)
        for legs, state, event, target, effects in (*_ROWS, *_AFTERWARDS)
        for leg in (legs if isinstance(legs, tuple) else (legs,))
    }
)


def _reachable() -> MappingProxyType[tuple[Leg, Event], frozenset[State]]:
    """For each leg and event: every state that can be seen after it, that is, in which the event is a repeat."""
    steps: dict[tuple[Leg, State], set[State]] = {}
    for (leg, state, _), advance in TABLE.items():
        steps.setdefault((leg, state), set()).add(advance.state)
    after: dict[tuple[Leg, Event], set[State]] = {}
    for (leg, _, event), advance in TABLE.items():
        seen = after.setdefault((leg, event), set())
        frontier = {advance.state}
        while frontier:
            state = frontier.pop()
            if state not in seen:
                seen.add(state)
                frontier |= steps.get((leg, state), set())
    return MappingProxyType({key: frozenset(states) for key, states in after.items()})


_AFTER: Final = _reachable()
# The scheme's word on a payment that is being given back: that chain first. Then "refused" agrees with it, and "paid" has a chain
# of its own.
_EARLY: Final = frozenset(
    {
        (State.RESTORING, Event.RAIL_SETTLED),
        (State.RESTORING, Event.RAIL_REFUSED),
        (State.RAIL_REJECTED, Event.RAIL_SETTLED),
        (State.RELEASED, Event.RAIL_SETTLED),
    }
)
FINAL: Final = frozenset(State) - {state for _, state, *_ in _ROWS}


def decide(leg: Leg, state: State, event: Event) -> Decision:
    """The one place where a transfer's life is decided. Pure and total: every triple has an answer."""
    advance = TABLE.get((leg, state, event))
    if advance is not None:
        return advance
    if state in _AFTER.get((leg, event), ()):
        return Repeat()
    return Early() if (state, event) in _EARLY else Impossible()


def owed(leg: Leg, state: State) -> Effect | None:
    """The ledger effect that `state` waits for: what recovery carries out again. None when it waits for somebody else."""
    if state is State.CREATED:
        return Effect.HOLD
    arrivals = {
        effect
        for (a_leg, _, _), advance in TABLE.items()
        if a_leg is leg and advance.state is state
        for effect in advance.effects
        if effect in LEDGER_EFFECTS
    }
    assert len(arrivals) <= 1, f"{leg} {state} must owe one chain, owes {arrivals}"
    return arrivals.pop() if arrivals else None


# What a partner sees: the states of DESIGN's lifecycle. The others are moments between a journal commit and the ledger's word.
_PUBLIC: Final = MappingProxyType(
    {
        State.SETTLING: State.PENDING_RAIL,
        State.CANCELLING: State.FUNDS_HELD,
        State.RELEASING: State.IN_REVIEW,
        State.FREEZING: State.IN_REVIEW,
        State.UNFREEZING: State.BLOCKED,
        State.RESUMING: State.BLOCKED,
        State.RESTORING: State.PENDING_RAIL,
        State.LOSING: State.REFUNDED,
        State.LOST: State.REFUNDED,
    }
)


def public(state: State) -> State:
    """The state that the API and webhooks show."""
    return _PUBLIC.get(state, state)
