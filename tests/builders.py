"""Tiny things made in code and shared by tests: networks, pictures that are easy to tell apart, a cohort on disk.

Letters: N cases, C channels, S pixels a side, K classes.
"""

import contextlib
import dataclasses
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from medtl.cohorts import library as cohorts
from medtl.runs import events, store
from medtl.sources.network import Network, Stage
from medtl.training.device import Device
from medtl.training.examples import Examples
from medtl.training.fit import Engine
from medtl.vocabulary import PARTS, Card, Case, Cohort, InputSpec, Outline, Source, Split
from medtl.workspace import Workspace

# On networks this small a second thread costs more than it brings, above all on a busy computer.
torch.set_num_threads(1)

ROOT = Path(__file__).resolve().parents[1]
CLASSES = ("benign", "malignant")
PICTURES = InputSpec(channels=3, size=16)
TABLE = InputSpec(channels=1, size=4, mean=(0.5,), std=(0.25,))
CPU = Device(torch.device("cpu"), None, chunk=8, chunk_forward=16)


# ---- networks -------------------------------------------------------------------------------------------------------


def image_network(classes: int = 2, seed: int = 0, width: int = 8) -> Network:
    """Four stages of convolution and batch norm for 16 to 32 px in three channels, features of 2 x `width`."""
    torch.manual_seed(seed)
    widths = (3, width, width, 2 * width, 2 * width)
    blocks = [
        nn.Sequential(
            nn.Conv2d(before, after, 3, stride=1 + n % 2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()
        )
        for n, (before, after) in enumerate(itertools.pairwise(widths))
    ]
    trunk = nn.Sequential(*blocks)
    with torch.no_grad():  # running statistics as a trained source has them
        for _ in range(20):
            trunk.train()(torch.randn(16, 3, 16, 16))
    stages = [Stage(f"stage {n}", [block]) for n, block in enumerate(blocks)]
    pool = [nn.AdaptiveAvgPool2d(1), nn.Flatten(1)]
    return Network(trunk.eval(), stages, pool, 2 * width, classes, blocks[-1]).eval()


def table_network(classes: int = 2, seed: int = 0, columns: int = 16) -> Network:
    """Three stages of a plain perceptron over `columns` numbers; a row arrives as a picture of one channel."""
    torch.manual_seed(seed)
    blocks = [
        nn.Sequential(nn.Flatten(1), nn.Linear(columns, 24), nn.BatchNorm1d(24), nn.ReLU()),
        nn.Sequential(nn.Linear(24, 24), nn.ReLU()),
        nn.Sequential(nn.Linear(24, 12), nn.ReLU()),
    ]
    trunk = nn.Sequential(*blocks)
    return Network(trunk, [Stage(f"layer {n}", [b]) for n, b in enumerate(blocks)], [], 12, classes).eval()


KINDS: dict[str, tuple[Callable[..., Network], InputSpec]] = {
    "image": (image_network, PICTURES),
    "table": (table_network, TABLE),
}


def state_of(module: nn.Module) -> dict[str, torch.Tensor]:
    """A copy of everything the module holds, buffers included."""
    return {key: value.clone() for key, value in module.state_dict().items()}


def same_state(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


# ---- examples for the engine ----------------------------------------------------------------------------------------


class Pictures:
    """All cases in memory; counts how many were asked for."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels  # (N, C, S, S) uint8
        self.taken = 0

    def take(self, indices: np.ndarray) -> np.ndarray:
        self.taken += len(indices)
        return self.pixels[indices]

    def keep(self, on_progress: Callable[[int, int], None]) -> None:
        on_progress(1, 1)


def easy_examples(spec: InputSpec = PICTURES, n: int = 96, classes: int = 2, seed: int = 0) -> Examples:
    """Noise that is brighter in the upper rows for class 0 and in lower ones for later classes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    pixels = rng.integers(0, 140, (n, spec.channels, spec.size, spec.size)).astype(np.uint8)
    band = spec.size // classes
    for i, k in enumerate(labels):
        pixels[i, :, k * band : (k + 1) * band] += 90
        pixels[i] += np.uint8(20 * k)
    order = rng.permutation(n)
    cut = (n * 6 // 10, n * 8 // 10)
    return Examples(
        inputs=Pictures(pixels),
        labels=labels.astype(np.int64),
        train=np.sort(order[: cut[0]]),
        tune=np.sort(order[cut[0] : cut[1]]),
        test=np.sort(order[cut[1] :]),
        keys=tuple(f"key-{seed}-{i}" for i in range(n)),
        classes=classes,
    )


@dataclass
class Heard:
    """A listener that remembers; `when` decides whether the user asks to stop, `after_epoch` may raise."""

    when: Callable[["Heard"], bool] = lambda heard: False
    after_epoch: Callable[[int], None] = lambda epoch: None
    phases: list[tuple[str, int, int]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def phase(self, phase: str, says: str, done: int, total: int) -> None:
        self.phases.append((phase, done, total))

    def step(self, **facts: Any) -> None:
        self.steps.append(facts)

    def epoch(self, **facts: Any) -> None:
        self.epochs.append(facts)
        self.after_epoch(facts["epoch"])

    def note(self, message: str) -> None:
        self.notes.append(message)

    def should_stop(self) -> bool:
        return self.when(self)


def engine(examples: Examples, spec: InputSpec = PICTURES, heard: Heard | None = None, **more: Any) -> Engine:
    """An engine on the CPU; `more` may name seed, cache, checkpoint, device."""
    more = {"seed": 3, "device": CPU} | more
    return Engine(examples, spec, listener=heard or Heard(), **more)


# ---- words without files --------------------------------------------------------------------------------------------


def source(outline: Outline | None = None, **changes: Any) -> Source:
    """A source as a value; nothing on disk."""
    facts: dict[str, Any] = {
        "card": Card("tiny", "Tiny", "A tiny network."),
        "builder": "mobilenet_v3_small",
        "input": PICTURES,
        "outline": outline or image_network().outline(),
        "origin": "imported",
        "trained_on": "noise",
        "cases": "none",
        "labels": (),
        "licence": "none",
    }
    return Source(**facts | changes)


def cohort(train: int = 40, classes: Sequence[str] = CLASSES) -> Cohort:
    """A cohort as a value; a quarter of `train` on top in tune and test each."""
    parts = {"train": train, "tune": train // 4, "test": train // 4}
    ids = {part: tuple(f"{part}-{i}" for i in range(count)) for part, count in parts.items()}
    everyone = [id for names in ids.values() for id in names]
    cases = tuple(Case(id, f"{id}.png", classes[i % len(classes)], "", id) for i, id in enumerate(everyone))
    return Cohort(
        id="c-1", title="Tiny", modality="image", task="single-label", classes=tuple(classes), positive=classes[-1],
        cases=cases, split=Split(**ids, rule="made by a test"),
    )  # fmt: skip


# ---- cohorts, sources and runs on disk ------------------------------------------------------------------------------


def write_pictures(folder: Path, per_class: int = 30, side: int = 64, seed: int = 0) -> Path:
    """Class folders of dark noise, a bright disc in the malignant ones; patients p000 ... with one picture each."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    for k, label in enumerate(CLASSES):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for n in range(per_class):
            pixels = rng.integers(20, 120, (side, side))
            x, y = rng.integers(side // 3, 2 * side // 3, 2)
            if k:
                pixels[(rows - y) ** 2 + (columns - x) ** 2 < (side // 4) ** 2] += 30
            Image.fromarray(pixels.astype(np.uint8)).save(folder / label / f"p{k}{n:02}.png")
    return folder


def write_several(folder: Path, task: str, n: int = 90, side: int = 48, seed: int = 0) -> Path:
    """Pictures of dark noise and, beside them, labels.csv. "multi-label": a disc, a bar, and a rare dot, each there by
    itself; some discs uncertain, some bars not stated. "ordinal": grades 0 to 3, the brighter the higher. One picture a
    patient."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["file,patient,disc,bar,dot" if task == "multi-label" else "file,patient,grade"]
    for i in range(n):
        pixels = rng.integers(20, 80, (side, side))
        y, x, z = rng.integers(side // 4, 3 * side // 4, 3)  # elsewhere in each, or they would be taken for copies
        if task == "multi-label":
            disc, bar, dot = i % 2, (i // 2) % 2, int(i % 15 == 0)
            pixels[(rows - y) ** 2 + (columns - x) ** 2 < (side // 4) ** 2] += 90 * disc
            pixels[z : z + side // 5] += 80 * bar
            pixels[2:4, 2:4] += 80 * dot
            said = (-1 if i % 9 == 4 else disc, "" if i % 11 == 5 else bar, dot)
        else:
            said = (i % 4,)
            pixels[(rows - y) ** 2 + (columns - x) ** 2 < (side // 3) ** 2] += 55 * (i % 4)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"image{i:03}.png")
        lines.append(f"image{i:03}.png,p{i:03},{','.join(map(str, said))}")
    (folder / "labels.csv").write_text("\n".join(lines))
    return folder


def add_several(ws: Workspace, folder: Path, task: str, **options: Any) -> Cohort:
    write_several(folder, task, **options)
    return cohorts.add(ws, folder, name=f"Tiny {task}", labels=folder / "labels.csv")


def several_examples(task: str, spec: InputSpec = PICTURES, n: int = 96, seed: int = 0) -> Examples:
    """As `easy_examples`, with grades 0 to 2 or three findings for labels: the first two easy to see, with uncertain
    ones of every policy's kind, the third present in none of the training cases."""
    easy = easy_examples(spec, n, 4 if task == "multi-label" else 3, seed)
    if task == "ordinal":
        return dataclasses.replace(easy, task="ordinal")
    rng = np.random.default_rng(seed)
    targets = np.stack([easy.labels % 2, easy.labels // 2, np.zeros(n, np.int64)], axis=1).astype(np.int8)
    targets[rng.permutation(n)[: n // 8], 0] = -1
    targets[rng.permutation(n)[: n // 8], 1] = -2
    return dataclasses.replace(
        easy, task="multi-label", labels=np.zeros(n, np.int64), classes=3, targets=targets,
        policies=("ignore",) * 3, tasks=None,
    )  # fmt: skip


def add_cohort(ws: Workspace, folder: Path, **options: Any) -> Cohort:
    write_pictures(folder, options.pop("per_class", 30), seed=options.pop("seed_of_pictures", 0))
    return cohorts.add(ws, folder, name="Tiny discs", patient_pattern=r"p\d+", positive="malignant", **options)


def write_weights(path: Path, builder: str = "mobilenet_v3_small") -> Path:
    """A safetensors file of random weights for `builder`, its batch norms settled on noise."""
    from safetensors.torch import save_file

    from medtl.sources.image_nets import build

    torch.manual_seed(1)
    network = build(builder, 2)
    for module in network.trunk.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.5  # torchvision's 0.01 would take hundreds of rounds
    with torch.no_grad():
        for _ in range(10):  # smooth pictures of any brightness, like those it will be shown
            x = nn.functional.interpolate(torch.rand(8, 3, 12, 12), size=96, mode="bilinear") * torch.rand(8, 1, 1, 1)
            network.trunk.train()((x - 0.45) / 0.22)
    save_file({k: v.contiguous() for k, v in network.trunk.state_dict().items()}, path)
    return path


def add_source(ws: Workspace, folder: Path, title: str = "Tiny source") -> str:
    """A source of random weights that looks at 96 px, so that a computer without a GPU is quick with it."""
    from medtl.sources import cards
    from medtl.sources.importing import add_file

    folder.mkdir(parents=True, exist_ok=True)
    made, _ = add_file(ws, write_weights(folder / "weights.safetensors"), "mobilenet_v3_small", title)
    cards.write(ws.source(made.id), dataclasses.replace(made, input=InputSpec(size=96)))
    return made.id


def finished_run(
    ws: Workspace,
    run: str,
    y: np.ndarray,
    scores: np.ndarray,
    *,
    tune_scores: np.ndarray | None = None,
    strategy: str = "linear-probe",
    patients: np.ndarray | None = None,
    classes: Sequence[str] = CLASSES,
    **choices: Any,
) -> Path:
    """A run with a result as the worker leaves it, from scores (n, k) of test cases of labels y; without training."""
    from medtl.evaluation import thresholds
    from medtl.evaluation.evaluation import evaluate
    from medtl.runs import results
    from medtl.vocabulary import Recipe

    tune_scores = scores if tune_scores is None else tune_scores
    positive = classes[-1] if len(classes) == 2 else None
    found = evaluate(y, tune_scores, y, scores, classes, positive, patients, draws=200)
    chosen: dict[str, Any] = {
        "run": run, "title": f"Run {run}", "cohort": "c-1", "source": "s-1", "source_sha256": "ab", "settings": {},
    }  # fmt: skip
    place = store.create(ws, Recipe(**chosen | {"strategy": strategy} | choices))
    rows = []
    for part, given in (("tune", tune_scores), ("test", scores)):
        called = thresholds.calls(given, found.threshold, classes, positive)
        for i, row in enumerate(given):
            who = None if patients is None else f"{part}-{patients[i]}"
            said = dict(zip(classes, map(float, row), strict=True))
            rows.append(results.PredictionRow(f"{part}-{i}", who, part, classes[y[i]], classes[called[i]], said))
    result = place / store.RESULT
    result.mkdir()
    results.write_predictions(result / results.PREDICTIONS, classes, rows)
    (result / results.CURVES).write_text(json.dumps(found.curves))
    more = {"seconds": {"total": 12.5}, "peak_memory_mb": 500, "device": "cpu", "stopped": "", "caveats": []}
    (result / results.ESTIMATES).write_text(json.dumps(found.as_dict() | more))
    events.append(place, "started", device="cpu")
    events.append(place, "finished", seconds=12.5)
    return place


def frozen_run(ws: Workspace, cohort: Cohort, source_id: str, run: str = "r-frozen") -> Path:
    """A finished run as the worker leaves it, its trunk that of the source and its head fitted to the train part; in
    this process and without further looks, so within a second or two."""
    from safetensors.torch import save_file

    from medtl import strategies
    from medtl.evaluation import tasks
    from medtl.explanation import neighbours
    from medtl.gate import gate, learning
    from medtl.modalities.image import ImageInputs, keys
    from medtl.runs import results
    from medtl.sources import cards, library, trained
    from medtl.sources.weights import load_network, weights_of
    from medtl.training import examples
    from medtl.training.inference import head_scores
    from medtl.transferability import seen
    from medtl.vocabulary import Recipe, labels_of

    source = library.sources(ws)[source_id]
    inputs, part = ImageInputs(ws.cohort(cohort.id), cohort, source.input), cohort.split.part_of()
    at = {name: np.array([i for i, c in enumerate(cohort.cases) if part[c.id] == name]) for name in PARTS}
    e = Examples(
        inputs=inputs, **examples.labels_of(cohort, {}), **at, keys=keys(inputs.pixels, cohort),
        classes=len(cohort.classes),
    )  # fmt: skip
    plan = strategies.make_for("linear-probe", cohort, {"looks": 0}).plan(source.outline, len(cohort.classes))
    fitted = engine(e, source.input).carry_out(load_network(source, ws.weights, len(cohort.classes)), plan)
    scores = head_scores(fitted.network.head, fitted.features, e.task)
    patients = np.array([case.patient for case in cohort.cases], dtype=object)
    judged = tasks.evaluate(cohort, e.truth[e.tune], scores[e.tune], e.truth[e.test], scores[e.test], patients[e.test])
    place = store.create(ws, Recipe(run, f"Run {run}", cohort.id, source_id, source.sha256, "linear-probe", {}))
    result = place / store.RESULT
    result.mkdir()
    save_file(weights_of(fitted.network), result / cards.WEIGHTS)
    made = trained.source_of(store.recipe(place), cohort, source, plan, judged, result)
    cards.write(result, made, "made by a test")
    ids = [case.id for case in cohort.cases]
    near = neighbours.learn([ids[i] for i in e.train], fitted.features[e.train], fitted.features[e.tune])
    near.save(result)
    train, tune = (
        gate.Cases(fitted.features[p], learning.seen_of(inputs.pixels, [cohort.cases[i] for i in p]), p)
        for p in (e.train, e.tune)
    )
    gate.learn(near, e.train, train, tune, frozen=True).save(result)
    learned = [ids[i] for i in (*e.train, *e.tune)]
    seen.save(result, seen.fingerprints(inputs.pixels.thumbnails(learned)))
    rows = []
    for name, i, called in zip(
        ["tune"] * len(e.tune) + ["test"] * len(e.test), (*e.tune, *e.test),
        tasks.calls(judged, scores[[*e.tune, *e.test]], cohort), strict=True,
    ):  # fmt: skip
        case = cohort.cases[i]
        label = results.joined(labels_of(case)) if e.task == "multi-label" else case.label
        said = dict(zip(cohort.classes, map(float, scores[i]), strict=True))
        known = {k: v for k, v in case.labels.items() if k in cohort.classes}
        rows.append(results.PredictionRow(case.id, case.patient, name, label, results.joined(called), said, known))
    results.write_predictions(result / results.PREDICTIONS, cohort.classes, rows)
    more = {"seconds": {"total": 1.0}, "device": "cpu", "stopped": "", "caveats": []}
    (result / results.ESTIMATES).write_text(json.dumps(judged.as_dict() | more))
    events.append(place, "started", device="cpu")
    events.append(place, "finished", seconds=1.0)
    return place


def told(folder: Path) -> list[str]:
    """The names of a run's events, oldest first."""
    return [event["event"] for event in events.read(folder)]


def wait_until(true: Callable[[], bool], seconds: float = 90) -> float:
    """Seconds it took until `true()`; AssertionError after `seconds`."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, f"not true within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - began


def work(folder: Path, seconds: float = 120) -> int:
    """Carry out a run in a process of its own and wait for it; returns the exit code."""
    return spawn(folder).wait(seconds)


def spawn(folder: Path) -> subprocess.Popen[bytes]:
    """The worker of a run, as `launch` starts it, but ours to wait for and to kill."""
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "medtl.worker", str(folder)],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip


@contextlib.contextmanager
def spawned(folder: Path) -> Any:
    """A worker that does not outlive the block."""
    worker = spawn(folder)
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()


def estimates(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / store.RESULT / "estimates.json").read_text())
    return content


def python(code: str, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh interpreter at the root of the project."""
    import os

    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=timeout,
        env={**os.environ, **environment},
    )  # fmt: skip
