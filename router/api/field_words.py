"""What pydantic finds in a request, in words for a partner: what is wrong with the field, and what to write instead. Pure.

No text repeats what was sent. The rooms' own validators raise ValueError with words that are passed on as they are.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final, get_args

from pydantic import BaseModel

_OTHERWISE: Final = "it does not have the form that /openapi.json gives for it"
_TEXT, _WHOLE, _NUMBER = "write it as a text", "write it as a whole number", "write it as a number"
_FLAG, _OBJECT, _LIST = "write true or false", "write it as an object", "write it as a list"
_DATE, _TIME = "write it as a date: 2026-11-21", "write the time by RFC 3339, with its zone: 2026-11-21T10:00:00Z"
_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "missing": "it is missing; add it",
        "extra_forbidden": "there is no such field; remove it",
        "string_type": _TEXT,
        "string_too_short": "it has fewer than {min_length} characters",
        "string_too_long": "it has more than {max_length} characters",
        "string_pattern_mismatch": "it does not match the pattern {pattern}",
        "string_unicode": "write it as a text in UTF-8",
        "int_type": _WHOLE,
        "int_parsing": _WHOLE,
        "int_parsing_size": "the number is too large",
        "int_from_float": _WHOLE,
        "float_type": _NUMBER,
        "float_parsing": _NUMBER,
        "finite_number": "write it as a number that has an end",
        "decimal_type": _NUMBER,
        "decimal_parsing": _NUMBER,
        "bool_type": _FLAG,
        "bool_parsing": _FLAG,
        "dict_type": _OBJECT,
        "mapping_type": _OBJECT,
        "model_type": _OBJECT,
        "model_attributes_type": _OBJECT,
        "list_type": _LIST,
        "tuple_type": _LIST,
        "too_short": "it has fewer than {min_length} entries",
        "too_long": "it has more than {max_length} entries",
        "literal_error": "write {expected}",
        "enum": "write {expected}",
        "greater_than": "it must be more than {gt}",
        "greater_than_equal": "it must be {ge} or more",
        "less_than": "it must be less than {lt}",
        "less_than_equal": "it must be {le} or less",
        "date_type": _DATE,
        "date_parsing": _DATE,
        "date_from_datetime_parsing": _DATE,
        "date_from_datetime_inexact": _DATE,
        "datetime_type": _TIME,
        "datetime_parsing": _TIME,
        "datetime_from_date_parsing": _TIME,
        "datetime_object_invalid": _TIME,
        "timezone_aware": _TIME,
        "json_invalid": "the body is not JSON",
        "union_tag_not_found": "{discriminator} is missing; add it",
        "union_tag_invalid": "{discriminator} must be {expected_tags}",
    }
)


def words_of(kind: str, message: str, context: Mapping[str, Any] | None = None) -> str:
    """A fault by pydantic's `type`, `msg` and `ctx`."""
    if kind in ("value_error", "assertion_error"):
        return message.partition(", ")[2]
    try:
        return _WORDS.get(kind, _OTHERWISE).format_map(context or {})
    except KeyError:
        return _OTHERWISE


def unknown_field(place: tuple[int | str, ...], model: type[BaseModel] | None) -> str:
    """The words for a field at `place` that `model` does not have, with the field that it has of nearly that name."""
    known = {name for one in _at(model, place[:-1]) for name in _names(one)}
    near = get_close_matches(str(place[-1]), sorted(known), 1) if place else []
    return f"{_WORDS['extra_forbidden']}, or write `{near[0]}` if that is meant" if near else _WORDS["extra_forbidden"]


def _names(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name


def _at(model: type[BaseModel] | None, place: tuple[int | str, ...]) -> list[type[BaseModel]]:
    """The models that what stands at `place` may be."""
    found = [] if model is None else [model]
    for part in place:
        if isinstance(part, str):
            fields = [
                field for one in found for name, field in one.model_fields.items() if (field.alias or name) == part
            ]
            # The name of a union's member stands in the place, too, and is no field.
            found = [one for field in fields for one in _models(field.annotation)] if fields else found
    return found


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for one in get_args(annotation):
        yield from _models(one)
