"""A scheme's answers, put on record, whoever brings them: the rail's actor, which asked, or the door, where they come by themselves.

Invariants: the first final answer of a payment stands; one that says the opposite is kept beside it (`contradictions`), and so is a report
that says both; each is alarmed once, by a critical line and a gauge.
"""

import logging
from collections.abc import Mapping

from cells.backends.postgres import Connection
from cells.payments import store_doubts
from cells.payments.store_doubts import Asked, Contradiction
from cells.rails import store as submissions
from cells.rails.rail import InDoubt, Outcome, Refused, Settled

_log = logging.getLogger("kovra.answers")


async def record(
    connection: Connection, region: str, rail: str, answers: Mapping[str, Outcome], *, inquired: bool
) -> dict[str, Outcome]:
    """Put answers on record; `answers`: by transfer id, of payments that the rail was asked for. The outcome that stands on the record of
    those whose answer is another: contradicts it, or leaves open what has been decided meanwhile.

    `inquired`: whether we asked, so that a doubtful answer counts as an inquiry in vain.
    """
    for transfer_id, outcome in answers.items():
        if isinstance(outcome, InDoubt) and outcome.cause == "unclear":
            _log.warning("%s refuses %s under %r, which ends no payment of that rail", rail, transfer_id, outcome.code)
    wanted = [(one, outcome) for one, outcome in answers.items() if inquired or _may_contradict(outcome)]
    closed = await submissions.record(connection, region, wanted, inquired=inquired)
    odd = {one: outcome for one, outcome in answers.items() if one not in closed}
    if not odd:
        return {}
    rows = await store_doubts.asked(connection, region, rail, sorted(odd))
    found = [one for one in (_contradiction(row, odd[row.transfer_id]) for row in rows.values()) if one is not None]
    new = await store_doubts.contradict(connection, region, rail, found) if found else set()
    for one in found:
        if one.transfer_id in new:
            standing = rows[one.transfer_id].outcome
            _log.critical(
                "%s contradicts itself about %s: %s, after %s",
                rail,
                one.transfer_id,
                f"{one.said} {one.reason_code or ''}".strip(),
                "no final answer" if standing is None else type(standing).__name__,
            )
    against = {one.transfer_id for one in found}
    return {one: row.outcome for one, row in rows.items() if row.outcome and (one in against or not odd[one].final)}


def _may_contradict(outcome: Outcome) -> bool:
    return outcome.final or (isinstance(outcome, InDoubt) and outcome.cause in ("unclear", "contradiction"))


def _contradiction(row: Asked, outcome: Outcome) -> Contradiction | None:
    """What the answer says against the record; None where it agrees, or says nothing that could be opposed."""
    match outcome, row.outcome:
        case InDoubt(cause="contradiction"), _:
            return Contradiction(row.transfer_id, row.tenant_id, "both")
        case Settled(scheme_reference=reference), Refused():
            return Contradiction(row.transfer_id, row.tenant_id, "settled", scheme_reference=reference)
        case (Refused(reason_code=code), Settled()) | (InDoubt(cause="unclear", code=code), Settled()):
            return Contradiction(row.transfer_id, row.tenant_id, "refused", reason_code=code)
    return None
