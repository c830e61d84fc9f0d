"""A source folder that somebody gave away (`export --as-source`), as a stranger's: what is taken of it, what must hold.

Whoever receives it copies what is known by name (`take`) and opens nothing; `checked` opens the copies, in the process
for such things (`receiver`). What a source keeps of the images it learned from is written anew from its numbers.
"""

import errno
import math
import os
import shutil
import stat
import tomllib
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from medtl.errors import BadInput, NotFound
from medtl.sources import cards, limits, optional
from medtl.sources.builders import BUILDERS
from medtl.vocabulary import InputSpec, Outline, Task

if TYPE_CHECKING:
    from medtl.sources.network import Network

# What may lie in such a folder, and how large it may be; anything else is not looked at.
_MOST = {
    cards.CARD: limits.CARD_BYTES,
    cards.WEIGHTS: limits.FILE_BYTES,
    **dict.fromkeys(cards.GRAPHS.values(), limits.GRAPH_BYTES),
    **dict.fromkeys(cards.TRACES, limits.TRACE_BYTES),
}
_TEXTS = ("title", "says", "reference", "limits", "trained_on", "cases", "licence", "attribution", "recipe")
_LISTS = ("labels", "figures", "better_for")
_ADVICE = "Ask whoever gave it for the folder as `python -m medtl export RUN --as-source FOLDER` wrote it."


def is_source(path: Path) -> bool:
    return path.is_dir() and (path / cards.CARD).exists()


def take(given: Path, folder: Path) -> None:
    """Copy what belongs to a source from `given` into `folder`. Links are not followed; nothing is opened but copied.

    Raises BadInput for what is no plain file, is too large, or where card or weights are missing.
    """
    for name, most in _MOST.items():
        if not _copied(given / name, folder / name, most) and name in (cards.CARD, cards.WEIGHTS):
            raise BadInput(f"There is no {name} in this folder.", _ADVICE)


def _copied(path: Path, to: Path, most: int) -> bool:
    """False when there is no such file."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe must not make us wait
    except FileNotFoundError:
        return False
    except OSError as error:
        why = "is a link" if error.errno == errno.ELOOP else f"cannot be read ({error.strerror})"
        raise BadInput(f"The file {path.name} {why}.", _ADVICE) from error
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise BadInput(f"{path.name} is not a plain file.", _ADVICE)
        if about.st_size > most:
            raise BadInput(
                f"{path.name} has {about.st_size / limits.MB:,.0f} MB; it may have {most // limits.MB}.", _ADVICE
            )
        with to.open("wb") as out:
            shutil.copyfileobj(file, out)
    return True


# ---- opening it, in a process of its own -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Checked:
    """What a card says, as far as it is text and numbers, and what was found by looking. `notes`: a sentence each."""

    texts: dict[str, str]
    lists: dict[str, tuple[str, ...]]
    builder: str
    sha256: str
    hidden: int
    task: Task
    input: InputSpec
    outline: Outline
    notes: tuple[str, ...]


def checked(folder: Path) -> Checked:
    """The source in `folder`, all of it looked at; what it need not keep is deleted there. Raises MedtlError."""
    from medtl.sources.weights import file_sha256, fill_trunk, read_safetensors

    card = _card(folder / cards.CARD)
    builder, spec = _builder(card), _input(card)
    sha256 = card.get("sha256")
    if sha256 != file_sha256(folder / cards.WEIGHTS):
        raise BadInput("The weights are not the file the card describes (the hash differs).", _ADVICE)
    network, outline = _network(builder, spec, folder)
    notes = [fill_trunk(network, read_safetensors(folder / cards.WEIGHTS)).describe()]
    _run(network, spec)
    for kind, name in cards.GRAPHS.items():
        if kind != builder:
            (folder / name).unlink(missing_ok=True)
    for name in cards.TRACES:
        if (folder / name).exists() and (wrong := _rewritten(folder / name, outline.features)):
            notes.append(f"{name} was left out: {wrong}.")
    return Checked(
        texts={name: _text(card, name) for name in _TEXTS},
        lists={name: _texts(card, name) for name in _LISTS},
        builder=builder,
        sha256=str(sha256),
        hidden=_whole(card, "hidden", 0, limits.FEATURES, 0),
        task=_task(card),
        input=spec,
        outline=outline,
        notes=tuple(notes),
    )


def _network(builder: str, spec: InputSpec, folder: Path) -> tuple["Network", Outline]:
    """The network with random weights, and its outline: measured where it brings itself, else the one we know."""
    if builder in cards.GRAPHS:
        from medtl.sources.foreign import outlined

        graph = folder / cards.GRAPHS[builder]
        if not graph.exists():
            raise BadInput(f"There is no {graph.name} in this folder.", _ADVICE)
        network = _reader(builder)(graph, spec, 2)
        return network, outlined(network, spec)
    if builder in optional.TIMM:
        from medtl.sources import timm_nets

        return timm_nets.build(builder, 2), optional.TIMM[builder].outline
    from medtl.sources.image_nets import build

    return build(builder, 2, spec.channels), BUILDERS[builder].outline


def _reader(kind: str) -> Callable[[Path, InputSpec, int], "Network"]:
    if kind == "onnx":
        from medtl.sources import onnx_nets

        return onnx_nets.build
    from medtl.sources import keras_nets

    return keras_nets.build


def _run(network: "Network", spec: InputSpec) -> None:
    import torch

    try:
        with torch.no_grad():
            network.eval()(torch.zeros(2, spec.channels, spec.size, spec.size))
    except Exception as error:  # every library fails on wrong sizes in its own ways; nothing is kept
        raise BadInput(
            f"The network does not run on two pictures of {spec.size} pixels ({type(error).__name__}).", _ADVICE
        ) from error


# ---- the card --------------------------------------------------------------------------------------------------------


def _card(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"The card ({path.name}) cannot be read ({type(error).__name__}).", _ADVICE) from error


def _builder(card: dict[str, Any]) -> str:
    builder = card.get("builder")
    if not isinstance(builder, str) or not (builder in cards.GRAPHS or builder in optional.TIMM or builder in BUILDERS):
        raise NotFound(
            f"The card names a network that is not known here ({_plain(str(builder))[:60]}).",
            f"Update MedTL, or ask for one of: {', '.join((*cards.GRAPHS, *BUILDERS.ids))}.",
        )
    return builder


def _input(card: dict[str, Any]) -> InputSpec:
    given = card.get("input")
    if not isinstance(given, dict):
        raise _wrong("input", "a table")
    channels = _whole(given, "channels", 1, 3)
    if channels == 2:
        raise _wrong("channels", "1 or 3")
    mean, std = (_numbers(given, name, channels) for name in ("mean", "std"))
    if min(std) <= 0:
        raise _wrong("std", "greater than 0")
    return InputSpec(channels, _whole(given, "size", *limits.SIDE), mean, std)


def _whole(given: dict[str, Any], name: str, least: int, most: int, absent: int | None = None) -> int:
    value = given.get(name, absent)
    if type(value) is not int or not least <= value <= most:
        raise _wrong(name, f"a whole number from {least} to {most}")
    return value


def _numbers(given: dict[str, Any], name: str, count: int) -> tuple[float, ...]:
    values = given.get(name)
    fits = isinstance(values, list) and len(values) == count
    if not fits or not all(type(v) in (int, float) and math.isfinite(v) and abs(v) < 1e6 for v in values or ()):
        raise _wrong(name, f"{count} numbers")
    return tuple(map(float, values or ()))


def _text(card: dict[str, Any], name: str) -> str:
    return _said(card.get(name, ""), name)


def _texts(card: dict[str, Any], name: str) -> tuple[str, ...]:
    values = card.get(name, [])
    if not isinstance(values, list) or len(values) > limits.LISTED:
        raise _wrong(name, f"a list of at most {limits.LISTED} texts")
    return tuple(_said(value, name) for value in values)


def _said(value: Any, name: str) -> str:
    most = limits.TITLE if name == "title" else limits.TEXT
    if not isinstance(value, str) or len(value) > most:
        raise _wrong(name, f"text of at most {most:,} characters")
    return _plain(value)


def _plain(text: str) -> str:
    """Without characters that cannot be seen: they could turn a sentence round on the screen."""
    return "".join(c for c in text.replace("\n", " ") if c.isprintable())


def _task(card: dict[str, Any]) -> Task:
    said = card.get("task", "single-label")
    if said not in get_args(Task):
        raise _wrong("task", f"one of {', '.join(get_args(Task))}")
    return said


def _wrong(name: str, should: str) -> BadInput:
    return BadInput(f"On the card, '{name}' should be {should}.", _ADVICE)


# ---- what it keeps of the images it learned from ---------------------------------------------------------------------


def _rewritten(path: Path, features: int) -> str:
    """Write the file anew from its numbers; or delete it and say what is wrong with it."""
    try:
        arrays = _KEPT[path.name](_arrays(path), features)
    except (
        OSError, ValueError, KeyError, TypeError, EOFError, ArithmeticError, MemoryError, RuntimeError,
        zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        path.unlink()
        return f"it does not hold what belongs there ({type(error).__name__})"
    path.unlink()
    np.savez(path, **arrays)
    return ""


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > limits.TRACE_BYTES or len(members) > limits.LISTED:
            raise ValueError("too large unpacked")
    with np.load(path, allow_pickle=False) as kept:
        return {name: kept[name] for name in kept.files}


def _statistics(arrays: dict[str, np.ndarray], features: int) -> dict[str, Any]:
    """As `transferability.statistics` writes and reads it: for each kind of images a mean (D,), directions (r, D) and
    their variances (r,)."""
    kept: dict[str, Any] = {}
    for number in range(len(arrays) // 5):
        count, rest = int(arrays.pop(f"count-{number}")), float(arrays.pop(f"rest-{number}"))
        mean, directions, variances = (
            _finite(arrays.pop(f"{name}-{number}")) for name in ("mean", "directions", "variances")
        )
        r = len(variances)
        if mean.shape != (features,) or variances.shape != (r,) or directions.shape != (r, features):
            raise ValueError("shapes")
        if count < 1 or not 0 <= rest < math.inf or (variances < 0).any() or (abs(directions) > 1.01).any():
            raise ValueError("numbers")
        kept |= {
            f"count-{number}": count,
            f"mean-{number}": mean,
            f"directions-{number}": directions.astype(np.float16),
            f"variances-{number}": variances,
            f"rest-{number}": rest,
        }
    if arrays or not kept:
        raise ValueError("names")
    return kept


def _finite(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind != "f" or not np.isfinite(found := values.astype(np.float32)).all():
        raise ValueError("numbers")
    return found


def _seen(arrays: dict[str, np.ndarray], features: int) -> dict[str, Any]:
    """As `transferability.seen` writes and reads it: (m, 32) uint8."""
    (prints,) = arrays.values()
    if set(arrays) != {"fingerprints"} or prints.dtype != np.uint8 or prints.ndim != 2 or prints.shape[1] != 32:
        raise ValueError("shapes")
    return {"fingerprints": prints}


_KEPT: dict[str, Callable[[dict[str, np.ndarray], int], dict[str, Any]]] = dict(
    zip(cards.TRACES, (_statistics, _seen), strict=True)
)
