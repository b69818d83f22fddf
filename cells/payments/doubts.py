"""What is done about a scheme's silence, and about a late word that contradicts an earlier one.

    silence         `hold` in the rail's profile: the money stays held, and the rail is asked again and again.
                    `restore`: after the profile's time for it, and an inquiry in vain, the payer gets it back, although the
                    outcome is unknown; after the finality time also without an inquiry, which may not get through.
    late "settled"  of a payment in doubt: its answer. Of one that was given back: IN_DOUBT_LOSS, an alert, and a notice.
    late "refused"  of a payment in doubt: its answer. Of one that was posted: on record, an alert, and nothing moves.
    both at once    on record, an alert, and the payment stays in doubt: the rail is asked again.

A word is on record before the scheme is answered; the wallet's actor acts upon it, and the sweep tells it again until it has.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta

from cells.backends.postgres import Connection
from cells.kit.command import Command
from cells.payments import answers as recorded
from cells.payments import store, store_doubts
from cells.payments.machine import Event
from cells.payments.submissions import command_of
from cells.payments.transfer import Told
from cells.rails import store as submissions
from cells.rails import store_messages
from cells.rails.iso20022.reports import GroupStatus
from cells.rails.profile import RailProfile
from cells.rails.rail import Outcome, transfer_id_of
from cells.returns.returned import TIMED_OUT
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


async def untold(connection: Connection, region: str, still_for: timedelta) -> list[Command]:
    """Words for the wallets of payments whose answer is on record and has not reached them: whoever brought it has died, or was an operator."""
    found = dict(await store_doubts.untold(connection, region, still_for, _LIMIT))
    legs = await store.read(connection, region, sorted(found)) if found else {}
    return [command_of(legs[one], outcome) for one, outcome in found.items()]


async def take_late_answers(
    connection: Connection, region: str, rail: str, answers: Mapping[str, Outcome]
) -> list[Command]:
    """Put a scheme's answers that nobody waited for on record; `answers`: by end-to-end id. The words for the wallets.

    What is said of a payment that this rail was never asked for says nothing; what is in doubt tells no wallet, and is asked again.
    """
    said = {payment: outcome for reference, outcome in answers.items() if (payment := _payment_of(reference))}
    asked = await store_doubts.asked(connection, region, rail, sorted(said))
    for stranger in said.keys() - asked.keys():
        _log.warning("%s answers for %s, which it was not asked for", rail, stranger)
    known = {one: said[one] for one in asked}
    await recorded.record(connection, region, rail, known, inquired=False)
    # A wallet hears the record's first word first, and acts upon it; then the sweep tells it of the second (`contradicted`).
    first = [one for one, row in asked.items() if row.outcome is None and known[one].final]
    legs = await store.read(connection, region, first)
    return [command_of(legs[one], known[one]) for one in first]


async def named_by_messages(
    connection: Connection, region: str, rail: str, groups: Mapping[str, GroupStatus]
) -> dict[str, Outcome]:
    """What statuses of whole messages, by message id, say of the payments in those messages: by end-to-end id. A message that we never
    sent says nothing.
    """
    if not groups:
        return {}
    sent = await store_messages.sent_under(connection, region, rail, list(groups))
    for stranger in groups.keys() - sent.keys():
        _log.warning("%s answers for the message %r, which it was not sent", rail, stranger)
    return {one: groups[message_id].of(held) for message_id, held in sent.items() for one in held}


async def named_by_ids(connection: Connection, region: str, answers: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """A report's answers by end-to-end id: those that it names by a UETR alone too, of payments that we have sent."""
    others = [one for one in answers if not _payment_of(one)]
    named = await submissions.named_by_uetr(connection, region, others) if others else {}
    return {named[one]: answers[one] for one in others if one in named} | {
        one: outcome for one, outcome in answers.items() if one not in named
    }


def _payment_of(reference: str) -> str:
    try:
        return transfer_id_of(reference)
    except MalformedId:
        return ""
