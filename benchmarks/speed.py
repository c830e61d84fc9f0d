"""How fast the engine is, as ratios within one run: against the computer's own peak, against itself, against fastai.

    python benchmarks/speed.py                               # everything but fastai, some minutes
    python benchmarks/speed.py --fastai PATH/TO/python       # an environment with fastai (from PyPI) and torchvision
    python benchmarks/speed.py --only floor,head             # some of it: floor, head, cached, fine-tune, views, start

Processor time of all threads together unless a row says otherwise, the least of several rounds: other programs on the
computer then count little. Weights are random, which changes no speed. Prints Markdown tables. Not a test.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from medtl.training.machine import cores, share_the_cores  # noqa: E402 - as the line above says

share_the_cores()

import numpy as np  # noqa: E402 - after the line above, which torch reads once
import torch  # noqa: E402 - the same

from medtl.sources.builders import BUILDERS  # noqa: E402 - the same
from medtl.sources.image_nets import build  # noqa: E402 - the same
from medtl.training.device import choose, prepare_process  # noqa: E402 - the same
from medtl.training.examples import Examples  # noqa: E402 - the same
from medtl.training.features import FeatureCache  # noqa: E402 - the same
from medtl.training.fit import Engine  # noqa: E402 - the same
from medtl.training.head import solve  # noqa: E402 - the same
from medtl.training.inference import Eye, folded  # noqa: E402 - the same
from medtl.vocabulary import InputSpec, NewHead, Rate, Solve, Train  # noqa: E402 - the same

SPEC = InputSpec()
STRENGTHS = tuple(10.0**n for n in range(-5, 3))
TARGETS = {
    "resnet18": 1.3, "mobilenet_v2": 4.0, "head": 0.1, "cached": 30.0, "fastai": 1.2, "views": 2.0,
}  # fmt: skip
PARTS = ("floor", "head", "cached", "fine-tune", "views", "start")

# What fastai's users write, with the weights left random; images are read from files, as its loaders do.
FASTAI = """
import json, resource, sys, time
from fastai.vision.all import ImageDataLoaders, Resize, accuracy, resnet18, vision_learner
import torch
torch.set_num_threads(int(sys.argv[3]))
loaders = ImageDataLoaders.from_folder(sys.argv[1], valid_pct=0.1, seed=0, item_tfms=Resize(224), bs=32, num_workers=0)
learner = vision_learner(loaders, resnet18, pretrained=False, metrics=accuracy)
learner.unfreeze()
found = []
with learner.no_bar(), learner.no_logging():
    for _ in range(int(sys.argv[2])):
        began, wall = time.process_time(), time.monotonic()
        learner.fit(1, 1e-4)
        found.append((time.process_time() - began, time.monotonic() - wall))
best = min(found)
print(json.dumps({"images": len(loaders.train) * 32 + len(loaders.valid_ds) / 3, "cpu": best[0], "wall": best[1]}))
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--fastai", help="the python of an environment with fastai")
    options.add_argument("--only", default=",".join(PARTS), help="parts, with commas between them")
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    prepare_process()
    print(f"{datetime.date.today()}; {platform.machine()}, {cores()} cores, torch {torch.__version__}; ", end="")
    print(f"load average {os.getloadavg()[0]:.1f}; processor time of {torch.get_num_threads()} threads together.\n")
    print("| what | measured | wanted | |\n|---|---|---|---|")
    wanted = chosen.only.split(",")
    parts: dict[str, Callable[[argparse.Namespace], None]] = {
        "floor": floor, "head": head, "cached": second_strategy, "fine-tune": fine_tuning, "views": last_stage,
        "start": start,
    }  # fmt: skip
    for name in PARTS:
        if name in wanted:
            parts[name](chosen)


def row(what: str, measured: float, target: float = 0.0, at_most: bool = True, unit: str = "x", note: str = "") -> None:
    verdict = "" if not target else "met" if (measured <= target) == at_most else "MISSED"
    said = f"{'<=' if at_most else '>='} {target:g} {unit}" if target else ""
    print(f"| {what}{f' ({note})' if note else ''} | {measured:.3g} {unit} | {said} | {verdict} |", flush=True)


def least(work: Callable[[], object], rounds: int) -> float:
    """Processor seconds of the quickest of several rounds, after one that is not counted."""
    work()
    found = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


# ---- against the computer -------------------------------------------------------------------------------------------


def peak(rounds: int) -> float:
    """GFLOP a processor second of a large float32 matrix product: the most this computer does.

    The better of MKL's and oneDNN's (as a convolution of one pixel): on some processors MKL stays far below.
    """
    side = 2048
    a, b = torch.rand(side, side), torch.rand(side, side)
    weight = b.view(side, side, 1, 1).contiguous(memory_format=torch.channels_last)
    pixels = a.t().reshape(1, side, 32, side // 32).contiguous(memory_format=torch.channels_last)
    quickest = min(
        least(partial(torch.mm, a, b), rounds), least(partial(torch.nn.functional.conv2d, pixels, weight), rounds)
    )
    return 2 * side**3 / 1e9 / quickest


def floor(chosen: argparse.Namespace) -> None:
    best = peak(8 * chosen.rounds)
    row("sgemm, 2048 a side", best, unit="GFLOP/s", note="the best of many rounds")
    device, pictures = choose("cpu"), noise(64)
    for builder in ("resnet18", "mobilenet_v2"):
        gflop = BUILDERS[builder].outline.gflop
        eye = Eye(settled(builder), SPEC, device)
        look = partial(eye.features, pictures.take, np.arange(64))
        seconds = least(look, chosen.rounds) / 64
        row(f"features of {builder} over its FLOP floor", seconds * best / gflop, TARGETS[builder],
            note=f"{1 / seconds:.0f} images/s, {gflop:.2f} GFLOP each")  # fmt: skip
        x = torch.zeros(8, 3, 224, 224).contiguous(memory_format=torch.channels_last)
        bare = folded(settled(builder)).to(memory_format=torch.channels_last)
        with torch.inference_mode():
            alone = least(partial(bare, x), chosen.rounds) / 8
        row(f"the network of {builder} alone over its FLOP floor", alone * best / gflop, note="ready tensors")


def head(chosen: argparse.Namespace) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 6000)
    features = rng.standard_normal((6000, 512)).astype(np.float32) + 0.15 * labels[:, None] * rng.random(512)
    features = features.astype(np.float32)
    train, tune = slice(0, 5000), slice(5000, 6000)

    def fit(*strengths: float) -> None:
        solve(features[train], labels[train], features[tune], labels[tune], 2, strengths)

    for strength in (1e-3, 1.0):
        seconds = least(partial(fit, strength), chosen.rounds)
        row("head fit, 5,000 x 512, one strength", seconds, TARGETS["head"], unit="s", note=f"C = {strength:g}")
    row("the same over all strengths", least(lambda: fit(*STRENGTHS), 2), unit="s")


# ---- against itself -------------------------------------------------------------------------------------------------


def second_strategy(chosen: argparse.Namespace) -> None:
    """Of 1,000 images and 10 epochs. Fine-tuning is measured on 64 training images and one epoch."""
    images = 1000
    with tempfile.TemporaryDirectory() as folder:
        cache = FeatureCache(Path(folder), "0" * 64, SPEC)
        every = examples(images)
        rng = np.random.default_rng(0)
        known = rng.standard_normal((images, 512)).astype(np.float32) + every.labels[:, None] * 0.2
        cache.add(every.keys, known.astype(np.float32))
        plan = (NewHead(""), Solve("", STRENGTHS))
        network = settled("resnet18")
        engine = Engine(every, SPEC, choose("cpu"), 0, Silence(), cache)
        second = least(lambda: engine.carry_out(network, plan), chosen.rounds)
    tuned = one_epoch("resnet18", chosen.rounds)
    whole = tuned * 0.6 * images * 10
    row("full fine-tuning over a second strategy on cached features", whole / second, TARGETS["cached"], at_most=False,
        note=f"resnet18, {whole:.0f} s, extrapolated from 64 images, over {second:.2f} s")  # fmt: skip


def fine_tuning(chosen: argparse.Namespace) -> None:
    ours = one_epoch("resnet18", chosen.rounds)
    row("full fine-tuning of resnet18", 1 / ours, unit="images/s", note="mild augmentation, batches of 32")
    gflop = BUILDERS["resnet18"].outline.gflop
    row("the same over its FLOP floor", ours * peak(8 * chosen.rounds) / (3 * gflop), note="three forward passes")
    if not chosen.fastai:
        return
    with tempfile.TemporaryDirectory() as folder:
        write_pictures(Path(folder), 72)
        answer = subprocess.run(
            [chosen.fastai, "-c", FASTAI, folder, str(min(chosen.rounds, 3) + 1), str(torch.get_num_threads())],
            capture_output=True, text=True, env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"},
        )  # fmt: skip
    if answer.returncode:
        sys.exit(f"fastai failed:\n{answer.stderr[-2000:]}")
    theirs = json.loads(answer.stdout.splitlines()[-1])
    per_image = theirs["cpu"] / theirs["images"]
    row("fastai, the same network, no augmentation", 1 / per_image, unit="images/s", note="72 JPEG files")
    row("full fine-tuning over fastai", per_image / ours, TARGETS["fastai"], at_most=False)


def last_stage(chosen: argparse.Namespace) -> None:
    """10 epochs of the last stage and the head, from kept views against the loop that works everything out anew."""
    for builder in ("resnet18", "mobilenet_v2"):
        rates = (Rate(BUILDERS[builder].outline.stages[-1].name, 1e-4), Rate("head", 1e-3))
        seconds = {}
        for views in (2, 0):
            step = Train("", 10, rates, views=views, patience=10)
            data = examples(80)

            def run(step: Train = step, data: Examples = data, builder: str = builder) -> None:
                Engine(data, SPEC, choose("cpu"), 0, Silence()).carry_out(settled(builder), (NewHead(""), step))

            seconds[views] = least(run, max(1, chosen.rounds // 3))
        note = f"10 epochs of 48 images, 2 views, {seconds[0]:.1f} s over {seconds[2]:.1f} s"
        what = f"last stage of {builder}: uncached loop over kept views"
        row(what, seconds[0] / seconds[2], TARGETS["views"], at_most=False, note=note)


@cache
def one_epoch(builder: str, rounds: int) -> float:
    """Processor seconds an image of training all stages, augmentation and optimiser included."""
    rates = tuple(Rate(stage.name, 1e-5) for stage in BUILDERS[builder].outline.stages)
    step = Train("", 1, (*rates, Rate("head", 1e-4)))
    data = examples(64, only_train=True)
    network = settled(builder)
    engine = Engine(data, SPEC, choose("cpu"), 0, Silence())
    return least(lambda: engine.carry_out(network, (step,)), max(2, rounds // 2)) / 64


# ---- from click to work ---------------------------------------------------------------------------------------------


def start(chosen: argparse.Namespace) -> None:
    """The same linear probe three times, through the worker as it is launched; seconds on the clock."""
    from medtl import start as starting
    from medtl.cohorts import library as cohorts
    from medtl.runs import handover, launch, results, status

    os.environ[handover.SWITCH] = "on"
    with tempfile.TemporaryDirectory() as folder:
        from medtl.workspace import Workspace

        ws = Workspace(Path(folder) / "home").ensure()
        write_pictures(Path(folder) / "pictures", 80)
        cohort = cohorts.add(ws, Path(folder) / "pictures", name="Noise")
        took: list[tuple[float, dict[str, Any]]] = []
        for _ in range(3):
            began = time.monotonic()
            run = starting.start(ws, cohort.id, "chest-xray", "linear-probe")
            place = ws.run(run)
            while status.status(place) in ("waiting", "running") or status.alive(place):
                time.sleep(0.02)
            took.append((time.monotonic() - began, results.describe(ws, run)["seconds"]))
            while not ws.warm_socket.exists():  # the next run finds the process ready
                time.sleep(0.1)
        launch.cool_down(ws)
        while handover.is_up(ws):
            time.sleep(0.1)
    cold, _, warm = took
    row(
        "from start to result, first run",
        cold[0],
        unit="s",
        note=f"clock; start {cold[1]['start']:.2f} s",
    )
    row("second run, the same again", took[1][0], unit="s", note=f"clock; start {took[1][1]['start']:.2f} s")
    row("third run", warm[0], unit="s", note=f"clock; start {warm[1]['start']:.2f} s")
    row("first over third", cold[0] / warm[0])


# ---- what is shown --------------------------------------------------------------------------------------------------


class Silence:
    """A listener that hears nothing and never stops anything."""

    def phase(self, phase: str, says: str, done: int, total: int) -> None: ...
    def step(self, **facts: Any) -> None: ...
    def epoch(self, **facts: Any) -> None: ...
    def note(self, message: str) -> None: ...
    def should_stop(self) -> bool:
        return False


class noise:  # noqa: N801 - reads as what it is
    """Decoded pictures of noise, ready at 224 px."""

    def __init__(self, n: int) -> None:
        self.pictures = np.random.default_rng(0).integers(0, 256, (n, 3, 224, 224), dtype=np.uint8)

    def take(self, indices: np.ndarray) -> np.ndarray:
        return np.asarray(self.pictures[indices % len(self.pictures)])

    def keep(self, on_progress: Callable[[int, int], None]) -> None: ...


def examples(n: int, only_train: bool = False) -> Examples:
    train = n if only_train else n * 6 // 10
    index = np.arange(n)
    tune = index[:2] if only_train else index[train : train + n * 2 // 10]
    keys = tuple(f"{i:032x}" for i in range(n))
    return Examples(noise(min(n, 64)), index % 2, index[:train], tune, index[train + n * 2 // 10 :], keys, 2)


def settled(builder: str) -> Any:
    """Random weights, batch norms settled on noise, so that no number on the way becomes tiny, which is slow."""
    torch.manual_seed(0)
    network = build(builder, 2)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        network.train()(torch.randn(4, 3, 224, 224))
    return network.eval()


def write_pictures(folder: Path, n: int) -> None:
    """Class folders of smooth colour noise as JPEG files of 256 pixels a side."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for i in range(n):
        place = folder / f"class-{i % 2}"
        place.mkdir(parents=True, exist_ok=True)
        small = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(small).resize((256, 256), Image.Resampling.BICUBIC).save(place / f"p{i:03}.jpg", quality=90)


if __name__ == "__main__":
    main()
