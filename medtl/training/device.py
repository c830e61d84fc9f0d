"""Where the numbers are worked out: CPU or CUDA, precision, memory layout, threads, randomness."""

import ctypes
import sys
from dataclasses import dataclass

import torch
from torch import nn

from medtl.errors import BadInput
from medtl.training.machine import cores

# glibc's mallopt parameters (malloc.h).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


@dataclass(frozen=True)
class Device:
    """`chunk` is how many cases go through at once while training, `chunk_forward` without gradients."""

    where: torch.device
    autocast: torch.dtype | None
    chunk: int
    chunk_forward: int

    @property
    def name(self) -> str:
        return self.where.type

    def place(self, network: nn.Module) -> nn.Module:
        """The network on this device in channels-last layout, which convolutions here prefer."""
        return network.to(self.where, memory_format=torch.channels_last)  # type: ignore[call-overload]


def prepare_process() -> None:
    """Settings of a process that computes; call once, before the first tensor.

    glibc gives every large block back to the system and takes a zeroed one for the next layer, which costs half of
    the time of a small network; told to keep blocks, MobileNetV2 runs twice as fast (docs/benchmarks.md).
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
            libc.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
    torch.set_num_threads(cores())
    # Bit for bit on the CPU; on a GPU it would cost much speed and still not be promised.
    torch.use_deterministic_algorithms(not torch.cuda.is_available(), warn_only=True)
    # A debugging aid that costs a pass over all memory.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def choose(wanted: str = "auto") -> Device:
    """`wanted` is "auto", "cpu" or "cuda". Raises BadInput when a GPU is asked for and there is none."""
    if wanted not in ("auto", "cpu", "cuda"):
        raise BadInput(f"The device '{wanted}' is not known.", "Choose auto, cpu or cuda.")
    if wanted == "cuda" and not torch.cuda.is_available():
        raise BadInput("A GPU was asked for, but PyTorch finds none.", "Choose device auto, or check the GPU driver.")
    if wanted == "cpu" or not torch.cuda.is_available():
        # Small chunks stay in the cache of the processor; gradients are summed over chunks, so nothing else changes.
        return Device(torch.device("cpu"), None, chunk=8, chunk_forward=8)
    precision = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    free, _ = torch.cuda.mem_get_info()
    # About 0.15 GB per case covers the largest network here at 224 px with gradients.
    chunk = max(8, min(256, int(free / 0.15e9)))
    return Device(torch.device("cuda"), precision, chunk=chunk, chunk_forward=4 * chunk)


def seed_everything(*parts: int) -> torch.Generator:
    """Seed torch from several numbers (seed, plan step, epoch, ...); returns a CPU generator seeded the same way."""
    mixed = 0
    for part in parts:
        mixed = (mixed * 1_000_003 + part + 0x9E3779B9) % (1 << 62)
    torch.manual_seed(mixed)
    generator = torch.Generator()
    generator.manual_seed(mixed)
    return generator
