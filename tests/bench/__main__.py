"""`make bench [ENGINE=postgres|tigerbeetle] [FULL=1]`: DESIGN section 10, measured in one run on each engine there is."""

import argparse
import asyncio
import os
from pathlib import Path
from typing import Any

from tests.bench import machine, report
from tests.bench.accepting import single_path
from tests.bench.alone import alone
from tests.bench.batches import batch_path
from tests.bench.growth import growth, partners_for_growth
from tests.bench.journey import journeys
from tests.bench.rig import ENGINES, Rig, engines, open_rig

_REQUESTS = 3_000
_JOURNEYS = 1_000


async def measure(rig: Rig, found: dict[str, Any], *, full: bool) -> None:
    """Every figure of one engine, put into `found` as it comes."""
    print("  end to end", flush=True)
    found |= await journeys(rig, _JOURNEYS)
    partners = await partners_for_growth(rig) if full else []
    with alone(rig.status):
        print("  batch path", flush=True)
        found |= await batch_path(rig)
        print("  single path", flush=True)
        found |= await single_path(rig, _REQUESTS)
        if full:
            print("  growth", flush=True)
            found |= await growth(rig, partners, _JOURNEYS)


async def run(chosen: list[str], *, full: bool) -> None:
    home = Path(os.environ.get("KOVRA_HOME", ".kovra"))
    results: dict[str, Any] = {}
    noise: list[dict[str, Any]] = []
    try:
        for engine in chosen:
            print(engine, flush=True)
            results[engine] = {}
            async with open_rig(engine) as rig:
                noise.append(await asyncio.to_thread(machine.noise, rig.home))
                await measure(rig, results[engine], full=full)
                noise.append(await asyncio.to_thread(machine.noise, rig.home))
    finally:
        # What was measured before something went wrong was measured all the same.
        report.write(home / "bench.json", {**results, "noise": noise})
        report.show(results, noise)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--engine", choices=ENGINES, help="one engine only; by default every one that is there")
    parser.add_argument(
        "--full", action="store_true", help="also at 1 to 1,000 wallets, and on a journal of a million transfers"
    )
    arguments = parser.parse_args()
    asyncio.run(run([arguments.engine] if arguments.engine else engines(), full=arguments.full))


if __name__ == "__main__":
    main()
