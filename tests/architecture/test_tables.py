"""What every table of a cell keeps, read from the catalogue of a real, migrated database."""

from collections.abc import Callable, Iterator

import asyncpg
import pytest

from tests.architecture.catalogue import REGION_COLUMN, ROLES, TENANT_COLUMN, Catalogue, read_catalogue
from tests.architecture.tree import keep

REGION = "EU"

# The only tables of `public` without partitions, and why.
_UNPARTITIONED = {
    "cell_region": "the one row that says which region this database holds",
    "_pogo_migration": "the migration runner's notes",
    "_pogo_version": "the migration runner's notes",
}
# Unique keys of tenant tables may stand without the tenant if nobody outside the cell chooses their values: a duplicate then
# tells nobody anything. Each of these is minted by the cell.
_MINTED = {
    "key_id", "wallet_id", "transfer_id", "posting_id", "quote_id", "subject_id", "recipient_id", "payer_id", "collection_id",
    "event_id", "endpoint_id", "owner_number", "account_number", "return_id", "order_id", "batch_id", "recall_id",
    "book_id", "decision_id", "stream",
}  # fmt: skip
# Columns that may stand beside a minted one: the cell counts them.
_COUNTED = {"born", "version", "checked_at", "cell", "sequence", "number", "said", "line"}
_EXCEPTIONS = {
    (
        "collections",
        ("rail", "scheme_reference"),
    ): "the scheme's key: only the writer inserts, and no tenant sees its errors",
    ("review_decisions", ("case_id",)): "a case is a payment or a party, whose id the cell has minted",
    ("recalls", ("rail", "direction", "case_id")): "the scheme's key, as for collections",
    ("returns", ("rail", "scheme_reference")): "the scheme's key, as for collections",
    ("audit_log", ("cell", "sequence")): "the chain's own count",
}
# Policies besides `writer` and `tenant`, for functions that run with the owner's rights.
_OWNER_READS = {"tenants", "api_keys", "wallets"}
# Tables of no tenant that every partner may read.
_EVERYBODY_READS = {"rail_standing"}
_DEFINERS = {
    "find_api_keys": "one key by its exact id, before its tenant can be known",
    "make_months": "partitions of months to come, for the worker that makes them; it reads and writes no row",
    "own_wallets": "ids of wallets with an actor of their own, the same for every process of the cell",
}


def unpartitioned(catalogue: Catalogue) -> Iterator[str]:
    for table in catalogue.tables:
        if (
            table.schema == "public"
            and not table.partitioned
            and table.parent is None
            and table.name not in _UNPARTITIONED
        ):
            yield f"{table.name}  is not partitioned"
    for parent in catalogue.parents:
        partitions = catalogue.partitions(parent)
        if [one.bound for one in partitions] != [f"FOR VALUES IN ('{REGION}')"]:
            yield f"{parent.name}  has the partitions {[one.bound for one in partitions]}, not just the one of {REGION}"
        column = next(
            (one for one in catalogue.columns if one.table == parent.name and one.name == REGION_COLUMN), None
        )
        if column is None or not column.required:
            yield f"{parent.name}  lacks a required {REGION_COLUMN}"
        by_month = "born" in catalogue.columns_of(parent.name)
        for partition in partitions:
            if partition.partitioned is not by_month:
                yield f"{partition.name}  is {'not ' if by_month else ''}divided by months"
            months = [one.bound for one in catalogue.partitions(partition)]
            if by_month and months.count("DEFAULT") != 1:
                yield f"{partition.name}  has no rest for ids of no month that was made"


def unbounded_times(catalogue: Catalogue) -> Iterator[str]:
    for column in catalogue.columns:
        if column.schema == "public" and column.type.startswith("timestamp") and column.table not in _UNPARTITIONED:
            yield f"{column.table}.{column.name}  is a {column.type}"


def keys_across_regions(catalogue: Catalogue) -> Iterator[str]:
    for key in catalogue.keys:
        if key.table not in _UNPARTITIONED and key.columns[0] != REGION_COLUMN:
            yield f"{key.table}.{key.name}  begins with {key.columns[0]}"


def telling_keys(catalogue: Catalogue) -> Iterator[str]:
    for key in catalogue.keys:
        own = tuple(one for one in key.columns if one != REGION_COLUMN)
        minted = bool(set(own) & _MINTED) and set(own) <= _MINTED | _COUNTED
        if (
            key.table in catalogue.tenant_tables
            and TENANT_COLUMN not in own
            and not minted
            and (key.table, own) not in _EXCEPTIONS
        ):
            yield f"{key.table}.{key.name}  is unique over {', '.join(own)}"


def unguarded(catalogue: Catalogue) -> Iterator[str]:
    for table in catalogue.tables:
        if (table.partitioned or table.parent) and not (table.row_security and table.forced):
            yield f"{table.name}  row-level security is {'not forced' if table.row_security else 'off'}"
    for policy in catalogue.policies:
        tenant = f"({TENANT_COLUMN} = current_tenant())"
        said = (policy.name, policy.permissive, policy.roles, policy.command, policy.qual, policy.with_check)
        allowed = [("writer", "PERMISSIVE", ("kovra_writer",), "ALL", "true", "true")]
        allowed += [("tenant", "PERMISSIVE", ("kovra_api",), "ALL", tenant, tenant)]
        if policy.table in _EVERYBODY_READS:
            allowed += [("everybody_reads", "PERMISSIVE", ("kovra_api",), "SELECT", "true", None)]
        if policy.table in _OWNER_READS:
            allowed += [("owner_reads", "PERMISSIVE", ("kovra_owner",), "SELECT", "true", None)]
        if said not in allowed:
            yield f"{policy.table}  has a policy of another kind: {said}"
    guarded = {policy.table for policy in catalogue.policies if policy.name == "tenant"}
    yield from (f"{name}  has no policy of its tenants" for name in set(catalogue.tenant_tables) - guarded)


def loose_grants(catalogue: Catalogue) -> Iterator[str]:
    parents = {table.name for table in catalogue.parents}
    tenant_tables = set(catalogue.tenant_tables)
    for grant in catalogue.grants:
        said = f"{grant.schema}.{grant.table}  {grant.privilege} {f'({grant.column}) ' if grant.column else ''}to {grant.role}"
        if grant.role not in ROLES:
            yield f"{said}: to nobody but the cell's roles"
        elif grant.schema == "public" and grant.table not in parents and grant.table not in _UNPARTITIONED:
            yield f"{said}: a partition is reached through its table alone"
        elif grant.privilege not in ("SELECT", "INSERT", "UPDATE"):
            yield f"{said}: nobody who serves deletes or truncates"
        elif grant.role == "kovra_api" and grant.table in parents - tenant_tables - _EVERYBODY_READS:
            yield f"{said}: the table has no tenant to bind the API to"
        elif grant.schema == "ledger" and grant.role != "kovra_ledger":
            yield f"{said}: the ledger's tables are the engine's own"
        elif (
            grant.privilege == "UPDATE"
            and grant.column in (REGION_COLUMN, TENANT_COLUMN)
            and grant.table != "collections"
        ):
            yield f"{said}: a row keeps its region and its tenant"


def strong_roles(catalogue: Catalogue) -> Iterator[str]:
    for role in catalogue.roles:
        if role.strong or role.member:
            yield f"{role.name}  has powers beyond its grants (superuser, BYPASSRLS, CREATEROLE, REPLICATION or membership)"
    for function in catalogue.definers:
        if function.name not in _DEFINERS:
            yield f"{function.name}()  runs with its owner's rights"
        if not any(setting.startswith("search_path=") for setting in function.settings):
            yield f"{function.name}()  runs with its owner's rights on the caller's search_path"
        if not function.acl or "{=X" in function.acl or ",=X" in function.acl:
            yield f"{function.name}()  may be called by anyone"


RULES = {
    unpartitioned: (
        "Every table is partitioned by region, and the database holds exactly its own region's partition; streams by month within it.",
        "a row of another region then has nowhere to go, and Postgres itself refuses it; a DEFAULT partition would take it.",
        "create it `partition by list (compliance_region)` with the column not null; attach_region does the rest.",
    ),
    unbounded_times: (
        "Every time in a column is an `instant`.",
        "Postgres stores a time in the year 10000 that no reader here can hold: one such row, and every list that meets it fails.",
        "give the column the type instant (migrations/cell/0001_roles.sql).",
    ),
    keys_across_regions: (
        f"Every primary and unique key begins with {REGION_COLUMN}.",
        "Postgres demands the partition's column in the key, and a key that leads with it never compares rows of two regions.",
        f"put {REGION_COLUMN} first.",
    ),
    telling_keys: (
        "Every unique key of a tenant's table holds the tenant, or only what the cell mints.",
        "a duplicate-key error on a value that a tenant can choose tells him that another tenant has it.",
        f"put {TENANT_COLUMN} into the key, or, if no tenant can choose the value, say so in _MINTED or _EXCEPTIONS of this file.",
    ),
    unguarded: (
        "Row-level security is on and forced on every table and every partition, with the house's two policies.",
        (
            "a policy on the parent does not guard a partition that is read directly; without FORCE the owner is not bound; and a third "
            "kind of policy is a hole nobody looks for."
        ),
        "`call kovra_protect('<table>')` after creating it, and apply migrations with migrations.apply, which locks the partitions.",
    ),
    loose_grants: (
        "Grants are narrow: to the cell's roles, on parents alone, and never to delete.",
        "what nobody may do cannot be done by a wrong query either; records are closed or sealed, never deleted.",
        "grant select, insert and the updated columns by name, on the parent.",
    ),
    strong_roles: (
        "No role goes round row-level security, and functions with the owner's rights are few and closed.",
        "one role with BYPASSRLS, or one open function, undoes every policy.",
        "take the power away; a function that must see all tenants sets its search_path, is revoked from public, and is named in _DEFINERS.",
    ),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
async def test_tables_keep_the_rule(rule: Callable[[Catalogue], Iterator[str]], owner: asyncpg.Connection) -> None:
    says, why, mend = RULES[rule]
    keep(says, why=why, mend=mend, breaches=rule(await read_catalogue(owner)))


_SLOPPY = {
    unpartitioned: (
        "create table extra (id text primary key)",
        "create table transfers_rest partition of transfers default",
        "drop table journal_eu_rest",
    ),
    unbounded_times: ("alter table wallets add column closed_at timestamptz",),
    keys_across_regions: (
        "create unique index loose on transfers_eu (wallet_id)",
        "create table extra (id text primary key)",
    ),
    telling_keys: ("create unique index telling on api_keys (compliance_region, label)",),
    unguarded: (
        "alter table transfers_eu no force row level security",
        "create policy all_see on wallets to kovra_api using (true)",
    ),
    loose_grants: ("grant select on transfers_eu to kovra_api", "grant delete on transfers to kovra_writer"),
    strong_roles: (
        "create function peek() returns bigint language sql security definer as $$ select count(*) from wallets $$",
    ),
}


@pytest.mark.parametrize("rule", _SLOPPY, ids=lambda rule: rule.__name__)
async def test_a_sloppy_migration_is_seen(
    rule: Callable[[Catalogue], Iterator[str]], owner: asyncpg.Connection
) -> None:
    before = set(rule(await read_catalogue(owner)))
    for statement in _SLOPPY[rule]:
        await owner.execute(statement)
    assert len(set(rule(await read_catalogue(owner))) - before) >= len(_SLOPPY[rule])
