"""The embedded engines against each other, and against TigerBeetle when it is there, on the same random
batches.

Every answer must be equal, and so must everything that can be read afterwards but the timestamps.
"""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from cells.ledger.entry import AccountResult, PostingResult
from cells.ledger.ledger import Ledger
from cells.ledger.memory import MemoryLedger
from tests.contract.ledger_batches import Batches
from tests.contract.ledger_engines import fresh_id

_RUNS = 40
_BATCHES = 12
# What random batches reach must be wide, or equality proves little.
_REASONS_MIN = 45


async def _play(first: Ledger, second: Ledger, seed: int, seen: Counter[str]) -> None:
    batches = Batches(seed, fresh_id() >> 64 << 64)
    opening = batches.opening()
    assert await first.create_accounts(opening) == await second.create_accounts(opening)
    for step in range(_BATCHES):
        context = f"seed {seed}, batch {step}"
        if step % 4 == 3:
            accounts = batches.accounts()
            opened = await first.create_accounts(accounts)
            assert await second.create_accounts(accounts) == opened, (context, accounts)
            seen.update(f"account {one.name}" for one in opened)
        else:
            postings = batches.postings()
            applied = await first.create_postings(postings)
            assert await second.create_postings(postings) == applied, (context, postings)
            seen.update(one.name for one in applied)
    assert await _state(first, batches) == await _state(second, batches), f"seed {seed}"


async def _state(ledger: Ledger, batches: Batches) -> list[Any]:
    """All that can be read of a run, without the times."""
    accounts = await ledger.lookup_accounts(batches.account_ids)
    postings = await ledger.lookup_postings(batches.posting_ids)
    state: list[Any] = [
        {number: replace(one, timestamp=0) for number, one in accounts.items()},
        {number: replace(one, timestamp=0) for number, one in postings.items()},
    ]
    for number in batches.account_ids:
        history = await ledger.account_balances(number, limit=1000)
        state.append([replace(one, timestamp=0) for one in history])
        state.append([one.id for one in await ledger.account_postings(number, limit=1000)])
    return state


async def test_every_engine_answers_random_batches_as_the_memory_twin_does(ledger: Ledger) -> None:
    if ledger.engine == "memory":
        pytest.skip("the twin is what the others are compared with")
    seen: Counter[str] = Counter()
    for seed in range(_RUNS):
        await _play(MemoryLedger(), ledger, seed, seen)
    assert len(seen) >= _REASONS_MIN, sorted(seen)
    assert len(seen) <= len(PostingResult) + len(AccountResult)
