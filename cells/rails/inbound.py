"""What a scheme sends us, by the message that it is, and what we answer. Pure.

Invariant: a message is read as exactly one kind, which its namespace names and the rail's profile allows; what this rail has no
use for is refused by name, never passed over in silence.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from cells.rails.iso20022 import accounts, payments, recalls, reports, returns, statuses
from cells.rails.iso20022.reports import StatusReport
from cells.rails.iso20022.statuses import Answerable
from cells.rails.iso20022.xml import message_name
from cells.rails.later import AccountReport, RecallAnswered, RecallReceived
from cells.rails.profile import RailProfile
from cells.rails.rail import Collection, MessageInvalid, ReturnReceived, utc_now
from cells.rails.registry import profile_of


@dataclass(frozen=True, slots=True)
class Inbound:
    """One message of a scheme: `name` is its schema's (pacs.004.001.09), `kind` what it is, and the field of that name holds what it says.

    `credits` and `returns` are answered with a pacs.002. `recalls`: credits that their senders ask back; `recall_answers`: to recalls
    of ours. `report`: a late word on payments of ours. `account`: what a statement or a notification tells of our account, which may be
    that nothing is booked yet.
    """

    name: str
    kind: Literal["credits", "returns", "recalls", "recall_answers", "report", "account"]
    credits: Sequence[Collection] = ()
    returns: Sequence[ReturnReceived] = ()
    recalls: Sequence[RecallReceived] = ()
    recall_answers: Sequence[RecallAnswered] = ()
    report: StatusReport = field(default_factory=StatusReport)
    account: AccountReport = field(default_factory=AccountReport)


def _credits(profile: RailProfile, name: str, body: bytes, now: datetime) -> Inbound:
    return Inbound(name, "credits", credits=payments.parse(profile, body, now))


def _returns(profile: RailProfile, name: str, body: bytes, now: datetime) -> Inbound:
    return Inbound(name, "returns", returns=returns.read_returns(profile, body, now))


def _report(profile: RailProfile, name: str, body: bytes, now: datetime) -> Inbound:
    return Inbound(name, "report", report=reports.read_report(profile, body, now))


def _recalls(profile: RailProfile, name: str, body: bytes, now: datetime) -> Inbound:
    return Inbound(name, "recalls", recalls=recalls.read_recalls(profile, body, now))


def _recall_answers(profile: RailProfile, name: str, body: bytes, now: datetime) -> Inbound:
    return Inbound(name, "recall_answers", recall_answers=recalls.read_answers(profile, body, now))


def _notification(profile: RailProfile, name: str, body: bytes, _: datetime) -> Inbound:
    return Inbound(name, "account", account=accounts.read_notification(profile, body))


def _statement(profile: RailProfile, name: str, body: bytes, _: datetime) -> Inbound:
    return Inbound(name, "account", account=accounts.read_statements(profile, body))


def read_inbound(rail: str, body: bytes, *, keeps_hours: bool = True) -> Inbound:
    """What the scheme's message says. Raises UnknownRail, MessageInvalid. The caller has verified its signature.

    Without `keeps_hours`, before a simulated scheme that never closes, money may settle on any day.
    """
    profile = profile_of(rail)
    if not keeps_hours:
        profile = profile.model_copy(update={"hours": None})
    readers: dict[str, Callable[[RailProfile, str, bytes, datetime], Inbound]] = {
        profile.messages.payment: _credits,
        profile.messages.returned: _returns,
        profile.messages.recall: _recalls,
        profile.messages.recall_answer: _recall_answers,
        profile.messages.notification: _notification,
        profile.messages.statement: _statement,
        profile.messages.status: _report,
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
