"""How fast a network runs here: some seconds of the engine itself on pictures of noise. Knows no source and no file.

What is measured is what a run does: the folded network for the features, and a training of all stages with its
augmentation, batches and optimiser. Nothing that is learned is kept.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from medtl.sources.network import Network
from medtl.training.device import Device
from medtl.training.examples import Examples, Stopped
from medtl.training.fit import Engine
from medtl.training.inference import Eye
from medtl.vocabulary import InputSpec, Rate, Train

SECONDS = 4.0  # of each of the two, after the first pass, which also pays for what only the first one does
_MOST = 2048  # pictures, where the network is so fast that this is less than that
_NOISE = 32  # different ones


class Interrupted(Exception):
    """Something more important began."""


@dataclass(frozen=True)
class Pace:
    """So many pictures in so many seconds."""

    pictures: int
    seconds: float


def forward(network: Network, spec: InputSpec, device: Device, stop: Callable[[], bool], most: float = SECONDS) -> Pace:
    """As features are worked out. Raises Interrupted when `stop()`."""
    times: list[tuple[int, float]] = []

    def told(done: int, total: int) -> None:
        times.append((done, time.monotonic()))
        if stop():
            raise Interrupted
        if _enough([at for _, at in times], most):
            raise _Enough

    with contextlib.suppress(_Enough):
        Eye(network, spec, device).features(_Noise(spec).take, np.arange(_MOST), told)
    return Pace(times[-1][0] - times[0][0], times[-1][1] - times[0][1])


def training(
    network: Network, spec: InputSpec, device: Device, stop: Callable[[], bool], most: float = SECONDS
) -> Pace:
    """As all stages are trained. Leaves the network as it was, as nothing is learned. Raises Interrupted when `stop()`.

    Steps are timed from one to the next, so that the first, which is slower, does not count.
    """
    watch = _Watch(stop, most)
    batch = min(32, 2 * device.chunk)
    rates = tuple(Rate(name, 0.0) for name in (*(stage.name for stage in network.stages), "head"))
    step = Train("", epochs=1, rates=rates, batch=batch, weight_decay=0.0)
    examples = Examples(
        inputs=_Noise(spec),
        labels=np.arange(_MOST, dtype=np.int64) % 2,
        train=np.arange(_MOST),
        tune=np.arange(_NOISE),  # where the computer is so fast that the epoch ends, it is judged
        test=np.arange(0),
        keys=(),
        classes=2,
    )
    with contextlib.suppress(Stopped):
        Engine(examples, spec, device, 0, watch).carry_out(network, (step,))
    if stop() or len(watch.times) < 2:
        raise Interrupted
    return Pace((len(watch.times) - 1) * batch, watch.times[-1] - watch.times[0])


class _Enough(Exception):
    pass


def _enough(times: list[float], most: float) -> bool:
    return len(times) >= 3 and times[-1] - times[0] >= most


@dataclass
class _Watch:
    """A listener that only looks at the clock."""

    stop: Callable[[], bool]
    most: float
    times: list[float] = field(default_factory=list)

    def phase(self, phase: str, says: str, done: int, total: int) -> None: ...
    def epoch(self, **facts: Any) -> None: ...
    def note(self, message: str) -> None: ...

    def step(self, **facts: Any) -> None:
        self.times.append(time.monotonic())

    def should_stop(self) -> bool:
        return self.stop() or _enough(self.times, self.most)


class _Noise:
    """Pictures of noise at the size a source wants; the same few again and again."""

    def __init__(self, spec: InputSpec) -> None:
        shape = (_NOISE, spec.channels, spec.size, spec.size)
        self.pictures = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)

    def take(self, indices: np.ndarray) -> np.ndarray:
        return np.asarray(self.pictures[indices % _NOISE])

    def keep(self, on_progress: Callable[[int, int], None]) -> None: ...
