"""One form of an amount in the API's document, its examples, its problems and the events."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from cells.webhooks.catalogue import CATALOGUE
from residency.wire import Money
from router.api.app import create_app
from router.api.registry import registry
from tests.architecture.tree import keep
from tests.support.border import make_world
from tests.support.money_forms import misfits, misfits_of_text, named_money
from tests.support.whole_document import whole_document

# The language of fee rules counts whole minor units, and says so; a rule is text of that language.
_EXPRESSIONS = frozenset({"FeeRuleShown.amount"})


def fields(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for name, schema in document["components"]["schemas"].items():
        for field, of in schema.get("properties", {}).items():
            yield f"{name}.{field}", field, of


def written_otherwise(document: Mapping[str, Any]) -> Iterator[str]:
    for where, field, of in fields(document):
        forms = [of, *of.get("anyOf", ()), of.get("items", {})]
        if field.endswith("_minor") or (
            named_money(field)
            and where not in _EXPRESSIONS
            and any(one.get("type") in ("string", "integer", "number") for one in forms)
        ):
            yield where


def examples(document: Any) -> Iterator[Any]:
    if isinstance(document, Mapping):
        for key, one in document.items():
            if key in ("example", "examples"):
                yield one
            else:
                yield from examples(one)
    elif isinstance(document, (list, tuple)):
        for one in document:
            yield from examples(one)


def test_the_document_has_one_form_of_an_amount() -> None:
    document = whole_document(create_app(make_world().spec("eu-1")))
    keep(
        "An amount is an object of value and currency.",
        why="A partner reads all amounts by one rule; an integer or a bare text would be another amount to whoever misreads it.",
        mend="Make the field a Money, and write it by cells.kit.money.money.",
        breaches=written_otherwise(document),
    )
    # What is an example of a value alone.
    for whole in ("Money", "MoneyNew"):
        del document["components"]["schemas"][whole]
    assert [fault for one in examples(document) for fault in misfits(one)] == []
    wrong = {
        "components": {
            "schemas": {
                "X": {"properties": {"amount": {"type": "integer"}, "held_minor": {}, "rate": {"type": "string"}}}
            }
        }
    }
    assert list(written_otherwise(wrong)) == ["X.amount", "X.held_minor"]


def test_problems_and_events_have_it_too() -> None:
    for kind in registry().values():
        assert [*misfits(kind.example), *misfits_of_text(f"{kind.meaning} {kind.remedy}")] == [], kind.code
    for name, event in CATALOGUE.items():
        assert list(misfits(event.example)) == [], name


def test_the_client_s_money_reads_so() -> None:
    assert str(Money(value="75000000.00", currency="IDR")) == "75000000.00 IDR"


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 4000}, {"amount_minor": 4000}, {"fee": "3.00"}, {"why": "EUR 40.00 is left"}, {"why": "4000 minor units"},
        {"why": "1,250.00 EUR"}, {"amount": {"value": 40, "currency": "EUR"}}, {"why": "40 EUR"}, [{"lines": [{"balance": 1.5}]}],
    ],
)  # fmt: skip
def test_another_form_is_found(wrong: Any) -> None:
    assert list(misfits(wrong))


def test_the_form_itself_is_not() -> None:
    good = {
        "amount": {"value": "-40.00", "currency": "EUR"},
        "why": "40.00 EUR is missing of 90911.12 EUR.",
        "count": 3,
        "rate": "20275.17",
    }
    assert list(misfits(good)) == []
