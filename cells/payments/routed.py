"""The rail of a payment within the region, chosen in the acceptance batch; and how a payment's choices are shown."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeGuard

from cells.backends.postgres import Connection, Record
from cells.journal.entry import component
from cells.kit.money import money
from cells.parties.recipients import Recipients
from cells.parties.token import split_token
from cells.payments import marks
from cells.payments.acceptance import Acceptance
from cells.payments.machine import Leg, State
from cells.payments.transfer import Transfer
from cells.rails import store_routing
from cells.rails.calendar import is_open, next_opening
from cells.rails.profile import RailProfile
from cells.rails.router import RailRouter
from cells.rails.routing import DeadlineCannotBeMet, NoRoute, Table
from cells.rails.store_routing import Routed
from residency.errors import KovraError

_WAITING = (State.CREATED, State.IN_REVIEW, State.FUNDS_HELD, State.PENDING_RAIL)


async def route_in_region(
    connection: Connection,
    router: RailRouter,
    recipients: Recipients,
    asked: Sequence[Acceptance],
    results: Sequence[Transfer | KovraError],
    routed: dict[str, Routed],
) -> list[Transfer | KovraError]:
    """Choose the rail of payments within the region; `routed` takes the choices, by transfer id. Across a border the destination
    chooses, and the quote's rail is what is expected there."""
    if not any(map(_here, results)):
        return list(results)
    table = await router.table(connection, datetime.now(UTC))
    rows = {
        wish.recipient_id: split_token(wish.recipient_id).row_id
        for wish, one in zip(asked, results, strict=True)
        if _here(one)
    }
    countries = await recipients.countries(connection, list(rows.values()))
    found = [
        _routed(table, wish, one, countries[rows[wish.recipient_id]]) if _here(one) else one
        for wish, one in zip(asked, results, strict=True)
    ]
    for one in found:
        if isinstance(one, tuple):
            routed[one[0].transfer_id] = one[1]
    return [one[0] if isinstance(one, tuple) else one for one in found]


def _here(draft: Transfer | KovraError) -> TypeGuard[Transfer]:
    return isinstance(draft, Transfer) and draft.leg is Leg.IN_REGION


def _routed(table: Table, wish: Acceptance, draft: Transfer, country: str) -> KovraError | tuple[Transfer, Routed]:
    route = table.route(draft.target_currency, draft.payout_amount, wish.deadline, country)
    if route.rail is None:
        return NoRoute(route.why, pointer="/quote_id", reason_code=route.reason_code)
    if not route.in_time:
        return DeadlineCannotBeMet(pointer="/deadline")
    choice = Routed(draft.transfer_id, draft.tenant_id, route)
    return (draft if draft.rail == route.rail else replace(draft, rail=route.rail)), choice


async def move(connection: Connection, region: str, rail: str, moves: Mapping[str, str]) -> set[str]:
    """Hand payments of `rail` that the scheme was never asked for to another, by transfer id with the new rail: submission and leg in one
    commit of the caller's. The ids that moved; one that was asked, or is with another rail already, stays as it is."""
    moved = await store_routing.move(connection, region, rail, list(moves.items()))
    if moved:
        await marks.reroute(connection, region, {one: moves[one] for one in moved}, component("rail"))
    return moved


async def routing_of(
    connection: Connection, region: str, profiles: Mapping[str, RailProfile], transfer: Transfer, now: datetime
) -> dict[str, Any]:
    """A transfer's `routing` as the API shows it: every choice of a rail with what was weighed; no personal data.

    Across a border the choices are in the destination's record; here is the rail that was expected, and the one that paid.
    """
    choices = await store_routing.choices(connection, region, transfer.transfer_id)
    queued = transfer.leg is not Leg.ORIGIN and transfer.state in _WAITING
    waits = transfer.state is not State.PENDING_RAIL or await store_routing.waits(
        connection, region, transfer.transfer_id
    )
    profile = profiles.get(transfer.rail)
    closed = profile is not None and queued and waits and not is_open(profile, now)
    return {
        "rail": transfer.rail_used,
        "expected_rail": transfer.rail if transfer.leg is Leg.ORIGIN else None,
        "chosen_by": transfer.destination_cell,
        "deadline": _stamp(transfer.deadline),
        "waits_for_opening": _stamp(next_opening(profile, now)) if profile is not None and closed else None,
        "choices": [_shown(one) for one in choices],
    }


def _shown(choice: Record) -> dict[str, Any]:
    return {
        "rail": choice["rail"],
        "cause": choice["cause"],
        "at": _stamp(choice["at"]),
        "candidates": [
            {
                "rail": one["rail"],
                "verdict": one["verdict"],
                "why": one["why"],
                "cost": money(one["cost_minor"], one["currency"]),
                "settled_by": _stamp(datetime.fromisoformat(one["settled_by"])) if one["settled_by"] else None,
            }
            for one in choice["candidates"]
        ],
    }


def _stamp(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None
