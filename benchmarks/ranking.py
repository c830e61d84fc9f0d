"""Choosing a source: what the advice is worth, against what every choice would have reached.

    python benchmarks/ranking.py                    # scores, regret of the last layer, what shipped sources are worth
    python benchmarks/ranking.py --fine-tune 1      # also train every source, on one draw of 25 cases a class (long)
    python benchmarks/ranking.py --distance         # how far kinds of images lie from what sources learned from
    python benchmarks/ranking.py --time             # ranking six sources on 500 images, and again after a relabel

Targets: BUSI, Kermany normal/pneumonia, PBC, MedNIST; 10, 25 and 50 training cases a class, five draws each, patients
and copies never divided. Pairs whose target trained the source are left out. Beside them two targets of a shipped
source's own kind, made of images that none of the sources has seen: there always taking ImageNet is not the answer.
"No transfer" is the thumbnails control for the last layer, and training from scratch for fine-tuning. Needs the folder
`shared` beside the project; prints Markdown tables. Not a test: figures depend on the computer.
"""

import argparse
import datetime
import hashlib
import itertools
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from medtl.training.machine import share_the_cores

share_the_cores()  # before torch is loaded

import numpy as np  # noqa: E402 - after the line above
from scipy.stats import weightedtau  # noqa: E402 - the same

from benchmarks.targets import (  # noqa: E402 - the same
    CELLS,
    CHILDREN,
    IMAGES,
    OWN_KIND,
    SHARED,
    Target,
    rows_of,
    target,
    thumbnail,
)
from medtl.cohorts.pixels import stretched  # noqa: E402 - the same
from medtl.evaluation.ranking import macro_auroc  # noqa: E402 - the same
from medtl.sources import library  # noqa: E402 - the same
from medtl.sources.importing import add_file  # noqa: E402 - the same
from medtl.sources.weights import head_of, load_network  # noqa: E402 - the same
from medtl.strategies import make  # noqa: E402 - the same
from medtl.strategies.common import STRENGTHS  # noqa: E402 - the same
from medtl.training import device as devices  # noqa: E402 - the same
from medtl.training.examples import Examples  # noqa: E402 - the same
from medtl.training.fit import Engine  # noqa: E402 - the same
from medtl.training.head import softmax, solve  # noqa: E402 - the same
from medtl.training.inference import Eye, head_scores  # noqa: E402 - the same
from medtl.transferability import distance, scores, statistics  # noqa: E402 - the same
from medtl.transferability.choice import Candidate, choose, expected  # noqa: E402 - the same
from medtl.transferability.crossvalidation import out_of_fold  # noqa: E402 - the same
from medtl.vocabulary import Source  # noqa: E402 - the same
from medtl.workspace import Workspace  # noqa: E402 - the same

PROJECT = Path(__file__).resolve().parent.parent
PER_CLASS = (10, 25, 50)
DRAWS = 5
NONE = "no transfer"
# Whose images trained which shipped source.
TRAINED_ON = {
    "chest-xray": {"Kermany"},
    "blood-cells": {"PBC"},
    "medical-mix": {"Kermany", "PBC", "MedNIST"},
}
SCORES = ("out of fold", "LogME", "H-score", "LEEP", "NCE")
ADVICE = "the advice"
WANTED_REGRET = 0.01


def drawn(of: Target, per_class: int, draw: int) -> tuple[np.ndarray, np.ndarray]:
    """Train part with so many a class, and a tune part of a third of that on top; groups stay whole."""
    random = np.random.default_rng(1000 * per_class + draw)
    train: list[int] = []
    tune: list[int] = []
    for k in range(of.classes):
        mine = of.pool[of.labels[of.pool] == k]
        first: list[int] = []
        rest: list[int] = []
        for group in random.permutation(np.unique(of.groups[mine])):
            whole = mine[of.groups[mine] == group].tolist()
            (first if len(first) < per_class else rest).extend(whole)
        train += first[:per_class]
        taken = set(of.groups[first])
        tune += [i for i in rest if of.groups[i] not in taken][: max(3, per_class // 3)]
    return np.array(sorted(train)), np.array(sorted(tune))


# ---- sources --------------------------------------------------------------------------------------------------------


def sources_at_hand(ws: Workspace) -> dict[str, Source]:
    """Shipped sources and the two ImageNet files."""
    card = PROJECT / "models/chest-xray/start.toml"  # both learned from the same photographs
    for file, builder, title in (
        ("mobilenet_v2-imagenet1k", "mobilenet_v2", "ImageNet MobileNetV2"),
        ("squeezenet1_0-imagenet1k", "squeezenet1_0", "ImageNet SqueezeNet"),
    ):
        if title not in {source.title for source in library.sources(ws)}:
            add_file(ws, SHARED / f"weights/{file}.safetensors", builder, title, card)
    known = library.sources(ws)
    found = {"ImageNet MobileNetV2": known["imagenet-mobilenetv2"], "ImageNet SqueezeNet": known["imagenet-squeezenet"]}
    return found | {source.id: source for source in known if source.origin == "shipped"}


def looked_at(source: Source, ws: Workspace, of: Target, device: Any) -> np.ndarray:
    """(N, D) features of all its pictures that are in a part; others are zero. Kept in the workspace."""
    name = hashlib.sha256(f"{source.sha256} {of.name} {len(of.labels)} {of.test.sum()} {of.pool.sum()}".encode())
    file = ws.features / f"{name.hexdigest()[:24]}.npy"
    if file.exists():
        return np.asarray(np.load(file))
    eye = Eye(load_network(source, ws.weights, 2), source.input, device)
    rows = np.union1d(of.test, of.pool)
    found = eye.features(lambda i: pictures(of, i, source), rows)
    whole = np.zeros((len(of.labels), found.shape[1]), np.float32)
    whole[rows] = found
    np.save(file, whole)
    return whole


def pictures(of: Target, rows: np.ndarray, source: Source) -> np.ndarray:
    return np.stack([stretched(of.pictures[i], source.input.channels, source.input.size) for i in rows])


def usable(source: str, on: str) -> bool:
    return on not in TRAINED_ON.get(source, set())


# ---- what is reached ------------------------------------------------------------------------------------------------


def probe(features: np.ndarray, of: Target, train: np.ndarray, tune: np.ndarray) -> float:
    head = solve(features[train], of.labels[train], features[tune], of.labels[tune], of.classes, STRENGTHS)
    return macro_auroc(of.labels[of.test], head.scores(features[of.test]))


def fine_tuned(source: Source, ws: Workspace, of: Target, train: np.ndarray, tune: np.ndarray, scratch: bool) -> float:
    class Inputs:
        def take(self, indices: np.ndarray) -> np.ndarray:
            return pictures(of, indices, source)

        def keep(self, on_progress: Any) -> None: ...

    class Silent:
        def phase(self, *_: Any) -> None: ...
        def step(self, **_: Any) -> None: ...
        def epoch(self, **_: Any) -> None: ...
        def note(self, message: str) -> None: ...
        def should_stop(self) -> bool:
            return False

    device = devices.choose()
    test = of.test[:: max(1, len(of.test) // 300)]
    examples = Examples(Inputs(), of.labels, train, tune, test, tuple(map(str, range(len(of.labels)))), of.classes)
    plan = make("from-scratch" if scratch else "fine-tune", {"epochs": 10}).plan(source.outline, of.classes)
    network = load_network(source, ws.weights, of.classes)
    fitted = Engine(examples, source.input, device, 0, Silent()).carry_out(network, plan)
    features = Eye(fitted.network, source.input, device).features(examples.inputs.take, test)
    return macro_auroc(of.labels[test], head_scores(fitted.network.head, features))


def scored(
    source: Source, ws: Workspace, x: np.ndarray, y: np.ndarray, groups: np.ndarray, k: int
) -> tuple[dict[str, float], Candidate]:
    """Every score of one source on one draw (NaN where it has no head that reads its features), and its candidacy."""
    found = out_of_fold(x, y, groups, k)
    assert found is not None
    said = {"out of fold": macro_auroc(y, found.scores)}
    said |= {"LogME": scores.log_me(x, y, k), "H-score": scores.h_score(x, y, k), "LEEP": np.nan, "NCE": np.nan}
    if (head := head_of(source, ws.weights)) is not None:
        own = softmax(x.astype(np.float64) @ head[0].T.astype(np.float64) + head[1])
        said |= {"LEEP": scores.leep(own, y, k), "NCE": scores.nce(own, y, k)}
    mine = statistics.learn(x)
    apart = distance.nearest(statistics.load(Path(source.weights).parent), mine) if mine else None
    standing = expected(source, apart.nearness if apart else "")
    return said, Candidate(source.id, found.scores, said["out of fold"], standing)


# ---- tables ---------------------------------------------------------------------------------------------------------


@dataclass
class Cell:
    """One draw on one target: what each source scored and reached."""

    on: str
    per_class: int
    scores: dict[str, dict[str, float]]  # source -> score -> value
    reached: dict[str, float]
    advised: str

    def choice(self, by: str) -> str | None:
        """The source of the highest score among those that have it; None when fewer than two have."""
        if by == ADVICE:
            return self.advised
        have = {source: said[by] for source, said in self.scores.items() if np.isfinite(said.get(by, np.nan))}
        return max(have, key=lambda source: have[source]) if len(have) > 1 else None

    def regret(self, source: str) -> float:
        return max(self.reached.values()) - self.reached[source]

    def tau(self, by: str) -> float:
        have = [source for source, said in self.scores.items() if np.isfinite(said.get(by, np.nan))]
        if len(have) < 3:
            return np.nan
        return float(weightedtau([self.scores[s][by] for s in have], [self.reached[s] for s in have]).statistic)


def table(cells: list[Cell], what: str, sources: list[str]) -> None:
    print(f"\n### What is reached: {what}, macro AUROC on unseen cases, mean of the draws\n")
    print("| target | cases a class | " + " | ".join([*sources, NONE]) + " |")
    print("|---" * (len(sources) + 3) + "|")
    for (on, per_class), mine in itertools.groupby(cells, key=lambda cell: (cell.on, cell.per_class)):
        of = list(mine)
        means = [
            f"{np.mean([cell.reached[s] for cell in of]):.3f}" if s in of[0].reached else "left out"
            for s in [*sources, NONE]
        ]
        print(f"| {on} | {per_class} | " + " | ".join(means) + " |")
    n = len(cells)
    print(f"\n### Agreement and regret: {what}, {n} draws\n")
    print("| chosen by | weighted Kendall tau (mean of draws) | regret, mean (95 %) | regret, worst draw |")
    print("|---|---|---|---|")
    for by in (ADVICE, *SCORES):
        choices = [(cell, cell.choice(by)) for cell in cells]
        regrets = [cell.regret(choice) for cell, choice in choices if choice]
        taus = [tau for cell in cells if np.isfinite(tau := cell.tau(by))]
        tau = f"{np.mean(taus):.2f}" if taus else ""
        print(f"| {by} | {tau} | {said(regrets)} |" if regrets else f"| {by} | - | - | - |")
    for s in sources:
        regrets = [cell.regret(s) for cell in cells if s in cell.reached]
        print(f"| always {s} ({len(regrets)} draws) | | {said(regrets)} |")
    blind = [float(np.mean([cell.regret(s) for s in cell.reached if s != NONE])) for cell in cells]
    print(f"| drawn blindly | | {said(blind)} |")
    found = float(np.mean([cell.regret(choice) for cell in cells if (choice := cell.choice(ADVICE))]))
    print(f"\nMean regret of the recommendation: {found:.4f}, wanted at most {WANTED_REGRET}: ", end="")
    print("met" if found <= WANTED_REGRET else "MISSED")


def said(values: list[float]) -> str:
    """Mean with a bootstrap interval over draws, and the largest."""
    random = np.random.default_rng(0)
    means = random.choice(values, (2000, len(values))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{np.mean(values):.4f} ({low:.4f} to {high:.4f}) | {max(values):.3f}"


def worth(at_hand: dict[str, Source], ws: Workspace, device: Any, draws: int) -> None:
    """For which targets a shipped source is a better start than the bare ImageNet file it began with."""
    print("\n### What the shipped sources are worth beside the ImageNet file they began with (last layer)\n")
    print("| source | target | cases a class | ImageNet MobileNetV2 | the source | difference (95 % over draws) | |")
    print("|---|---|---|---|---|---|---|")
    base = at_hand["ImageNet MobileNetV2"]
    questions = {
        "chest-xray": (CHILDREN, "BUSI"),
        "blood-cells": (CELLS, "BUSI"),
        "medical-mix": (CHILDREN, CELLS, "BUSI"),
    }
    for id, names in questions.items():
        if id not in at_hand:
            continue
        source = at_hand[id]
        for name in names:
            of = target(name, [source])
            both = [looked_at(one, ws, of, device) for one in (base, source)]
            for per_class in (10, 25):
                gaps, level = [], []
                for draw in range(draws * 2):
                    train, tune = drawn(of, per_class, draw)
                    reached = [probe(x, of, train, tune) for x in both]
                    gaps.append(reached[1] - reached[0])
                    level.append(reached)
                one, two = np.mean(level, axis=0)
                low, high = np.quantile(
                    np.random.default_rng(0).choice(gaps, (2000, len(gaps))).mean(1), [0.025, 0.975]
                )
                verdict = "better" if low > 0 else "worse" if high < 0 else "no difference seen"
                print(
                    f"| {id} | {name} | {per_class} | {one:.3f} | {two:.3f} | {two - one:+.3f} ({low:+.3f} to "
                    f"{high:+.3f}) | {verdict} |", flush=True,
                )  # fmt: skip


def distances(at_hand: dict[str, Source], ws: Workspace, device: Any) -> None:
    """How far each kind of images lies from what each shipped source learned from: what "close" and "far" rest on."""
    kinds = [CHILDREN, CELLS, "BUSI", "MedNIST"]
    print("\n### Distance of unseen images to what a source learned from, as a share of its own spread\n")
    print("| source | " + " | ".join(f"{kind} (n 30 / 150)" for kind in kinds) + " |")
    print("|---" * (len(kinds) + 1) + "|")
    shipped = {id: source for id, source in at_hand.items() if source.origin == "shipped"}
    asked = {kind: target(kind, shipped.values() if kind in OWN_KIND else ()) for kind in kinds}
    for id, source in shipped.items():
        folder = Path(source.weights).parent
        learned = statistics.load(folder)
        assert learned, f"{id} has no statistics"
        cells = []
        for of in asked.values():
            x = looked_at(source, ws, of, device)[of.test]
            random = np.random.default_rng(0)
            shares = []
            for n in (30, 150):
                mine = statistics.learn(x[random.permutation(len(x))[:n]])
                apart = distance.nearest(learned, mine) if mine else None
                shares.append(apart.share if apart else np.nan)
            cells.append(" / ".join(f"{share:.2f}" for share in shares))
        print(f"| {id} | " + " | ".join(cells) + " |", flush=True)


def timed(at_hand: list[str], ws: Workspace, device: Any) -> None:
    """Six sources on 500 training images through the product, beside the bare forward passes on ready arrays."""
    from medtl import rank
    from medtl.cohorts import library as cohorts

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for file, label, _ in itertools.islice(rows_of("PBC"), 0, None, 5):
            (folder / label).mkdir(exist_ok=True)
            (folder / label / file.name).write_bytes(file.read_bytes())
        cohort = cohorts.add(ws, folder, name="to be ranked")
    known = library.sources(ws)
    chosen = [known[id] for id in at_hand]
    began = time.monotonic()
    found = rank.run(ws, cohort.id, at_hand, most=500)
    whole = time.monotonic() - began
    random = np.random.default_rng(0)
    sizes = {source.input.size for source in chosen}
    ready = {size: random.integers(0, 256, (found.cases, 3, size, size), np.uint8) for size in sizes}
    bare = 0.0
    for source in chosen:
        eye = Eye(load_network(source, ws.weights, 2), source.input, device)

        def take(rows: np.ndarray, size: int = source.input.size) -> np.ndarray:
            return ready[size][rows]

        eye.features(take, np.arange(8))
        began = time.monotonic()
        eye.features(take, np.arange(found.cases))
        bare += time.monotonic() - began
    edited = cohorts.edit(ws, cohort.id, relabel={cohort.cases[0].id: cohort.classes[-1]})
    began = time.monotonic()
    rank.run(ws, edited.id, at_hand, most=500)
    again = time.monotonic() - began
    n = len(chosen)
    print(f"\n### Ranking {n} sources and no transfer on {found.cases} training images\n")
    print("| | seconds | beside the bare forward passes | wanted |")
    print("|---|---|---|---|")
    print(f"| bare forward passes of these {n} networks on ready arrays | {bare:.1f} | 1.0 | |")
    print(f"| ranking, process up | {whole:.1f} | {whole / bare:.2f} | 60 s; 1.2 |")
    print(f"| ranking again after a relabel | {again:.2f} | {again / bare:.2f} | 2 s |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--fine-tune", type=int, default=0, metavar="DRAWS", help="train every source, this many draws")
    parser.add_argument("--sizes", type=int, nargs="+", default=[25], help="cases a class of the fine-tuning")
    parser.add_argument("--targets", nargs="+", default=["BUSI", "Kermany", "PBC", "MedNIST", *OWN_KIND])
    parser.add_argument("--time", action="store_true", help="only the time of a ranking")
    parser.add_argument("--home", help="a workspace of its own, in which features are kept for the next time")
    parser.add_argument("--distance", action="store_true", help="only how far kinds of images lie from sources")
    parser.add_argument("--worth", action="store_true", help="only what the shipped sources are worth")
    options = parser.parse_args()
    if not IMAGES.is_dir():
        sys.exit(f"The public data are not at {SHARED}.")
    devices.prepare_process()
    device = devices.choose()
    print(f"{datetime.date.today()}; {platform.machine()}, {devices.cores()} cores, {device.name}")
    with tempfile.TemporaryDirectory() as home:
        ws = Workspace(options.home or home).ensure()
        at_hand = sources_at_hand(ws)
        if options.time:
            timed([source.id for source in at_hand.values()], ws, device)
            return
        if options.distance:
            distances(at_hand, ws, device)
            return
        if not options.worth:
            frozen, trained = measured(at_hand, ws, device, options)
            for cells, how in ((frozen, "last layer alone"), (trained, "fine-tuning, 10 epochs at most")):
                foreign = [cell for cell in cells if cell.on not in OWN_KIND]
                own = [cell for cell in cells if cell.on in OWN_KIND]
                for some, where in ((foreign, "no source saw this kind"), (own, "some source knows this kind")):
                    if some:
                        table(some, f"{how}; {where}", list(at_hand))
        worth(at_hand, ws, device, options.draws)


def measured(
    at_hand: dict[str, Source], ws: Workspace, device: Any, options: argparse.Namespace
) -> tuple[list[Cell], list[Cell]]:
    frozen, trained = [], []
    for name in options.targets:
        of = target(name, [s for s in at_hand.values() if s.origin == "shipped"] if name in OWN_KIND else ())
        mine = {id: source for id, source in at_hand.items() if usable(id, name)}
        seen_by = {id: looked_at(source, ws, of, device) for id, source in mine.items()}
        flat = np.stack([thumbnail(picture) for picture in of.pictures]).reshape(len(of.labels), -1) / np.float32(255)
        print(f"{name}: {len(of.pool)} to draw from, {len(of.test)} to judge by", file=sys.stderr, flush=True)
        for per_class in PER_CLASS:
            for draw in range(options.draws):
                train, tune = drawn(of, per_class, draw)
                if np.bincount(of.labels[train]).min() < per_class or np.bincount(of.labels[tune]).min() < 3:
                    continue  # a target too small for so many a class
                y, groups = of.labels[train], of.groups[train]
                both = {id: scored(mine[id], ws, x[train], y, groups, of.classes) for id, x in seen_by.items()}
                said = {id: scores_of for id, (scores_of, _) in both.items()}
                names = [str(k) for k in range(of.classes)]
                taken, _ = choose([one for _, one in both.values()], y, names, names[-1], groups.astype(object))
                advised = next(id for id, (_, one) in both.items() if one is taken)
                none = out_of_fold(flat[train], y, groups, of.classes)
                said[NONE] = {"out of fold": macro_auroc(y, none.scores) if none else np.nan}
                reached = {id: probe(x, of, train, tune) for id, x in seen_by.items()}
                reached[NONE] = probe(flat, of, train, tune)
                frozen.append(Cell(name, per_class, said, reached, advised))
                if draw < options.fine_tune and per_class in options.sizes:
                    tuned = {id: fine_tuned(source, ws, of, train, tune, False) for id, source in mine.items()}
                    tuned[NONE] = fine_tuned(mine["ImageNet MobileNetV2"], ws, of, train, tune, True)
                    trained.append(Cell(name, per_class, said, tuned, advised))
                    print(f"  fine-tuned, {per_class} a class, draw {draw}: {tuned}", file=sys.stderr, flush=True)
    return frozen, trained


if __name__ == "__main__":
    main()
