"""What is measured of maps so that a badge beside them is not a claim: numbers for each picture, no verdicts.

Does the map depend on what the network learned (weights shuffled: Adebayo et al. 2018, arXiv:1810.03292)? Does the
score depend on the region (hidden: deletion and insertion, RISE, arXiv:1806.07421; filled in from around it: ROAD,
arXiv:2202.00449), more than on a random region or the middle? Does the map stay when the picture hardly changes?

Letters: B pictures, C channels, S pixels a side, h and w cells.
"""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from medtl.explanation.gradcam import Maps
from medtl.explanation.methods import DEFAULT
from medtl.explanation.states import rank_correlation

Score = Callable[[Tensor], np.ndarray]  # (n, C, S, S) normalised pictures -> (n,) scores of the class in question
HEADS = 3  # random heads that are tried
SHARES = (0.1, 0.3, 0.5)  # of the pixels that are hidden, or shown alone
ROAD_SHARES = (0.2, 0.5)
_COARSE = 4  # ROAD fills in at a quarter of the resolution: what it fills in is smooth
_ROAD_NOISE = 0.01  # as in the paper's code
_BLUR = 1 / 16  # of the side: standard deviation of the blurred picture that insertion begins with
_CENTRE = 1 / 4  # of the side: standard deviation of the map that always says "the middle"
_SHIFT = 1 / 28  # of the side
_NOISE = 0.03  # of a normalised picture's standard deviation
_FINE = 56  # cells a side at which shifted maps are compared


# ---- does it depend on what was learned? -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Shuffled:
    """`names` say what was shuffled, from the head backwards, each with all before it; `kept` (B, len(names)) the size
    of the rank correlation of the map before and after, 0 to 1."""

    names: tuple[str, ...]
    kept: np.ndarray


def shuffled(
    maps: Maps, x: Tensor, classes: Sequence[int], method: str = DEFAULT, layer: str = "", seed: int = 0
) -> Shuffled:
    """The maps of x (B, C, S, S) for `classes` (one each) held against those of the same network with its weights
    shuffled within each layer, which keeps their spread and loses what they say. The sign is left out: a random head
    may turn a map around."""
    own = _each(maps, x, classes, method, layer)
    lost = copy.deepcopy(maps.network)
    other = Maps(lost, x, maps.evidence, maps.black)
    draw = torch.Generator().manual_seed(seed)
    names, kept = ["head"], [_without_head(other, x, classes, own, method, layer, draw)]
    with torch.inference_mode():
        before = [x]
        for stage in maps.network.stages[:-1]:
            before.append(stage(before[-1]).clone())
    for at in range(len(lost.stages) - 1, -1, -1):
        for module in lost.stages[at].members():
            shuffle(module, draw)
        names.append(lost.stages[at].name)
        kept.append(_kept(own, _each(other, x, classes, method, layer, before[at], at)))
    return Shuffled(tuple(names), np.stack(kept, axis=1))


def _without_head(
    other: Maps, x: Tensor, classes: Sequence[int], own: np.ndarray, method: str, layer: str, draw: torch.Generator
) -> np.ndarray:
    """(B,) mean over several random heads; the last stays in."""
    looked = other.fast.look(x) if other.fast is not None and other.exact(method, layer) else None
    found = []
    for _ in range(HEADS if looked is not None else 1):
        for module in other.network.head.modules():
            shuffle(module, draw)
        if looked is not None and other.fast is not None:
            found.append(_kept(own, _own(other.fast.weighed(looked, sorted(set(classes)), other.evidence)[0], classes)))
        else:
            found.append(_kept(own, _each(other, x, classes, method, layer)))
    return np.asarray(np.mean(found, axis=0))


def shuffle(module: nn.Module, draw: torch.Generator) -> None:
    """Mix the values of every matrix that a module itself holds; scales and shifts of norms stay."""
    with torch.no_grad():
        for values in [*module.parameters(recurse=False), *module.buffers(recurse=False)]:
            if values.dim() >= 2 and values.is_floating_point():
                order = torch.randperm(values.numel(), generator=draw).to(values.device)
                values.copy_(values.flatten()[order].view_as(values))


def _each(
    maps: Maps, x: Tensor, classes: Sequence[int], method: str, layer: str, begun: Tensor | None = None, start: int = 0
) -> np.ndarray:
    """(B, h, w): of each picture the map for its own class. `begun` is what stage `start` is given, where the stages
    before it need not be gone through again."""
    known = sorted(set(classes))
    if maps.fast is not None and maps.exact(method, layer):
        looked = maps.fast.look(x if begun is None else begun, start)
        return _own(maps.fast.weighed(looked, known, maps.evidence)[0], classes)
    return np.stack([maps.raw(x[i : i + 1], [k], method, layer)[0, 0] for i, k in enumerate(classes)])


def _own(all_of_them: np.ndarray, classes: Sequence[int]) -> np.ndarray:
    """(B, K', h, w) for the classes that occur -> (B, h, w)."""
    known = sorted(set(classes))
    return np.stack([all_of_them[i, known.index(k)] for i, k in enumerate(classes)])


def _kept(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.array([abs(rank_correlation(a, b)) for a, b in zip(own, other, strict=True)])


# ---- does the score depend on the region? ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Region:
    """By how much more the score changed than for another choice of as many pixels; above 0 the map chose better.

    `than_random` (m,) for each of m random maps, `than_centre` for the middle; `change` is the mean change itself.
    """

    change: float
    than_random: np.ndarray
    than_centre: float


def regions(score: Score, x: Tensor, values: np.ndarray, randoms: int = 1, seed: int = 0) -> dict[str, Region]:
    """Of one picture (1, C, S, S) under its map (h, w) in [0, 1]: "deletion" (the brightest pixels become the picture's
    mean colour: the score should fall), "insertion" (only they are shown sharp: it should rise from that of the blurred
    picture) and "road" (they are filled in from around: it should fall)."""
    draw = np.random.default_rng(seed)
    side = x.shape[-1]
    chosen = [values, _centred(side), *(draw.random(values.shape) for _ in range(randoms))]
    order = [_order(_enlarged(one, side)) for one in chosen]
    mean, blurred = x.mean(dim=(2, 3), keepdim=True).expand_as(x)[0], _blurred(x)[0]
    noise = torch.Generator().manual_seed(seed)
    made: dict[str, list[Tensor]] = {"deletion": [], "insertion": [], "road": []}
    for pixels in order:
        for share in SHARES:
            top = _top(pixels, share, side)
            made["deletion"].append(torch.where(top, mean, x[0]))
            made["insertion"].append(torch.where(top, x[0], blurred))
        made["road"] += [_filled_in(x[0], _top(pixels, share, side), noise) for share in ROAD_SHARES]
    everything = torch.stack([x[0], blurred, *(one for of in made.values() for one in of)])
    said = score(everything.contiguous(memory_format=torch.channels_last))
    whole, empty, at = float(said[0]), float(said[1]), 2
    found = {}
    for name, of in made.items():
        each = said[at : at + len(of)].reshape(len(chosen), -1).mean(axis=1)
        at += len(of)
        change = each - empty if name == "insertion" else whole - each
        found[name] = Region(float(change[0]), change[0] - change[2:], float(change[0] - change[1]))
    return found


def _enlarged(values: np.ndarray, side: int) -> np.ndarray:
    """(h, w) -> (S, S)."""
    grid = torch.from_numpy(np.ascontiguousarray(values, np.float32))[None, None]
    return functional.interpolate(grid, size=(side, side), mode="bilinear", align_corners=False)[0, 0].numpy()


def _centred(side: int) -> np.ndarray:
    along = np.exp(-0.5 * ((np.arange(side) - (side - 1) / 2) / (_CENTRE * side)) ** 2)
    return np.outer(along, along)


def _order(values: np.ndarray) -> np.ndarray:
    return np.argsort(-values, axis=None, kind="stable")


def _top(order: np.ndarray, share: float, side: int) -> Tensor:
    """(S, S) bool: the first so many."""
    mask = np.zeros(side * side, bool)
    mask[order[: round(share * len(order))]] = True
    return torch.from_numpy(mask.reshape(side, side))


def _blurred(x: Tensor) -> Tensor:
    """By a Gaussian, through a smaller picture: what is left has no detail."""
    cells = max(4, round(0.5 / _BLUR))
    small = functional.adaptive_avg_pool2d(x, cells)
    return functional.interpolate(small, size=x.shape[-2:], mode="bicubic", align_corners=False)


def _filled_in(picture: Tensor, top: Tensor, draw: torch.Generator) -> Tensor:
    """(C, S, S): every pixel of `top` becomes the weighted mean of those around it, all at once, and a little noise, so
    that the hole cannot be told by its flatness (the paper's noisy linear imputation)."""
    side = max(8, picture.shape[-1] // _COARSE)
    known = (~top).to(picture)[None, None]
    weight = functional.adaptive_avg_pool2d(known, side)
    small = functional.adaptive_avg_pool2d(picture[None] * known, side) / weight.clamp_min(1e-6)
    filled = torch.from_numpy(filled_in(small[0].cpu().numpy(), weight[0, 0].cpu().numpy() < 0.5)).to(picture)
    whole = functional.interpolate(filled[None], size=picture.shape[-2:], mode="bilinear", align_corners=False)[0]
    noise = _ROAD_NOISE * torch.randn(whole.shape, generator=draw)
    return torch.where(top, whole + noise.to(whole.device), picture)


_AROUND = [(i, j, 1 / 6 if i == 0 or j == 0 else 1 / 12) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]


def filled_in(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """(C, s, s) with a hole (s, s) -> the same with each missing pixel the weighted mean of its eight neighbours, all
    solved together: ROAD's linear imputation, arXiv:2202.00449 section 4, without its noise."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.linalg import splu

    if not hole.any() or hole.all():
        return picture
    height, width = hole.shape
    number = np.full(hole.shape, -1)
    number[hole] = np.arange(int(hole.sum()))
    rows, columns = np.nonzero(hole)
    here, total = number[rows, columns], np.zeros(len(rows))
    given = np.zeros((len(rows), len(picture)))
    entries: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for down, across, weight in _AROUND:
        at_row, at_column = rows + down, columns + across
        inside = (at_row >= 0) & (at_row < height) & (at_column >= 0) & (at_column < width)
        total += weight * inside
        i, j, own = at_row[inside], at_column[inside], here[inside]
        missing = hole[i, j]
        given[own[~missing]] += weight * picture[:, i[~missing], j[~missing]].T
        entries.append((own[missing], number[i, j][missing], np.full(int(missing.sum()), -weight)))
    entries.append((here, here, total))
    at, to, values = (np.concatenate(part) for part in zip(*entries, strict=True))
    solved = splu(coo_matrix((values, (at, to)), shape=(len(rows), len(rows))).tocsc()).solve(given)
    whole = picture.copy()
    whole[:, rows, columns] = solved.T
    return whole


# ---- does it stay when the picture hardly changes? -------------------------------------------------------------------

CHANGED = ("shifted one way", "shifted the other way", "mirrored", "with noise")


def steady(
    maps: Maps, x: Tensor, classes: Sequence[int], method: str = DEFAULT, layer: str = "", seed: int = 0
) -> np.ndarray:
    """(B, len(CHANGED)): rank correlation of each picture's map with that of the picture changed a little, laid over it
    again."""
    by = max(1, round(x.shape[-1] * _SHIFT))
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed)).to(x.device)
    changed = (_moved(x, by), _moved(x, -by), x.flip(-1), x + _NOISE * x.std() * noise)
    own = _fine(_each(maps, x, classes, method, layer))
    cells = max(1, round(_FINE * by / x.shape[-1]))
    back: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
        lambda m: np.roll(m, (-cells, -cells), (1, 2)), lambda m: np.roll(m, (cells, cells), (1, 2)),
        lambda m: m[:, :, ::-1], lambda m: m,
    )  # fmt: skip
    inner = slice(2 * cells, -2 * cells)
    found = []
    for picture, undo in zip(changed, back, strict=True):
        again = undo(_fine(_each(maps, picture, classes, method, layer)))
        found.append([rank_correlation(a[inner, inner], b[inner, inner]) for a, b in zip(own, again, strict=True)])
    return np.array(found).T


def _moved(x: Tensor, by: int) -> Tensor:
    """Down and to the right by so many pixels (or the other way); what comes in repeats the border."""
    size = x.shape[-1]
    padded = functional.pad(x, (abs(by),) * 4, mode="replicate")
    start = abs(by) - by
    return padded[..., start : start + size, start : start + size].contiguous(memory_format=torch.channels_last)


def _fine(values: np.ndarray) -> np.ndarray:
    grid = torch.from_numpy(np.ascontiguousarray(values, np.float32))[:, None]
    return functional.interpolate(grid, size=(_FINE, _FINE), mode="bilinear", align_corners=False)[:, 0].numpy()


def passes(stages: int, randoms: int = 1) -> float:
    """About how many forward passes one picture costs where maps are had in closed form."""
    return 2 + math.ceil(stages / 2) + (2 + randoms) * (2 * len(SHARES) + len(ROAD_SHARES)) + len(CHANGED) + 3
