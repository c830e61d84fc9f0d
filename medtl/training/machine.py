"""What this computer can do, found out without torch, so that any page may ask."""

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """`gpu` is the name of the first CUDA device or ""; `free_gb` its free memory when asked."""

    cores: int
    gpu: str = ""
    free_gb: float = 0.0

    def describe(self) -> str:
        if self.gpu:
            return f"{self.gpu}, {self.free_gb:.0f} GB free"
        return f"{self.cores} CPU core{'s' if self.cores != 1 else ''}, no GPU"


def cores() -> int:
    """Cores this process may use (a container may allow fewer than the machine has)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def share_the_cores() -> None:
    """Let waiting threads sleep instead of spin; call before torch is imported, which reads this once.

    When another program wants the cores, threads that spin at a barrier keep the very thread they wait for from
    running: on a busy computer training was ten times slower for it (docs/benchmarks.md).
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@functools.lru_cache(maxsize=1)
def machine() -> Machine:
    """Asked once per process: nvidia-smi costs a good part of a second."""
    tool = shutil.which("nvidia-smi")
    if tool:
        query = [tool, "--query-gpu=name,memory.free", "--format=csv,noheader,nounits"]
        try:
            answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
            name, free = answer.splitlines()[0].rsplit(",", 1)
            return Machine(cores(), name.strip(), float(free) / 1024)
        except (OSError, subprocess.SubprocessError, ValueError, IndexError):
            pass  # a driver that cannot be asked is a machine without a GPU, and the doctor says so
    return Machine(cores())


def describe() -> str:
    return machine().describe()
