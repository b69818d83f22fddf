"""Legs of payments as facts, in pages: the row, its quote, and the sums of the postings that follow from its stream. Writes nothing."""

from collections.abc import Sequence

from cells.backends.postgres import Connection, Record
from cells.ledger.chart import read_posting
from cells.ledger.codes import Code, Phase
from cells.ledger.codes import Leg as LedgerLeg
from cells.payments.machine import Leg, State
from cells.reconciliation.legs import LegFacts, QuoteFacts
from cells.reconciliation.lives import Lives
from cells.reconciliation.postings import Expected
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


async def page(lives: Lives, after: str, limit: int, leg: Leg | None = None) -> list[LegFacts]:
    """Legs by transfer id after that one, of that kind or of any."""
    rows = await lives.connection.fetch(
        f"{_LEG} and t.transfer_id > $2 and ($4::text is null or t.leg = $4) order by t.transfer_id limit $3",
        lives.spec.region, after, limit, None if leg is None else str(leg),
    )  # fmt: skip
    return await _with_postings(lives, rows)


async def find(lives: Lives, transfer_ids: Sequence[str]) -> dict[str, LegFacts]:
    """The legs among those ids."""
    rows = await lives.connection.fetch(f"{_LEG} and t.transfer_id = any ($2::text[])", lives.spec.region, transfer_ids)
    return {one.transfer_id: one for one in await _with_postings(lives, rows)}


async def _with_postings(lives: Lives, rows: Sequence[Record]) -> list[LegFacts]:
    ids = [row[0] for row in rows]
    postings = await lives.of(ids)
    came = await came_back(lives.connection, lives.spec.region, ids)
    return [_leg(row, *_sums(postings.get(row[0], ())), came.get(row[0], Came())) for row in rows]


def _sums(postings: Sequence[Expected]) -> tuple[_Sums, _Sums]:
    """What is applied of a payment's postings, added up by phase and code: those of its own chains, and those beside."""
    own, beside = _Sums(), _Sums()
    for one in postings:
        if one.state == "applied":
            mark, code = read_posting(one.posting), Code(one.posting.code)
            of_phase = (beside if mark.leg in _BESIDE else own).setdefault(mark.phase, {})
            of_phase[code] = of_phase.get(code, 0) + one.posting.amount
    return own, beside


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


_PAID_OR_HELD = sorted(
    {
        str(state)
        for state in State
        for leg in (Leg.DESTINATION, Leg.IN_REGION)
        for kind in (Standing.HELD, Standing.POSTED)
        if is_in(leg, state, kind)
    }
)
