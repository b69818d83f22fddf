"""What a cell tells its partners, held against the catalogue that they read: every event of its journal, after every test that had a cell."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime

from pydantic import ValidationError

from cells.backends.postgres import open_pool, transaction
from cells.events.render import rendered
from cells.journal.store_public import BEGINNING, read_all
from cells.kit.money import CURRENCIES
from cells.webhooks.catalogue import CATALOGUE
from residency.ids import parse
from residency.wire import Money, Resource

_PAGE = 1000
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T.*Z$")
_EVERYBODY = "select tenant_id from tenants where compliance_region = $1"


async def strange_events(dsn: str, region: str) -> list[str]:
    """What the events of a cell say otherwise than the catalogue. `dsn`: the writer's."""
    pool = await open_pool(dsn, size_max=1, name="strange-events")
    found: set[str] = set()
    try:
        async with transaction(pool) as connection:
            after, more = BEGINNING, True
            while more:
                onward = await read_all(connection, region, after, _PAGE, _EVERYBODY)
                found |= {
                    fault
                    for one in await rendered(connection, region, onward.entries)
                    for fault in faults(one.event_type, one.body)
                }
                after, more = onward.end, len(onward.entries) == _PAGE
    finally:
        await pool.close()
    return sorted(found)


def faults(event_type: str, body: str) -> Iterator[str]:
    """Where one event differs from its catalogue entry: not of its model, or of another status."""
    said = json.loads(body)
    if set(said) != {"id", "type", "timestamp", "data"} or said["type"] != event_type:
        yield f"{event_type}: the envelope is {sorted(said)}"
        return
    kind, data = CATALOGUE[event_type], said["data"]
    for name in sorted(set(kind.model.model_fields) ^ set(data)):
        yield f"{event_type}: {name} is {'told' if name in data else 'not told'}, against the catalogue"
    try:
        resource = kind.model.model_validate(data, strict=False)
    except ValidationError as error:
        yield from (
            f"{event_type}: {'.'.join(map(str, one['loc']))} is {one['input']!r}: {one['msg']}"
            for one in error.errors()
        )
        return
    if data.get("status") != kind.example.get("status"):
        yield f"{event_type}: status is {data.get('status')}; the catalogue says {kind.example.get('status')}"
    if written := sorted(name for name, value in resource.model_dump(mode="json").items() if _other(value, data[name])):
        yield f"{event_type}: {', '.join(written)} is written otherwise than the model writes it"
    yield from (f"{event_type}: {one}" for one in _ids_and_money(resource, kind.example))


def _other(value: object, said: object) -> bool:
    """Whether a value is not what was said; the digits of a time aside."""
    if isinstance(value, str) and isinstance(said, str) and _TIME.match(value) and _TIME.match(said):
        return datetime.fromisoformat(value) != datetime.fromisoformat(said)
    return value != said


def _ids_and_money(resource: Resource, shown: Mapping[str, object]) -> Iterator[str]:
    for name in type(resource).model_fields:
        value, example = getattr(resource, name), shown[name]
        if isinstance(value, Money) and value.currency not in CURRENCIES:
            yield f"{name} is in {value.currency}"
        named = name == "id" or name.endswith("_id")
        if named and isinstance(value, str) and isinstance(example, str) and _kind(value) != _kind(example):
            yield f"{name} is {value}; the catalogue shows {example}"


def _kind(resource_id: str) -> str:
    return parse(resource_id.partition(".")[0]).kind
