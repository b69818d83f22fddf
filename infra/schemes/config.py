"""Where a region's simulated schemes listen, whom they deliver to, and the secret each shares with the cell.

Read from `<home>/<cell>/schemes.json`, written where the cell's parts are laid out and readable by its owner
only.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.schemes.rules import SCHEMES
from residency.errors import KovraError

FILE = "schemes.json"


class SchemesInvalid(KovraError):
    code = "schemes-invalid"
    title = "The simulated schemes cannot be set up"


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Listen(_Settings):
    host: str
    port: int


class Gateway(_Settings):
    """`api`: base address of the cell's API, where inbound messages go."""

    api: str


class SnapSettings(_Settings):
    """What the bank knows of a participant that speaks SNAP. `public_key` in PEM; `token_s`: how long an access token lasts;
    `notice_key`: the PEM of the key that the bank signs its own notices with, "" where it sends none.
    """

    client_key: str
    public_key: str
    partner_id: str
    channel_id: str
    encoding: Literal["base64", "hex"] = "base64"
    token_s: int = 900
    notice_key: str = Field(default="", repr=False)


class RailSettings(_Settings):
    """The secret that both ends of the connection sign with. `snap`: None where the rail is not spoken to by SNAP."""

    secret: str = Field(repr=False)
    snap: SnapSettings | None = None


class SchemeConfig(_Settings):
    """The whole of schemes.json. `rails` is by rail name."""

    listen: Listen
    cell: Gateway
    rails: Mapping[str, RailSettings]


def read_config(home: Path, cell: str) -> SchemeConfig:
    """Raises SchemesInvalid."""
    file = home / cell / FILE
    try:
        config = SchemeConfig.model_validate_json(file.read_bytes())
    except OSError as error:
        raise SchemesInvalid(f"{file} cannot be read; `kovra up` writes it.") from error
    except ValidationError as error:
        raise SchemesInvalid(f"{file} has {error.error_count()} wrong fields; `kovra up` writes it anew.") from None
    if unknown := set(config.rails) - set(SCHEMES):
        raise SchemesInvalid(f"No scheme is simulated for {', '.join(sorted(unknown))}.")
    return config


def count_file(home: Path, cell: str) -> Path:
    """Where the schemes keep what they were asked and what they paid."""
    return home / cell / "scheme" / "scheme.sqlite3"
