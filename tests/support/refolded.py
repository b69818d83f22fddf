"""Whether every row of a test's cell is what its journal makes of it (L11): asked after every test that had a cell."""

from cells.backends.postgres import open_pool, transaction
from cells.reconciliation.refold import refold
from cells.reconciliation.store import take_snapshot


async def differences(writer_dsn: str, region: str) -> list[str]:
    """Each difference, in words."""
    pool = await open_pool(writer_dsn, size_max=1, name="test-refold")
    try:
        async with transaction(pool) as snapshot:
            await take_snapshot(snapshot)
            found = await refold(snapshot, region.lower(), region)
    finally:
        await pool.close()
    return [str(one) for one in found.findings]
