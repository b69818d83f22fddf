"""`python -m cells.audit EXPORT DIRECTORY`: verify an exported trail with nothing of Kovra's running.

EXPORT is the file of JSON lines; DIRECTORY the published directory of cells (directory.json), for the public
keys. Exit status: 0 whole and signed to its end, 1 not whole, 2 wrong use, 3 unsigned: whole, and nothing
vouches for its end.
"""

import json
import sys
from pathlib import Path

from cells.audit.verify import verify


def main(arguments: list[str]) -> int:
    if arguments in (["--help"], ["-h"]):
        print(__doc__)
        return 0
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    export, directory = (Path(argument) for argument in arguments)
    try:
        cells = json.loads(directory.read_text())["cells"]
        keys = {
            name: {key["kid"]: key["public_hex"] for key in cell.get("keys", ()) if key["use"] == "signing"}
            for name, cell in cells.items()
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        print(
            f"{directory} is no directory of cells that can be read. The export comes first, then the directory of cells.",
            file=sys.stderr,
        )
        return 2
    try:
        with export.open() as lines:
            report = verify(lines, keys)
    except (OSError, UnicodeDecodeError):
        print(f"{export} cannot be read.", file=sys.stderr)
        return 2
    for problem in report.problems:
        print(f"not whole: {problem}")
    print(f"{report.cell}: {report.entries} entries, {report.first} to {report.last}")
    if report.checkpoints:
        print(
            f"{report.checkpoints} checkpoints: signed through entry {report.signed_through}, the last at {report.signed_at}"
        )
    if not report.whole:
        return 1
    if report.vouched:
        return 0
    first = max(report.signed_through + 1, report.first)
    print(
        f"unsigned: no checkpoint vouches for {f'entries {first} to {report.last}' if report.unsigned else 'anything here'}"
    )
    return 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
