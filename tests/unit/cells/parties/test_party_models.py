"""What is asked of a recipient or a payer: every field classed, bad input refused without repeating it."""

from datetime import UTC, datetime

import pytest
from pydantic import BaseModel, ValidationError

from cells.parties import models
from cells.parties.models import BankAccount, PayerNew, Recipient, RecipientDetails, RecipientNew
from cells.parties.retention import kept_until
from residency.classes import Personal, classify, nested_models

ALL_MODELS = [
    one
    for one in vars(models).values()
    if isinstance(one, type) and issubclass(one, BaseModel) and one is not BaseModel
]


def a_payer(**fields: object) -> PayerNew:
    return PayerNew.model_validate({"name": "Annika Lindqvist", **fields})


@pytest.mark.parametrize("model", ALL_MODELS, ids=lambda model: model.__name__)
def test_every_field_is_classed(model: type[BaseModel]) -> None:
    assert None not in classify(model).values(), classify(model)
    for nested in nested_models(model):
        assert None not in classify(nested).values()


def test_what_is_personal_is_marked_so() -> None:
    assert {name for name, mark in classify(Recipient).items() if mark is Personal} == {"details"}
    assert {name for name, mark in classify(RecipientDetails).items() if mark is not Personal} == {"kind"}


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "   "},
        {"name": "12345"},
        {"name": "A" * 141},
        {"name": "Anna\x00Lind"},
        {"name": "Anna\u202eLind"},
        {"date_of_birth": "1899-12-31"},
        {"date_of_birth": "2999-01-01"},
        {"date_of_birth": "1990-02-30"},
        {"address": {"town": "Wien", "country": "Austria"}},
        {"document": {"type": "library_card", "number": "1", "country": "AT"}},
        {"lei": "5493001KJTIIGC8Y1R12"},
        {"kind": "business", "lei": "5493001KJTIIGC8Y1R13"},
        {"kind": "business", "date_of_birth": "1990-01-01"},
        {"nickname": "Anni"},
    ],
    ids=str,
)
def test_bad_input_is_refused_and_not_repeated(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        a_payer(**fields)
    assert "input_value" not in str(refused.value)


def test_names_are_tidied_and_kept_in_their_own_script() -> None:
    assert a_payer(name="  Орлан   Тест ").name == "Орлан Тест"
    assert a_payer(name="Zoe\u0308 Müller").name == "Zoë Müller"


def test_a_business_may_give_its_lei() -> None:
    assert a_payer(kind="business", lei="5493001KJTIIGC8Y1R12").lei == "5493001KJTIIGC8Y1R12"


def test_a_recipient_needs_an_account() -> None:
    with pytest.raises(ValidationError):
        RecipientNew.model_validate({"currency": "IDR", "name": "Budi"})
    assert (
        RecipientNew(currency="IDR", name="Budi", account=BankAccount(bank_code="014", account_number="1")).kind
        == "person"
    )


def test_the_law_keeps_a_payers_record_for_five_years() -> None:
    paid_at = datetime(2026, 11, 20, tzinfo=UTC)
    assert kept_until("EU", {"pyr_1": paid_at}) == {"pyr_1": datetime(2031, 11, 20, tzinfo=UTC)}
