"""The router's own settings: for each cell, the secret by which that cell knows it (cells/kit/forwarded.py).

In `<home>/shared/router.json`, readable by its owner only; a cell has its half in its `cell.json`. Each cell has a secret of its own, so that
none can pass for the router at another.
"""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from residency.directory import Directory
from residency.errors import KovraError

_FILE = Path("shared") / "router.json"


class RouterSettingsInvalid(KovraError):
    code = "settings-invalid"
    title = "The router's private settings cannot be read"


class _CellSecret(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    secret: str = Field(min_length=32)


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    cells: Mapping[str, _CellSecret]


def load_secrets(home: Path, directory: Directory) -> dict[str, bytes]:
    """By cell. Raises RouterSettingsInvalid, also where a cell of the directory has none."""
    path = home / _FILE
    try:
        cells = _Settings.model_validate_json(path.read_bytes()).cells
    except (OSError, ValidationError) as error:
        raise RouterSettingsInvalid(f"Cannot read {path}: {error}") from error
    missing = sorted(directory.cells.keys() - cells.keys())
    if missing:
        raise RouterSettingsInvalid(f"{path} has no secret for {', '.join(missing)}.")
    return {name: one.secret.encode() for name, one in cells.items()}
