"""Every kind of event that partners are told of, each with the model of its data and an example made by that model: what the API serves,
the documents show, and tests hold every event against. Append-only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Final

from residency.classes import Confidential, Public
from residency.wire import Credit, EndedBatch, Resource, StoppedEndpoint, TestedEndpoint, Transfer

_ID = "06l2r0k8q5o7t3v1a9c4e6g8io"
_AT = "2026-11-21T10:00:00.000000Z"
_TRANSFER: Final = MappingProxyType(
    {
        "id": f"tr_eu1_{_ID}",
        "status": "FUNDS_HELD",
        "quote_id": f"qt_eu1_{_ID}",
        "recipient_id": f"rcp_id1_{_ID}.IDR.AbC",
        "payer_id": f"pyr_eu1_{_ID}",
        "source_wallet_id": f"wal_eu1_{_ID}",
        "source": {"value": "101.50", "currency": "EUR"},
        "fee": {"value": "1.50", "currency": "EUR"},
        "margin": {"value": "0.60", "currency": "EUR"},
        "target": {"value": "1812345.00", "currency": "IDR"},
        "rail": "bi_fast",
        "in_doubt": False,
        "reason_code": None,
        "reason": None,
        "scheme_reference": None,
        "metadata": {"order": "10021"},
        "batch_id": None,
        "returned": None,
        "created_at": "2026-11-21T09:59:58.000000Z",
        "updated_at": _AT,
    }
)
_CREDIT: Final = MappingProxyType(
    {
        "collection_id": f"col_eu1_{_ID}",
        "wallet_id": f"wal_eu1_{_ID}",
        "amount": {"value": "250.00", "currency": "EUR"},
        "rail": "sepa_instant",
        "settlement_date": None,
        "available_at": None,
        "reason_code": None,
        "reason": None,
    }
)
_BATCH: Final = MappingProxyType(
    {
        "batch_id": f"bat_eu1_{_ID}",
        "wallet_id": f"wal_eu1_{_ID}",
        "status": "COMPLETED",
        "amount": {"value": "20300.00", "currency": "EUR"},
        "lines": {"COMPLETED": 200},
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
    """`says`: when it is sent, for partners to read. `model`: what its data is, and `example` one such. `ends`: the transfer rests then, and
    whoever watches it live has seen its end."""

    says: Annotated[str, Public]
    model: Annotated[type[Resource], Public]
    example: Annotated[Mapping[str, object], Confidential]
    ends: Annotated[bool, Public] = False


def _kind(says: str, model: type[Resource], example: Mapping[str, Any], *, ends: bool = False) -> EventKind:
    if set(example) != set(model.model_fields):
        raise ValueError(
            f"the example of {model.__name__} has not its fields: {sorted(set(example) ^ set(model.model_fields))}"
        )
    model.model_validate(example)
    return EventKind(says, model, MappingProxyType(dict(example)), ends)


def _transfer(says: str, status: str, *, ends: bool = False, **more: object) -> EventKind:
    return _kind(says, Transfer, {**_TRANSFER, "status": status, **more}, ends=ends)


def _credit(says: str, **more: object) -> EventKind:
    return _kind(says, Credit, {**_CREDIT, **more})


def _batch(says: str, status: str, lines: dict[str, int], **more: object) -> EventKind:
    return _kind(says, EndedBatch, {**_BATCH, "status": status, "lines": lines, **more})


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
        "wallet.credited": _credit("Money has arrived in a wallet."),
        "wallet.credit_pending": _credit(
            "Money is on its way to a wallet and settles on a later day; until then it cannot be spent.",
            settlement_date="2026-12-09", available_at="2026-12-08T23:00:00Z",
        ),
        "wallet.credit_returned": _credit(
            "Money that a wallet had received was returned to its payer.", reason_code="FRAD", reason="Fraud"
        ),
        "batch.completed": _batch("Every line of a batch has reached its recipient.", "COMPLETED", {"COMPLETED": 200}),
        "batch.partially_completed": _batch(
            "Every line of a batch has ended; some were not paid, and their funds are back in the wallet.",
            "PARTIALLY_COMPLETED", {"COMPLETED": 197, "INVALID": 1, "REFUNDED": 2},
        ),
        "batch.failed": _batch(
            "No line of a batch was paid; no money has left the wallet.", "FAILED", {"NOT_SENT": 200},
            amount={"value": "0.00", "currency": "EUR"}, reason_code="insufficient-funds",
            reason="12.00 EUR is missing. Fund the wallet and submit the batch again as a new one.",
        ),
        "webhook.disabled": _kind(
            "An endpoint gets no more deliveries: it failed for too long, or answered 410 Gone.", StoppedEndpoint,
            {"endpoint_id": f"whe_eu1_{_ID}", "reason_code": "failing", "reason": DISABLED["failing"]},
        ),
        "webhook.test": _kind(
            "A test that you requested. It goes to the named endpoint, whatever its event types.", TestedEndpoint,
            {"endpoint_id": f"whe_eu1_{_ID}"},
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
        "timestamp": _AT,
        "data": dict(CATALOGUE[event_type].example),
    }


def table() -> str:
    """The catalogue as a Markdown table, as it stands in the README."""
    rows = [f"| `{name}` | {kind.says} |" for name, kind in CATALOGUE.items()]
    return "\n".join(["| type | sent when |", "|---|---|", *rows])
