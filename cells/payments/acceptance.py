"""What a partner asked of a wallet: the body of the command `accept`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Any

from cells.journal.entry import Author
from cells.payments import personal


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The body of the command `accept`: what a partner asked, with the ids that were minted at the door.

    `author`: who asks. `deadline`: by when the payee shall have the money; None = as soon as possible. `remittance` is sealed for the vault of this region already: nothing personal lies in an actor's memory. `batch_id`: the batch that it is a line of; then it has no key, and its
    text is in the vault already.
    """

    transfer_id: str
    tenant_id: str
    quote_id: str
    recipient_id: str
    payer_id: str
    idempotency_key: str
    request_sha256: bytes
    author: Author
    metadata: Mapping[str, str] = field(default_factory=dict)
    remittance: personal.SealedRemittance | None = None
    deadline: datetime | None = None
    batch_id: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Acceptance, _fields_of(self)  # see Command


_fields_of = attrgetter(*(one.name for one in fields(Acceptance)))
