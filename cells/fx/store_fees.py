"""Fee rules as rows, and what past transfers were charged. Batch-first; none commits."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime

from cells.backends.postgres import Connection, Record
from cells.backends.rows import Rows
from cells.fx.fee_trials import PastPayment
from cells.fx.fees import PLATFORM, Circumstances, FeeItem, FeeRule
from cells.fx.offers import corridor_of
from residency.errors import KovraError

_NAMES = tuple(one.name for one in fields(FeeRule))
_COLUMNS = ", ".join(_NAMES)


# How many past payments are read at once.
_PAGE = 5_000
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


class FeeRuleRefused(KovraError):
    code = "fee-rule-refused"
    status = 409
    title = "The fee rule cannot be added"


_ROWS = Rows("fee_rules", FeeRule)
_VERSIONS = Rows("fee_rules", "tenant_id rule version:integer")


async def insert(connection: Connection, region: str, rules: Sequence[FeeRule]) -> list[FeeRule]:
    """Add versions of rules; those among them that are there already under the same name and number, as they are there."""
    await _ROWS.insert(connection, rules, "on conflict do nothing", compliance_region=region)
    rows = await connection.fetch(
        f"""
        select {_COLUMNS} from fee_rules where compliance_region = $1
          and (tenant_id, rule, version) in (select * from {_VERSIONS.source(2)})
        """,
        region,
        *_VERSIONS.arguments((one.tenant_id, one.rule, one.version) for one in rules),
    )
    stored = [FeeRule(**row) for row in rows]
    return [one for one in stored if one not in rules]


async def all_rules(connection: Connection, region: str, ending_after: datetime | None = None) -> list[FeeRule]:
    """Every version of every rule by name, tenant and version; or those alone that are or will be in force after a moment."""
    rows = await connection.fetch(
        f"""
        select {_COLUMNS} from fee_rules
        where compliance_region = $1 and ($2::timestamptz is null or effective_to is null or effective_to > $2)
        order by rule, tenant_id, version
        """,
        region,
        ending_after,
    )
    return [FeeRule(**row) for row in rows]


async def add(connection: Connection, region: str, rule: FeeRule) -> FeeRule:
    """Another version of a rule, numbered after those that are there. Raises InvalidExpression, FeeRuleRefused."""
    rule.check()
    # One at a time, or two would take the same number.
    await connection.execute("select pg_advisory_xact_lock(hashtext('fee_rules'))")
    known = await connection.fetch(
        "select version, kind from fee_rules where compliance_region = $1 and tenant_id = $2 and rule = $3", region, rule.tenant_id, rule.rule
    )  # fmt: skip
    if not _NAME.fullmatch(rule.rule):
        raise FeeRuleRefused("A rule's name has at most 40 small letters, digits and dashes, and begins with a letter.")
    if rule.effective_to is not None and rule.effective_to <= rule.effective_from:
        raise FeeRuleRefused("It would end before it begins.")
    if any(row["kind"] != rule.kind for row in known):
        raise FeeRuleRefused(f"{rule.rule} is a rule of the other kind; who pays a fee does not change under one name.")
    if rule.tenant_id != PLATFORM and not await connection.fetchval(
        "select exists (select from tenants where compliance_region = $1 and tenant_id = $2)", region, rule.tenant_id
    ):
        raise FeeRuleRefused("This cell knows no such tenant.")
    if rule.effective_from < await connection.fetchval("select now() - interval '1 minute'"):
        raise FeeRuleRefused("A rule counts from now on or later: what was priced stays priced.")
    numbered = replace(rule, version=1 + max((row["version"] for row in known), default=0))
    await insert(connection, region, [numbered])
    return numbered


async def past_payments(
    connection: Connection, region: str, since: datetime, tenant_id: str, most: int, regions: Mapping[str, str]
) -> AsyncIterator[list[PastPayment]]:
    """Payments accepted since then, oldest first, at most so many, in pages; of one tenant, or of all. Reads only.

    `regions`: by currency (Directory.region_of_currency). The tier is the one that the tenant has today.
    """
    after, left = "", most
    while left > 0:
        rows = await connection.fetch(
            """
            select t.transfer_id, t.tenant_id, n.tier, n.home_region, q.source_currency, q.target_currency, q.rail, q.source_minor,
                q.target_minor, q.fees, q.tags, q.created_at
            from transfers t
            join quotes q on q.compliance_region = $1 and q.quote_id = t.quote_id
            join tenants n on n.compliance_region = $1 and n.tenant_id = t.tenant_id
            where t.compliance_region = $1 and t.leg in ('origin', 'in_region') and t.created_at >= $2 and t.transfer_id > $3
              and ($4 = '' or t.tenant_id = $4)
            order by t.transfer_id limit $5
            """,
            region, since, after, tenant_id, min(left, _PAGE),
        )  # fmt: skip
        if not rows:
            return
        yield [_past(row, regions) for row in rows]
        after, left = rows[-1]["transfer_id"], left - len(rows)


def _past(row: Record, regions: Mapping[str, str]) -> PastPayment:
    source, target = row["source_currency"], row["target_currency"]
    corridor = corridor_of(regions, row["home_region"], source, target)
    here = Circumstances(source, target, corridor, row["rail"], row["tier"], tuple(row["tags"]))
    fees = tuple(FeeItem(**item) for item in row["fees"])
    return PastPayment(
        row["transfer_id"], row["tenant_id"], row["created_at"], here, row["source_minor"], row["target_minor"], fees
    )
