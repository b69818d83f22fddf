"""Every column says how private it is: migrations/classes.toml against a real, migrated database."""

import re
import tomllib
from collections.abc import Iterator

import asyncpg

from tests.architecture.catalogue import Catalogue, Column, read_catalogue
from tests.architecture.tree import ROOT, keep

DATA = ROOT / "migrations" / "classes.toml"
CLASSES = ("public", "confidential", "personal-sealed", "secret-sealed")
SEALED = ("personal-sealed", "secret-sealed")
# The migration runner's own notes.
_RUNNER = ("_pogo_migration", "_pogo_version")
# What a column about a person would be called. A sealed column says by its type that it holds ciphertext.
_PERSONAL = re.compile(
    r"(^|_)(name|iban|street|address|postcode|town|birth|birth_date|date_of_birth|document|passport|phone|email|remittance|debtor|creditor|payee)(_|$)"
)
# Columns whose names only look so.
_NOT_OF_A_PERSON = {
    "public.tenants.name": "the name of the company that is the tenant",
    "public.collections.debtor_subject_id": "an id into the vault",
    "public.recipients.name_check": "one of four words, what a bank said of the recipient's name",
    "public.recipients.name_checked_at": "when it said so",
}


def declared() -> dict[str, str]:
    """The class of each column, by `schema.table.column`."""
    classes: dict[str, str] = {}
    for schema, tables in tomllib.loads(DATA.read_text()).items():
        for table, groups in tables.items():
            for group, columns in groups.items():
                for column in columns:
                    key = f"{schema}.{table}.{column}"
                    assert key not in classes, f"{key} is classified twice"
                    classes[key] = group
    return classes


def held(catalogue: Catalogue) -> dict[str, Column]:
    """The columns of every table that is no partition, by `schema.table.column`."""
    partitions = {(table.schema, table.name) for table in catalogue.tables if table.parent}
    return {
        f"{column.schema}.{column.table}.{column.name}": column
        for column in catalogue.columns
        if column.table not in _RUNNER and (column.schema, column.table) not in partitions
    }


def unclassified(catalogue: Catalogue) -> Iterator[str]:
    yield from (f"{key}  has no class" for key in held(catalogue).keys() - declared().keys())


def stale(catalogue: Catalogue) -> Iterator[str]:
    yield from (f"{key}  is no column any more" for key in declared().keys() - held(catalogue).keys())


def unsealed(catalogue: Catalogue) -> Iterator[str]:
    columns = held(catalogue)
    for key, group in declared().items():
        if group in SEALED and key in columns and columns[key].type != "bytea":
            yield f"{key}  is {group} and a {columns[key].type}"
    for key, column in columns.items():
        if _PERSONAL.search(column.name) and key not in _NOT_OF_A_PERSON and declared().get(key) not in SEALED:
            yield f"{key}  is named like something about a person, and is not sealed"


async def test_every_column_is_classified(owner: asyncpg.Connection) -> None:
    catalogue = await read_catalogue(owner)
    keep(
        "Every column of every table has a class.",
        why="a column that nobody classified is where the first name or account number in the clear will be written, and neither the "
        "erasure of a subject nor a regulator's export would know of it.",
        mend="name it under its table in migrations/classes.toml. There is no class for personal data in the clear: seal it in the "
        "vault (cells/parties) and keep the subject's id.",
        breaches=[*unclassified(catalogue), *stale(catalogue)],
    )
    assert set(declared().values()) <= set(CLASSES)


async def test_what_is_personal_or_secret_is_bytes_that_nobody_reads(owner: asyncpg.Connection) -> None:
    keep(
        "Personal data and secrets are stored sealed, in bytea.",
        why="erasing a person means destroying one key; what stands in the clear beside it stays for ever, in backups too.",
        mend="seal it with cells.backends.vault, or keep only the id of the subject.",
        breaches=unsealed(await read_catalogue(owner)),
    )


async def test_a_new_column_is_seen(owner: asyncpg.Connection) -> None:
    await owner.execute("alter table payers add column birth_date date")
    await owner.execute("alter table payers drop column kind")
    catalogue = await read_catalogue(owner)
    assert list(unclassified(catalogue)) == ["public.payers.birth_date  has no class"]
    assert list(stale(catalogue)) == ["public.payers.kind  is no column any more"]
    assert list(unsealed(catalogue)) == [
        "public.payers.birth_date  is named like something about a person, and is not sealed"
    ]
