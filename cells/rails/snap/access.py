"""How a bank that speaks SNAP knows us."""

from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric import rsa

from cells.rails.profile import RailProfile
from cells.rails.snap.signatures import STANDARD, SignatureForm

# ASPI, SNAP, Transfer Interbank: beneficiaryAccountName; the length of `remark` is not confirmed.
_NAME_LENGTH, _REMARK_LENGTH = 100, 50


def fitted(profile: RailProfile) -> RailProfile:
    """The profile with what fits into SNAP's fields."""
    text = profile.text
    return replace(
        profile,
        text=replace(
            text,
            name_length=min(text.name_length, _NAME_LENGTH),
            remittance_length=min(text.remittance_length, _REMARK_LENGTH),
        ),
    )


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
