"""The journal's postings: planned before the ledger is asked, closed with its word. Multi-row statements; nothing commits here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cells.backends.postgres import Connection
from cells.backends.rows import Rows
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


_ROWS = Rows(
    "postings",
    "posting_id:uuid tenant_id payment_id effect attempt:integer place:smallint debit_account:uuid credit_account:uuid amount:numeric"
    " ledger:integer code:integer flags:integer pending_id:uuid mark:bigint",
)


async def plan_postings(connection: Connection, region: str, planned: Sequence[Planned]) -> None:
    """Journal chains. One that is journaled already (the same ids) stays as it is."""
    rows = [
        (
            _hex(it.id), one.tenant_id, one.payment_id, one.effect, one.attempt, place, _hex(it.debit_account_id),
            _hex(it.credit_account_id), it.amount, it.ledger, it.code, it.flags, _hex(it.pending_id) if it.pending_id else None,
            it.user_data_64,
        )
        for one in planned
        for place, it in enumerate(one.chain)
    ]  # fmt: skip
    await _ROWS.insert(connection, rows, "on conflict do nothing", compliance_region=region)


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
