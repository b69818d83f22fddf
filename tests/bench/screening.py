"""`make bench-screening [PAIRS=cases.csv]`: what screening finds, what it finds wrongly, and what it takes.

Two labelled sets. One is made here, from the synthetic lists: every listed name written anew by each rule of
`screening_pairs`. The other is not ours to ship, and is read from a path: `contrib/name_bench/cases.csv` of
github.com/opensanctions/nomenklatura (MIT; 826 pairs as of commit 502208c), on which its logic-v2 has P 0.760,
R 0.835, F1 0.796 at 0.70; what Kovra had before, which counted letters, had P 0.748, R 0.718, F1 0.732.
Each pair is screened whole, as a payer against a list that has the other name alone: what the index misses counts as missed.
"""

import argparse
import asyncio
import csv
import gc
import resource
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from cells.compliance.checker import Clear, Subject
from cells.compliance.list_checker import ListChecker
from cells.compliance.lists import Entry, SanctionsList, load_lists
from cells.compliance.names import NameKind
from cells.compliance.rules import load_rules
from tests.bench.screening_pairs import Pair, listed_twenty_thousand, payers, written_anew

LOGIC_V2 = (0.760, 0.835, 0.796)
MS_PER_NAME_MAX = 2.0


class Found(NamedTuple):
    """Pairs found rightly, found wrongly, and missed."""

    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong)

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed)

    @property
    def f1(self) -> float:
        return 2 * self.precision * self.recall / (self.precision + self.recall)

    def __str__(self) -> str:
        counts = f"{self.right} right, {self.wrong} wrong, {self.missed} missed"
        return f"P {self.precision:.3f}  R {self.recall:.3f}  F1 {self.f1:.3f}  ({counts})"


async def screened(pairs: Sequence[Pair]) -> Found:
    """Of pairs, each given name against its listed one: what is not clear is found."""
    rules = load_rules()
    right = wrong = missed = 0
    for pair in pairs:
        entry = Entry("bench", "1", pair.listed, pair.kind)
        checker = ListChecker([SanctionsList("bench", "EU", "1", (entry,))], rules)
        [verdict] = await checker.check([Subject("pyr_1", pair.kind, pair.given)])
        found = not isinstance(verdict, Clear)
        right += found and pair.same
        wrong += found and not pair.same
        missed += not found and pair.same
    return Found(right, wrong, missed)


def public_pairs(path: Path) -> list[Pair]:
    """The pairs of a cases.csv; its schema Person is a person, every other a business."""
    kinds: dict[str, NameKind] = {"Person": "person"}
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Pair(row["name1"], row["name2"], kinds.get(row["schema"], "business"), row["is_match"].lower() == "true")
            for row in csv.DictReader(file)
        ]


async def per_name(checker: ListChecker, subjects: Sequence[Subject]) -> tuple[float, float, float]:
    """Milliseconds of processor time a name: mean, median, slowest."""
    taken: list[float] = []
    for subject in subjects:
        started = time.process_time()
        await checker.check([subject])
        taken.append((time.process_time() - started) * 1_000)
    return statistics.mean(taken), statistics.median(taken), max(taken)


def resident_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024


def twenty_thousand() -> tuple[ListChecker, float, float]:
    """A checker over twenty thousand parties, the seconds it took to open and the MiB it holds."""
    entries = tuple(listed_twenty_thousand())
    before, started = resident_mib(), time.perf_counter()
    checker = ListChecker([SanctionsList("bench", "EU", "1", entries)], load_rules())
    gc.freeze()
    return checker, time.perf_counter() - started, resident_mib() - before


async def report(pairs: Path | None) -> Iterable[str]:
    """Prints as it measures; what is not as good as it should be."""
    faults = []
    made = [pair for one in load_lists() for pair in written_anew(one.entries)]
    print(f"  {len(made)} pairs made from the synthetic lists   {await screened(made)}", flush=True)
    if pairs is not None:
        public = public_pairs(pairs)
        found = await screened(public)
        print(f"  {len(public)} public pairs   {found}", flush=True)
        print("  logic-v2 at 0.70 on the 826 of commit 502208c   P {:.3f}  R {:.3f}  F1 {:.3f}".format(*LOGIC_V2))
        if any(ours < theirs for ours, theirs in zip((found.precision, found.recall, found.f1), LOGIC_V2, strict=True)):
            faults.append("below logic-v2 on the public pairs")
    checker, seconds, mib = twenty_thousand()
    mean, median, slowest = await per_name(checker, list(payers(2_000)))
    print(f"  20,000 parties indexed in {seconds:.1f} s, {mib:.0f} MiB")
    print(f"  {mean:.2f} ms a name ({1_000 / mean:,.0f} names/s), median {median:.2f}, slowest {slowest:.1f}")
    if mean > MS_PER_NAME_MAX:
        faults.append(f"more than {MS_PER_NAME_MAX} ms a name")
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what screening finds, wrongly too, and takes.")
    parser.add_argument("--pairs", type=Path, help="a cases.csv of labelled pairs, as nomenklatura has it")
    faults = list(asyncio.run(report(parser.parse_args().pairs)))
    for fault in faults:
        print(f"  NOT GOOD ENOUGH: {fault}")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
