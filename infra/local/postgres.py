"""One cell's Postgres 18, from the wheel's binaries, durable, with a password for every role.

Invariants: `fsync` and `synchronous_commit` are on (the journal is the truth); an existing data directory is
never initialised again; no role has BYPASSRLS; connections come over the unix socket or the loopback address,
always with SCRAM.
"""

import asyncio
import shutil
import signal
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

from infra.local.binaries import postgres_install
from infra.local.child import User, run
from infra.local.errors import LocalError
from infra.local.home import Home, ensure_directory, remembered_secret, write_file
from infra.local.part import Part
from infra.local.reach import can_traverse, own_directory, place_outside, reachable_install, server_user
from migrations.apply import apply, create_database

SUPERUSER = "postgres"
DATABASE = "kovra"
ROLES = ("kovra_owner", "kovra_api", "kovra_writer", "kovra_ledger")
"""The cell's four roles: owner of the schema, the API's, the batch writers', the embedded ledger's."""

SETTINGS: Mapping[str, str] = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "replica",
    # Three clusters share a laptop: enough for API processes, host, Ray actors and psql at once.
    "max_connections": "160",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # A statement's text and a failing row's DETAIL can carry personal data: they stay out of the log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    # The last resort against a client that died holding locks.
    "idle_in_transaction_session_timeout": "60s",
    # After a crash the supervisor starts it anew. Left to itself, a server whose recovery fails (an fsync that answers EIO)
    # was seen to stay: no process recovers, it says "in recovery mode" for ever, and nobody knows that it is dead.
    "restart_after_crash": "off",
}

_ACCESS = "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"


@dataclass(frozen=True)
class PostgresServer:
    """One server: where its data, sockets and secrets are, and who runs it."""

    install: Path
    data: Path
    sockets: Path
    secrets: Path
    port: int
    user: User | None
    settings: Mapping[str, str]
    sync: bool = True

    def password(self, role: str) -> str:
        return remembered_secret(self.secrets / role)

    def dsn(self, role: str, database: str = DATABASE, *, tcp: bool = False) -> str:
        """A connection string for `role`: over the unix socket, or over loopback TCP."""
        secret = self.password(role)
        if tcp:
            return f"postgresql://{role}:{secret}@127.0.0.1:{self.port}/{database}"
        return f"postgresql://{role}:{secret}@/{database}?host={quote(str(self.sockets), safe='')}&port={self.port}"

    def command(self) -> tuple[str, ...]:
        return (str(self.install / "bin" / "postgres"), "-D", str(self.data))

    async def prepare(self) -> None:
        """Directories, the data directory at first start, settings at every start."""
        own_directory(self.data.parent, self.user)
        own_directory(self.sockets, self.user)
        if not (self.data / "PG_VERSION").exists():
            await self._initialise()
        write_file(self.data / "postgresql.conf", self._configuration(), durable=False)
        write_file(self.data / "pg_hba.conf", _ACCESS, durable=False)

    def _configuration(self) -> str:
        own = {"listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": str(self.sockets)}
        return "".join(f"{name} = '{value}'\n" for name, value in {**own, **self.settings}.items())

    async def _initialise(self) -> None:
        """`initdb` into a directory beside, renamed when whole: a killed first start is simply done again."""
        fresh = self.data.with_name("initialising")
        shutil.rmtree(fresh, ignore_errors=True)
        password_file = self.data.with_name("password")
        write_file(password_file, self.password(SUPERUSER), 0o600, durable=False)
        if self.user is not None:
            shutil.chown(password_file, self.user.uid, self.user.gid)
        command = [str(self.install / "bin" / "initdb"), "-D", str(fresh), "-U", SUPERUSER, "-E", "UTF8"]
        command += ["--locale-provider=builtin", "--locale=C.UTF-8", "--auth=scram-sha-256"]
        command += [f"--pwfile={password_file}", *([] if self.sync else ["--no-sync"])]
        # The child is not given LANG: initdb would want that locale to be installed.
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
        try:
            status, output = await run(command, environment=environment, user=self.user)
        finally:
            password_file.unlink()
        if status != 0:
            raise LocalError(f"initdb failed in {fresh}: {output.strip()[-400:]}")
        fresh.rename(self.data)

    async def healthy(self) -> bool:
        """Whether it accepts connections: the start-up packet is answered with an authentication request."""
        try:
            reader, writer = await asyncio.open_unix_connection(str(self.sockets / f".s.PGSQL.{self.port}"))
        except OSError:
            return False
        try:
            body = struct.pack("!i", 196608) + b"user\0postgres\0database\0postgres\0\0"
            writer.write(struct.pack("!i", len(body) + 4) + body)
            return await reader.read(1) == b"R"
        except OSError:
            return False
        finally:
            writer.close()

    async def provision(self, region: str, database: str = DATABASE) -> None:
        """The four roles with their passwords, the database, its migrations, its one region. Idempotent."""
        passwords = {role: self.password(role) for role in ROLES}
        await create_database(self.dsn(SUPERUSER, "postgres"), database, passwords)
        await apply(self.dsn("kovra_owner", database), region)


def server_for(home: Home, cell: str, port: int) -> PostgresServer:
    """The server of one cell: data under the home, or outside it when the Postgres user cannot reach that."""
    user = server_user()
    ensure_directory(home.cell(cell), 0o755)
    install, data, outside = postgres_install(), home.cell(cell) / "pg", None
    if user is not None and not can_traverse(user, home.cell(cell)):
        outside = place_outside(home.digest)
        data = ensure_directory(outside / cell, 0o711) / "pg"
    if user is not None and not can_traverse(user, install / "bin"):
        outside = outside or place_outside(home.digest)
    if outside is not None:
        home.note_outside(outside)
    return PostgresServer(
        install=reachable_install(install, user, outside),
        data=data / "data",
        sockets=home.runtime / f"{cell}-pg",
        secrets=home.keys(cell) / "postgres",
        port=port,
        user=user,
        settings=SETTINGS,
    )


def part(server: PostgresServer, cell: str, region: str) -> Part:
    """The cell's Postgres as a part; it counts as ready when the database is migrated and holds its region."""
    return Part(
        cell=cell,
        name="postgres",
        command=server.command(),
        environment={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        healthy=server.healthy,
        port=server.port,
        prepare=server.prepare,
        complete=partial(server.provision, region),
        user=server.user,
        cwd=Path("/"),
        # Fast shutdown: sessions are ended, a checkpoint is written, nothing is left to recover.
        stop_signal=signal.SIGINT,
        death_signal=signal.SIGINT,
        stop_timeout_s=20.0,
        note=f"data in {server.data}",
    )
