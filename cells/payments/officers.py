"""An officer's word on a case, put on record: the decision, and the audit entry, in the caller's commit of the deed itself.

The caller holds the case's row locked. Saying the same again changes nothing, before and after it is done.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from cells.audit import store as audit
from cells.audit.entry import Entry
from cells.backends.postgres import Connection
from cells.compliance import store_decisions
from cells.compliance.decisions import Asked, Decision, weigh
from cells.kit.operator import operator_actor
from residency.directory import CellEntry
from residency.errors import needed
from residency.ids import mint


async def decided_already(
    connection: Connection, entry: CellEntry, case_id: str, case_version: str, asked: Asked
) -> Decision | None:
    """The decision that this one repeats: the last that was done of the case, where it was the same deed on an earlier version, by one of
    the same officers. The caller checks it before it finds that the case has moved on."""
    done = [one for one in await _of_case(connection, entry, case_id) if one.state == "done"]
    if not done or done[-1].deed is not asked.deed or done[-1].case_version == case_version:
        return None
    return done[-1] if asked.officer in (done[-1].officer, done[-1].second_officer) else None


async def decide(
    connection: Connection, entry: CellEntry, case: tuple[str, str, str], asked: Asked, *, two: bool
) -> Decision:
    """Put it on record. `case`: its id, its version as it stands, and whose it is. Once the answer is `done`, the caller carries out the
    deed, in the same transaction."""
    case_id, version, tenant_id = case
    region = entry.region
    proposed: Decision | None = None
    for one in await _of_case(connection, entry, case_id):
        if one.state == "proposed" and one.case_version != version:
            await store_decisions.close(connection, region, one.decision_id, "lapsed")
        elif one.state == "proposed":
            proposed = one
    weighed = weigh(proposed, asked, two=two)
    if weighed == "wait":
        return needed(proposed, "only a proposal waits")
    if weighed == "confirm":
        proposed = needed(proposed, "only a proposal is confirmed")
        await store_decisions.close(connection, region, proposed.decision_id, "done", asked.officer, asked.reason)
        made = replace(proposed, state="done", second_officer=asked.officer, second_reason=asked.reason)
    else:
        if proposed is not None:
            await store_decisions.close(connection, region, proposed.decision_id, "superseded")
        made = Decision(
            mint("dec", entry.name), case_id, version, tenant_id, asked.deed, asked.officer, asked.reason, asked.reference,
            state="proposed" if weighed == "propose" else "done",
        )  # fmt: skip
        await store_decisions.insert(connection, region, made)
    action = f"review.{asked.deed}" if made.state == "done" else f"review.{asked.deed}.proposed"
    await record(connection, entry, asked.officer, tenant_id, action, case_id, asked.reason, made.decision_id)
    return made


async def record(
    connection: Connection, entry: CellEntry, officer: str, tenant_id: str, action: str, case_id: str, outcome: str, why: str
) -> None:  # fmt: skip
    """One line of the audit trail, in the caller's commit. `why`: the decision that it belongs to."""
    line = Entry(datetime.now(UTC), operator_actor(officer), tenant_id, action, case_id, outcome, why)
    await audit.append(connection, entry.region, entry.name, [line])


async def _of_case(connection: Connection, entry: CellEntry, case_id: str) -> Sequence[Decision]:
    return (await store_decisions.of_cases(connection, entry.region, [case_id])).get(case_id, [])
