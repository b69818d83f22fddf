"""How a bank that speaks SNAP knows us."""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import rsa

from cells.rails.profile import RailProfile
from cells.rails.snap.signatures import STANDARD, SignatureForm


def fitted(profile: RailProfile) -> RailProfile:
    """The profile with what fits into SNAP's fields."""
    if profile.snap is None:
        return profile
    lengths = {name: min(getattr(profile.text, name), length) for name, length in profile.snap}
    return profile.model_copy(update={"text": profile.text.model_copy(update=lengths)})


@dataclass(frozen=True, slots=True)
class SnapAccess:
    """`client_key` asks for tokens, `partner_id` and `channel_id` stand on every request; `source_account` is the account at that bank
    from which it pays.
    """

    client_key: str
    partner_id: str
    channel_id: str
    source_account: str
    private_key: rsa.RSAPrivateKey = field(repr=False)
    form: SignatureForm = STANDARD
