"""Labels for the `blood-cells` source: file and label from the folders of the PBC blood cells; prints a CSV.

Usage: python models/blood-cells/labels.py FOLDER_WITH_ONE_FOLDER_A_CLASS > labels.csv
"""

import csv
import sys
from pathlib import Path

NAMES = {"ig": "immature granulocyte"}


def rows(folder: Path) -> list[tuple[str, str]]:
    files = sorted(file for file in folder.glob("*/*.jp*g"))
    return [(str(file.relative_to(folder)), NAMES.get(file.parent.name, file.parent.name)) for file in files]


if __name__ == "__main__":
    out = csv.writer(sys.stdout)
    out.writerow(("file", "label"))
    out.writerows(rows(Path(sys.argv[1])))
