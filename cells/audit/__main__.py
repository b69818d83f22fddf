"""`python -m cells.audit EXPORT DIRECTORY`: verify an exported trail with nothing of Kovra's running.

EXPORT is the file of JSON lines; DIRECTORY the published directory of cells (directory.json), for the public
keys. Exit status: 0 whole, 1 not whole, 2 wrong use.
"""

import json
import sys
from pathlib import Path

from cells.audit.verify import verify


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    export, directory = (Path(argument) for argument in arguments)
    cells = json.loads(directory.read_text())["cells"]
    keys = {
        name: {key["kid"]: key["public_hex"] for key in cell.get("keys", ()) if key["use"] == "signing"}
        for name, cell in cells.items()
    }
    with export.open() as lines:
        report = verify(lines, keys)
    for problem in report.problems:
        print(f"not whole: {problem}")
    print(f"{report.cell}: {report.entries} entries, {report.first} to {report.last}")
    print(f"{report.checkpoints} checkpoints, signed through {report.signed_through}, {report.unsigned} unsigned")
    return 0 if report.whole else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
