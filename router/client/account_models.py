"""What the API answers about a partner itself, typed."""

from datetime import datetime
from typing import Annotated

from residency.classes import Confidential, Public
from residency.wire import Money
from router.client.models import Answer


class CallingKey(Answer):
    """The key that a request was made with, and what it may do."""

    id: Annotated[str, Public]
    scopes: Annotated[tuple[str, ...], Public]


class Profile(Answer):
    """`region` answers; `home_region` is where a request without a region goes."""

    id: Annotated[str, Public]
    name: Annotated[str, Confidential]
    environment: Annotated[str, Public]
    tier: Annotated[str, Public]
    requests_per_minute: Annotated[int, Public]
    region: Annotated[str, Public]
    home_region: Annotated[str, Public]
    key: Annotated[CallingKey, Public]


class Key(Answer):
    """A key without what opens."""

    id: Annotated[str, Public]
    credential_type: Annotated[str, Public]
    prefix: Annotated[str, Public]
    scopes: Annotated[tuple[str, ...], Public]
    label: Annotated[str, Confidential]
    state: Annotated[str, Public]
    created_at: Annotated[datetime | None, Public] = None
    expires_at: Annotated[datetime | None, Public] = None
    last_used_at: Annotated[datetime | None, Public] = None


class Limit(Answer):
    """`most`, `used` and `left`: amounts, or numbers of transfers where `measure` is count. `subject`: a wallet or payer, None for all."""

    limit: Annotated[str, Public]
    scope: Annotated[str, Public]
    subject: Annotated[str | None, Public] = None
    currency: Annotated[str, Public]
    window: Annotated[str, Public]
    measure: Annotated[str, Public]
    most: Annotated[Money | int, Confidential]
    used: Annotated[Money | int | None, Confidential] = None
    left: Annotated[Money | int | None, Confidential] = None
    resets_at: Annotated[datetime | None, Public] = None


class FeeRule(Answer):
    """`applies_if` and `takes` say in words what `applies` and `amount` compute."""

    rule: Annotated[str, Public]
    version: Annotated[int, Public]
    kind: Annotated[str, Public]
    paid_by: Annotated[str, Public]
    agreed: Annotated[bool, Public]
    applies_if: Annotated[str, Confidential]
    takes: Annotated[str, Confidential]
    applies: Annotated[str, Confidential]
    amount: Annotated[str, Confidential]
    effective_from: Annotated[datetime, Public]
    effective_to: Annotated[datetime | None, Public] = None
