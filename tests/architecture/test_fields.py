"""Every field of a model says how private it is, and no person shows in a repr."""

import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest
from pydantic import BaseModel

import actors
import cells
import residency
import router.api
import router.client
import router.edge
from residency.classes import Class, Personal, Public, classify
from residency.crossing import BorderMessage
from residency.travel_rule import SealedParties, SealedPayee, SealedPayer
from tests.architecture.tree import keep

_PACKAGES = (residency, cells, actors, router.api, router.client, router.edge)
# Models of the house's own data: declarations, settings and laws, read from files that hold nothing of a tenant or a person.
_HOUSE_DATA = {
    "residency.directory": "what cells declare",
    "residency.rules": "the law, as data",
    "residency.travel_rule.Demand": "what the law asks of one payment: names of fields",
    "cells.spec": "a cell's private settings, which are never shown",
    "router.edge.settings": "the router's private settings, which are never shown",
    "cells.compliance.lists._Declared": "which lists there are",
    "cells.compliance.lists._Manifest": "which lists there are",
    "cells.compliance.rules": "thresholds",
    "cells.rails.account_forms": "the forms of account numbers",
    "cells.rails.profile": "what schemes demand",
    "cells.tenants.account_numbers": "the forms of account numbers",
}
_PERSONAL_WORDS = {
    "remittance", "street", "postcode", "town", "date_of_birth", "birth_date", "birth_place", "document_number", "iban", "payer_name",
    "debtor_name", "creditor_name", "recipient_name", "parties", "plaintext", "customer_number",
}  # fmt: skip


def modules() -> Iterator[ModuleType]:
    for package in _PACKAGES:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                yield importlib.import_module(found.name)


def models() -> list[type[BaseModel]]:
    def below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
        for one in model.__subclasses__():
            yield one
            yield from below(one)

    names = tuple(f"{module.__name__}" for module in modules())
    return sorted(
        {one for one in below(BaseModel) if one.__module__ in names}, key=lambda one: (one.__module__, one.__qualname__)
    )


def unmarked(model: type[BaseModel]) -> Iterator[str]:
    where = f"{model.__module__}.{model.__qualname__}"
    if model.__module__ not in _HOUSE_DATA and where not in _HOUSE_DATA:
        yield from (f"{where}.{name}" for name, marked in classify(model).items() if marked is None)


def shown_persons(kind: type[Any]) -> Iterator[str]:
    """Fields of a dataclass about a person that its repr shows. What is named Sealed is ciphertext."""
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        personal = get_origin(hint) is Annotated and Class.PERSONAL in get_args(hint)
        sealed = "Sealed" in str(hint) and "SealedPar" not in str(hint)
        if field.repr and not sealed and (personal or field.name in _PERSONAL_WORDS):
            yield f"{kind.__module__}.{kind.__qualname__}.{field.name}"


def test_every_field_is_classified() -> None:
    assert len(models()) > 50
    keep(
        "Every field of every model is Public, Confidential or Personal.",
        why="the log, the export gate and the erasure of a subject go by the class; an unmarked field is one that nobody decided about.",
        mend="write Annotated[<type>, Public | Confidential | Personal] from residency.classes; data of the house itself is listed in "
        "_HOUSE_DATA of this file, with what it is.",
        breaches=[breach for model in models() for breach in unmarked(model)],
    )


def test_no_person_shows_in_a_repr() -> None:
    kinds = {
        value
        for module in modules()
        for value in vars(module).values()
        if isinstance(value, type) and dataclasses.is_dataclass(value) and value.__module__ == module.__name__
    }
    assert len(kinds) > 50
    keep(
        "A field about a person is left out of its dataclass's repr.",
        why="a repr reaches logs, error texts and debuggers by itself; nobody types it, so nobody notices.",
        mend="field(repr=False), or hold it sealed.",
        breaches=[breach for kind in kinds for breach in shown_persons(kind)],
    )


def test_all_that_travels_sealed_is_personal_and_all_that_travels_clear_is_not() -> None:
    for model in (SealedParties, SealedPayer, SealedPayee):
        assert set(classify(model).values()) == {Personal}, model
    clear = [one for one in models() if issubclass(one, BorderMessage)]
    assert len(clear) >= 5
    for model in clear:
        assert Personal not in classify(model).values(), model


class _Marked(BaseModel):
    name: Annotated[str, Public]
    forgotten: str


@dataclasses.dataclass
class _Chatty:
    remittance: str
    told: Annotated[str, Personal]
    quiet: Annotated[str, Personal] = dataclasses.field(repr=False)


@pytest.mark.parametrize(("rule", "kind", "count"), [(unmarked, _Marked, 1), (shown_persons, _Chatty, 2)])
def test_a_careless_field_is_seen(rule: Any, kind: type, count: int) -> None:
    assert len(list(rule(kind))) == count
