"""What the laptop lays out from the directory, before anything starts: parts, settings, secrets."""

import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from cells.rails.registry import profiles_of
from cells.spec import ModulusSettings, PrivateSettings, load_spec
from infra.local.errors import LocalError
from infra.local.home import Home
from infra.local.layout import Layout, lay_out, port_keys
from infra.local.ports import allocate
from infra.schemes.config import read_config
from residency.directory import load_directory
from router.edge.settings import RouterSettingsInvalid, load_secrets
from tests.support import servers
from tests.support.modulus_tables import installed


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setenv("KOVRA_PORT_BASE", str(servers.free_port_base()))
    monkeypatch.setenv("KOVRA_TIGERBEETLE_BINARY", "/nonexistent/tigerbeetle")
    directory = servers.scratch_directory()
    made = Home(directory / "h")
    made.create()
    yield made
    made.clean()
    shutil.rmtree(directory)


async def laid_out(home: Home) -> Layout:
    return await lay_out(home, allocate(home, port_keys(load_directory())))


async def test_every_declared_cell_gets_every_part_on_a_port_of_its_own(home: Home) -> None:
    layout = await laid_out(home)
    keys = {part.key for part in layout.parts}
    for cell in load_directory().cells:
        for name in ("postgres", "redis", "nats", "ray", "schemes", "host", "api"):
            assert f"{cell}/{name}" in keys
    assert {"shared/transit", "shared/router"} <= keys
    ports = [part.port for part in layout.parts]
    assert len(set(ports)) == len(ports)


async def test_no_cell_needs_another_cell_the_transit_or_the_router_to_start(home: Home) -> None:
    for part in (await laid_out(home)).parts:
        assert {need.split("/", maxsplit=1)[0] for need in part.needs} <= {part.cell}


async def test_each_cell_and_the_router_share_a_secret_that_nobody_else_has(home: Home) -> None:
    await laid_out(home)
    directory = load_directory(home.root)
    secrets = load_secrets(home.root, directory)
    assert len(set(secrets.values())) == len(directory.cells) == len(secrets)
    for name, secret in secrets.items():
        assert [one.encode() for one in load_spec(name, home.root).settings.router_secrets] == [secret]
    path = home.cell("shared") / "router.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await laid_out(home)
    assert load_secrets(home.root, directory) == secrets, "it is kept"
    path.write_text(json.dumps({"cells": {"eu-1": {"secret": "short and secret"}}}))
    with pytest.raises(RouterSettingsInvalid) as refused:
        load_secrets(home.root, directory)
    assert "short and secret" not in str(refused.value)
    path.write_text(json.dumps({"cells": {"eu-1": {"secret": "s" * 32}}}))
    with pytest.raises(RouterSettingsInvalid, match="id-1, uk-1"):
        load_secrets(home.root, directory)


async def test_a_cell_takes_the_next_secret_of_the_router_before_it_is_used_and_the_last_until_it_is_retired(
    home: Home,
) -> None:
    await laid_out(home)
    path = home.keys("eu-1") / "router"
    old, new = path.read_text().strip(), "n" * 64
    for lines, used in (([old, new], old), ([new, old], new), ([new], new)):
        path.write_text("\n".join(lines) + "\n")
        await laid_out(home)
        directory = load_directory(home.root)
        assert list(load_spec("eu-1", home.root).settings.router_secrets) == lines
        assert load_secrets(home.root, directory)["eu-1"] == used.encode()
    for lines in ([], [old] * 4):
        path.write_text("\n".join(lines))
        with pytest.raises(LocalError, match="one to 3 secrets"):
            await laid_out(home)


async def test_what_is_written_is_what_the_processes_read(home: Home) -> None:
    layout = await laid_out(home)
    for name in load_directory().cells:
        spec, schemes = load_spec(name, home.root), read_config(home.root, name)
        assert spec.entry.addresses["api"] == layout.api_urls[name]
        assert set(spec.settings.schemes) == set(schemes.rails) == set(spec.entry.rails)
        for rail, settings in spec.settings.schemes.items():
            assert settings.secret == schemes.rails[rail].secret
            assert settings.url.startswith(f"http://{schemes.listen.host}:{schemes.listen.port}/")
        assert schemes.cell.api == f"http://{spec.settings.inbound.host}:{spec.settings.inbound.port}"
    assert await laid_out(home) is not None
    again = load_spec(name, home.root)
    assert again == spec


async def test_a_sandbox_may_wait_shorter_than_its_schemes_say(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOVRA_SANDBOX_ANSWER_S", "0.5")
    monkeypatch.setenv("KOVRA_SANDBOX_ANSWER_S_SEPA_INSTANT", "0.25")
    monkeypatch.setenv("KOVRA_SANDBOX_FINALITY_S", "3")
    await laid_out(home)
    settings = load_spec("eu-1", home.root).settings
    times = {name: (one.answer_time_s, one.finality_time_s) for name, one in settings.schemes.items()}
    assert times == {"sepa_instant": (0.25, 3.0), "sepa_credit_transfer": (0.5, 3.0)}
    with pytest.raises(ValidationError):
        PrivateSettings.model_validate(settings.model_dump() | {"sandbox": False})


@pytest.mark.parametrize("hours", ["own", ""])
async def test_a_sandbox_keeps_its_rails_own_hours_where_it_is_told_to(
    home: Home, monkeypatch: pytest.MonkeyPatch, hours: str
) -> None:
    monkeypatch.setenv("KOVRA_SANDBOX_HOURS", hours)
    await laid_out(home)
    closes = {one.name: one.hours is not None for one in profiles_of(load_spec("eu-1", home.root))}
    assert closes == {"sepa_instant": False, "sepa_credit_transfer": hours == "own"}


async def test_the_tables_of_the_modulus_check_go_to_the_cell_that_takes_uk_accounts(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {name: Path(path) for name, path in installed(home.root).items()}
    monkeypatch.setenv("KOVRA_MODULUS_WEIGHTS", str(paths["weights_path"]))
    monkeypatch.setenv("KOVRA_MODULUS_SUBSTITUTIONS", str(paths["substitutions_path"]))
    await laid_out(home)
    found = {name: load_spec(name, home.root).settings.modulus for name in load_directory().cells}
    assert found == {"eu-1": None, "uk-1": ModulusSettings(**paths), "id-1": None}
    for wrong in ("", "VALACDOS.txt", str(home.root / "absent")):
        monkeypatch.setenv("KOVRA_MODULUS_WEIGHTS", wrong)
        with pytest.raises(LocalError, match="KOVRA_MODULUS_WEIGHTS must be"):
            await laid_out(home)
    monkeypatch.delenv("KOVRA_MODULUS_SUBSTITUTIONS")
    monkeypatch.delenv("KOVRA_MODULUS_WEIGHTS")
    await laid_out(home)
    assert load_spec("uk-1", home.root).settings.modulus is None


async def test_secrets_are_for_their_owner_only_and_in_no_command_line(home: Home) -> None:
    layout = await laid_out(home)
    secrets: set[str] = set()
    for cell in load_directory().cells:
        settings_file = home.cell(cell) / "cell.json"
        assert stat.S_IMODE(settings_file.stat().st_mode) == 0o600
        assert stat.S_IMODE(home.keys(cell).stat().st_mode) == 0o700
        settings = json.loads(settings_file.read_text())
        secrets |= {dsn.split(":")[2].split("@")[0] for dsn in settings["postgres"].values()}
        secrets |= {settings["nats"]["seed"], settings["redis"].split(":")[2].split("@")[0]}
    assert len(secrets) == 6 * len(load_directory().cells)
    for part in layout.parts:
        told = " ".join([*part.command, *part.environment.values()])
        assert not [secret for secret in secrets if secret in told]


async def test_processes_of_a_cell_find_ray_by_a_token_file(home: Home) -> None:
    for part in (await laid_out(home)).parts:
        if part.name in ("host", "api", "ray"):
            assert part.environment["RAY_AUTH_MODE"] == "token"
            assert part.environment["RAY_AUTH_TOKEN_PATH"] == str(home.keys(part.cell) / "ray")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a directory somebody else's")
def test_a_runtime_directory_of_somebody_else_is_refused(home: Home) -> None:
    os.chown(home.runtime, 65534, 65534)
    with pytest.raises(LocalError, match="belongs to another user"):
        home.create()
