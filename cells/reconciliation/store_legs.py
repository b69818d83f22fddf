"""Legs of payments as facts, in pages: the row, its quote, and the sums of its applied postings. SQL only; writes nothing."""

from collections.abc import Sequence

from cells.backends.postgres import Connection, Record
from cells.ledger.codes import Code, Phase
from cells.ledger.codes import Leg as LedgerLeg
from cells.payments.machine import Leg, State
from cells.reconciliation.legs import LegFacts, QuoteFacts
from cells.reconciliation.returns import Came, ReturnSum
from cells.reconciliation.standing import Standing, is_in

_Sums = dict[Phase, dict[Code, int]]
_BESIDE = (LedgerLeg.RETURN, LedgerLeg.LOSS)
_CAME = """
    sum(r.amount), coalesce(sum(r.amount) filter (where r.state <> 'received'), 0),
    coalesce(sum(r.principal_back) filter (where r.state <> 'received'), 0),
    coalesce(sum(r.margin_back) filter (where r.state <> 'received'), 0),
    coalesce(sum(r.fee_back) filter (where r.state <> 'received'), 0)
"""
_LEG = """
    select t.transfer_id, t.leg, t.state, t.origin_cell, t.destination_cell, t.source_currency, t.target_currency, t.principal,
        t.margin, t.fee, t.target_amount, t.recipient_fee, t.attempt, q.principal_minor, q.margin_minor, q.fee_minor, q.target_minor,
        q.recipient_fee_minor
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
        select payment_id, (mark & 255)::integer, code, sum(amount), (mark >> 16)::integer = any ($3::integer[]) from postings
        where compliance_region = $1 and payment_id = any ($2::text[]) and state = 'applied' group by 1, 2, 3, 5
        """,
        region, [row[0] for row in rows], [int(one) for one in _BESIDE],
    )  # fmt: skip
    applied: dict[str, _Sums] = {}
    beside: dict[str, _Sums] = {}
    for payment, phase, code, amount, is_beside in sums:
        if code in _CODES and phase in _PHASES:
            kept = beside if is_beside else applied
            kept.setdefault(payment, {}).setdefault(Phase(phase), {})[Code(code)] = int(amount)
    came = await came_back(connection, region, [row[0] for row in rows])
    return [_leg(row, applied.get(row[0], {}), beside.get(row[0], {}), came.get(row[0], Came())) for row in rows]


async def came_back(connection: Connection, region: str, transfer_ids: Sequence[str]) -> dict[str, Came]:
    """What the rows of their returns say, by transfer id; payments of which nothing came back are absent."""
    rows = await connection.fetch(
        f"select r.transfer_id, {_CAME} from returns r where compliance_region = $1 and r.transfer_id = any ($2::text[]) group by 1",
        region, transfer_ids,
    )  # fmt: skip
    return {row[0]: Came(*map(int, list(row)[1:])) for row in rows}


async def return_sums(connection: Connection, region: str) -> list[ReturnSum]:
    """All returns, added up by what their legs have in common."""
    rows = await connection.fetch(
        f"""
        select t.leg, r.rail, t.origin_cell, t.destination_cell, t.source_currency, t.target_currency,
            t.state = 'LOST', count(*) filter (where r.state = 'received' or r.state = 'booked' and t.leg = 'destination'
            and t.state <> 'LOST'), {_CAME}
        from returns r join transfers t using (compliance_region, transfer_id)
        where r.compliance_region = $1 group by 1, 2, 3, 4, 5, 6, 7
        """,
        region,
    )
    return [
        ReturnSum(Leg(row[0]), row[1], row[2], row[3], row[4], row[5], row[6], row[7], Came(*map(int, list(row)[8:])))
        for row in rows
    ]


async def restored(connection: Connection, region: str) -> dict[str, int]:
    """By rail: what was given back to payers although the rail has been asked and has not said that it will never pay."""
    rows = await connection.fetch(
        """
        select s.rail, sum(t.target_amount - t.recipient_fee)
        from submissions s join transfers t using (compliance_region, transfer_id)
        where s.compliance_region = $1 and t.state <> all ($2::text[]) and t.state <> 'LOST'
          and (s.state = 'asked' or s.state <> 'queued' and s.outcome = 'settled')
        group by 1
        """,
        region, _PAID_OR_HELD,
    )  # fmt: skip
    return {row[0]: int(row[1]) for row in rows}


def _leg(row: Record, applied: _Sums, beside: _Sums, came: Came) -> LegFacts:
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
        attempt=row["attempt"],
        quote=None if row["principal_minor"] is None else QuoteFacts(*list(row)[13:18]),
        applied=applied,
        beside=beside,
        came=came,
    )


_CODES = {int(code) for code in Code}
_PHASES = {int(phase) for phase in Phase}
_PAID_OR_HELD = sorted(
    {
        str(state)
        for state in State
        for leg in (Leg.DESTINATION, Leg.IN_REGION)
        for kind in (Standing.HELD, Standing.POSTED)
        if is_in(leg, state, kind)
    }
)
