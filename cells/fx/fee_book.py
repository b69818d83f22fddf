"""The fee rules of a cell, ready for a quote.

Invariant: at most one look at the record in a few seconds, however many quotes there are; a new version therefore counts from its effective date,
or a few seconds after it was added if that is later.
"""

import logging
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from cells.backends.postgres import Connection, Pool, transaction
from cells.fx import store_fees
from cells.fx.fees import FeeRule, FeesUnavailable, in_force, seeds

_log = logging.getLogger("kovra.fees")
_FRESH_S = 2.0


class FeeBook:
    """Makes tariffs; one per process. `pool` is the writer's: the rules of all tenants are read together."""

    def __init__(self, pool: Pool, region: str) -> None:
        self._pool = pool
        self._region = region
        self._rules: Sequence[FeeRule] = ()
        self._fresh_until = 0.0

    async def rules(self, tenant_id: str) -> tuple[FeeRule, ...]:
        """The rules that count for a tenant now. Raises FeesUnavailable, StoreUnavailable."""
        at = datetime.now(UTC)
        if time.monotonic() >= self._fresh_until:
            async with transaction(self._pool) as connection:
                self._rules = await store_fees.all_rules(connection, self._region, at)
            self._fresh_until = time.monotonic() + _FRESH_S
        if not self._rules:
            # A cell that was never founded would pay out for nothing.
            raise FeesUnavailable("This cell has no fee rules yet.")
        return in_force(self._rules, tenant_id, at)


async def found_rules(connection: Connection, region: str, currencies: Collection[str]) -> None:
    """The rules that a cell which holds `currencies` begins with. What is there stays."""
    changed = await store_fees.insert(connection, region, seeds(currencies))
    for one in changed:
        _log.warning(
            "fees.toml and the record differ in version %s of fee rule %s; the record counts", one.version, one.rule
        )
