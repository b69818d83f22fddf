"""Statuses that a partner is shown: each is of a documented enumeration, and each that is documented is one that the product can come to."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from cells.batches import batch as batches
from cells.payments.intent_view import VIEW
from cells.payments.machine import INITIAL, TABLE, Leg, State, public
from cells.webhooks.catalogue import CATALOGUE
from residency.wire import TransferStatus
from router.api.app import create_app
from router.api.v1.batch_shown import _OF_LINES, BatchStatus, LineStatus
from tests.architecture.tree import keep, sources
from tests.support.border import make_world
from tests.support.whole_document import whole_document

_NAMES = ("status", "state")
Found = tuple[str, Mapping[str, Any]]


def shown(document: Mapping[str, Any]) -> Iterator[Found]:
    """Every field and parameter of that name: (where, its schema)."""
    for name, schema in document["components"]["schemas"].items():
        for field, of in schema.get("properties", {}).items():
            if field in _NAMES:
                yield f"{name}.{field}", of
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] in _NAMES:
                    yield f"{method.upper()} {path} ?{parameter['name']}", parameter["schema"]


def values(document: Mapping[str, Any], schema: Mapping[str, Any]) -> set[str] | None:
    """The words that a schema allows; None where it is a number, such as an HTTP status. Raises KeyError where any word goes."""
    if "$ref" in schema:
        return values(document, document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    if schema.get("type") == "array":
        return values(document, schema["items"])
    if "anyOf" in schema:
        found = [values(document, one) for one in schema["anyOf"] if one.get("type") != "null"]
        return None if None in found else set().union(*(one for one in found if one))
    if schema.get("type") == "integer":
        return None
    return {schema["const"]} if "const" in schema else set(schema["enum"])


def free(document: Mapping[str, Any]) -> Iterator[str]:
    for where, schema in shown(document):
        try:
            values(document, schema)
        except KeyError:
            yield where


@cache
def met() -> frozenset[State]:
    """The states that a leg of a partner can come to, by the table of the lifecycle, as they are shown."""
    found = {(leg, INITIAL[leg]) for leg in (Leg.ORIGIN, Leg.IN_REGION)}
    grown = True
    while grown:
        reached = {(leg, advance.state) for (leg, state, _), advance in TABLE.items() if (leg, state) in found}
        grown = not reached <= found
        found |= reached
    return frozenset(public(state) for _, state in found)


def test_every_status_is_of_a_documented_enumeration() -> None:
    document = whole_document(create_app(make_world().spec("eu-1")))
    assert len(list(shown(document))) > 15
    keep(
        "A status is one of a documented enumeration.",
        why="A partner's program branches on it; a free text can grow a word that no program knows.",
        mend="Give the field a StrEnum or a Literal of the words that are shown.",
        breaches=free(document),
    )
    assert list(
        free({"components": {"schemas": {"X": {"properties": {"state": {"type": "string"}}}}}, "paths": {}})
    ) == ["X.state"]


def test_documented_states_of_a_transfer_are_those_that_a_partner_can_meet() -> None:
    assert {str(one) for one in TransferStatus} == {str(one) for one in met()}
    assert set(VIEW) == met()
    lines = {str(one) for one in LineStatus}
    assert lines == {str(one) for one in _OF_LINES.values()} | {str(one) for one in met()}


def test_documented_states_of_a_batch_are_those_that_are_shown() -> None:
    unseen = set(batches._PUBLIC)
    assert {str(one) for one in BatchStatus} == {str(one) for one in batches.State if one not in unseen}


def test_events_show_documented_states_alone() -> None:
    for name, kind in CATALOGUE.items():
        state = kind.example.get("status")
        room = name.split(".")[0]
        known = {"transfer": {str(one) for one in TransferStatus}, "batch": {str(one) for one in BatchStatus}}.get(
            room, {None}
        )
        assert state in known, name
        assert set(kind.example.get("lines") or ()) <= {str(one) for one in LineStatus}, name


def unwritten(document: Mapping[str, Any]) -> Iterator[str]:
    """Documented words that no source of the product writes but where it declares them."""
    lines = [
        line for one in sources("cells", "router", "actors") for line in one.text.splitlines() if "Literal[" not in line
    ]
    text = "\n".join(lines)
    for where, schema in shown(document):
        for word in values(document, schema) or ():
            if f'"{word}"' not in text and f"'{word}'" not in text:
                yield f"{where}: {word}"


def test_every_documented_status_is_written_somewhere() -> None:
    keep(
        "A documented status can be reached.",
        why="A partner writes code for each; one that never comes is code that is never tried.",
        mend="Take the word out of the enumeration, or build what leads to it.",
        breaches=unwritten(whole_document(create_app(make_world().spec("eu-1")))),
    )
    made_up = {
        "components": {"schemas": {"X": {"properties": {"state": {"enum": ["never" + "-reached"]}}}}},
        "paths": {},
    }
    assert list(unwritten(made_up)) == ["X.state: never-reached"]
