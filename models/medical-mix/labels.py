"""Labels for the `medical-mix` source: file, label and patient of chest films, blood cells and six body parts.

Usage: python models/medical-mix/labels.py FOLDER CHEST BLOOD PARTS > labels.csv

FOLDER holds the other three: the Kermany chest films (with train and test), the PBC blood cells and MedNIST (a folder a
class). Each class says its question before a colon. The chest films' own test part is left out, so that it can be asked
later what the source is worth on children it has never seen; of a class at most so many as `MOST` says are drawn, by
the hash of their names, so that no question drowns the others.
"""

import csv
import hashlib
import importlib.util
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MOST = {"chest film": 1000, "blood cell": 400, "body part": 300}
PARTS = {"AbdomenCT": "abdomen CT", "BreastMRI": "breast MRI", "CXR": "chest film", "ChestCT": "chest CT",
         "Hand": "hand film", "HeadCT": "head CT"}  # fmt: skip
Row = tuple[str, str, str]


def beside(source: str) -> Any:
    """The labels.py of another shipped source; `models` is no package."""
    place = Path(__file__).resolve().parent.parent / source / "labels.py"
    spec = importlib.util.spec_from_file_location(source, place)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(folder: Path, chest: str, blood: str, parts: str) -> Iterator[Row]:
    for file, label, patient, part in beside("chest-xray").rows(folder / chest):
        if part == "train":
            yield f"{chest}/{file}", f"chest film: {label}", patient
    for file, label in beside("blood-cells").rows(folder / blood):
        yield f"{blood}/{file}", f"blood cell: {label}", ""
    for place in sorted((folder / parts).glob("*/*.jp*g")):
        yield str(place.relative_to(folder)), f"body part: {PARTS[place.parent.name]}", ""


def drawn(all_rows: Iterator[Row]) -> list[Row]:
    by_label: dict[str, list[Row]] = defaultdict(list)
    for row in all_rows:
        by_label[row[1]].append(row)
    found = []
    for label, mine in by_label.items():
        mine.sort(key=lambda row: hashlib.sha256(Path(row[0]).name.encode()).digest())
        found += sorted(mine[: MOST[label.partition(": ")[0]]])
    return found


if __name__ == "__main__":
    out = csv.writer(sys.stdout)
    out.writerow(("file", "label", "patient"))
    out.writerows(drawn(rows(Path(sys.argv[1]), *sys.argv[2:5])))
