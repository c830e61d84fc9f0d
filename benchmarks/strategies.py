"""Strategies: what MedTL reaches on few images beside what a user would pick instead, and what its advice costs.

    python benchmarks/strategies.py --folder F                          # measure what F does not hold, then the tables
    python benchmarks/strategies.py --folder F --fastai ENV/bin/python  # fastai as well, in an environment of its own
    python benchmarks/strategies.py --folder F --tables                 # only the tables
    python benchmarks/strategies.py --folder F --methods frozen probe --targets BUSI --sizes 5 10 --draws 3

Targets: BUSI (3 classes), PBC (8), Kermany (2), patients and near copies never divided, the same test cases always. A
draw hands every method the same labelled images: so many a class, and a third of that (at least two) a class more,
which an app that splits 60/20/20 would hold as its tune part. MedTL learns from and chooses on nothing else; peers, who
have no use for a tune part, learn from all of them. Every result is a line of F/results.jsonl: an interrupted run goes
on where it was. Needs the folder `shared` beside the project. Not a test: hours on two cores.
"""

import argparse
import datetime
import json
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from medtl.training.machine import share_the_cores

share_the_cores()  # before torch is loaded

import numpy as np  # noqa: E402 - after the line above
import torch  # noqa: E402 - the same

from benchmarks import peers, strategies_tables  # noqa: E402 - the same
from benchmarks.targets import IMAGES, SHARED, target  # noqa: E402 - the same
from medtl.automatic import judge  # noqa: E402 - the same; the very rule by which the product chooses
from medtl.cohorts.pixels import stretched  # noqa: E402 - the same
from medtl.evaluation.ranking import macro_auroc  # noqa: E402 - the same
from medtl.runs.answers import Answers  # noqa: E402 - the same
from medtl.sources import library  # noqa: E402 - the same
from medtl.sources.importing import add_file  # noqa: E402 - the same
from medtl.sources.weights import load_network  # noqa: E402 - the same
from medtl.strategies import make_for  # noqa: E402 - the same
from medtl.strategies.recommend import expected  # noqa: E402 - the same
from medtl.training import device as devices  # noqa: E402 - the same
from medtl.training.examples import Examples  # noqa: E402 - the same
from medtl.training.features import FeatureCache  # noqa: E402 - the same
from medtl.training.fit import Engine  # noqa: E402 - the same
from medtl.training.inference import Eye, head_scores  # noqa: E402 - the same
from medtl.vocabulary import Case, Cohort, Source, Split  # noqa: E402 - the same
from medtl.workspace import Workspace  # noqa: E402 - the same

PROJECT = Path(__file__).resolve().parent.parent
WEIGHTS = SHARED / "weights/mobilenet_v2-imagenet1k.safetensors"
TARGETS = ("BUSI", "PBC", "Kermany")
# What the app would call these cohorts and their classes; some settings follow the kind of image that names give away.
TITLES = {
    "BUSI": ("breast-ultrasound-busi-256", ("benign", "malignant", "normal")),
    "PBC": (
        "blood-cells-pbc-256",
        ("basophil", "eosinophil", "erythroblast", "ig", "lymphocyte", "monocyte", "neutrophil", "platelet"),
    ),
    "Kermany": ("chest-xray-kermany-224", ("NORMAL", "PNEUMONIA")),
}
SIZES = ("5", "10", "25", "50", "all")
DRAWS = 5
FASTAI, ADAPT, FROZEN, SCIKIT, SCRATCH = "fastai", "adapt", "frozen", "scikit", "scratch"
PEERS = (SCIKIT, FROZEN, ADAPT, FASTAI, SCRATCH)


@dataclass(frozen=True)
class Ready:
    """A target at 224 px: `file` holds `images`, (N, 3, 224, 224) uint8; `test` and `pool` are rows of it."""

    name: str
    file: Path
    images: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    test: np.ndarray
    pool: np.ndarray

    @property
    def classes(self) -> int:
        return int(self.labels.max()) + 1


@dataclass(frozen=True)
class Draw:
    """One handing out of labelled images: `size` as asked for, rows of the train and the tune part."""

    of: Ready
    size: str
    number: int
    train: np.ndarray
    tune: np.ndarray

    @property
    def both(self) -> np.ndarray:
        return np.concatenate([self.train, self.tune])

    def cohort(self) -> Cohort:
        """What a strategy's settings may follow: counts and names."""
        title, classes = TITLES[self.of.name]
        rows = np.concatenate([self.train, self.tune, self.of.test])
        cases = tuple(Case(str(i), str(i), classes[self.of.labels[i]], "", str(i)) for i in rows)
        train, tune, test = (tuple(map(str, part)) for part in (self.train, self.tune, self.of.test))
        split = Split(train, tune, test, "drawn")
        return Cohort("drawn", title, "image", "single-label", classes, None, cases, split)


# ---- data -----------------------------------------------------------------------------------------------------------


def ready(name: str, folder: Path) -> Ready:
    """Decoded once into the folder, memory-mapped from then on; only images of the test part and the pool."""
    file, rest = folder / f"{name}-224.npy", folder / f"{name}.npz"
    if not rest.exists():
        of = target(name)
        rows = np.concatenate([of.test, of.pool])
        images = np.lib.format.open_memmap(file, "w+", np.uint8, (len(rows), 3, 224, 224))
        for i, row in enumerate(rows):
            images[i] = stretched(of.pictures[row], 3, 224)
        images.flush()
        parts = np.arange(len(rows))
        np.savez(
            rest, labels=of.labels[rows], groups=of.groups[rows], test=parts[: len(of.test)], pool=parts[len(of.test) :]
        )
    with np.load(rest, allow_pickle=False) as kept:
        arrays = {key: kept[key] for key in ("labels", "groups", "test", "pool")}
    return Ready(name, file, np.load(file, mmap_mode="r"), **arrays)


def drawn(of: Ready, size: str, number: int) -> Draw:
    """Small draws lie inside the larger ones of the same number; groups stay whole. "all": three quarters train."""
    random = np.random.default_rng([number, 20261128])
    train: list[int] = []
    tune: list[int] = []
    for k in range(of.classes):
        mine = of.pool[of.labels[of.pool] == k]
        many = len(mine) * 3 // 4 if size == "all" else int(size)
        least = len(mine) if size == "all" else max(2, many // 3)
        first: list[int] = []
        rest: list[int] = []
        for group in random.permutation(np.unique(of.groups[mine])):
            whole = mine[of.groups[mine] == group].tolist()
            (first if len(first) < many else rest).extend(whole)
        train += first[:many]
        tune += rest[:least]
    return Draw(of, size, number, np.array(sorted(train)), np.array(sorted(tune)))


# ---- methods --------------------------------------------------------------------------------------------------------


class Bench:
    """Everything the methods share: source, device, fastai's process."""

    def __init__(self, folder: Path, fastai: Path | None) -> None:
        devices.prepare_process()
        self.device = devices.choose()
        self.folder = folder
        self.ws = Workspace(folder / "home").ensure()
        self.source = self._source()
        self._python, self._fastai = fastai, None
        self._features: dict[str, np.ndarray] = {}

    def _source(self) -> Source:
        if "imagenet-mobilenetv2" not in {source.id for source in library.sources(self.ws)}:
            card = PROJECT / "models/chest-xray/start.toml"  # which learned from the same photographs
            add_file(self.ws, WEIGHTS, "mobilenet_v2", "ImageNet MobileNetV2", card)
        return library.sources(self.ws)["imagenet-mobilenetv2"]

    def judged(self, method: str, draw: Draw) -> dict[str, Any]:
        """Macro AUROC on the test cases; of a strategy also what it answers in the tune part, by which Automatic
        chooses, and which strategies Automatic would try here."""
        labels = draw.of.labels
        if method in PEERS:
            return {"auroc": macro_auroc(labels[draw.of.test], self._peer(method, draw))}
        test, tune = self._medtl(method, draw)
        return {
            "auroc": macro_auroc(labels[draw.of.test], test),
            "expected": expected(draw.cohort(), self.source),
            "tune_scores": tune.round(6).tolist(),
            "tune_labels": labels[draw.tune].tolist(),
            "tune_groups": draw.of.groups[draw.tune].tolist(),
        }

    def _peer(self, method: str, draw: Draw) -> np.ndarray:
        """(n, K) scores of the test cases."""
        of, seed = draw.of, draw.number
        if method == SCIKIT:
            if of.name not in self._features:
                self._features[of.name] = peers.frozen_features(of.images, WEIGHTS)
            return peers.scikit(self._features[of.name], of.labels, draw.both, of.test)
        if method == FASTAI:
            if self._fastai is None:
                assert self._python
                self._fastai = peers.Fastai(self._python, devices.cores())
            return self._fastai(of.file, of.labels, draw.both, of.test, WEIGHTS, seed)
        if method in (ADAPT, FROZEN):
            frozen = method == FROZEN
            return peers.plain_loop(of.images, of.labels, draw.both, of.test, WEIGHTS, seed, frozen_norms=frozen)
        assert method == SCRATCH
        return peers.plain_loop(of.images, of.labels, draw.both, of.test, None, seed, rate=1e-3, epochs=20)

    def _medtl(self, strategy: str, draw: Draw) -> tuple[np.ndarray, np.ndarray]:
        """(n, K) scores of the test and the tune part: a strategy of the shelf with the settings the app would give it,
        through the product's engine. Those of the tune part are held out where it was learned from in the end."""
        of = draw.of
        keys = tuple(f"{of.name}-{i}" for i in range(len(of.labels)))
        examples = Examples(
            _Pictures(of.images), of.labels, draw.train, draw.tune, of.test, keys, of.classes, groups=of.groups
        )
        cache = FeatureCache(self.ws.features, self.source.sha256, self.source.input)
        engine = Engine(examples, self.source.input, self.device, draw.number, _Silent(), cache)
        network = load_network(self.source, self.ws.weights, of.classes)
        id, _, said = strategy.partition(":")
        settings = dict(one.split("=") for one in said.split(",") if one)
        plan = make_for(id, draw.cohort(), settings).plan(self.source.outline, of.classes)
        fitted = engine.carry_out(network, plan)
        eye = Eye(fitted.network, self.source.input, self.device, fitted.looks)
        test, tune = (
            head_scores(fitted.network.head, eye.features(examples.inputs.take, rows)) for rows in (of.test, draw.tune)
        )
        return test, tune if fitted.held_out is None else fitted.held_out

    def close(self) -> None:
        if self._fastai:
            self._fastai.close()


class _Pictures:
    def __init__(self, images: np.ndarray) -> None:
        self.images = images

    def take(self, indices: np.ndarray) -> np.ndarray:
        return self.images[indices]

    def keep(self, on_progress: Any) -> None: ...


class _Silent:
    def phase(self, *_: Any) -> None: ...
    def step(self, **_: Any) -> None: ...
    def epoch(self, **_: Any) -> None: ...
    def note(self, message: str) -> None: ...
    def should_stop(self) -> bool:
        return False


# ---- Automatic ------------------------------------------------------------------------------------------------------


def chosen(lines: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A line for Automatic of every draw on which all strategies it would try were measured: what it chose reached."""
    draws: dict[tuple[str, str, int], dict[str, dict[str, Any]]] = {}
    for line in lines:
        if "expected" in line:
            draws.setdefault((line["target"], line["size"], line["draw"]), {})[line["method"]] = line
    for (name, size, number), by in draws.items():
        order = next(iter(by.values()))["expected"]
        if all(method in by for method in order):
            best = order[automatic([by[method] for method in order])]
            facts = {"target": name, "size": size, "draw": number, "auroc": by[best]["auroc"]}
            yield facts | {"method": strategies_tables.AUTOMATIC, "chose": best}


def automatic(tried: list[dict[str, Any]]) -> int:
    """Which of them, in the order in which they are expected to be best: the first that the tune part cannot tell from
    its best."""
    _, tied = judge([_answers(line) for line in tried])
    return min(tied)


def _answers(line: dict[str, Any]) -> Answers:
    scores = np.array(line["tune_scores"], dtype=np.float64)
    scores /= scores.sum(axis=1, keepdims=True)
    cases = tuple(map(str, range(len(scores))))
    classes = tuple(map(str, range(scores.shape[1])))
    groups = np.array(line["tune_groups"], dtype=object)
    return Answers(classes, cases, np.array(line["tune_labels"]), scores.argmax(axis=1), scores, groups)


# ---- measuring ------------------------------------------------------------------------------------------------------


def wanted(options: argparse.Namespace) -> Iterator[tuple[str, str, int, str]]:
    """(target, size, draw, method): the first draw of everything before the second, small sizes first."""
    for number in range(options.draws):
        for size in options.sizes:
            for name in options.targets:
                for method in options.methods:
                    yield name, size, number, method


def measure(options: argparse.Namespace, results: Path) -> None:
    known = {key(line) for line in strategies_tables.read(results)}
    jobs = [job for job in wanted(options) if job not in known]
    if not jobs:
        return
    bench = Bench(options.folder, options.fastai)
    targets = {name: ready(name, options.folder) for name in options.targets}
    for name, size, number, method in jobs:
        draw = drawn(targets[name], size, number)
        began = time.monotonic()
        found = bench.judged(method, draw)
        line = {
            "target": name, "size": size, "draw": number, "method": method, **found,
            "seconds": round(time.monotonic() - began, 1), "train": len(draw.train), "tune": len(draw.tune),
            "date": str(datetime.date.today()),
        }  # fmt: skip
        with results.open("a") as out:
            out.write(json.dumps(line) + "\n")
        says = f"{name} {size} draw {number} {method}: {found['auroc']:.4f}, {line['seconds']} s"
        print(says, file=sys.stderr, flush=True)
    bench.close()


def key(line: dict[str, Any]) -> tuple[str, str, int, str]:
    return line["target"], line["size"], line["draw"], line["method"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where decoded images and results are kept")
    parser.add_argument("--fastai", type=Path, help="the Python of an environment that has fastai and safetensors")
    parser.add_argument("--targets", nargs="+", default=list(TARGETS), choices=TARGETS)
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=SIZES)
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument(
        "--methods",
        nargs="+",
        default=[*PEERS, *strategies_tables.SHELF],
        help="peers; strategies, as full or full:rate=3e-4",
    )
    parser.add_argument("--tables", action="store_true", help="measure nothing")
    options = parser.parse_args()
    if not IMAGES.is_dir():
        sys.exit(f"The public data are not at {SHARED}.")
    if not options.fastai:
        options.methods = [method for method in options.methods if method != FASTAI]
    options.folder.mkdir(parents=True, exist_ok=True)
    results = options.folder / "results.jsonl"
    if not options.tables:
        measure(options, results)
    print(f"{datetime.date.today()}; {platform.machine()}, {devices.cores()} cores, torch {torch.__version__}")
    lines = list(strategies_tables.read(results))
    strategies_tables.show([*lines, *chosen(lines)], PEERS)


if __name__ == "__main__":
    main()
