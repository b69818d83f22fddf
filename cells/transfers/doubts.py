"""What is done about a scheme's silence, and about a late word that contradicts an earlier one.

    silence         `hold` in the rail's profile: the money stays held, and the rail is asked again and again.
                    `restore`: after the profile's time for it, and an inquiry in vain, the payer gets it back, although the
                    outcome is unknown; after the finality time also without an inquiry, which may not get through.
    late "settled"  of a payment in doubt: its answer. Of one that was given back: IN_DOUBT_LOSS, an alert, and a notice.
    late "refused"  of a payment in doubt: its answer. Of one that was posted: on record, an alert, and nothing moves.

A word is on record before the scheme is answered; the wallet's actor acts upon it, and the sweep tells it again until it has.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta

from cells.backends.postgres import Connection
from cells.kit.command import Command
from cells.rails import store as submissions
from cells.rails.profile import RailProfile
from cells.rails.rail import Outcome, Refused, Settled, transfer_id_of
from cells.transfers import store, store_doubts
from cells.transfers.machine import Event
from cells.transfers.rail_desk import command_of
from cells.transfers.returned import TIMED_OUT
from cells.transfers.transfer import Told
from residency.ids import MalformedId

_log = logging.getLogger("kovra.doubts")
_LIMIT = 500


async def restorable(connection: Connection, region: str, rails: Sequence[RailProfile]) -> list[Command]:
    """Words for the wallets whose money must be given back now, by the rules of its rail. `rails`: as the cell is connected to them."""
    commands: list[Command] = []
    for profile in rails:
        if profile.restore_time_s is not None:
            times = (timedelta(seconds=profile.restore_time_s), timedelta(seconds=profile.finality_time_s))
            for one in await store_doubts.silent(connection, region, profile.name, times, _LIMIT):
                told = Told(one.transfer_id, Event.RESTORE, {"reason_code": TIMED_OUT})
                commands.append(Command(f"{one.transfer_id}:{told.event}", one.wallet_id, "tell", told))
    return commands


async def contradicted(connection: Connection, region: str) -> list[Command]:
    """Words for the wallets of payments that were made after they had been given back."""
    return [
        Command(
            f"{one.transfer_id}:{Event.RAIL_SETTLED}:late",
            one.wallet_id,
            "tell",
            Told(one.transfer_id, Event.RAIL_SETTLED, {"scheme_reference": one.scheme_reference}),
        )
        for one in await store_doubts.to_book(connection, region, _LIMIT)
    ]


async def take_late_answers(
    connection: Connection, region: str, rail: str, answers: Mapping[str, Outcome]
) -> list[Command]:
    """Put a scheme's answers that nobody waited for on record; `answers`: by end-to-end id. The words for the wallets.

    What is not final, and what is said of a payment that this rail was never asked for, says nothing.
    """
    final = {
        payment: outcome
        for reference, outcome in answers.items()
        if isinstance(outcome, Settled | Refused) and (payment := _payment_of(reference))
    }
    asked = await store_doubts.asked(connection, region, rail, sorted(final))
    for stranger in final.keys() - asked.keys():
        _log.warning("%s answers for %s, which it was not asked for", rail, stranger)
    first = [(one, final[one]) for one, row in asked.items() if row.outcome is None]
    opposed = [
        (one, final[one])
        for one, row in asked.items()
        if row.outcome is not None and (row.outcome == "settled") != isinstance(final[one], Settled)
    ]
    if first:
        await submissions.record(connection, region, first)
    if opposed:
        tenants = {one: asked[one].tenant_id for one, _ in opposed}
        new = await store_doubts.contradict(connection, region, rail, opposed, tenants)
        for one, outcome in opposed:
            if one in new and isinstance(outcome, Refused):
                _log.critical("%s was settled by %s, which now says that it was not", one, rail)
    # A wallet hears the record's first word first, and acts upon it; then the sweep tells it of the second (`contradicted`).
    legs = await store.read(connection, region, [one for one, _ in first])
    return [command_of(legs[one], outcome) for one, outcome in first]


def _payment_of(reference: str) -> str:
    try:
        return transfer_id_of(reference)
    except MalformedId:
        return ""
