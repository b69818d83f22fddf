"""What may be written: the closed list of kinds of entries, each with the body that its facts have.

A kind is `<life>.<event>.<version of its body>`. A body that changes gets the next version, and the old one stays: what was written once is
read for ever. The bodies of each room's lives are in the files beside this one.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from cells.journal import kinds_credit, kinds_return, kinds_transfer, kinds_wallet, kinds_webhook
from cells.journal.body import Body

_ROOMS = (kinds_transfer, kinds_credit, kinds_return, kinds_wallet, kinds_webhook)


class UnknownKind(ValueError):
    """The kind is not on the list, or its facts are not those of its body."""


# The kinds that a stream may begin with, and it alone.
BIRTHS: Final = frozenset(kind for room in _ROOMS for kind in room.BIRTHS)
KINDS: Final[Mapping[str, type[Body]]] = MappingProxyType(
    {kind: body for room in _ROOMS for kinds in (room.BIRTHS, room.LATER) for kind, body in kinds.items()}
)
_check = {kind: TypeAdapter(body).validator.validate_python for kind, body in KINDS.items()}


def check(kind: str, facts: Mapping[str, Any]) -> None:
    """Raises UnknownKind where `facts` is not a body of `kind`. What it says quotes none of the facts."""
    try:
        _check[kind](dict(facts))
    except KeyError:
        raise UnknownKind(f"{kind} is no kind of entry") from None
    except ValidationError as error:
        wrong = sorted({".".join(map(str, one["loc"])) for one in error.errors(include_input=False, include_url=False)})
        raise UnknownKind(f"{kind} does not hold {', '.join(wrong)}") from None
