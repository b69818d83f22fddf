"""How a cell and a scheme's gateway know each other: an address, a participant name and a shared secret.

Every body is authenticated by HMAC-SHA-256 over `timestamp.body` with the connection's secret; the raw bytes
are signed, never a re-serialisation. A timestamp older than five minutes is refused, so that a recorded
message cannot be replayed later (within the five minutes the scheme reference makes it a duplicate).
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cells.rails.profile import RailProfile, Wire
from cells.rails.snap.access import SnapAccess
from residency.errors import KovraError

PARTICIPANT_HEADER = "Scheme-Participant"
TIMESTAMP_HEADER = "Scheme-Timestamp"
SIGNATURE_HEADER = "Scheme-Signature"
REPLAY_WINDOW_S = 300


class SchemeSignatureInvalid(KovraError):
    """Whoever sent this did not prove to be the scheme."""

    code = "scheme-signature-invalid"
    status = 401
    title = "The scheme's signature does not hold"


@dataclass(frozen=True, slots=True)
class SchemeConnection:
    """`url` is the rail's address at its gateway. `answer_time_s` and `finality_time_s` shorten the profile's (None keeps them), and
    without `keeps_hours` the rail never closes: before a simulated scheme only, whose silence is meant. `snap`: how a bank knows us
    whose wire is SNAP, and then `secret` is the client secret; None on the ISO 20022 wire.
    """

    url: str
    participant: str
    secret: bytes = field(repr=False)
    answer_time_s: float | None = None
    finality_time_s: float | None = None
    keeps_hours: bool = True
    snap: SnapAccess | None = None

    @property
    def wire(self) -> Wire:
        return "iso20022" if self.snap is None else "snap"

    def shortened(self, profile: RailProfile) -> RailProfile:
        """The profile with the connection's times and hours."""
        return profile.model_copy(
            update={
                "answer_time_s": self.answer_time_s or profile.answer_time_s,
                "finality_time_s": self.finality_time_s or profile.finality_time_s,
                "hours": profile.hours if self.keeps_hours else None,
            }
        )


def sign(secret: bytes, body: bytes, at: datetime) -> dict[str, str]:
    """The headers that authenticate `body`, without the participant."""
    timestamp = str(int(at.timestamp()))
    return {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: _mac(secret, timestamp, body)}


def verify(secret: bytes, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Raises SchemeSignatureInvalid. `headers` is looked up case-insensitively."""
    pairs = [(name.lower(), value) for name, value in headers.items()]
    given = dict(pairs)
    if any(sum(name == one.lower() for name, _ in pairs) > 1 for one in (TIMESTAMP_HEADER, SIGNATURE_HEADER)):
        raise SchemeSignatureInvalid("A header of the signature is there twice.")
    timestamp = given.get(TIMESTAMP_HEADER.lower(), "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise SchemeSignatureInvalid()
    if abs(now.timestamp() - int(timestamp)) > REPLAY_WINDOW_S:
        raise SchemeSignatureInvalid("The message is older than five minutes, or the clocks differ.")
    expected = _mac(secret, timestamp, body)
    if not hmac.compare_digest(expected.encode(), given.get(SIGNATURE_HEADER.lower(), "").encode()):
        raise SchemeSignatureInvalid()


def _mac(secret: bytes, timestamp: str, body: bytes) -> str:
    return hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
