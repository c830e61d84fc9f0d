"""Weights into networks: reading safetensors, fetching what torchvision publishes, and saying what matched."""

import hashlib
import http.client
import os
import pickle
import re
import shutil
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from medtl.errors import BadInput, NotReady
from medtl.sources import torch_hub
from medtl.sources.architectures import build_for
from medtl.sources.builders import BUILDERS, Builder
from medtl.sources.heads import restored
from medtl.sources.network import Network, first_convolution
from medtl.vocabulary import Source

HEAD = "head."
# What torchvision's networks call their last layers; whatever of these a trunk does not hold is the source's own head.
_HEADS = ("head.", "heads.", "fc.", "classifier.")
# Beginnings and names of files that can run code when they are opened, and how to make a safetensors file of them.
_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")
_KERAS = (b"\x89HDF",)
_PICKLED = {".pt", ".pth", ".bin", ".pkl", ".pickle", ".joblib", ".ckpt"}
_OF_KERAS = {".h5", ".hdf5", ".keras"}
_CONVERT = (
    "Convert it where you trust it: from safetensors.torch import save_file; save_file(model.state_dict(), "
    "'weights.safetensors')."
)
_CONVERT_KERAS = (
    "Convert it where you trust it: import keras; keras.models.load_model('model.h5').save('model.keras'). Then bring "
    "model.keras; or export it as ONNX: model.export('model.onnx', format='onnx')."
)
# Names that torchvision gave layers before and still has in the files it publishes: DenseNet (a dot within a name, see
# `torchvision.models.densenet._load_state_dict`) and ViT (`MLPBlock._load_from_state_dict`).
_FORMER_NAMES = (
    (re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\."), r"\1\2."),
    (re.compile(r"\.mlp\.linear_1\."), ".mlp.0."),
    (re.compile(r"\.mlp\.linear_2\."), ".mlp.3."),
)
_FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Match:
    """What of a weights file fitted a network; in all fields the names of tensors, or sentences that begin with one.

    `adapted`: the first convolution, where the file's was for another number of channels. `head`: the source's own last
    layers, which are not used, and `head_classes` how many classes the last of them tells apart (0: cannot be told).
    `unused`: what belongs to nothing in this network. `missing`, `shapes` and `kinds` (of numbers) are misfits.
    """

    matched: int
    missing: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    adapted: str = ""
    head: tuple[str, ...] = ()
    head_classes: int = 0

    @property
    def fits(self) -> bool:
        return not (self.missing or self.shapes or self.kinds)

    def describe(self) -> str:
        says = [f"{self.matched:,} tensors matched by name and shape."]
        if self.adapted:
            says.append(f"The first convolution was adapted ({self.adapted}).")
        if self.head:
            classes = f" for {self.head_classes:,} classes" if self.head_classes else ""
            says.append(f"The file's own last layer{classes} ({_some(self.head)}) is not used: yours is trained anew.")
        if self.unused:
            says.append(
                f"{_tensors(self.unused, 'belongs', 'belong')} to nothing in this network ({_some(self.unused)})."
            )
        if self.missing:
            says.append(f"{_tensors(self.missing, 'is', 'are')} missing in the file ({_some(self.missing)}).")
        if self.shapes:
            says.append(f"{_tensors(self.shapes, 'has', 'have')} another shape ({_some(self.shapes, '; ')}).")
        if self.kinds:
            says.append(f"{_tensors(self.kinds, 'holds', 'hold')} another kind of numbers ({_some(self.kinds, '; ')}).")
        return " ".join(says)


def _tensors(names: Collection[str], one: str, more: str) -> str:
    return f"1 tensor {one}" if len(names) == 1 else f"{len(names):,} tensors {more}"


def _some(names: Iterable[str], between: str = ", ", at_most: int = 3) -> str:
    names = list(names)
    return between.join(names[:at_most]) + (f"{between}and {len(names) - at_most} more" if len(names) > at_most else "")


def load_network(source: Source, weights_folder: Path, classes: int, progress: Progress | None = None) -> Network:
    """The source's network with its weights and a fresh head of `classes` outputs.

    Fetches a torchvision file into `weights_folder` when it is not there yet. Raises MedtlError when weights are
    missing, damaged or do not fit.
    """
    network = build_for(source, classes)
    if source.origin == "torchvision":
        state = _read_published(fetch(BUILDERS[source.builder], weights_folder, progress))
    else:
        if source.origin == "optional":
            from medtl.sources import optional_weights

            optional_weights.fetch(source, progress)
        state = read_safetensors(_as_on_its_card(source))
    fill_trunk(network, state)
    return network


def head_of(source: Source, weights_folder: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Weight (K, D) and bias (K,), float32, of the source's own linear head on the features we pool; else None.

    None where its head is not one linear layer on these features, or where its file is not on this computer: nothing
    is fetched. None, too, for findings and grades, whose outputs are no scores of classes that exclude each other.
    Raises MedtlError when the file is there and damaged.
    """
    if source.task != "single-label":
        return None
    state = _head_state(source, weights_folder)
    theirs = BUILDERS[source.builder].head if source.builder in BUILDERS else ""
    # MedTL's own files say "head."; Swin's last layer at torchvision is called the same, and is the same.
    for name in (HEAD.removesuffix("."), theirs):
        weight = state.get(f"{name}.weight")
        if weight is None or weight.dim() != 2 or weight.shape[1] != source.outline.features:
            continue
        bias = state.get(f"{name}.bias", torch.zeros(len(weight)))  # MaxViT's has none
        if not {weight.dtype, bias.dtype} <= set(_FLOATS) or bias.shape != weight.shape[:1]:
            continue
        if torch.isfinite(weight).all() and torch.isfinite(bias).all():
            return weight.float().numpy().copy(), bias.float().numpy().copy()  # the file may be mapped into memory
    return None


def _head_state(source: Source, weights_folder: Path) -> Mapping[str, Tensor]:
    """The tensors of the source's file that may be a head; none when it is not on this computer."""
    if source.origin == "torchvision":
        builder = BUILDERS[source.builder]
        found = torch_hub.find(weights_folder, builder.file)
        if not builder.head or found is None:
            return {}
        state = _read_published(_checked(builder, found))
        return {key: value for key, value in state.items() if key.startswith(_HEADS)}
    path = Path(source.weights)
    if path.suffix != ".safetensors" or not path.is_file():  # no weights here, or of a kind of their own (ONNX)
        return {}
    return read_safetensors(_as_on_its_card(source), _HEADS)


def _as_on_its_card(source: Source) -> Path:
    """The file of a source that lies here. Raises BadInput when it is not the one its card describes."""
    path = Path(source.weights)
    if source.sha256 and file_sha256(path) != source.sha256:
        raise BadInput(
            f"The weights of '{source.title}' are not the file its card describes (the hash differs).",
            "They may be damaged: add the source again.",
        )
    return path


def load_trained(source: Source, classes: int) -> Network:
    """A finished run's network with its own head, ready to predict."""
    state = read_safetensors(Path(source.weights))
    network = build_for(source, classes)
    fill_trunk(network, state)
    network.head = restored({key.removeprefix(HEAD): value for key, value in state.items() if key.startswith(HEAD)})
    return network.eval()


def weights_of(network: Network, half: bool = False) -> dict[str, Tensor]:
    """The state to store: the trunk under its library's own keys, the head under "head."."""

    def stored(value: Tensor) -> Tensor:
        value = value.detach().cpu().contiguous()
        return value.half() if half and value.is_floating_point() else value

    trunk = {key: stored(value) for key, value in network.trunk.state_dict().items()}
    return trunk | {HEAD + key: stored(value) for key, value in network.head.state_dict().items()}


def fill_trunk(network: Network, state: Mapping[str, Tensor]) -> Match:
    """Load a state into the trunk. Raises BadInput unless every learned tensor of the trunk is found with its shape.

    Numbers of 16, 32 and 64 bits become those of the network (32 bits). Whole numbers and 8-bit floats are refused:
    they mean something only together with scales that a state does not say. Tables of positions (whole numbers) are
    part of the architecture, not learned, and stay as the network made them.
    """
    own = {key: value for key, value in network.trunk.state_dict().items() if _is_learned(key, value)}
    given, adapted = _for_channels_of(network, _under_todays_names(state, own))
    match = _compare(own, given, set(network.trunk.state_dict()), adapted)
    if not match.fits:
        raise BadInput(
            f"The weights do not fit this network. {match.describe()}",
            "Choose the network these weights were made for, with torchvision's names for its layers, in numbers of "
            "16 or 32 bits.",
        )
    fitted = {key: given[key].to(own[key].dtype) for key in own if key in given}
    heads = {key: value for key, value in state.items() if key.startswith(HEAD) and value.dtype in _FLOATS}
    for key, value in (fitted | heads).items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise BadInput(f"The weights hold values that are not numbers (in '{key}').", "Take an undamaged file.")
    with torch.no_grad():  # copied one by one: some of torchvision's classes change or refuse states of no version
        for key, value in fitted.items():
            own[key].copy_(value)
    return match


def adapt_channels(weight: Tensor, channels: int) -> Tensor:
    """A first convolution (O, I, h, w) for pictures of `channels` instead of I, 3 to 1 or 1 to 3.

    3 to 1: summed over the input channels. A grey picture shown three times over gives sum_c W_c * x, so that one
    channel with the sum gives the same output (the mean would give a third of it, a copy of one channel something
    else). 1 to 3: divided by three and repeated, for the same reason. Both are exact where the source normalises its
    channels alike. With ImageNet's means and deviations, which differ between colours by up to a third of a deviation,
    the outputs are near rather than equal.
    """
    if weight.shape[1] == channels:
        return weight
    if channels == 1:
        return weight.sum(dim=1, keepdim=True, dtype=torch.float32)
    return weight.float().expand(-1, channels, -1, -1) / channels


def _is_learned(key: str, value: Tensor) -> bool:
    return value.is_floating_point() or key.endswith("num_batches_tracked")


def _under_todays_names(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state with layers called as torchvision calls them today, where that makes them fit."""

    def todays(key: str) -> str:
        new = key
        for pattern, name in _FORMER_NAMES:
            new = pattern.sub(name, new)
        return new if key not in own and new in own else key

    return {todays(key): value for key, value in state.items()}


def _for_channels_of(network: Network, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """The state with its first convolution made to fit, and how in words; as it was where that is not needed."""
    if not any(isinstance(module, nn.Conv2d) for module in network.trunk.modules()):
        return state, ""
    name, layer = first_convolution(network.trunk)
    weight = state.get(f"{name}.weight")
    if weight is None or weight.dim() != 4 or {weight.shape[1], layer.in_channels} != {1, 3}:
        return state, ""
    if weight.dtype not in _FLOATS:
        return state, ""
    how = "3 colours summed into 1 grey channel" if layer.in_channels == 1 else "1 grey channel spread over 3 colours"
    return state | {f"{name}.weight": adapt_channels(weight, layer.in_channels)}, f"{name}.weight, {how}"


def _compare(own: Mapping[str, Tensor], given: Mapping[str, Tensor], known: Collection[str], adapted: str) -> Match:
    """`given` is what the file holds, made to fit by name and channels; `known` are all names of the network."""
    both = [key for key in own if key in given]
    shapes = [
        f"{key}: {tuple(given[key].shape)} instead of {tuple(own[key].shape)}"
        for key in both
        if given[key].shape != own[key].shape
    ]
    kinds = [
        f"{key}: {str(given[key].dtype).removeprefix('torch.')}"
        for key in both
        if own[key].is_floating_point() and given[key].dtype not in _FLOATS
    ]
    left = [key for key in given if key not in known]
    head = [key for key in left if key.startswith(_HEADS)]
    matrices = [given[key] for key in head if key.endswith("weight") and given[key].dim() in (2, 4)]
    return Match(
        matched=len(both) - len({line.split(":")[0] for line in (*shapes, *kinds)}),
        missing=tuple(key for key in own if key not in given and not key.endswith("num_batches_tracked")),
        unused=tuple(key for key in left if key not in head),
        shapes=tuple(shapes),
        kinds=tuple(kinds),
        adapted=adapted,
        head=tuple(head),
        head_classes=len(matrices[-1]) if matrices else 0,
    )


def read_safetensors(path: Path, only: tuple[str, ...] = ("",)) -> dict[str, Tensor]:
    """The tensors of a safetensors file whose names begin with one of `only`.

    Anything else is refused unread: a pickle can run code when opened.
    """
    from safetensors import SafetensorError, safe_open

    refuse_code(path)
    try:
        with safe_open(path, "pt") as file:
            return {key: file.get_tensor(key) for key in file.keys() if key.startswith(only)}  # noqa: SIM118 not a dict
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        raise BadInput(
            f"'{path.name}' is not a whole safetensors file ({error}).", "Export it again, or copy it again."
        ) from error


def refuse_code(path: Path) -> None:
    """Raise BadInput for a file that can run code, by its first bytes and by its name; it is not opened further."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise NotReady(
            f"The weights file '{path.name}' cannot be read ({error.strerror}).", "Put it back, or add it again."
        ) from error
    # A safetensors file begins with the length of its header, which may happen to look like a pickle's first bytes.
    with_header = start[4:] == b"\0\0\0\0{"
    kind = path.suffix.lower()
    keras = kind in _OF_KERAS or start.startswith(_KERAS)
    if keras or kind in _PICKLED or (start.startswith(_PICKLES) and not with_header):
        raise BadInput(
            f"'{path.name}' is not a safetensors file but of a kind that can run code; it was not opened.",
            _CONVERT_KERAS if keras else _CONVERT,
        )


def file_sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise NotReady(
            f"The weights file '{path.name}' cannot be read ({error.strerror}).", "Put it back, or add it again."
        ) from error


def fetch(builder: Builder, folder: Path, progress: Progress | None = None) -> Path:
    """The published file of `builder`, from `folder`, from torch's own cache or over the network, in this order.

    Its hash (in its name) is always checked; a damaged file in torch's cache is passed over.
    """
    if not (folder / builder.file).exists() and not _from_torch_hub(builder, folder):
        _download(builder, folder / builder.file, progress or (lambda done, total: None))
    return _checked(builder, folder / builder.file)


def _checked(builder: Builder, path: Path) -> Path:
    if not _is_published(builder, path):
        raise BadInput(
            f"The file {builder.file} is damaged: its hash does not begin with {builder.hash}.",
            f"Delete it from {path.parent} and start again, or bring an undamaged copy.",
        )
    return path


def _is_published(builder: Builder, path: Path) -> bool:
    return file_sha256(path).startswith(builder.hash)


def _read_published(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of torchvision's: a pickle, but known by its hash, and read as tensors and nothing else."""
    try:
        # Older files are no zips and cannot be mapped into memory.
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (pickle.UnpicklingError, RuntimeError) as error:
        raise BadInput(
            f"The file {path.name} holds something else than tensors; it was not opened ({error}).",
            f"Delete it from {path.parent}; torchvision's own files hold tensors only.",
        ) from error
    return dict(state)


def _from_torch_hub(builder: Builder, folder: Path) -> bool:
    """Take the file from torch's own cache, if an undamaged one is there."""
    cached = torch_hub.cached(builder.file)
    if cached is None or not _is_published(builder, cached):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{builder.file}.part"
    part.unlink(missing_ok=True)
    try:
        try:
            os.link(cached.resolve(), part)  # takes no room
        except OSError:  # on another disk, or of a kind that knows no links
            shutil.copyfile(cached, part)
        os.replace(part, folder / builder.file)
    finally:
        part.unlink(missing_ok=True)
    return True


def _download(builder: Builder, path: Path, progress: Progress) -> None:
    part = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with urllib.request.urlopen(builder.url, timeout=20) as answer, part.open("wb") as out:
            total = int(answer.headers.get("Content-Length") or 0)
            done = 0
            while block := answer.read(1 << 18):
                out.write(block)
                done += len(block)
                progress(done, total)
            out.flush()
            os.fsync(out.fileno())
        if total and done != total:
            raise OSError(f"only {done} of {total} bytes came")
        os.replace(part, path)
    except (urllib.error.URLError, http.client.HTTPException, OSError, TimeoutError) as error:
        reason = getattr(error, "reason", error)
        raise NotReady(
            f"'{builder.title}' needs a file of {builder.size_mb:.0f} MB that is fetched once, and it could not be "
            f"fetched ({reason}).",
            f"Connect to the network and start again; or fetch {builder.url} on another computer and put it into "
            f"{path.parent}; or choose a source that is already here.",
        ) from error
    finally:
        part.unlink(missing_ok=True)
