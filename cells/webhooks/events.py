"""Events, and the closed set of fields that their data may have. Their types are in catalogue.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated

import orjson

from cells.webhooks.catalogue import EVENT_TYPES
from residency.classes import Class, Confidential, Public
from residency.ids import mint, parse

# The border of a webhook: what its data may say, each with its class. Personal data has no name here.
DATA_FIELDS = MappingProxyType(
    {
        "transfer_id": Public,
        "collection_id": Public,
        "wallet_id": Public,
        "endpoint_id": Public,
        "quote_id": Public,
        "recipient_id": Public,
        "payer_id": Public,
        "state": Public,
        "source_amount": Confidential,
        "target_amount": Confidential,
        "amount": Confidential,
        "fee": Confidential,
        "returned": Confidential,
        "batch_id": Public,
        "lines": Confidential,  # how many of a batch ended how
        "reason_code": Public,
        "reason": Confidential,  # that code in words; of a batch, its fault's sentence
        "rail": Public,
        "scheme_reference": Confidential,
        "settlement_date": Public,
        "available_at": Public,
        "metadata": Confidential,
    }
)
assert Class.PERSONAL not in DATA_FIELDS.values()


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something to tell a tenant; build it with `NewEvent.of`."""

    event_id: Annotated[str, Public]
    tenant_id: Annotated[str, Public]
    event_type: Annotated[str, Public]
    resource_id: Annotated[str, Public]
    data: Annotated[Mapping[str, object], Confidential]
    occurred_at: Annotated[datetime, Public]

    def __post_init__(self) -> None:
        if self.event_type not in EVENT_TYPES:
            raise ValueError(f"{self.event_type} is no event type; append it to CATALOGUE")
        if strange := set(self.data) - set(DATA_FIELDS):
            raise ValueError(f"{self.event_type} may not say {sorted(strange)}; classify them in DATA_FIELDS first")

    @classmethod
    def of(
        cls,
        cell: str,
        tenant_id: str,
        event_type: str,
        resource_id: str,
        data: Mapping[str, object],
        occurred_at: datetime,
    ) -> "NewEvent":
        """An event of `cell` with a new id. `data` has fields of DATA_FIELDS only, amounts as the API writes
        them.

        `occurred_at` is aware.
        """
        return cls(mint("evt", cell), tenant_id, event_type, resource_id, data, occurred_at)

    @classmethod
    def about(cls, tenant_id: str, event_type: str, resource_id: str, data: Mapping[str, object]) -> "NewEvent":
        """As `of`: of the cell that the resource belongs to, and of this moment."""
        return cls.of(parse(resource_id).cell, tenant_id, event_type, resource_id, data, datetime.now(UTC))

    @property
    def body(self) -> str:
        """The text that is signed and sent: stored with the event, never written again."""
        said = {
            "id": self.event_id,
            "type": self.event_type,
            "timestamp": self.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "data": dict(self.data),
        }
        return orjson.dumps(said).decode()
