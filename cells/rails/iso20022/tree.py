"""A typed message as an XML tree, by the metadata of its classes. Pure.

It does what xsdata's serializer does for these classes, with the look-ups done once per class instead of once per value (measured in
tests/bench/README.md); a test holds the two against each other, and the schema has the last word on every tree.
"""

from collections.abc import Callable
from dataclasses import fields
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple

from lxml import etree


class _Part(NamedTuple):
    """One field of a class: `kind` is Element, Attribute or "" for the text of an element that has attributes."""

    name: str
    kind: str
    tag: str


def tree_of(message: Any, namespace: str) -> etree._Element:
    """The root element, with the schema's namespace as the default one."""
    root = etree.Element(f"{{{namespace}}}{type(message).__name__}", nsmap={None: namespace})
    _fill(root, message, namespace)
    return root


def _fill(element: etree._Element, value: Any, namespace: str) -> None:
    kind: Any = type(value)
    for part in _parts(kind, namespace):
        held = getattr(value, part.name)
        if held is None:
            continue
        if part.kind == "Element":
            for one in held if type(held) is list else (held,):
                _child(element, part.tag, one, namespace)
        elif part.kind == "Attribute":
            element.set(part.tag, _text(held))
        else:
            element.text = _text(held)


def _child(parent: etree._Element, tag: str, value: Any, namespace: str) -> None:
    child = etree.SubElement(parent, tag)
    if hasattr(type(value), "__dataclass_fields__"):
        _fill(child, value, namespace)
    else:
        child.text = _text(value)


@lru_cache(maxsize=4_096)
def _parts(kind: type, namespace: str) -> tuple[_Part, ...]:
    found: list[_Part] = []
    for one in fields(kind):
        what = one.metadata.get("type", "")
        assert what in ("Element", "Attribute", ""), f"{kind.__name__}.{one.name}: nothing of ours has a {what}"
        tag = one.metadata.get("name", "")
        found.append(_Part(one.name, what, f"{{{namespace}}}{tag}" if what == "Element" else tag))
    return tuple(found)


def _text(value: Any) -> str:
    return _TEXT.get(type(value), _enum_or_str)(value)


def _enum_or_str(value: Any) -> str:
    return str(value.value if isinstance(value, Enum) else value)


_TEXT: dict[type, Callable[[Any], str]] = {
    str: str,
    Decimal: lambda value: format(value, "f"),
    bool: lambda value: "true" if value else "false",
}
