"""The journal's postings: planned before the ledger is asked, closed with its word. Multi-row statements; nothing commits here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cells.backends.postgres import Connection
from cells.ledger.entry import Posting
from cells.ledger.submit import ChainResult, Closing
from cells.payments.machine import Effect


@dataclass(frozen=True, slots=True)
class Planned:
    """A chain in the journal: the postings of one effect of one payment, in order, before the ledger is asked."""

    payment_id: str
    tenant_id: str
    effect: Effect | str
    attempt: int
    chain: Sequence[Posting]


async def plan_postings(connection: Connection, region: str, planned: Sequence[Planned]) -> None:
    """Journal chains. One that is journaled already (the same ids) stays as it is."""
    if not planned:
        return
    # One document for a batch: the driver looks into every element of an array, and asks of each whether it is one too.
    rows = [
        {
            "posting_id": _hex(posting.id),
            "tenant_id": one.tenant_id,
            "payment_id": one.payment_id,
            "effect": str(one.effect),
            "attempt": one.attempt,
            "place": place,
            "debit_account": _hex(posting.debit_account_id),
            "credit_account": _hex(posting.credit_account_id),
            "amount": str(posting.amount),
            "ledger": posting.ledger,
            "code": posting.code,
            "flags": posting.flags,
            "pending_id": _hex(posting.pending_id) if posting.pending_id else None,
            "mark": posting.user_data_64,
        }
        for one in planned
        for place, posting in enumerate(one.chain)
    ]
    await connection.execute(
        """
        insert into postings (compliance_region, posting_id, tenant_id, payment_id, effect, attempt, place, debit_account,
            credit_account, amount, ledger, code, flags, pending_id, mark)
        select $1, n.* from jsonb_to_recordset($2::jsonb) as n (posting_id uuid, tenant_id text, payment_id text, effect text,
            attempt integer, place smallint, debit_account uuid, credit_account uuid, amount numeric, ledger integer,
            code integer, flags integer, pending_id uuid, mark bigint)
        on conflict do nothing
        """,
        region, rows,
    )  # fmt: skip


async def close_postings(
    connection: Connection, region: str, results: Iterable[tuple[Sequence[Posting], ChainResult]]
) -> None:
    """Write down the ledger's word on whole chains: applied, or failed with the code that broke it."""
    closed: dict[Closing, list[str]] = {}
    for chain, result in results:
        closed.setdefault(result.closing, []).extend([_hex(posting.id) for posting in chain])
    for closing, posting_ids in closed.items():
        await connection.execute(
            "update postings set state = $3, result = $4 where compliance_region = $1 and posting_id = any ($2::uuid[])",
            region, posting_ids, closing.state, closing.result,
        )  # fmt: skip


def _hex(number: int) -> str:
    """A u128 as the text of a uuid: the driver takes text much faster than it takes objects."""
    return f"{number:032x}"
