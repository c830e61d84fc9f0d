"""Weights of an optional library's source: fetched once, converted to safetensors, noted with their hash.

torchxrayvision publishes pickles. They are read as tensors: every class they name is replaced by an empty one of ours,
so that neither the library's code nor the file's runs.
"""

import os
import pickle
import shutil
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from medtl.errors import BadInput, MedtlError, NotReady
from medtl.sources import optional
from medtl.sources.foreign import need
from medtl.sources.image_nets import build
from medtl.vocabulary import Source

Progress = Callable[[int, int], None]
# What a whole network of torchxrayvision's consists of. Nothing else is made of its file.
_CLASSES = (
    "torchxrayvision.models.DenseNet", "torchxrayvision.models._DenseBlock", "torchxrayvision.models._DenseLayer",
    "torchxrayvision.models._Transition", "torch.nn.modules.container.Sequential", "torch.nn.modules.conv.Conv2d",
    "torch.nn.modules.batchnorm.BatchNorm2d", "torch.nn.modules.activation.ReLU",
    "torch.nn.modules.pooling.MaxPool2d", "torch.nn.modules.pooling.AvgPool2d", "torch.nn.modules.linear.Linear",
)  # fmt: skip


def fetch(source: Source, progress: Progress | None = None) -> Path:
    """The converted file of `source`, made on first use. Raises NotReady when the library or the network is missing."""
    path = Path(source.weights)
    if not (path.is_file() and optional.hash_file(path).is_file()):
        one = optional.named(source.id)
        need(one.library, f"'{one.title}'")
        path.parent.mkdir(parents=True, exist_ok=True)
        state = _of_timm(one, path.parent) if one.library == "timm" else _of_films(one, path.parent, progress)
        keep(state, path)
    return path


def keep(state: dict[str, Tensor], path: Path) -> None:
    """Write the weights and, last, the hash by which they are known from now on."""
    from safetensors.torch import save_file

    from medtl.sources.weights import file_sha256
    from medtl.workspace import write_whole

    part = path.with_name(f".{path.name}.part")
    try:
        save_file({key: value.contiguous() for key, value in state.items()}, part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    write_whole(optional.hash_file(path), file_sha256(path))


# ---- timm ------------------------------------------------------------------------------------------------------------


def _of_timm(one: optional.Optional, folder: Path) -> dict[str, Tensor]:
    """timm fetches, checks and fits its own file (positions to 224 px among it); what it fetched is not kept twice."""
    from medtl.sources import timm_nets

    cache = folder / ".timm"
    try:
        net = timm_nets.made(one.name, pretrained=True, cache_dir=cache)
    except Exception as error:  # timm and its hub fail in many ways; all mean that nothing came
        raise _not_fetched(one, error, folder) from error
    finally:
        shutil.rmtree(cache, ignore_errors=True)
    return {f"net.{key}": value for key, value in net.state_dict().items()}


def _not_fetched(one: optional.Optional, error: Exception, folder: Path) -> MedtlError:
    reason = str(getattr(error, "reason", error)).strip().splitlines()
    return NotReady(
        f"'{one.title}' needs a file of {one.size_mb:.0f} MB that is fetched once, and it could not be fetched "
        f"({type(error).__name__}: {reason[0][:160] if reason else 'no reason given'}).",
        f"Connect to the network and start again; or copy {folder.name}/*.safetensors and *.sha256 of another computer "
        "that has it; or choose a source that is already here.",
    )


# ---- torchxrayvision -------------------------------------------------------------------------------------------------


def _of_films(one: optional.Optional, folder: Path, progress: Progress | None) -> dict[str, Tensor]:
    """One channel, a network of ours: the library is asked for the address only."""
    from torchxrayvision.models import model_urls

    published = folder / f".{one.id}.published"
    try:
        _download(model_urls[one.name]["weights_url"], published, progress or (lambda done, total: None))
        state = read_films(published)
    except (OSError, KeyError) as error:
        raise _not_fetched(one, error, folder) from error
    finally:
        published.unlink(missing_ok=True)
    network = build(one.builder, 2, one.input.channels)
    own = network.trunk.state_dict()
    wrong = [key for key, value in own.items() if key in state and state[key].shape != value.shape]
    wrong += [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    if wrong:
        raise BadInput(
            f"What torchxrayvision publishes as {one.name} is no longer the network known here ({wrong[0]}).",
            "Choose another source.",
        )
    return {key: state[key] for key in own if key in state}


def read_films(path: Path) -> dict[str, Tensor]:
    """The tensors of a file torchxrayvision publishes, a whole network or a state, under torchvision's names."""
    stand_ins = [(type(name.rpartition(".")[2], (_Empty,), {}), name) for name in _CLASSES]
    try:
        with torch.serialization.safe_globals(stand_ins):  # type: ignore[arg-type]
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, AttributeError, KeyError, EOFError, TypeError, ValueError) as error:
        raise BadInput(
            f"The published file holds something else than tensors; it was not used ({type(error).__name__}).",
            "Choose another source.",
        ) from error
    state = dict(found) if isinstance(found, (dict, OrderedDict)) else dict(_tensors(found, ""))
    if not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise BadInput("The published file does not hold a network.", "Choose another source.")
    for key, value in state.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise BadInput(f"The published file holds values that are not numbers ({key}).", "Choose another source.")
    return {key: value.detach() for key, value in state.items()}


class _Empty:
    """Takes the place of a class in a pickle: holds what was stored and does nothing with it."""


def _tensors(module: Any, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """A module's state, read from what was stored of it."""
    stored = vars(module)
    for kind in ("_parameters", "_buffers"):
        for name, value in (stored.get(kind) or {}).items():
            if isinstance(value, (Tensor, nn.Parameter)):
                yield f"{prefix}{name}", value
    for name, inner in (stored.get("_modules") or {}).items():
        if isinstance(inner, _Empty):
            yield from _tensors(inner, f"{prefix}{name}.")


def _download(url: str, path: Path, progress: Progress) -> None:
    import urllib.request

    with urllib.request.urlopen(url, timeout=20) as answer, path.open("wb") as out:
        total = int(answer.headers.get("Content-Length") or 0)
        done = 0
        while block := answer.read(1 << 18):
            out.write(block)
            done += len(block)
            progress(done, total)
    if total and done != total:
        raise OSError(f"only {done} of {total} bytes came")
