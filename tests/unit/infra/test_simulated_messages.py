"""What the simulated schemes write by hand are the ISO messages that they say: read by the typed classes, strictly."""

from dataclasses import is_dataclass
from importlib import import_module

import pytest

from cells.rails.iso20022.xml import message_name, read
from infra.schemes.messages import Status, group_refusal, report
from infra.schemes.messages_returns import (
    Cancellation,
    read_recalls,
    read_resolutions,
    read_returns,
    recall_message,
    refusal_of_recall,
    return_message,
)
from infra.schemes.statements import notification, statement
from infra.schemes.store import Entry

ENTRIES = [
    Entry("chaps", "2026-11-20", "CRDT", "credit", "GBP", 12_345, "IN1", "E2E", "2026-11-20T10:00:00Z"),
    Entry("chaps", "2026-11-20", "DBIT", "payment", "GBP", 99, "tr1", "tr-1", "2026-11-20T10:00:01Z"),
    Entry("chaps", "2026-11-20", "CRDT", "return", "GBP", 9, "RT1", "tr-1", "2026-11-20T10:00:02Z"),
    Entry("chaps", "2026-11-20", "DBIT", "give_back", "GBP", 5, "R1", "E2E", "2026-11-20T10:00:03Z"),
]
RECALL = Cancellation("C1", "tr-1", "tr1", "DUPL")
MESSAGES = {
    "pacs.002.001.10": report([Status("tr-1", "tr1", "RJCT", "AC04", "2026-11-20T10:00:00Z")]),
    "pacs.004.001.09": return_message("RT1", "tr-1", "tr1", (99, 9), "GBP", "AC04"),
    "camt.029.001.09": refusal_of_recall("CX1", [RECALL], "CUST"),
    "camt.053.001.08": statement("uk-1", "GBP", "2026-11-20", -5, ENTRIES),
    "camt.054.001.08": notification("uk-1", "NT1", ENTRIES[0]),
    "camt.056.001.08": recall_message("RC1", "E2E", "IN1", 12_345, "GBP", "FRAD"),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_it_is_the_message_that_it_says(name: str) -> None:
    family, module = name.split(".", maxsplit=1)[0], name.replace(".", "_")
    kind = import_module(f"pyiso20022.{family}.{module}").Document
    assert message_name(MESSAGES[name]) == name
    assert is_dataclass(read(MESSAGES[name], kind, name))


def test_a_refusal_of_the_whole_is_a_report_too() -> None:
    kind = import_module("pyiso20022.pacs.pacs_002_001_10").Document
    found = read(group_refusal("M1", "FF01", "pacs.004"), kind, "pacs.002.001.10")
    [group] = found.fito_fipmt_sts_rpt.orgnl_grp_inf_and_sts
    assert (group.orgnl_msg_id, group.orgnl_msg_nm_id, group.grp_sts) == ("M1", "pacs.004", "RJCT")


def test_it_reads_what_it_writes() -> None:
    _, count, [back] = read_returns(MESSAGES["pacs.004.001.09"])
    assert (count, back.return_id, back.tx_id, back.amount, back.currency) == ("1", "RT1", "tr1", "0.09", "GBP")
    [asked] = read_recalls(MESSAGES["camt.056.001.08"])
    assert asked == Cancellation("RC1", "E2E", "IN1", "FRAD")
    assert read_resolutions(MESSAGES["camt.029.001.09"]) == [("tr1", "RJCR", "CUST")]
