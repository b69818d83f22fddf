"""The connector of a rail: how a cell reaches the scheme that a profile describes, over the wire that its settings name."""

from dataclasses import replace

from cells.rails.archive import MessageArchive
from cells.rails.connection import SchemeConnection
from cells.rails.iso20022.connector import Iso20022Rail
from cells.rails.profile import RailProfile
from cells.rails.profile_files import rail_profiles
from cells.rails.rail import Rail
from cells.rails.snap.access import SnapAccess, fitted
from cells.rails.snap.connector import SnapRail
from cells.rails.snap.notices import NoticeAccess
from cells.rails.snap.signatures import SignatureForm, private_key, public_key
from cells.spec import CellSpec, SnapSettings
from residency.errors import KovraError


class UnknownRail(KovraError):
    code = "unknown-rail"
    status = 404
    title = "There is no such rail"


class WireUnknown(KovraError):
    code = "wire-unknown"
    title = "The rail does not speak over that wire"


def profile_of(name: str) -> RailProfile:
    """Raises UnknownRail."""
    try:
        return rail_profiles()[name]
    except KeyError:
        raise UnknownRail(f"Use one of {', '.join(sorted(rail_profiles()))}.") from None


def connection_to(name: str, cell_number: int, url: str, secret: str) -> SchemeConnection:
    """How the cell of that number reaches the rail: `url` and `secret` as its settings say.
    Raises UnknownRail.
    """
    return SchemeConnection(url.rstrip("/"), profile_of(name).participant_of(cell_number), secret.encode())


def connection_of(spec: CellSpec, name: str) -> SchemeConnection:
    """How a cell reaches one of its rails, with the times and hours that its settings give it. Reads the key of a SNAP wire.

    Raises UnknownRail; OSError, ValueError, TypeError where that key cannot be read.
    """
    snap = spec.settings.schemes[name].snap
    return replace(_timed(spec, name), snap=None if snap is None else _access(snap))


def _timed(spec: CellSpec, name: str) -> SchemeConnection:
    settings = spec.settings.schemes[name]
    return replace(
        connection_to(name, spec.entry.number, settings.url, settings.secret),
        answer_time_s=settings.answer_time_s,
        finality_time_s=settings.finality_time_s,
        keeps_hours=settings.keeps_hours,
    )


def _access(settings: SnapSettings) -> SnapAccess:
    return SnapAccess(
        client_key=settings.client_key,
        partner_id=settings.partner_id,
        channel_id=settings.channel_id,
        source_account=settings.source_account,
        private_key=private_key(settings.private_key_path.read_bytes()),
        form=SignatureForm(settings.encoding, settings.signs_query),
    )


def notices_of(spec: CellSpec, name: str) -> NoticeAccess | None:
    """Whose notices by SNAP a cell believes for one of its rails; None where nobody's.
    Raises OSError, ValueError, TypeError where the bank's key cannot be read.
    """
    settings = spec.settings.schemes.get(name)
    snap = None if settings is None else settings.snap
    if snap is None or snap.bank_key_path is None:
        return None
    form = SignatureForm(snap.encoding, snap.signs_query)
    return NoticeAccess(snap.partner_id, public_key(snap.bank_key_path.read_bytes()), form)


def profiles_of(spec: CellSpec) -> list[RailProfile]:
    """The rails that a cell declares, in its order, as they are there. Raises UnknownRail."""
    return [_there(spec, name) for name in spec.entry.rails]


def _there(spec: CellSpec, name: str) -> RailProfile:
    settings = spec.settings.schemes.get(name)
    if settings is None:
        return profile_of(name)
    timed = _timed(spec, name).shortened(profile_of(name))
    return timed if settings.snap is None else fitted(timed)


def open_rail(name: str, connection: SchemeConnection, archive: MessageArchive | None = None) -> Rail:
    """A connector for the named scheme, over the connection's wire. Opens its sockets at first use; close() it.
    Raises UnknownRail, WireUnknown.
    """
    profile = profile_of(name)
    if connection.wire not in profile.wires:
        raise WireUnknown(f"{profile.title} speaks {' or '.join(profile.wires)}, not {connection.wire}.")
    if connection.snap is not None:
        return SnapRail(connection.shortened(profile), connection, connection.snap)
    return Iso20022Rail(connection.shortened(profile), connection, archive)
