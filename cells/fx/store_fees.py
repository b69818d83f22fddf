"""Fee rules as rows, and what past transfers were charged. Batch-first; none commits."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime

from cells.backends.postgres import Connection
from cells.fx.fees import FeeRule
from residency.errors import KovraError

_NAMES = tuple(one.name for one in fields(FeeRule))
_COLUMNS = ", ".join(_NAMES)


class FeeRuleRefused(KovraError):
    code = "fee-rule-refused"
    status = 409
    title = "The fee rule cannot be added"


async def insert(connection: Connection, region: str, rules: Sequence[FeeRule]) -> list[FeeRule]:
    """Add versions of rules; those among them that are there already under the same name and number, as they are there."""
    columns = [[getattr(one, name) for one in rules] for name in _NAMES]
    await connection.execute(
        f"""
        insert into fee_rules (compliance_region, {_COLUMNS})
        select $1, * from unnest($2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::timestamptz[], $9::timestamptz[])
        on conflict do nothing
        """,
        region,
        *columns,
    )
    rows = await connection.fetch(
        f"""
        select {_COLUMNS} from fee_rules where compliance_region = $1
          and (tenant_id, rule, version) in (select * from unnest($2::text[], $3::text[], $4::integer[]))
        """,
        region,
        [one.tenant_id for one in rules],
        [one.rule for one in rules],
        [one.version for one in rules],
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
