"""Labels for the `chest-xray` source: file, label, patient and part from the file names of the Kermany chest films.

Usage: python models/chest-xray/labels.py FOLDER_WITH_train_AND_test > labels.csv
The names say normal, bacterial or viral; a person is the number together with the type (numbers are given anew for
bacteria and viruses), for normal films the prefix with the number.
"""

import csv
import re
import sys
from pathlib import Path

PNEUMONIA = re.compile(r"(person\d+)_(bacteria|virus)")
NORMAL = re.compile(r"((?:NORMAL2-)?IM-\d+)")


def rows(folder: Path) -> list[tuple[str, str, str, str]]:
    found = []
    for file in sorted(folder.glob("*/*/*.jpeg")):
        part = file.parts[-3]
        if match := PNEUMONIA.match(file.name):
            label = {"bacteria": "bacterial pneumonia", "virus": "viral pneumonia"}[match[2]]
            found.append((str(file.relative_to(folder)), label, f"{match[1]}_{match[2]}", part))
        elif match := NORMAL.match(file.name):
            found.append((str(file.relative_to(folder)), "normal", match[1], part))
    return found


if __name__ == "__main__":
    out = csv.writer(sys.stdout)
    out.writerow(("file", "label", "patient", "part"))
    out.writerows(rows(Path(sys.argv[1])))
