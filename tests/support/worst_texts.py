"""Texts of about n bytes that are bad for a parser: one function each, by the parser's kind."""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any

import orjson

Worst = Mapping[str, Callable[[int], bytes]]


def _filled(head: bytes, part: Callable[[int], bytes], tail: bytes = b"") -> Callable[[int], bytes]:
    """`head`, as many numbered parts as about n bytes hold, `tail`."""
    return lambda n: head + b"".join(part(number) for number in range(max(1, n // len(part(1_000))))) + tail


JSON: Worst = {
    "brackets": lambda n: b"[" * n,
    "brackets closed": lambda n: b"[" * (n // 2) + b"]" * (n // 2),
    "braces": lambda n: b'{"a":' * (n // 5),
    "members": _filled(b"{", lambda one: b'"m%d":0,' % one, b'"z":0}'),
    "one member again": _filled(b"{", lambda _: b'"a":0,', b'"a":0}'),
    "elements": _filled(b"[", lambda _: b"0,", b"0]"),
    "empty objects": _filled(b"[", lambda _: b"{},", b"{}]"),
    "a string without its end": lambda n: b'{"a":"' + b"x" * n,
    "backslashes": lambda n: b'{"a":"' + b"\\" * n,
    "quotes": lambda n: b'"' * n,
    "escapes": lambda n: b'{"a":"' + b"\\u0041" * (n // 6) + b'"}',
    "pairs of surrogates": lambda n: b'{"a":"' + b"\\ud83d\\ude00" * (n // 12) + b'"}',
    "noncharacters": lambda n: b'{"a":"' + b"\\ufffe" * (n // 6) + b'"}',
    "nearly noncharacters": lambda n: b'["' + b"\xef\xb7\x8f" * (n // 3) + b'"]',
    "digits": lambda n: b'{"a":' + b"9" * n + b"}",
    "digits after the point": lambda n: b'{"a":0.' + b"9" * n + b"}",
    "an exponent": lambda n: b'{"a":1e' + b"9" * n + b"}",
    "white space": lambda n: b" " * n + b"{}",
    "bad UTF-8": lambda n: b'{"a":"' + b"\xc3\x28" * (n // 2),
}
_VALUES: Mapping[str, Callable[[int], Any]] = {
    "digits in text": lambda n: "9" * n,
    "an amount of digits": lambda n: {"value": "9" * n, "currency": "EUR"},
    "an amount with an exponent": lambda n: {"value": "1e" + "9" * min(n, 400), "currency": "EUR"},
    "zeros": lambda n: {"value": "0." + "0" * n, "currency": "EUR"},
    "spaces": lambda n: " " * n,
    "combining marks": lambda n: "e" + "\u0301" * (n // 2),
    "ligatures": lambda n: "\ufdfa" * (n // 3),
    "members": lambda n: {f"m{one}": "" for one in range(n // 10)},
    "elements": lambda n: [0] * (n // 2),
    "objects": lambda n: [{}] * (n // 3),
    "an instant": lambda n: "2026-01-01T00:00:00." + "0" * n + "Z",
}


def of_model(model: Any) -> Worst:
    """Each value in every field at once."""
    fields = [one.alias or name for name, one in model.model_fields.items()]

    def body(value: Callable[[int], Any]) -> Callable[[int], bytes]:
        return lambda n: orjson.dumps({name: value(max(8, n // len(fields))) for name in fields})

    return {name: body(value) for name, value in _VALUES.items()}


_SPACE = "urn:iso:std:iso:20022:tech:xsd:"


def xml(name: str, holder: str) -> Worst:
    """A message of that name, whose holder has all that is bad in it."""
    head, tail = f'<Document xmlns="{_SPACE}{name}"><{holder}>'.encode(), f"</{holder}></Document>".encode()
    return {
        "nesting": lambda n: head + b"<a>" * (n // 3),
        "nesting closed": lambda n: head + b"<a>" * (n // 7) + b"</a>" * (n // 7) + tail,
        "elements": _filled(head, lambda _: b"<a/>", tail),
        "names": _filled(head, lambda one: b"<a%d/>" % one, tail),
        "attributes": _filled(head + b"<a", lambda one: b' a%d=""' % one, b"/>" + tail),
        "one attribute again": _filled(head + b"<a", lambda _: b' a=""', b"/>" + tail),
        "namespaces": _filled(head + b"<a", lambda one: b' xmlns:a%d="u"' % one, b"/>" + tail),
        "namespaces, nested": _filled(head, lambda one: b'<a xmlns:p%d="u">' % one),
        "prefixed attributes": _filled(head + b'<a xmlns:p="u"', lambda one: b' p:a%d=""' % one, b"/>" + tail),
        "character references": lambda n: head + b"<a>" + b"&#65;" * (n // 5) + b"</a>" + tail,
        "entities": lambda n: b'<!DOCTYPE d [<!ENTITY a "' + b"x" * (n // 2) + b'">]>' + head + b"&a;" * (n // 6) + tail,
        "entities in entities": _filled(
            b'<!DOCTYPE d [<!ENTITY e0 "x">', lambda one: b'<!ENTITY e%d "&e%d;&e%d;">' % (one + 1, one, one), b"]>" + head + tail
        ),
        "an endless comment": lambda n: head + b"<!--" + b"-" * n,
        "comments": lambda n: head + b"<!---->" * (n // 7) + tail,
        "instructions": lambda n: head + b"<?a?>" * (n // 5) + tail,
        "CDATA": lambda n: head + b"<a>" + b"<![CDATA[x]]>" * (n // 13) + b"</a>" + tail,
        "CDATA without its end": lambda n: head + b"<![CDATA[" + b"]" * n,
        "a long name": lambda n: head + b"<" + b"a" * n + b"/>" + tail,
        "a long value": lambda n: head + b"<a b='" + b"x" * n + b"'/>" + tail,
        "text": lambda n: head + b"<a>" + b"x" * n + b"</a>" + tail,
        "white space": lambda n: head + b" " * n + tail,
        "text between elements": lambda n: head + b"<a/>x" * (n // 5) + tail,
        "digits": lambda n: head + b"<GrpHdr><NbOfTxs>" + b"9" * n + b"</NbOfTxs></GrpHdr>" + tail,
        "a sum of digits": lambda n: head + b"<GrpHdr><CtrlSum>" + b"9" * n + b"</CtrlSum></GrpHdr>" + tail,
        "a long namespace": lambda n: b'<Document xmlns="' + b"u" * n + b'"/>',
        "prefixes": _filled(head, lambda one: b'<q%d:a xmlns:q%d="u"/>' % (one % 7, one % 7), tail),
    }  # fmt: skip


def csv(columns: bytes, row: bytes) -> Worst:
    """A table with that head; `row` is a good one, with {} where its amount is."""
    head = columns + b"\n"

    def rows(amount: bytes) -> Callable[[int], bytes]:
        return _filled(head, lambda _: row.replace(b"{}", amount) + b"\n")

    return {
        "good rows": rows(b"12.50"),
        "bad rows": rows(b"x"),
        "exponents": rows(b"1e99999999"),
        "digits": lambda n: head + row.replace(b"{}", b"9" * n) + b"\n",
        "digits in every row": rows(b"9" * 400),
        "columns": lambda n: columns + b",metadata.x" * (n // 11) + b"\n",
        "names of columns": _filled(columns, lambda one: b",n%d" % one, b"\n"),
        "commas": lambda n: head + b"," * n,
        "rows of commas": lambda n: head + (b"," * 800 + b"\n") * (n // 801),
        "semicolons": lambda n: b";" * n,
        "a quotation without its end": lambda n: head + b'"' + b"x" * n,
        "a quotation over lines": lambda n: head + b'"' + b"\n" * n,
        "quotation marks": lambda n: head + b'"' * n,
        "empty lines": lambda n: head + b"\n" * n,
        "empty lines above": lambda n: b"\n" * n + head,
        "carriage returns": lambda n: head + b"\r" * n,
        "one cell": lambda n: head + b"x" * n,
        "cells": lambda n: head + b"x\n" * (n // 2),
        "spaces": lambda n: head + b" " * n,
        "bad UTF-8": lambda n: head + b"\xc3\x28" * (n // 2),
        "UTF-16": lambda n: b"\xff\xfe" + b"\x00\xd8" * (n // 2),
    }


PAYMENTS = csv(
    b"reference,source_currency,source_amount,target_currency,payer_name,recipient_name,recipient_bank_code,recipient_account_number",
    b"ref,EUR,{},IDR,Astrid,Siti,014,1234567890",
)

# What stands in a head: of a request's line, or of one field.
FIELD: Worst = {
    "semicolons": lambda n: b"a/b" + b";" * n,
    "parameters": _filled(b"a/b", lambda one: b";a%d=b" % one),
    "an open quotation": lambda n: b'a/b;a="' + b"x;" * (n // 2),
    "quotation marks": lambda n: b"a/b;a=" + b'"' * n,
    "quotations": lambda n: b"a/b" + b';a="x"' * (n // 6),
    "backslashes": lambda n: b'a/b;a="' + b"\\" * n,
    "commas": lambda n: b"," * n,
    "spaces": lambda n: b" " * n,
    "tabs in a parameter": lambda n: b"a/b;a=\t" + b"\t " * (n // 2) + b"x",
    "equals signs": lambda n: b"a/b;" + b"=" * n,
    "stars": _filled(b"a/b", lambda one: b";a*%d*=x" % one),
    "percent signs": lambda n: b"a/b;a*=utf-8''" + b"%41" * (n // 3),
    "parentheses": lambda n: b"sig1=" + b"(" * n,
    "members": _filled(b"", lambda one: b's%d=("@path");keyid="x",' % one),
    "one member again": _filled(b"", lambda _: b's=("@path");keyid="x",'),
    "covered": _filled(b"sig1=(", lambda one: b'"a%d" ' % one, b');keyid="x"'),
    "base64": lambda n: b"sig1=:" + b"A" * n + b":",
    "digits": lambda n: b'sig1=("@path");created=' + b"9" * n,
    "slashes": lambda n: b"/" * n,
    "dots": lambda n: b"/v1/" + b"." * n,
    "dot segments": lambda n: b"/v1" + b"/.." * (n // 3),
    "percent-encoded": lambda n: b"/v1/" + b"%41" * (n // 3),
    "bad percent": lambda n: b"/v1/" + b"%4" * (n // 2),
    "ampersands": lambda n: b"&" * n,
    "pairs": _filled(b"", lambda one: b"a%d=1&" % one),
    "one pair again": lambda n: b"a=1&" * (n // 4),
    "plus signs": lambda n: b"a=" + b"+" * n,
    "an address": lambda n: b"https://" + b"a." * (n // 2) + b"b/",
    "numbers": lambda n: b"https://" + b"1." * (n // 2) + b"1/",
    "an address of colons": lambda n: b"https://[" + b":" * n + b"]/",
    "user names": lambda n: b"https://" + b"a@" * (n // 2) + b"b/",
}


def _segment(text: bytes) -> bytes:
    return urlsafe_b64encode(text).rstrip(b"=")


def _token(make: Callable[[int], bytes]) -> Callable[[int], bytes]:
    """A token with that in its header and in its claims."""
    return lambda n: _segment(make(n // 3)) + b"." + _segment(make(n // 3)) + b".AAAA"


JWT: Worst = {
    **{name: _token(make) for name, make in JSON.items()},
    "dots alone": lambda n: b"." * n,
    "base64": lambda n: b"A" * (n // 3) + b"." + b"A" * (n // 3) + b"." + b"A" * (n // 3),
    "a key of its own": lambda n: _segment(b'{"alg":"EdDSA","jwk":{"k":"' + b"A" * (n // 2) + b'"}}') + b".e30.AAAA",
    "crit": lambda n: _segment(b'{"alg":"EdDSA","crit":[' + b'"x",' * (n // 8) + b'"x"]}') + b".e30.AAAA",
}
