"""What maps cost: the closed form beside a forward pass and beside pytorch-grad-cam; every method on every source.

    python benchmarks/explain.py                  # all tables
    python benchmarks/explain.py --part cost      # closed form and library, in forward passes, with their difference
    python benchmarks/explain.py --part cached    # 1,000 test cases from the maps that a run keeps
    python benchmarks/explain.py --part methods   # all methods on the shipped sources: numbers, seconds

CPU time of this process, one thread, medians: a busy computer changes the seconds, hardly the ratios. Random weights
where a source is not shipped: the cost does not depend on them. Pictures of noise.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch

from medtl.explanation import fast, layers, library, states
from medtl.explanation.gradcam import Maps
from medtl.explanation.methods import METHODS
from medtl.runs import attention, store
from medtl.sources import image_nets
from medtl.sources import library as sources
from medtl.sources.network import Network
from medtl.sources.weights import load_network
from medtl.workspace import Workspace

NETWORKS = ("mobilenet_v2", "resnet18", "resnet50", "densenet121", "efficientnet_b0", "convnext_tiny", "swin_t")
REPEATS = 7


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--part", choices=("cost", "cached", "methods"))
    words.add_argument("--networks", nargs="+", default=list(NETWORKS))
    options = words.parse_args()
    torch.set_num_threads(1)
    if options.part in (None, "cost"):
        cost(options.networks)
    if options.part in (None, "cached"):
        cached()
    if options.part in (None, "methods"):
        methods()


def cost(networks: list[str]) -> None:
    print("\n| network | forward, ms | closed form, all classes | library, one class | difference of its maximum |")
    print("|---|---|---|---|---|")
    for builder in networks:
        torch.manual_seed(0)
        network = _alive(image_nets.build(builder, 8))
        x = torch.randn(1, 3, 224, 224)
        found, at = fast.of(network, x), layers.last(network, x)
        assert found is not None, f"{builder}: the closed form should hold"

        def evidence(outputs: torch.Tensor, k: int) -> torch.Tensor:
            return outputs[k]

        def forward(network: Network = network, x: torch.Tensor = x) -> None:
            with torch.inference_mode():
                network(x)

        def closed(found: fast.FastMaps = found, x: torch.Tensor = x) -> np.ndarray:
            return found.signed(x, range(8), evidence)[0]

        def theirs(network: Network = network, at: layers.Layer = at, x: torch.Tensor = x) -> np.ndarray:
            return np.asarray(library.raw("gradcam", network, at, x, lambda outputs: outputs[3]))

        one, ours, others = _turns(forward, closed, theirs)
        gap = np.abs(closed()[0, 3] - theirs()).max() / np.abs(theirs()).max()
        print(f"| {builder} | {1000 * one:.0f} | {ours / one:.2f} x | {others / one:.2f} x | {gap:.1e} |", flush=True)


def cached(cases: int = 1000, classes: int = 8) -> None:
    """From what a run keeps to a drawn-ready map of every class for every case, and the mean map of each class."""
    with tempfile.TemporaryDirectory() as place:
        result = Path(place) / store.RESULT
        result.mkdir()
        names = [f"class {k}" for k in range(classes)]
        maps = np.random.default_rng(0).normal(size=(cases, classes, 7, 7)).astype(np.float16)
        np.savez_compressed(
            result / attention.MAPS, cases=np.array([f"c{i}" for i in range(cases)]), classes=np.array(names),
            maps=maps, scale=np.ones((cases, classes), np.float32),
        )  # fmt: skip
        size = (result / attention.MAPS).stat().st_size
        began = time.process_time()
        kept = attention.maps(Path(place))
        for i in range(cases):
            states.told_apart([states.heat_map(kept.signed[i, k], name, "last") for k, name in enumerate(names)])
        each = time.process_time() - began
        for name in names:
            kept.mean(name, kept.cases)
        whole = time.process_time() - began
        print(
            f"\n{cases:,} test cases x {classes} classes from kept maps: {each:.2f} s of CPU with the state of every "
            f"map, {whole - each:.2f} s more for the mean map of every class; {size / cases:.0f} bytes a case on disk"
        )


def methods(side: int = 96) -> None:
    """Every method on every shipped source, at a small picture so that Score-CAM ends."""
    shipped = [source for source in sources.sources(Workspace()) if source.origin == "shipped"]
    print(f"\n| method | {' | '.join(source.id for source in shipped)} |")
    print(f"|---|{'---|' * len(shipped)}")
    x = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    made = [Maps(load_network(s, Workspace().weights, len(s.labels)).eval(), x[:, : s.input.channels]) for s in shipped]
    for method in METHODS:
        cells = []
        for maps in made:
            began = time.process_time()
            values = maps.raw(x, [0], method.id)[0, 0]
            good = np.isfinite(values).all() and np.abs(values).max() > 0
            cells.append(f"{values.shape[0]} x {values.shape[1]}, {'ok' if good else 'NO NUMBERS'}, "
                         f"{time.process_time() - began:.2f} s")  # fmt: skip
        print(f"| {method.title} | {' | '.join(cells)} |", flush=True)


def _alive(network: Network) -> Network:
    with torch.no_grad():
        torch.nn.init.normal_(network.head.weight)  # type: ignore[arg-type]
        network.train()
        for _ in range(3):
            network(torch.randn(4, 3, 96, 96))
    return network.eval()


def _turns(*asked: Callable[[], object]) -> list[float]:
    """The median CPU time of each, taken by turns so that all meet the same computer."""
    took: list[list[float]] = [[] for _ in asked]
    for turn in range(REPEATS + 1):
        for kept, ask in zip(took, asked, strict=True):
            began = time.process_time()
            ask()
            if turn:
                kept.append(time.process_time() - began)
    return [statistics.median(one) for one in took]


if __name__ == "__main__":
    main()
