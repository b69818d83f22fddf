"""What a recipient or a payer is asked for, as a form that a machine can draw. Pure.

Everything is derived from what validates: the models of models.py (patterns, lengths, labels, examples), the table of accounts that
cells/rails/accounts.py reads numbers by, and the demand of the two laws (residency/rules). Nothing is said here a second time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from cells.parties.models import PartyKind, PayerNew, RecipientNew
from cells.rails.accounts import form_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"
KINDS: tuple[PartyKind, PartyKind] = ("person", "business")
# What the models refuse of the other kind.
_NOT_OF = {"person": {"lei"}, "business": {"date_of_birth", "place_of_birth", "country_of_birth"}}

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Form:
    """The form for one kind of party. `any_of`: sets of top-level fields, one of which must be whole; `examples`: one for each."""

    kind: PartyKind
    json_schema: Schema
    any_of: list[list[str]]
    examples: list[Schema]


def recipient_form(kind: PartyKind, currency: str) -> Form:
    """For an account in `currency`. Raises NoRailForCurrency."""
    schema = _schema_of(RecipientNew, kind)
    fields, example = form_of(currency, "/currency")
    account: Schema = schema["properties"]["account"]
    account |= {
        "properties": {
            one.name: {"type": "string", "title": one.label, "description": f"{one.holds}; spaces and dashes do not count",
                       "pattern": f"^{one.pattern}$"} | ({"examples": [example[one.name]]} if one.name in example else {})
            for one in fields
        },
        "required": [one.name for one in fields if one.required],
    }  # fmt: skip
    schema["properties"]["currency"] = {"const": currency, "title": schema["properties"]["currency"]["title"]}
    return _form(kind, schema, [frozenset(schema["required"])])


def payer_form(kind: PartyKind, ways: Sequence[frozenset[str]]) -> Form:
    """For a payment that is content with any of `ways`: sets of fields, as cells.parties.travel.ways_to_meet gives them."""
    schema = _schema_of(PayerNew, kind)
    return _form(kind, schema, [one | {"kind"} for one in ways if one <= schema["properties"].keys()])


def fields_of(schema: Schema, pointer: str = "") -> Iterator[tuple[str, Schema, bool]]:
    """Every field that is no group of fields: its JSON pointer, its schema, and whether its group demands it."""
    for name, one in schema["properties"].items():
        if "properties" in one:
            yield from fields_of(one, f"{pointer}/{name}")
        else:
            yield f"{pointer}/{name}", one, name in schema.get("required", ())


def _form(kind: PartyKind, schema: Schema, ways: Sequence[frozenset[str]]) -> Form:
    assert ways, f"no {kind} could meet the demand"
    order = list(schema["properties"])
    schema["required"] = sorted(frozenset.intersection(*ways), key=order.index)
    any_of = [sorted(one - set(schema["required"]), key=order.index) for one in ways] if len(ways) > 1 else []
    if any_of:
        schema["anyOf"] = [{"required": one} for one in any_of]
    examples = [_example(schema, [name for name in order if name in one], KINDS.index(kind)) for one in ways]
    return Form(kind, schema, any_of, examples)


def _schema_of(model: type[BaseModel], kind: PartyKind) -> Schema:
    """The model's own schema, whole in one piece, for one kind of party."""
    schema = model.model_json_schema()
    found = _inlined(schema, schema.get("$defs", {}))
    for name in _NOT_OF[kind] & found["properties"].keys():
        del found["properties"][name]
    found["properties"]["kind"] = {"const": kind, "title": found["properties"]["kind"]["title"]}
    found["required"] = ["kind", *found.get("required", ())]
    return {
        "$schema": DIALECT,
        **{name: one for name, one in found.items() if name not in ("$defs", "description", "title")},
    }


def _inlined(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """With every reference replaced by what it names. A field that may be left out need not be sent as null either."""
    found = dict(schema)
    [given] = [one for one in found.pop("anyOf", ()) if one.get("type") != "null"] or [{}]
    found = {**given, **found}
    if (reference := found.pop("$ref", None)) is not None:
        found = {**definitions[reference.rpartition("/")[2]], **found}
    found.pop("default", None)
    if "properties" in found:
        found["properties"] = {name: _inlined(one, definitions) for name, one in found["properties"].items()}
    return found


def _example(schema: Schema, names: Sequence[str], place: int) -> Schema:
    """An object with these fields, each as its own schema shows it: the example at `place`, or the last."""
    return {name: _shown(schema["properties"][name], place) for name in names}


def _shown(schema: Schema, place: int) -> Any:
    if "const" in schema:
        return schema["const"]
    if "properties" in schema:
        return _example(schema, [name for name, one in schema["properties"].items() if "examples" in one], place)
    return schema["examples"][min(place, len(schema["examples"]) - 1)]
