"""What a partner is told of a verdict: a status, never a list and never an entry."""

from datetime import datetime

from cells.compliance.checker import Block, Clear, Verdict
from cells.parties.models import PartyStatus


def status_of(deleted_at: datetime | None, verdict: Verdict | None) -> PartyStatus:
    """No verdict means that none could be had, which is a review."""
    if deleted_at is not None:
        return "deleted"
    if isinstance(verdict, Clear):
        return "active"
    return "blocked" if isinstance(verdict, Block) else "in_review"
