"""What the first stage that trains is shown: worked out anew from the pictures each time, or once and kept.

Letters: n cases in hand, V views of a picture.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from medtl.sources.network import Network
from medtl.training.device import Device, seed_everything
from medtl.training.examples import Examples, Listener, Stopped
from medtl.training.tensors import augment, normalise, to_input, to_unit
from medtl.vocabulary import InputSpec

_IN_MEMORY = 1 << 30  # bytes above which kept views lie in a file
_LARGEST = 60_000.0  # float16 ends at 65,504


class Shown(Protocol):
    """Both answer with what stage `first` takes: (n, ...) float32 on the device."""

    def training(self, indices: np.ndarray, generator: torch.Generator) -> Tensor: ...
    def plain(self, indices: np.ndarray) -> Tensor: ...


class Live:
    """Decoded pictures, augmented on the device each time. Stages below the first that trains need no gradients, which
    saves most of their time and memory."""

    def __init__(self, network: Network, first: int, examples: Examples, spec: InputSpec, device: Device, kind: str):
        self.network, self.first, self.kind = network, first, kind
        self.examples, self.spec, self.device = examples, spec, device
        self._resident: Tensor | None = None

    def settle(self) -> None:
        """Bring all pictures to a GPU that has room for them."""
        self._resident = _on_device(self.examples, self.device)

    def training(self, indices: np.ndarray, generator: torch.Generator) -> Tensor:
        x = to_unit(self._pixels(indices), self.spec, self.device.where)
        return self._below(normalise(augment(x, self.kind, generator), self.spec))

    def plain(self, indices: np.ndarray) -> Tensor:
        return self._below(to_input(self._pixels(indices), self.spec, self.device.where))

    def _pixels(self, indices: np.ndarray) -> np.ndarray | Tensor:
        if self._resident is not None:
            return self._resident[torch.from_numpy(np.ascontiguousarray(indices)).to(self._resident.device)]
        return self.examples.inputs.take(indices)

    def _below(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            for stage in self.network.stages[: self.first]:
                x = stage(x)
            if self.first == len(self.network.stages):
                x = self.network.features_from(x, self.first)
        return x


class Kept:
    """The output of the stages that stay as they are, for V augmented views of each training picture and the plain
    view of each tuning picture, worked out once in float16. Training then costs what the later stages cost."""

    def __init__(self, live: Live, views: int, examples: Examples, seed: int, listener: Listener) -> None:
        self.views = 1 if live.kind == "none" else views
        self.device = live.device
        self.row = {int(index): row for row, index in enumerate(np.concatenate([examples.train, examples.tune]))}
        train, tune = examples.train, examples.tune
        whole = self.views * len(train) + len(tune)
        step = self.device.chunk_forward
        kept: np.ndarray | None = None
        at = 0
        with torch.inference_mode():
            for view in range(self.views):
                generator = seed_everything(seed, 7_919, view)
                for chunk in _chunks(train, step):
                    x = live.training(chunk, generator)
                    kept = self._room(kept, x, whole)
                    kept[at : at + len(chunk)] = _half(x)
                    at = _told(listener, at + len(chunk), whole)
            for chunk in _chunks(tune, step):
                x = live.plain(chunk)
                kept = self._room(kept, x, whole)
                kept[at : at + len(chunk)] = _half(x)
                at = _told(listener, at + len(chunk), whole)
        assert kept is not None
        self.kept, self.train = kept, len(train)

    def training(self, indices: np.ndarray, generator: torch.Generator) -> Tensor:
        view = torch.randint(self.views, (len(indices),), generator=generator).numpy()
        rows = np.array([self.row[int(i)] for i in indices], dtype=np.int64)
        return self._at(view * self.train + rows)

    def plain(self, indices: np.ndarray) -> Tensor:
        rows = np.array([self.row[int(i)] for i in indices], dtype=np.int64)
        return self._at((self.views - 1) * self.train + rows)  # tuning cases follow the last view

    def _at(self, rows: np.ndarray) -> Tensor:
        x = torch.from_numpy(np.ascontiguousarray(self.kept[rows])).to(self.device.where).float()
        return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x

    def _room(self, kept: np.ndarray | None, x: Tensor, rows: int) -> np.ndarray:
        if kept is not None:
            return kept
        shape = (rows, *x.shape[1:])
        if 2 * int(np.prod(shape, dtype=np.int64)) <= _IN_MEMORY:
            return np.empty(shape, np.float16)
        with tempfile.TemporaryFile() as file:  # the map outlives the name and the handle, and goes with this object
            return np.memmap(file, np.float16, "w+", shape=shape)


def kept_bytes(network: Network, first: int, spec: InputSpec, rows: int) -> int:
    """How much room the kept views of so many pictures would take."""
    with torch.inference_mode():
        x = torch.zeros(1, spec.channels, spec.size, spec.size, device=next(network.parameters()).device)
        for stage in network.stages[:first]:
            x = stage(x)
        if first == len(network.stages):
            x = network.features_from(x, first)
    return 2 * rows * x[0].numel()


def room_for(size: int) -> bool:
    """Whether kept views of so many bytes can be had: in memory, or twice over on the disk of temporary files."""
    import shutil

    return size <= _IN_MEMORY or shutil.disk_usage(Path(tempfile.gettempdir())).free > 2 * size


def _on_device(examples: Examples, device: Device) -> Tensor | None:
    """All pictures as uint8 on a GPU with room for them: reading them from memory again each epoch would be what
    training waits for."""
    if device.name != "cuda" or not len(examples.labels):
        return None
    one = examples.inputs.take(np.zeros(1, np.int64))
    free, _ = torch.cuda.mem_get_info()
    if one.nbytes * len(examples.labels) > 0.3 * free:
        return None
    whole = torch.empty((len(examples.labels), *one.shape[1:]), dtype=torch.uint8, device=device.where)
    for chunk in _chunks(np.arange(len(examples.labels)), 256):
        whole[torch.from_numpy(chunk).to(device.where)] = torch.from_numpy(
            np.ascontiguousarray(examples.inputs.take(chunk))
        ).to(device.where)
    return whole


def _chunks(indices: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(indices), size):
        yield indices[start : start + size]


def _half(x: Tensor) -> np.ndarray:
    return x.float().clamp(-_LARGEST, _LARGEST).half().cpu().numpy()


def _told(listener: Listener, done: int, whole: int) -> int:
    listener.phase("features", "Looking at every image once, as far as the source stays as it is", done, whole)
    if listener.should_stop():
        raise Stopped
    return done
