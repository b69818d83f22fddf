"""Every door: what reads the bytes of a stranger or a partner, how many of them, and what the worst of them may cost.

`reads` names the functions that parse there; tests/architecture/test_doors.py holds it against the tree, so that a new parser is a door
or says whose bytes it reads. tests/unit/test_doors.py feeds each door the texts of worst_texts.py. The budget is for a text as long as the
door takes, in loops of reference().
"""

import contextlib
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import BaseModel
from starlette.datastructures import QueryParams
from starlette.requests import Request

from cells.kit.forwarded import origin
from cells.kit.headers import single_headers
from cells.parties.token import split_token
from cells.rails import name_check
from cells.rails.connection import verify
from cells.rails.inbound import read_inbound
from cells.rails.iso20022.upload_file import FILE_BYTES_MAX
from cells.rails.iso20022.uploads import read_upload
from cells.rails.registry import profile_of
from cells.rails.snap import door as snap_door
from cells.rails.snap.notices import NoticeInvalid, read_payment
from cells.rails.snap.signatures import STANDARD, instant, minified
from cells.tenants.signatures import check_body, read_head
from cells.tenants.tokens import TokenDesk
from cells.webhooks.guard import check_url
from residency import i_json
from residency.envelope import ENVELOPE_BYTES_MAX, open_envelope
from residency.errors import KovraError
from residency.ids import parse
from router.api import front, media, shapes
from router.api.app import create_app
from router.api.routes import PartnerRoute
from router.api.v1 import batch_csv, oauth
from router.api.v1.batch_reading import BatchNew, read_lines
from router.api.v1.batch_reading import read_head as read_batch
from router.api.v1.transfers import TransferNew
from router.cli.payments_file import FILE_BYTES_MAX as PAYMENTS_BYTES_MAX
from router.cli.payments_file import read_payments
from router.edge.paths import normalised
from router.edge.resolve import Asked, resolve
from router.serving import Bounds
from tests.support.border import NOW, make_world
from tests.support.worst_texts import FIELD, JSON, JWT, PAYMENTS, Worst, csv, of_model, xml

HEAD = Bounds().head_bytes_max
_WORLD = make_world()
_EU = _WORLD.directory.cells["eu-1"]
_BATCH_CSV = csv(b"recipient_id,amount,reference", b"rcp_eu1_0000,{},one")


class Door(NamedTuple):
    """`read` raises what `refusals` name, and nothing else, whatever it is given."""

    name: str
    reads: frozenset[str]
    size_max: int
    budget: float
    read: Callable[[bytes], object]
    worst: Worst
    refusals: tuple[type[Exception], ...] = (KovraError,)


def reference() -> int:
    """The yardstick: so much plain computing."""
    return sum(one * one for one in range(100_000))


def _bodies() -> list[Any]:
    """The models of all bodies that partners and the operator send as JSON."""
    found: set[Any] = {TransferNew}
    for route in create_app(_WORLD.spec("eu-1")).routes:
        if isinstance(route, PartnerRoute) and route.body_field is not None:
            model = route.body_field.field_info.annotation
            if isinstance(model, type) and issubclass(model, BaseModel) and model.model_fields:
                found.add(model)
    return sorted(found - {BatchNew}, key=lambda one: one.__name__)


def _text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: read(data.decode("latin-1"))


def _request(name: str, data: bytes, query: bytes = b"") -> Request:
    return Request(
        {"type": "http", "headers": [(name.encode(), data)], "query_string": query, "method": "POST", "path": "/"}
    )


def _form(data: bytes) -> object:
    request = _request("content-type", b"application/x-www-form-urlencoded")
    request._body = data
    # It awaits nothing: the body is there.
    try:
        oauth._read(request).send(None)
    except StopIteration as found:
        return found.value
    raise AssertionError("it waits")


def _batch(data: bytes) -> object:
    return read_lines(read_batch(data).lines, "EUR", None)


def _signature(data: bytes) -> object:
    text = data.decode("latin-1")
    good = '("@method" "@path" "@query" "content-digest");created=1795245139;keyid="key_eu1_' + "0" * 26 + '";nonce="n"'
    head = read_head(f"sig1={good}", f"sig1=:{'A' * 43}=:, {text}", 1795245139.0)
    for read in (lambda: read_head(text, f"sig1=:{'A' * 43}=:", 1795245139.0), lambda: check_body(head, text, b"x")):
        try:
            read()
        except KovraError:
            continue
    return head


def _routed(data: bytes) -> object:
    text = data.decode("latin-1")
    for asked in (Asked("GET", "/v1/me", authorization=f"Bearer {text}"), Asked("GET", "/v1/me", authorization=f"Basic {text}"),
                  Asked("GET", "/v1/me", signature_input=text), Asked("GET", "/v1/me", host=text), Asked("GET", f"/v1/me/{text}")):  # fmt: skip
        try:
            resolve(_WORLD.directory, asked)
        except KovraError:
            continue
    return resolve(_WORLD.directory, Asked("GET", "/v1/me", region=text))


def _head(data: bytes) -> object:
    text = data.decode("latin-1")
    single_headers([(b"accept", data)] * 99)
    return origin({"host": text, "kovra-router": f"1 {'a' * 64}", "forwarded": text}, text, [b"s" * 32], 1.0)


def _scheme_headers(data: bytes) -> object:
    text = data.decode("latin-1")
    STANDARD.read(text)
    with contextlib.suppress(ValueError):
        instant(text)
    return verify(b"s", {"Kovra-Timestamp": text, "Kovra-Signature": text}, b"", NOW)


def _framed(worst: Worst) -> Worst:
    """As the header of an envelope, which is read before its signature is checked."""

    def made(make: Callable[[int], bytes]) -> Callable[[int], bytes]:
        return lambda n: (
            b"KVB1" + b"".join(struct.pack(">I", len(one)) + one for one in (make(n), b"{}", b"")) + b"s" * 64
        )

    return {name: made(make) for name, make in worst.items()}


def _check_answer(data: bytes) -> object:
    return name_check._Answered.model_validate(i_json.loads(data))


_EDGE = frozenset({"router/edge/resolve.py::_decoded"})
_MODEL = frozenset(
    {
        "router/api/shapes.py::read",
        "router/api/routes.py::json",
        "router/api/routes.py::with_json",
        "residency/i_json.py::loads",
    }
)
_XML = frozenset(
    {
        "cells/rails/iso20022/xml.py::message_name",
        "cells/rails/iso20022/xml.py::parsed",
        "cells/rails/iso20022/xml.py::_parser",
    }
)
_SNAP = frozenset({"cells/rails/snap/notices.py::read_payment", "cells/rails/snap/signatures.py::read"})
_CSV = frozenset(
    {
        "cells/batches/columns.py::read_payment_rows",
        "cells/kit/csv_text.py::read_rows",
        "cells/kit/csv_text.py::_leading",
    }
)

DOORS = (
    *(
        Door(f"JSON body {model.__name__}", _MODEL, front.BODY_MAX_BYTES, 20, lambda data, model=model: shapes.read(model, data),
             {**JSON, **of_model(model)})
        for model in _bodies()
    ),
    Door("JSON batch", _MODEL, front.BATCH_BODY_MAX_BYTES, 2_000, _batch,
         {**JSON, **of_model(BatchNew), "bad lines": lambda n: b'{"currency":"EUR","lines":[' + b"{}," * (n // 3) + b"0]}"}),
    Door("CSV batch", _CSV, front.BATCH_BODY_MAX_BYTES, 2_000,
         lambda data: batch_csv.read_csv(data, "EUR", None), _BATCH_CSV),
    Door("pain.001 batch", _XML, FILE_BYTES_MAX, 4_000, read_upload, {
        **xml("pain.001.001.09", "CstmrCdtTrfInitn"), **{f"{name}, version 3": make for name, make in xml("pain.001.001.03", "CstmrCdtTrfInitn").items()}}),
    Door("CSV on the command line", _CSV, PAYMENTS_BYTES_MAX, 30_000, read_payments, PAYMENTS),
    *(
        Door(f"ISO message {name}", _XML, front.RAIL_BODY_MAX_BYTES, 200, lambda data: read_inbound("sepa_instant", data), xml(name, holder))
        for name, holder in (
            (profile_of("sepa_instant").messages.payment, "FIToFICstmrCdtTrf"), (profile_of("sepa_instant").messages.status, "FIToFIPmtStsRpt"),
            (profile_of("sepa_instant").messages.statement, "BkToCstmrStmt"), (profile_of("sepa_instant").messages.notification, "BkToCstmrDbtCdtNtfctn"),
            (profile_of("sepa_instant").messages.returned, "PmtRtr"), (profile_of("sepa_instant").messages.recall, "FIToFIPmtCxlReq"),
        )
    ),
    Door("SNAP notice", _SNAP, front.RAIL_BODY_MAX_BYTES, 200, lambda data: (minified(data), read_payment(profile_of("bi_fast"), data)), JSON,
         (KovraError, NoticeInvalid)),
    Door("SNAP answer", frozenset({"cells/rails/snap/door.py::_read"}), snap_door._ANSWER_BYTES_MAX, 30, lambda data: snap_door._read(200, data), JSON,
         (snap_door.Unknown,)),
    Door("payee check's answer", frozenset({"cells/rails/name_check.py::check"}), name_check._ANSWER_BYTES_MAX, 10, _check_answer, JSON, (ValueError,)),
    Door("signature of a scheme", _SNAP, HEAD, 10, _scheme_headers, FIELD),
    Door("form of a token request", frozenset({"router/api/v1/oauth.py::_read"}), front.BODY_MAX_BYTES, 20, _form, FIELD),
    Door("HTTP Basic", frozenset({"router/api/v1/oauth.py::_credentials"}), HEAD, 10,
         lambda data: oauth._credentials("Basic " + data.decode("latin-1"), {}), FIELD | JWT),
    Door("request signature", frozenset({"cells/tenants/signatures.py::_bytes"}), HEAD, 10, _signature, FIELD),
    Door("access token", frozenset({"cells/tenants/tokens.py::read"}), HEAD, 10, _text(lambda text: TokenDesk(_EU, "x").read(text, NOW)), JWT),
    Door("token of a recipient", frozenset({"cells/parties/token.py::_split"}), HEAD, 10, _text(split_token), FIELD | JWT),
    Door("query", frozenset(), HEAD, 20, lambda data: QueryParams(data).multi_items(), FIELD),
    Door("media type", frozenset({"router/api/media.py::media_type"}), HEAD, 20, lambda data: media.media_type(_request("content-type", data)), FIELD),
    Door("path at the router", frozenset(), HEAD, 10, _text(normalised), FIELD),
    Door("whom the router asks", _EDGE, HEAD, 10, _routed, FIELD | JWT),
    Door("headers", frozenset({"cells/kit/forwarded.py::origin"}), HEAD, 10, _head, FIELD),
    Door("id, cursor, Last-Event-ID", frozenset(), HEAD, 10, _text(lambda text: parse(text, "evt")), FIELD, (KovraError, ValueError)),
    Door("URL of a webhook", frozenset(), front.BODY_MAX_BYTES, 20, _text(lambda text: check_url(text, ())), FIELD),
    Door("envelope", frozenset({"residency/envelope.py::_unframe", "residency/envelope.py::open_envelope"}), ENVELOPE_BYTES_MAX, 20,
         lambda data: open_envelope(data, _WORLD.directory, here="id-1", at=NOW), _framed(JSON)),
)  # fmt: skip
