"""Weights into networks: reading safetensors, fetching what torchvision publishes, and saying what matched."""

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from medtl.errors import BadInput, NotReady
from medtl.sources.architectures import build_for
from medtl.sources.builders import BUILDERS, Builder
from medtl.sources.network import Network, hidden_head
from medtl.vocabulary import Source

HEAD = "head."
_PICKLED = {".pt", ".pth", ".pkl", ".joblib", ".ckpt", ".h5"}
_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04", b"\x89HDF")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Match:
    """What of a weights file fitted a network."""

    matched: int
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    shapes: tuple[str, ...]

    def describe(self) -> str:
        unused = f"; {len(self.unused)} left unused (the source's own last layer)" if self.unused else ""
        return f"{self.matched} tensors matched{unused}."


def load_network(source: Source, weights_folder: Path, classes: int, progress: Progress | None = None) -> Network:
    """The source's network with its weights and a fresh head of `classes` outputs.

    Fetches a torchvision file into `weights_folder` when it is not there yet. Raises MedtlError when weights are
    missing, damaged or do not fit.
    """
    network = build_for(source, classes)
    if source.origin == "torchvision":
        state = torch.load(fetch(BUILDERS[source.builder], weights_folder, progress), weights_only=True)
    else:
        path = Path(source.weights)
        if source.sha256 and file_sha256(path) != source.sha256:
            raise BadInput(
                f"The weights of '{source.title}' are not the file its card describes (the hash differs).",
                "They may be damaged: add the source again.",
            )
        state = read_safetensors(path)
    fill_trunk(network, state)
    return network


def load_trained(source: Source, classes: int) -> Network:
    """A finished run's network with its own head, ready to predict."""
    state = read_safetensors(Path(source.weights))
    network = build_for(source, classes)
    if source.hidden:
        network.head = hidden_head(network.width, source.hidden, classes, 0.0)
    fill_trunk(network, state)
    head = {key.removeprefix(HEAD): value.float() for key, value in state.items() if key.startswith(HEAD)}
    network.head.load_state_dict(head)
    return network.eval()


def weights_of(network: Network, half: bool = False) -> dict[str, Tensor]:
    """The state to store: the trunk under its library's own keys, the head under "head."."""

    def stored(value: Tensor) -> Tensor:
        value = value.detach().cpu().contiguous()
        return value.half() if half and value.is_floating_point() else value

    trunk = {key: stored(value) for key, value in network.trunk.state_dict().items()}
    return trunk | {HEAD + key: stored(value) for key, value in network.head.state_dict().items()}


def fill_trunk(network: Network, state: Mapping[str, Tensor]) -> Match:
    """Load a state into the trunk. Raises BadInput unless every tensor of the trunk is found with its shape."""
    own = network.trunk.state_dict()
    missing = tuple(key for key in own if key not in state and not key.endswith("num_batches_tracked"))
    shapes = tuple(
        f"{key}: {tuple(state[key].shape)} instead of {tuple(own[key].shape)}"
        for key in own
        if key in state and state[key].shape != own[key].shape
    )
    match = Match(
        matched=sum(key in state for key in own) - len(shapes),
        missing=missing,
        unused=tuple(key for key in state if key not in own and not key.startswith(HEAD)),
        shapes=shapes,
    )
    if missing or shapes:
        some = "; ".join((*shapes[:3], *(f"{key} is missing" for key in missing[:3])))
        raise BadInput(
            f"The weights do not fit this network: {match.matched} of {len(own)} tensors match ({some}).",
            "Choose the network these weights were made for, with torchvision's names for its layers.",
        )
    for key, value in state.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise BadInput(f"The weights hold values that are not numbers (in '{key}').", "Take an undamaged file.")
    network.trunk.load_state_dict({key: state[key].to(own[key].dtype) for key in own if key in state}, strict=False)
    return match


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file. Anything else is refused unread: a pickle can run code when opened."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise NotReady(
            f"The weights file '{path.name}' cannot be read ({error.strerror}).", "Put it back, or add it again."
        ) from error
    # A safetensors file begins with the length of its header, which may happen to look like a pickle's first bytes.
    with_header = start[4:] == b"\0\0\0\0{"
    if (start.startswith(_PICKLES) and not with_header) or path.suffix.lower() in _PICKLED:
        raise BadInput(
            f"'{path.name}' is not a safetensors file but of a kind that can run code; it was not opened.",
            "Convert it where you trust it: from safetensors.torch import save_file; save_file(model.state_dict(), "
            "'weights.safetensors').",
        )
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise BadInput(
            f"'{path.name}' is not a whole safetensors file ({error}).", "Export it again, or copy it again."
        ) from error


def file_sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise NotReady(
            f"The weights file '{path.name}' cannot be read ({error.strerror}).", "Put it back, or add it again."
        ) from error


def fetch(builder: Builder, folder: Path, progress: Progress | None = None) -> Path:
    """The published file of `builder`, from `folder` or over the network; its hash (in its name) is always checked."""
    path = folder / builder.file
    if not path.exists():
        _download(builder, path, progress or (lambda done, total: None))
    wanted = builder.file.rsplit("-", 1)[1].removesuffix(".pth")
    if not file_sha256(path).startswith(wanted):
        raise BadInput(
            f"The file {builder.file} is damaged: its hash does not begin with {wanted}.",
            f"Delete it from {folder} and start again, or bring an undamaged copy.",
        )
    return path


def _download(builder: Builder, path: Path, progress: Progress) -> None:
    import torchvision

    url = torchvision.models.get_weight(builder.weights).url
    part = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with urllib.request.urlopen(url, timeout=20) as answer, part.open("wb") as out:
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
            f"Connect to the network and start again; or fetch {url} on another computer and put it into "
            f"{path.parent}; or choose a source that is already here.",
        ) from error
    finally:
        part.unlink(missing_ok=True)
