"""What schemes will be given of names, addresses and references: shown where a partner looks for what it has told us."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field

from cells.rails.iso20022.sent import party_sent
from cells.rails.profile import RailProfile
from cells.rails.rail import Party
from residency.classes import Personal, Public


class SentAs(BaseModel):
    """How one rail names a party: in the scheme's letters, as far as they fit."""

    rail: Annotated[str, Public]
    name: Annotated[str, Personal]
    cut: Annotated[dict[str, int], Public] = Field(
        description="By field (`name`, `street`, `building`, `postcode`, `town`, `subdivision`, `lines`): how many characters at its end do not fit"
        " and are left out. Empty where all of it is sent"
    )


def sent_as(party: Party, profiles: Sequence[RailProfile]) -> list[dict[str, Any]]:
    """A SentAs for each rail, in order."""
    found = ((one.name, party_sent(party, one)) for one in profiles)
    return [{"rail": rail, "name": sent.name, "cut": sent.cut} for rail, sent in found]
