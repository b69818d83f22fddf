"""A file of payments, read: what is refused, with which line and reason, and that nothing else is."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

import router.cli
from router.cli.payments_file import BadLine, FileInvalid, Payment, column_of, read_batch, read_payments

_HEAD = "reference,source_currency,source_amount,target_amount,target_currency,payer_name,recipient_name,recipient_iban"
_IBAN = "DE89370400440532013000"
_SAMPLE = Path(router.cli.__file__).parent / "samples" / "payments.csv"


def _read(*lines: str) -> list[Payment | BadLine]:
    return read_payments("\n".join((_HEAD, *lines)).encode())


def _bad(line: str) -> BadLine:
    [found] = _read(line)
    assert isinstance(found, BadLine), found
    return found


def test_a_line_becomes_a_payment() -> None:
    [found] = _read(f" INV-1 ,EUR,10.00,,EUR,Ann Lee,Bo Ek,{_IBAN}")
    assert isinstance(found, Payment)
    assert (found.line, found.reference, found.fixed) == (2, "INV-1", ("source", "10.00"))
    assert found.payer == {"name": "Ann Lee"}
    assert found.recipient == {"name": "Bo Ek", "currency": "EUR", "account": {"iban": _IBAN}}


@pytest.mark.parametrize(
    ("line", "code", "column"),
    [
        (f"A,EUR,10.00,,EUR,Ann,Bo,{_IBAN[:-1]}1", "iban-invalid", "recipient_iban"),
        (f"A,EUR,10.005,,EUR,Ann,Bo,{_IBAN}", "invalid-amount", "source_amount"),
        (f"A,EUR,0,,EUR,Ann,Bo,{_IBAN}", "invalid-amount", "source_amount"),
        (f"A,EUR,-3,,EUR,Ann,Bo,{_IBAN}", "invalid-amount", "source_amount"),
        (f"A,EUR,1e3,,EUR,Ann,Bo,{_IBAN}", "invalid-amount", "source_amount"),
        (f"A,EUR,99999999999999999999,,EUR,Ann,Bo,{_IBAN}", "invalid-amount", "source_amount"),
        (f"A,XXX,10.00,,EUR,Ann,Bo,{_IBAN}", "unknown-currency", "source_currency"),
        (f"A,EUR,10.00,,XXX,Ann,Bo,{_IBAN}", "unknown-currency", "target_currency"),
        (f"A,EUR,10.00,9.00,EUR,Ann,Bo,{_IBAN}", "line-invalid", "source_amount"),
        (f"A,EUR,,,EUR,Ann,Bo,{_IBAN}", "line-invalid", "source_amount"),
        (f"A,EUR,10.00,,EUR,,Bo,{_IBAN}", "line-invalid", "payer_name"),
        (f"A,EUR,10.00,,EUR,Ann,Bo,{_IBAN},more", "line-invalid", None),
    ],
)
def test_a_bad_line_is_refused_with_its_column_and_never_its_value(line: str, code: str, column: str | None) -> None:
    bad = _bad(line)
    assert (bad.line, bad.reference) == (2, "A")
    assert [(one.code, one.column) for one in bad.faults] == [(code, column)]
    assert _IBAN[4:] not in bad.faults[0].reason


def test_a_bad_line_stops_no_other() -> None:
    good = f"EUR,10.00,,EUR,Ann,Bo,{_IBAN}"
    kinds = [type(one) for one in _read(f"A,{good}", "B,EUR", f"C,{good}")]
    assert kinds == [Payment, BadLine, Payment]


def test_the_same_line_twice_is_paid_once() -> None:
    line = f"A,EUR,10.00,,EUR,Ann,Bo,{_IBAN}"
    first, second = _read(line, line.replace("Ann", " Ann "))
    assert isinstance(first, Payment)
    assert isinstance(second, BadLine)
    assert "line 2" in second.faults[0].reason


def test_what_a_line_says_is_its_digest_not_how_it_is_written() -> None:
    [one] = _read(f"A,EUR,10.00,,EUR,Ann,Bo,{_IBAN}")
    head = "recipient_iban,recipient_name,payer_name,target_currency,source_amount,source_currency,reference"
    [other] = read_payments(f"{head}\n{_IBAN},Bo,Ann,EUR,10.00,EUR,A\n".encode())
    [else_] = _read(f"A,EUR,10.01,,EUR,Ann,Bo,{_IBAN}")
    assert isinstance(one, Payment)
    assert isinstance(other, Payment)
    assert isinstance(else_, Payment)
    assert one.digest == other.digest != else_.digest


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is missing"),
        (b"reference,source_amount\n", "source_currency"),
        (f"{_HEAD},iban\n".encode(), r"no column iban"),
        (f"{_HEAD},reference\n".encode(), "twice"),
        (f"{_HEAD}\n".encode(), "no line"),
        (b"\xff\xfe\x00", "UTF-16"),
    ],
)
def test_a_file_that_is_not_one_is_refused_whole(content: bytes, told: str) -> None:
    with pytest.raises(FileInvalid, match=told):
        read_payments(content)


def test_the_sample_has_good_lines_and_bad_ones() -> None:
    found = read_payments(_SAMPLE.read_bytes())
    assert len(found) == 40
    assert {(one.line, one.faults[0].code) for one in found if isinstance(one, BadLine)} == {
        (33, "iban-invalid"),
        (34, "invalid-amount"),
        (35, "unknown-currency"),
        (38, "invalid-amount"),
        (39, "account-invalid"),
        (41, "line-invalid"),
    }


def test_every_fault_of_a_line_is_told_at_once_in_the_columns_of_the_file() -> None:
    bad = _bad(f"=1+1,EUX,ten,5.00,EU,,Bo,{_IBAN[:-1]}1")
    assert {one.column for one in bad.faults} == {"source_currency", "source_amount", "target_currency", "payer_name"}
    bad = _bad(",EUR,10.005,,GBP,Ann,,")
    assert [one.column for one in bad.faults] == ["reference", "source_amount", "recipient_name", "recipient_sort_code"]


def test_one_payment_in_other_spellings_is_told_to_be_the_same() -> None:
    found = _read(
        f"E1,EUR,,5.00,EUR,Jürgen Weiß,Muster KG,{_IBAN}",
        f"E1,EUR,,5.0,EUR,Jürgen Weiß,Muster KG,{_IBAN}",
        "E1,EUR,,5,EUR,Ju\u0308rgen\u00a0Weiß,Muster  KG,de89 3704 0044 0532\u00a00130\u201300",
        f"E2,EUR,,5,EUR,Jürgen Weiß,Muster KG,{_IBAN}",
    )
    assert [type(one) for one in found] == [Payment, BadLine, BadLine, Payment]
    assert all("same as line 2" in one.faults[0].reason for one in found[1:3] if isinstance(one, BadLine))


def test_a_uk_account_is_one_in_each_spelling() -> None:
    head = _HEAD.replace("recipient_iban", "recipient_iban,recipient_sort_code,recipient_account_number")
    lines = ("GB29 NWBK 6016 1331 9268 19,,", ",60-16-13,31926819", ",,60161331926819")
    found = read_payments(
        "\n".join((head, *(f"A{at},GBP,1,,GBP,Ann,Bo,{one}" for at, one in enumerate(lines)))).encode()
    )
    account = {"sort_code": "601613", "account_number": "31926819"}
    assert [one.recipient["account"] for one in found if isinstance(one, Payment)] == [account] * 3


def test_an_account_that_no_scheme_reaches_is_told_before_anything_is_sent() -> None:
    [fault] = _bad(f"A,EUR,10.00,,USD,Ann,Bo,{_IBAN}").faults
    assert (fault.code, fault.column) == ("no-rail-for-currency", "target_currency")
    [fault] = _bad("A,EUR,10.00,,EUR,Ann,Bo,TR330006100519786457841326").faults
    assert (fault.code, fault.column) == ("account-unreachable", "recipient_iban")


def test_the_lines_are_those_of_the_file() -> None:
    text = f'{_HEAD}\r\n\r\n,,,,,,,\r\n"Zeile eins\r\nZeile zwei",EUR,1,,EUR,Ann,Bo,{_IBAN}\r\nB,EUR,bad,,EUR,Ann,Bo,{_IBAN},,,\r\n,,,\r\n'
    first, second = read_payments(text.encode("utf-8-sig"))
    assert (first.line, first.reference) == (4, "Zeile eins Zeile zwei")
    assert isinstance(second, BadLine)
    assert (second.line, [one.column for one in second.faults]) == (6, ["source_amount"])


@pytest.mark.parametrize(
    ("pointer", "prefix", "column"),
    [
        ("/account/iban", "recipient", "recipient_iban"),
        ("/address/town", "recipient", "recipient_town"),
        ("/document/number", "payer", "payer_document_number"),
        ("/name", "payer", "payer_name"),
        ("/currency", "recipient", "target_currency"),
        ("/source/value", "", "source_amount"),
        ("/target/value", "", "target_amount"),
        ("/target/currency", "", "target_currency"),
        ("/reference", "", "reference"),
        ("/deadline", "", "deadline"),
        ("/metadata/order", "", "metadata.order"),
        ("/recipient_id", "", "recipient_id"),
        ("/quote_id", "", None),
        ("", "payer", None),
    ],
)
def test_what_the_api_points_at_is_a_column(pointer: str, prefix: str, column: str | None) -> None:
    assert column_of(pointer, prefix) == column


_IDS = "reference,source_currency,source_amount,target_currency,payer_id,payer_name,recipient_id,recipient_iban,recipient_name,deadline,metadata.order"


def test_a_line_may_name_ids_a_deadline_and_metadata() -> None:
    [found] = read_payments(f"{_IDS}\nA,EUR,1,EUR,pyr_1,,rcp_1,,,2026-12-01T12:00:00Z,A  1\n".encode())
    assert isinstance(found, Payment)
    assert (found.payer, found.recipient, found.metadata) == ("pyr_1", "rcp_1", {"order": "A  1"})
    assert found.deadline == datetime(2026, 12, 1, 12, tzinfo=UTC)
    [other] = read_payments(f"{_IDS}\nA,EUR,1,EUR,pyr_1,,rcp_1,,,2026-12-01T12:00:00Z,A 2\n".encode())
    assert isinstance(other, Payment)
    assert other.digest != found.digest


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        ("A,EUR,1,EUR,pyr_1,Ann,rcp_1,,,,", ["payer_id"]),
        (f"A,EUR,1,EUR,pyr_1,,rcp_1,{_IBAN},,,", ["recipient_id"]),
        ("A,EUR,1,EUR,,,,,,,", ["payer_name", "recipient_name", "recipient_iban"]),
        ("A,EUR,1,EUR,pyr_1,,rcp_1,,,soon,", ["deadline"]),
        ("A,EUR,1,EUR,pyr_1,,rcp_1,,,2999-01-01T00:00:00Z,", ["deadline"]),
    ],
)
def test_a_party_is_named_once_and_a_deadline_is_an_instant(row: str, columns: list[str]) -> None:
    [found] = read_payments(f"{_IDS}\n{row}\n".encode())
    assert isinstance(found, BadLine)
    assert [one.column for one in found.faults] == columns


def test_a_batch_reads_the_same_file_as_pay() -> None:
    paid, batch = read_payments(_SAMPLE.read_bytes()), read_batch(_SAMPLE.read_bytes())
    assert [one.line for one in paid] == [one.row.line for one in batch]
    good = [(one, other) for one, other in zip(paid, batch, strict=True) if isinstance(one, Payment)]
    assert len(good) == 34
    assert all((one.payer, one.recipient, ()) == (other.payer, other.recipient, other.faults) for one, other in good)
    # Amounts and repeats are for the API to judge; a batch's lines may be alike.
    assert {(one.row.line, one.faults[0].code) for one in batch if one.faults} == {
        (33, "iban-invalid"),
        (35, "unknown-currency"),
        (39, "account-invalid"),
    }
