"""A token pays one recipient, for one tenant, in one currency, by the word of one cell."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from cells.parties.token import (
    RecipientToken,
    TokenCheck,
    TokenVerifier,
    UnknownRecipient,
    WrongRecipientCurrency,
    sign_tokens,
    split_token,
)
from residency.directory import Directory, PublicKey, load_directory
from residency.errors import KovraError
from residency.ids import mint

TENANT = mint("ten", "eu-1")
STRANGER = mint("ten", "eu-1")
KEY = Ed25519PrivateKey.generate()
EU_KEY = Ed25519PrivateKey.generate()
NOW = datetime.now(UTC)


def published(key: Ed25519PrivateKey, kid: str, days_before: int = 1, days_after: int = 90) -> PublicKey:
    return PublicKey(
        kid=kid,
        use="signing",
        public_hex=key.public_key().public_bytes_raw().hex(),
        not_before=NOW - timedelta(days=days_before),
        not_after=NOW + timedelta(days=days_after),
    )


def directory(**keys: tuple[PublicKey, ...]) -> Directory:
    """The declared cells, with the keys given under their compact names."""
    cells = load_directory().cells
    return Directory(
        cells={name: cell.model_copy(update={"keys": keys.get(cell.compact, ())}) for name, cell in cells.items()}
    )


DIRECTORY = directory(
    id1=(published(KEY, "id1-signing-20261101-1"),), eu1=(published(EU_KEY, "eu1-signing-20261101-1"),)
)


def signed(key: Ed25519PrivateKey = KEY, cell: str = "id-1", currency: str = "IDR", tenant: str = TENANT) -> str:
    [token] = sign_tokens(key, tenant, [(mint("rcp", cell), currency)])
    return token


def verified(
    text: str, *, tenant: str = TENANT, currency: str | None = None, known: Directory = DIRECTORY
) -> RecipientToken | KovraError:
    [answer] = TokenVerifier(known).verify([TokenCheck(text, tenant, currency)])
    return answer


def test_a_good_token_says_where_the_recipient_lives() -> None:
    text = signed()
    assert verified(text, currency="IDR") == split_token(text)
    assert (split_token(text).cell, split_token(text).currency) == ("id-1", "IDR")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(signed(Ed25519PrivateKey.generate()), id="forged"),
        pytest.param(signed(tenant=STRANGER), id="another tenant's"),
        pytest.param(signed().replace(".IDR.", ".EUR."), id="currency changed"),
        pytest.param(signed().replace("rcp_id1_", "rcp_eu1_"), id="moved to another cell"),
        pytest.param(signed(EU_KEY), id="signed by another cell"),
        pytest.param(signed().replace("rcp_id1_", "rcp_zz9_"), id="of a cell we do not know"),
        pytest.param(signed(cell="uk-1", currency="GBP"), id="of a cell without keys"),
        pytest.param(mint("rcp", "id-1"), id="without signature"),
        pytest.param(signed().replace("rcp_", "pyr_"), id="of another kind"),
        pytest.param(signed() + ".x", id="with something behind it"),
        pytest.param("rcp_id1_.IDR." + "A" * 86, id="without an id"),
        pytest.param("", id="empty"),
    ],
)
def test_what_the_cell_did_not_sign_for_this_tenant_is_unknown(text: str) -> None:
    answer = verified(text)
    assert isinstance(answer, UnknownRecipient)
    # One answer for all of them, so that trying tells nothing.
    nothing = verified("")
    assert isinstance(nothing, UnknownRecipient)
    assert (answer.detail, answer.extra) == (nothing.detail, nothing.extra)


def test_the_wrong_currency_is_refused_by_its_own_name() -> None:
    answer = verified(signed(), currency="GBP")
    assert isinstance(answer, WrongRecipientCurrency)
    assert "IDR" in answer.detail


@given(position=st.integers(min_value=0, max_value=10_000), sign=st.characters(codec="ascii"))
def test_no_single_character_can_be_changed(position: int, sign: str) -> None:
    text = signed()
    position %= len(text)
    altered = text[:position] + sign + text[position + 1 :]
    answer = verified(altered)
    assert isinstance(answer, UnknownRecipient) == (altered != text)


def test_a_rotated_key_still_vouches_for_the_tokens_of_its_time() -> None:
    text = signed()
    old, new = (
        published(KEY, "id1-signing-20261101-1"),
        published(Ed25519PrivateKey.generate(), "id1-signing-20261120-2"),
    )
    assert isinstance(verified(text, known=directory(id1=(old, new))), RecipientToken)


def test_a_key_vouches_for_no_token_minted_outside_its_time() -> None:
    text = signed()
    ended = published(KEY, "id1-signing-20260801-1", days_before=90, days_after=-1)
    not_yet = published(KEY, "id1-signing-20261201-1", days_before=-1)
    assert isinstance(verified(text, known=directory(id1=(ended, not_yet))), UnknownRecipient)


def test_a_key_taken_out_of_the_directory_ends_its_tokens() -> None:
    assert isinstance(verified(signed(), known=directory()), UnknownRecipient)


def test_what_is_remembered_is_remembered_for_one_tenant_and_within_bounds() -> None:
    verifier = TokenVerifier(DIRECTORY, cache_tokens_max=2)
    texts = [signed() for _ in range(5)]
    for _ in range(2):
        answers = verifier.verify([TokenCheck(text, TENANT, "IDR") for text in texts])
        assert all(isinstance(answer, RecipientToken) for answer in answers)
    assert len(verifier._good) == 2
    [foreign] = verifier.verify([TokenCheck(texts[-1], STRANGER, "IDR")])
    assert isinstance(foreign, UnknownRecipient)
    [wrong] = verifier.verify([TokenCheck(texts[-1], TENANT, "EUR")])
    assert isinstance(wrong, WrongRecipientCurrency)
