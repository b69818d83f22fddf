"""CSV as people and programs make it: read with every fault told by line and column, and written so that no spreadsheet takes a text for
a formula. Pure.

RFC 4180, in UTF-8 or in UTF-16 with its mark. What is guessed at (another separator, another encoding, lines above the table) is told and
never followed: a decimal comma read as a separator would be another amount. No fault quotes a cell, but for names of columns.
"""

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from residency.errors import KovraError

_SEPARATORS: Final[Mapping[str, str]] = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "upright lines"}
# How far down a table may begin, for its header to be recognised; banks put a dozen lines above it at most.
_ABOVE_MAX = 30
# Line breaks for each row that may be: some of it empty, some within quotation marks.
_LINES_PER_ROW_MAX = 4
# Names are looked for in the file's beginning alone; and no table of ours, with what partners add, is wider than this.
_HEAD_CHARACTERS = 64 * 1024
COLUMNS_MAX = 100
_NAMES_SHOWN_MAX = 12
# What may be shown of a header: words as columns have them, where each of its names is one. A payment that stands in its place has a number.
_NAME = re.compile(r"[^\W\d](?:[^\W\d]|[ ._/()*€$£&-]){0,39}")
_ARCHIVES: Final = ((b"PK\x03\x04", "an Excel workbook (.xlsx) or another archive"), (b"\xd0\xcf\x11\xe0", "an Excel workbook (.xls)"),
                    (b"%PDF", "a PDF document"))  # fmt: skip
_UTF_32: Final = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_UTF_16: Final = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_SAVE = "Save it as “CSV UTF-8”."
# CSV injection: what a spreadsheet takes for a formula (OWASP), full-width forms as well.
_FORMULA_SIGNS: Final = "=+-@\uff1d\uff0b\uff0d\uff20"
_BREAKS: Final = "\t\r\n"
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


class CsvInvalid(KovraError):
    """The file as a whole. `detail` has every fault of it that can be told."""

    code = "csv-invalid"
    status = 422
    title = "The file cannot be read as CSV"


@dataclass(frozen=True, slots=True)
class Row:
    """One row that is not empty. `line`: where it begins in the file, from 1. `cells`: by column, stripped, the empty left out. `fault`:
    what is wrong with the row as a row."""

    line: int
    cells: Mapping[str, str]
    fault: str | None = None


def read_rows(
    body: bytes,
    columns: Sequence[str],
    needed: Sequence[str],
    rows_max: int,
    free: Callable[[str], bool] = lambda _: False,
) -> list[Row]:
    """The rows below a header that names some of `columns`, each once and all of `needed`; `free`: whether another name may stand there.
    Raises CsvInvalid."""
    text = _decoded(body)
    _check_length(text, rows_max)
    _check_width(text)
    _check_header(text, columns, needed, free)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows = _numbered(reader)
    names = [name.strip() for name in next(rows)[1]]
    found: list[Row] = []
    for line, cells in rows:
        if len(found) == rows_max:
            raise CsvInvalid(f"It has more than {rows_max:,} lines; split it.")
        found.append(_row(line, names, cells))
    if not found:
        raise CsvInvalid("It has no line but the names of the columns.")
    return found


def write_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table with its header. What a spreadsheet would take for a formula has an apostrophe in front."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_plain(one) for one in row] for row in rows)
    return text.getvalue()


def place_rows(columns: Sequence[str], rows: Iterable[Row]) -> str:
    """A table for a program, each row at its own line, with empty lines between: `line` increases from 2. Nothing is put in front of a
    text, so the same cells are read again."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    line = 2
    for row in rows:
        text.write("\n" * (row.line - line))
        cells = [row.cells.get(name, "") for name in columns]
        writer.writerow(cells)
        line = row.line + 1 + sum(len(_LINE_BREAK.findall(cell)) for cell in cells)
    return text.getvalue()


def _plain(value: Any) -> Any:
    if not isinstance(value, str) or _NUMBER.fullmatch(value):
        return value
    first = next(
        (one for one in value if one in _BREAKS or not (one.isspace() or unicodedata.category(one) == "Cf")), ""
    )
    return f"'{value}" if first and first in _FORMULA_SIGNS + _BREAKS else value


def _decoded(body: bytes) -> str:
    for mark, kind in _ARCHIVES:
        if body.startswith(mark):
            raise CsvInvalid(f"It is {kind}, and CSV is expected. {_SAVE}")
    if body.startswith(_UTF_32):
        raise CsvInvalid(f"It is UTF-32, and UTF-8 is expected. {_SAVE}")
    encoding = next((name for mark, name in _UTF_16 if body.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in body:
        where = _place(body, body.index(b"\0"))
        raise CsvInvalid(
            f"Byte 0x00 {where} is no text: it may be UTF-16 without its mark, and UTF-8 is expected. {_SAVE}"
        )
    try:
        return body.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        where, found = _place(body, error.start), body[error.start]
        if encoding != "utf-8":
            raise CsvInvalid(f"Byte 0x{found:02X} {where} is not UTF-16, as its mark says. {_SAVE}") from None
        raise CsvInvalid(
            f"Byte 0x{found:02X} {where} is not UTF-8; it may be Windows-1252, which Excel saves as plain “CSV”. {_SAVE}"
        ) from None


def _place(body: bytes, at: int) -> str:
    line = body.count(b"\n", 0, at) + 1
    return f"at position {at + 1:,} (line {line:,})"


def _check_length(text: str, rows_max: int) -> None:
    """Before anything is read: an empty line costs as much as a short row, and a file may be nothing else. Raises CsvInvalid."""
    found, most = text.count("\n") + text.count("\r"), _LINES_PER_ROW_MAX * (rows_max + 1_000)
    if found > most:
        raise CsvInvalid(f"It has {found:,} line breaks; a file of {rows_max:,} lines here has {most:,} at most.")


def _check_width(text: str) -> None:
    """Before anything is read: a row costs as much as it has cells, and a few bytes make very many. Raises CsvInvalid."""
    for number, line in enumerate(text.splitlines(), 1):
        widest = max(line.count(separator) for separator in _SEPARATORS)
        # Far beyond what is read, since a text in quotation marks may hold some.
        if widest > 20 * COLUMNS_MAX:
            raise CsvInvalid(f"Line {number} has some {widest:,} columns; a table here has {COLUMNS_MAX} at most.")


def _check_header(text: str, columns: Sequence[str], needed: Sequence[str], free: Callable[[str], bool]) -> None:
    """Everything that is wrong with the table's head, in one answer. Raises CsvInvalid."""
    separator, above, line, names = _header(text[:_HEAD_CHARACTERS], columns)
    if len(names) > COLUMNS_MAX:
        raise CsvInvalid(f"It has {len(names):,} columns; a table here has {COLUMNS_MAX} at most.")
    faults = []
    if separator != ",":
        faults.append(f"Its columns are separated by {_SEPARATORS[separator]}, and commas are expected.")
    if above:
        faults.append(
            f"The names of the columns stand in line {line}, and are expected in the first: remove what is above."
        )
    if missing := [name for name in needed if name not in names]:
        faults.append(f"It must name the columns {', '.join(needed)}; {', '.join(missing)} is missing.")
    known = [name for name in names if name in columns or free(name)]
    if unknown := [name for name in names if name and name not in known]:
        if all(_NAME.fullmatch(name) for name in unknown):
            shown = ", ".join(_unknown(name, columns) for name in unknown[:_NAMES_SHOWN_MAX])
            faults.append(f"There is no column {shown}.")
        else:
            faults.append(f"{len(unknown)} of the names there are no columns; it may be a line of data.")
        faults.append(f"The columns are {', '.join(columns)}.")
    if doubled := sorted({name for name in known if known.count(name) > 1}):
        faults.append(f"A column stands there twice: {', '.join(doubled)}.")
    if nameless := [place for place, name in enumerate(names, 1) if not name]:
        faults.append(f"Column {', '.join(map(str, nameless))} has no name.")
    if faults:
        raise CsvInvalid(" ".join(faults))


def _header(text: str, columns: Sequence[str]) -> tuple[str, bool, int, list[str]]:
    """(separator, whether something stands above, line, names) of what is most likely the header: the row with the most names that are
    known, else the first of the widest. A separator other than a comma must do better than it."""
    best: tuple[tuple[int, int], str, bool, int, list[str]] | None = None
    for separator in _SEPARATORS:
        for number, (line, cells) in enumerate(_leading(text, separator)):
            names = [cell.strip() for cell in cells]
            while names and not names[-1]:
                names.pop()
            score = (len({name.casefold() for name in names} & set(columns)), len(names))
            if best is None or score > best[0]:
                best = score, separator, number > 0, line, names
    return (",", False, 1, []) if best is None else best[1:]


def _leading(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    try:
        for number, row in enumerate(_numbered(csv.reader(io.StringIO(text, newline=""), delimiter=separator))):
            if number == _ABOVE_MAX:
                return
            yield row
    except CsvInvalid:
        return


def _unknown(name: str, columns: Sequence[str]) -> str:
    meant = get_close_matches(name.casefold().replace(" ", "_"), columns, 1, 0.7)
    return f"{name} ({meant[0]}?)" if meant else name


def _numbered(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Rows with a cell that is not empty, each with the line in which it begins. Raises CsvInvalid."""
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise CsvInvalid(_said(str(error), line)) from None
        if any(map(_stripped, cells)):
            yield line, cells


def _said(error: str, line: int) -> str:
    if "end of data" in error:
        return f"A quotation mark that opens in the row of line {line} is never closed."
    if "expected after" in error:
        return (
            f"In the row of line {line} something follows a closing quotation mark; one inside a text is written twice."
        )
    if "field limit" in error:
        return f"A field in the row of line {line} is longer than {csv.field_size_limit():,} characters."
    return f"The row of line {line} is not CSV."


def _row(line: int, names: Sequence[str], cells: Sequence[str]) -> Row:
    values = [_stripped(one) for one in cells]
    filled = {name: value for name, value in zip(names, values, strict=False) if name and value}
    beyond = [place for place, value in enumerate(values, 1) if value and (place > len(names) or not names[place - 1])]
    if beyond:
        text = f"It has a value in column {beyond[0]}, which has no name; a text with a comma needs quotation marks."
        return Row(line, filled, text)
    return Row(line, filled)


def _stripped(cell: str) -> str:
    return cell.strip().strip("\ufeff\u200b").strip()
