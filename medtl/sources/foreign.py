"""What networks from other libraries have in common: what the user states, what is found out, how they are cut.

A network is cut where a single tensor crosses: everything before it is one part, everything after it another. Loads
torch only where a network is at hand.
"""

import contextlib
import importlib.util
import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from medtl.errors import BadInput, NotReady
from medtl.sources import limits
from medtl.vocabulary import InputSpec, Outline

if TYPE_CHECKING:
    from medtl.sources.network import Network

STAGES = 4  # a network is cut into so many, where it can be
# The brightness a file was taught with -> mean and std that make it of pixels in [0, 1].
RANGES = {"0-1": (0.0, 1.0), "0-255": (0.0, 1 / 255), "-1-1": (0.5, 0.5)}


@dataclass(frozen=True)
class Stated:
    """What the user says of how pictures were shown to the network; None and "" where nothing was said.

    `range` is a name in `RANGES` and stands for a mean and a std, so it is not said beside them.
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    size: int | None = None
    range: str = ""

    def __post_init__(self) -> None:
        if self.range and self.range not in RANGES:
            raise BadInput(f"The range '{self.range}' is not known.", f"Known: {', '.join(RANGES)}.")
        if self.range and (self.mean or self.std):
            raise BadInput("Both a range and a mean or std were given.", "Give the range, or mean and std.")
        if any(not 0 < value < 1e6 for value in self.std or ()):
            raise BadInput("A std must be greater than 0.", "Write for example --std 0.229,0.224,0.225.")
        if self.size is not None and not limits.SIDE[0] <= self.size <= limits.SIDE[1]:
            raise BadInput(
                f"A picture of {self.size} pixels a side cannot be shown.",
                f"Give a size from {limits.SIDE[0]} to {limits.SIDE[1]}.",
            )

    def input(self, channels: int, size: int, usual: tuple[Sequence[float], Sequence[float]]) -> InputSpec:
        """The input as stated, `usual` (mean and std) where nothing was said; one value counts for every channel."""
        mean, std = usual
        if self.range:
            mean, std = ((value,) for value in RANGES[self.range])
        mean, std = self.mean or mean, self.std or std
        return InputSpec(channels, size, _for_each(mean, channels, "mean"), _for_each(std, channels, "std"))


@dataclass(frozen=True)
class Brought:
    """A network made of a file. `graph` is its architecture without weights, `notes` what was found, dropped and
    assumed, a sentence each."""

    network: "Network"
    input: InputSpec
    graph: bytes
    notes: tuple[str, ...]


def need(library: str, what: str) -> None:
    """Raises NotReady when an optional library is not installed; looks without importing it."""
    if importlib.util.find_spec(library) is None:
        raise NotReady(f"{what} needs an optional library that is not installed.", f"Run: pip install {library}")


def read_whole(path: Path) -> bytes:
    """The file's content, unless it is larger than a network may be."""
    try:
        if (size := path.stat().st_size) > limits.FILE_BYTES:
            raise BadInput(
                f"'{path.name}' has {size / limits.MB:,.0f} MB; a network may have {limits.FILE_BYTES // limits.MB}.",
                "Bring a smaller network.",
            )
        return path.read_bytes()
    except OSError as error:
        raise NotReady(
            f"The file '{path.name}' cannot be read ({error.strerror}).", "Put it back, or add the source again."
        ) from error


def square(height: int | None, width: int | None, stated: int | None) -> int | None:
    """The side of the picture, None where the file leaves it open and nothing was stated."""
    if height is None or width is None:
        return stated
    if height != width or not limits.SIDE[0] <= height <= limits.SIDE[1]:
        raise BadInput(
            f"This network is shown pictures of {width} x {height} pixels.",
            f"Bring one for square pictures of {limits.SIDE[0]} to {limits.SIDE[1]} pixels a side.",
        )
    if stated and stated != height:
        raise BadInput(f"This file is made for {height} pixels a side, not for {stated}.", "Leave the size out.")
    return height


# ---- cutting ---------------------------------------------------------------------------------------------------------


def crossings(needs: Sequence[Collection[int]]) -> list[int]:
    """Where a graph can be cut: the steps after which only their own output is still needed.

    `needs[i]` are the steps whose outputs step `i` takes, all smaller than `i`: the steps stand in an order in which
    they can be carried out. The last step is always among the answer.
    """
    last_use = [-1] * len(needs)
    for step, taken in enumerate(needs):
        for earlier in taken:
            last_use[earlier] = step
    cuts, open_until = [], -1
    for step in range(len(needs)):
        if open_until <= step:
            cuts.append(step)
        open_until = max(open_until, last_use[step])
    return cuts


def into_stages(parameters: Sequence[int], most: int = STAGES) -> list[range]:
    """Parts put together to at most `most` stages of about the same number of parameters, none without any.

    An early stage then holds more layers than a late one, as parameters sit mostly at the end of image networks.
    """
    whole = list(itertools.accumulate(parameters))
    total = whole[-1] if whole else 0
    edges = [0]
    for number in range(1, most):
        goal = total * number / most
        begun = whole[edges[-1] - 1] if edges[-1] else 0
        open_cuts = [i for i in range(edges[-1] + 1, len(parameters)) if begun < whole[i - 1] < total]
        if not open_cuts:
            break
        edges.append(min(open_cuts, key=lambda i: abs(whole[i - 1] - goal)))
    return [range(a, b) for a, b in itertools.pairwise([*edges, len(parameters)])]


# ---- what it weighs and costs ----------------------------------------------------------------------------------------


def outlined(network: "Network", spec: InputSpec) -> Outline:
    """The outline with the forward cost of each stage for one case of `spec`'s size."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    x = torch.zeros(1, spec.channels, spec.size, spec.size)
    stages = []
    with torch.no_grad():
        network.eval()
        for stage, outline in zip(network.stages, network.outline().stages, strict=True):
            with FlopCounterMode(display=False) as counter:
                x = stage(x)
            stages.append(replace(outline, gflop=round(counter.get_total_flops() / 1e9, 3)))
    return Outline(tuple(stages), network.width)


def largest_difference(ours: "object", theirs: "object") -> float:
    """The largest difference of two arrays as a share of the largest value; infinite where shapes or numbers fail."""
    import numpy as np

    one, other = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    if one.shape != other.shape or not (np.isfinite(one).all() and np.isfinite(other).all()):
        return float("inf")
    return float(np.abs(one - other).max() / max(np.abs(other).max(), 1e-12))


@contextlib.contextmanager
def bounded_memory() -> Iterator[None]:
    """No more than `limits.MEMORY_BYTES` on top of what the process has: a small file can ask for terabytes.

    Where the system cannot hold to it (Windows, macOS), the block runs without the limit.
    """
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        now = pages * resource.getpagesize()
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    except (ImportError, OSError):
        yield
        return
    most = now + limits.MEMORY_BYTES
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _for_each(values: Sequence[float], channels: int, name: str) -> tuple[float, ...]:
    if len(values) == channels:
        return tuple(map(float, values))
    if len(values) == 1:
        return (float(values[0]),) * channels
    if channels == 1:  # the usual values of colour, for a network that sees grey
        return (float(sum(values) / len(values)),)
    raise BadInput(f"{len(values)} values were given as {name}; this network has {channels} channels.",
                   "Give one value, or one for each channel.")  # fmt: skip
