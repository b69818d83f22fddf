"""What a rail's messages cost to write and to read, schema and all: a second of one core, per message with one payment, and with many."""

import time
from collections.abc import Callable
from typing import Any

from cells.rails.inbound import build_answer, read_inbound
from cells.rails.iso20022 import payments, reports
from cells.rails.rail import utc_now
from cells.rails.registry import profile_of
from infra.schemes.messages import Status, report
from tests.support.schemes import payout

_RAIL = "faster_payments"
_ROUND_S = 0.5


def messages() -> dict[str, Any]:
    """Payments a second: a payment written and its answer read, alone and by as many as a message takes; a credit read and answered."""
    profile = profile_of(_RAIL)
    many = profile.transactions_per_message
    return {
        "rail_messages_per_s": round(rate_of(_sent(1))),
        f"rail_payments_per_s_by_{many}": round(many * rate_of(_sent(many))),
        "rail_credits_per_s": round(rate_of(_received())),
    }


def _sent(count: int) -> Callable[[], None]:
    """One message of `count` payments built, and the scheme's answer to it read."""
    profile, now = profile_of(_RAIL), utc_now()
    payouts = [payout(profile) for _ in range(count)]
    ids = [one.end_to_end_id for one in payouts]
    answer = report([Status(one, one.replace("-", ""), "ACSC", at="2026-11-20T10:00:00Z") for one in ids])

    def once() -> None:
        payments.build(profile, profile.participant_of(1), payouts, now)
        assert len(reports.answers_to(reports.read_report(profile, answer, now), ids, {})) == count

    return once


def _received() -> Callable[[], None]:
    profile = profile_of(_RAIL)
    body = payments.build(profile, profile.participant_of(1), [payout(profile)], utc_now())

    def once() -> None:
        came = read_inbound(_RAIL, body)
        assert build_answer(_RAIL, came.credits, {})

    return once


def rate_of(once: Callable[[], object]) -> float:
    """Times a second of CPU, so that what else runs on the machine counts little."""
    once()
    started, rounds = time.process_time(), 0
    while (used := time.process_time() - started) < _ROUND_S:
        once()
        rounds += 1
    return rounds / used
