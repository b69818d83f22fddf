"""What is decided at first start and kept: the cells' keys, and each cell's ledger engine."""

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import pytest

from infra.local import tigerbeetle
from infra.local.errors import LocalError
from infra.local.home import Home
from infra.local.keys import LIFE, ensure_keys
from infra.local.supervisor import Supervisor
from residency.directory import PublicKey
from residency.keys import KEK_ANNOUNCED, load_keys, read_keks
from tests.support import servers

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    for name in [name for name in os.environ if name.startswith("KOVRA_TIGERBEETLE")]:
        monkeypatch.delenv(name)
    directory = servers.scratch_directory()
    made = Home(directory / "h")
    made.create()
    yield made
    made.clean()
    shutil.rmtree(directory)


def test_keys_are_born_once_private_and_valid(home: Home) -> None:
    first = ensure_keys(home, "eu-1", NOW)
    assert ensure_keys(home, "eu-1", NOW + timedelta(days=1)) == first
    for entry in first:
        key = PublicKey.model_validate(entry)
        assert key.not_before <= NOW < key.not_after
    assert {entry["use"] for entry in first} == {"signing", "sealing"}
    keys = load_keys(home.root, "eu-1")
    assert len(keys.keks) == 1
    modes = {stat.S_IMODE(path.stat().st_mode) for path in home.keys("eu-1").iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE(home.keys("eu-1").stat().st_mode) == 0o700


def test_a_key_near_its_end_gets_a_successor_and_stays(home: Home) -> None:
    born = ensure_keys(home, "eu-1", NOW)
    old = load_keys(home.root, "eu-1")
    later = NOW + LIFE["kek"] - timedelta(days=3)
    ensure_keys(home, "eu-1", later)
    now = load_keys(home.root, "eu-1")
    assert len(now.keks) == 2
    assert set(old.keks) < set(now.keks)
    assert read_keks(home.root, "eu-1", datetime.now(UTC) + KEK_ANNOUNCED)[1] not in old.keks
    assert len(now.signing) == 1
    entries = ensure_keys(home, "eu-1", NOW + LIFE["signing"] - timedelta(days=3))
    assert [entry for entry in entries if entry in born] == born
    assert len(entries) == 4


def stand_in(directory: Path, told: str) -> Path:
    """A program that tells a version, as an older or a broken server would."""
    program = directory / "tigerbeetle"
    program.write_text(f"#!{sys.executable}\nprint({told!r})\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("told", "reason"), [("TigerBeetle version 0.1.0", "older than the client"), ("hello", "does not tell its version")]
)
async def test_a_server_that_does_not_fit_is_refused_with_the_reason(
    home: Home, monkeypatch: pytest.MonkeyPatch, told: str, reason: str
) -> None:
    monkeypatch.setenv("KOVRA_TIGERBEETLE_BINARY", str(stand_in(home.root, told)))
    choice = await tigerbeetle.choose(home, "eu-1", 1, 3000)
    assert choice.engine == "postgres"
    assert reason in choice.reason


async def test_the_engine_of_a_home_is_remembered(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(home.root))
    assert (await tigerbeetle.choose(home, "eu-1", 1, 3000)).engine == "postgres"
    fitting = stand_in(home.root, f"TigerBeetle version {version('tigerbeetle')}")
    assert (await tigerbeetle.choose(home, "uk-1", 2, 3000)).binary == fitting
    kept = await tigerbeetle.choose(home, "eu-1", 1, 3000)
    assert kept.engine == "postgres"
    assert "embedded" in kept.reason
    fitting.unlink()
    with pytest.raises(LocalError, match="uk-1 are in TigerBeetle"):
        await tigerbeetle.choose(home, "uk-1", 2, 3000)


async def test_replicas_elsewhere_are_used_as_given(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOVRA_TIGERBEETLE_ADDRESSES_EU_1", "10.0.0.1:3000,10.0.0.2:3000")
    choice = await tigerbeetle.choose(home, "eu-1", 1, 3000)
    assert (choice.engine, choice.addresses, choice.cluster_id) == ("tigerbeetle", "10.0.0.1:3000,10.0.0.2:3000", 1)
    assert tigerbeetle.part(home, "eu-1", choice, 3000) is None


@pytest.mark.skipif(shutil.which("tigerbeetle") is None, reason="no tigerbeetle on the PATH")
async def test_a_tigerbeetle_data_file_is_formatted_once_and_never_again(home: Home) -> None:
    port = servers.free_port()
    choice = await tigerbeetle.choose(home, "eu-1", 1, port)
    part = tigerbeetle.part(home, "eu-1", choice, port)
    assert part is not None, choice.reason
    data = home.cell("eu-1") / "tigerbeetle" / "0_0.tigerbeetle"
    born = 0
    for _ in range(2):
        supervisor = Supervisor(home, [part], lambda event: None)
        await supervisor.start()
        await supervisor.stop()
        born = born or data.stat().st_ino
        assert data.stat().st_ino == born
    data.unlink()
    with pytest.raises(LocalError, match="not formatted again"):
        await part.prepare()
