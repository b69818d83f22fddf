"""The attestation that crosses a border with a payment: which lists, at which versions, with what result."""

from cells.compliance.checker import Clear
from residency import messages


def crossing_attestation(verdict: Clear) -> messages.Attestation:
    """For `Instructed.screening`. Only a clear verdict crosses: a payment that is not clear does not
    leave."""
    made = verdict.attestation
    assert made.result in {"clear", "reviewed"}, made.result
    return messages.Attestation(
        lists=dict(made.lists), result="clear" if made.result == "clear" else "reviewed", at=made.at
    )
