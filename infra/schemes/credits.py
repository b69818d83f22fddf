"""Money that arrives: the scheme sends a pacs.008 to the cell's gateway until the cell has answered it."""

import asyncio
import contextlib
import uuid
from collections.abc import Mapping
from typing import Annotated

import aiohttp
from lxml import etree
from pydantic import BaseModel, ConfigDict, Field

from infra.schemes.messages import PAYMENT, Unreadable, add, as_bytes, document, header, now_text, read_report
from infra.schemes.signing import PARTICIPANT, signed_headers
from infra.schemes.store import Credit, SchemeStore
from residency.classes import Confidential, Personal, Public

_ACCEPTED = frozenset({"ACCP", "ACSC", "ACCC", "ACSP"})
_RETRY_FIRST_S = 0.2
_RETRY_MAX_S = 5.0
_ANSWER_TIME_S = 20.0
_AT_ONCE_MAX = 8
_Text = Annotated[str, Field(min_length=1, max_length=140)]


class SimulatedDebtor(BaseModel):
    """Who pays in."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[_Text, Personal] = "Sandbox Payer"
    account: Annotated[Mapping[str, str], Personal] = Field(default_factory=dict)
    country: Annotated[str | None, Personal] = Field(default=None, pattern=r"^[A-Z]{2}$")
    town: Annotated[str | None, Personal] = Field(default=None, max_length=35)


class SimulatedCredit(BaseModel):
    """`POST /{rail}/simulate/collections`. Accounts: {iban}, {sort_code, account_number} or {bank_code,
    account_number}.

    The same `scheme_reference` again changes nothing; `deliveries` above 1 sends the same message that often.
    """

    model_config = ConfigDict(extra="forbid")
    amount_minor: Annotated[int, Confidential] = Field(gt=0, le=10**16)
    currency: Annotated[str, Public]
    creditor_account: Annotated[Mapping[str, str], Personal]
    creditor_name: Annotated[_Text, Personal] = "Sandbox Beneficiary"
    debtor: SimulatedDebtor = Field(default_factory=SimulatedDebtor)
    remittance: Annotated[str, Personal] = Field(default="", max_length=140)
    end_to_end_id: Annotated[str, Confidential] = Field(default="NOTPROVIDED", min_length=1, max_length=35)
    scheme_reference: Annotated[str, Public] = Field(
        default_factory=lambda: "IN" + uuid.uuid4().hex, min_length=1, max_length=35
    )
    deliveries: Annotated[int, Public] = Field(default=1, ge=1, le=20)


def credit_message(asked: SimulatedCredit) -> bytes:
    """The pacs.008 that brings this credit."""
    root, content = document(PAYMENT, "FIToFICstmrCdtTrf")
    group = header(content)
    add(group, "NbOfTxs", "1")
    add(add(group, "SttlmInf"), "SttlmMtd", "CLRG")
    found = add(content, "CdtTrfTxInf")
    ids = add(found, "PmtId")
    add(ids, "EndToEndId", asked.end_to_end_id)
    add(ids, "TxId", asked.scheme_reference)
    amount = add(found, "IntrBkSttlmAmt", f"{asked.amount_minor // 100}.{asked.amount_minor % 100:02d}")
    amount.set("Ccy", asked.currency)
    add(found, "IntrBkSttlmDt", now_text()[:10])
    add(found, "ChrgBr", "SLEV")
    debtor = add(found, "Dbtr")
    add(debtor, "Nm", asked.debtor.name)
    if asked.debtor.country:
        address = add(debtor, "PstlAdr")
        if asked.debtor.town:
            add(address, "TwnNm", asked.debtor.town)
        add(address, "Ctry", asked.debtor.country)
    if asked.debtor.account:
        _account(add(found, "DbtrAcct"), asked.debtor.account)
    _agent(add(found, "DbtrAgt"), asked.debtor.account)
    _agent(add(found, "CdtrAgt"), asked.creditor_account)
    add(add(found, "Cdtr"), "Nm", asked.creditor_name)
    _account(add(found, "CdtrAcct"), asked.creditor_account)
    if asked.remittance:
        add(add(found, "RmtInf"), "Ustrd", asked.remittance)
    return as_bytes(root)


def _account(parent: etree._Element, given: Mapping[str, str]) -> None:
    account = add(parent, "Id")
    if "iban" in given:
        add(account, "IBAN", given["iban"])
    else:
        add(add(account, "Othr"), "Id", given.get("account_number", ""))


def _agent(parent: etree._Element, given: Mapping[str, str]) -> None:
    institution = add(parent, "FinInstnId")
    if given.get("bic"):
        add(institution, "BICFI", given["bic"])
    elif "sort_code" in given:
        member = add(institution, "ClrSysMmbId")
        add(add(member, "ClrSysId"), "Cd", "GBDSC")
        add(member, "MmbId", given["sort_code"])
    else:
        add(add(institution, "Othr"), "Id", given.get("bank_code") or "NOTPROVIDED")


class Courier:
    """Delivers credits to `gateway` (the cell's API; secrets by rail) in the background, a few at once."""

    def __init__(self, store: SchemeStore, gateway: str, secrets: Mapping[str, bytes]) -> None:
        self._store = store
        self._gateway = gateway.rstrip("/")
        self._secrets = secrets
        self._tasks: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(_AT_ONCE_MAX)
        self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_TIME_S))

    def take(self, rail: str, asked: SimulatedCredit) -> Credit:
        """Remember the credit and start delivering it; a known reference changes nothing."""
        known = self._store.credit(rail, asked.scheme_reference)
        if known is not None:
            return known
        credit = Credit(
            asked.scheme_reference,
            rail,
            asked.currency,
            asked.amount_minor,
            credit_message(asked),
            asked.deliveries,
            0,
            "sent",
            "",
        )
        with self._store.transaction():
            self._store.add_credit(credit)
        self._start(rail, credit.reference)
        return credit

    def resume(self) -> None:
        """Go on with what an earlier process had not delivered."""
        for rail, reference in self._store.undelivered():
            if rail in self._secrets:
                self._start(rail, reference)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()

    def _start(self, rail: str, reference: str) -> None:
        task = asyncio.create_task(self._deliver(rail, reference))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, rail: str, reference: str) -> None:
        wait_s = _RETRY_FIRST_S
        while (credit := self._store.credit(rail, reference)) is not None and credit.body is not None:
            async with self._places:
                answer = await self._send(credit, credit.body)
            if answer is None:
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, _RETRY_MAX_S)
                continue
            with self._store.transaction():
                self._store.credit_answered(rail, reference, *answer)

    async def _send(self, credit: Credit, body: bytes) -> tuple[str, str] | None:
        """(accepted or refused, reason); None while the cell has given no answer that can be read."""
        headers = signed_headers(self._secrets[credit.rail], body)
        headers |= {PARTICIPANT: credit.rail, "Content-Type": "application/xml"}
        url = f"{self._gateway}/rails/{credit.rail}/inbound"
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError, Unreadable):
            async with self._client.post(url, data=body, headers=headers) as answer:
                if answer.status != 200:
                    return None
                status, reason = read_report(await answer.read()).get(credit.reference, ("", ""))
                if status in _ACCEPTED:
                    return "accepted", ""
                if status == "RJCT":
                    return "refused", reason
        return None
