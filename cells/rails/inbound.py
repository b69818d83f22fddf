"""What a scheme sends us, by the message that it is, and what we answer. Pure.

Invariant: a message is read as exactly one kind, which its namespace names and the rail's profile allows; what this rail has no
use for is refused by name, never passed over in silence.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from cells.rails.iso20022 import accounts, payments, recalls, returns, statuses
from cells.rails.iso20022.statuses import Answerable
from cells.rails.iso20022.xml import message_name
from cells.rails.later import Movement, RecallAnswered, RecallReceived
from cells.rails.profile import RailProfile
from cells.rails.rail import Collection, MessageInvalid, Outcome, ReturnReceived, utc_now
from cells.rails.registry import profile_of


@dataclass(frozen=True, slots=True)
class Inbound:
    """One message of a scheme: `name` is its schema's (pacs.004.001.09), and one of the others holds what it says.

    `credits` and `returns` are answered with a pacs.002. `recalls`: credits that their senders ask back; `recall_answers`: to recalls
    of ours. `answers`: a late word on payments of ours, by end-to-end id. `movements`: what a notification tells of our account.
    """

    name: str
    credits: Sequence[Collection] = ()
    returns: Sequence[ReturnReceived] = ()
    recalls: Sequence[RecallReceived] = ()
    recall_answers: Sequence[RecallAnswered] = ()
    answers: Mapping[str, Outcome] = field(default_factory=dict)
    movements: Sequence[Movement] = ()


def _credits(profile: RailProfile, name: str, body: bytes, now: datetime) -> Inbound:
    return Inbound(name, credits=payments.parse(profile, body, now))


def _returns(profile: RailProfile, name: str, body: bytes, now: datetime) -> Inbound:
    return Inbound(name, returns=returns.read_returns(profile, body, now))


def _answers(profile: RailProfile, name: str, body: bytes, now: datetime) -> Inbound:
    return Inbound(name, answers=statuses.read_late_answers(profile, body, now))


def _recalls(profile: RailProfile, name: str, body: bytes, now: datetime) -> Inbound:
    return Inbound(name, recalls=recalls.read_recalls(profile, body, now))


def _recall_answers(profile: RailProfile, name: str, body: bytes, now: datetime) -> Inbound:
    return Inbound(name, recall_answers=recalls.read_answers(profile, body, now))


def _movements(profile: RailProfile, name: str, body: bytes, _: datetime) -> Inbound:
    return Inbound(name, movements=accounts.read_notification(profile, body))


def read_inbound(rail: str, body: bytes, *, keeps_hours: bool = True) -> Inbound:
    """What the scheme's message says. Raises UnknownRail, MessageInvalid. The caller has verified its signature.

    Without `keeps_hours`, before a simulated scheme that never closes, money may settle on any day.
    """
    profile = profile_of(rail) if keeps_hours else replace(profile_of(rail), hours=None)
    readers: dict[str, Callable[[RailProfile, str, bytes, datetime], Inbound]] = {
        profile.payment_message: _credits,
        profile.later.returned: _returns,
        profile.later.recall: _recalls,
        profile.later.recall_answer: _recall_answers,
        profile.later.notification: _movements,
        profile.status_message: _answers,
    }
    name = message_name(body)
    reader = readers.get(name)
    if reader is None:
        raise MessageInvalid(f"{profile.title} sends {', '.join(sorted(readers))} to this address, and nothing else.")
    return reader(profile, name, body, utc_now())


def build_answer(rail: str, came: Sequence[Answerable], refusals: Mapping[str, str] | None = None) -> bytes:
    """The pacs.002 to credits or returns: accepted, but for the scheme references in `refusals`, whose values are ISO reason
    codes.
    """
    return statuses.build_answer(profile_of(rail), came, refusals or {}, utc_now())
