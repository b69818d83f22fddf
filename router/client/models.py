"""What the API answers, typed. Fields that this version does not know are left out, so that new ones break nothing."""

from datetime import date, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from residency import wire
from residency.classes import Confidential, Personal, Public
from residency.wire import Money

# The states in which a transfer rests: its money moves no more by itself. A completed payment may still come back, and a blocked one go
# on once the law lets it be released.
TERMINAL = frozenset({"COMPLETED", "REFUNDED", "REJECTED", "CANCELLED", "BLOCKED", "RETURNED", "PARTIALLY_RETURNED"})


class Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Margin(Answer):
    bps: Annotated[int, Confidential]
    amount: Annotated[Money, Confidential]


class Fee(Answer):
    """What one rule takes: `kind` PRE of the payer, POST of the recipient."""

    kind: Annotated[str, Public]
    rule: Annotated[str, Public]
    version: Annotated[int, Public]
    amount: Annotated[Money, Confidential]


class Quote(Answer):
    """`source` is all that leaves the wallet: principal, margin and fee. `target` is what arrives, the recipient's fees taken off."""

    id: Annotated[str, Public]
    status: Annotated[str, Public]
    fixed_side: Annotated[str, Public]
    source: Annotated[Money, Confidential]
    target: Annotated[Money, Confidential]
    rate: Annotated[str, Public]
    rate_as_of: Annotated[date, Public]
    rate_age_days: Annotated[int, Public]
    rate_stale: Annotated[bool, Public]
    rate_source: Annotated[str, Public]
    principal: Annotated[Money, Confidential]
    margin: Annotated[Margin, Confidential]
    fee: Annotated[Money, Confidential]
    recipient_fee: Annotated[Money, Confidential]
    fees: Annotated[tuple[Fee, ...], Confidential]
    rail: Annotated[str, Public]
    transfer_id: Annotated[str | None, Public] = None
    created_at: Annotated[datetime, Public]
    expires_at: Annotated[datetime, Public]


class NameCheck(Answer):
    """`result`: match, close, no_match or unavailable. `registered_name`: where it is close, and only when it is asked."""

    result: Annotated[str, Confidential]
    checked_at: Annotated[datetime, Public]
    registered_name: Annotated[str | None, Personal] = None


class Recipient(Answer):
    """`id` is the signed token that pays it."""

    id: Annotated[str, Public]
    kind: Annotated[str, Confidential]
    currency: Annotated[str, Confidential]
    country: Annotated[str, Confidential]
    bank: Annotated[str, Confidential]
    status: Annotated[str, Public]
    created_at: Annotated[datetime, Public]
    name_check: Annotated[NameCheck | None, Confidential] = None
    details: Annotated[dict[str, Any] | None, Personal] = None


class Payer(Answer):
    id: Annotated[str, Public]
    kind: Annotated[str, Confidential]
    status: Annotated[str, Public]
    created_at: Annotated[datetime, Public]
    details: Annotated[dict[str, Any] | None, Personal] = None


class Form(Answer):
    """`json_schema` checks what you send; each of the `examples` is taken as it stands."""

    kind: Annotated[str, Public]
    json_schema: Annotated[dict[str, Any], Public]
    any_of: Annotated[tuple[tuple[str, ...], ...], Public] = ()
    examples: Annotated[tuple[dict[str, Any], ...], Public]


class Requirements(Answer):
    """`region`: where to register; one form for each kind of party."""

    region: Annotated[str, Public]
    forms: Annotated[tuple[Form, ...], Public]


class ReturnPart(Answer):
    """One return: `amount` of the recipient's money, and what your wallet was `credited` for it."""

    number: Annotated[int, Public]
    amount: Annotated[Money, Confidential]
    credited: Annotated[Money, Confidential]
    reason_code: Annotated[str, Public]
    reason: Annotated[str | None, Public] = None
    at: Annotated[datetime, Public]


class Returned(wire.Returned):
    """All that has come back of a transfer so far."""

    returns: Annotated[tuple[ReturnPart, ...], Confidential] = ()


class Step(Answer):
    """One step of a transfer's life, and the room of the cell that learnt of it."""

    event: Annotated[str, Public]
    status: Annotated[str, Public]
    room: Annotated[str, Public]
    at: Annotated[datetime, Public]


class Transfer(wire.Transfer):
    """`timeline`, and the single `returns`, come with a single one."""

    # A status that this version does not know is read, too.
    status: Annotated[str, Public]  # type: ignore[assignment]
    returned: Annotated[Returned | None, Confidential] = None
    timeline: Annotated[tuple[Step, ...], Public] = ()

    @property
    def ended(self) -> bool:
        """Whether it has come to an end, good or bad."""
        return self.status in TERMINAL

    @property
    def paid(self) -> bool:
        return self.status == "COMPLETED"


class Deposit(Answer):
    """Money that the sandbox's scheme sends now."""

    wallet_id: Annotated[str, Public]
    amount: Annotated[Money, Confidential]
    rail: Annotated[str, Public]
    scheme_reference: Annotated[str, Public]


class WebhookEndpoint(Answer):
    """`secret` is there once, in the answer that makes the endpoint."""

    id: Annotated[str, Public]
    url: Annotated[str, Confidential]
    event_types: Annotated[tuple[str, ...], Public]
    status: Annotated[str, Public]
    disabled_reason: Annotated[str | None, Public] = None
    jwks_path: Annotated[str, Public] = ""
    created_at: Annotated[datetime, Public]
    secret: Annotated[str | None, Confidential] = None


class Event(Answer):
    """What a webhook carries."""

    id: Annotated[str, Public]
    type: Annotated[str, Public]
    timestamp: Annotated[datetime, Public]
    data: Annotated[dict[str, Any], Confidential]


class Rails(Answer):
    name: Annotated[str, Public]
    rails: Annotated[tuple[str, ...], Public]


class Region(Answer):
    """A jurisdiction, and what it holds."""

    region: Annotated[str, Public]
    currencies: Annotated[tuple[str, ...], Public]
    cells: Annotated[tuple[Rails, ...], Public]


Item = TypeVar("Item", bound=BaseModel)


class EventPage(Answer):
    """Part of the feed of events, oldest first. Keep `next_cursor`: with it the feed goes on, now or tomorrow."""

    data: Annotated[tuple[Event, ...], Confidential]
    next_cursor: Annotated[str | None, Public] = None
    has_more: Annotated[bool, Public]


class Page(Answer, Generic[Item]):
    """Part of a list; `next_cursor` leads on, None at the end."""

    data: Annotated[tuple[Item, ...], Confidential]
    next_cursor: Annotated[str | None, Public] = None
