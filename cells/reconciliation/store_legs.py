"""Legs of payments as facts, in pages: the row, its quote, and the sums of its applied postings. SQL only; writes nothing."""

from collections.abc import Sequence

from cells.backends.postgres import Connection, Record
from cells.ledger.codes import Code, Phase
from cells.reconciliation.legs import LegFacts, QuoteFacts
from cells.transfers.machine import Leg, State

_LEG = """
    select t.transfer_id, t.leg, t.state, t.origin_cell, t.destination_cell, t.source_currency, t.target_currency, t.principal,
        t.margin, t.fee, t.target_amount, t.recipient_fee, q.principal_minor, q.margin_minor, q.fee_minor, q.target_minor
    from transfers t left join quotes q on q.compliance_region = t.compliance_region and q.quote_id = t.quote_id
    where t.compliance_region = $1
"""


async def page(connection: Connection, region: str, after: str, limit: int, leg: Leg | None = None) -> list[LegFacts]:
    """Legs by transfer id after that one, of that kind or of any."""
    rows = await connection.fetch(
        f"{_LEG} and t.transfer_id > $2 and ($4::text is null or t.leg = $4) order by t.transfer_id limit $3",
        region, after, limit, None if leg is None else str(leg),
    )  # fmt: skip
    return await _with_postings(connection, region, rows)


async def find(connection: Connection, region: str, transfer_ids: Sequence[str]) -> dict[str, LegFacts]:
    """The legs among those ids."""
    rows = await connection.fetch(f"{_LEG} and t.transfer_id = any ($2::text[])", region, transfer_ids)
    return {one.transfer_id: one for one in await _with_postings(connection, region, rows)}


async def _with_postings(connection: Connection, region: str, rows: Sequence[Record]) -> list[LegFacts]:
    sums = await connection.fetch(
        """
        select payment_id, (mark & 255)::integer, code, sum(amount) from postings
        where compliance_region = $1 and payment_id = any ($2::text[]) and state = 'applied' group by 1, 2, 3
        """,
        region, [row[0] for row in rows],
    )  # fmt: skip
    applied: dict[str, dict[Phase, dict[Code, int]]] = {}
    for payment, phase, code, amount in sums:
        if code in _CODES and phase in _PHASES:
            applied.setdefault(payment, {}).setdefault(Phase(phase), {})[Code(code)] = int(amount)
    return [_leg(row, applied.get(row[0], {})) for row in rows]


def _leg(row: Record, applied: dict[Phase, dict[Code, int]]) -> LegFacts:
    return LegFacts(
        transfer_id=row["transfer_id"],
        leg=Leg(row["leg"]),
        state=State(row["state"]),
        origin_cell=row["origin_cell"],
        destination_cell=row["destination_cell"],
        source_currency=row["source_currency"],
        target_currency=row["target_currency"],
        principal=row["principal"],
        margin=row["margin"],
        fee=row["fee"],
        target=row["target_amount"],
        recipient_fee=row["recipient_fee"],
        quote=None if row["principal_minor"] is None else QuoteFacts(*list(row)[12:16]),
        applied=applied,
    )


_CODES = {int(code) for code in Code}
_PHASES = {int(phase) for phase in Phase}
