"""How long the law keeps the record of a party that was paid or that paid, although its tenant deletes it."""

from collections.abc import Mapping
from datetime import datetime

from residency.rules import rules_of


def kept_until(region: str, last_payments: Mapping[str, datetime]) -> dict[str, datetime]:
    """From when each subject had its last payment to when it may be erased (residency/rules, `keeping`).

    A subject without payments is not in `last_payments`, and is erased as soon as it is deleted.
    """
    kept = rules_of(region).keeping.term
    return {subject_id: paid_at + kept for subject_id, paid_at in last_payments.items()}
