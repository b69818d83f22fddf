"""The table `review_decisions`. Multi-row statements in the caller's transaction; never commits.

Who writes holds the case's own row locked until the commit, so what is read here is what is decided upon.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields

from cells.backends.postgres import Connection, Record
from cells.compliance.decisions import Decision, Deed

_COLUMNS = ", ".join(field.name for field in fields(Decision))


async def insert(connection: Connection, region: str, decision: Decision) -> None:
    """A first decision: proposed, or done at once."""
    await connection.execute(
        """
        insert into review_decisions (compliance_region, decision_id, case_id, case_version, tenant_id, deed, officer, reason, reference,
            state, closed_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, case when $10 = 'proposed' then null else now() end)
        """,
        region, decision.decision_id, decision.case_id, decision.case_version, decision.tenant_id, str(decision.deed),
        decision.officer, decision.reason, decision.reference, decision.state,
    )  # fmt: skip


async def close(
    connection: Connection,
    region: str,
    decision_id: str,
    state: str,
    officer: str | None = None,
    reason: str | None = None,
) -> None:
    """A proposal is done, by a second officer where one is named, superseded, or lapsed."""
    await connection.execute(
        """
        update review_decisions set state = $3, second_officer = $4, second_reason = $5, closed_at = now()
        where compliance_region = $1 and decision_id = $2 and state = 'proposed'
        """,
        region, decision_id, state, officer, reason,
    )  # fmt: skip


async def of_cases(connection: Connection, region: str, case_ids: Sequence[str]) -> Mapping[str, list[Decision]]:
    """What has been decided of each case, oldest first; cases of which nothing has are absent."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from review_decisions where compliance_region = $1 and case_id = any ($2::text[]) order by decision_id",
        region, case_ids,
    )  # fmt: skip
    found: dict[str, list[Decision]] = {}
    for row in rows:
        found.setdefault(row["case_id"], []).append(_decision(row))
    return found


def _decision(row: Record) -> Decision:
    return Decision(**{**row, "deed": Deed(row["deed"])})
