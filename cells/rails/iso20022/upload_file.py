"""A pain.001 as a tree whose every fault has a place: the line of the file and the element's path, in the file's own words. Pure.

Elements lose their namespace once it is known to be the message's, so that a path reads `/Document/CstmrCdtTrfInitn/PmtInf/CdtTrfTxInf[2]`.
Invariant: no sentence quotes what an element says; it names what the schema, or the table of elements, expects there.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import pyiso20022.pain.pain_001_001_03 as pain_03
import pyiso20022.pain.pain_001_001_09 as pain_09
from lxml import etree

from cells.rails.iso20022.schema import bare_schema_of
from cells.rails.iso20022.upload_elements import element_at, only_holds
from cells.rails.iso20022.xml import named, parsed, split_tag
from cells.rails.rail import MessageInvalid
from residency.classes import Public

VERSIONS: Final[dict[str, Any]] = {"pain.001.001.03": pain_03.Document, "pain.001.001.09": pain_09.Document}
"""The versions that are read, each with the root of its typed classes."""

FILE_BYTES_MAX = 16 * 1024 * 1024
FORM = "FF01"
_ATTRIBUTE, _QUOTE = "The attribute '", "'"
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
_EXPECTED = re.compile(r"Expected is (?:one of )?\( ([^()]+) \)\.")
_LENGTH = re.compile(
    r"length of '([0-9]+)'; this (?:exceeds|underruns) the allowed (maximum|minimum) length of '([0-9]+)'"
)


@dataclass(frozen=True, slots=True)
class LineFault:
    """Why a payment, or a file, cannot be taken: an ISO 20022 reason code, a sentence, and where. `line` counts the payments from 1; 0: it is
    the file's. `path`: of the element; `file_line` counts from 1."""

    line: Annotated[int, Public]
    reason_code: Annotated[str, Public]
    detail: Annotated[str, Public]
    path: Annotated[str, Public] = ""
    file_line: Annotated[int, Public] = 0


@dataclass(frozen=True, slots=True)
class UploadFile:
    """A file of a version that is known. `payments`: its CdtTrfTxInf, each with its PmtInf, in order. `faults`: what its schema forbids."""

    root: etree._Element
    payments: Sequence[tuple[etree._Element, etree._Element]]
    faults: Sequence[LineFault]


def open_file(body: bytes) -> UploadFile:
    """Raises MessageInvalid for what is no pain.001 of a version that is read."""
    root = parsed(body, FILE_BYTES_MAX)
    name = named(root)
    if name not in VERSIONS:
        raise MessageInvalid(f"Expected {' or '.join(sorted(VERSIONS))}, found {name}.")
    _bare(root)
    schema = bare_schema_of(VERSIONS[name])
    schema.validate(root)
    blocks = root.findall("CstmrCdtTrfInitn/PmtInf")
    payments = [(block, one) for block in blocks for one in block.findall("CdtTrfTxInf")]
    numbers = {one: number for number, (_, one) in enumerate(payments, start=1)}
    return UploadFile(root, payments, list(_schema_faults(root, schema.error_log, numbers)))


def fault_at(element: etree._Element, code: str, detail: str, line: int) -> LineFault:
    """A fault of the payment `line`, at `element`."""
    return LineFault(line, code, detail, element.getroottree().getpath(element), line_of(element))


def line_of(element: etree._Element) -> int:
    """The line of the file that an element's start tag ends in, from 1. Past line 65,534 libxml2 counts text alone: there it is the line
    in which the element's first text ends."""
    return int(element.sourceline or 0)


def refused_in(element: etree._Element, path: str, line: int, *, but: Collection[str] = ()) -> Iterator[LineFault]:
    """What the table refuses below `element`, which stands at `path`; children named in `but` are looked at by themselves."""
    for child in element:
        at = f"{path}/{child.tag}" if path else str(child.tag)
        row = element_at(at)
        if child.tag in but:
            continue
        if row is not None and row.refused:
            yield fault_at(child, row.code, f"{child.tag} is not taken. {row.why}", line)
        elif row is None and not only_holds(at):
            # The table has every element of the schemas (a test says so), so this is one that neither has.
            yield fault_at(child, FORM, f"{child.tag} is not known.", line)
        elif row is None or not row.whole:
            yield from refused_in(child, at, line)


def _bare(root: etree._Element) -> None:
    """Drop the message's namespace. Raises MessageInvalid for an element of another."""
    own, _ = split_tag(root)
    prefix = f"{{{own}}}"
    foreign: list[etree._Element] = []
    for one in root.iter():
        tag = str(one.tag)
        if tag.startswith(prefix):
            one.tag = tag[len(prefix) :]
        else:
            foreign.append(one)
    if foreign:
        namespace, local = split_tag(foreign[0])
        raise MessageInvalid(
            f"Line {foreign[0].sourceline}: {local[:40]} is in the namespace {namespace[:80] or 'none'}, expected {own}."
        )
    for name in root.attrib:
        if str(name).startswith(_XSI):
            del root.attrib[name]


def _schema_faults(root: etree._Element, log: Any, numbers: dict[etree._Element, int]) -> Iterator[LineFault]:
    seen: set[str] = set()
    for entry in log:
        path = str(entry.path or "/Document")
        # libxml2 says of a value first which rule it breaks, and then once more that it breaks one.
        if path in seen:
            continue
        seen.add(path)
        found = root.xpath(path)
        element = found[0] if isinstance(found, list) and found else root
        yield LineFault(_payment_of(element, numbers), FORM, _sentence(element.tag, entry), path, int(entry.line))


def _payment_of(element: etree._Element, numbers: dict[etree._Element, int]) -> int:
    at: etree._Element | None = element
    while at is not None:
        if at in numbers:
            return numbers[at]
        at = at.getparent()
    return 0


def _sentence(tag: str, entry: Any) -> str:
    """What the schema expects. Only what the schema itself says is taken from libxml2's message, which quotes the value as well."""
    kind = str(entry.type_name).removeprefix("SCHEMAV_")
    return _SENTENCES.get(kind, _other)(tag, str(entry.message))


def _content(tag: str, message: str) -> str:
    expected = _EXPECTED.search(message)
    names = expected[1] if expected else "nothing more"
    if "Missing child" in message:
        return f"{tag} lacks {names}."
    return f"{tag} is not expected here; expected: {names}."


def _length(tag: str, message: str) -> str:
    found = _LENGTH.search(message)
    return _other(tag, "") if found is None else f"{tag} has {found[1]} characters; the {found[2]} is {found[3]}."


def _after(mark: str, sentence: str) -> Callable[[str, str], str]:
    def build(tag: str, message: str) -> str:
        return sentence.format(tag=tag, said=message.rpartition(mark)[2].rstrip(".()' "))

    return build


def _attribute(tag: str, message: str) -> str:
    return f"{tag} lacks the attribute {message.rpartition(_ATTRIBUTE)[2].partition(_QUOTE)[0]}."


def _other(tag: str, _message: str) -> str:
    return f"{tag} does not have the form that the schema gives it."


_SENTENCES: Final[dict[str, Callable[[str, str], str]]] = {
    "ELEMENT_CONTENT": _content,
    "CVC_MAXLENGTH_VALID": _length,
    "CVC_MINLENGTH_VALID": _length,
    "CVC_PATTERN_VALID": _after("by the pattern '", "{tag} does not fit the pattern {said}."),
    "CVC_ENUMERATION_VALID": _after("element of the set {", "{tag} is none of {said}"),
    "CVC_FRACTIONDIGITS_VALID": _after("are allowed ('", "{tag} has more than {said} decimal digits."),
    "CVC_TOTALDIGITS_VALID": _after("are allowed ('", "{tag} has more than {said} digits."),
    "CVC_MININCLUSIVE_VALID": _after("value allowed ('", "{tag} is less than {said}."),
    "CVC_COMPLEX_TYPE_4": _attribute,
    "CVC_COMPLEX_TYPE_3_2_1": lambda tag, _: f"{tag} has an attribute that the schema does not know.",
}
