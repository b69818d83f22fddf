"""A batch as it comes in CSV: each row as a wish or as a fault, in the words of its columns. Pure.

A row that has the right columns becomes a line in the form of JSON, and is checked as that; what only CSV can get wrong is checked before.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from cells.batches.batch import LINES_MAX, Fault
from cells.batches.columns import COLUMNS, METADATA, PERSONS, metadata_of, read_payment_rows
from cells.kit.csv_text import CsvInvalid, Row
from router.api.errors import InvalidRequest
from router.api.v1.batch_reading import BatchFileInvalid, ReadLine, read_line

_ORDER: Final = tuple(COLUMNS)
_COLUMN_OF: Final = MappingProxyType(
    {
        "/source": "source_amount", "/source/value": "source_amount", "/source/currency": "source_currency",
        "/target": "target_amount", "/target/value": "target_amount", "/target/currency": "target_currency",
    }
)  # fmt: skip


def read_csv(body: bytes, currency: str, payer_id: str | None) -> list[tuple[int, ReadLine]]:
    """The lines of a CSV file with a line of column names, each with the line of the file in which it begins. Raises
    BatchFileInvalid."""
    try:
        rows = read_payment_rows(body, ("recipient_id",), LINES_MAX)
    except CsvInvalid as error:
        raise BatchFileInvalid(error.detail) from None
    filled = set().union(*(row.cells for row in rows))
    if described := [name for name in PERSONS if name in filled]:
        # Where a person's data may go, the command asks each region; a batch goes to one.
        raise BatchFileInvalid(
            f"It describes persons ({', '.join(described)}), and a batch takes payer_id and recipient_id alone. Register them by "
            "POST /v1/payers and POST /v1/recipients; `kovra batch submit` does both for such a file."
        )
    return [(row.line, _read(row, currency, payer_id)) for row in rows]


def csv_pointer(pointer: str) -> str:
    """A pointer into a line in the form of JSON, as one to the column that it came from."""
    if pointer.startswith("/metadata/"):
        return f"/{METADATA}{pointer.removeprefix('/metadata/').removesuffix('/[key]')}"
    return f"/{_COLUMN_OF[pointer]}" if pointer in _COLUMN_OF else pointer


def _read(row: Row, currency: str, payer_id: str | None) -> ReadLine:
    own = _faults(row, currency, payer_id)
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
    return _ORDER.index(name) if name in _ORDER else len(_ORDER) if name else -1


def _fault(code: str, faults: Sequence[Mapping[str, str]]) -> Fault:
    said = " ".join(
        f"{one['pointer'].removeprefix('/')}: {one['detail']}" if one["pointer"] else one["detail"] for one in faults
    )
    return Fault(code, said, faults[0]["pointer"] or None, faults)


def _faults(row: Row, currency: str, payer_id: str | None) -> list[dict[str, str]]:
    found = [] if row.fault is None else [{"detail": row.fault, "pointer": ""}]
    if row.cells.get("source_currency", currency) != currency:
        found.append({"detail": f"The wallet of the batch holds {currency}.", "pointer": "/source_currency"})
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
    target = given.get("target_currency")
    if "source_amount" in given:
        line["source"] = {"value": given["source_amount"], "currency": currency}
    if "target_amount" in given:
        line["target"] = {"value": given["target_amount"], "currency": target}
    elif target is not None:
        line["target_currency"] = target
    metadata = metadata_of(given)
    return line | ({"metadata": metadata} if metadata else {})
