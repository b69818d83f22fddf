"""Transfers as they are read: one with its timeline, the timeline alone, and the list with its filters."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import FastAPI, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from cells.backends.postgres import tenant_transaction
from cells.journal import store as journal
from cells.journal.entry import Entry
from cells.journal.kinds_transfer import SHOWN
from cells.payments import store, store_list
from cells.payments.machine import Leg, State, public
from cells.payments.personal import open_remittances
from cells.payments.routed import routing_of
from cells.payments.store_list import Wanted
from cells.payments.stream import states
from cells.payments.transfer import TransferNotFound, resource
from cells.rails.iso20022.sent import remittance_sent
from cells.rails.profile import RailProfile
from cells.rails.profile_files import rail_profiles
from cells.rails.remittance import Remittance
from cells.rails.routing import Verdict
from cells.rails.store_routing import Cause
from residency import wire
from residency.classes import Confidential, Personal, Public
from residency.wire import Money, TransferStatus
from router.api.call import Json, call_of
from router.api.parts import parts_of
from router.api.routes import Resource
from router.api.shapes import (
    CurrencyCode,
    Cursor,
    IdText,
    Instant,
    Limit,
    MetadataValue,
    Shape,
    checked_id,
    stamp,
)
from router.api.v1.transfer_returns import ReturnedShown, returned_of
from router.api.v1.transfers import own_transfer


class TimelineShown(BaseModel):
    """One step of a transfer's life."""

    event: Annotated[str, Public]
    status: Annotated[TransferStatus, Public]
    room: Annotated[str, Public] = Field(
        description="Who did it: `partner`, `officer`, or the part of the cell that took the step"
    )
    at: Annotated[datetime, Public]


class CandidateShown(BaseModel):
    """A rail that was weighed. `cost` is ours; `settled_by` when the payee would have the money, if all goes as it should."""

    rail: Annotated[str, Public]
    verdict: Annotated[Verdict, Public]
    why: Annotated[str, Public]
    cost: Annotated[Money, Confidential]
    settled_by: Annotated[datetime | None, Public]


class ChoiceShown(BaseModel):
    """One choice of a rail; the last stands."""

    rail: Annotated[str, Public]
    cause: Annotated[Cause, Public]
    at: Annotated[datetime, Public]
    candidates: Annotated[list[CandidateShown], Confidential]


class RoutingShown(BaseModel):
    """Which rail, and why. Across a border `chosen_by` keeps the reasons, and says which rail it was when it has paid."""

    rail: Annotated[str, Public]
    expected_rail: Annotated[str | None, Public]
    chosen_by: Annotated[str, Public]
    deadline: Annotated[datetime | None, Public]
    waits_for_opening: Annotated[datetime | None, Public] = Field(description="The rail is closed until then")
    choices: Annotated[list[ChoiceShown], Confidential]


class ReferenceShown(BaseModel):
    """Your `reference`, and what of it the rail is given: in the scheme's letters, as far as they fit."""

    given: Annotated[str, Personal]
    sent: Annotated[str, Personal]
    cut: Annotated[int, Public] = Field(description="How many characters at its end are left out")


class TransferWithTimeline(wire.Transfer):
    reference: Annotated[ReferenceShown | None, Personal] = Field(
        description="Null without one, or once it is erased. Across a border by the profile of the rail that is expected there"
    )
    returned: Annotated[ReturnedShown | None, Confidential] = Field(description="Set once money has come back")
    routing: Annotated[RoutingShown, Confidential]
    timeline: Annotated[list[TimelineShown], Public]


class TransferPage(BaseModel):
    """Newest first."""

    data: Annotated[list[wire.Transfer], Confidential]
    next_cursor: Annotated[str | None, Public]


class Timeline(BaseModel):
    """Oldest first, and whole."""

    transfer_id: Annotated[str, Public]
    data: Annotated[list[TimelineShown], Public]


class TransfersAsked(Shape):
    """Which transfers to list. A filter that is left out lets all through."""

    status: Annotated[list[TransferStatus], Public] = Field(
        default_factory=list, max_length=20, description="Any of these"
    )
    created_from: Annotated[Instant | None, Public] = None
    created_to: Annotated[Instant | None, Public] = Field(default=None, description="Before this instant")
    recipient_id: Annotated[IdText | None, Public] = None
    payer_id: Annotated[IdText | None, Public] = None
    wallet_id: Annotated[IdText | None, Public] = None
    batch_id: Annotated[IdText | None, Public] = None
    source_currency: Annotated[CurrencyCode | None, Public] = None
    target_currency: Annotated[CurrencyCode | None, Public] = None
    reference: Annotated[MetadataValue | None, Confidential] = Field(
        default=None,
        description="Your own reference: what you sent as `metadata.reference`. The text for the recipient is sealed, and cannot be"
        " searched",
    )
    limit: Annotated[Limit, Public] = 50
    cursor: Annotated[Cursor, Public] = None


async def list_transfers(request: Request, asked: Annotated[TransfersAsked, Query()]) -> Response:
    """Your transfers that are paid from this region, newest first. A page may hold fewer than `limit`, or none, while `next_cursor`
    leads on: the search has come that far, and no page reads more than a bounded part of the list."""
    parts, call = parts_of(request), call_of(request)
    wanted = Wanted(
        states=[str(state) for state in State if str(public(state)) in asked.status],
        created_from=asked.created_from,
        created_to=asked.created_to,
        recipient_id=asked.recipient_id,
        payer_id=asked.payer_id,
        wallet_id=asked.wallet_id,
        source_currency=asked.source_currency,
        target_currency=asked.target_currency,
        reference=asked.reference,
        batch_id=asked.batch_id,
    )
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        found, following = await store_list.page(
            connection, parts.spec.name, parts.region, call.tenant_id, wanted, before_id=asked.cursor, limit=asked.limit
        )
    return Json({"data": [resource(one) for one in found], "next_cursor": following})


async def get_transfer(request: Request, transfer_id: str) -> Response:
    """A transfer with its timeline."""
    parts, call = parts_of(request), call_of(request)
    found = checked_id(transfer_id, "tr", TransferNotFound())
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        transfer = own_transfer((await store.read(connection, parts.region, [found])).get(found))
        lines = await journal.stream(connection, parts.region, found)
        profiles = {one.name: one for one in parts.institution.router.profiles}
        returned = await returned_of(connection, parts.region, transfer)
        routing = await routing_of(connection, parts.region, profiles, transfer, datetime.now(UTC))
        ours = [] if transfer.leg is Leg.DESTINATION else [found]
        texts = await open_remittances(connection, parts.institution.vault, ours)
    reference = _reference(
        texts.get(found), profiles.get(transfer.rail_used) or rail_profiles().get(transfer.rail_used)
    )
    return Json(
        {
            **resource(transfer),
            "reference": reference,
            "returned": returned,
            "routing": routing,
            "timeline": _timeline(lines),
        }
    )


def _reference(given: Remittance | None, profile: RailProfile | None) -> dict[str, Any] | None:
    if given is None or profile is None or not (given.text or given.reference):
        return None
    if given.reference:
        return {"given": given.reference, "sent": given.reference, "cut": 0}
    sent = remittance_sent(given.text, profile)
    return {"given": given.text, "sent": sent.text, "cut": sent.cut}


async def get_transfer_timeline(request: Request, transfer_id: str) -> Response:
    """What has happened to a transfer, step by step."""
    parts, call = parts_of(request), call_of(request)
    found = checked_id(transfer_id, "tr", TransferNotFound())
    async with tenant_transaction(parts.pool, call.tenant_id) as connection:
        own_transfer((await store.read(connection, parts.region, [found])).get(found))
        lines = await journal.stream(connection, parts.region, found)
    return Json({"transfer_id": found, "data": _timeline(lines)})


def _timeline(lines: Sequence[Entry]) -> list[dict[str, Any]]:
    """What of a payment's stream is its partner's to see: the steps, and nobody's name but its own keys'."""
    return [
        {"event": line.event, "status": str(public(state)), "room": _room(line), "at": stamp(line.at)}
        for line, state in zip(lines, states(lines), strict=True)
        if line.kind in SHOWN
    ]


def _room(line: Entry) -> str:
    kind, _, name = line.actor.partition(":")
    return {"component": name, "operator": "officer"}.get(kind, "partner")


def add_routes(app: FastAPI) -> None:
    routes = Resource(app, "transfers", "Transfers")
    routes.add("GET", "/v1/transfers", list_transfers, summary="Your transfers", model=TransferPage)
    one, missing = "/v1/transfers/{transfer_id}", (TransferNotFound,)
    routes.add("GET", one, get_transfer, summary="A transfer", model=TransferWithTimeline, errors=missing)
    routes.add(
        "GET", f"{one}/timeline", get_transfer_timeline, summary="A transfer's timeline", model=Timeline, errors=missing
    )
