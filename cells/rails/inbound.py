"""What a scheme sends us, and what we answer: one pacs.008 in, one pacs.002 out. Pure."""

from collections.abc import Mapping, Sequence

from cells.rails.iso20022 import payments, statuses
from cells.rails.rail import Collection, utc_now
from cells.rails.registry import profile_of


def parse_inbound(rail: str, body: bytes) -> list[Collection]:
    """The credits in the scheme's message. Raises UnknownRail, MessageInvalid.
    The caller has verified its signature.
    """
    return payments.parse(profile_of(rail), body, utc_now())


def build_answer(rail: str, collections: Sequence[Collection], refusals: Mapping[str, str] | None = None) -> bytes:
    """The answer to them: accepted, but for the scheme references in `refusals`, whose values are ISO reason
    codes.
    """
    return statuses.build_answer(profile_of(rail), collections, refusals or {}, utc_now())
