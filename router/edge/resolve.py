"""Which cell a request belongs to, told from its path, its host and two headers. Pure.

In this order: the cell inside a resource id of the path (`/v1/transfers/tr_eu1_…`); the region that the caller names, in
the path (`/id/v1/quotes`), the `Kovra-Region` header or the host's first label (`id.api.example`); the home cell in the text
of the API key, in the id of the client or of the key that signs, or in the header of an access token, of which nothing is believed:
the cell checks it, and a wrong one leads to a cell that refuses it. A caller may name a cell (`id-1`) where it may name a region. What is named twice must agree, because a
request that went to the wrong side of a border could not be taken back.
"""

import base64
import re
from dataclasses import dataclass
from typing import NoReturn

from residency.directory import CellEntry, Directory, UnknownCell
from residency.errors import KovraError
from residency.ids import KINDS, expand
from router.edge.paths import check_carried

# Creating one of these sends personal data, which may only go to where it will stay: a default could be a leak.
REGION_REQUIRED = frozenset({"/v1/recipients", "/v1/payers"})

# Public keys, and where tokens are given, differ by region, and are asked for without a key.
_OF_A_REGION = frozenset({"/.well-known/jwks.json", "/.well-known/oauth-authorization-server"})
_TOKEN_PATH = "/v1/oauth/token"  # noqa: S105 - an address

_ID_HEAD = re.compile(r"([a-z]{2,3})_([a-z]{2}[0-9]{1,4})_")
_KEY_HEAD = re.compile(r"\b(?:kv_[a-z]+|key)_([a-z]{2}[0-9]{1,4})_")
_KID_HEAD = re.compile(rb'"kid" *: *"([a-z]{2}[0-9]{1,4})-')
# A head of base64 is enough to find a cell in; the rest of a token is the cell's to read.
_ENCODED_MAX = 1_024
_PREFIX = re.compile(r"/([A-Za-z]{2}|[a-z]{2}-?[0-9]{1,4})(?=/|$)")
_CELL = re.compile(r"([a-z]{2})-?([0-9]{1,4})")
_VERSION = re.compile(r"v[0-9]+")


class RegionRequired(KovraError):
    code = "region-required"
    status = 400
    title = "Name the region of this request"


class RegionsDisagree(KovraError):
    code = "regions-disagree"
    status = 400
    title = "The request names two different regions"


class KeyMissing(KovraError):
    """The same code as a cell's answer to a bad key: without a key there is no cell to ask."""

    code = "invalid-api-key"
    status = 401
    title = "The API key is missing, unknown, expired or revoked"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the router looks at. `path` normalised (paths.py), without the query."""

    method: str
    path: str
    host: str = ""
    region: str = ""
    authorization: str = ""
    signature_input: str = ""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where to, and as what. `region` is what `Kovra-Region` says to the cell; None when the caller named none."""

    cell: CellEntry
    path: str
    region: str | None


def resolve(directory: Directory, asked: Asked) -> Resolved:
    """Raises PathUnknown, UnknownCell, RegionRequired, RegionsDisagree, KeyMissing."""
    prefix, path = split_prefix(asked.path)
    check_carried(path)
    named = _named(directory, prefix, asked.region, asked.host)
    by_id = _cell_in_path(directory, path)
    if by_id is not None:
        return Resolved(by_id, path, by_id.region if named else None)
    home = _home_cell(asked.authorization or asked.signature_input)
    if named:
        return Resolved(_cell_for(directory, named, home), path, _region(directory, named))
    personal = asked.method == "POST" and path in REGION_REQUIRED
    if personal or path in _OF_A_REGION or (path == _TOKEN_PATH and home is None):
        regions = sorted(directory.regions)
        raise RegionRequired(
            f"Name the region in the path (/{regions[0].lower()}{path}) or in the Kovra-Region header; "
            f"it is one of {', '.join(regions)}.",
            regions=regions,
        )
    if home is None:
        raise KeyMissing("Send your API key as Authorization: Bearer kv_….")
    if home not in directory.cells:
        _unknown(directory, home)
    return Resolved(directory.cells[home], path, None)


def split_prefix(path: str) -> tuple[str, str]:
    """`/id/v1/quotes` → (`id`, `/v1/quotes`); a path without a region or cell in front is answered as it is."""
    match = _PREFIX.match(path)
    if match is None or _VERSION.fullmatch(match[1]):
        return "", path
    return match[1], path[match.end() :] or "/"


def _named(directory: Directory, prefix: str, header: str, host: str) -> str:
    """The region or cell that the caller names, "" for none. Raises UnknownCell, RegionsDisagree."""
    told = [_normal(text) for text in (prefix, header) if text]
    for one in told:
        if one not in directory.regions and one not in directory.cells:
            _unknown(directory, one)
    # A host has a first label whatever it means, so only one that is a region counts.
    label = host.partition(".")[0].upper()
    if label in directory.regions:
        told.append(label)
    if not told:
        return ""
    if len({_region(directory, one) for one in told}) > 1 or len({one for one in told if one in directory.cells}) > 1:
        raise RegionsDisagree(f"It names {' and '.join(dict.fromkeys(told))}; name one.")
    return next((one for one in told if one in directory.cells), told[0])


def _normal(named: str) -> str:
    cell = _CELL.fullmatch(named.strip().lower())
    return f"{cell[1]}-{cell[2]}" if cell else named.strip().upper()


def _region(directory: Directory, named: str) -> str:
    return directory.cells[named].region if named in directory.cells else named


def _cell_for(directory: Directory, named: str, home: str | None) -> CellEntry:
    if named in directory.cells:
        return directory.cells[named]
    # In a region of several cells, a tenant at home there stays in its own.
    if home is not None and home in directory.cells and directory.cells[home].region == named:
        return directory.cells[home]
    return directory.first_cell(named)


def _cell_in_path(directory: Directory, path: str) -> CellEntry | None:
    for segment in path.split("/"):
        match = _ID_HEAD.match(segment)
        if match is not None and match[1] in KINDS:
            name = expand(match[2])
            if name not in directory.cells:
                _unknown(directory, name)
            return directory.cells[name]
    return None


def _home_cell(told: str) -> str | None:
    """The cell in an API key, in the id of a client or signing key, or in the header of an access token."""
    match = _KEY_HEAD.search(told)
    if match:
        return expand(match[1])
    scheme, _, encoded = told.partition(" ")
    head = encoded.strip().partition(".")[0]
    decoded = _decoded(head) if scheme.lower() in ("basic", "bearer") else b""
    found = _KEY_HEAD.search(decoded.decode("latin-1")) or _KID_HEAD.search(decoded)
    if found is None:
        return None
    cell = found[1]
    return expand(cell.decode() if isinstance(cell, bytes) else cell)


def _decoded(text: str) -> bytes:
    """Base64 of either alphabet, with or without padding; nothing for what is none."""
    try:
        return base64.b64decode(text[:_ENCODED_MAX].rstrip("=") + "==", altchars=b"-_")
    except ValueError:
        return b""


def _unknown(directory: Directory, name: str) -> NoReturn:
    regions, cells = sorted(directory.regions), sorted(directory.cells)
    # The name is the caller's own text: short, and in no log.
    raise UnknownCell(
        f"There is no region or cell {name[:16]!r}; regions are {', '.join(regions)}, cells {', '.join(cells)}.",
        regions=regions,
        cells=cells,
    )
