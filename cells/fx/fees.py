"""The fee schedule: data (fees.toml), a flat part and basis points of what leaves the wallet. Pure but for
reading its file.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, NamedTuple

from cells.kit.money import parse_amount
from residency.classes import Confidential

BPS = 10_000
ANY = "*"

_DATA = Path(__file__).with_name("fees.toml")


@dataclass(frozen=True, slots=True)
class Fee:
    """`flat_minor` minor units of the source currency and `bps` basis points of the source amount, rounded
    up.
    """

    flat_minor: Annotated[int, Confidential]
    bps: Annotated[int, Confidential]

    def __post_init__(self) -> None:
        # Below 100 %, one more minor unit of source raises the fee by at most one: `upon` rests on that.
        assert self.flat_minor >= 0
        assert 0 <= self.bps < BPS

    def of(self, source_minor: int) -> int:
        """The fee that a payment of `source_minor` in all carries."""
        return self.flat_minor + -(-source_minor * self.bps // BPS)

    def upon(self, converted_minor: int) -> int:
        """The fee that leaves exactly `converted_minor`: `of(converted + fee) == fee`."""
        # What S leaves is ⌊S·(10⁴−bps)/10⁴⌋ − flat, which takes every whole value; the least S that leaves it
        # is this one.
        source = -(-(converted_minor + self.flat_minor) * BPS // (BPS - self.bps))
        return source - converted_minor


class _Line(NamedTuple):
    source: str
    target: str
    rail: str
    fee: Fee


def fee_for(source: str, target: str, rail: str) -> Fee:
    """The most specific line of the schedule for a pair of currencies and the rail that pays out."""
    fitting = [
        line
        for line in _schedule()
        if line.source == source and line.target in (target, ANY) and line.rail in (rail, ANY)
    ]
    assert fitting, f"fees.toml has no line for money leaving in {source}"
    return max(fitting, key=lambda line: (line.target != ANY, line.rail != ANY)).fee


@cache
def _schedule() -> tuple[_Line, ...]:
    lines = tomllib.loads(_DATA.read_text())["fee"]
    return tuple(
        _Line(
            line["source"],
            line.get("target", ANY),
            line.get("rail", ANY),
            Fee(parse_amount(line["flat"], line["source"]), line["bps"]),
        )
        for line in lines
    )
