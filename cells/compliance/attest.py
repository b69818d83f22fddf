"""The attestation that crosses a border with a payment: which lists the payer was screened against, at which versions, with what result.

It travels in the clear part of the instruction, which the origin's key signs: no name, no entry. Who is asked to pay checks it at its
border against what the law of both jurisdictions asks for.
"""

import functools
import tomllib
from collections.abc import Mapping
from datetime import datetime, timedelta

from cells.compliance.checker import Block, Clear, Verdict
from cells.compliance.lists import DATA
from residency import messages

LISTS_MISSING = "screening-lists-missing"
MADE_AFTERWARDS = "screening-made-afterwards"
# Two processes of the origin write the two times.
_CLOCK_SKEW = timedelta(minutes=1)


def may_cross(verdict: Verdict, *, reviewed: bool) -> bool:
    """Whether a payment may leave on this verdict of its payer; `reviewed`: an officer has cleared the payment itself."""
    return isinstance(verdict, Clear) or (reviewed and not isinstance(verdict, Block))


def crossing_attestation(verdict: Verdict, *, reviewed: bool) -> messages.Attestation:
    """For `Instructed.screening`, of a payment that may cross. `reviewed`: an officer has cleared the payment itself."""
    if not may_cross(verdict, reviewed=reviewed):
        raise ValueError(f"nothing crosses on a verdict of {verdict.attestation.result}")
    made = verdict.attestation
    return messages.Attestation(
        lists=dict(made.lists), result="clear" if made.result == "clear" and not reviewed else "reviewed", at=made.at
    )


def attestation_fault(instructed: messages.Instructed, origin_region: str, region: str) -> str | None:
    """What is wrong with the attestation of an instruction from a cell of `origin_region` to one of `region`, as a code; None: nothing."""
    made = instructed.screening
    if not lists_of(origin_region, region) <= made.lists.keys():
        return LISTS_MISSING
    return MADE_AFTERWARDS if _later(made.at, instructed.instructed_at) else None


def lists_of(*regions: str) -> frozenset[str]:
    """The names of the lists that the law of these regions has everybody screened against. A region without a list adds none."""
    return frozenset(name for name, region in _declared().items() if region in regions)


@functools.cache
def _declared() -> Mapping[str, str]:
    """The region of each list that lists.toml declares."""
    declared = tomllib.loads((DATA / "lists.toml").read_text())
    return {one["name"]: one["region"] for one in declared["lists"]}


def _later(made: datetime, instructed: datetime) -> bool:
    return made > instructed + _CLOCK_SKEW
