"""Limit rules as rows. Batch-first; none commits."""

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime

from cells.backends.postgres import Connection
from cells.backends.rows import Rows
from cells.limits.rules import ANY, LimitRefused, LimitRule

_NAMES = tuple(one.name for one in fields(LimitRule))
# `window` is a word of SQL.
_COLUMNS = ", ".join(f'"{name}"' for name in _NAMES)
_ROWS = Rows("limit_rules", LimitRule)


async def found(connection: Connection, region: str, rules: Sequence[LimitRule]) -> None:
    """The rules that a cell begins with. What is there stays."""
    await _ROWS.insert(connection, rules, "on conflict do nothing", compliance_region=region)


async def add(connection: Connection, region: str, rule: LimitRule) -> LimitRule:
    """Another version of a rule, numbered after those that are there. Raises LimitRefused."""
    rule.check()
    if rule.tenant_id != ANY and not await connection.fetchval(
        "select exists (select from tenants where compliance_region = $1 and tenant_id = $2)", region, rule.tenant_id
    ):
        raise LimitRefused("This cell knows no such tenant.")
    # One at a time, or two would take the same number.
    await connection.execute("select pg_advisory_xact_lock(hashtext('limit_rules'))")
    last = await connection.fetchval(
        """
        select coalesce(max(version), 0) from limit_rules
        where compliance_region = $1 and (tenant_id, tier, currency, scope, subject, "window", measure) = ($2, $3, $4, $5, $6, $7, $8)
        """,
        region,
        *rule.key,
    )
    numbered = replace(rule, version=last + 1)
    await found(connection, region, [numbered])
    return numbered


async def all_rules(connection: Connection, region: str, ending_after: datetime | None = None) -> list[LimitRule]:
    """Every version of every rule; or those alone that are or will be in force after a moment."""
    rows = await connection.fetch(
        f"""
        select {_COLUMNS} from limit_rules
        where compliance_region = $1 and ($2::timestamptz is null or effective_to is null or effective_to > $2)
        order by currency, scope, tenant_id, tier, subject, "window", measure, version
        """,
        region,
        ending_after,
    )
    return [LimitRule(**row) for row in rows]
