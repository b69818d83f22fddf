"""The connector for every scheme that speaks ISO 20022 over HTTP. One keep-alive client, several requests in
flight.

What each ending of a request means, and the only place where it is decided:
- the address could not be connected to, or the gateway answered 4xx: it took nothing. Not submitted.
- anything else that is not a signed, readable pacs.002 (silence, a broken connection, 5xx, a forged answer):
  unknown. InDoubt.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import aiohttp

from cells.backends.postgres import StoreUnavailable
from cells.rails.archive import MessageArchive
from cells.rails.calendar import CalendarUnknown
from cells.rails.connection import PARTICIPANT_HEADER, SchemeConnection, SchemeSignatureInvalid, sign, verify
from cells.rails.iso20022 import payments, recalls, reports, returns, statuses
from cells.rails.iso20022.parties import address_fault
from cells.rails.iso20022.text import Unwritable, written
from cells.rails.iso20022.xml import MESSAGE_BYTES_MAX, MessageUnwritable, message_name
from cells.rails.later import RecallKept, RecallOut
from cells.rails.profile import RailProfile
from cells.rails.rail import InDoubt, MessageInvalid, Outcome, Payout, RailUnavailable, Refused, ReturnOut, utc_now
from cells.rails.store_messages import WireMessage

_log = logging.getLogger("kovra.rails")
CONNECTIONS_MAX = 16
CONNECT_TIME_S = 3.0
# Shorter than a gateway keeps an idle connection: a payment must not be written into one that is being
# closed.
KEEP_ALIVE_S = 15.0
INQUIRIES_PER_MESSAGE = 50
_CANNOT_BE_WRITTEN = "CH16"
# ISO 20022 ExternalStatusReason1Code: the address is missing or not correct.
_NO_CREDITOR_ADDRESS, _NO_DEBTOR_ADDRESS = "BE04", "BE07"
# 202: taken, and what comes of it comes by a message of its own. Where an answer was asked for, one without is read as none.
_TAKEN = frozenset({200, 202})
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class _Message:
    """One request: where it goes, its own id, what it speaks of, and how its answer is read into an outcome for each of that."""

    path: str
    message_id: str
    body: bytes
    references: tuple[str, ...]
    read: Callable[[bytes], dict[str, Outcome]]


class _NotTaken(Exception):
    """The scheme has certainly not seen the message."""


class _Unknown(Exception):
    """The scheme may have seen the message."""


class Iso20022Rail:
    """A Rail over ISO 20022. Safe for concurrent use on one event loop;
    opens its client at the first request.
    """

    def __init__(
        self, profile: RailProfile, connection: SchemeConnection, archive: MessageArchive | None = None
    ) -> None:
        self.profile = profile
        self._connection = connection
        self._archive = archive
        self._client: aiohttp.ClientSession | None = None

    async def submit(self, payouts: Sequence[Payout]) -> Sequence[Outcome]:
        """See Rail.submit. What the scheme could never carry is Refused here and not sent."""
        ids = [one.end_to_end_id for one in payouts]
        assert len(set(ids)) == len(ids), "one payment twice in one submission"
        refused = {one.end_to_end_id: refusal for one in payouts if (refusal := self._refusal(one)) is not None}
        sendable = [one for one in payouts if one.end_to_end_id not in refused]
        messages, unfit = self._messages(sendable)
        outcomes = refused | unfit | await self._exchange(messages)
        return [outcomes[one] for one in ids]

    async def inquire(self, end_to_end_ids: Sequence[str]) -> Sequence[Outcome]:
        """See Rail.inquire."""
        messages = [self._request(some) for some in _chunks(list(dict.fromkeys(end_to_end_ids)), INQUIRIES_PER_MESSAGE)]
        outcomes = await self._exchange(messages)
        return [outcomes[one] for one in end_to_end_ids]

    async def give_back(self, returns: Sequence[ReturnOut]) -> Sequence[Outcome]:
        """See Rail.give_back."""
        ids = [one.return_id for one in returns]
        assert len(set(ids)) == len(ids), "one return twice in one request"
        messages = [self._return(some) for some in _chunks(returns, self.profile.transactions_per_message)]
        outcomes = await self._exchange(messages)
        return [outcomes[one] for one in ids]

    async def recall(self, asked: Sequence[RecallOut]) -> None:
        """See RecallingRail.recall."""
        body = recalls.build_recall(self.profile, self._connection.participant, asked, utc_now())
        case_id = payments.message_id("C", [one.recall_id for one in asked])
        await self._tell("camt.056", body, [*(one.end_to_end_id for one in asked), case_id])

    async def keep(self, kept: Sequence[RecallKept]) -> None:
        """See RecallingRail.keep."""
        body = recalls.build_answer(self.profile, self._connection.participant, kept, utc_now())
        await self._tell("camt.029", body, [one.original_scheme_reference for one in kept])

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _refusal(self, payout: Payout) -> Outcome | None:
        assert payout.creditor.account is not None, "a payout names the account it pays"
        objection = self.profile.objection(payout.amount_minor, payout.currency, payout.creditor.account.country)
        if objection is not None:
            return Refused(*objection, utc_now())
        rules = self.profile.text
        try:
            written(payout.creditor.name, rules, rules.name_length)
            written(payout.debtor.name, rules, rules.name_length)
        except Unwritable:
            text = f"A name has a letter that {self.profile.title} cannot carry; give it in Latin letters."
            return Refused(_CANNOT_BE_WRITTEN, text, utc_now())
        return self._unfit(payout)

    def _unfit(self, payout: Payout) -> Refused | None:
        """Half an address: what the scheme would refuse, or we would have to leave out."""
        for code, one in ((_NO_CREDITOR_ADDRESS, payout.creditor), (_NO_DEBTOR_ADDRESS, payout.debtor)):
            fault = address_fault(one, self.profile)
            if fault is not None:
                return Refused(code, fault, utc_now())
        return None

    def _messages(self, payouts: Sequence[Payout]) -> tuple[list[_Message], dict[str, Outcome]]:
        """The messages to send, and what fits in none: beside one that the schema refuses, each of its neighbours goes alone."""
        messages: list[_Message] = []
        refused: dict[str, Outcome] = {}
        for some in _chunks(payouts, self.profile.transactions_per_message):
            try:
                messages.append(self._payment(some))
            except MessageUnwritable as fault:
                if len(some) == 1:
                    refused[some[0].end_to_end_id] = Refused(_CANNOT_BE_WRITTEN, str(fault), utc_now())
                    continue
                for one in some:
                    alone, unfit = self._messages([one])
                    messages += alone
                    refused |= unfit
        return messages, refused

    def _payment(self, payouts: Sequence[Payout]) -> _Message:
        ids = tuple(one.end_to_end_id for one in payouts)
        message_id = payments.message_id("P", ids)
        try:
            body = payments.build(self.profile, self._connection.participant, payouts, utc_now())
        except CalendarUnknown as error:
            raise RailUnavailable(f"{self.profile.title} cannot be dated: {error.detail}") from error
        return _Message("pacs.008", message_id, body, ids, self._answer_to(ids, {message_id: ids}))

    def _request(self, end_to_end_ids: Sequence[str]) -> _Message:
        ids = tuple(end_to_end_ids)
        # A status of a whole message answers an inquiry, too, where that message held the one payment.
        alone = {payments.message_id("P", [one]): (one,) for one in ids}
        body = statuses.build_request(self.profile, ids, utc_now())
        return _Message("pacs.028", payments.message_id("S", ids), body, ids, self._answer_to(ids, alone))

    def _answer_to(
        self, ids: Sequence[str], messages: Mapping[str, Sequence[str]]
    ) -> Callable[[bytes], dict[str, Outcome]]:
        def read(body: bytes) -> dict[str, Outcome]:
            report = reports.read_report(self.profile, body, utc_now())
            for one in report.asides:
                _log.warning("%s answers our %s: refused under %r", self.profile.name, one.subject, one.code)
            return reports.answers_to(report, ids, messages)

        return read

    def _return(self, returned: Sequence[ReturnOut]) -> _Message:
        ids = tuple(one.return_id for one in returned)
        message_id = payments.message_id("R", ids)
        try:
            body = returns.build_return(self.profile, self._connection.participant, returned, utc_now())
        except CalendarUnknown as error:
            raise RailUnavailable(f"{self.profile.title} cannot be dated: {error.detail}") from error
        return _Message(
            "pacs.004",
            message_id,
            body,
            ids,
            lambda body: reports.read_return_answers(self.profile, body, ids, utc_now(), message_id),
        )

    async def _exchange(self, messages: Sequence[_Message]) -> dict[str, Outcome]:
        """All messages at once. Raises RailUnavailable when the scheme took none of them."""
        answers = await asyncio.gather(*(self._ask(one) for one in messages))
        if messages and all(one is None for one in answers):
            raise RailUnavailable(f"{self.profile.title} took nothing; the same request may be sent again.")
        outcomes: dict[str, Outcome] = {}
        for message, found in zip(messages, answers, strict=True):
            # A message not taken beside others that were: in doubt is always a true answer, and an inquiry
            # ends it.
            outcomes |= dict.fromkeys(message.references, InDoubt(utc_now())) | (found or {})
        return outcomes

    async def _ask(self, message: _Message) -> dict[str, Outcome] | None:
        """The outcomes the scheme states, by reference (empty when unknown); None when it took nothing."""
        try:
            await self._keep("sent", message.body, [*message.references, message.message_id])
        except StoreUnavailable:
            return None
        try:
            body = await self._post(message.path, message.body)
            await self._keep("received", body, message.references)
            return message.read(body)
        except _NotTaken:
            return None
        except (_Unknown, MessageInvalid, SchemeSignatureInvalid, StoreUnavailable):
            return {}

    async def _keep(self, direction: Literal["sent", "received"], body: bytes, ids: Sequence[str]) -> None:
        """`ids`: what it speaks of; of one of ours its own id too, by which a report names it. Raises StoreUnavailable."""
        if self._archive is not None:
            name = message_name(body)
            await self._archive.keep([WireMessage(self.profile.name, direction, name, tuple(ids), utc_now(), body)])

    async def _tell(self, path: str, body: bytes, ids: Sequence[str]) -> None:
        await self._keep("sent", body, ids)
        try:
            await self._post(path, body)
        except (_NotTaken, _Unknown, SchemeSignatureInvalid) as error:
            raise RailUnavailable(f"{self.profile.title} has not acknowledged it; ask again.") from error

    async def _post(self, path: str, message: bytes) -> bytes:
        """The signed body of the answer. Raises _NotTaken, _Unknown, SchemeSignatureInvalid."""
        connection = self._connection
        headers = sign(connection.secret, message, utc_now())
        headers |= {PARTICIPANT_HEADER: connection.participant, "Content-Type": "application/xml"}
        url = f"{connection.url}/{path}"
        try:
            async with self._open_client().post(url, data=message, headers=headers, allow_redirects=False) as answer:
                if 400 <= answer.status < 500:
                    raise _NotTaken
                if answer.status not in _TAKEN:
                    raise _Unknown
                body = await answer.content.read(MESSAGE_BYTES_MAX + 1)
                while len(body) <= MESSAGE_BYTES_MAX and (more := await answer.content.readany()):
                    body += more
                verify(connection.secret, answer.headers, body, utc_now())
                return body
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise _NotTaken from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _Unknown from error

    def _open_client(self) -> aiohttp.ClientSession:
        if self._client is None:
            self._client = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX, keepalive_timeout=KEEP_ALIVE_S),
                # Connecting waits for a free place in the pool too; only opening the socket has a time of
                # its own.
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=CONNECT_TIME_S, sock_read=self.profile.answer_time_s
                ),
            )
        return self._client


def _chunks(items: Sequence[_Item], size: int) -> list[Sequence[_Item]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
