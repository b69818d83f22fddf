"""No word of pydantic's reaches a partner, whatever the fault; and an unknown field names the one that was meant."""

import re
from typing import Annotated, Any, get_args

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from pydantic_core.core_schema import ErrorType

from router.api.errors import InvalidRequest
from router.api.field_words import words_of
from router.api.problems import invalid
from router.api.shapes import Instant, MoneyNew, PaymentDate, Shape, WholeNumber
from router.api.v1.recipients import RecipientNew
from router.api.v1.transfers import TransferNew

_PYDANTICS = re.compile(r"input|permitted|Field required|should|\bvalid (string|integer|dict)|Value error|\{")


@pytest.mark.parametrize("kind", get_args(ErrorType))
def test_every_kind_of_fault_has_plain_words(kind: str) -> None:
    said = words_of(kind, "Value error, write it otherwise" if kind.endswith("_error") else "Input should be x", None)
    assert said
    assert not _PYDANTICS.search(said)


class _Inner(Shape):
    street: str
    post_code: str | None = None


class _All(Shape):
    name: Annotated[str, Field(min_length=2, max_length=3, pattern="^[a-z]+$")] = "aa"
    count: WholeNumber = 1
    small: Annotated[int, Field(ge=1, le=3)] = 1
    flag: Annotated[bool, Field(strict=True)] = True
    at: Instant | None = None
    by: PaymentDate | None = None
    address: _Inner | None = None
    lines: Annotated[list[_Inner], Field(max_length=1, min_length=1)] | None = None
    side: Annotated[str, Field(alias="from")] = ""
    amount: MoneyNew | None = None
    words: dict[str, str] = Field(default_factory=dict)


def found(body: Any, model: type[BaseModel] = _All) -> list[dict[str, str]]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    failure = invalid(caught.value, model)
    assert isinstance(failure, InvalidRequest)
    faults: list[dict[str, str]] = failure.extra["errors"]
    assert not [one for one in faults if _PYDANTICS.search(one["detail"])], faults
    return faults


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({"nam": "aa"}, "/nam", "there is no such field; remove it, or write `name` if that is meant"),
        ({"zzzzzz": 1}, "/zzzzzz", "there is no such field; remove it"),
        ({"form": "a"}, "/form", "there is no such field; remove it, or write `from` if that is meant"),
        ({"address": {"street": "x", "postcode": "1"}}, "/address/postcode", "there is no such field; remove it, or write `post_code` if that is meant"),
        ({"lines": [{"street": "x", "stret": "1"}]}, "/lines/0/stret", "there is no such field; remove it, or write `street` if that is meant"),
        ({"amount": {"value": "1", "curency": "EUR", "currency": "EUR"}}, "/amount/curency", "there is no such field; remove it, or write `currency` if that is meant"),
        ({"address": {}}, "/address/street", "it is missing; add it"),
        ({"name": 5}, "/name", "write it as a text"),
        ({"name": "a"}, "/name", "it has fewer than 2 characters"),
        ({"name": "aaaa"}, "/name", "it has more than 3 characters"),
        ({"name": "AA"}, "/name", "it does not match the pattern ^[a-z]+$"),
        ({"count": True}, "/count", "write it as a number"),
        ({"count": 1.5}, "/count", "write it as a whole number"),
        ({"small": 4}, "/small", "it must be 3 or less"),
        ({"small": 0}, "/small", "it must be 1 or more"),
        ({"flag": "yes"}, "/flag", "write true or false"),
        ({"at": 5}, "/at", "write the time by RFC 3339, with its zone: 2026-11-21T10:00:00Z"),
        ({"at": "2026-13-99T10:00:00Z"}, "/at", "write the time by RFC 3339, with its zone: 2026-11-21T10:00:00Z"),
        ({"address": "x"}, "/address", "write it as an object"),
        ({"lines": {}}, "/lines", "write it as a list"),
        ({"lines": []}, "/lines", "it has fewer than 1 entries"),
        ({"words": {"a": 1}}, "/words/a", "write it as a text"),
        ([], "", "write it as an object"),
    ],
)  # fmt: skip
def test_each_fault_says_what_to_write(body: Any, pointer: str, words: str) -> None:
    assert {"detail": words, "pointer": pointer} in found(body)


@pytest.mark.parametrize(
    "body", [{}, {"x": 1}, [], 5, None, {"kind": "robot"}, {"account": 5}, {"account": {"ibann": "x"}}]
)
@pytest.mark.parametrize("model", [RecipientNew, TransferNew])
def test_what_partners_send_is_answered_in_plain_words(body: Any, model: type[BaseModel]) -> None:
    assert found(body, model)


def test_a_value_error_keeps_its_own_words() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(WholeNumber).validate_python(True)
    [fault] = caught.value.errors()
    assert words_of(fault["type"], fault["msg"]) == "write it as a number"
