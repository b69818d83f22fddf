"""API keys: what they carry, and that every wrong one is refused in the same words."""

from datetime import UTC, datetime, timedelta

import pytest

from cells.tenants.keys import InvalidKey, MintedKey, check_key, mint_key, parse_key
from cells.tenants.tenant import ApiKey

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def _stored(minted: MintedKey, *, expires_at: datetime | None = None, revoked_at: datetime | None = None) -> ApiKey:
    scopes = frozenset({"read"})
    return ApiKey(minted.key_id, "ten_eu1_x", minted.secret_sha256, scopes, "", expires_at, revoked_at)


def test_a_key_says_where_its_tenant_is_at_home_and_keeps_no_secret() -> None:
    minted = mint_key("eu-1", "sandbox")
    assert minted.text.startswith("kv_sandbox_eu1_")
    presented = parse_key(minted.text)
    assert (presented.home_cell, presented.key_id) == ("eu-1", minted.key_id)
    secret = minted.text.rsplit("_", 1)[1]
    assert secret not in repr(_stored(minted))
    assert secret not in repr(presented)
    assert check_key(presented, _stored(minted), NOW).tenant_id == "ten_eu1_x"


@pytest.mark.parametrize(
    "text", ["", "kv_", "Bearer kv_sandbox_eu1_a_b", "kv_sandbox_eu1_" + "a" * 26 + "_" + "a" * 51]
)
def test_what_is_not_a_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidKey):
        parse_key(text)


def test_every_reason_against_a_key_is_told_in_the_same_words() -> None:
    minted, other = mint_key("eu-1", "sandbox"), mint_key("eu-1", "sandbox")
    presented = parse_key(minted.text)
    against = [
        None,
        _stored(other),
        _stored(minted, revoked_at=NOW),
        _stored(minted, expires_at=NOW),
    ]
    told = []
    for stored in against:
        with pytest.raises(InvalidKey) as refused:
            check_key(presented, stored, NOW)
        told.append((refused.value.detail, refused.value.extra))
    assert len({str(one) for one in told}) == 1
    assert check_key(presented, _stored(minted, expires_at=NOW + timedelta(seconds=1)), NOW)
