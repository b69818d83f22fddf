"""A migrated database as it describes itself: what the rules about tables are checked against."""

from dataclasses import dataclass

import asyncpg

REGION_COLUMN, TENANT_COLUMN = "compliance_region", "tenant_id"
ROLES = ("kovra_api", "kovra_writer", "kovra_ledger")

_TABLES = """
select n.nspname as schema, c.relname as name, c.relkind = 'p' as partitioned, p.relname as parent,
       pg_get_expr(c.relpartbound, c.oid) as bound, c.relrowsecurity as row_security, c.relforcerowsecurity as forced
from pg_class c join pg_namespace n on n.oid = c.relnamespace
left join pg_inherits i on i.inhrelid = c.oid left join pg_class p on p.oid = i.inhparent
where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname in ('public', 'ledger')
"""
_COLUMNS = """
select n.nspname as schema, c.relname as table, a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as required
from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname in ('public', 'ledger') and a.attnum > 0 and not a.attisdropped
order by a.attnum
"""
_KEYS = """
select coalesce((select p.relname from pg_class p where p.oid = pg_partition_root(c.oid)), c.relname) as table,
       x.indexrelid::regclass::text as name,
       array(select coalesce(a.attname, '') from unnest(x.indkey::int[]) with ordinality k (number, place)
             left join pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.number order by k.place)::text[] as columns
from pg_index x join pg_class c on c.oid = x.indrelid join pg_namespace n on n.oid = c.relnamespace
where x.indisunique and n.nspname = 'public'
"""
_GRANTS = """
select n.nspname as schema, c.relname as table, coalesce(r.rolname, 'public') as role, g.privilege_type as privilege, '' as column
from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(c.relacl) g left join pg_roles r on r.oid = g.grantee
where n.nspname in ('public', 'ledger') and g.grantee <> c.relowner
union all
select n.nspname, c.relname, coalesce(r.rolname, 'public'), g.privilege_type, a.attname
from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace, aclexplode(a.attacl) g
left join pg_roles r on r.oid = g.grantee
where n.nspname in ('public', 'ledger') and g.grantee <> c.relowner
"""
_POLICIES = """
select tablename as table, policyname as name, permissive, roles::text[] as roles, cmd as command, qual, with_check
from pg_policies where schemaname = 'public'
"""
_FUNCTIONS = """
select p.proname as name, coalesce(p.proconfig, '{}') as settings, coalesce(p.proacl::text, '') as acl
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname in ('public', 'ledger') and p.prosecdef
"""
_ROLE_POWERS = """
select rolname as name, rolsuper or rolbypassrls or rolcreaterole or rolreplication as strong,
       exists (select from pg_auth_members m where m.member = r.oid) as member
from pg_roles r where rolname like 'kovra%'
"""


@dataclass(frozen=True)
class Table:
    schema: str
    name: str
    partitioned: bool
    parent: str | None
    bound: str | None
    row_security: bool
    forced: bool


@dataclass(frozen=True)
class Column:
    schema: str
    table: str
    name: str
    type: str
    required: bool


@dataclass(frozen=True)
class Key:
    """A primary key or unique index of a table, or of its partition."""

    table: str
    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Grant:
    """`column`: "" for the whole table."""

    schema: str
    table: str
    role: str
    privilege: str
    column: str


@dataclass(frozen=True)
class Policy:
    table: str
    name: str
    permissive: str
    roles: tuple[str, ...]
    command: str
    qual: str | None
    with_check: str | None


@dataclass(frozen=True)
class Definer:
    """A function that runs with its owner's rights."""

    name: str
    settings: tuple[str, ...]
    acl: str


@dataclass(frozen=True)
class Role:
    name: str
    strong: bool
    member: bool


@dataclass(frozen=True)
class Catalogue:
    tables: list[Table]
    columns: list[Column]
    keys: list[Key]
    grants: list[Grant]
    policies: list[Policy]
    definers: list[Definer]
    roles: list[Role]

    @property
    def parents(self) -> list[Table]:
        """The partitioned tables: all that hold the cell's record. A partition that is divided once more is none."""
        return [table for table in self.tables if table.partitioned and table.parent is None]

    def partitions(self, parent: Table) -> list[Table]:
        return [table for table in self.tables if table.parent == parent.name]

    def columns_of(self, table: str) -> list[str]:
        return [column.name for column in self.columns if column.table == table and column.schema == "public"]

    @property
    def tenant_tables(self) -> list[str]:
        return sorted(table.name for table in self.parents if TENANT_COLUMN in self.columns_of(table.name))


async def read_catalogue(connection: asyncpg.Connection) -> Catalogue:
    """What the database says of itself, as this connection's transaction sees it."""

    async def rows(query: str, kind: type) -> list:
        found = await connection.fetch(query)
        return [kind(*(tuple(value) if isinstance(value, list) else value for value in row)) for row in found]

    return Catalogue(
        tables=await rows(_TABLES, Table),
        columns=await rows(_COLUMNS, Column),
        keys=await rows(_KEYS, Key),
        grants=await rows(_GRANTS, Grant),
        policies=await rows(_POLICIES, Policy),
        definers=await rows(_FUNCTIONS, Definer),
        roles=await rows(_ROLE_POWERS, Role),
    )
