"""The demo's instruments can say no: a search that finds, a listener that refuses, a claim that breaks."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from cells.webhooks.signing import load_keys, mint_secret, mint_signers, sign
from infra.local.home import Home
from router.cli.demo_listener import Listener, open_listener
from router.cli.demo_search import dresses, search_files
from router.cli.demo_story import Story
from tests.support.servers import free_port

NAME = "Wulandari Prasetyaningrum"


@pytest.mark.parametrize(
    "content",
    [
        NAME.encode(),
        f"insert {NAME.upper()}".encode(),
        rb"\x00" + NAME.encode().hex().encode(),
        base64.b64encode(f"x{NAME}".encode()),
        base64.urlsafe_b64encode(f'{{"name": "{NAME}"}}'.encode()),
        f"..{NAME}".encode("utf-16-le"),
    ],
)
def test_a_name_is_found_in_every_dress(tmp_path: Path, content: bytes) -> None:
    home = Home.at(tmp_path)
    (tmp_path / "eu-1" / "nats").mkdir(parents=True)
    (tmp_path / "eu-1" / "nats" / "1.blk").write_bytes(b"\0" * 5000 + content + b"\xff" * 100)
    found = search_files(home, {"name": dresses(NAME)}, ["eu-1", "uk-1"])
    assert found.seen("name") == {"eu-1"}
    assert found.files == 1


def test_a_name_across_two_blocks_is_found(tmp_path: Path) -> None:
    (tmp_path / "eu-1").mkdir()
    (tmp_path / "eu-1" / "store").write_bytes(b"\0" * (3 << 20) + b"x" * ((1 << 20) - 9) + NAME.encode())
    assert search_files(Home.at(tmp_path), {"name": dresses(NAME)}, ["eu-1"]).seen("name") == {"eu-1"}


def test_an_accented_name_is_found_as_json_escapes_it(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "uk-1-api.log").write_text(json.dumps({"name": "Käthe Brinkschulte"}))
    assert search_files(Home.at(tmp_path), {"name": dresses("Käthe Brinkschulte")}, ["uk-1"]).seen("name") == {"uk-1"}


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "eu-1").mkdir()
    (tmp_path / "eu-1" / "store").write_bytes(b"Wulandari Prasetya")
    assert not search_files(Home.at(tmp_path), {"name": dresses(NAME)}, ["eu-1"]).sightings


def test_a_claim_that_does_not_hold_breaks_the_story(capsys: pytest.CaptureFixture[str]) -> None:
    story = Story()
    story.claim("two and two is four", 2 + 2 == 4)
    story.claim("two and two is five", 2 + 2 == 5)
    assert [claim.what for claim in story.broken] == ["two and two is five"]
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["ok", "NO"]


async def send(listener: Listener, headers: dict[str, str], body: str) -> int:
    async with httpx.AsyncClient() as http:
        return (await http.post(listener.url_for("eu-1"), content=body, headers=headers)).status_code


async def test_a_delivery_is_believed_only_with_both_signatures() -> None:
    secret, signers, others = mint_secret(), mint_signers(), mint_signers()
    ours, theirs = ({one.algorithm: one.private_jwk for one in keys} for keys in (signers, others))
    body = '{"id":"evt_1","type":"transfer.completed","data":{}}'
    now = datetime.now(UTC)
    good = sign("evt_1", body, now, load_keys([secret], ours))
    forged_hmac = sign("evt_1", body, now, load_keys([mint_secret()], ours))
    forged_jws = sign("evt_1", body, now, load_keys([secret], theirs))
    async with open_listener(free_port()) as listener:
        assert await send(listener, good, body) == 401
        listener.trust("eu-1", secret, {"keys": [json.loads(one.public_jwk) for one in signers]})
        assert await send(listener, forged_hmac, body) == 401
        assert await send(listener, forged_jws, body) == 401
        assert await send(listener, good, body.replace("completed", "refunded")) == 401
        assert not listener.heard
        assert await send(listener, good, body) == 204
        assert [one.type for one in listener.heard] == ["transfer.completed"]
        assert len(listener.refused) == 4
        assert await listener.wait_for(lambda one: one.type == "transfer.refunded", 0.05) is None
