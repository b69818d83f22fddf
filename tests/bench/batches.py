"""The batch path: transfers taken to FUNDS_HELD through the wallet's actor, beside what the ledger's own client takes raw."""

import time
from statistics import median
from typing import Any
from uuid import uuid4

from cells.cell import open_ledger
from cells.idempotency.answer import Answer
from cells.kit.money import CURRENCIES
from cells.ledger import chart
from cells.ledger.chart import AccountType
from cells.ledger.entry import Account, Posting, PostingFlag, PostingResult
from infra.local.memory import memory_of_trees
from tests.bench.partner import lock_in
from tests.bench.rig import Rig

_BATCH = 1_000
_ROUNDS = 5


async def batch_path(rig: Rig) -> dict[str, Any]:
    """Holds a second, the ledger's raw rates, and the ratio. A hold is a linked chain of four postings; the raw batch is of
    single postings, as the ledger's own benchmark has it."""
    raw = await _raw(rig)
    await lock_in(rig.partner, rig.origin, _BATCH * _ROUNDS)
    memory_before = _memory_mb(rig)
    rates = []
    for _ in range(_ROUNDS):
        commands = [rig.partner.acceptance(rig.origin.spec.name) for _ in range(_BATCH)]
        started = time.perf_counter()
        replies = await rig.wallets.ask_many(commands, deadline_s=60)
        rates.append(_BATCH / (time.perf_counter() - started))
        assert all(isinstance(one, Answer) and one.status == 202 for one in replies), replies[0]
    holds = median(rates)
    more_memory = _memory_mb(rig) - memory_before
    return {
        "holds_per_s": round(holds),
        "raw_per_s": round(raw),
        "batch_ratio": round(holds / raw, 3),
        "memory_mb_per_thousand_in_flight": round(more_memory * 1_000 / (_BATCH * _ROUNDS), 1),
    }


def _memory_mb(rig: Rig) -> float:
    """Of the origin cell's parts together."""
    roots = [part.pid for part in rig.status.parts if part.cell == rig.origin.spec.name and part.pid is not None]
    return sum(memory_of_trees(roots).values()) / 2**20


async def _raw(rig: Rig) -> float:
    """Single postings a second through the ledger's client, in batches of a thousand."""
    ledger = await open_ledger(rig.origin.spec, name="bench")
    number = CURRENCIES["EUR"].number
    pair = [chart.account_id(uuid4().int >> 66, AccountType.TENANT_WALLET, number, side) for side in (1, 2)]
    opened = await ledger.create_accounts([Account(one, number, int(AccountType.TENANT_WALLET)) for one in pair])
    assert {one.name for one in opened} == {"CREATED"}, opened
    rates = []
    try:
        for _ in range(_ROUNDS):
            postings = [
                Posting(uuid4().int, *pair, 1, number, code=1, flags=int(PostingFlag.NONE)) for _ in range(_BATCH)
            ]
            started = time.perf_counter()
            answers = await ledger.create_postings(postings)
            rates.append(_BATCH / (time.perf_counter() - started))
            assert set(answers) == {PostingResult.CREATED}, set(answers)
    finally:
        await ledger.close()
    return median(rates)
