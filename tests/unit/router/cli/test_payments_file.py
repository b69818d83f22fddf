"""A file of payments, read: what is refused, with which line and reason, and that nothing else is."""

from pathlib import Path

import pytest

import router.cli
from router.cli.payments_file import BadLine, FileInvalid, Payment, read_payments

_HEAD = "reference,source_currency,amount,target_amount,target_currency,payer_name,recipient_name,recipient_iban"
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
        (f"A,EUR,10.00,,EUR,Ann,Bo,{_IBAN[:-1]}1", "iban-invalid", "recipient/iban"),
        (f"A,EUR,10.005,,EUR,Ann,Bo,{_IBAN}", "invalid-amount", "amount"),
        (f"A,EUR,0,,EUR,Ann,Bo,{_IBAN}", "invalid-amount", "amount"),
        (f"A,EUR,-3,,EUR,Ann,Bo,{_IBAN}", "invalid-amount", "amount"),
        (f"A,EUR,1e3,,EUR,Ann,Bo,{_IBAN}", "invalid-amount", "amount"),
        (f"A,EUR,99999999999999999999,,EUR,Ann,Bo,{_IBAN}", "invalid-amount", "amount"),
        (f"A,XXX,10.00,,EUR,Ann,Bo,{_IBAN}", "unknown-currency", "source_currency"),
        (f"A,EUR,10.00,,XXX,Ann,Bo,{_IBAN}", "unknown-currency", "target_currency"),
        (f"A,EUR,10.00,9.00,EUR,Ann,Bo,{_IBAN}", "line-invalid", "amount"),
        (f"A,EUR,,,EUR,Ann,Bo,{_IBAN}", "line-invalid", "amount"),
        (f"A,EUR,10.00,,EUR,,Bo,{_IBAN}", "line-invalid", "payer_name"),
        (f"A,EUR,10.00,,EUR,Ann,Bo,{_IBAN},more", "line-invalid", None),
    ],
)
def test_a_bad_line_is_refused_with_its_column_and_never_its_value(line: str, code: str, column: str | None) -> None:
    bad = _bad(line)
    assert (bad.line, bad.reference, bad.code, bad.column) == (2, "A", code, column)
    assert _IBAN[4:] not in bad.reason


def test_a_bad_line_stops_no_other() -> None:
    good = f"EUR,10.00,,EUR,Ann,Bo,{_IBAN}"
    kinds = [type(one) for one in _read(f"A,{good}", "B,EUR", f"C,{good}")]
    assert kinds == [Payment, BadLine, Payment]


def test_the_same_line_twice_is_paid_once() -> None:
    line = f"A,EUR,10.00,,EUR,Ann,Bo,{_IBAN}"
    first, second = _read(line, line.replace("Ann", " Ann "))
    assert isinstance(first, Payment)
    assert isinstance(second, BadLine)
    assert "line 2" in second.reason


def test_what_a_line_says_is_its_digest_not_how_it_is_written() -> None:
    [one] = _read(f"A,EUR,10.00,,EUR,Ann,Bo,{_IBAN}")
    head = "recipient_iban,recipient_name,payer_name,target_currency,amount,source_currency,reference"
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
        (b"reference,amount\n", "source_currency"),
        (f"{_HEAD},iban\n".encode(), "no column iban"),
        (f"{_HEAD},reference\n".encode(), "twice"),
        (f"{_HEAD}\n".encode(), "no line"),
        (b"\xff\xfe\x00", "UTF-8"),
    ],
)
def test_a_file_that_is_not_one_is_refused_whole(content: bytes, told: str) -> None:
    with pytest.raises(FileInvalid, match=told):
        read_payments(content)


def test_the_sample_has_good_lines_and_bad_ones() -> None:
    found = read_payments(_SAMPLE.read_bytes())
    assert len(found) == 40
    assert {(one.line, one.code) for one in found if isinstance(one, BadLine)} == {
        (33, "iban-invalid"),
        (34, "invalid-amount"),
        (35, "unknown-currency"),
        (38, "invalid-amount"),
        (39, "account-invalid"),
        (41, "line-invalid"),
    }
