"""What a cell has told its partners, held against the catalogue that they read: every row of `events`, after every test that had a cell."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import asyncpg

from cells.kit.money import CURRENCIES
from cells.webhooks.catalogue import CATALOGUE
from residency.ids import parse

# What is null while there is nothing to say; everything else is always there.
_NULLABLE = {"reason_code", "reason", "scheme_reference", "quote_id", "payer_id"}
# Said where there is something to say, and else left out.
_OPTIONAL = {"transfer": {"batch_id"}}
_VALUE = re.compile(r"-?\d+(\.\d+)?")


async def strange_events(dsn: str) -> list[str]:
    """What the events of a cell's database say otherwise than the catalogue."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("select event_type, body from events")
    finally:
        await connection.close()
    return sorted({fault for row in rows for fault in faults(row["event_type"], row["body"])})


def faults(event_type: str, body: str) -> Iterator[str]:
    """Where one event differs in its form from its catalogue entry."""
    said = json.loads(body)
    if set(said) != {"id", "type", "timestamp", "data"} or said["type"] != event_type:
        yield f"{event_type}: the envelope is {sorted(said)}"
        return
    example, data = CATALOGUE[event_type].example, said["data"]
    noun = event_type.partition(".")[0]
    optional = _OPTIONAL.get(noun, set()) - set(example)
    for name in sorted(set(example) ^ set(data) - optional):
        yield f"{event_type}: {name} is {'told' if name in data else 'not told'}, against the catalogue"
    for name in sorted(set(example) & set(data)):
        yield from (f"{event_type}: {one}" for one in _differs(name, example[name], data[name]))


def _differs(name: str, shown: Any, told: Any) -> Iterable[str]:
    if told is None or shown is None:
        allowed = name in _NULLABLE and isinstance(told, str | None)
        return [] if allowed else [f"{name} is {told!r}; the catalogue shows {shown!r}"]
    if name == "state" and told != shown:
        return [f"state is {told}; the catalogue says {shown}"]
    if name == "lines":
        return [] if all(isinstance(one, int) for one in told.values()) else [f"lines is {told!r}"]
    if isinstance(shown, Mapping) and {"value", "currency"} == set(shown):
        good = isinstance(told, dict) and set(told) == set(shown)
        good = good and told["currency"] in CURRENCIES and bool(_VALUE.fullmatch(told["value"]))
        return [] if good else [f"{name} is no amount: {told!r}"]
    if isinstance(shown, Mapping):
        if name != "metadata" and set(shown) != set(told):
            return [f"{name} has {sorted(told)}; the catalogue shows {sorted(shown)}"]
        return [fault for key in set(shown) & set(told) for fault in _differs(key, shown[key], told[key])]
    if name.endswith("_id") and parse(told.partition(".")[0]).kind != parse(shown.partition(".")[0]).kind:
        return [f"{name} is {told}; the catalogue shows {shown}"]
    return [] if type(told) is type(shown) else [f"{name} is {told!r}; the catalogue shows {shown!r}"]
