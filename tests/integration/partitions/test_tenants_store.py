"""Tenants, keys and wallets on a real Postgres, under the roles that use them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from schwifty import IBAN

from cells.backends.postgres import Connection, tenant_transaction, transaction
from cells.backends.vault import Vault
from cells.tenants import store, store_keys
from cells.tenants.issuing import issue, signing_key_of
from cells.tenants.keys import InvalidKey, MintedKey, check_key, mint_key, parse_key
from cells.tenants.signatures import key_for
from cells.tenants.tenant import ApiKey, NewWallet, UnknownTenant, mint_tenant
from tests.support.eu_cell import CELL, EuCell, open_eu_cell
from tests.support.rewrapping import rewrap_batch
from tests.support.servers import CellDatabase

REGION = CELL.region
# As a cell is that holds more than one currency.
NORDIC = CELL.model_copy(update={"currencies": ("EUR", "SEK", "DKK")})


@pytest.fixture
async def cell(cell_database: Callable[[str], CellDatabase]) -> AsyncIterator[EuCell]:
    async with open_eu_cell(cell_database(REGION)) as opened:
        yield opened


async def _add_key(cell: EuCell, expires_at: datetime | None = None) -> MintedKey:
    minted = mint_key(CELL.name, "sandbox")
    key = ApiKey(
        minted.key_id,
        cell.tenant.tenant_id,
        minted.secret_sha256,
        frozenset({"read", "transfers"}),
        "first",
        expires_at,
    )
    async with transaction(cell.writer) as connection:
        await store_keys.add_keys(connection, REGION, [key])
    return minted


async def opens(connection: Connection, text: str) -> bool:
    """Raises InvalidKey, unless the key is good now."""
    presented = parse_key(text)
    holder = (await store_keys.find_keys(connection, REGION, [presented.key_id])).get(presented.key_id)
    return bool(check_key(presented, holder and holder.key, holder.checked_at if holder else datetime.now(UTC)))


async def test_a_tenant_is_provisioned_once_and_keeps_its_owner_number(cell: EuCell) -> None:
    async with transaction(cell.writer) as connection:
        await store.create_tenants(connection, REGION, [replace(cell.tenant, name="Renamed")])
        found = await store.find_tenants(connection, REGION, [cell.tenant.tenant_id, "ten_eu1_none"])
    assert found == {cell.tenant.tenant_id: cell.tenant}
    assert 0 < cell.tenant.owner_number < 2**63


async def test_the_api_role_finds_a_key_before_it_is_bound_to_a_tenant_and_nothing_else(cell: EuCell) -> None:
    minted = await _add_key(cell)
    presented = parse_key(minted.text)
    assert presented.home_cell == CELL.name
    async with transaction(cell.api) as connection:
        holder = (await store_keys.find_keys(connection, REGION, [presented.key_id, "key_eu1_none"]))[minted.key_id]
        assert await connection.fetchval("select count(*) from api_keys") == 0
        assert await connection.fetchval("select count(*) from tenants") == 0
    assert holder.tenant == cell.tenant
    assert check_key(presented, holder.key, holder.checked_at).scopes == {"read", "transfers"}


async def test_only_the_whole_key_opens(cell: EuCell) -> None:
    minted = await _add_key(cell)
    other = mint_key(CELL.name, "sandbox")
    another_secret = minted.text.rsplit("_", 1)[0] + "_" + other.text.rsplit("_", 1)[1]
    async with transaction(cell.api) as connection:
        assert await opens(connection, minted.text)
        for text in (other.text, another_secret, minted.text[:-1]):
            with pytest.raises(InvalidKey):
                await opens(connection, text)


async def test_a_revoked_and_an_expired_key_are_refused(cell: EuCell) -> None:
    revoked = await _add_key(cell)
    expired = await _add_key(cell, datetime.now(UTC) - timedelta(seconds=1))
    async with transaction(cell.writer) as connection:
        assert await store_keys.revoke_keys(connection, REGION, [revoked.key_id]) == [revoked.key_id]
        assert await store_keys.revoke_keys(connection, REGION, [revoked.key_id]) == []
    async with transaction(cell.api) as connection:
        for minted in (revoked, expired):
            with pytest.raises(InvalidKey):
                await opens(connection, minted.text)


async def test_a_tenant_revokes_its_own_key_and_not_another_tenants(cell: EuCell) -> None:
    minted = await _add_key(cell)
    async with tenant_transaction(cell.api, cell.stranger.tenant_id) as connection:
        assert await store_keys.revoke_keys(connection, REGION, [minted.key_id]) == []
    async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
        assert await store_keys.revoke_keys(connection, REGION, [minted.key_id]) == [minted.key_id]


async def test_wallets_open_once_each_with_an_account_number_that_finds_it(cell: EuCell) -> None:
    asked = [NewWallet(cell.tenant.tenant_id, currency) for currency in NORDIC.currencies]
    async with transaction(cell.writer) as connection:
        opened = await store.open_wallets(connection, NORDIC, [*asked, asked[0]])
        again = await store.open_wallets(connection, NORDIC, asked)
        by_account = await store.find_wallets_by_account(connection, REGION, [opened[0].account_number])
        by_id = await store.find_wallets(connection, REGION, [one.wallet_id for one in opened])
        by_key = await store.find_wallets_of_tenants(connection, REGION, asked)
        listed = await store.list_wallets(connection, REGION, cell.tenant.tenant_id)
    assert opened[:3] == again
    assert opened[3] == opened[0]
    assert [one.currency for one in opened[:3]] == ["EUR", "SEK", "DKK"]
    assert by_account == {opened[0].account_number: opened[0]}
    assert set(by_id.values()) == set(by_key.values()) == set(listed) == set(again)
    assert [IBAN(one.account_number).country_code for one in again] == ["LT", "SE", "DK"]
    assert opened[0].owner_number == cell.tenant.owner_number


async def test_a_wallet_needs_a_provisioned_tenant(cell: EuCell) -> None:
    unknown = mint_tenant("Elsewhere", CELL, tier="starter")
    async with transaction(cell.writer) as connection:
        with pytest.raises(UnknownTenant):
            await store.open_wallets(connection, CELL, [NewWallet(unknown.tenant_id, "EUR")])


async def test_one_wallet_opened_by_many_at_once_is_one_wallet(cell: EuCell) -> None:
    async def one() -> str:
        async with transaction(cell.writer) as connection:
            (wallet,) = await store.open_wallets(connection, CELL, [NewWallet(cell.tenant.tenant_id, "EUR")])
            return wallet.wallet_id

    assert len(set(await asyncio.gather(*(one() for _ in range(8))))) == 1


async def test_an_epoch_only_rises_and_an_unknown_wallet_is_left_out(cell: EuCell) -> None:
    async with transaction(cell.writer) as connection:
        wallets = await store.open_wallets(
            connection, NORDIC, [NewWallet(cell.tenant.tenant_id, one) for one in ("EUR", "SEK")]
        )
    ids = [one.wallet_id for one in wallets]

    async def take(host: str, wallet_ids: list[str]) -> dict[str, int]:
        async with transaction(cell.writer) as connection:
            return await store.bump_epoch(connection, REGION, wallet_ids, host)

    assert await take("host-a", [*ids, "wal_eu1_none"]) == {ids[0]: 1, ids[1]: 1}
    # Opposite orders at the same time: neither deadlock nor a lost rise.
    raised = await asyncio.gather(take("host-b", ids), take("host-c", ids[::-1]))
    assert sorted(epochs[ids[0]] for epochs in raised) == [2, 3]
    async with transaction(cell.writer) as connection:
        assert await store.lock_epochs(connection, REGION, ids) == {ids[0]: 3, ids[1]: 3}


async def test_the_database_refuses_a_row_of_another_region(cell: EuCell) -> None:
    async with transaction(cell.writer) as connection:
        with pytest.raises(asyncpg.CheckViolationError, match="no partition"):
            await store.create_tenants(connection, "ID", [cell.tenant])


async def test_a_tenant_sees_its_own_wallets_only(cell: EuCell) -> None:
    async with transaction(cell.writer) as connection:
        await store.open_wallets(connection, CELL, [NewWallet(cell.tenant.tenant_id, "EUR")])
    async with tenant_transaction(cell.api, cell.stranger.tenant_id) as connection:
        assert await store.list_wallets(connection, REGION, cell.tenant.tenant_id) == []
    async with tenant_transaction(cell.api, cell.tenant.tenant_id) as connection:
        assert len(await store.list_wallets(connection, REGION, cell.tenant.tenant_id)) == 1


async def test_what_signs_moves_to_the_regions_new_key(cell: EuCell) -> None:
    keks = {"old": bytes(32), "new": bytes(range(32))}
    issued = [issue(cell.tenant, frozenset({"read"}), credential_type=one) for one in ("signature", "signature", "key")]
    async with transaction(cell.writer) as connection:
        vault = Vault(REGION, keks, "old")
        await store_keys.add_keys(connection, REGION, [one.sealed_by(vault) for one in issued])
        newer = Vault(REGION, keks, "new")
        assert await rewrap_batch(connection, newer, store_keys.WRAPPED) == 2
        assert await rewrap_batch(connection, newer, store_keys.WRAPPED) == 0
        found = await store_keys.find_keys(connection, REGION, [one.row.key_id for one in issued[:2]])
    only_new = Vault(REGION, {"new": keks["new"]}, "new")
    assert [signing_key_of(only_new, found[one.row.key_id].key) for one in issued[:2]] == [
        key_for(REGION, one.text) for one in issued[:2]
    ]
