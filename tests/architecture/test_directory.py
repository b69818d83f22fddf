"""A cell is declared in one file, and everything it needs follows: rules, rails, ports, brokers, lawful corridors, a partition."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cells.cell import found_cell, open_institution
from cells.preflight import check_directory, lacks
from cells.spec import CellSpec
from infra.local.layout import port_keys
from infra.local.nats import cell_config
from residency.directory import CellEntry, Directory, DirectoryInvalid, load_directory
from residency.links import incoming, outgoing, peers
from tests.architecture.tree import keep

DIRECTORY = load_directory()


def missing(directory: Directory) -> Iterator[str]:
    yield from lacks(directory)
    held = set(port_keys(directory))
    yield from (
        f"infra/local/layout.py: a port for {part} of {cell}"
        for cell in directory.cells
        for part in ("api", "operator", "inbound", "host", "nats", "postgres", "ray")
        if f"{cell}/{part}" not in held
    )


def test_all_that_a_cell_needs_follows_from_its_declaration() -> None:
    keep(
        "Every cell of the directory has its rules, rails, terms, account numbers, caps and ports.",
        why="a cell is known whole at boot or refuses to boot; what is found missing later is found missing by a payment.",
        mend="write what is named where it is named.",
        breaches=missing(DIRECTORY),
    )


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


def test_an_incomplete_cell_is_seen_by_name_and_refused() -> None:
    cell = next(iter(DIRECTORY.cells.values()))
    bare = cell.model_copy(update={"name": "zz-9", "region": "ZZ", "rails": ("pigeon",), "currencies": ("XTS",)})
    with_it = Directory(cells={**DIRECTORY.cells, "zz-9": bare})
    found = list(missing(with_it))
    assert len(found) >= 10
    assert all(
        re.match(r"[a-zA-Z/_0-9-]+\.(py|toml): |ZZ has no rules; write residency/rules/zz.toml", one) for one in found
    )
    with pytest.raises(DirectoryInvalid) as refused:
        check_directory(with_it)
    assert all(one in refused.value.detail for one in found)


async def test_a_process_of_a_cell_refuses_to_open_over_it(tmp_path: Path) -> None:
    """Before it asks for anything: a database that is not there would be named instead."""
    entry = DIRECTORY.cell("eu-1").model_copy(update={"currencies": ("EUR", "NOK")})
    directory = Directory(cells={**DIRECTORY.cells, "eu-1": entry})
    spec = CellSpec(tmp_path, entry, directory, None)  # type: ignore[arg-type]
    with pytest.raises(DirectoryInvalid, match="a rail that moves NOK"):
        await open_institution(spec, "api", name="test", connections_max=1)
    with pytest.raises(DirectoryInvalid, match="a rail that moves NOK"):
        await found_cell(spec)
