"""Quotes as rows. Batch-first; none commits. The clock is the database's, so that two processes cannot
disagree.
"""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import timedelta

from cells.backends.postgres import Connection, Record
from cells.backends.rows import Rows
from cells.fx.fees import FeeItem
from cells.fx.quotes import QUOTE_LIFETIME_S, NewQuote, Quote, QuoteExpired, QuoteUse, QuoteUsed, UnknownQuote

_COLUMNS = ", ".join(f"q.{one.name}" for one in fields(Quote))
_PRICES = Rows(
    "quotes",
    "quote_id tenant_id rail source_currency target_currency side principal_minor:bigint margin_minor:bigint fee_minor:bigint"
    " source_minor:bigint target_minor:bigint recipient_fee_minor:bigint fees:jsonb tags:jsonb margin_bps:integer rate"
    " rate_as_of:date rate_origin",
)
_USES = Rows("quotes", "transfer_id tenant_id quote_id")


async def lock_quotes(
    connection: Connection, region: str, quotes: Sequence[NewQuote], *, lifetime_s: float = QUOTE_LIFETIME_S
) -> list[Quote]:
    """Store prices as quotes that run out `lifetime_s` from the database's now; answered in order."""
    rows = await connection.fetch(
        f"""
        insert into quotes as q (compliance_region, expires_at, {_PRICES.names})
        select $1, now() + $2::interval, new.* from {_PRICES.source(3)} returning {_COLUMNS}
        """,
        region,
        timedelta(seconds=lifetime_s),
        *_PRICES.arguments(map(_row, quotes)),
    )
    stored = {row["quote_id"]: _quote(row) for row in rows}
    return [stored[one.quote_id] for one in quotes]


async def find_quotes(connection: Connection, region: str, quote_ids: Sequence[str]) -> dict[str, Quote]:
    """The quotes among `quote_ids` that the connection's role may see, by id."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from quotes q where compliance_region = $1 and quote_id = any ($2::text[])",
        region,
        quote_ids,
    )
    return {row["quote_id"]: _quote(row) for row in rows}


async def page_quotes(
    connection: Connection, region: str, tenant_id: str, before_id: str | None, limit: int
) -> list[Quote]:
    """A tenant's quotes, newest first, before an id (None: all)."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from quotes q where compliance_region = $1 and tenant_id = $2 and quote_id < $3"
        " order by quote_id desc limit $4",
        region, tenant_id, before_id or "qt_zzz", limit,
    )  # fmt: skip
    return [_quote(row) for row in rows]


async def use_quotes(
    connection: Connection, region: str, uses: Sequence[QuoteUse]
) -> dict[str, QuoteExpired | QuoteUsed | UnknownQuote]:
    """Take quotes for transfers, all in one statement: the reason against it by *transfer* id, for those that did not get theirs.

    Of several transfers that name one quote, the first in `uses` gets it. A transfer that has its quote
    already gets it again, expired or not, so that a commit whose answer was lost can be repeated.
    """
    first: dict[tuple[str, str], QuoteUse] = {}
    for use in uses:
        first.setdefault((use.quote_id, use.tenant_id), use)
    rows = await connection.fetch(
        f"""
        with held as materialized (
            -- In one order, so that two batches that share quotes cannot deadlock. Who holds a row has looked at it as it now is.
            select quote_id, tenant_id from quotes
            where compliance_region = $1 and quote_id = any ($2::text[]) and transfer_id is null and expires_at > now()
            order by quote_id for update
        )
        update quotes q set transfer_id = asked.transfer_id, used_at = now()
        from held join {_USES.source(3, "asked")} using (quote_id, tenant_id)
        where q.compliance_region = $1 and q.quote_id = any ($2) and q.quote_id = held.quote_id
        returning q.transfer_id
        """,
        region,
        [quote_id for quote_id, _ in first],
        *_USES.arguments((use.transfer_id, use.tenant_id, use.quote_id) for use in first.values()),
    )
    taken = {row["transfer_id"] for row in rows}
    left = [use for use in uses if use.transfer_id not in taken]
    found = await find_quotes(connection, region, [use.quote_id for use in left]) if left else {}
    refusals = {use.transfer_id: _refusal(use, found.get(use.quote_id)) for use in left}
    return {transfer_id: refusal for transfer_id, refusal in refusals.items() if refusal is not None}


def _row(one: NewQuote) -> tuple[object, ...]:
    price, rate = one.price, one.price.rate
    return (
        one.quote_id, one.tenant_id, one.rail, rate.source, rate.target, price.side, price.principal_minor, price.margin_minor,
        price.fee_minor, price.source_minor, price.target_minor, price.recipient_fee_minor, [asdict(fee) for fee in price.fees],
        one.tags, price.margin_bps, rate.text, rate.as_of, rate.origin,
    )  # fmt: skip


def _quote(row: Record) -> Quote:
    return Quote(**{**row, "fees": tuple(FeeItem(**item) for item in row["fees"])})


def _refusal(use: QuoteUse, quote: Quote | None) -> QuoteExpired | QuoteUsed | UnknownQuote | None:
    """Why a quote that the update passed over was not taken; None when it was, by this very transfer, before."""
    if quote is None or quote.tenant_id != use.tenant_id:
        return UnknownQuote()
    if quote.transfer_id == use.transfer_id:
        return None
    # What is neither used nor anyone else's was passed over for its expiry: the statement has no other
    # condition.
    return QuoteUsed() if quote.transfer_id is not None else QuoteExpired()
