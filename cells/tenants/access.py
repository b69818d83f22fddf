"""Who is calling: the one look-up that stands before every tenant-bound transaction."""

from datetime import UTC, datetime

from cells.backends.postgres import Connection
from cells.tenants.keys import check_key, parse_key
from cells.tenants.store import KeyHolder, find_keys


async def authenticate(connection: Connection, region: str, text: str) -> KeyHolder:
    """The key and tenant behind an API key as presented; works under the API's role with no tenant bound yet.

    A caller may keep the answer for a few seconds, no longer: it does not hear of a revocation. Raises InvalidKey.
    """
    presented = parse_key(text)
    holder = (await find_keys(connection, region, [presented.key_id])).get(presented.key_id)
    now = holder.checked_at if holder else datetime.now(UTC)
    check_key(presented, holder.key if holder else None, now)
    assert holder is not None, "an unknown key has passed its check"
    return holder
