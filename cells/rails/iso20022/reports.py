"""pacs.002, the status report, as it is read. Pure.

What a report is about is read first: the message that it names (OrgnlMsgNmId), then the level (the whole message or one transaction of
it), then the status, then its reasons.

- Only a word about our payment message, or about no message in particular, is one about a payment. A report on our inquiry (pacs.028),
  recall (camt.056) or return (pacs.004) says nothing final of the payment that those name.
- A transaction without a status of its own has its message's (GrpSts). One that has its own is an exception to it.
- Settled: a status that the profile lists. Refused: RJCT for reasons that are all on the profile's list. Everything else is in doubt: a
  duplicate, a reason beside the first that is not on the list, none at all.
- Settled and RJCT for one payment in one report is a contradiction, whatever else the report says of it.
- A transaction is ours when its EndToEndId is, and its TxId and (on rails that carry one) its UETR, where they are given, are that payment's.
  One that is named by its UETR alone is looked for by that.

Sources: ISO 20022, pacs.002.001.10 with its rules on GroupStatus and TransactionStatus; the EPC's inter-PSP guidelines leave the level to the
sender (not confirmed in their text: both levels are read on every rail).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias

import pyiso20022.pacs.pacs_002_001_10 as pacs002

from cells.rails.iso20022.dates import instant_of
from cells.rails.iso20022.reasons import says_duplicate
from cells.rails.iso20022.xml import read
from cells.rails.profile import RailProfile
from cells.rails.rail import InDoubt, MessageInvalid, Outcome, Refused, Settled, end_to_end_id_of, transaction_id, uetr

Subject = Literal["payment", "inquiry", "return", "recall", "other"]
_REJECTED, _NOT_PROVIDED = "RJCT", "NOTPROVIDED"
_Reasons = Sequence[pacs002.StatusReasonInformation12]
_Group: TypeAlias = pacs002.OriginalGroupHeader17
_Line: TypeAlias = pacs002.PaymentTransaction110


class GroupStatus(NamedTuple):
    """What a report says of a whole message of ours. `stated`: how many payments it says that the message holds; None: it does not say."""

    outcome: Outcome
    stated: int | None

    def of(self, references: Sequence[str]) -> Outcome:
        """The outcome of each of the message's payments: in doubt where the report counts another number of them."""
        if self.stated in (None, len(references)):
            return self.outcome
        return InDoubt(self.outcome.since if isinstance(self.outcome, InDoubt) else self.outcome.at, "unclear")


@dataclass(frozen=True, slots=True)
class Aside:
    """A word on another message of ours than a payment. `references`: what it names there, end-to-end and transaction ids as the report has
    them. `code`: why it was refused, None where it was not.
    """

    subject: Subject
    message_id: str
    references: tuple[str, ...]
    code: str | None


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What one pacs.002 says. `answers`: by end-to-end id, or by UETR where the report names a payment by nothing else; `groups`: by the id of a payment message, what holds for those of its payments
    that `answers` does not name; `asides`: all that is about something else.
    """

    answers: Mapping[str, Outcome] = field(default_factory=dict)
    groups: Mapping[str, GroupStatus] = field(default_factory=dict)
    asides: Sequence[Aside] = ()


class _Word(NamedTuple):
    """One thing that a report says of one payment."""

    kind: Literal["settled", "rejected", "open"]
    outcome: Outcome


def read_report(profile: RailProfile, body: bytes, now: datetime) -> StatusReport:
    """The whole report. Raises MessageInvalid, also when it is about nothing at all."""
    report = _report(profile, body)
    words: dict[str, list[_Word]] = {}
    groups: dict[str, list[_Word]] = {}
    asides: list[Aside] = []
    for line in report.tx_inf_and_sts:
        group = _group_of(report, line)
        subject, message_id = _subject(profile, report, line)
        word, reference = _word_on(profile, line, group, now), _payment(profile, line)
        if reference and (subject == "payment" or (subject == "inquiry" and _is_not_found(word.outcome))):
            words.setdefault(reference, []).extend(_with_group(word, line, group))
        elif subject != "payment" or _names(line):
            asides.append(Aside(subject, message_id, _names(line), _code_of(word, line.sts_rsn_inf)))
    for group in report.orgnl_grp_inf_and_sts:
        subject = _subject_of(profile, group.orgnl_msg_nm_id)
        if group.grp_sts:
            word = _word(profile, group.grp_sts, group.sts_rsn_inf, now)
            if subject == "payment":
                groups.setdefault(group.orgnl_msg_id, []).append(word)
            else:
                asides.append(Aside(subject, group.orgnl_msg_id, (), _code_of(word, group.sts_rsn_inf)))
    if not (words or groups or asides):
        raise MessageInvalid("The report names no payment, and no status of a message.")
    # One that is named by its UETR here and by its id there is one payment.
    ids = {uetr(one): one for one in words}
    for unique in words.keys() & ids.keys():
        words[ids[unique]].extend(words.pop(unique))
    counts = {one.orgnl_msg_id: one.orgnl_nb_of_txs for one in report.orgnl_grp_inf_and_sts}
    return StatusReport(
        answers={one: _agreed(said, now) for one, said in words.items()},
        groups={one: GroupStatus(_agreed(said, now), _count(counts[one])) for one, said in groups.items()},
        asides=asides,
    )


def answers_to(report: StatusReport, asked: Sequence[str], messages: Mapping[str, Sequence[str]]) -> dict[str, Outcome]:
    """End-to-end id → outcome, for those of `asked` that the report speaks of.

    `messages`: by the ids of payment messages of ours, the payments that they hold: those that a status of the whole message is about.
    """
    held = {
        reference: status.of(messages[message_id])
        for message_id, status in report.groups.items()
        for reference in messages.get(message_id, ())
    }
    answers = held | dict(report.answers)
    answers |= {one: answers[unique] for one in asked if one not in report.answers and (unique := uetr(one)) in answers}
    return {reference: answers[reference] for reference in asked if reference in answers}


def read_return_answers(
    profile: RailProfile, body: bytes, asked: Sequence[str], now: datetime, to_message: str
) -> dict[str, Outcome]:
    """Return id → outcome, for what we gave back in the pacs.004 `to_message`: the report names each return by its own id. Raises
    MessageInvalid.

    "Unknown" is final here: the scheme has the return before it, and not the credit.
    """
    report = _report(profile, body)
    words: dict[str, list[_Word]] = {}
    for line in report.tx_inf_and_sts:
        group, about = _group_of(report, line), _subject(profile, report, line, "return")[0]
        if about == "return" and line.orgnl_tx_id in asked:
            word = _final_when_unknown(profile, _word_on(profile, line, group, now))
            words.setdefault(str(line.orgnl_tx_id), []).extend(_with_group(word, line, group))
    answers = {one: _agreed(said, now) for one, said in words.items()}
    for group in report.orgnl_grp_inf_and_sts:
        about = _subject_of(profile, group.orgnl_msg_nm_id)
        if about == "return" and group.orgnl_msg_id == to_message and group.grp_sts:
            word = _final_when_unknown(profile, _word(profile, group.grp_sts, group.sts_rsn_inf, now))
            status = GroupStatus(word.outcome, _count(group.orgnl_nb_of_txs))
            answers = dict.fromkeys(asked, status.of(asked)) | answers
    return answers


def _report(profile: RailProfile, body: bytes) -> pacs002.FitoFipaymentStatusReportV10:
    return read(body, pacs002.Document, profile.messages.status).fito_fipmt_sts_rpt


def _subject(
    profile: RailProfile, report: pacs002.FitoFipaymentStatusReportV10, line: _Line, unnamed: Subject = "payment"
) -> tuple[Subject, str]:
    """What a transaction's line is about, and the id of that message. `unnamed`: what it is where the report names no message. Of
    several messages, none of which the line names, it may be about any.
    """
    if line.orgnl_grp_inf is not None:
        return _subject_of(profile, line.orgnl_grp_inf.orgnl_msg_nm_id), line.orgnl_grp_inf.orgnl_msg_id
    found = {_subject_of(profile, one.orgnl_msg_nm_id) for one in report.orgnl_grp_inf_and_sts} or {unnamed}
    message_ids = {one.orgnl_msg_id for one in report.orgnl_grp_inf_and_sts}
    return found.pop() if len(found) == 1 else "other", message_ids.pop() if len(message_ids) == 1 else ""


def _subject_of(profile: RailProfile, name: str) -> Subject:
    """Which message of ours a name means: `pacs.008.001.08`, and `PACS.008` as some write it. The version says nothing about it."""
    family = ".".join(name.strip().lower().split(".")[:2])
    subjects: dict[str, Subject] = {
        profile.messages.payment: "payment",
        profile.messages.inquiry: "inquiry",
        profile.messages.returned: "return",
        profile.messages.recall: "recall",
    }
    return {".".join(one.split(".")[:2]): subject for one, subject in subjects.items()}.get(family, "other")


def _group_of(report: pacs002.FitoFipaymentStatusReportV10, line: _Line) -> _Group | None:
    """The status of the message that the line belongs to; None where there is none, or no telling which."""
    groups = report.orgnl_grp_inf_and_sts
    if line.orgnl_grp_inf is not None:
        return next((one for one in groups if one.orgnl_msg_id == line.orgnl_grp_inf.orgnl_msg_id), None)
    return groups[0] if len(groups) == 1 else None


def _payment(profile: RailProfile, line: _Line) -> str:
    """The end-to-end id of the payment that the line names, or its UETR where it names no other; "" when its ids are not of one payment."""
    end_to_end_id, tx_id, unique = (
        "" if given in (None, _NOT_PROVIDED) else str(given)
        for given in (line.orgnl_end_to_end_id, line.orgnl_tx_id, line.orgnl_uetr)
    )
    if not end_to_end_id and not tx_id:
        return unique
    # Either of our ids in either place still names the one payment.
    if end_to_end_id and tx_id and transaction_id(tx_id) != transaction_id(end_to_end_id):
        return ""
    named = end_to_end_id or end_to_end_id_of(transaction_id(tx_id))
    # Where we send none, the UETR may be one that a bank on the way has given the payment.
    return "" if unique and profile.carries_uetr and uetr(named) != unique else named


def _names(line: _Line) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for one in (line.orgnl_end_to_end_id, line.orgnl_tx_id, line.orgnl_uetr) if one))


def _count(stated: str | None) -> int | None:
    return None if stated is None else int(stated)


def _word_on(profile: RailProfile, line: _Line, group: _Group | None, now: datetime) -> _Word:
    """What a transaction's line says: its own status, or its message's."""
    at = instant_of(profile, line.accptnc_dt_tm, now)
    reference = line.clr_sys_ref or line.acct_svcr_ref or line.orgnl_tx_id or ""
    if line.tx_sts or group is None:
        return _word(profile, line.tx_sts or "", line.sts_rsn_inf, now, at, reference)
    return _word(profile, group.grp_sts or "", [*line.sts_rsn_inf, *group.sts_rsn_inf], now, at, reference)


def _with_group(word: _Word, line: _Line, group: _Group | None) -> list[_Word]:
    """The word; and its message's refusal beside it, where the message was refused and this of it is said to be settled. The other way
    round, a transaction refused out of a message that was accepted, is an exception (ISO 20022 wants PART there; not everybody writes it).
    """
    refused = group is not None and group.grp_sts == _REJECTED and bool(line.tx_sts)
    return [word, _Word("rejected", word.outcome)] if refused and word.kind == "settled" else [word]


def _word(
    profile: RailProfile, status: str, reasons: _Reasons, now: datetime, at: datetime | None = None, reference: str = ""
) -> _Word:
    if status in profile.settled_statuses:
        return _Word("settled", Settled(reference, at or now))
    if status == _REJECTED:
        return _Word("rejected", _refusal(profile, reasons, now, at or now))
    return _Word("open", InDoubt(now, "pending"))


def _refusal(profile: RailProfile, reasons: _Reasons, now: datetime, at: datetime) -> Outcome:
    codes, texts = _codes(reasons), [text for one in reasons for text in one.addtl_inf]
    unlisted = next((one for one in codes if one not in profile.reasons), None if codes else "")
    if says_duplicate(codes, texts):
        return InDoubt(now, "pending", unlisted or codes[0] if codes else "")
    if codes and set(codes) == {profile.not_found_code}:
        return InDoubt(now, "not_found")
    if unlisted is not None:
        return InDoubt(now, "unclear", unlisted)
    return Refused(codes[0], profile.reasons[codes[0]], at)


def _codes(reasons: _Reasons) -> list[str]:
    return [str(one.rsn.cd or one.rsn.prtry) for one in reasons if one.rsn is not None]


def _code_of(word: _Word, reasons: _Reasons) -> str | None:
    """The first code of a refusal, "" where it gives none; None of what is no refusal."""
    return next(iter(_codes(reasons)), "") if word.kind == "rejected" else None


def _is_not_found(outcome: Outcome) -> bool:
    return isinstance(outcome, InDoubt) and outcome.cause == "not_found"


def _final_when_unknown(profile: RailProfile, word: _Word) -> _Word:
    if isinstance(word.outcome, InDoubt) and word.outcome.cause == "not_found":
        text = "The scheme does not know the credit."
        return word._replace(outcome=Refused(profile.not_found_code, text, word.outcome.since))
    return word


def _agreed(words: Iterable[_Word], now: datetime) -> Outcome:
    """What all words on one payment say together: a final one wins over an open one, a doubtful refusal over a plain one; settled and
    rejected cannot both be.
    """
    said: dict[str, list[Outcome]] = {}
    for one in words:
        said.setdefault(one.kind, []).append(one.outcome)
    if "settled" in said and "rejected" in said:
        return InDoubt(now, "contradiction")
    found = said.get("settled") or said.get("rejected") or said["open"]
    return next((one for one in found if not one.final), found[0])
