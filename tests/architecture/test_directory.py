"""A cell is declared in one file, and everything it needs follows: rules, rails, ports, brokers, lawful corridors, a partition."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from cells.kit.money import CURRENCIES
from cells.rails.registry import PROFILES
from infra.local.layout import port_keys
from infra.local.nats import cell_config
from infra.schemes.rules import SCHEMES as SCHEME_RULES
from residency.directory import CellEntry, load_directory
from residency.links import incoming, outgoing, peers
from residency.rules import rules_of
from tests.architecture.tree import ROOT, keep

DIRECTORY = load_directory()


def missing(cell: CellEntry) -> Iterator[str]:
    declared = ROOT / "cells" / "declared" / f"{cell.name}.toml"
    if not declared.exists() or tomllib.loads(declared.read_text())["name"] != cell.name:
        yield f"{cell.name}  cells/declared/{cell.name}.toml"
    if not (ROOT / "residency" / "rules" / f"{cell.region.lower()}.toml").exists():
        yield f"{cell.name}  residency/rules/{cell.region.lower()}.toml: without rules a region has no corridor"
    for rail in cell.rails:
        if rail not in PROFILES:
            yield f"{cell.name}  a profile of the rail {rail} in cells/rails/registry.py"
        elif PROFILES[rail].currency not in cell.currencies:
            yield f"{cell.name}  the currency {PROFILES[rail].currency}, which its rail {rail} moves"
        if rail not in SCHEME_RULES:
            yield f"{cell.name}  a simulated scheme for {rail} in infra/schemes/rules.py"
    for currency in cell.currencies:
        if currency not in CURRENCIES:
            yield f"{cell.name}  the currency {currency} in cells/kit/money.py"
        if currency not in cell.settlement.peer_cap_minor:
            yield f"{cell.name}  a cap of what a peer may owe it in {currency}: without one a stolen key could drain it"
    held = set(port_keys(DIRECTORY))
    yield from (
        f"{cell.name}  a port for {part}"
        for part in ("api", "host", "nats", "postgres", "ray")
        if f"{cell.name}/{part}" not in held
    )


@pytest.mark.parametrize("cell", DIRECTORY.cells.values(), ids=lambda cell: cell.name)
def test_all_that_a_cell_needs_follows_from_its_declaration(cell: CellEntry) -> None:
    keep(
        "Every cell of the directory has its declaration, rules, rails, caps and ports.",
        why="a cell is known whole at boot or refuses to boot; what is found missing later is found missing by a payment.",
        mend="add what is named.",
        breaches=missing(cell),
    )
    assert rules_of(cell.region).region == cell.region


@pytest.mark.parametrize("cell", DIRECTORY.cells.values(), ids=lambda cell: cell.name)
def test_a_cells_broker_lets_its_corridors_through_and_no_others(cell: CellEntry, tmp_path: Path) -> None:
    others = peers(DIRECTORY, cell.name)
    assert others, "a cell without peers has no border"
    config = cell_config(
        cell=cell.compact, peers=others, host="127.0.0.1", port=1, monitor_port=2,
        store=tmp_path, worker_key="U", transit_url="nats-leaf://127.0.0.1:3", leaf_seed="S",
    )  # fmt: skip
    for corridor in (*outgoing(cell.compact, others), *incoming(cell.compact, others)):
        assert corridor.delivery in config
    strangers = [other for other in others for third in others if other != third and f"{other}.{third}" in config]
    assert strangers == [], "a corridor between two other cells is none of this one's"


def test_an_incomplete_cell_is_seen() -> None:
    cell = next(iter(DIRECTORY.cells.values()))
    bare = cell.model_copy(update={"name": "zz-9", "region": "ZZ", "rails": ("pigeon",), "currencies": ("XTS",)})
    assert len(list(missing(bare))) >= 6
