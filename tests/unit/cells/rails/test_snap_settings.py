"""A cell's settings for a SNAP wire: described where it is used, over https where answers must be the bank's, the key read from its file."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from cells.rails.registry import connection_of
from cells.spec import CellSpec, PrivateSettings, SchemeSettings
from residency.directory import load_directory
from tests.support.snap_keys import PRIVATE_KEY

SNAP = {"client_key": "C", "partner_id": "P", "channel_id": "95221", "source_account": "1"}


def settings(key: Path, **changed: object) -> SchemeSettings:
    given = {
        "url": "https://bank.example/bi_fast/",
        "secret": "s",
        "wire": "snap",
        "snap": SNAP | {"private_key_path": key},
    }
    return SchemeSettings.model_validate(given | changed)


@pytest.mark.parametrize("changed", [{"wire": "iso20022"}, {"snap": None}, {"wire": "soap"}])
def test_a_wire_is_described_where_it_is_used(changed: dict[str, object]) -> None:
    settings(Path("/key"))
    with pytest.raises(ValidationError):
        settings(Path("/key"), **changed)


def whole(**more: object) -> dict[str, object]:
    """A cell.json, with those settings besides."""
    return {
        "postgres": dict.fromkeys(("owner", "api", "writer", "ledger"), "x"),
        "redis": "x",
        "nats": {"url": "x", "seed": "x"},
        "ray": {"address": "x", "token_path": "/x"},
        "ledger": {"engine": "postgres"},
        "api": {"host": "x", "port": 1},
        "operator": {"host": "x", "port": 2},
        "inbound": {"host": "x", "port": 3},
        "router_secrets": ["s" * 32],
        "host": {"host": "x", "port": 1},
        "schemes": {},
        **more,
    }


def test_outside_a_sandbox_the_address_is_https() -> None:
    clear = {"bi_fast": settings(Path("/key"), url="http://bank.example/bi_fast")}
    PrivateSettings.model_validate(whole(schemes=clear, sandbox=True))
    PrivateSettings.model_validate(whole(schemes={"bi_fast": settings(Path("/key"))}, sandbox=False))
    with pytest.raises(ValidationError, match="https"):
        PrivateSettings.model_validate(whole(schemes=clear, sandbox=False))


def test_the_connection_has_the_key_of_the_file(tmp_path: Path) -> None:
    key = tmp_path / "snap.pem"
    key.write_bytes(PRIVATE_KEY)
    directory = load_directory()
    private = PrivateSettings.model_construct(schemes={"bi_fast": settings(key)})
    connection = connection_of(CellSpec(tmp_path, directory.cell("id-1"), directory, private), "bi_fast")
    assert connection.wire == "snap"
    assert connection.url == "https://bank.example/bi_fast"
    assert connection.snap is not None
    assert connection.snap.private_key.key_size == 2048
    assert "PRIVATE" not in repr(connection)
    assert "RSA" not in repr(connection)
