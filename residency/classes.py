"""Every field says how private it is, beside its type: `name: Annotated[str, Personal]`.

Public        may be shown to anyone who may see the resource.
Confidential  business data of one tenant; may cross a border in clear to the cells that take part in its payment.
Personal      about a natural person; stays in its region's vault and crosses only sealed, to one cell, as the law makes it.
"""

from enum import Enum
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel


class Class(Enum):
    PUBLIC = "public"
    CONFIDENTIAL = "confidential"
    PERSONAL = "personal"


Public = Class.PUBLIC
Confidential = Class.CONFIDENTIAL
Personal = Class.PERSONAL


def classify(model: type[BaseModel]) -> dict[str, Class | None]:
    """The class of each field of `model`; None where a field is unmarked (or marked twice).

    A marker may stand on the field, or on every argument of a union. Nested models are not followed: ask them too.
    """
    return {name: _marked(model, name) for name in model.model_fields}


def nested_models(annotation: Any) -> set[type[BaseModel]]:
    """Every pydantic model that `annotation` reaches, through unions, collections and Annotated."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    found: set[type[BaseModel]] = set()
    for argument in get_args(annotation):
        found |= nested_models(argument)
    return found


def _marked(model: type[BaseModel], name: str) -> Class | None:
    field = model.model_fields[name]
    marks = {mark for mark in field.metadata if isinstance(mark, Class)}
    marks |= _marks_within(field.annotation)
    return marks.pop() if len(marks) == 1 else None


def _marks_within(annotation: Any) -> set[Class]:
    if get_origin(annotation) is Annotated:
        return {mark for mark in get_args(annotation)[1:] if isinstance(mark, Class)}
    if get_origin(annotation) in (Union, UnionType):
        marks: set[Class] = set()
        for argument in get_args(annotation):
            marks |= _marks_within(argument)
        return marks
    return set()
