"""The columns of a file of payments: one table in code, and the same in the README."""

import re

from cells.batches.columns import COLUMNS, METADATA, METADATA_ABOUT, read_payment_rows
from cells.kit.csv_text import place_rows
from tests.support.following import ROOT

_BEGIN, _END = "<!-- columns: begin -->", "<!-- columns: end -->"


def test_the_readme_has_the_columns_that_are_read() -> None:
    text = (ROOT / "cells/batches/README.md").read_text()
    table = text[text.index(_BEGIN) : text.index(_END)]
    found = dict(re.findall(r"^\| `([^`]+)` \| (.*?) ?\|$", table, re.MULTILINE))
    assert found == {**COLUMNS, f"{METADATA}<key>": METADATA_ABOUT}


def test_rows_are_read_again_at_their_lines_as_they_were() -> None:
    content = (
        "\nreference,target_currency,metadata.a\n,,\n"
        '"Zeile eins\nZeile zwei",EUR,"two\r\nlines, a ""quotation"""\n\n=1+1,EUR,-x\n'
    )
    rows = read_payment_rows(content.encode(), (), 10)
    assert [one.line for one in rows] == [4, 8]
    assert rows[0].cells["reference"] == "Zeile eins Zeile zwei"
    again = place_rows(["target_currency", "reference", "metadata.a"], rows)
    assert read_payment_rows(again.encode(), (), 10) == rows
