"""The scheme's own reading and writing of returns and recalls: pacs.004, camt.056, camt.029. With lxml and by hand."""

from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from infra.schemes.messages import add, as_bytes, document, header, now_text, parse, text, written_amount
from infra.schemes.rules import day_of_currency

RETURN = "urn:iso:std:iso:20022:tech:xsd:pacs.004.001.09"
RECALL = "urn:iso:std:iso:20022:tech:xsd:camt.056.001.08"
RESOLUTION = "urn:iso:std:iso:20022:tech:xsd:camt.029.001.09"


@dataclass(frozen=True, slots=True)
class Return:
    """One transaction of a pacs.004. `tx_id` and `end_to_end_id` are the original payment's; `amount` as written."""

    return_id: str
    end_to_end_id: str
    tx_id: str
    amount: str
    currency: str
    reason: str


@dataclass(frozen=True, slots=True)
class Cancellation:
    """One transaction of a camt.056: the sender wants this payment back."""

    recall_id: str
    end_to_end_id: str
    tx_id: str
    reason: str


def read_returns(body: bytes) -> tuple[str, str, list[Return]]:
    """(message id, stated count, returns) of a pacs.004. Raises Unreadable."""
    root = parse(body, RETURN)
    returns = [_return(one) for one in root.iterfind(".//{*}TxInf")]
    return text(root, "GrpHdr/MsgId", anywhere=True), text(root, "GrpHdr/NbOfTxs", anywhere=True), returns


def _return(found: etree._Element) -> Return:
    amount = found.find("{*}RtrdIntrBkSttlmAmt")
    return Return(
        text(found, "RtrId"),
        text(found, "OrgnlEndToEndId"),
        text(found, "OrgnlTxId"),
        "" if amount is None else amount.text or "",
        "" if amount is None else amount.get("Ccy", ""),
        text(found, "RtrRsnInf/Rsn/Cd"),
    )


def read_recalls(body: bytes) -> list[Cancellation]:
    """Raises Unreadable."""
    root = parse(body, RECALL)
    return [
        Cancellation(
            text(one, "CxlId"), text(one, "OrgnlEndToEndId"), text(one, "OrgnlTxId"), text(one, "CxlRsnInf/Rsn/Cd")
        )
        for one in root.iterfind(".//{*}Undrlyg/{*}TxInf")
    ]


def read_resolutions(body: bytes) -> list[tuple[str, str, str]]:
    """(transaction id, status, reason) of each payment in a camt.029. Raises Unreadable."""
    root = parse(body, RESOLUTION)
    return [
        (text(one, "OrgnlTxId"), text(one, "TxCxlSts"), text(one, "CxlStsRsnInf/Rsn/Cd"))
        for one in root.iterfind(".//{*}TxInfAndSts")
    ]


def return_message(
    return_id: str, end_to_end_id: str, tx_id: str, amounts_minor: tuple[int, int], currency: str, reason: str
) -> bytes:
    """A pacs.004 that gives back `amounts_minor[1]` of a payment of `amounts_minor[0]`."""
    root, content = document(RETURN, "PmtRtr")
    group = header(content)
    add(group, "NbOfTxs", "1")
    add(add(group, "SttlmInf"), "SttlmMtd", "CLRG")
    found = add(content, "TxInf")
    add(found, "RtrId", return_id)
    add(found, "OrgnlEndToEndId", end_to_end_id)
    add(found, "OrgnlTxId", tx_id)
    for name, amount_minor in zip(("OrgnlIntrBkSttlmAmt", "RtrdIntrBkSttlmAmt"), amounts_minor, strict=True):
        add(found, name, written_amount(amount_minor)).set("Ccy", currency)
    add(found, "IntrBkSttlmDt", day_of_currency(currency))
    add(add(add(found, "RtrRsnInf"), "Rsn"), "Cd", reason)
    return as_bytes(root)


def refusal_of_recall(case_id: str, recalls: Sequence[Cancellation], reason: str) -> bytes:
    """A camt.029 by which the payee's bank keeps the money."""
    root, content = document(RESOLUTION, "RsltnOfInvstgtn")
    _assignment(content, case_id)
    add(add(content, "Sts"), "Conf", "RJCR")
    details = add(content, "CxlDtls")
    for one in recalls:
        line = add(details, "TxInfAndSts")
        add(line, "CxlStsId", case_id)
        add(line, "OrgnlEndToEndId", one.end_to_end_id)
        add(line, "OrgnlTxId", one.tx_id)
        add(line, "TxCxlSts", "RJCR")
        add(add(add(line, "CxlStsRsnInf"), "Rsn"), "Cd", reason)
    return as_bytes(root)


def recall_message(
    recall_id: str, end_to_end_id: str, tx_id: str, amount_minor: int, currency: str, reason: str
) -> bytes:
    """A camt.056 by which the payer's bank asks for a payment back."""
    root, content = document(RECALL, "FIToFIPmtCxlReq")
    _assignment(content, recall_id)
    found = add(add(content, "Undrlyg"), "TxInf")
    add(found, "CxlId", recall_id)
    add(found, "OrgnlEndToEndId", end_to_end_id)
    add(found, "OrgnlTxId", tx_id)
    add(found, "OrgnlIntrBkSttlmAmt", written_amount(amount_minor)).set("Ccy", currency)
    add(add(add(found, "CxlRsnInf"), "Rsn"), "Cd", reason)
    return as_bytes(root)


def _assignment(content: etree._Element, case_id: str) -> None:
    assignment = add(content, "Assgnmt")
    add(assignment, "Id", case_id)
    for role in ("Assgnr", "Assgne"):
        institution = add(add(add(assignment, role), "Agt"), "FinInstnId")
        add(add(institution, "Othr"), "Id", "NOTPROVIDED")
    add(assignment, "CreDtTm", now_text())
