"""A batch as it comes in CSV: each row as a wish or as a fault, in the words of its columns. Pure.

A row that has the right columns becomes a line in the form of JSON, and is checked as that; what only CSV can get wrong is checked before.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from cells.batches.batch import LINES_MAX, Fault
from cells.kit.csv_text import CsvInvalid, Row, read_rows
from router.api.errors import InvalidRequest
from router.api.v1.batch_reading import BatchFileInvalid, ReadLine, read_line

CSV_COLUMNS = (
    "recipient_id", "payer_id", "source_amount", "target_amount", "target_currency", "reference", "deadline",
)  # fmt: skip
_METADATA = "metadata."
_COLUMN_OF: Final = MappingProxyType(
    {
        "/source": "source_amount", "/source/value": "source_amount", "/source/currency": "source_amount",
        "/target": "target_amount", "/target/value": "target_amount", "/target/currency": "target_currency",
    }
)  # fmt: skip


def read_csv(body: bytes, currency: str, payer_id: str | None) -> list[tuple[int, ReadLine]]:
    """The lines of a CSV file with a line of column names, each with the line of the file in which it begins. Raises
    BatchFileInvalid."""
    try:
        rows = read_rows(body, CSV_COLUMNS, ("recipient_id",), LINES_MAX, _is_metadata)
    except CsvInvalid as error:
        raise BatchFileInvalid(error.detail) from None
    return [(row.line, _read(row, currency, payer_id)) for row in rows]


def csv_pointer(pointer: str) -> str:
    """A pointer into a line in the form of JSON, as one to the column that it came from."""
    if pointer.startswith("/metadata/"):
        return f"/{_METADATA}{pointer.removeprefix('/metadata/').removesuffix('/[key]')}"
    return f"/{_COLUMN_OF[pointer]}" if pointer in _COLUMN_OF else pointer


def _is_metadata(name: str) -> bool:
    return name.startswith(_METADATA) and name != _METADATA


def _read(row: Row, currency: str, payer_id: str | None) -> ReadLine:
    own = _faults(row, payer_id)
    read = read_line(_of_row(row.cells, currency), currency, payer_id)
    if not isinstance(read, Fault):
        return read if not own else _fault(InvalidRequest.code, own)
    faults = own + [{"detail": one["detail"], "pointer": csv_pointer(one.get("pointer", ""))} for one in read.errors]
    # What has no column, and what is said of one a second time, is said in the words of JSON alone.
    told = {one["pointer"]: one for one in reversed(faults) if one["pointer"] or one in own}
    kept = sorted((one for one in faults if told.get(one["pointer"]) is one), key=_place)
    return _fault(InvalidRequest.code if own else read.code, kept or faults)


def _place(fault: Mapping[str, str]) -> int:
    """In the order of the columns as they are documented; what is of the row comes first, metadata last."""
    name = fault["pointer"].removeprefix("/")
    return CSV_COLUMNS.index(name) if name in CSV_COLUMNS else len(CSV_COLUMNS) if name else -1


def _fault(code: str, faults: Sequence[Mapping[str, str]]) -> Fault:
    said = " ".join(
        f"{one['pointer'].removeprefix('/')}: {one['detail']}" if one["pointer"] else one["detail"] for one in faults
    )
    return Fault(code, said, faults[0]["pointer"] or None, faults)


def _faults(row: Row, payer_id: str | None) -> list[dict[str, str]]:
    found = [] if row.fault is None else [{"detail": row.fault, "pointer": ""}]
    given = [name for name in ("source_amount", "target_amount") if name in row.cells]
    if len(given) != 1:
        found.append(
            {
                "detail": "Give this (what leaves) or target_amount (what arrives), one of them.",
                "pointer": "/source_amount",
            }
        )
    if "target_currency" not in row.cells:
        found.append({"detail": "It is empty.", "pointer": "/target_currency"})
    if "recipient_id" not in row.cells:
        found.append({"detail": "It is empty.", "pointer": "/recipient_id"})
    if "payer_id" not in row.cells and payer_id is None:
        found.append({"detail": "It is empty, and the batch names no payer.", "pointer": "/payer_id"})
    return found


def _of_row(given: Mapping[str, str], currency: str) -> dict[str, Any]:
    """A row in the form of a JSON line."""
    line: dict[str, Any] = {
        name: given[name] for name in ("recipient_id", "payer_id", "reference", "deadline") if name in given
    }
    if "reference" in line:
        line["reference"] = " ".join(
            line["reference"].split()
        )  # a spreadsheet's cell may have several lines, a reference one
    target = given.get("target_currency")
    if "source_amount" in given:
        line["source"] = {"value": given["source_amount"], "currency": currency}
    if "target_amount" in given:
        line["target"] = {"value": given["target_amount"], "currency": target}
    elif target is not None:
        line["target_currency"] = target
    metadata = {name.removeprefix(_METADATA): value for name, value in given.items() if name.startswith(_METADATA)}
    return line | ({"metadata": metadata} if metadata else {})
