"""The lines of a batch, in JSON and in CSV: wishes, faults with their fields, and files that are none."""

from typing import Any

import pytest

from cells.batches.batch import LINES_MAX, Fault
from cells.rails.remittance import Remittance
from residency.errors import KovraError
from router.api.v1.batch_csv import csv_pointer, read_csv
from router.api.v1.batch_reading import BatchFileInvalid, Wished, read_head, read_lines

GOOD = {
    "recipient_id": "rcp_1",
    "payer_id": "pyr_1",
    "source": {"value": "10.00", "currency": "EUR"},
    "target_currency": "IDR",
}
TARGET = {"recipient_id": "rcp_1", "payer_id": "pyr_1", "target": {"value": "1500000.00", "currency": "IDR"}}


def test_each_side_may_be_fixed_and_the_batch_may_name_the_payer() -> None:
    unnamed = {name: value for name, value in TARGET.items() if name != "payer_id"}
    found = read_lines([GOOD, TARGET, unnamed], "EUR", "pyr_2")
    assert found == [
        Wished("rcp_1", "pyr_1", "source", 1_000, "IDR"),
        Wished("rcp_1", "pyr_1", "target", 150_000_000, "IDR"),
        Wished("rcp_1", "pyr_2", "target", 150_000_000, "IDR"),
    ]


@pytest.mark.parametrize(
    ("bad", "code", "pointer"),
    [
        ({**GOOD, "source": {"value": "10.001", "currency": "EUR"}}, "invalid-amount", "/source/value"),
        ({**GOOD, "source": {"value": "-1", "currency": "EUR"}}, "invalid-amount", "/source/value"),
        ({**GOOD, "source": {"value": 10, "currency": "EUR"}}, "invalid-request", "/source/value"),
        ({**GOOD, "source": {"value": "10.00", "currency": "SEK"}}, "invalid-amount", "/source/currency"),
        ({**GOOD, "target": TARGET["target"]}, "invalid-request", ""),
        ({**GOOD, "colour": "red"}, "invalid-request", "/colour"),
        ({**GOOD, "reference": "a\u0000b"}, "invalid-request", "/reference"),
        ({**GOOD, "metadata": {"a b": "c"}}, "invalid-request", "/metadata/a b/[key]"),
        ({**TARGET, "target": {"value": "1", "currency": "XTS"}}, "unknown-currency", "/target/currency"),
        (
            {"recipient_id": "rcp_1", "source": GOOD["source"], "target_currency": "IDR"},
            "batch-file-invalid",
            "/payer_id",
        ),
        ([], "invalid-request", ""),
        (None, "invalid-request", ""),
    ],
)
def test_a_fault_is_of_its_line_and_quotes_nothing(bad: Any, code: str, pointer: str) -> None:
    first, fault, last = read_lines([GOOD, bad, GOOD], "EUR", None)
    assert isinstance(first, Wished)
    assert isinstance(last, Wished)
    assert isinstance(fault, Fault)
    assert (fault.code, fault.pointer) == (code, pointer)
    assert "10.00" not in fault.detail.replace('"1250.00"', "")


def test_csv_and_json_are_one_form() -> None:
    content = (
        "recipient_id,payer_id,source_amount,target_amount,target_currency,metadata.order\n"
        "rcp_1,pyr_1,10.00,,IDR,\nrcp_1,pyr_1,,1500000.00,IDR,A-1\n"
    )
    (_, first), (_, second) = read_csv(content.encode(), "EUR", None)
    assert [first] == read_lines([GOOD], "EUR", None)
    assert [second] == read_lines([{**TARGET, "metadata": {"order": "A-1"}}], "EUR", None)


def test_a_byte_order_mark_and_quoted_commas_are_no_matter() -> None:
    content = '\ufeffrecipient_id,payer_id,target_amount,target_currency,reference\r\nrcp_1,pyr_1,5.00,EUR,"a, b"\r\n'
    [(line, found)] = read_csv(content.encode(), "EUR", None)
    assert line == 2
    assert isinstance(found, Wished)
    assert found.remittance == Remittance(text="a, b")
    assert "a, b" not in repr(found)


def csv_faults(row: str, payer: str | None = "pyr_1") -> list[tuple[str, str]]:
    """The columns at fault, and what is wrong with each."""
    head = "recipient_id,payer_id,source_amount,target_amount,target_currency,reference,deadline,metadata.a b"
    [(_, found)] = read_csv(f"{head}\n{row}\n".encode(), "EUR", payer)
    assert isinstance(found, Fault), found
    return [(one["pointer"], one["detail"]) for one in found.errors]


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        (",,10,,,,,", ["/target_currency", "/recipient_id"]),
        ("r1,,10,5,EUR,,,", ["/source_amount"]),
        ("r1,,,,EUR,,,", ["/source_amount"]),
        ("r1,,ten,,euro,,soon,", ["/deadline", "/source_amount", "/target_currency"]),
        ("r1,,10.001,,EUR,,,", ["/source_amount"]),
        ("r1,,,5.0001,EUR,,,", ["/target_amount"]),
        ("r1,,,5.00,,,,", ["/target_currency"]),
        (f"r1,,10,,EUR,{'x' * 141},,v", ["/reference", "/metadata.a b"]),
        ("r1,,10,,EUR,Muster, KG,,v,more", ["", "/deadline"]),
    ],
)
def test_every_fault_of_a_row_is_told_at_once_in_the_columns_of_the_file(row: str, columns: list[str]) -> None:
    found = csv_faults(row)
    assert sorted(column for column, _ in found) == sorted(columns)
    assert not any("source and" in said or "/target" in said for _, said in found)


def test_a_row_without_a_payer_says_so_beside_the_rest() -> None:
    assert [column for column, _ in csv_faults("r1,,ten,,EUR,,,", None)] == ["/source_amount", "/payer_id"]


def test_rows_that_are_empty_are_none_and_the_lines_are_the_file_s() -> None:
    content = 'recipient_id,target_amount,target_currency,reference\n\n,,,,\nr1,1,EUR,"Zeile eins\nZeile zwei"\nr1,bad,EUR,after\n'
    found = read_csv(content.encode(), "EUR", "pyr_1")
    assert [(line, type(one)) for line, one in found] == [(4, Wished), (6, Fault)]


def test_every_fault_of_a_json_line_is_told_at_once() -> None:
    [fault] = read_lines([{**GOOD, "source": {"value": "x", "currency": "EUR"}, "colour": 1}], "EUR", None)
    assert isinstance(fault, Fault)
    assert {one["pointer"] for one in fault.errors} == {"/source/value", "/colour"}


def test_a_pointer_into_a_line_names_its_column() -> None:
    assert (csv_pointer("/source/value"), csv_pointer("/source/currency")) == ("/source_amount", "/source_currency")
    assert (csv_pointer("/target/currency"), csv_pointer("/metadata/a")) == ("/target_currency", "/metadata.a")
    assert csv_pointer("/recipient_id") == "/recipient_id"


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"a,b\n1,2\n", b"recipient_id,recipient_id\n1,2\n", b"recipient_id\n", b'recipient_id\n"x\n',
     b"recipient_id\n" + b"rcp_1\n" * (LINES_MAX + 1)],
)  # fmt: skip
def test_a_file_that_is_none_is_refused_whole(content: bytes) -> None:
    with pytest.raises(BatchFileInvalid):
        read_csv(content, "EUR", "pyr_1")


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{", b'{"source_wallet_id": "wal_1", "lines": []}', b'{"lines": {}}', b'{"lines": [1], "lines": [2]}'],
)
def test_a_head_that_is_none_is_refused_whole(body: bytes) -> None:
    with pytest.raises(KovraError):
        read_head(body)


def test_persons_are_refused_by_the_names_of_their_columns() -> None:
    head = "recipient_id,target_amount,target_currency,payer_name,recipient_iban,recipient_town"
    with pytest.raises(BatchFileInvalid, match=r"\(payer_name, recipient_iban\)") as refused:
        read_csv(f"{head}\nr1,1,EUR,,,\nr1,1,EUR,Ann,DE89370400440532013000,\n".encode(), "EUR", "pyr_1")
    assert "kovra batch submit" in refused.value.detail
    assert "Ann" not in refused.value.detail
    [(_, found)] = read_csv(f"{head}\nr1,1,EUR,,,\n".encode(), "EUR", "pyr_1")
    assert isinstance(found, Wished)


def test_a_line_of_another_currency_than_the_wallet_s_is_refused() -> None:
    head = "recipient_id,source_currency,target_amount,target_currency"
    read = read_csv(f"{head}\nr1,EUR,1,EUR\nr1,GBP,1,EUR\nr1,,1,EUR\n".encode(), "EUR", "pyr_1")
    assert [one.pointer if isinstance(one, Fault) else None for _, one in read] == [None, "/source_currency", None]
