"""The scheme's own reading and writing of ISO 20022 XML, with lxml and by hand."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Literal

from lxml import etree

PAYMENT = "urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08"
REPORT = "urn:iso:std:iso:20022:tech:xsd:pacs.002.001.10"
REQUEST = "urn:iso:std:iso:20022:tech:xsd:pacs.028.001.03"
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)


class Unreadable(Exception):
    """The body is not the message it should be."""


@dataclass(frozen=True, slots=True)
class Order:
    """One transaction of a pacs.008. `amount` as written;
    names and numbers live only as long as the request.
    """

    end_to_end_id: str
    tx_id: str
    amount: str
    currency: str
    creditor_name: str
    creditor_account: str
    texts: tuple[str, ...]


# Of what a status is: one transaction, the message that brought it, or the inquiry after it.
Level = Literal["transaction", "message", "inquiry"]


@dataclass(frozen=True, slots=True)
class Status:
    """One transaction's line in a pacs.002, or that of its message."""

    end_to_end_id: str
    tx_id: str
    code: str
    reason: str = ""
    at: str = ""
    level: Level = "transaction"


def read_payment(body: bytes) -> tuple[str, str, list[Order]]:
    """(message id, stated count, orders). Raises Unreadable."""
    root = parse(body, PAYMENT)
    orders = [_order(one) for one in root.iterfind(".//{*}CdtTrfTxInf")]
    return text(root, "GrpHdr/MsgId", anywhere=True), text(root, "GrpHdr/NbOfTxs", anywhere=True), orders


def _order(found: etree._Element) -> Order:
    account = text(found, "CdtrAcct/Id/IBAN") or text(found, "CdtrAcct/Id/Othr/Id")
    amount = found.find("{*}IntrBkSttlmAmt")
    texts = tuple(one.text or "" for path in ("Cdtr/Nm", "Dbtr/Nm", "RmtInf/Ustrd") for one in _all(found, path))
    return Order(
        text(found, "PmtId/EndToEndId"),
        text(found, "PmtId/TxId"),
        "" if amount is None else amount.text or "",
        "" if amount is None else amount.get("Ccy", ""),
        text(found, "Cdtr/Nm"),
        account,
        texts,
    )


def minor_units(amount: str) -> int | None:
    """Cents, pence or sen of an amount as written; None when it is no amount of them."""
    try:
        value = Decimal(amount) * 100
    except InvalidOperation:
        return None
    if not value.is_finite() or value <= 0 or value > 10**17 or value != int(value):
        return None
    return int(value)


def written_amount(amount_minor: int) -> str:
    """As it stands in a message: all currencies here have two decimals."""
    return f"{amount_minor // 100}.{amount_minor % 100:02d}"


def read_request(body: bytes) -> tuple[str, list[tuple[str, str]]]:
    """(message id, (end-to-end id, transaction id) of each payment that a pacs.028 asks after). Raises Unreadable."""
    root = parse(body, REQUEST)
    message_id = text(root, "GrpHdr/MsgId", anywhere=True)
    return message_id, [(text(one, "OrgnlEndToEndId"), text(one, "OrgnlTxId")) for one in root.iterfind(".//{*}TxInf")]


def read_report(body: bytes) -> dict[str, tuple[str, str]]:
    """Transaction id → (status, reason) of a pacs.002. Raises Unreadable."""
    root = parse(body, REPORT)
    return {
        text(one, "OrgnlTxId"): (text(one, "TxSts"), text(one, "StsRsnInf/Rsn/Cd"))
        for one in root.iterfind(".//{*}TxInfAndSts")
    }


def report(statuses: Sequence[Status], message_id: str = "", message_name: str = "pacs.008.001.08") -> bytes:
    """A pacs.002 with one line per status, in order; one of the whole message stands at its head. `message_id` and `message_name`: what it
    answers, "" for a report that names no message.
    """
    root, content = document(REPORT, "FIToFIPmtStsRpt")
    header(content)
    if message_id:
        _original(content, message_id, message_name, next((one for one in statuses if one.level == "message"), None))
    for one in statuses:
        if one.level == "message":
            continue
        line = add(content, "TxInfAndSts")
        add(line, "OrgnlEndToEndId", one.end_to_end_id)
        add(line, "OrgnlTxId", one.tx_id)
        add(line, "TxSts", one.code)
        if one.reason:
            add(add(add(line, "StsRsnInf"), "Rsn"), "Cd", one.reason)
        if one.at:
            add(line, "AccptncDtTm", one.at)
        if one.code in ("ACCP", "ACSC"):
            add(line, "ClrSysRef", one.tx_id)
    return as_bytes(root)


def group_refusal(message_id: str, reason: str, message_name: str = "pacs.008") -> bytes:
    """A pacs.002 that refuses a whole message."""
    root, content = document(REPORT, "FIToFIPmtStsRpt")
    header(content)
    _original(content, message_id or "NOTPROVIDED", message_name, Status("", "", "RJCT", reason))
    return as_bytes(root)


def _original(content: etree._Element, message_id: str, message_name: str, status: Status | None) -> None:
    """Which message is answered, and its status where it has one."""
    group = add(content, "OrgnlGrpInfAndSts")
    add(group, "OrgnlMsgId", message_id)
    add(group, "OrgnlMsgNmId", message_name)
    if status is not None:
        add(group, "GrpSts", status.code)
        if status.reason:
            add(add(add(group, "StsRsnInf"), "Rsn"), "Cd", status.reason)


def now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def header(content: etree._Element) -> etree._Element:
    """The group header with an id of its own and the time."""
    header = add(content, "GrpHdr")
    add(header, "MsgId", uuid.uuid4().hex)
    add(header, "CreDtTm", now_text())
    return header


def document(namespace: str, name: str) -> tuple[etree._Element, etree._Element]:
    """A new Document and its one child."""
    root = etree.Element(etree.QName(namespace, "Document"), nsmap={None: namespace})
    return root, etree.SubElement(root, etree.QName(namespace, name))


def add(parent: etree._Element, name: str, content: str | None = None) -> etree._Element:
    child = etree.SubElement(parent, etree.QName(etree.QName(parent).namespace, name))
    child.text = content
    return child


def as_bytes(root: etree._Element) -> bytes:
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def parse(body: bytes, namespace: str) -> etree._Element:
    """The root of the named message. Raises Unreadable."""
    try:
        root = etree.fromstring(body, _PARSER)
    except etree.XMLSyntaxError as error:
        raise Unreadable("not XML") from error
    if etree.QName(root).namespace != namespace or len(root) != 1:
        raise Unreadable("another message")
    return root


def _all(parent: etree._Element, path: str) -> list[etree._Element]:
    return list(parent.findall("/".join("{*}" + step for step in path.split("/"))))


def text(parent: etree._Element, path: str, *, anywhere: bool = False) -> str:
    """The text at a path of element names below `parent`, "" where there is none."""
    steps = "/".join("{*}" + step for step in path.split("/"))
    found = parent.find((".//" if anywhere else "") + steps)
    return "" if found is None else found.text or ""
