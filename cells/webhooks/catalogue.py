"""Every kind of event that partners are told of, with an example of its data: what the API serves, the README shows, and writers
are held to. Append-only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Final

from residency.classes import Confidential, Public

_ID = "06l2r0k8q5o7t3v1a9c4e6g8io"
_TRANSFER: Final = MappingProxyType(
    {
        "transfer_id": f"tr_eu1_{_ID}",
        "quote_id": f"qt_eu1_{_ID}",
        "recipient_id": f"rcp_id1_{_ID}.IDR.AbC",
        "payer_id": f"pyr_eu1_{_ID}",
        "wallet_id": f"wal_eu1_{_ID}",
        "state": "FUNDS_HELD",
        "source_amount": {"value": "101.50", "currency": "EUR"},
        "target_amount": {"value": "1812345.00", "currency": "IDR"},
        "fee": {"value": "1.50", "currency": "EUR"},
        "rail": "bi_fast",
        "reason_code": None,
        "reason": None,
        "scheme_reference": None,
        "metadata": {"order": "10021"},
    }
)
_CREDIT: Final = MappingProxyType(
    {
        "collection_id": f"col_eu1_{_ID}",
        "wallet_id": f"wal_eu1_{_ID}",
        "amount": {"value": "250.00", "currency": "EUR"},
        "rail": "sepa_instant",
    }
)
_BATCH: Final = MappingProxyType(
    {
        "batch_id": f"bat_eu1_{_ID}",
        "wallet_id": f"wal_eu1_{_ID}",
        "amount": {"value": "20300.00", "currency": "EUR"},
        "reason_code": None,
        "reason": None,
    }
)
_CLOSED: Final = MappingProxyType({"reason_code": "AC04", "reason": "The account is closed"})
_PAID: Final = MappingProxyType({"scheme_reference": "20261121CENAIDJA0101"})


# Why an endpoint gets nothing more, by the code that is on record.
DISABLED: Final = MappingProxyType(
    {
        "failing": "It took no delivery for too long.",
        "gone": "It answered 410 Gone.",
    }
)


@dataclass(frozen=True, slots=True)
class EventKind:
    """`says`: when it is told, for partners to read. `example`: its data. `ends`: the transfer rests then, and whoever watches it
    live has seen its end."""

    says: Annotated[str, Public]
    example: Annotated[Mapping[str, object], Confidential]
    ends: Annotated[bool, Public] = False


def _transfer(says: str, state: str, *, ends: bool = False, **more: object) -> EventKind:
    return EventKind(says, MappingProxyType({**_TRANSFER, "state": state, **more}), ends)


def _batch(says: str, state: str, lines: dict[str, int], **more: object) -> EventKind:
    return EventKind(says, MappingProxyType({**_BATCH, "state": state, "lines": lines, **more}))


def _returned(amount: str, credited: str) -> dict[str, object]:
    return {"amount": {"value": amount, "currency": "IDR"}, "credited": {"value": credited, "currency": "EUR"}}


CATALOGUE: Final[Mapping[str, EventKind]] = MappingProxyType(
    {
        "transfer.funds_held": _transfer("The amount and the fee are held in your wallet.", "FUNDS_HELD"),
        "transfer.in_review": _transfer("A check needs a person; the funds and the rate are held.", "IN_REVIEW"),
        "transfer.rejected": _transfer("The transfer was refused before any money was held.", "REJECTED", ends=True, reason_code="insufficient-funds"),
        "transfer.cancelled": _transfer("You cancelled it; the hold is released.", "CANCELLED", ends=True),
        "transfer.blocked": _transfer("The funds are frozen by law. After a release the payment continues or is refunded; another event reports it.", "BLOCKED", ends=True),
        "transfer.instructed": _transfer("The paying region is instructed to pay; the transfer can no longer be cancelled.", "INSTRUCTED"),
        "transfer.completed": _transfer("The money has arrived at the recipient's bank.", "COMPLETED", ends=True, **_PAID),
        "transfer.refunded": _transfer("The transfer could not be paid; its funds are available in your wallet again.", "REFUNDED", ends=True, **_CLOSED),
        "transfer.returned": _transfer(
            "The whole payment was returned and credited to your wallet.", "RETURNED", ends=True, **_PAID,
            returned=_returned("1812345.00", "100.00"),
        ),
        "transfer.partially_returned": _transfer(
            "A part of the payment was returned and credited to your wallet.", "PARTIALLY_RETURNED", ends=True, **_PAID,
            returned=_returned("724938.00", "40.00"),
        ),
        "transfer.paid_after_refund": _transfer(
            "The scheme paid a transfer after its refund to you. You keep the refund; Kovra bears the loss.", "REFUNDED", ends=True, **_PAID
        ),
        "wallet.credited": EventKind("Money has arrived in a wallet.", _CREDIT),
        "wallet.credit_pending": EventKind(
            "Money is on its way to a wallet and settles on a later day; until then it cannot be spent.",
            MappingProxyType({**_CREDIT, "settlement_date": "2026-12-09", "available_at": "2026-12-08T23:00:00Z"}),
        ),
        "wallet.credit_returned": EventKind(
            "Money that a wallet had received was returned to its payer.", MappingProxyType({**_CREDIT, "reason_code": "FRAD", "reason": "Fraud"})
        ),
        "batch.completed": _batch("Every line of a batch has reached its recipient.", "COMPLETED", {"COMPLETED": 200}),
        "batch.partially_completed": _batch(
            "Every line of a batch has ended; some were not paid, and their funds are back in the wallet.",
            "PARTIALLY_COMPLETED", {"COMPLETED": 197, "INVALID": 1, "REFUNDED": 2},
        ),
        "batch.failed": _batch(
            "No line of a batch was paid; no money has left the wallet.", "FAILED", {"NOT_SENT": 200},
            reason_code="insufficient-funds", reason="The wallet does not hold enough",
        ),
        "webhook.disabled": EventKind(
            "An endpoint gets no more deliveries: it failed for too long, or answered 410 Gone.",
            MappingProxyType({"endpoint_id": f"whe_eu1_{_ID}", "reason_code": "failing", "reason": DISABLED["failing"]}),
        ),
        "webhook.test": EventKind(
            "A test that you requested. It goes to the named endpoint, whatever its event types.",
            MappingProxyType({"endpoint_id": f"whe_eu1_{_ID}"}),
        ),
    }
)  # fmt: skip
EVENT_TYPES: Final = frozenset(CATALOGUE)
ENDING_TYPES: Final = frozenset(name for name, kind in CATALOGUE.items() if kind.ends)


def example(event_type: str) -> dict[str, object]:
    """A whole event of that type, as a delivery's body and `GET /v1/events` show it."""
    return {
        "id": f"evt_eu1_{_ID}",
        "type": event_type,
        "timestamp": "2026-11-21T10:00:00.000000Z",
        "data": dict(CATALOGUE[event_type].example),
    }


def table() -> str:
    """The catalogue as a Markdown table, as it stands in the README."""
    rows = [f"| `{name}` | {kind.says} |" for name, kind in CATALOGUE.items()]
    return "\n".join(["| type | sent when |", "|---|---|", *rows])
