"""The recipients, payers and screening of one cell on a real database, with keys made for the test."""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cells.backends.postgres import Pool, open_pool, transaction
from cells.backends.vault import Vault
from cells.compliance.checker import ComplianceChecker
from cells.compliance.list_checker import open_list_checker
from cells.compliance.standing import Standing
from cells.parties.models import Address, BankAccount, PartyKind, PayerNew, RecipientNew
from cells.parties.payers import Payers
from cells.parties.recipients import Recipients
from cells.parties.sealing import name_reader
from cells.tenants import store
from cells.tenants.tenant import Tenant, mint_tenant
from residency.directory import Directory, PublicKey, load_directory
from tests.support.servers import CellDatabase

KEK_OLD = "id1-kek-20260801-1"
KEK_NEW = "id1-kek-20261101-1"


@dataclass(frozen=True)
class PartyRoom:
    """One cell's rooms, two tenants, and pools of both roles."""

    region: str
    directory: Directory
    keks: Mapping[str, bytes]
    vault: Vault
    standing: Standing
    recipients: Recipients
    payers: Payers
    tenant: Tenant
    stranger: Tenant
    api: Pool
    writer: Pool


@asynccontextmanager
async def open_party_room(
    database: CellDatabase, cell: str, checker: ComplianceChecker | None = None
) -> AsyncIterator[PartyRoom]:
    key = Ed25519PrivateKey.generate()
    directory = directory_with_keys({cell: [key]})
    entry = directory.cell(cell)
    keks = {KEK_OLD: os.urandom(32), KEK_NEW: os.urandom(32)}
    vault = Vault(entry.region, keks, KEK_OLD)
    standing = Standing(entry.region, checker or open_list_checker(), name_reader(vault))
    tenants = [mint_tenant(name, entry, tier="starter") for name in ("Nusantara Pay", "Hanse Remit")]
    api = await open_pool(database.api, size_max=2, name="test-api")
    writer = await open_pool(database.writer, size_max=2, name="test-writer")
    try:
        async with transaction(writer) as connection:
            await store.create_tenants(connection, entry.region, tenants)
        recipients = Recipients(entry, directory, vault, standing, key)
        payers = Payers(entry, vault, standing)
        tenant, stranger = tenants
        yield PartyRoom(
            entry.region, directory, keks, vault, standing, recipients, payers, tenant, stranger, api, writer
        )
    finally:
        await api.close()
        await writer.close()


def directory_with_keys(keys: Mapping[str, Sequence[Ed25519PrivateKey]]) -> Directory:
    """The declared directory, with these signing keys valid from yesterday for ninety days."""
    declared = load_directory()
    start = datetime.now(UTC) - timedelta(days=1)
    cells = {
        name: entry.model_copy(
            update={
                "keys": tuple(
                    public_key(key, f"{entry.compact}-signing-20261101-{number}", start, start + timedelta(days=90))
                    for number, key in enumerate(keys.get(name, ()), 1)
                )
            }
        )
        for name, entry in declared.cells.items()
    }
    return Directory(cells=cells)


def public_key(key: Ed25519PrivateKey, kid: str, not_before: datetime, not_after: datetime) -> PublicKey:
    raw = key.public_key().public_bytes_raw().hex()
    return PublicKey(kid=kid, use="signing", public_hex=raw, not_before=not_before, not_after=not_after)


def indonesian(
    name: str = "Budi Santoso Wibowo", number: str = "1234567890", kind: PartyKind = "person", lei: str | None = None
) -> RecipientNew:
    return RecipientNew(
        kind=kind,
        lei=lei,
        currency="IDR",
        name=name,
        account=BankAccount(bank_code="014", account_number=number),
        address=Address(street="Jalan Melati", building_number="7", town="Bandung", post_code="40115", country="ID"),
    )


def payer(name: str = "Annika Lindqvist Berg", born: str = "1988-03-14") -> PayerNew:
    return PayerNew.model_validate(
        {
            "name": name,
            "address": {"street": "Hauptallee", "building_number": "12", "town": "Wien", "country": "AT"},
            "customer_number": "C-10077",
            "date_of_birth": born,
            "place_of_birth": "Graz",
            "country_of_birth": "AT",
        }
    )
