"""Batches as facts, in pages: the row, its lines and its payments. SQL only; writes nothing."""

from cells.backends.postgres import Connection, Record
from cells.batches.batch import State
from cells.kit.money import CURRENCIES
from cells.ledger import chart
from cells.payments.machine import Leg
from cells.payments.machine import State as PaymentState
from cells.reconciliation.batches import BatchFacts
from cells.reconciliation.standing import Standing, is_in


async def page(connection: Connection, region: str, after: str, limit: int) -> list[BatchFacts]:
    """Batches by id, after that one."""
    rows = await connection.fetch(
        """
        select b.batch_id, b.state, t.owner_number, b.source_currency, w.qualifier, coalesce(b.funding_minor, 0), b.remainder_minor,
            l.priced, l.of_lines, l.lines, p.of_payments, p.payments, p.spent, p.held, p.frozen
        from batches b
        join wallets w using (compliance_region, wallet_id)
        join tenants t on t.compliance_region = b.compliance_region and t.tenant_id = w.tenant_id
        cross join lateral (
            select coalesce(sum(source_minor), 0) as priced, coalesce(sum(source_minor) filter (where state = 'ACCEPTED'), 0) as of_lines,
                count(*) filter (where state = 'ACCEPTED') as lines
            from batch_lines where compliance_region = $1 and batch_id = b.batch_id
        ) l
        cross join lateral (
            select coalesce(sum(principal + margin + fee), 0) as of_payments, count(*) as payments,
                coalesce(sum(principal + margin + fee) filter (where state = any ($4::text[]) and not released), 0) as spent,
                coalesce(sum(principal + margin + fee) filter (where not released and (leg = 'origin' and state = any ($5::text[])
                    or leg = 'in_region' and state = any ($6::text[]))), 0) as held,
                coalesce(sum(principal + margin + fee) filter (where state = any ($7::text[]) or released), 0) as frozen
            from transfers where compliance_region = $1 and batch_id = b.batch_id
        ) p
        where b.compliance_region = $1 and b.batch_id > $2 order by b.batch_id limit $3
        """,
        region, after, limit, _states(Leg.ORIGIN, Standing.POSTED), _states(Leg.ORIGIN, Standing.HELD),
        _states(Leg.IN_REGION, Standing.HELD), _states(Leg.ORIGIN, Standing.FROZEN),
    )  # fmt: skip
    return [_facts(row) for row in rows]


def _facts(row: Record) -> BatchFacts:
    priced, of_lines, lines, of_payments, payments, spent, held, frozen = map(int, list(row)[7:])
    account = chart.wallet(row["owner_number"], CURRENCIES[row["source_currency"]].number, row["qualifier"])
    return BatchFacts(
        row["batch_id"], State(row["state"]), account, row[5], row["remainder_minor"], priced, of_lines, lines, of_payments, payments,
        spent, held, frozen,
    )  # fmt: skip


def _states(leg: Leg, standing: Standing) -> list[str]:
    return [str(state) for state in PaymentState if is_in(leg, state, standing)]
