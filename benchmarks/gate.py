"""The gate: how many images of another kind does a run let pass, and how many of its own kind does it refuse?

    python benchmarks/gate.py              # five models, about two minutes
    python benchmarks/gate.py --draws 3    # the same on other splits; proportions are of all draws together

Each model is a last layer on features (which is all that the gate looks at): ImageNet's MobileNetV2 on breast
ultrasound, children's chest films, blood cells and two kinds of MedNIST, the first also with few cases; and the shipped
chest-xray source, whose features were trained on the very films it is asked about. Train, tune and test parts of 60, 20
and 20 %, groups never divided; the gate sees train and tune. Foreign: the other sets, and the model's own test cases as
negatives, tinted, and turned by a quarter; besides noise and blank images. What counts as the same kind is left out of
the sum (MedNIST's chest films for a model of chest films; pictures turned by a quarter, which are the right kind).
Needs the folder `shared` beside the project; prints Markdown tables. Not a test: figures depend on the computer.
"""

import argparse
import datetime
import hashlib
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from medtl.training.machine import share_the_cores

share_the_cores()  # before torch is loaded

import numpy as np  # noqa: E402 - after the line above

from benchmarks.ranking import sources_at_hand  # noqa: E402 - the same
from benchmarks.targets import rows_of  # noqa: E402 - the same
from medtl.cohorts.appearance import appearance  # noqa: E402 - the same
from medtl.cohorts.formats.images import read  # noqa: E402 - the same
from medtl.cohorts.pixels import shrunk, stretched  # noqa: E402 - the same
from medtl.evaluation.intervals import wilson  # noqa: E402 - the same
from medtl.explanation import neighbours  # noqa: E402 - the same
from medtl.gate import gate  # noqa: E402 - the same
from medtl.gate.gate import Cases  # noqa: E402 - the same
from medtl.gate.photometry import seen  # noqa: E402 - the same
from medtl.sources.weights import load_network  # noqa: E402 - the same
from medtl.training import device as devices  # noqa: E402 - the same
from medtl.training.inference import Eye  # noqa: E402 - the same
from medtl.vocabulary import Source  # noqa: E402 - the same
from medtl.workspace import Workspace  # noqa: E402 - the same

FOREIGN = 60  # images a class of a foreign set
OWN = 250  # images a class of a model's own cohort, at most
MADE = 60  # noise, blank
TESTED = 200  # own test cases, at most
WANTED, ACCEPTANCE = 0.02, 0.95
SAME_KIND = {"Kermany": {"MedNIST CXR"}}
TURNED = "turned by a quarter"
IMAGENET, CHEST = "ImageNet MobileNetV2", "chest-xray"


@dataclass(frozen=True)
class Model:
    name: str
    cohort: str
    source: str
    frozen: bool = True
    only: tuple[str, ...] = ()  # labels
    cases: int = 0  # at most so many; 0: all


MODELS = (
    Model("breast ultrasound", "BUSI", IMAGENET),
    Model("breast ultrasound, 60 cases", "BUSI", IMAGENET, cases=60),
    Model("children's chest films", "Kermany", IMAGENET),
    Model("the same, features trained on them", "Kermany", CHEST, frozen=False),
    Model("blood cells", "PBC", IMAGENET),
    Model("hands and heads (CT)", "MedNIST", IMAGENET, only=("Hand", "HeadCT")),
)


@dataclass
class Images:
    """Pictures with their labels, groups and what the gate's first storey sees of them."""

    pictures: list[np.ndarray]
    labels: np.ndarray
    groups: np.ndarray
    files: list[str]

    @staticmethod
    def of(pictures: list[np.ndarray], labels: Iterable[str] = (), groups: Iterable[str] = ()) -> "Images":
        n = len(pictures)
        return Images(pictures, np.array([*labels] or [""] * n), np.array([*groups] or [str(i) for i in range(n)]), [])

    def some(self, rows: np.ndarray) -> "Images":
        files = [self.files[i] for i in rows] if self.files else []
        return Images([self.pictures[i] for i in rows], self.labels[rows], self.groups[rows], files)


def images(name: str, per_class: int) -> Images:
    rows = sorted(rows_of(name), key=lambda row: hashlib.sha256(row[0].name.encode()).digest())
    taken: dict[tuple[str, str], int] = {}
    kept = []
    for file, label, group in rows:
        kind = (label, file.parents[1].name)  # the chest films lie in train/ and test/
        taken[kind] = taken.get(kind, 0) + 1
        if taken[kind] <= per_class:
            kept.append((file, label, group))
    found = Images.of([shrunk(read(file).pixels) for file, _, _ in kept], (r[1] for r in kept), (r[2] for r in kept))
    found.files = [str(file) for file, _, _ in kept]
    return found


class Look:
    """Features and appearance of pictures, as the product has them."""

    def __init__(self, source: Source, ws: Workspace) -> None:
        self.eye = Eye(load_network(source, ws.weights, 2), source.input, devices.choose("cpu"))
        self.size = source.input.size
        self.seconds = 0.0

    def cases(self, of: Images) -> Cases:
        def take(rows: np.ndarray) -> np.ndarray:
            return np.stack([stretched(of.pictures[i], 3, self.size) for i in rows])

        began = time.perf_counter()
        features = self.eye.features(take, np.arange(len(of.pictures)))
        self.seconds += time.perf_counter() - began
        facts = [{"width": p.shape[1], "height": p.shape[0]} for p in of.pictures]
        return Cases(features, seen([appearance(p) for p in of.pictures], facts), of.groups)


def foreign_sets() -> dict[str, Images]:
    sets = {name: images(name, FOREIGN) for name in ("BUSI", "Kermany")}
    sets["PBC"] = images("PBC", 20)
    bodies = images("MedNIST", FOREIGN)
    for kind in np.unique(bodies.labels):
        sets[f"MedNIST {kind}"] = bodies.some(np.flatnonzero(bodies.labels == kind))
    random = np.random.default_rng(0)
    grey = random.integers(0, 256, MADE)
    sets["noise"] = Images.of(
        [random.integers(0, 256, (256, 256)).astype(np.uint8) for _ in range(MADE // 2)]
        + [np.clip(random.normal(128, 40, (256, 256)), 0, 255).astype(np.uint8) for _ in range(MADE // 2)]
    )
    sets["blank"] = Images.of([np.full((256, 256), value, np.uint8) for value in grey])
    return sets


def changed(test: Images) -> dict[str, Images]:
    def tinted(picture: np.ndarray) -> np.ndarray:
        colour = np.stack([picture] * 3, axis=-1) if picture.ndim == 2 else picture
        return (colour * np.array([1.0, 0.75, 0.55])).astype(np.uint8)

    return {
        "its negatives": Images.of([255 - picture for picture in test.pictures]),
        "tinted": Images.of([tinted(picture) for picture in test.pictures]),
        TURNED: Images.of([np.ascontiguousarray(np.rot90(picture)) for picture in test.pictures]),
    }


def parted(of: Images, model: Model, draw: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Train, tune and test rows; whole groups. A model of few cases is tested on others that are left."""
    random = np.random.default_rng(draw)
    names = random.permutation(np.unique(of.groups))
    place = dict(zip(names.tolist(), np.arange(len(names)) / len(names), strict=True))
    at = np.array([place[group] for group in of.groups.tolist()])
    share = min(1.0, model.cases / len(at)) if model.cases else 1.0
    train, tune = 0.6 * share, 0.8 * share
    return (
        np.flatnonzero(at < train),
        np.flatnonzero((at >= train) & (at < tune)),
        random.permutation(np.flatnonzero(at >= tune))[:TESTED],
    )


def passed(at: gate.Gate, cases: Cases) -> tuple[int, int]:
    nearest = at.neighbours.distances(cases.features)
    verdicts = at.judge(cases.features, cases.seen, nearest)
    return sum(verdict.accepted for verdict in verdicts), len(verdicts)


def trial(model: Model, look: Look, own: Images, foreign: Mapping[str, Cases], draw: int) -> dict[str, tuple[int, int]]:
    train, tune, test = parted(own, model, draw)
    if model.source == CHEST:  # it learned from the folder train/
        new = np.array(["/test/" in file for file in own.files])
        half = np.random.default_rng(draw).permutation(np.flatnonzero(new))
        train, tune, test = np.flatnonzero(~new), half[: len(half) // 2], half[len(half) // 2 :]
    learned, held, asked = (look.cases(own.some(rows)) for rows in (train, tune, test))
    ids = [str(i) for i in train]
    near = neighbours.learn(ids, learned.features, held.features)
    began = time.perf_counter()
    at = gate.learn(near, learned.groups, learned, held, model.frozen)
    if draw == 0:
        print(f"{model.name}: learned in {time.perf_counter() - began:.2f} s. {at.how}", file=sys.stderr)
    found = {"": passed(at, asked)}
    found |= {name: passed(at, cases) for name, cases in foreign.items() if not name.startswith(model.cohort)}
    found |= {
        f"MedNIST {kind}": passed(at, foreign[f"MedNIST {kind}"])
        for kind in (() if model.cohort != "MedNIST" else ("AbdomenCT", "BreastMRI", "CXR", "ChestCT"))
    }
    return found | {name: passed(at, look.cases(pictures)) for name, pictures in changed(own.some(test)).items()}


def share(hits: int, n: int) -> str:
    low, high = wilson(hits, n)
    return f"{100 * hits / n:.1f} % ({100 * low:.1f} to {100 * high:.1f}; n = {n:,})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=1)
    options = parser.parse_args()
    devices.prepare_process()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as home:
        ws = Workspace(home).ensure()
        known = sources_at_hand(ws)
        sets = foreign_sets()
        found: dict[str, dict[str, list[int]]] = {}
        for source in dict.fromkeys(model.source for model in MODELS):
            look = Look(known[source], ws)
            foreign = {name: look.cases(of) for name, of in sets.items()}
            for model in (one for one in MODELS if one.source == source):
                own = images(model.cohort, OWN)
                if model.only:
                    own = own.some(np.flatnonzero(np.isin(own.labels, model.only)))
                table = found.setdefault(model.name, {})
                for draw in range(options.draws):
                    for name, (hits, n) in trial(model, look, own, foreign, draw).items():
                        row = table.setdefault(name, [0, 0])
                        row[0], row[1] = row[0] + hits, row[1] + n
    printed(found, options.draws)
    print(f"\n{time.perf_counter() - began:.0f} s in all.")


def printed(found: Mapping[str, Mapping[str, list[int]]], draws: int) -> None:
    print(f"{draws} draw{'s' if draws > 1 else ''}; {datetime.date.today()}\n")
    print("| model | its own test cases that pass | foreign images that pass | worst foreign set |\n|---|---|---|---|")
    wrong = [0, 0]
    for model in MODELS:
        table = found[model.name]
        counted = {
            name: row for name, row in table.items()
            if name and name != TURNED and name not in SAME_KIND.get(model.cohort, set())
        }  # fmt: skip
        total = np.sum(list(counted.values()), axis=0).tolist()
        wrong = [wrong[0] + total[0], wrong[1] + total[1]]
        worst = max(counted, key=lambda name: counted[name][0] / counted[name][1])
        print(f"| {model.name} | {share(*table[''])} | {share(*total)} | {worst}: {share(*counted[worst])} |")
    print("\n| images | " + " | ".join(model.name for model in MODELS) + " |\n|---" * 1 + "|---" * len(MODELS) + "|")
    for name in dict.fromkeys(name for table in found.values() for name in table):
        cells = [found[model.name].get(name) for model in MODELS]
        shown = " | ".join(f"{row[0]} of {row[1]}" if row else "its own kind" for row in cells)
        print(f"| {name or 'own test cases'} | {shown} |")
    print("\n| target | measured | wanted | |\n|---|---|---|---|")
    reached = wrong[0] / wrong[1] <= WANTED
    print(f"| foreign images that pass, all models | {share(*wrong)} | <= 2 % | {'met' if reached else 'MISSED'} |")
    for model in MODELS:
        hits, n = found[model.name][""]
        print(f"| own cases that pass, {model.name} | {share(hits, n)} | >= 95 % | {_met(hits, n)} |")


def _met(hits: int, n: int) -> str:
    return "met" if hits / n >= ACCEPTANCE else "MISSED"


if __name__ == "__main__":
    main()
