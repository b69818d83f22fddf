"""What changes of a leg beside the steps of its life: the instructed cell's answer, a rail's silence, another rail. Each is an entry of its own.

Multi-row, inside the caller's transaction; what is marked so already is left as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from cells.backends.postgres import Connection
from cells.journal import store_lives
from cells.journal.entry import Author
from cells.journal.life import Change
from cells.payments import store
from cells.payments.machine import State
from cells.payments.stream import ANSWERED, DOUBTED, REROUTED, TRANSFER
from cells.payments.transfer import Transfer


async def answer(
    connection: Connection,
    region: str,
    loaded: Mapping[str, Transfer],
    answers: Mapping[str, dict[str, Any]],
    by: Author,
) -> list[Transfer]:
    """Keep what instructed cells have answered, by transfer id; the first answer stands. The legs as they are then."""
    now = {
        one: replace(loaded[one], answer=said, version=loaded[one].version + 1)
        if loaded[one].answer is None
        else loaded[one]
        for one, said in answers.items()
    }
    changes = [Change(loaded[one], leg, ANSWERED, by) for one, leg in now.items() if leg is not loaded[one]]
    await store_lives.append(connection, region, TRANSFER, changes)
    return list(now.values())


async def doubt(connection: Connection, region: str, transfer_ids: Sequence[str], by: Author) -> None:
    """The rail has not said what became of these payments; one that is not with a rail any more needs no mark."""
    legs = await store.load(connection, region, sorted(set(transfer_ids)))
    changes = [
        Change(one, replace(one, in_doubt=True), DOUBTED, by)
        for one in legs.values()
        if one.state is State.PENDING_RAIL and not one.in_doubt
    ]
    await store_lives.append(connection, region, TRANSFER, changes)


async def reroute(connection: Connection, region: str, rails: Mapping[str, str], by: Author) -> None:
    """Other rails, by transfer id, are to pay."""
    legs = await store.load(connection, region, sorted(rails))
    changes = [Change(leg, replace(leg, rail=rails[one]), REROUTED, by) for one, leg in legs.items()]
    await store_lives.append(connection, region, TRANSFER, changes)
