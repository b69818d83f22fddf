"""What the entries of a webhook endpoint say. Its row counts no versions (store.write), so a stream begins with either."""

from collections.abc import Mapping
from typing import Annotated, Final

from cells.journal.body import Body, Name
from residency.classes import Public


class EndpointTested(Body):
    """An endpoint's owner asks for a test event."""


class EndpointDisabled(Body):
    """An endpoint gets nothing more."""

    reason_code: Annotated[Name, Public]


BIRTHS: Final[Mapping[str, type[Body]]] = {}
LATER: Final[Mapping[str, type[Body]]] = {
    "endpoint.tested.1": EndpointTested,
    "endpoint.disabled.1": EndpointDisabled,
}
