"""`python -m tests.chaos --seed 7`: break a real stack while payments run, and prove that nothing was lost and nothing was paid twice.

The exit status tells: 0 when everything recovered and every proof holds.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tests.chaos.catalogue import catalogue
from tests.chaos.run import Plan, Result, log_event, run_on
from tests.chaos.stack import running

_out = Console()


def main() -> int:
    plan, verbose = _arguments()
    _out.print(
        f"seed {plan.seed}: {len(plan.faults)} faults one after another, then {plan.random_s:.0f} s of them at random"
    )
    result = asyncio.run(_run(plan, verbose=verbose))
    _out.print(_recoveries(result), _verdicts(result))
    _out.print(f"seed {result.seed}: {'passed' if result.passed else 'FAILED'}")
    return 0 if result.passed else 1


def _arguments() -> tuple[Plan, bool]:
    known = list(catalogue())
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--seed", type=int, default=random.randrange(1_000_000), help="what happens where; drawn if not given"
    )
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="of faults at random, after one of each (default 60)"
    )
    parser.add_argument("--faults", default="", help=f"some of: {', '.join(known)}")
    parser.add_argument("--clients", type=int, default=4, help="of the stream (default 4)")
    parser.add_argument("--hold", type=float, default=6.0, help="seconds that what lasts shall last (default 6)")
    parser.add_argument("--verbose", action="store_true", help="tell every event of the supervisor")
    asked = parser.parse_args()
    faults: Sequence[str] = [name for name in asked.faults.split(",") if name] or known
    if unknown := set(faults) - set(known):
        parser.error(f"there is no fault named {', '.join(sorted(unknown))}")
    return Plan(asked.seed, faults, random_s=asked.seconds, clients=asked.clients, hold_s=asked.hold), asked.verbose


async def _run(plan: Plan, *, verbose: bool) -> Result:
    began = time.monotonic()

    def say(text: str) -> None:
        _out.print(f"{time.monotonic() - began:7.1f} s  {text}", markup=False, highlight=False)

    event = log_event(say)
    starting = True
    async with running(lambda one: event(one) if verbose or not starting else None) as stack:
        starting = False
        say(f"the stack is up in {stack.home}: {'; '.join(sorted(set(stack.ledgers.values())))}")
        return await run_on(stack, plan, say)


def _recoveries(result: Result) -> Table:
    table = Table(title="Time to recovery, in seconds after the fault was over", title_justify="left")
    table.add_column("Fault")
    table.add_column("Where")
    for heading in ("Held", "Accepts", "Completes", "All settled"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for one in result.recovered:
        times = (one.accepts_s, one.completes_s, one.settled_s)
        shown = (
            [""] * 4
            if one.note
            else [f"{one.held_s:.1f}", *("NEVER" if time is None else f"{time:.1f}" for time in times)]
        )
        table.add_row(one.fault, one.where, *shown, one.note)
    return table


def _verdicts(result: Result) -> Table:
    table = Table(title="Proof", title_justify="left")
    table.add_column("What")
    table.add_column("Holds")
    table.add_column("Found", overflow="fold")
    for one in result.verdicts:
        table.add_row(one.what, "[green]yes[/]" if one.holds else "[bold red]NO[/]", one.found.replace("[", r"\["))
    return table


if __name__ == "__main__":
    sys.exit(main())
