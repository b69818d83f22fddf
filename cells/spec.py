"""What one process of a cell needs to know: the cell's entry in the directory, and the cell's private settings.

The directory (declared data and public overlay) is the same for every process of every cell. Private settings are the cell's own,
in `<home>/<cell>/cell.json`, readable by its owner only: connection strings with their passwords, never a key.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from residency.directory import CellEntry, Directory, load_directory
from residency.errors import KovraError

# EPC Verification of Payee scheme rulebook: the answer is there within five seconds at most.
NAME_CHECK_TIME_MAX_S = 5.0
HOME_VARIABLE = "KOVRA_HOME"
HOME_DEFAULT = ".kovra"
# Rates of how many banking days ago a cell prices by at most, where its settings name no other limit: a week of missed publications.
RATE_AGE_MAX_DAYS = 5


class SettingsInvalid(KovraError):
    code = "settings-invalid"
    title = "The cell's private settings cannot be read"


class _Settings(BaseModel):
    # What is wrong with a secret must not show it.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class PostgresSettings(_Settings):
    """One connection string per role."""

    owner: str
    api: str
    writer: str
    ledger: str


class NatsSettings(_Settings):
    """`url` of the cell's own server, and the nkey seed of the cell's worker there."""

    url: str
    seed: str


class RaySettings(_Settings):
    """`address` of the head (host:port), and the file that holds the cluster's token."""

    address: str
    token_path: Path


class LedgerSettings(_Settings):
    """`engine` says which; the other two are TigerBeetle's."""

    engine: Literal["tigerbeetle", "postgres"]
    cluster_id: int = 0
    addresses: str = ""


class SnapSettings(_Settings):
    """How a bank that speaks SNAP knows us (cells/rails/snap/access.py), the file of the key that we sign with, and how that bank
    writes signatures. `bank_key_path`: the file of the public key that the bank's notifications hold to; without it none is believed.
    """

    client_key: str
    partner_id: str
    channel_id: str
    source_account: str
    private_key_path: Path
    bank_key_path: Path | None = None
    encoding: Literal["base64", "hex"] = "base64"
    signs_query: bool = True


class SchemeSettings(_Settings):
    """Where a rail's scheme (or the bank before it) answers, and the secret that both ends sign with.

    `wire` snap needs `snap`, and `secret` is then the client secret. The times, in seconds, shorten those of the rail's profile, and
    without `keeps_hours` it is open at all hours; only in a sandbox. `name_check_time_s`: how long a payee-name check may take.
    """

    url: str
    secret: str
    wire: Literal["iso20022", "snap"] = "iso20022"
    snap: SnapSettings | None = None
    answer_time_s: float | None = Field(default=None, gt=0)
    finality_time_s: float | None = Field(default=None, gt=0)
    keeps_hours: bool = True
    name_check_time_s: float = Field(default=3.0, gt=0, le=NAME_CHECK_TIME_MAX_S)

    @model_validator(mode="after")
    def _wire_is_described(self) -> Self:
        if (self.wire == "snap") != (self.snap is not None):
            raise ValueError("snap is given for the wire snap, and for no other")
        return self


class ModulusSettings(_Settings):
    """Pay.UK's two files, by which UK account numbers are checked (cells/rails/modulus.py). The cell's API reads them once, at its start."""

    weights_path: Path
    substitutions_path: Path


class ListenSettings(_Settings):
    host: str
    port: int


class PrivateSettings(_Settings):
    """The whole of cell.json. `schemes` is by rail name. The API listens for partners (`api`), for the cell's operator (`operator`:
    administration, health, figures) and for the schemes that call the cell (`inbound`). `router_secrets`: by any of which the cell
    knows the router, and believes it about who calls (cells/kit/forwarded.py); several while one is replaced. Without `modulus`, UK account numbers are checked by form
    alone. `rate_age_max_days`: rates older than so many banking days make no price; rate_age_limit says what holds without it.
    `webhook_loopback_ports`: of the ports of its own machine, those that a sandbox sends webhooks to."""

    postgres: PostgresSettings
    redis: str
    nats: NatsSettings
    ray: RaySettings
    ledger: LedgerSettings
    schemes: Mapping[str, SchemeSettings]
    modulus: ModulusSettings | None = None
    api: ListenSettings
    operator: ListenSettings
    inbound: ListenSettings
    host: ListenSettings
    router_secrets: tuple[Annotated[str, Field(min_length=32)], ...] = Field(min_length=1, max_length=3)
    sandbox: bool
    webhook_loopback_ports: frozenset[Annotated[int, Field(ge=1, le=65_535)]] = frozenset()
    rate_age_max_days: int | None = Field(default=None, ge=1)

    @property
    def rate_age_limit(self) -> int | None:
        """Rates of how many banking days ago prices are made of at most; None = of any age, which only a sandbox has: its rates come with
        the release, and grow old with it."""
        if self.rate_age_max_days is None and not self.sandbox:
            return RATE_AGE_MAX_DAYS
        return self.rate_age_max_days

    @model_validator(mode="after")
    def _schemes_are_as_they_say(self) -> Self:
        if len({self.api.port, self.operator.port, self.inbound.port}) < 3:
            raise ValueError("api, operator and inbound are three listeners, each with a port of its own")
        short = [
            one for one in self.schemes.values() if one.answer_time_s or one.finality_time_s or not one.keeps_hours
        ]
        if short and not self.sandbox:
            raise ValueError("only a sandbox waits shorter, and is open longer, than its schemes say")
        if self.webhook_loopback_ports and not self.sandbox:
            raise ValueError("only a sandbox sends webhooks to its own machine")
        clear = [one for one in self.schemes.values() if one.wire == "snap" and not one.url.startswith("https://")]
        if clear and not self.sandbox:
            raise ValueError("SNAP's answers are not signed: outside a sandbox its address is https")
        return self


@dataclass(frozen=True, slots=True)
class CellSpec:
    """Everything that open_cell needs. `home` also holds `<cell>/keys`."""

    home: Path
    entry: CellEntry
    directory: Directory
    settings: PrivateSettings

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def region(self) -> str:
        return self.entry.region


def home_path() -> Path:
    """The home folder that the environment names, `.kovra` where it names none."""
    return Path(os.environ.get(HOME_VARIABLE, HOME_DEFAULT)).resolve()


def load_spec(cell: str, home: Path | None = None) -> CellSpec:
    """Raises DirectoryInvalid, UnknownCell, SettingsInvalid."""
    home = home or home_path()
    directory = load_directory(home)
    entry = directory.cell(cell)
    path = home / cell / "cell.json"
    try:
        settings = PrivateSettings.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise SettingsInvalid(f"Cannot read {path}: {error}") from error
    return CellSpec(home=home, entry=entry, directory=directory, settings=settings)
