"""The lines of a batch, in JSON and in CSV: wishes, faults with their fields, and files that are none."""

from typing import Any

import pytest

from cells.batches.batch import LINES_MAX, Fault
from cells.rails.remittance import Remittance
from residency.errors import KovraError
from router.api.v1.batch_reading import BatchFileInvalid, Wished, read_csv, read_head, read_lines

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
    first, second = read_csv(content.encode(), "EUR", None)
    assert [first] == read_lines([GOOD], "EUR", None)
    assert [second] == read_lines([{**TARGET, "metadata": {"order": "A-1"}}], "EUR", None)


def test_a_byte_order_mark_and_quoted_commas_are_no_matter() -> None:
    content = '\ufeffrecipient_id,payer_id,target_amount,target_currency,reference\r\nrcp_1,pyr_1,5.00,EUR,"a, b"\r\n'
    [found] = read_csv(content.encode(), "EUR", None)
    assert isinstance(found, Wished)
    assert found.remittance == Remittance(text="a, b")
    assert "a, b" not in repr(found)


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
