"""One kind of life, declared once: how its row, the entries of its streams and the fold of those follow from each other. Pure.

    CREDIT = Life("credit", "collections", "collection_id", CollectionRow)

A life's row is a frozen dataclass. Its fields are the columns of the table; all are in the entries, but for those that every entry has
(the id, tenant, version and times) and what a partner wrote itself (`unrecorded`). The first entry says all that is not as the dataclass
has it by default, each later one exactly what changed, and what its body cannot do without. What may change is what those bodies have.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, is_dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from types import UnionType
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

from cells.journal.entry import Author, Draft, Entry
from cells.journal.kinds import BIRTHS, KINDS, UnknownKind, check

_TIMES: Final = ("created_at", "updated_at")
# Whatever is not here is in JSON as it is in Python: to JSON, and back.
_CODECS: Final[Mapping[type, tuple[Callable[[Any], Any], Callable[[Any], Any]]]] = {
    datetime: (datetime.isoformat, datetime.fromisoformat),
    date: (date.isoformat, date.fromisoformat),
    bytes: (bytes.hex, bytes.fromhex),
    tuple: (list, tuple),
}
_REQUIRED: Final = {
    kind: frozenset(name for name, one in body.model_fields.items() if one.is_required())
    for kind, body in KINDS.items()
}
_REPEATS: Final = {kind: body.repeats for kind, body in KINDS.items()}


class Unfoldable(ValueError):
    """The entries are no life: `version` is the first that does not follow from those before it."""

    def __init__(self, version: int, why: str) -> None:
        super().__init__(why)
        self.version = version


class StateRow(Protocol):
    """What every life's row is: a dataclass that has these."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def tenant_id(self) -> str: ...
    @property
    def version(self) -> int: ...


Row = TypeVar("Row", bound=StateRow)


@dataclass(frozen=True, slots=True)
class Birth(Generic[Row]):
    """A life that begins: its row, and by whom."""

    now: Row
    kind: str
    author: Author


@dataclass(frozen=True, slots=True)
class Change(Generic[Row]):
    """What becomes of a life with one entry: its row as it was decided on, as it shall be, and by whom. `beside`: what the entry says and
    the row does not have."""

    before: Row
    now: Row
    kind: str
    author: Author
    beside: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Life(Generic[Row]):
    """`name`: the first part of its kinds. `key`: the column of the id. `unrecorded`: columns that hold a partner's own words.

    `money`: columns of amounts in minor units, each with the column of its currency.

    `may_exist`: another row may have what is unique in it; it does not begin then, and that is no fault.
    `changes_hands`: a later entry may be another tenant's.
    """

    name: str
    table: str
    key: str
    row: type[Row]
    unrecorded: frozenset[str] = frozenset()
    money: Mapping[str, str] = field(default_factory=dict)
    may_exist: bool = False
    changes_hands: bool = False

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Every column that the row has, in order."""
        return tuple(one.name for one in fields(self.row))

    @cached_property
    def recorded(self) -> tuple[str, ...]:
        """What facts are made of."""
        apart = {self.key, "tenant_id", "version", *_TIMES, *self.unrecorded}
        return tuple(one for one in self.columns if one not in apart)

    @cached_property
    def times(self) -> tuple[str, ...]:
        """Of the first entry's time and the last one's, those that the row has."""
        return tuple(one for one in _TIMES if one in self.columns)

    @cached_property
    def changing(self) -> tuple[str, ...]:
        """What a later entry may say."""
        return self.said_by([kind for kind in KINDS if kind.split(".")[0] == self.name and kind not in BIRTHS])

    def said_by(self, kinds: Sequence[str]) -> tuple[str, ...]:
        """What entries of those kinds may say."""
        said = {
            name
            for kind in set(kinds)
            if kind in KINDS
            for name in KINDS[kind].model_fields.keys() - KINDS[kind].repeats
        }
        return tuple(one for one in self.recorded if one in said)

    @cached_property
    def in_bytes(self) -> frozenset[str]:
        """Columns that facts have in hexadecimal."""
        return frozenset(name for name, kind in self._types.items() if kind is bytes)

    @cached_property
    def unsaid(self) -> Mapping[str, Any]:
        """What a first entry leaves out, as facts would have it."""
        return {one: self._json(one, value) for one, value in self._defaults.items()}

    def kind(self, event: str) -> str:
        """The kind of entry by which an event of this life is on record."""
        return f"{self.name}.{event}.1"

    def id_of(self, row: Row) -> str:
        found: str = getattr(row, self.key)
        return found

    def birth(self, begun: Birth[Row]) -> Draft:
        """The first entry of a stream."""
        now, values = begun.now, {one: getattr(begun.now, one) for one in self.recorded}
        facts = {one: self._json(one, value) for one, value in values.items() if value != self._defaults[one]}
        return Draft(self.id_of(now), 1, begun.kind, now.tenant_id, begun.author, facts)

    def change(self, made: Change[Row]) -> Draft:
        """The entry that follows. Its body's fields that must be there are there, changed or not."""
        before, now = made.before, made.now
        must = _REQUIRED.get(made.kind, frozenset())
        facts = {
            one: self._json(one, value)
            for one in self.changing
            if (value := getattr(now, one)) != getattr(before, one) or one in must
        }
        again = {one: self._json(one, getattr(now, one)) for one in _REPEATS.get(made.kind, ())}
        said = {**facts, **again, **made.beside}
        return Draft(self.id_of(now), before.version + 1, made.kind, now.tenant_id, made.author, said)

    def words_of(self, row: Row) -> dict[str, Any]:
        """What is on the row alone, as JSON."""
        return {one: self._json(one, getattr(row, one)) for one in self.unrecorded}

    def of_row(self, found: Mapping[str, Any]) -> Row:
        """What the database has, as the row."""
        values = dict(found)
        for name, make in self._from_row.items():
            if values[name] is not None:
                values[name] = make(values[name])
        return self.row(**values)

    def fold(self, entries: Sequence[Entry]) -> Row:
        """The row that a whole stream makes. Raises Unfoldable."""
        *_, last = self.history(entries)
        return last

    def history(self, entries: Sequence[Entry]) -> Iterator[Row]:
        """The row after each entry of a whole stream, oldest first. Raises Unfoldable, also of a stream without an entry."""
        now: Row | None = None
        for place, entry in enumerate(entries, start=1):
            if entry.version != place:
                raise Unfoldable(place, f"the stream has no version {place}")
            try:
                check(entry.kind, entry.facts)
            except UnknownKind as error:
                raise Unfoldable(place, str(error)) from None
            if (entry.kind in BIRTHS) != (now is None) or entry.kind.split(".")[0] != self.name:
                raise Unfoldable(place, f"{entry.kind} cannot be version {place}")
            now = self._born(entry) if now is None else self._changed(now, entry)
            yield now
        if now is None:
            raise Unfoldable(1, "the stream is empty")

    def _born(self, entry: Entry) -> Row:
        values = {
            self.key: entry.stream,
            "tenant_id": entry.tenant_id,
            "version": 1,
            **dict.fromkeys(self.times, entry.at),
        }
        return self.row(**{**self._wordless, **self._defaults, **self._values(entry.facts), **values})

    def _changed(self, before: Row, entry: Entry) -> Row:
        values = self._values(entry.facts) | ({"tenant_id": entry.tenant_id} if self.changes_hands else {})
        return replace(before, version=entry.version, updated_at=entry.at, **values)

    @cached_property
    def _defaults(self) -> Mapping[str, Any]:
        """By field that is in facts: what it is where nothing is said."""
        found = {one.name: one for one in fields(self.row)}
        return {one: None if found[one].default is MISSING else found[one].default for one in self.recorded}

    @cached_property
    def _wordless(self) -> Mapping[str, None]:
        """What a partner wrote, where the row cannot be without it."""
        needed = {one.name for one in fields(self.row) if one.default is MISSING and one.default_factory is MISSING}
        return dict.fromkeys(needed & self.unrecorded)

    @cached_property
    def _types(self) -> Mapping[str, type]:
        return {name: _bare(hint) for name, hint in get_type_hints(self.row).items()}

    @cached_property
    def _to_json(self) -> Mapping[str, Callable[[Any], Any]]:
        found = {one: _CODECS[kind][0] for one, kind in self._types.items() if kind in _CODECS}
        return found | {one: asdict for one, kind in self._types.items() if is_dataclass(kind)}

    @cached_property
    def _from_row(self) -> Mapping[str, Callable[[Any], Any]]:
        made = {one: kind for one, kind in self._types.items() if is_dataclass(kind) or issubclass(kind, StrEnum)}
        of_json = {
            one: (lambda found, kind=kind: kind(**found)) if is_dataclass(kind) else kind for one, kind in made.items()
        }
        return of_json | {one: tuple for one, kind in self._types.items() if kind is tuple}

    @cached_property
    def _from_json(self) -> Mapping[str, Callable[[Any], Any]]:
        return {**{one: _CODECS[kind][1] for one, kind in self._types.items() if kind in _CODECS}, **self._from_row}

    def _json(self, name: str, value: Any) -> Any:
        to = self._to_json.get(name)
        return value if to is None or value is None else to(value)

    def _values(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        of = self._from_json
        return {
            one: value if value is None or one not in of else of[one](value)
            for one, value in facts.items()
            if one in self._defaults
        }


def _bare(hint: Any) -> type:
    """The class of a field's type: without None, and without what is in it."""
    if get_origin(hint) in (Union, UnionType):
        [hint] = [one for one in get_args(hint) if one is not type(None)]
    found = get_origin(hint) or hint
    return found if isinstance(found, type) else object
