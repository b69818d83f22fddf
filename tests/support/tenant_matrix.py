"""Every route × another tenant's ids, drawn from the OpenAPI document: which calls are made, and with what.

A route whose ids or body are not known here is a gap, named by tests/architecture/test_routes.py.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from residency.ids import mint

Ids = Mapping[str, str]
Document = Mapping[str, Any]

# By the name under which routes and bodies ask for it: the kind that its ids have.
KINDS = {
    "transfer_id": "tr",
    "quote_id": "qt",
    "recipient_id": "rcp",
    "payer_id": "pyr",
    "wallet_id": "wal",
    "sub_wallet_id": "wal",
    "to_wallet_id": "wal",
    "book_id": "bok",
    "source_wallet_id": "wal",
    "batch_id": "bat",
    "intent_id": "int",
    "endpoint_id": "whe",
    "event_id": "evt",
    "tenant_id": "ten",
    "key_id": "key",
}
# Parameters of paths that name no tenant's thing.
NO_IDS = {"rail", "code"}
_SCHEMA = "#/components/schemas/"

# What a tenant would send to each route that takes a body, with ids of its own.
BODIES: Mapping[tuple[str, str], Callable[[Ids], dict[str, Any]]] = {
    ("POST", "/v1/transfers"): lambda own: {name: own[name] for name in ("quote_id", "recipient_id", "payer_id")},
    ("POST", "/v1/quotes"): lambda own: {"source": {"value": "1.00", "currency": "EUR"}, "target_currency": "EUR"},
    ("POST", "/v1/recipients"): lambda own: {
        "currency": "EUR", "name": "Own Recipient", "account": {"iban": "DE89370400440532013000"},
    },
    ("POST", "/v1/payers"): lambda own: {"name": "Own Payer", "customer_number": "C-1"},
    ("POST", "/v1/webhooks"): lambda own: {"url": "http://127.0.0.1:9/own"},
    ("PATCH", "/v1/webhooks/{endpoint_id}"): lambda own: {"status": "disabled"},
    ("POST", "/v1/webhooks/{endpoint_id}/secret"): lambda own: {"overlap_s": 0},
    ("POST", "/v1/webhooks/{endpoint_id}/replay"): lambda own: {"from": own["event_id"]},
    ("POST", "/v1/sandbox/deposits"): lambda own: {
        "wallet_id": own["wallet_id"], "amount": {"value": "1.00", "currency": "EUR"},
    },
    ("POST", "/v1/sandbox/settlements"): lambda own: {"transfer_id": own["transfer_id"]},
    ("POST", "/v1/sandbox/rejections"): lambda own: {"transfer_id": own["transfer_id"]},
    ("POST", "/v1/sandbox/returns"): lambda own: {"transfer_id": own["transfer_id"]},
    ("POST", "/v1/wallets/{wallet_id}/sub-wallets"): lambda own: {"name": "rent"},
    ("POST", "/v1/wallets/{wallet_id}/transfers"): lambda own: {
        "to_wallet_id": own["to_wallet_id"], "amount": {"value": "1.00", "currency": "EUR"},
    },
    ("POST", "/v1/intents"): lambda own: {
        "source": {"value": "1.00", "currency": "EUR"}, "target_currency": "EUR",
        "recipient_id": own["recipient_id"], "payer_id": own["payer_id"],
    },
    ("POST", "/v1/batches"): lambda own: {
        "source_wallet_id": own["wallet_id"],
        "lines": [
            {
                "recipient_id": own["recipient_id"], "payer_id": own["payer_id"],
                "source": {"value": "1.00", "currency": "EUR"}, "target_currency": "EUR",
            }
        ],
    },
    ("POST", "/v1/admin/tenants"): lambda own: {"name": "Mine"},
    ("PUT", "/v1/admin/tenants/{tenant_id}/tier"): lambda own: {"tier": "enterprise"},
    ("POST", "/v1/admin/tenants/{tenant_id}/keys"): lambda own: {"scopes": ["transfers"]},
    ("POST", "/v1/admin/tenants/{tenant_id}/keys/{key_id}/rotate"): lambda own: {"overlap_hours": 1},
    ("POST", "/v1/sandbox/time"): lambda own: {"seconds": 1},
}  # fmt: skip


@dataclass(frozen=True)
class Attempt:
    """One call of one tenant. `foreign`: where in it another's id stands, "" where it has none."""

    method: str
    template: str
    path: str
    query: Mapping[str, str]
    body: Any
    foreign: str

    def __str__(self) -> str:
        return f"{self.method} {self.template} with another's {self.foreign or 'nothing'}"


def guarded(document: Document) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(method, path, operation) of every route that needs a caller."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if operation.get("security"):
                yield method.upper(), path, operation


def gaps(document: Document) -> Iterator[str]:
    """What the matrix would have to leave out."""
    for method, path, operation in guarded(document):
        for one in operation.get("parameters", ()):
            name = one["name"]
            if one["in"] == "path" and name not in KINDS and name not in NO_IDS:
                yield f"{method} {path}  what is {name}? (KINDS, or NO_IDS)"
            if one["in"] == "query" and name.endswith("_id") and name not in KINDS:
                yield f"{method} {path}  what is {name}? (KINDS)"
        if "requestBody" in operation and (method, path) not in BODIES:
            yield f"{method} {path}  what does its body look like? (BODIES)"
        for name in _names(document, operation.get("requestBody", {})):
            if name.endswith("_id") and name not in KINDS:
                yield f"{method} {path}  what is {name} in its body? (KINDS)"


def attempts(document: Document, own: Ids, theirs: Ids) -> Iterator[Attempt]:
    """With ids of the caller's own, and one of `theirs` in each place in turn; without any id, what is listed."""
    for method, path, operation in guarded(document):
        in_path = [
            one["name"] for one in operation.get("parameters", ()) if one["in"] == "path" and one["name"] in KINDS
        ]
        # A body with parameters beside it (a file) says the same as one that holds them (JSON), which is tried.
        in_query = [
            one["name"]
            for one in operation.get("parameters", ())
            if one["in"] == "query" and one["name"] in KINDS and method == "GET"
        ]
        build = BODIES.get((method, path))
        body = build(own) if build is not None and "requestBody" in operation else None
        if not in_path:
            yield Attempt(method, path, path, {}, body, "")
        for name in in_path:
            yield Attempt(method, path, path.format(**{**own, name: theirs[name]}), {}, body, name)
        plain = path.format(**own) if in_path else path
        for name in in_query:
            yield Attempt(method, path, plain, {name: theirs[name]}, body, name)
        for place, changed in _with_foreign(body, own, theirs):
            yield Attempt(method, path, plain, {}, changed, place)


def nobodys(cell: str) -> dict[str, str]:
    """Ids of the right form that nobody has."""
    return {name: mint(kind, cell) for name, kind in KINDS.items()}


def _with_foreign(body: Any, own: Ids, theirs: Ids) -> Iterator[tuple[str, Any]]:
    """The body with each of the caller's ids in turn replaced by the other's of the same name."""
    by_id = {value: name for name, value in own.items()}

    def places(value: Any, at: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], str]]:
        if isinstance(value, dict):
            for key, one in value.items():
                yield from places(one, (*at, key))
        elif isinstance(value, list):
            for number, one in enumerate(value):
                yield from places(one, (*at, number))
        elif isinstance(value, str) and value in by_id:
            yield at, by_id[value]

    for at, name in list(places(body, ())):
        changed = copy.deepcopy(body)
        inside = changed
        for step in at[:-1]:
            inside = inside[step]
        inside[at[-1]] = theirs[name]
        yield "body's " + "/".join(map(str, at)), changed


def _names(document: Document, found: Any) -> Iterator[str]:
    """The names of all fields of a body, through its references."""
    if isinstance(found, dict):
        yield from found.get("properties", {})
        if "$ref" in found:
            yield from _names(document, document["components"]["schemas"][found["$ref"].removeprefix(_SCHEMA)])
        for key, one in found.items():
            if key not in ("examples", "example"):
                yield from _names(document, one)
    elif isinstance(found, list):
        for one in found:
            yield from _names(document, one)
