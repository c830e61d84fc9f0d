"""Bringing images in: what it costs beside the bare decoding of the same files, and what is found in hard ones.

    python benchmarks/ingest.py                 # all of it
    python benchmarks/ingest.py --only kermany  # one of: kermany, dicom, near, gallery, twenty

- kermany: 5,840 chest films to a ready cohort, with and without the checks, beside bare decoding by Pillow on the same
  cores in the same run; peak memory of the import with its reading processes
- dicom: every file of two folders of difficult DICOM files, by outcome
- near: the search for near-copies among 10,000 (and 20,000) thumbnails
- gallery: the Data page of a cohort of 10,000 cases, drawn by Streamlit's own test driver
- twenty: 20,000 images, peak memory

Needs the folder `shared` beside the project for the first two; prints Markdown tables. Not a test: figures depend on
the computer.
"""

import argparse
import datetime
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from multiprocessing import get_context
from pathlib import Path

import numpy as np

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))
SHARED = PROJECT.parent / "shared"
KERMANY = SHARED / "data/images/chest-xray-kermany-224"
DICOM = [SHARED / "data/dicom/pydicom-test-files", SHARED / "data/dicom/pydicom-data"]
CORES = os.cpu_count() or 1


# ---- tools ----------------------------------------------------------------------------------------------------------


def bare(paths: list[Path]) -> int:
    """What nobody can do without: read the bytes, decode, have the array."""
    from PIL import Image

    total = 0
    for path in paths:
        with Image.open(io.BytesIO(path.read_bytes())) as image:
            total += np.asarray(image).size
    return total


def decoded_bare(paths: list[Path]) -> float:
    """Seconds on all cores, the processes being up."""
    shares = [paths[n :: CORES * 8] for n in range(CORES * 8)]
    with get_context("spawn").Pool(CORES) as pool:
        pool.map(bare, [paths[:2]] * CORES * 2)
        began = time.monotonic()
        pool.map(bare, shares, chunksize=1)
        return time.monotonic() - began


class Memory(threading.Thread):
    """The largest sum of the memory of a process and its children (proportional set size, shared pages once)."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.process, self.peak, self.over = process, 0, threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.2):
            self.peak = max(self.peak, sum(_memory(pid) for pid in _family(self.process)))


def _family(process: int) -> list[int]:
    try:
        text = Path(f"/proc/{process}/task/{process}/children").read_text()
    except OSError:
        return []
    return [process, *(pid for child in text.split() for pid in _family(int(child)))]


def _memory(process: int) -> int:
    try:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return 0


@contextmanager
def workspace() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="medtl-ingest-") as home:
        yield Path(home)


def add(home: Path, path: Path, *options: str) -> tuple[dict[str, object], float, int]:
    """(answer, seconds, peak bytes) of the command a user would type."""
    command = [sys.executable, "-m", "medtl", "cohort", "add", str(path), "--json", "--home", str(home), *options]
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    memory = Memory(process.pid)
    memory.start()
    out, wrong = process.communicate()
    seconds = time.monotonic() - began
    memory.over.set()
    if process.returncode:
        sys.exit(f"cohort add failed:\n{wrong.decode()[-2000:]}")
    return json.loads(out), seconds, memory.peak


# ---- what is measured -----------------------------------------------------------------------------------------------


def kermany() -> None:
    """The set as it is, and 600 of its films at the size films have; small files are all overhead."""
    paths = sorted(KERMANY.rglob("*.jpeg"))
    with workspace() as home:
        cohort, whole, peak = add(home, KERMANY)
    print(f"\n{len(paths):,} JPEGs of 224 x 224 (Kermany), {cohort['cases']:,} cases, {CORES} cores\n")
    _beside_bare_decoding(KERMANY, paths)
    print(f"| the whole command (starting Python: {empty():.1f} s) | {whole:.1f} | | |")
    print(f"\nPeak memory of the command and its reading processes: {peak / 1e6:,.0f} MB (wanted: under 1,000).")
    with workspace() as home:
        large = _enlarged(paths[:: max(1, len(paths) // 600)], home / "large")
        print(f"\n{len(large)} of them enlarged to 1,024 x 1,024\n")
        _beside_bare_decoding(home / "large", large)


def _enlarged(paths: list[Path], folder: Path) -> list[Path]:
    from PIL import Image

    made = []
    for n, path in enumerate(paths):
        to = folder / path.parent.name / f"{n}.jpg"
        to.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as image:
            image.resize((1024, 1024)).save(to, quality=90)
        made.append(to)
    return made


def _beside_bare_decoding(folder: Path, paths: list[Path], times: int = 3) -> None:
    """The best of some for each, in turn, for the computer is never quite quiet."""
    decoded_bare(paths)  # once, so that every file is in memory for all that follow
    floor, plain, checked = 1e9, 1e9, 1e9
    for _ in range(times):
        floor = min(floor, decoded_bare(paths))
        inside, checks = _imported(folder)
        plain, checked = min(plain, inside - checks), min(checked, inside)
    print("| what | seconds | beside bare decoding | wanted |\n|---|---|---|---|")
    print(f"| bare decoding (read, Pillow, array; {CORES} processes that are up) | {floor:.1f} | 1.0 | |")
    says = "import: read, decode, measure, de-identify, store originals and cache"
    print(f"| {says} | {plain:.1f} | {plain / floor:.2f} | 1.5 |")
    print(f"| import with all checks | {checked:.1f} | {checked / floor:.2f} | 2.5 |")


def _imported(folder: Path) -> tuple[float, float]:
    """Seconds in all, and those spent on near copies, split and findings."""
    from medtl.cohorts import adding
    from medtl.workspace import Workspace

    spent = 0.0

    def timed(inner: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            nonlocal spent
            at = time.monotonic()
            try:
                return inner(*args, **kwargs)
            finally:
                spent += time.monotonic() - at

        return call

    kept = {name: getattr(adding, name) for name in ("judged", "find_near")}
    for name, inner in kept.items():
        setattr(adding, name, timed(inner))
    try:
        with workspace() as home:
            at = time.monotonic()
            adding.add(Workspace(home), folder)
            return time.monotonic() - at, spent
    finally:
        for name, inner in kept.items():
            setattr(adding, name, inner)


def empty() -> float:
    """Seconds the command needs for nothing: the start of Python and of what it imports."""
    with workspace() as home:
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "medtl", "cohort", "list", "--json", "--home", str(home)],
            cwd=PROJECT, capture_output=True, check=True,
        )  # fmt: skip
        return time.monotonic() - began


def dicom() -> None:
    from medtl.cohorts import reading
    from medtl.cohorts.archive import Place
    from medtl.vocabulary import Reading

    print("\n| folder | files | decoded | pictures | no image | cannot be decoded | not DICOM | other | seconds |")
    print("|---|---|---|---|---|---|---|---|---|")
    reasons: Counter[str] = Counter()
    for folder in DICOM:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        with workspace() as place:
            setup = {
                "desk": "keep", "folder": str(place), "salt": "00" * 32, "names": "replaced", "keep_key": False,
                "reading": vars(Reading()),
            }  # fmt: skip
            numbers = count()
            jobs = [reading.job(n, path.name, Place(str(path))) for n, path in enumerate(files)]
            began = time.monotonic()
            counts: Counter[str] = Counter()
            for answer in reading.answers(setup, jobs, lambda numbers=numbers: f"shard-{next(numbers)}"):
                outcome = _outcome(answer)
                counts[outcome] += 1
                if outcome == "decoded":
                    counts["pictures"] += len(answer["cases"])
                elif outcome != "no image":
                    reasons[f"{files[answer['job']].name}: {answer['skipped'][0]}"] += 1
            seconds = time.monotonic() - began
        named = ("decoded", "pictures", "no image", "cannot be decoded", "not DICOM", "other")
        cells = " | ".join(str(counts[name]) for name in named)
        print(f"| {folder.name} | {len(files)} | {cells} | {seconds:.1f} |")
    print("\nNot decoded, with the reason given:\n")
    for reason in sorted(reasons):
        print(f"- {reason}")


def _outcome(answer: dict[str, object]) -> str:
    if "skipped" not in answer:
        return "decoded"
    said = str(answer["skipped"][0])  # type: ignore[index]
    if "no image" in said.casefold() or "no picture" in said.casefold():
        return "no image"
    if "not an image we read" in said or "not DICOM" in said or "is named" in said or "zip archive" in said:
        return "not DICOM"
    return "cannot be decoded" if "cannot be decoded" in said else "other"


def near() -> None:
    from medtl.cohorts.findings.likeness import near_copies

    print("\n| thumbnails | pairs planted | found | seconds | wanted |\n|---|---|---|---|---|")
    rng = np.random.default_rng(0)
    for n, wanted in ((10_000, "10"), (20_000, "")):
        base = rng.normal(128, 40, (n, 8, 8)).repeat(4, 1).repeat(4, 2)  # smooth, as pictures are
        base = (base + rng.normal(0, 8, base.shape)).clip(0, 255).astype(np.uint8)
        base[n - 50 :] = np.clip(base[:50].astype(int) + rng.integers(-4, 5, (50, 32, 32)), 0, 255)
        began = time.monotonic()
        found = near_copies(base)
        seconds = time.monotonic() - began
        print(f"| {n:,} | 50 | {len(found)} | {seconds:.1f} | {wanted} |")


def pictures(folder: Path, count: int, side: int) -> None:
    from PIL import Image

    rng = np.random.default_rng(1)
    for label in ("benign", "malignant"):
        (folder / label).mkdir(parents=True)
    for n in range(count):
        small = rng.integers(0, 256, (side // 8, side // 8), np.uint8)
        picture = Image.fromarray(small).resize((side, side), Image.Resampling.BILINEAR)
        picture.save(folder / ("benign", "malignant")[n % 2] / f"p{n // 2}_{n}.jpg", quality=85)


def gallery() -> None:
    """Time to draw the Data page again after a click, at 10,000 cases."""
    from streamlit.testing.v1 import AppTest

    with workspace() as home:
        pictures(home / "set", 10_000, 64)
        cohort, _, _ = add(home / "home", home / "set")
        os.environ["MEDTL_HOME"] = str(home / "home")
        at = AppTest.from_file(str(PROJECT / "app.py"), default_timeout=120)
        at.switch_page("pages/data.py")
        at.query_params["cohort"] = str(cohort["id"])
        times = []
        for _ in range(6):
            began = time.monotonic()
            at.run()
            times.append(time.monotonic() - began)
        if at.exception:
            sys.exit(str(at.exception))
    print("\n| Data page, 10,000 cases | seconds | wanted |\n|---|---|---|")
    print(f"| first drawing | {times[0]:.2f} | |\n| drawn again (median of 5) | {np.median(times[1:]):.2f} | 0.5 |")


def twenty() -> None:
    with workspace() as home:
        pictures(home / "set", 20_000, 224)
        cohort, seconds, peak = add(home / "home", home / "set")
    print("\n| 20,000 images of 224 x 224 | seconds | peak memory |\n|---|---|---|")
    print(f"| {cohort['cases']:,} cases | {seconds:.0f} | {peak / 1e6:,.0f} MB |")


PARTS = {"kermany": kermany, "dicom": dicom, "near": near, "gallery": gallery, "twenty": twenty}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=PARTS, action="append")
    chosen = parser.parse_args().only or list(PARTS)
    if not SHARED.is_dir() and {"kermany", "dicom"} & set(chosen):
        sys.exit("This benchmark needs the folder `shared` beside the project.")
    print(f"{datetime.date.today()}, {platform.machine()}, {CORES} cores, Python {platform.python_version()}")
    for name in chosen:
        PARTS[name]()


if __name__ == "__main__":
    main()
