"""Asking a finished run: the first answer, the next ones, and a thousand images beside the bare network.

    python benchmarks/predict.py

A linear probe of ImageNet's MobileNetV2 on breast ultrasound is trained first. Then the time to the first answer of a
process that has just been started and to the next one, with and without a heat map; and 1,000 files in a folder and in
a zip (reading, gate, set, diary and table) beside the same network on pictures that lie ready in memory, by turns, as
other work on the computer slows both. Needs the folder `shared` beside the project; prints a Markdown table. Not a
test: figures depend on the computer.
"""

import argparse
import datetime
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from medtl.training.machine import share_the_cores

share_the_cores()  # before torch is loaded

import numpy as np  # noqa: E402 - after the line above

from benchmarks.ranking import sources_at_hand  # noqa: E402 - the same
from benchmarks.targets import IMAGES  # noqa: E402 - the same
from medtl.asking.table import Table  # noqa: E402 - the same
from medtl.cohorts import library as cohorts  # noqa: E402 - the same
from medtl.cohorts.formats.images import read  # noqa: E402 - the same
from medtl.cohorts.pixels import shrunk, stretched  # noqa: E402 - the same
from medtl.consulting import Consultant  # noqa: E402 - the same
from medtl.prediction import Trained, Wish  # noqa: E402 - the same
from medtl.start import start  # noqa: E402 - the same
from medtl.training import device as devices  # noqa: E402 - the same
from medtl.workspace import Workspace  # noqa: E402 - the same

SET = IMAGES / "breast-ultrasound-busi-256"
MANY = 1000


def prepared(ws: Workspace) -> str:
    cohort = cohorts.add(ws, SET, name="BUSI", exclude_findings=("label-conflict",))
    source = next(s for name, s in sources_at_hand(ws).items() if name == "ImageNet MobileNetV2")
    run = start(ws, cohort.id, source.id, "linear-probe", settings={"looks": 0}, launch=False)
    done = subprocess.run([sys.executable, "-m", "medtl.worker", str(ws.run(run))], check=False)
    assert done.returncode == 0, (ws.run(run) / "log.txt").read_text()[-2000:]
    return run


def first_and_next(ws: Workspace, run: str) -> dict[str, float]:
    """Seconds; each image is another one."""
    files = [str(file) for file in sorted(SET.glob("*/*.png"))[:12]]
    found = {}
    consultant = Consultant(ws)
    for name, file, explain in (
        ("first answer of a cold process", files[0], None),
        ("next answer", files[1], None),
        ("first heat map", files[2], "predicted"),
    ):
        began = time.perf_counter()
        consultant.predict(run, [file], explain)
        found[name] = time.perf_counter() - began
    times = []
    for file in files[3:]:
        began = time.perf_counter()
        consultant.predict(run, [file], "predicted")
        times.append(time.perf_counter() - began)
    found["next answer with heat map, median of 9"] = statistics.median(times)
    consultant.close()
    return found


def many(place: Path) -> tuple[Path, Path]:
    """MANY files in a folder, and the same in a zip."""
    files = sorted(SET.glob("*/*.png"))
    folder = place / "many"
    folder.mkdir()
    with zipfile.ZipFile(place / "many.zip", "w") as archive:
        for n in range(MANY):
            content = files[n % len(files)].read_bytes()
            (folder / f"{n:04}.png").write_bytes(content)
            archive.writestr(f"{n:04}.png", content)
    return folder, place / "many.zip"


def rates(ws: Workspace, run: str, place: Path, rounds: int) -> dict[str, list[float]]:
    """Images a second, a number each round."""
    folder, packed = many(place)
    trained = Trained(ws, run)
    trained.warm()
    spec = trained.source.input
    ready = np.stack([stretched(shrunk(read(file).pixels), spec.channels, spec.size) for file in folder.iterdir()])
    found: dict[str, list[float]] = {"bare network": [], "folder": [], "zip": []}
    for _ in range(rounds):
        began = time.perf_counter()
        trained.eye.features(ready.__getitem__, np.arange(MANY))
        found["bare network"].append(MANY / (time.perf_counter() - began))
        for name, what in (("folder", folder), ("zip", packed)):
            began = time.perf_counter()
            with Table(place / "answers.csv", trained.classes) as table:
                for answer in trained.stream([what], Wish()):
                    table.add(answer)
            found[name].append(MANY / (time.perf_counter() - began))
    trained.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    devices.prepare_process()
    with tempfile.TemporaryDirectory() as home:
        ws = Workspace(Path(home) / "home").ensure()
        run = prepared(ws)
        answered = first_and_next(ws, run)
        rate = rates(ws, run, Path(home), options.rounds)
    print(f"{datetime.date.today()}; {options.rounds} rounds\n\n| | measured | wanted | |\n|---|---|---|---|")
    wanted = (10.0, 1.0, None, 1.0)
    for (name, seconds), limit in zip(answered.items(), wanted, strict=True):
        verdict = "" if limit is None else "met" if seconds <= limit else "MISSED"
        print(f"| {name}, s | {seconds:.2f} | {f'<= {limit:.0f}' if limit else ''} | {verdict} |")
    bare = rate["bare network"]
    print(f"| bare network, images a second | {statistics.median(bare):.1f} | | |")
    for name in ("folder", "zip"):
        share = statistics.median(one / other for one, other in zip(rate[name], bare, strict=True))
        verdict = "met" if share >= 0.9 else "MISSED"
        print(f"| {MANY:,} files of a {name}, images a second | {statistics.median(rate[name]):.1f} | | |")
        print(f"| the same beside the bare network | {share:.2f} | >= 0.9 | {verdict} |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| peak memory of this process, with {MANY:,} pictures ready in memory, MB | {peak:.0f} | | |")


if __name__ == "__main__":
    main()
