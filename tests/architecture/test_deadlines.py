"""Every moment that something of a tenant's waits for goes by with the tenant's sandbox time, or says here why it does not."""

import re
from collections.abc import Iterator

import asyncpg

from cells.wallets.store_sandbox_time import DEADLINES
from tests.architecture.catalogue import TENANT_COLUMN, Catalogue, read_catalogue
from tests.architecture.tree import keep

# What a moment is called that is waited for.
_AHEAD = re.compile(r"(^|_)(until|expires|due|deadline|ends|scheduled|available|starts|begins)(_|$)")
_STAYS = {
    "api_keys.expires_at": "what opens the door is no payment's, and a sandbox key that ends must be one that ended",
    "transfers.deadline": "held once against the rails' calendars, which keep the machine's days, when the payment gets its rail",
    "batch_lines.deadline": "as transfers.deadline",
    "orders.due_at": "when a scheme is asked again, which is the cell's own pace",
    "webhook_secrets.ends_at": "a secret that is given up is told by the partner's own clock",
    "webhook_deliveries.due_at": "when a delivery is tried again, over a network that has the machine's time",
}


def waited_for(catalogue: Catalogue) -> Iterator[str]:
    partitions = {table.name for table in catalogue.tables if table.parent}
    tenants = {one.table for one in catalogue.columns if one.name == TENANT_COLUMN} - partitions
    for one in catalogue.columns:
        if one.table in tenants and one.type in ("instant", "timestamp with time zone") and _AHEAD.search(one.name):
            yield f"{one.table}.{one.name}"


async def test_every_deadline_of_a_tenants_goes_by_with_its_time(owner: asyncpg.Connection) -> None:
    catalogue = await read_catalogue(owner)
    moved, found = {f"{one.table}.{one.column}" for one in DEADLINES}, set(waited_for(catalogue))
    assert {"quotes.expires_at", "collections.available_at"} <= found, "the search sees what there is"
    assert not moved & set(_STAYS)
    keep(
        "What a tenant waits for comes nearer when it lets sandbox time go by.",
        why="a partner tries in minutes what takes days; a deadline that stays where it was makes the sandbox answer as nothing else would.",
        mend="add it to DEADLINES in cells/wallets/store_sandbox_time.py, with a grant for the writer, or to _STAYS here with the reason.",
        breaches=[f"{one}  neither moves nor says why not" for one in found - moved - set(_STAYS)]
        + [f"{one}  is no deadline any more" for one in (moved | set(_STAYS)) - found],
    )


async def test_a_new_deadline_is_seen(owner: asyncpg.Connection) -> None:
    await owner.execute("alter table quotes add column payable_until instant")
    assert "quotes.payable_until" in set(waited_for(await read_catalogue(owner)))
