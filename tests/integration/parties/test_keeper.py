"""The vault's keeper: what the law's term has ended for is unreadable, and no key is left under a retired one, in any table."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from actors.workers.keeper import WRAPPED, Keeper
from cells.backends.postgres import Pool, tenant_transaction, transaction
from cells.backends.vault import RegionKeyMissing, RegionKeys, Vault, VaultUnreadable
from cells.credits.receive import receive
from cells.parties import store_subjects
from cells.payments.personal import keep_remittances, open_parties, seal_remittance
from cells.rails import store_messages
from cells.rails.rail import Account, Collection, Party
from cells.rails.remittance import Remittance
from cells.rails.store_messages import WireMessage
from cells.tenants import store_keys
from cells.tenants.issuing import issue
from cells.webhooks import store_secrets
from cells.webhooks.endpoints import create_endpoint, open_keys
from residency.rules import rules_of
from tests.integration.payments.test_transfer_journey import accepted, cross
from tests.support.servers import CellDatabase
from tests.support.two_cells import HandCell, TwoCells, open_two_cells

Databases = Callable[[str], CellDatabase]


async def credit(cell: HandCell, cells: TwoCells) -> str:
    """The id of the subject that a credit from outside left in the vault."""
    wallet = await cell.wallet(cells.tenant, "EUR")
    account = Account("iban", wallet.account_number)
    who = Party("Kalle Anka", Account("iban", "SE4550000000058398257466"), "SE")
    came = Collection("sepa_instant", "ref-1", "e2e-1", 10_000, "EUR", who, account, "", datetime.now(UTC))
    async with transaction(cell.institution.pool) as connection:
        got = await receive(connection, cell.spec.entry, cell.institution.vault, [came], b"<message/>")
    return got.rows[0].debtor_subject_id or ""


async def ends(pool: Pool, region: str) -> dict[str, bool]:
    """By kind of subject: whether each is erased when the law's term from its birth ends, and none later."""
    async with transaction(pool) as connection:
        rows = await connection.fetch(
            "select kind, bool_and(erase_after = created_at + $1::interval) as ends from subjects group by kind",
            rules_of(region).keeping.term,
        )
    return {row["kind"]: row["ends"] for row in rows}


async def test_what_came_with_a_payment_has_an_end_from_its_birth(cell_database: Databases) -> None:
    async with open_two_cells(cell_database) as cells:
        _, transfer = await accepted(cells)
        subject = await credit(cells.eu, cells)
        eu = cells.eu.institution
        async with transaction(eu.pool) as connection:
            text = seal_remittance(eu.vault, cells.tenant.tenant_id, "tr_of_text", Remittance(text="Invoice 7"))
            await keep_remittances(connection, "EU", [(cells.tenant.tenant_id, "tr_of_text", text)])
        await cross(cells.eu, cells.id)
        assert await ends(eu.pool, "EU") == {"payer": None, "transfer": True, "debtor": True}
        assert await ends(cells.id.institution.pool, "ID") == {"recipient": None, "transfer": True}

        for cell, ids in ((cells.id, [transfer.transfer_id]), (cells.eu, [subject, "tr_of_text"])):
            institution = cell.institution
            async with transaction(institution.pool) as connection:
                assert len(await store_subjects.open_subjects(connection, institution.vault, ids)) == len(ids)
                due = "update subjects set erase_after = now() where kind in ('transfer', 'debtor')"
                await connection.execute(due)
            keeper = Keeper(institution)
            while await keeper.work():
                pass
            assert keeper.health()["erased"] == len(ids)
            async with transaction(institution.pool) as connection:
                assert await store_subjects.open_subjects(connection, institution.vault, ids) == {}
        async with transaction(cells.id.institution.pool) as connection:
            assert await open_parties(connection, cells.id.institution.vault, [transfer.transfer_id]) == {}


async def test_a_message_of_a_rail_is_erased_when_its_term_ends(cell_database: Databases) -> None:
    async with open_two_cells(cell_database) as cells:
        institution = cells.eu.institution
        term = rules_of("EU").keeping.term
        now = datetime.now(UTC)
        old, young = (
            WireMessage("sepa_instant", "received", "pacs.008.001.08", (name,), at, f"<Nm>{name}</Nm>".encode())
            for name, at in (("old", now - term), ("young", now))
        )
        async with transaction(institution.pool) as connection:
            await store_messages.keep(connection, institution.vault, [old, young])
        keeper = Keeper(institution)
        await keeper.work()
        assert keeper.health()["erased_messages"] == 1
        async with transaction(institution.pool) as connection:
            found = await store_messages.about(connection, "EU", ["old", "young"])
        assert store_messages.open_messages(institution.vault, found) == [None, b"<Nm>young</Nm>"]
        assert all(one.sha256 for one in found)


async def test_no_key_is_left_under_a_retired_one(cell_database: Databases) -> None:
    async with open_two_cells(cell_database) as cells:
        eu, tenant = cells.eu.institution, cells.tenant
        await accepted(cells)
        async with transaction(eu.pool) as connection:
            message = WireMessage("sepa_instant", "sent", "pacs.008.001.08", ("e2e",), datetime.now(UTC), b"<Nm>A</Nm>")
            await store_messages.keep(connection, eu.vault, [message])
            signing = issue(tenant, frozenset({"read"}), credential_type="signature").sealed_by(eu.vault)
            await store_keys.add_keys(connection, "EU", [signing])
        async with tenant_transaction(cells.eu.api, tenant.tenant_id) as connection:
            made = await create_endpoint(
                connection, eu.vault, "eu-1", tenant.tenant_id, url="https://partner.example/hook", loopback_ports=()
            )
        endpoint_id = made.endpoint.endpoint_id
        old = eu.keys.keks
        new = {"eu1-kek-20991231-1": os.urandom(32)}
        # Another process of the cell, which has not read the new key yet, and its folder, in which the key lies.
        folder: RegionKeys = (old | new, max(old))
        other = Vault("EU", old, max(old), read=lambda: folder)

        keeper = Keeper(replace(eu, vault=Vault("EU", old | new, max(new))))
        while await keeper.work():
            pass
        async with transaction(eu.pool) as connection:
            for one in WRAPPED:
                kids = await connection.fetch(
                    f"select distinct {one.kid} as kid from {one.table} where {one.kid} is not null"
                )
                assert [row["kid"] for row in kids] == list(new), one.table
            target = (await store_secrets.targets(connection, "EU", [endpoint_id]))[endpoint_id]
        for vault in (Vault("EU", new, max(new)), other):
            keys = open_keys(vault, target)
            assert keys
        with pytest.raises(VaultUnreadable):
            open_keys(Vault("EU", old, max(old)), target)


def test_a_process_that_does_not_find_a_key_says_that_it_may_come() -> None:
    old, new = {"k1": os.urandom(32)}, {"k2": os.urandom(32)}
    subject = ("ten_a", "rcp_a", "recipient")
    ref = store_subjects.SubjectRef(*subject)
    [sealed] = Vault("EU", new, "k2").seal([(ref, b"x")])
    with pytest.raises(RegionKeyMissing) as refused:
        Vault("EU", old, "k1", read=lambda: (old, "k1")).open([(ref, sealed)])
    assert refused.value.status == 503
    now = [old]
    patient = Vault("EU", old, "k1", read=lambda: (now[0], "k1"))
    now[0] = old | new
    assert patient.open([(ref, sealed)]) == [b"x"]
    assert patient.current_kid == "k1", "it opens with a key that it just learned of, and seals under the announced one"
