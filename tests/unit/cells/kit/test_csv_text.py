"""CSV as people make it: what is read, what is refused and in which words, and what is written."""

import csv
import io

import pytest

from cells.kit.csv_text import CsvInvalid, Row, read_rows, write_rows
from tests.support.growth import cost

COLUMNS = ("recipient_id", "amount", "currency", "reference")
HEAD = ",".join(COLUMNS)
GOOD = f"{HEAD}\nr1,10.00,EUR,Käse\n"


def rows(text: str | bytes) -> list[Row]:
    body = text.encode() if isinstance(text, str) else text
    return read_rows(body, COLUMNS, ("recipient_id", "amount"), 5, lambda name: name.startswith("metadata."))


def test_a_file_costs_no_more_than_its_length_whatever_its_shape() -> None:
    """Before it is refused, four times the columns, or the cells of a row, take some four times as long at most."""

    def wide(count: int) -> bytes:
        return (
            ",".join(["recipient_id", "amount", *(f"metadata.c{number}" for number in range(count))]) + "\nr1,1.00\n"
        ).encode()

    def deep(count: int) -> bytes:
        return f"{HEAD}\nr1,1.00,EUR{',' * count}\n".encode()

    for shape, sizes in ((wide, (20_000, 80_000)), (deep, (250_000, 1_000_000))):
        short, long = (shape(size) for size in sizes)
        assert "columns" in refused(long)
        assert cost(lambda long=long: refused(long)) < 9 * cost(lambda short=short: refused(short))


@pytest.mark.parametrize("breaks", ["\n", "\r", "\r\n"])
def test_a_file_of_empty_lines_is_refused_before_any_is_read(breaks: str) -> None:
    assert len(read_rows(("a" + breaks * 900 + "x" + breaks).encode(), ["a"], ["a"], 10)) == 1
    with pytest.raises(CsvInvalid, match="line breaks"):
        read_rows(("a" + breaks * 5_000 + "x" + breaks).encode(), ["a"], ["a"], 10)


def test_a_table_is_a_hundred_columns_wide_at_most() -> None:
    names = ["recipient_id", "amount", *(f"metadata.c{number}" for number in range(99))]
    assert refused(",".join(names) + "\nr1,1.00\n") == "It has 101 columns; a table here has 100 at most."
    assert rows(",".join(names[:100]) + "\nr1,1.00\n")


def refused(text: str | bytes) -> str:
    with pytest.raises(CsvInvalid) as caught:
        rows(text)
    return caught.value.detail


@pytest.mark.parametrize(
    "body",
    [
        GOOD.encode(),
        GOOD.encode("utf-8-sig"),
        GOOD.encode("utf-16"),
        b"\xfe\xff" + GOOD.encode("utf-16-be"),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace("\n", "\r").encode(),
        GOOD.rstrip("\n").encode(),
        f"{HEAD},,\r\nr1,10.00,EUR,Käse,,\r\n".encode(),
        f"\ufeff\ufeff{HEAD}\n"[1:].encode() + "r1,\u00a010.00 ,\u200bEUR,Käse\n".encode(),
    ],
)
def test_what_is_read(body: bytes) -> None:
    assert rows(body) == [Row(2, {"recipient_id": "r1", "amount": "10.00", "currency": "EUR", "reference": "Käse"})]


def test_rows_have_the_lines_of_the_file_and_empty_ones_are_none() -> None:
    found = rows(f'{HEAD}\n\n,,,\nr1,1,EUR,"one\ntwo ""three"""\n , ,\nr2,2\n')
    assert [(one.line, one.cells.get("reference")) for one in found] == [(4, 'one\ntwo "three"'), (7, None)]


def test_a_value_beyond_the_columns_is_a_fault_of_its_row_alone() -> None:
    good, bad, last = rows(f"{HEAD}\nr1,1,EUR,x,\nr2,2,EUR,Muster, KG\nr3,3\n")
    assert (good.fault, last.fault, bad.line) == (None, None, 3)
    assert "column 5" in (bad.fault or "")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (GOOD.replace(",", ";"), ["semicolons", "commas are expected"]),
        (GOOD.replace(",", "\t"), ["tabs"]),
        ('"recipient_id";"amount"\n"r1";"1"\n', ["semicolons"]),
        (f"sep=,\n{GOOD}", ["line 2", "expected in the first"]),
        (f"Konto;DE89370400440532013000\n \n{GOOD.replace(',', ';')}", ["semicolons", "line 3"]),
        (GOOD.encode("cp1252"), ["0xE4", "position 54", "line 2", "Windows-1252"]),
        (GOOD.encode("utf-16-le"), ["0x00", "position 2", "UTF-16 without its mark"]),
        (GOOD.encode("utf-32"), ["UTF-32"]),
        (b"\xff\xfer\x00\x00", ["position", "UTF-16"]),
        (b"PK\x03\x04...", ["xlsx"]),
        (b"\xd0\xcf\x11\xe0...", [".xls"]),
        (b"%PDF-1.7", ["PDF"]),
        ("amount,Recipient ID\n1,r1\n", ["recipient_id is missing", "Recipient ID (recipient_id?)"]),
        ("recipient_id,amont,amount,amount\n", ["amont (amount?)", "twice: amount"]),
        (f"{HEAD},,x\n", ["Column 5 has no name", "no column x"]),
        ("DE89370400440532013000,Jürgen Weiß 5\n", ["2 of the names", "line of data"]),
        ("Jürgen Weiß,DE89370400440532013000\n", ["line of data"]),
        ("Buchungsdatum;Betrag (€);Gläubiger-ID\n1;2;3\n", ["Buchungsdatum, Betrag (€), Gläubiger-ID", "semicolons"]),
        (f"{HEAD}\n", ["no line but"]),
        ("", ["recipient_id, amount is missing"]),
        (f'{HEAD}\nr1,1,EUR,x\nr2,1,EUR,"open\nr3\n', ["line 3", "never closed"]),
        (f'{HEAD}\nr1,1,EUR,"a"b\n', ["line 2", "closing quotation mark"]),
        (f"{HEAD}\nr1,1,EUR,{'x' * 140_000}\n", ["line 2", "131,072"]),
        (GOOD + "r,1\n" * 5, ["more than 5 lines"]),
    ],
)  # fmt: skip
def test_what_is_refused_says_what_was_found_and_what_is_expected(body: str | bytes, said: list[str]) -> None:
    detail = refused(body)
    assert all(one in detail for one in said), detail
    assert "Weiß" not in detail
    assert "DE89" not in detail


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1+1",
        "\u00a0=1",
        "\u200b=1",
        "\uff1d1+1",
        "\uff20x",
        "-",
        "--5",
        "+49 89 1",
    ],
)
def test_no_spreadsheet_takes_a_text_for_a_formula(text: str) -> None:
    [_, [written, number]] = csv.reader(io.StringIO(write_rows(["text", "number"], [[text, 5]]), newline=""))
    assert (written, number) == (f"'{text}", "5")


@pytest.mark.parametrize("text", ["", "a=1", "-5.00", "+5", "INV-1", "'=1", "ß"])
def test_other_texts_and_numbers_are_written_as_they_are(text: str) -> None:
    [_, [written]] = csv.reader(io.StringIO(write_rows(["text"], [[text]]), newline=""))
    assert written == text
