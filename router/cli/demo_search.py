"""Where a person's data lies in clear: a search through everything that a cell keeps, in every dress it could wear.

Two looks, because either alone could miss something: the database as `pg_dump` writes it out (every row of every table of every
schema, past row-level security, as the superuser), and the bytes of every file of the cell: broker stores, Redis, ledger, logs,
and once the servers have been stopped, the pages and the write-ahead log of Postgres itself.
"""

import asyncio
import base64
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.local.home import Home
from infra.local.ports import remembered
from infra.local.postgres import DATABASE, SUPERUSER, server_for
from residency.directory import load_directory

_BLOCK_BYTES = 1 << 15
_ZEROS = bytes(_BLOCK_BYTES)


@dataclass(frozen=True)
class Sighting:
    """A needle found: which (by its label, never its text), and where."""

    label: str
    cell: str
    place: str


@dataclass(frozen=True)
class Searched:
    """How much was looked through, and what was found."""

    tables_bytes: int
    files: int
    files_bytes: int
    sightings: tuple[Sighting, ...]

    def seen(self, label: str) -> set[str]:
        """The cells where a needle was found."""
        return {one.cell for one in self.sightings if one.label == label}

    def places(self, label: str) -> list[str]:
        return sorted({f"{one.cell}: {one.place}" for one in self.sightings if one.label == label})


def dresses(text: str) -> tuple[bytes, ...]:
    """The byte strings that give `text` away: itself, upper case, hex as pg_dump writes bytea, and base64 at each of its
    three alignments (cut to what does not depend on the neighbours)."""
    plain = text.encode()
    found = [
        plain,
        text.upper().encode(),
        plain.hex().encode(),
        json.dumps(text)[1:-1].encode(),
        text.encode("utf-16-le"),
    ]
    for shift in range(3):
        padded = b"\0" * shift + plain
        # Of the first and last group some bits belong to neighbours: only what is ours alone is looked for.
        ours = slice((shift * 8 + 5) // 6, (shift + len(plain)) * 8 // 6)
        found += [base64.b64encode(padded)[ours], base64.urlsafe_b64encode(padded)[ours]]
    return tuple(dict.fromkeys(found))


async def dump(home: Home, cell: str) -> bytes:
    """The cell's whole database as text. Raises RuntimeError when it cannot be had: a search of nothing proves nothing."""
    ports = remembered(home)
    assert ports is not None, "the home has been started"
    server = server_for(home, cell, ports[f"{cell}/postgres"])
    process = await asyncio.create_subprocess_exec(
        str(server.install / "bin" / "pg_dump"),
        f"--host={server.sockets}",
        f"--port={server.port}",
        f"--username={SUPERUSER}",
        f"--dbname={DATABASE}",
        env={"PGPASSWORD": server.password(SUPERUSER), "PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    if process.returncode != 0 or b"PostgreSQL database dump complete" not in output:
        raise RuntimeError(f"pg_dump of {cell} failed: {errors.decode(errors='replace')[:300]}")
    return output


async def search(home: Home, needles: Mapping[str, str], cells: Sequence[str] | None = None) -> Searched:
    """Look for each needle (label → text) in the running `cells` (all when None)."""
    wanted = {label: dresses(text) for label, text in needles.items()}
    names = list(cells or load_directory().cells)
    dumps = dict(zip(names, await asyncio.gather(*(dump(home, cell) for cell in names)), strict=True))
    sightings = [
        Sighting(label, cell, f"table {_table_of(text, place)}")
        for cell, text in dumps.items()
        for label, forms in wanted.items()
        for place in map(text.find, forms)
        if place >= 0
    ]
    on_disk = await asyncio.to_thread(search_files, home, wanted, names)
    size = sum(map(len, dumps.values()))
    return Searched(size, on_disk.files, on_disk.files_bytes, (*sightings, *on_disk.sightings))


def search_files(home: Home, wanted: Mapping[str, tuple[bytes, ...]], cells: Sequence[str]) -> Searched:
    """Look through the bytes of every file that each cell keeps, and of its logs."""
    count = size = 0
    sightings: list[Sighting] = []
    for cell in cells:
        for file in _files_of(home, cell):
            found = _labels_in(file, wanted)
            if found is None:
                continue
            count, size = count + 1, size + found[1]
            sightings += [Sighting(label, cell, str(file)) for label in found[0]]
    return Searched(0, count, size, tuple(sightings))


def _files_of(home: Home, cell: str) -> Iterator[Path]:
    """Everything of a cell on disk: its folder, what lies outside the home, and its logs."""
    yield from sorted(home.logs.glob(f"{cell}-*"))
    for root in [home.cell(cell), *(outside / cell for outside in home.outside())]:
        for folder, _, names in os.walk(root):
            yield from (Path(folder) / name for name in sorted(names))


def _labels_in(file: Path, wanted: Mapping[str, tuple[bytes, ...]]) -> tuple[list[str], int] | None:
    """Which needles a file holds, and its size; None for what is no file with content."""
    if file.is_symlink() or not file.is_file():
        return None
    overlap = max((len(form) for forms in wanted.values() for form in forms), default=1) - 1
    found: set[str] = set()
    size, tail = 0, b""
    try:
        with file.open("rb") as opened:
            while block := opened.read(_BLOCK_BYTES):
                size += len(block)
                # A ledger's file is a gigabyte, and nearly all of it zeros: that much is seen at a glance.
                if block == _ZEROS[: len(block)]:
                    tail = b""
                    continue
                content = tail + block
                found |= {label for label, forms in wanted.items() if any(form in content for form in forms)}
                tail = content[-overlap:] if overlap else b""
    except FileNotFoundError:
        return None  # servers remove files as they go
    return (sorted(found), size) if size else None


def _table_of(text: bytes, place: int) -> str:
    """Whose COPY block of a dump an offset lies in."""
    start = text.rfind(b"\nCOPY ", 0, place)
    return text[start + 6 :].split(b" ", 1)[0].decode() if start >= 0 else "(none)"
