"""`make explore DEPTH=n`: search every scenario with `n` more faults than the tests do, then walk at random. Exit status 1 on a find."""

import argparse
import random
import sys
import time

from tests.model.explore import HEADING, Explorer
from tests.model.suite import SUITE
from tests.model.world import World


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--depth", type=int, default=1, help="faults beyond those of the tests (default 1)")
    parser.add_argument(
        "--states", type=int, default=1_000_000, help="states of one scenario at most (default 1,000,000)"
    )
    parser.add_argument("--walks", type=int, default=1_000, help="random walks of each scenario (default 1,000)")
    parser.add_argument("--faults", type=int, default=20, help="faults in one walk at most (default 20)")
    parser.add_argument(
        "--seed", type=int, default=None, help="of the walks; printed, so that a find can be walked again"
    )
    parser.add_argument("--only", default="", help="scenarios whose name has this in it")
    asked = parser.parse_args()
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(2**32)
    chosen = [one for one in SUITE if asked.only in one.scenario.name]
    states = moves = 0
    sys.stdout.write(f"{HEADING}\n")
    for one in chosen:
        began = time.process_time()
        report = Explorer(World(one.scenario)).search(
            one.budget + asked.depth, deviations=one.deviations, states_max=asked.states
        )
        states, moves = states + report.states, moves + report.moves
        sys.stdout.write(f"{report}  {time.process_time() - began:.0f} s\n")
        sys.stdout.flush()
        if report.found:
            return 1
    sys.stdout.write(f"{states:,} states visited, {moves:,} moves made.\n{asked.walks} walks of each, seed {seed}:\n")
    for one in chosen:
        explorer = Explorer(World(one.scenario))
        for step in range(asked.walks):
            found = explorer.walk(seed + step, faults=asked.faults)
            if found:
                sys.stdout.write(f"{one.scenario.name}, walk {seed + step}: {found}\n")
                return 1
    sys.stdout.write("Every run ended at rest, with L1 to L10, and the rail paid at most once.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
