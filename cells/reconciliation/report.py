"""What a reconciliation finds. Pure data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

TITLES: Final = MappingProxyType(
    {
        "L1": "Debits equal credits on every ledger",
        "L2": "No wallet, passage, reserve, suspense or blocked account is below zero",
        "L3": "Passage accounts hold exactly what is on its way, and nothing at rest",
        "L4": "A payment's chain is posted in the paying cell exactly when it is in the cell that pays out",
        "L5": "Fees and margin are those of completed payments",
        "L6": "Every posting that follows from the journal is in the ledger, and the other way round",
        "L7": "What one cell exported is what the other admitted",
        "L8": "What two cells owe each other is mirrored",
        "L9": "What is owed to tenants is there",
        "L10": "One transfer per quote, one quote per transfer",
        "L11": "Every payment is what its entries in the journal make of it",
    }
)


class Status(StrEnum):
    HELD = "held"
    IN_FLIGHT = "in_flight"  # it holds with what is moving, which `moving` counts
    VIOLATED = "violated"
    NOT_CHECKED = "not_checked"  # a peer's record is needed and was not given; what is checkable here holds


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be. `subject` names it: a transfer, posting, account, quote or log entry."""

    invariant: str
    cells: tuple[str, ...]
    subject: str
    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{'/'.join(self.cells)}: {self.subject}: {self.what}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True, slots=True)
class Result:
    """One invariant. `moving`: what is in flight, by state; `notes`: what a reader should know besides."""

    invariant: str
    status: Status
    findings: tuple[Finding, ...] = ()
    moving: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return TITLES[self.invariant]


@dataclass(frozen=True, slots=True)
class Report:
    """All of them, in order. `ok`: none is violated; `at_rest`: all hold, and nothing moves."""

    cells: tuple[str, ...]
    at: datetime
    results: tuple[Result, ...]

    @property
    def ok(self) -> bool:
        return all(one.status is not Status.VIOLATED for one in self.results)

    @property
    def at_rest(self) -> bool:
        return all(one.status in (Status.HELD, Status.NOT_CHECKED) for one in self.results)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for one in self.results for finding in one.findings)

    def to_json(self) -> dict[str, object]:
        return {
            "cells": list(self.cells),
            "at": self.at.isoformat(),
            "ok": self.ok,
            "at_rest": self.at_rest,
            "results": [_result_json(one) for one in self.results],
        }


def _result_json(result: Result) -> dict[str, object]:
    return {
        "invariant": result.invariant,
        "title": result.title,
        "status": str(result.status),
        "moving": dict(result.moving),
        "notes": list(result.notes),
        "findings": [
            {
                "cells": list(one.cells),
                "subject": one.subject,
                "what": one.what,
                "expected": one.expected,
                "found": one.found,
            }
            for one in result.findings
        ],
    }


def conclude(
    invariant: str,
    findings: Sequence[Finding],
    moving: Mapping[str, int] | None = None,
    notes: Sequence[str] = (),
    needs: Sequence[str] = (),
) -> Result:
    """The result of one invariant. `needs`: peers whose record it would take to say more."""
    moving = dict(sorted((moving or {}).items()))
    if findings:
        status = Status.VIOLATED
    elif needs:
        status = Status.NOT_CHECKED
        notes = [*notes, f"needs the record of {', '.join(sorted(needs))}"]
    else:
        status = Status.IN_FLIGHT if moving else Status.HELD
    return Result(invariant, status, tuple(findings), moving, tuple(notes))
