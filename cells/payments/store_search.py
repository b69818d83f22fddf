"""A cell's payments as its operator searches them: every tenant's, both legs, by id from the newest back. Reads only.

Like a partner's list (store_list.py), a page looks at so many rows at most: a filter that few meet gives a page that is not full, and
a cursor that leads on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cells.backends.postgres import Connection
from cells.payments.machine import State, public
from cells.payments.store import COLUMNS, transfer_of
from cells.payments.transfer import Transfer

SCANNED_MAX = 100_000
# What leaves the wallet; of a leg that pays out for another cell, what it pays out.
_AMOUNT = "case leg when 'destination' then target_amount else principal + margin + fee end"
_CURRENCY = "case leg when 'destination' then target_currency else source_currency end"
_RAIL = "coalesce(answer->>'rail', rail)"


@dataclass(frozen=True, slots=True)
class Sought:
    """What a payment must be; None, False and empty let all through. Amounts in minor units of `currency`, both ends included;
    `created_to` is not. `states`: those of the journal."""

    tenant_id: str | None = None
    states: Sequence[str] = ()
    rail: str | None = None
    currency: str | None = None
    amount_from: int | None = None
    amount_to: int | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    batch_id: str | None = None
    reason_code: str | None = None
    in_doubt: bool = False


def states_shown_as(*shown: str) -> list[str]:
    """The journal's states that partners see as one of these."""
    return [str(state) for state in State if str(public(state)) in shown]


async def search(
    connection: Connection,
    region: str,
    sought: Sought,
    *,
    before_id: str | None = None,
    limit: int = 50,
    scanned_max: int = SCANNED_MAX,
) -> tuple[list[Transfer], str | None]:
    """Payments before an id, `limit` at most, and the cursor that leads on (None: that was all)."""
    rows = await connection.fetch(
        f"""
        WITH scanned AS (
            SELECT {COLUMNS} FROM transfers
            WHERE compliance_region = $1 AND ($2::text IS NULL OR transfer_id < $2) AND ($4::text IS NULL OR tenant_id = $4)
            ORDER BY transfer_id DESC LIMIT $3
        )
        SELECT {COLUMNS} FROM scanned
        WHERE ($5::text[] = '{{}}' OR state = ANY ($5)) AND ($6::text IS NULL OR {_RAIL} = $6)
          AND ($7::text IS NULL OR {_CURRENCY} = $7) AND ($8::bigint IS NULL OR {_AMOUNT} >= $8)
          AND ($9::bigint IS NULL OR {_AMOUNT} <= $9) AND ($10::timestamptz IS NULL OR created_at >= $10)
          AND ($11::timestamptz IS NULL OR created_at < $11) AND ($12::text IS NULL OR batch_id = $12)
          AND ($13::text IS NULL OR reason_code = $13) AND (NOT $14 OR in_doubt)
        ORDER BY transfer_id DESC LIMIT $15
        """,
        region, before_id, scanned_max, sought.tenant_id, list(sought.states), sought.rail, sought.currency,
        sought.amount_from, sought.amount_to, sought.created_from, sought.created_to, sought.batch_id, sought.reason_code,
        sought.in_doubt, limit + 1,
    )  # fmt: skip
    found = [transfer_of(row) for row in rows[:limit]]
    if len(rows) > limit:
        return found, found[-1].transfer_id
    stopped_at: str | None = await connection.fetchval(
        """
        SELECT transfer_id FROM transfers
        WHERE compliance_region = $1 AND ($2::text IS NULL OR transfer_id < $2) AND ($4::text IS NULL OR tenant_id = $4)
        ORDER BY transfer_id DESC OFFSET $3 LIMIT 1
        """,
        region, before_id, scanned_max - 1, sought.tenant_id,
    )  # fmt: skip
    return found, stopped_at
