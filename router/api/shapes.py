"""What the resources' shapes share: strict bodies, money, text that a database and a rail can hold, pages."""

import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from cells.kit.money import InvalidAmount, currency_of, parse_amount
from cells.kit.payment_date import payment_date
from cells.rails.iso20022.text import unwritable_letters
from residency import i_json
from residency.classes import Confidential, Public
from residency.errors import KovraError
from residency.ids import MalformedId, parse
from residency.instants import Instant as UtcInstant
from router.api.errors import BodyNotJson
from router.api.problems import invalid

_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?")
PAGE_MAX = 100


class Shape(BaseModel):
    """A request body: what it does not know it refuses."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _printable(text: str) -> str:
    text = unicodedata.normalize("NFC", text)
    if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in text):
        raise ValueError("it holds control characters")
    return text


# The document says the rule by the code points of the category Cc; a lone surrogate (Cs) is no text that JSON can carry.
Text = Annotated[
    str, AfterValidator(_printable), Field(json_schema_extra={"pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$"})
]


def _spellable(text: str) -> str:
    if unwritable_letters(text):
        raise ValueError("it has letters that no payment scheme here carries; write them in Latin letters")
    return text


# The text for the payee (ISO 20022 unstructured remittance, Max140Text).
RemittanceText = Annotated[Text, StringConstraints(min_length=1, max_length=140), AfterValidator(_spellable)]
CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
# Ids are checked where they are looked up; here only that they are words of at most the length of a recipient's token.
RECIPIENT_EXAMPLE = f"rcp_id1_06l2r0k8q5o7t3v1a9c4e6g8io.IDR.{'k3Wq9ZrT' * 10}u5XwBg"
IdText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,160}$")]

# The partner's own words, of a quote and of its transfer.
# Beside a field of such keys: Field(json_schema_extra=NO_OTHER_KEYS), which pydantic leaves out of the document.
NO_OTHER_KEYS: dict[str, Any] = {"additionalProperties": False}
MetadataKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,40}$")]
MetadataValue = Annotated[Text, StringConstraints(max_length=500)]


_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def _instant(value: Any) -> Any:
    """Only what is written as a time is one: a bare number would be taken for seconds since 1970."""
    if isinstance(value, datetime) or (isinstance(value, str) and _RFC_3339.fullmatch(value)):
        return value
    raise ValueError("write the time by RFC 3339, with its zone: 2026-11-21T10:00:00Z")


Instant = Annotated[UtcInstant, BeforeValidator(_instant)]
# By when a payment shall be made, or not before when.
PaymentDate = Annotated[Instant, AfterValidator(payment_date)]


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("write it as a number")  # noqa: TRY004 - pydantic takes this kind alone for a fault of the field
    return value


# Of a body: pydantic alone would take true for 1, "5" for 5 and "no" for false.
WholeNumber = Annotated[int, BeforeValidator(_number)]
Flag = Annotated[bool, Field(strict=True)]


class MoneyNew(Shape):
    """An amount in major units of `currency`, as a decimal string: never a number."""

    value: Annotated[str, Confidential] = Field(
        max_length=32, examples=["1250.00"], json_schema_extra={"pattern": r"^[0-9]{1,14}(\.[0-9]{1,2})?$"}
    )
    currency: Annotated[CurrencyCode, Public] = Field(examples=["EUR"])


def minor_of(amount: MoneyNew, pointer: str) -> int:
    """Minor units. Raises UnknownCurrency, InvalidAmount, each pointing below `pointer`."""
    currency_of(amount.currency, f"{pointer}/currency")
    if _PLAIN.fullmatch(amount.value) is None:
        raise InvalidAmount(
            'Write the amount as a plain decimal string, such as "1250.00".', pointer=f"{pointer}/value"
        )
    return parse_amount(amount.value, amount.currency, f"{pointer}/value")


def stamp(at: datetime) -> str:
    """An instant as the API writes it."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


Model = TypeVar("Model", bound=BaseModel)


def read(model: type[Model], body: bytes) -> Model:
    """A body, parsed and checked. Raises BodyNotJson, InvalidRequest."""
    try:
        return model.model_validate(i_json.loads(body))
    except i_json.NotIJson as error:
        raise BodyNotJson(str(error)) from None
    except ValidationError as error:
        raise invalid(error, model) from None


def checked_id(text: str, kind: str, missing: KovraError) -> str:
    """An id of that kind, or `missing` is raised: what is no id of the kind is nobody's."""
    try:
        return parse(text, kind).text
    except MalformedId:
        raise missing from None


Limit = Annotated[int, Field(ge=1, le=PAGE_MAX)]
# The id at which the page before ended. Any other word has a place in the order too, and would skip or repeat part of the list.
Cursor = Annotated[
    str | None,
    Field(pattern=r"^[a-z]{2,3}_[a-z]{2}[0-9]{1,4}_[0-9a-v]{26}$", description="The `next_cursor` of the page before"),
]


def page(rows: list[dict[str, Any]], limit: int, cursor: str | None) -> dict[str, Any]:
    """A page of a list. `cursor` leads to the next one; None when this is the last."""
    return {"data": rows, "next_cursor": cursor if len(rows) == limit else None}
