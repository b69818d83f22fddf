"""Events made in tests: payments whose streams have the one entry that such an event is, written as payments are."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from cells.backends.postgres import Connection
from cells.journal import store as journal
from cells.journal import store_lives
from cells.journal.entry import component
from cells.journal.life import Birth, Change
from cells.payments.events import type_of_state
from cells.payments.machine import INITIAL, TABLE, Effect, Leg
from cells.payments.stream import ACCEPTED, TRANSFER
from cells.payments.transfer import Transfer
from cells.webhooks.event import event_id_of
from residency.ids import mint
from tests.support.eu_cell import CELL, EuCell

BY = component("wallet")


@dataclass
class Emitted:
    """An event that is to be, and its id once its entry is written."""

    tenant_id: str
    event_type: str
    reason_code: str | None = None
    resource_id: str = field(default_factory=lambda: mint("tr", CELL.name))
    event_id: str = ""


def an_event(cell: EuCell, event_type: str = "transfer.completed") -> Emitted:
    return Emitted(cell.tenant.tenant_id, event_type, "ü")


async def emit(connection: Connection, *events: Emitted) -> None:
    """Write them in the caller's transaction."""
    legs = [_leg(one) for one in events]
    await store_lives.begin(connection, CELL.region, TRANSFER, [Birth(one, ACCEPTED, BY) for one in legs])
    changes = [_change(leg, event) for leg, event in zip(legs, events, strict=True)]
    await store_lives.append(connection, CELL.region, TRANSFER, changes)
    streams = await journal.read(connection, CELL.region, [one.resource_id for one in events])
    for one in events:
        one.event_id = event_id_of(streams[one.resource_id][-1])


def _leg(event: Emitted) -> Transfer:
    return Transfer(
        transfer_id=event.resource_id, tenant_id=event.tenant_id, leg=Leg.ORIGIN, state=INITIAL[Leg.ORIGIN], version=1,
        wallet_id=mint("wal", CELL.name), origin_cell="eu-1", destination_cell="id-1", quote_id=mint("qt", CELL.name),
        recipient_id=f"{mint('rcp', 'id-1')}.IDR.AbC", payer_id=mint("pyr", CELL.name), source_currency="EUR", target_currency="IDR",
        principal=9_940, margin=60, fee=150, target_amount=181_234_500, recipient_fee=0, rail="bi_fast", screening="clear",
        metadata={"order": "10021"},
    )  # fmt: skip


def _change(leg: Transfer, event: Emitted) -> Change[Transfer]:
    step, state = next(_steps_to(event.event_type))
    back = {"returned": leg.target_amount, "credited": leg.principal} if event.event_type.endswith("returned") else {}
    now = replace(leg, state=state, version=2, reason_code=event.reason_code, **back)
    return Change(leg, now, TRANSFER.kind(step), BY)


def _steps_to(event_type: str) -> Iterator[tuple[str, object]]:
    for (leg, _, step), advance in TABLE.items():
        if (
            leg is not Leg.DESTINATION
            and Effect.NOTIFY in advance.effects
            and type_of_state(advance.state) == event_type
        ):
            yield str(step), advance.state
