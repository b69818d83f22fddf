"""`make bench AGAINST=<git ref>`: this tree and that one, measured in turns in one run, as ratios with their spread.

Both stacks stand side by side and are used alike, from outside. In each round one is measured while the other stands still (SIGSTOP),
and in the next round the order is turned round: what the machine does to one it does to the other. A ratio is this tree's figure over
the other's of the same round.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from statistics import median
from typing import Any

import aiohttp
import orjson
from rich.console import Console
from rich.table import Table

from tests.bench import counters
from tests.bench.accepting import empty_per_s, empty_route, percentiles
from tests.bench.client import Job, Result, carry_out
from tests.bench.one_by_one import one_by_one, partner
from tests.bench.standing import ACCEPTING, standing_still
from tests.bench.tree import DESTINATION, ORIGIN, ROOT, Tree, checkout, running
from tests.support.waiting import until

_ROUNDS = 5
_REQUESTS = 1_000
_ALONE = 100
_JOURNEYS = 300
_CLIENTS = 64
_DONE_WITHIN_S = 300.0
_LOOK_EVERY_S = 0.1  # who looks costs those that it looks at

Figures = dict[str, float]


async def against(ref: str, engine: str) -> dict[str, Any]:
    """`{figure: {"here": [...], "there": [...]}}`, a value a round; `engine` for both."""
    found: dict[str, dict[str, list[float]]] = {}
    with checkout(ref) as folder:
        async with running("here", ROOT, engine) as here, running("there", folder, engine) as there:
            rate = await _common_rate((here, there))
            for number in range(_ROUNDS):
                pair = (here, there) if number % 2 else (there, here)
                for tree in pair:
                    other = there if tree is here else here
                    print(f"  round {number + 1} of {_ROUNDS}: {tree.label}", flush=True)
                    with standing_still(other.supervisor_pid, other.parts):
                        for name, value in (await _measured(tree, rate)).items():
                            found.setdefault(name, {}).setdefault(tree.label, []).append(value)
    return found


async def _common_rate(pair: Sequence[Tree]) -> float:
    """The smaller peak of the two: rates in an open loop mean the same to both."""
    peaks = []
    for tree in pair:
        other = next(one for one in pair if one is not tree)
        with standing_still(other.supervisor_pid, other.parts), _accepting(tree):
            peaks.append((await _pay(tree, _REQUESTS, _CLIENTS)).per_s)
    return min(peaks)


async def _measured(tree: Tree, peak_per_s: float) -> Figures:
    """One round of one tree: acceptance with everything else of the tree standing still, then whole payments."""
    found: Figures = {}
    async with empty_route() as port:
        with _accepting(tree):
            empty = await empty_per_s(port, tree.key, _REQUESTS, _CLIENTS)
            found["accepted_per_s"] = (await _pay(tree, _REQUESTS, _CLIENTS)).per_s
            found["accepted_ratio"] = found["accepted_per_s"] / empty
            found |= _named("accept_alone", await _pay(tree, _ALONE, 1))
            found |= _named("accept_tenth", await _pay(tree, _ALONE, _CLIENTS, rate_per_s=peak_per_s / 10))
            found |= _named("accept_half", await _pay(tree, _REQUESTS, _CLIENTS, rate_per_s=peak_per_s / 2))
    await _at_rest(tree)
    found |= await one_by_one(tree)
    return found | await _together(tree)


async def _together(tree: Tree) -> Figures:
    """A closed loop of payments until the last is completed: the rate, and what each cost in both cells."""
    places = [(cell, tree.database(cell)) for cell in (ORIGIN, DESTINATION)]
    before = await counters.of_trees(places, tree.parts)
    began = time.perf_counter()
    await _pay(tree, _JOURNEYS, _CLIENTS)
    await _at_rest(tree)
    took = time.perf_counter() - began
    cost = counters.spent(before, await counters.of_trees(places, tree.parts), _JOURNEYS)
    return {
        "completed_per_s": _JOURNEYS / took,
        "cpu_us": sum(value for name, value in cost.items() if ".cpu_us_" in name),
        "rows": counters.total(cost, "rows_written"),
        "commits": counters.total(cost, "transactions"),
        "wal_bytes": counters.total(cost, "wal_bytes"),
    }


async def _pay(tree: Tree, count: int, clients: int, *, rate_per_s: float | None = None) -> Result:
    quotes = await carry_out(Job(*tree.listen, [tree.quote() for _ in range(count)], _CLIENTS, keep=True))
    ids = [orjson.loads(answer.partition(b"\r\n\r\n")[2])["id"] for answer in quotes.answers]
    result = await carry_out(Job(*tree.listen, [tree.payment(one) for one in ids], clients, rate_per_s=rate_per_s))
    assert set(result.statuses) == {202}, result.samples
    return result


async def _at_rest(tree: Tree) -> None:
    """Wait until nothing of the wallet is held any more: every payment that was accepted has been paid, or given back."""

    async def rested(session: aiohttp.ClientSession) -> bool:
        await asyncio.sleep(_LOOK_EVERY_S)
        async with session.get("/v1/wallets") as answer:
            found = await answer.json()
            assert answer.status == 200, found
        return all(Decimal(one["held"]["value"]) == 0 for one in found["data"])

    async with partner(tree) as session:
        await until(lambda: rested(session), timeout_s=_DONE_WITHIN_S)


@contextmanager
def _accepting(tree: Tree) -> Iterator[None]:
    """Only what accepts runs: of the origin, without its host and schemes; nothing of any other cell."""
    bystanders = [one for one in tree.parts if not (one.cell == ORIGIN and one.name in ACCEPTING)]
    with standing_still(tree.supervisor_pid, bystanders):
        yield


def _named(prefix: str, result: Result) -> Figures:
    return {f"{prefix}_p50_ms": percentiles(result.latencies_s)["p50_ms"]}


def show(ref: str, found: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """A row per figure: the medians of both, and the median of the rounds' ratios with the least and the greatest."""
    table = Table("figure", "here", ref, "ratio", "least", "greatest", title=f"make bench AGAINST={ref}")
    for name, values in found.items():
        here, there = values["here"], values["there"]
        ratios = [ours / theirs for ours, theirs in zip(here, there, strict=True) if theirs]
        shown = [f"{median(ratios):.2f}", f"{min(ratios):.2f}", f"{max(ratios):.2f}"] if ratios else ["", "", ""]
        table.add_row(name, f"{median(here):,.2f}", f"{median(there):,.2f}", *shown)
    console = Console()
    console.print(table)
    console.print(
        "Rates and ratios to the empty route are better when they are more; of everything else less is.", style="dim"
    )
