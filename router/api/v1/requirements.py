"""Requirements: what a recipient or a payer of a corridor is asked for, as a form; drawn from what validates it."""

from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel, Field, JsonValue
from starlette.requests import Request
from starlette.responses import Response

from cells.fx.offers import rails_paying
from cells.kit.money import InvalidAmount, UnknownCurrency, currency_of
from cells.parties.forms import KINDS, Form, Schema, fields_of, payer_form, recipient_form
from cells.parties.models import PartyKind
from cells.parties.travel import ways_to_meet
from cells.rails.accounts import NoRailForCurrency
from residency.classes import Confidential, Public
from residency.directory import Directory
from residency.rules import rules_of
from residency.travel_rule import Demand, demand
from router.api.call import Json
from router.api.parts import parts_of
from router.api.routes import Resource
from router.api.shapes import CurrencyCode, MoneyNew, minor_of

# An amount that no law's reduced tier reaches.
_ANY_AMOUNT = 10**15
Value = Annotated[str, Field(max_length=32, pattern=r"^[0-9]{1,14}(\.[0-9]{1,2})?$")]


class FieldShown(BaseModel):
    """One field to ask for. `required` is within its group. With `max_items` it is sent as an array of at most so many texts, and the
    rest speaks of one of them; without, it is sent as one text."""

    pointer: Annotated[str, Public] = Field(examples=["/account/iban"])
    label: Annotated[str, Public]
    required: Annotated[bool, Public]
    pattern: Annotated[str | None, Public] = None
    format: Annotated[str | None, Public] = None
    min_length: Annotated[int | None, Public] = None
    max_length: Annotated[int | None, Public] = None
    max_items: Annotated[int | None, Public] = None
    options: Annotated[list[str] | None, Public] = None
    example: Annotated[str | None, Public] = None
    help: Annotated[str | None, Public] = None


class GroupShown(BaseModel):
    """Fields that belong together. A group that is not `required` is sent whole or not at all."""

    label: Annotated[str, Public]
    required: Annotated[bool, Public]
    fields: Annotated[list[FieldShown], Public]


class FormShown(BaseModel):
    """`json_schema` (draft 2020-12) says the same as the groups. `any_of`: beyond what is required, one of these sets must be whole.
    Each of the `examples` is taken as it stands."""

    kind: Annotated[PartyKind, Public]
    json_schema: Annotated[dict[str, JsonValue], Public]
    groups: Annotated[list[GroupShown], Public]
    any_of: Annotated[list[list[str]], Public]
    examples: Annotated[list[dict[str, JsonValue]], Public]


class BasisShown(BaseModel):
    """The law of one end of the corridor that asks for it."""

    region: Annotated[str, Public]
    source: Annotated[str, Public]


class RequirementsShown(BaseModel):
    """`region`: where to register; name it in Kovra-Region or in front of the path."""

    region: Annotated[str, Public]
    source_currency: Annotated[str | None, Public]
    target_currency: Annotated[str, Public]
    crosses_border: Annotated[bool | None, Public]
    rails: Annotated[list[str], Public] = Field(description="Those that pay out in the target currency")
    basis: Annotated[list[BasisShown], Public]
    forms: Annotated[list[FormShown], Confidential]


async def get_recipient_requirements(
    request: Request,
    target_currency: CurrencyCode,
    source_currency: CurrencyCode | None = None,
    kind: PartyKind | None = None,
) -> Response:
    """What to send to POST /v1/recipients for an account in a currency; any region answers. Payee data cross no border: they
    are stored in the region of the account."""
    directory = parts_of(request).spec.directory
    target = _region_of(directory, target_currency)
    source = _region_of(directory, source_currency) if source_currency else None
    forms = [recipient_form(one, target_currency) for one in KINDS if kind in (None, one)]
    return Json(
        {
            "region": target,
            "source_currency": source_currency,
            "target_currency": target_currency,
            "crosses_border": None if source is None else source != target,
            "rails": [rail.name for rail in rails_paying(directory, target_currency)],
            "basis": [{"region": source, "source": rules_of(source).travel_rule.payee_source}]
            if source not in (None, target)
            else [],
            "forms": [_shown(one) for one in forms],
        }
    )


async def get_payer_requirements(
    request: Request,
    source_currency: CurrencyCode,
    target_currency: CurrencyCode,
    target_value: Value | None = None,
    kind: PartyKind | None = None,
) -> Response:
    """What to send to POST /v1/payers for payments of a corridor: what the laws of both ends make travel. `target_value`: how much
    arrives, since small amounts may need less; without it, what is enough for any amount."""
    directory = parts_of(request).spec.directory
    source, target = _region_of(directory, source_currency), _region_of(directory, target_currency)
    amount = _ANY_AMOUNT
    if target_value is not None:
        amount = minor_of(MoneyNew(value=target_value, currency=target_currency), "/target_value")
    wanted = demand(source, target, target_currency, amount) if source != target else None
    ways = ways_to_meet(wanted) if wanted else [frozenset({"name"})]
    forms = [payer_form(one, ways) for one in KINDS if kind in (None, one)]
    return Json(
        {
            "region": source,
            "source_currency": source_currency,
            "target_currency": target_currency,
            "crosses_border": source != target,
            "rails": [rail.name for rail in rails_paying(directory, target_currency)],
            "basis": _basis(source, target, wanted) if wanted else [],
            "forms": [_shown(one) for one in forms],
        }
    )


def _region_of(directory: Directory, currency: str) -> str:
    """Raises UnknownCurrency, NoRailForCurrency."""
    currency_of(currency)
    region = directory.region_of_currency.get(currency)
    if region is None:
        raise NoRailForCurrency(f"No region holds {currency}.")
    return region


def _basis(source: str, target: str, wanted: Demand) -> list[dict[str, str]]:
    return [{"region": source, "source": wanted.sending.source}, {"region": target, "source": wanted.receiving.source}]


def _shown(form: Form) -> dict[str, Any]:
    properties: Schema = form.json_schema["properties"]
    required = form.json_schema["required"]
    alone = {name: one for name, one in properties.items() if "properties" not in one}
    groups = [
        {"label": form.kind.title(), "required": True, "fields": _fields({"properties": alone, "required": required})}
    ]
    groups += [
        {"label": one["title"], "required": name in required, "fields": _fields(one, f"/{name}")}
        for name, one in properties.items()
        if name not in alone
    ]
    return {
        "kind": form.kind,
        "json_schema": form.json_schema,
        "groups": groups,
        "any_of": form.any_of,
        "examples": form.examples,
    }


def _fields(schema: Schema, pointer: str = "") -> list[dict[str, Any]]:
    return [_field(at, one, required) for at, one, required in fields_of(schema, pointer)]


def _field(pointer: str, one: Schema, required: bool) -> dict[str, Any]:
    text: Schema = one.get("items", one)
    const = text.get("const")
    example = next(iter(one.get("examples", ())), None)
    return {
        "pointer": pointer,
        "label": one["title"],
        "required": required,
        "pattern": text.get("pattern"),
        "format": text.get("format"),
        "min_length": text.get("minLength"),
        "max_length": text.get("maxLength"),
        "max_items": one.get("maxItems"),
        "options": [const] if const else text.get("enum"),
        "example": const or (example[0] if isinstance(example, list) else example),
        "help": one.get("description"),
    }


def add_routes(app: FastAPI) -> None:
    errors = (UnknownCurrency, NoRailForCurrency, InvalidAmount)
    recipients, payers = Resource(app, "recipients", "Recipients"), Resource(app, "recipients", "Payers")
    recipients.add(
        "GET", "/v1/recipients/requirements", get_recipient_requirements, summary="What a recipient is asked for",
        model=RequirementsShown, errors=errors,
    )  # fmt: skip
    payers.add(
        "GET", "/v1/payers/requirements", get_payer_requirements, summary="What a payer is asked for", model=RequirementsShown,
        errors=errors,
    )  # fmt: skip
