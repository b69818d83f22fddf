"""Bytes ↔ ISO 20022 message objects, strictly. Pure.

The message classes are generated from the ISO schemas (pyiso20022); xsdata reads them, tree.py writes them, and libxml2 validates
both ways by the schema that the classes came from (schema.py). Read strictly: UTF-8, and declared as nothing else, no document type
(so no entities), bounded size, comments and processing instructions dropped before anything is read, so that no reader sees half a text.
Which message it is, the namespace of its root element says, and nothing else in it.

Invariant: no message leaves `write`, and none is answered by `read`, that its ISO schema does not allow.
"""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from io import BytesIO
from typing import NoReturn, TypeVar

from lxml import etree
from xsdata.exceptions import ConverterError, ParserError
from xsdata.formats.dataclass.context import XmlContext
from xsdata.formats.dataclass.parsers import XmlParser
from xsdata.formats.dataclass.parsers.config import ParserConfig
from xsdata.models.datatype import XmlDate, XmlDateTime

from cells.rails.iso20022.schema import schema_of
from cells.rails.iso20022.tree import tree_of
from cells.rails.rail import MessageInvalid
from residency.instants import in_utc

MESSAGE_BYTES_MAX = 2_000_000
_NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"
_CONTEXT = XmlContext()
_END_OF_DAY = 24
_OUT_OF_RANGE = "A time of the message lies outside the years 1 to 9999 in UTC."
_ELEMENT = re.compile(r"Element '(?:\{[^}]*\})?([A-Za-z0-9]{1,40})'")
_STRICT = ParserConfig(
    fail_on_unknown_properties=True, fail_on_unknown_attributes=True, fail_on_converter_warnings=True
)
_ENCODING = re.compile(rb"""\s*(?:\xef\xbb\xbf)?<\?xml[^>]*?encoding\s*=\s*["']([^"']*)["']""")
Message = TypeVar("Message")


def read(body: bytes, kind: type[Message], name: str, bytes_max: int = MESSAGE_BYTES_MAX) -> Message:
    """The message object in `body`, which must be of the version `name` (pacs.008.001.08).
    Raises MessageInvalid.
    """
    # Given bytes, xsdata lets lxml mend what is broken, so that half a message passes for a whole one.
    # We parse.
    tree = parsed(body, bytes_max)
    found = named(tree)
    if found != name:
        raise MessageInvalid(f"Expected {name}, found {found}.")
    try:
        if not schema_of(kind).validate(tree):
            raise MessageInvalid(f"The body is not a valid {name}: {_where(schema_of(kind))}.")
        return XmlParser(config=_STRICT, context=_CONTEXT).parse(tree, kind)
    except (ParserError, ConverterError, ValueError, TypeError, ArithmeticError) as error:
        # What the parser complains of may quote a value, and values are personal: say only that it failed.
        raise MessageInvalid(f"The body is not a well-formed {name}.") from error


def write(message: object, name: str) -> bytes:
    """The message as UTF-8 XML with its schema's namespace as the default one. Raises MessageUnwritable."""
    tree = tree_of(message, _NAMESPACE + name)
    schema = schema_of(type(message))
    if not schema.validate(tree):
        raise MessageUnwritable(f"What was to be sent is not a valid {name}: {_where(schema)}.")
    return bytes(etree.tostring(tree, xml_declaration=True, encoding="UTF-8"))


class MessageUnwritable(ValueError):
    """Something that we were given to send does not fit the message: too long, or of a form that the standard has not."""


def _where(schema: etree.XMLSchema) -> str:
    """The element at fault, and never what stood in it, which may be personal."""
    found = _ELEMENT.match(schema.error_log[0].message) if len(schema.error_log) else None
    return found[1] if found else "its form"


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
    )


def message_name(body: bytes, bytes_max: int = MESSAGE_BYTES_MAX) -> str:
    """Which message `body` is, from the namespace of its root: `pacs.002.001.10`. Raises MessageInvalid."""
    _check_text(body, bytes_max)
    try:
        # The root alone: the rest is parsed once it is known what for.
        _, root = next(
            etree.iterparse(BytesIO(body), ("start",), resolve_entities=False, no_network=True, encoding="utf-8")
        )
    except etree.XMLSyntaxError as error:
        _not_well_formed(error)
    return named(root)


def parsed(body: bytes, bytes_max: int = MESSAGE_BYTES_MAX) -> etree._Element:
    """The root element of `body`. Raises MessageInvalid, with line and column, for what is no XML that we take."""
    _check_text(body, bytes_max)
    try:
        return etree.fromstring(body, _parser())
    except etree.XMLSyntaxError as error:
        _not_well_formed(error)


def _not_well_formed(error: etree.XMLSyntaxError) -> NoReturn:
    # The parser's own sentence may quote a value.
    line, column = error.position
    raise MessageInvalid(f"The body is not well-formed XML: look at line {line}, column {column}.") from None


def named(root: etree._Element) -> str:
    """Which message a root element begins. Raises MessageInvalid."""
    namespace, local = split_tag(root)
    if local != "Document" or not namespace.startswith(_NAMESPACE):
        raise MessageInvalid(
            f"The message does not name its ISO 20022 schema: its root is to be a Document in a namespace {_NAMESPACE}…, and is"
            f" {local[:40]} in {namespace[:80] or 'none'}."
        )
    return namespace[len(_NAMESPACE) :][:40]


def split_tag(element: etree._Element) -> tuple[str, str]:
    """(namespace, local name). By hand: etree.QName refuses some names that the parser lets pass."""
    namespace, _, local = str(element.tag).rpartition("}")
    return namespace.removeprefix("{"), local


def _check_text(body: bytes, bytes_max: int) -> None:
    if len(body) > bytes_max:
        raise MessageInvalid(f"The message is larger than {bytes_max} bytes.")
    try:
        body.decode()
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise MessageInvalid(
            f"The message is to be UTF-8, and is not: byte 0x{body[error.start]:02X} at position {error.start + 1}, line {line}."
        ) from None
    if (nul := body.find(0)) >= 0:
        raise MessageInvalid(f"The message is to be UTF-8 text, and has a NUL byte at position {nul + 1}.")
    declared = _ENCODING.match(body)
    if declared is not None and declared[1].lower() not in (b"utf-8", b"utf8"):
        said = declared[1][:40].decode(errors="replace")
        raise MessageInvalid(f"The message is to be UTF-8 and to declare nothing else; it declares {said}.")
    if b"<!DOCTYPE" in body:
        raise MessageInvalid("The message has a document type (<!DOCTYPE), which none may have.")


def xml_time(at: datetime) -> XmlDateTime:
    """Milliseconds and a Z, as the schemes write it."""
    utc = at.astimezone(UTC)
    return XmlDateTime.from_datetime(utc.replace(microsecond=utc.microsecond // 1000 * 1000))


def plain_time(at: XmlDateTime | None, otherwise: datetime, zone: tzinfo = UTC) -> datetime:
    """An aware UTC datetime; a time without a zone is taken as `zone`'s. Raises MessageInvalid outside the years 1 to 9999."""
    if at is None:
        return otherwise
    try:
        plain = _as_written(at)
        return in_utc(plain if plain.tzinfo is not None else plain.replace(tzinfo=zone))
    except (ValueError, OverflowError) as error:
        raise MessageInvalid(_OUT_OF_RANGE) from error


def written_day(at: XmlDateTime | XmlDate) -> date:
    """The day as the message writes it, in whatever zone. Raises MessageInvalid outside the years 1 to 9999."""
    try:
        return at.to_date() if isinstance(at, XmlDate) else _as_written(at).date()
    except (ValueError, OverflowError) as error:
        raise MessageInvalid(_OUT_OF_RANGE) from error


def _as_written(at: XmlDateTime) -> datetime:
    """24:00:00 is the first instant of the next day (XML Schema part 2, 3.2.7), and Python reads none."""
    ends = timedelta(days=1) if at.hour == _END_OF_DAY else timedelta(0)
    return at.replace(hour=at.hour % _END_OF_DAY).to_datetime() + ends
