"""The ISO 20022 schema of a message, rebuilt from the typed classes that were generated from it, for libxml2 to validate by. Pure.

The typed parser looks at names and kinds alone: it lets elements come in any order, takes the first of two where one is allowed, and
minds no length, pattern or number of digits. All of that is in the classes' metadata, and here becomes an XML Schema again.

Rules of the rebuilding: a class whose name ends in Choice is a choice (ISO's naming; the generator keeps no other sign of it), every
other one a sequence; a field without a kind is the text of an element that has attributes too.
"""

from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from types import NoneType
from typing import Any, get_args, get_type_hints

from lxml import etree
from xsdata.models.datatype import XmlDate, XmlDateTime, XmlPeriod, XmlTime

_XS = "http://www.w3.org/2001/XMLSchema"
_FACETS = {
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
    "total_digits": "totalDigits",
    "fraction_digits": "fractionDigits",
    "min_inclusive": "minInclusive",
}
_SIMPLE: dict[Any, str] = {
    str: "string",
    Decimal: "decimal",
    bool: "boolean",
    XmlDate: "date",
    XmlDateTime: "dateTime",
    XmlTime: "time",
    XmlPeriod: "gYear",
    bytes: "base64Binary",
}


def schema_of(document: Any) -> etree.XMLSchema:
    """The schema of a message, from its Document class. Some 20 ms, once per process."""
    return _built(document, document.Meta.namespace)


def bare_schema_of(document: Any) -> etree.XMLSchema:
    """The same for a message whose elements have lost their namespace, so that places are named as `/Document/CstmrCdtTrfInitn/…`."""
    return _built(document, None)


@lru_cache(maxsize=64)
def _built(document: Any, namespace: str | None) -> etree.XMLSchema:
    if namespace is None:
        root = etree.Element(f"{{{_XS}}}schema", nsmap={"xs": _XS})
    else:
        root = etree.Element(f"{{{_XS}}}schema", nsmap={"xs": _XS, None: namespace})
        root.set("targetNamespace", namespace)
    root.set("elementFormDefault", "qualified")
    _add(root, "element", name="Document", type="Document")
    known: set[type] = set()
    waiting = [document]
    while waiting:
        kind = waiting.pop()
        if kind not in known:
            known.add(kind)
            waiting += _complex(root, kind)
    return etree.XMLSchema(root)


def _complex(root: etree._Element, kind: type) -> list[type]:
    """Add one class as a complex type; the classes that it needs."""
    hints = get_type_hints(kind)
    needed: list[type] = []
    found = _add(root, "complexType", name=kind.__name__)
    members = fields(kind)
    text = next((one for one in members if "type" not in one.metadata), None)
    if text is not None:
        holder = _add(_add(found, "simpleContent"), "extension", base=_named_text(root, kind, text, hints))
    else:
        holder = found
        group = _add(found, "choice" if kind.__name__.endswith("Choice") else "sequence")
        for one in members:
            if one.metadata["type"] == "Element":
                needed += _element(group, one, hints[one.name])
            elif one.metadata["type"] == "Wildcard":
                _add(group, "any", namespace="##any", processContents="lax")
    for one in members:
        if one.metadata.get("type") == "Attribute":
            use = "required" if one.metadata.get("required") else "optional"
            _restricted(_add(holder, "attribute", name=one.metadata["name"], use=use), hints[one.name], one.metadata)
    return needed


def _named_text(root: etree._Element, kind: type, text: Field[Any], hints: Mapping[str, Any]) -> str:
    """An extension needs its base by name."""
    name = f"{kind.__name__}_Text"
    simple = _add(root, "simpleType", name=name)
    _restriction(simple, _plain(hints[text.name]), text.metadata)
    return name


def _element(group: etree._Element, one: Field[Any], hint: Any) -> list[type]:
    meta, kind = one.metadata, _plain(hint)
    found = _add(group, "element", name=meta["name"])
    many = getattr(hint, "__origin__", None) is list
    needed = meta.get("required") or group.tag.endswith("choice")
    found.set(
        "minOccurs", str(meta.get("min_occurs", 0) if many and not group.tag.endswith("choice") else int(bool(needed)))
    )
    if many:
        found.set("maxOccurs", str(meta.get("max_occurs", "unbounded")))
    if isinstance(kind, type) and is_dataclass(kind):
        found.set("type", kind.__name__)
        return [kind]
    _restricted(found, hint, meta)
    return []


def _restricted(holder: etree._Element, hint: Any, meta: Mapping[str, Any]) -> None:
    _restriction(_add(holder, "simpleType"), _plain(hint), meta)


def _restriction(simple: etree._Element, kind: Any, meta: Mapping[str, Any]) -> None:
    if issubclass(kind, Enum):
        base = _add(simple, "restriction", base="xs:string")
        for one in kind:
            _add(base, "enumeration", value=str(one.value))
        return
    base = _add(simple, "restriction", base=f"xs:{_SIMPLE[kind]}")
    for key, facet in _FACETS.items():
        if key in meta:
            _add(base, facet, value=str(meta[key]))


def _plain(hint: Any) -> Any:
    """`None | X` and `list[X]` → X."""
    inner = [one for one in get_args(hint) if one is not NoneType]
    return inner[0] if inner else hint


def _add(parent: etree._Element, kind: str, /, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{_XS}}}{kind}", attributes)
