"""The journal's postings: planned before the ledger is asked, closed with its word. Multi-row statements; nothing commits here."""

from collections.abc import Sequence
from dataclasses import dataclass

from cells.backends.postgres import Connection
from cells.ledger.entry import Posting, PostingResult
from cells.transfers.machine import Effect


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
    rows = [(one, place, posting) for one in planned for place, posting in enumerate(one.chain)]
    await connection.execute(
        """
        insert into postings (compliance_region, posting_id, tenant_id, payment_id, effect, attempt, place, debit_account,
            credit_account, amount, ledger, code, flags, pending_id, mark)
        select $1, * from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::integer[], $7::smallint[], $8::uuid[],
            $9::uuid[], $10::numeric[], $11::integer[], $12::integer[], $13::integer[], $14::uuid[], $15::bigint[])
        on conflict do nothing
        """,
        region,
        [_hex(posting.id) for _, _, posting in rows],
        [one.tenant_id for one, _, _ in rows],
        [one.payment_id for one, _, _ in rows],
        [str(one.effect) for one, _, _ in rows],
        [one.attempt for one, _, _ in rows],
        [place for _, place, _ in rows],
        [_hex(posting.debit_account_id) for _, _, posting in rows],
        [_hex(posting.credit_account_id) for _, _, posting in rows],
        [posting.amount for _, _, posting in rows],
        [posting.ledger for _, _, posting in rows],
        [posting.code for _, _, posting in rows],
        [posting.flags for _, _, posting in rows],
        [_hex(posting.pending_id) if posting.pending_id else None for _, _, posting in rows],
        [posting.user_data_64 for _, _, posting in rows],
    )


async def close_postings(
    connection: Connection, region: str, results: Sequence[tuple[Sequence[Posting], PostingResult]]
) -> None:
    """Write down the ledger's word on whole chains: applied, or failed with the code that broke it."""
    rows = [(posting.id, result) for chain, result in results for posting in chain]
    await connection.execute(
        """
        update postings p set state = n.state, result = n.result
        from unnest($2::uuid[], $3::text[], $4::integer[]) as n (posting_id, state, result)
        where p.compliance_region = $1 and p.posting_id = n.posting_id
        """,
        region,
        [_hex(posting_id) for posting_id, _ in rows],
        ["applied" if result is PostingResult.CREATED else "failed" for _, result in rows],
        [None if result is PostingResult.CREATED else int(result) for _, result in rows],
    )


def _hex(number: int) -> str:
    """A u128 as the text of a uuid: the driver takes text much faster than it takes objects."""
    return f"{number:032x}"
