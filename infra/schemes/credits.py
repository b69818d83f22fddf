"""Money that arrives: what a command asks for, and the pacs.008 that brings it."""

import json
import uuid
from collections.abc import Mapping
from datetime import date
from typing import Annotated

from lxml import etree
from pydantic import BaseModel, ConfigDict, Field

from infra.schemes.messages import PAYMENT, add, as_bytes, document, header, now_text, written_amount
from infra.schemes.rules import day_of_currency
from infra.schemes.store_notices import CREDIT, SNAP_CREDIT, Notice
from residency.classes import Confidential, Personal, Public

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

    The same `scheme_reference` again changes nothing; `deliveries` above 1 sends the same message that often. `by_snap`: told by the
    participant's bank, as a payment to a virtual account. `settlement_date`: the scheme's today without one.
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
    by_snap: Annotated[bool, Public] = False
    settlement_date: Annotated[date | None, Public] = None


def credit_notice(rail: str, asked: SimulatedCredit) -> Notice:
    """The credit as the scheme keeps and sends it."""
    return Notice(
        rail=rail,
        reference=asked.scheme_reference,
        kind=SNAP_CREDIT if asked.by_snap else CREDIT,
        end_to_end_id=asked.end_to_end_id,
        tx_id=asked.scheme_reference,
        currency=asked.currency,
        amount_minor=asked.amount_minor,
        why="",
        body=virtual_account_notice(asked) if asked.by_snap else credit_message(asked),
        deliveries_wanted=asked.deliveries,
    )


def virtual_account_notice(asked: SimulatedCredit) -> bytes:
    """The notice of service 25 that brings this credit."""
    number = asked.creditor_account.get("account_number", "")
    told = {
        "partnerServiceId": number[:4].rjust(8),
        "customerNo": number[4:],
        "virtualAccountNo": number[:4].rjust(8) + number[4:],
        "virtualAccountName": asked.debtor.name,
        "trxId": asked.end_to_end_id,
        "paymentRequestId": asked.scheme_reference,
        "paidAmount": {
            "value": f"{asked.amount_minor // 100}.{asked.amount_minor % 100:02d}",
            "currency": asked.currency,
        },
        "trxDateTime": now_text(),
    }
    return json.dumps(told, ensure_ascii=False).encode()


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
    amount = add(found, "IntrBkSttlmAmt", written_amount(asked.amount_minor))
    amount.set("Ccy", asked.currency)
    add(found, "IntrBkSttlmDt", str(asked.settlement_date or day_of_currency(asked.currency)))
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
