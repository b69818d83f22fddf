"""A type that could carry personal data in the clear cannot be defined."""

from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    computed_field,
    field_serializer,
)

from residency.classes import Confidential, Personal, Public
from residency.crossing import BorderMessage, UnfitForBorder, message_type
from residency.errors import KovraError

Code = Annotated[str, StringConstraints(pattern=r"^[A-Z]{4}$"), Public]


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    code: Code


class Leaky(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, StringConstraints(pattern=r"^.+$"), Personal]


class Unmarked(BaseModel):
    model_config = ConfigDict(extra="forbid")
    count: int


class Open(BaseModel):
    code: Code


class Computing(BaseModel):
    model_config = ConfigDict(extra="forbid")
    code: Code

    @computed_field  # type: ignore[prop-decorator]  # mypy does not know pydantic's stacking
    @property
    def more(self) -> str:
        return "anything"


class Rewriting(BaseModel):
    model_config = ConfigDict(extra="forbid")
    code: Code

    @field_serializer("code")
    def other(self, value: str) -> str:
        return value * 2


class Colour(Enum):
    RED = "red"


def define(annotation: Any) -> type[BorderMessage]:
    """Define a message of an abstract kind with one field of that annotation."""
    return type("Probe", (BorderMessage,), {"__annotations__": {"field": annotation}, "__module__": __name__})


@pytest.mark.parametrize(
    "annotation",
    [
        Code,
        Code | None,
        Annotated[int, Confidential],
        Annotated[bool, Public],
        Annotated[AwareDatetime, Public],
        Annotated[Literal["a", "b"], Public],
        Annotated[Colour, Public],
        Annotated[Closed, Public],
        Annotated[list[Closed], Public],
        Annotated[tuple[Code, ...], Public],
        Annotated[dict[Code, Closed | None], Public],
        Annotated[str, Field(pattern=r"^x+$"), Public],
    ],
)
def test_a_closed_and_marked_field_may_cross(annotation: Any) -> None:
    assert "field" in define(annotation).model_fields


@pytest.mark.parametrize(
    ("annotation", "why"),
    [
        (Annotated[str, StringConstraints(pattern=r"^x$"), Personal], "is Personal"),
        (Annotated[int, Personal] | None, "is Personal"),
        (int, "is unmarked"),
        (Annotated[int, "a note"], "is unmarked"),
        (int | Code, "is unmarked"),
        (Annotated[int, Public, Confidential], "is marked twice"),
        (Annotated[Leaky, Public], "is Personal"),
        (Annotated[list[Leaky], Public], "is Personal"),
        (Annotated[Leaky | None, Public], "is Personal"),
        (Annotated[dict[Code, Leaky], Public], "is Personal"),
        (Annotated[dict[Annotated[str, Personal], Code], Public], "is Personal"),
        (Annotated[tuple[Code, list[dict[Code, Unmarked]]], Public], "is unmarked"),
        (Annotated[Unmarked, Public], "is unmarked"),
        (Annotated[Open, Public], "must forbid extra"),
        (Annotated[Computing, Public], "computed field"),
        (Annotated[Rewriting, Public], "serializer"),
        (Annotated[str, Public], "free text"),
        (Annotated[str, StringConstraints(pattern=r"x"), Public], "free text"),
        (Annotated[dict[str, Code], Public], "free text"),
        (Annotated[Any, Public], "open type"),
        (Annotated[object, Public], "open type"),
        (Annotated[dict, Public], "open type"),
        (Annotated[bytes, Public], "open type"),
        (Annotated[float, Public], "open type"),
    ],
)
def test_any_other_field_fails_at_the_definition_of_the_class(annotation: Any, why: str) -> None:
    with pytest.raises(UnfitForBorder, match=why) as refusal:
        define(annotation)
    assert isinstance(refusal.value, TypeError)
    assert isinstance(refusal.value, KovraError)
    assert ".field" in str(refusal.value)


def test_a_message_may_not_open_itself_to_extra_fields() -> None:
    with pytest.raises(UnfitForBorder, match="must forbid extra"):

        class Lax(BorderMessage):
            model_config = ConfigDict(extra="allow")
            code: Code


def test_a_kind_is_taken_once() -> None:
    with pytest.raises(UnfitForBorder, match="has already"):
        type("Second", (BorderMessage,), {"kind": "settled", "__annotations__": {}, "__module__": __name__})
    assert message_type("settled") is not None
    assert message_type("anything") is None
