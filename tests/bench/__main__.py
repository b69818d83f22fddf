"""`make bench [ENGINE=postgres|tigerbeetle] [FULL=1] [AGAINST=<git ref>]`: DESIGN section 10, measured in one run on each engine there
is; or this tree beside another one, in turns."""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from tests.bench import machine, report
from tests.bench.accepting import single_path
from tests.bench.access import access
from tests.bench.against import against
from tests.bench.against import show as show_against
from tests.bench.alone import alone
from tests.bench.batch_file import batch_file
from tests.bench.batches import batch_path
from tests.bench.deliveries import deliveries
from tests.bench.growth import growth, partners_for_growth
from tests.bench.journey import journeys
from tests.bench.messages import messages
from tests.bench.one_by_one import one_by_one
from tests.bench.past import past
from tests.bench.rail_trips import rail_trips
from tests.bench.rig import ENGINES, Rig, engines, open_rig
from tests.bench.rules import rules

_REQUESTS = 3_000
_JOURNEYS = 1_000


async def measure(rig: Rig, found: dict[str, Any], *, full: bool) -> None:
    """Every figure of one engine, put into `found` as it comes."""
    print("  messages", flush=True)
    found |= await asyncio.to_thread(messages)
    print("  rail round trips", flush=True)
    found |= await rail_trips()
    print("  webhooks", flush=True)
    found |= await asyncio.to_thread(deliveries)
    print("  fee rules", flush=True)
    found |= await asyncio.to_thread(rules)
    print("  access", flush=True)
    found |= await access(rig.origin, rig.journal, rig.partner.tenant)
    print("  end to end", flush=True)
    found |= await journeys(rig, _JOURNEYS)
    print("  one payment after the other", flush=True)
    found |= await one_by_one(rig.as_tree())
    print("  a batch of ten thousand", flush=True)
    found |= await batch_file(rig)
    if full:
        print("  a million past transfers", flush=True)
        found |= await past(rig, _JOURNEYS)
    partners = await partners_for_growth(rig) if full else []
    with alone(rig.status):
        print("  batch path", flush=True)
        found |= await batch_path(rig)
        print("  single path", flush=True)
        found |= await single_path(rig, _REQUESTS)
        if full:
            print("  growth", flush=True)
            found |= await growth(rig, partners, _JOURNEYS)


async def run(engine: str, *, full: bool) -> dict[str, Any]:
    """`{engine: figures, "noise": …}`. What was measured before something went wrong was measured all the same, and says what it was."""
    found: dict[str, Any] = {}
    noise: list[dict[str, Any]] = []
    try:
        async with open_rig(engine) as rig:
            noise.append(await asyncio.to_thread(machine.noise, rig.home))
            await measure(rig, found, full=full)
            noise.append(await asyncio.to_thread(machine.noise, rig.home))
    except Exception as error:  # noqa: BLE001 - it is shown, and the command fails
        traceback.print_exc()
        found["failed"] = type(error).__name__
    return {engine: found, "noise": noise}


def each_by_itself(chosen: list[str], *, full: bool) -> dict[str, Any]:
    """The same for several engines, each in a process of its own: Ray's driver keeps the token of the first cluster it joined."""
    together: dict[str, Any] = {"noise": []}
    for engine in chosen:
        print(engine, flush=True)
        with tempfile.NamedTemporaryFile() as file:
            options = ["--engine", engine, "--into", file.name, *(["--full"] if full else [])]
            subprocess.run([sys.executable, "-m", "tests.bench", *options], check=False)
            one = json.loads(file.read() or b"{}")
        together["noise"] += one.pop("noise", [])
        together[engine] = one.get(engine, {"failed": "the measuring process"})
    return together


def _home() -> Path:
    return Path(os.environ.get("KOVRA_HOME", ".kovra"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--engine", choices=ENGINES, help="one engine only; by default every one that is there")
    parser.add_argument(
        "--full", action="store_true", help="also at 1 to 1,000 wallets, and on a journal of a million transfers"
    )
    parser.add_argument("--into", type=Path, help="write the figures there, and show no table")
    parser.add_argument("--against", metavar="REF", help="measure this tree beside that git ref, as ratios")
    arguments = parser.parse_args()
    if arguments.against:
        compared = asyncio.run(against(arguments.against, arguments.engine or engines()[-1]))
        report.write(arguments.into or _home() / "bench-against.json", {arguments.against: compared})
        show_against(arguments.against, compared)
        return
    if arguments.engine:
        found = asyncio.run(run(arguments.engine, full=arguments.full))
    else:
        found = each_by_itself(engines(), full=arguments.full)
    report.write(arguments.into or _home() / "bench.json", found)
    noise = found.pop("noise")
    if arguments.into is None:
        report.show(found, noise)
    if any("failed" in figures for figures in found.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
