"""Every column that holds a wrapped key is one that the vault's keeper moves to the region's new key."""

import re
from collections.abc import Iterator

import asyncpg

from actors.workers.keeper import WRAPPED
from tests.architecture.catalogue import Catalogue, read_catalogue
from tests.architecture.test_columns import declared, held
from tests.architecture.tree import keep

# A key of the region is named beside each thing that it wraps.
_KID = re.compile(r"^(kek|secret|wrapped|key)_kid$")


def left_behind(catalogue: Catalogue) -> Iterator[str]:
    moved = {f"public.{one.table}.{one.kid}" for one in WRAPPED}
    columns = held(catalogue)
    yield from (f"{key}  is not moved" for key in columns if _KID.match(key.rsplit(".", 1)[1]) and key not in moved)
    for one in WRAPPED:
        for column in (one.kid, one.wrapped, *one.identity, *one.subject_columns):
            if f"public.{one.table}.{column}" not in columns:
                yield f"public.{one.table}.{column}  is no column"
        if declared().get(f"public.{one.table}.{one.wrapped}") != "secret-sealed":
            yield f"public.{one.table}.{one.wrapped}  is no secret"


async def test_every_wrapped_key_is_moved(owner: asyncpg.Connection) -> None:
    keep(
        "Every table that holds wrapped keys is rewrapped.",
        why="a retired key of the region is destroyed once nothing is left under it; what one table kept would be lost with it, or keep a "
        "key alive that was to go.",
        mend="declare a WrappedTable beside the table's store and name it in actors/workers/keeper.py.",
        breaches=left_behind(await read_catalogue(owner)),
    )


async def test_a_new_table_of_wrapped_keys_is_seen(owner: asyncpg.Connection) -> None:
    await owner.execute("alter table payers add column kek_kid text")
    await owner.execute("alter table webhook_signers rename column secret_key to private_key")
    assert set(left_behind(await read_catalogue(owner))) == {
        "public.payers.kek_kid  is not moved",
        "public.webhook_signers.secret_key  is no column",
    }
