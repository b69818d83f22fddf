"""The border as a type: what may stand in the clear part of a message between cells.

Invariant: a BorderMessage with a clear field that is Personal, unmarked, or of an open type cannot be
defined. The check walks nested models, unions, collections and dict keys and values, when the class is made,
so such a type fails at import.

A clear string must carry an anchored pattern (`^…$`): free text is where personal data hides, so it has no
place in the clear.
"""

import types
from enum import Enum
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import AwareDatetime, BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from residency.classes import Class
from residency.directory import CellEntry
from residency.errors import KovraError

_LEAVES = (int, bool, AwareDatetime)
_COLLECTIONS = (list, tuple, set, frozenset, dict)
_KINDS: dict[str, type["BorderMessage"]] = {}


class UnfitForBorder(KovraError, TypeError):
    """Raised while a BorderMessage is being defined. The detail names the field and the rule it breaks."""

    code = "unfit-for-border"
    title = "This type may not cross a border"


class BorderMessage(BaseModel):
    """Base of everything that crosses between cells. Subclass it with a `kind`; the class is checked as it is
    made.

    `kind` is the last token of the subject. `carries_sealed` says that a sealed part must travel with it
    (else none may). `transfer_id` of the message, if it has that field, names the payment in the customs log.
    Raises UnfitForBorder.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    kind: ClassVar[str]
    carries_sealed: ClassVar[bool] = False

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        check_clear(cls, cls.__name__)
        if "kind" not in cls.__dict__:
            return  # a common part of several kinds: checked, but never sent itself
        kind = cls.kind
        if not isinstance(kind, str) or not kind.isalpha() or not kind.islower():
            raise UnfitForBorder(f"{cls.__name__} needs a `kind` of lower-case letters: it is a token of the subject.")
        if kind in _KINDS:
            raise UnfitForBorder(f"{cls.__name__} takes the kind {kind!r}, which {_KINDS[kind].__name__} has already.")
        _KINDS[kind] = cls

    def route_fault(self, origin: CellEntry, destination: CellEntry) -> str | None:
        """Why this message may not go from `origin` to `destination`, or None. Kinds that name cells override
        it.
        """
        return None


def message_type(kind: str) -> type[BorderMessage] | None:
    """The message class of a kind, None for an unknown one."""
    return _KINDS.get(kind)


def check_clear(model: type[BaseModel], where: str) -> None:
    """Raises UnfitForBorder where `model`, called `where`, has a field that may not stand in the clear."""
    if model.model_config.get("extra") != "forbid":
        raise UnfitForBorder(f"{where} must forbid extra fields: an open model may carry anything.")
    # Pydantic offers no public list of a model's serializers; one of them could write what no field declares.
    decorators = model.__pydantic_decorators__
    if decorators.computed_fields or decorators.field_serializers or decorators.model_serializers:
        raise UnfitForBorder(f"{where} has a serializer or computed field: it could write what no field declares.")
    try:
        hints = get_type_hints(model, include_extras=True)
    except NameError as error:
        raise UnfitForBorder(f"{where} has an annotation that cannot be resolved: {error}.") from error
    for name in model.model_fields:
        _check(hints[name], f"{where}.{name}", marked=False, patterned=False)


def _check(annotation: Any, where: str, *, marked: bool, patterned: bool) -> None:
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        marks = {item for item in metadata if isinstance(item, Class)}
        if Class.PERSONAL in marks:
            raise UnfitForBorder(f"{where} is Personal: it may cross only in the sealed part.")
        if len(marks) > 1:
            raise UnfitForBorder(f"{where} is marked twice: choose Public or Confidential.")
        _check(inner, where, marked=marked or bool(marks), patterned=any(map(_anchored, metadata)))
    elif annotation is type(None):
        return
    elif origin in (Union, types.UnionType) or origin in _COLLECTIONS:
        for argument in get_args(annotation):
            if argument is not Ellipsis:
                _check(argument, where, marked=marked, patterned=patterned and origin not in _COLLECTIONS)
    else:
        _check_end(annotation, origin, where, marked=marked, patterned=patterned)


def _check_end(annotation: Any, origin: Any, where: str, *, marked: bool, patterned: bool) -> None:
    if not marked:
        raise UnfitForBorder(f"{where} is unmarked: annotate it Public or Confidential.")
    if annotation is str and not patterned:
        raise UnfitForBorder(f"{where} is free text: give it an anchored pattern, or seal it.")
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        check_clear(annotation, where)
        return
    closed = annotation is str or annotation in _LEAVES or origin is Literal
    if not closed and not (isinstance(annotation, type) and issubclass(annotation, Enum)):
        raise UnfitForBorder(
            f"{where} has the open type {annotation!r}: use int, bool, a patterned str, a time, an Enum."
        )


def _anchored(metadata: Any) -> bool:
    if isinstance(metadata, FieldInfo):
        return any(map(_anchored, metadata.metadata))
    pattern = getattr(metadata, "pattern", None)
    return isinstance(pattern, str) and pattern.startswith("^") and pattern.endswith("$")
