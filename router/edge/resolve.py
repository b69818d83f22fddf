"""Which cell a request belongs to, told from its path, its host and two headers. Pure.

In this order: the cell inside a resource id of the path (`/v1/transfers/tr_eu1_…`); the region that the caller names, in
the path (`/id/v1/quotes`), the `Kovra-Region` header or the host's first label (`id.api.example`); the home cell in the text
of the API key. A caller may name a cell (`id-1`) where it may name a region. What is named twice must agree, because a
request that went to the wrong side of a border could not be taken back.
"""

import re
from dataclasses import dataclass
from typing import NoReturn

from residency.directory import CellEntry, Directory, UnknownCell
from residency.errors import KovraError
from residency.ids import KINDS, expand

# Creating one of these sends personal data, which may only go to where it will stay: a default could be a leak.
REGION_REQUIRED = frozenset({"/v1/recipients", "/v1/payers"})

# The public keys of a tenant's webhooks differ by region, and are asked for without a key.
_KEYS_PATH = "/.well-known/jwks.json"

_ID_HEAD = re.compile(r"([a-z]{2,3})_([a-z]{2}[0-9]{1,4})_")
_KEY_HEAD = re.compile(r"\b(?:kv_[a-z]+|key)_([a-z]{2}[0-9]{1,4})_")
_PREFIX = re.compile(r"/([A-Za-z]{2}|[a-z]{2}-?[0-9]{1,4})(?=/|$)")
_CELL = re.compile(r"([a-z]{2})-?([0-9]{1,4})")
_VERSION = re.compile(r"v[0-9]+")


class RegionRequired(KovraError):
    code = "region-required"
    status = 400
    title = "Say in which region this shall be kept"


class RegionsDisagree(KovraError):
    code = "regions-disagree"
    status = 400
    title = "The request names two different regions"


class PathInvalid(KovraError):
    code = "path-invalid"
    status = 400
    title = "That is no path of this API"


class KeyMissing(KovraError):
    """The same code as a cell's answer to a bad key: without a key there is no cell to ask."""

    code = "invalid-api-key"
    status = 401
    title = "The API key is missing, unknown, expired or revoked"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the router looks at. `path` as it came over the wire (percent-encoded), without the query."""

    method: str
    path: str
    host: str = ""
    region: str = ""
    authorization: str = ""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where to, and as what. `region` is what `Kovra-Region` says to the cell; None when the caller named none."""

    cell: CellEntry
    path: str
    region: str | None


def resolve(directory: Directory, asked: Asked) -> Resolved:
    """Raises PathInvalid, UnknownCell, RegionRequired, RegionsDisagree, KeyMissing."""
    if not asked.path.startswith("/"):
        raise PathInvalid("Paths start with a slash.")
    prefix, path = split_prefix(asked.path)
    named = _named(directory, prefix, asked.region, asked.host)
    by_id = _cell_in_path(directory, path)
    if by_id is not None:
        return Resolved(by_id, path, by_id.region if named else None)
    home = _home_cell(asked.authorization)
    if named:
        return Resolved(_cell_for(directory, named, home), path, _region(directory, named))
    if path == _KEYS_PATH or (asked.method == "POST" and path.rstrip("/") in REGION_REQUIRED):
        regions = sorted(directory.regions)
        raise RegionRequired(
            f"Name the region in the path (/{regions[0].lower()}{path.rstrip('/')}) or in the Kovra-Region header; "
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


def _home_cell(authorization: str) -> str | None:
    match = _KEY_HEAD.search(authorization)
    return expand(match[1]) if match else None


def _unknown(directory: Directory, name: str) -> NoReturn:
    regions, cells = sorted(directory.regions), sorted(directory.cells)
    # The name is the caller's own text: short, and in no log.
    raise UnknownCell(
        f"There is no region or cell {name[:16]!r}; regions are {', '.join(regions)}, cells {', '.join(cells)}.",
        regions=regions,
        cells=cells,
    )
