"""The gate of a run: learned from its own cases, kept beside the result, asked of every new picture.

First what is cheap and can be said in words (`photometry`), then how far the picture lies from the training cases
(`distance`). It sees neither a change of prevalence nor another scanner that gives pictures alike.

Letters: n, m cases, D features.
"""

import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from medtl.cohorts.appearance import negative
from medtl.explanation.neighbours import Neighbours, distances_between, tenth
from medtl.gate.distance import LEAST, Cloud, Scale, cloud, on_sphere, scale, units_of
from medtl.gate.photometry import Bounds, Check, Seen, bounds
from medtl.transferability.statistics import Statistics

FILE = "gate.npz"
VERSION = 1
ACCEPTED = 0.975  # of the cases of the right kind that the limit is set on
ENOUGH = 200  # tune cases from which the limit rests on them alone
FEWEST = 5  # cases below which no limit is set
FOLDS, MANY_FOLDS = 5, 20  # with few cases a fifth less would be felt
TRIMMED = 200  # of so many cases one, the most extreme, does not count
MOST = 1000  # cases of a part that are looked at: more would hardly move a limit and take seconds
UNLIKE = "It does not look like the images this model was trained on."
NEGATIVE = "Its negative would look more like them than it does: black and white are swapped."
LIKENESS = "likeness"  # name of the check that the distance is
BEFORE = "This run is from before the gate looked at colour, noise and blank images: it looks at likeness only."
NO_LIMIT = "There were too few cases to say which images are unlike them."


@dataclass(frozen=True)
class Cases:
    """Some cases of a part: features (n, D) as the network has them, what was seen of the pictures, and the number of
    the group (patient, copies) that each belongs to."""

    features: np.ndarray
    seen: Seen
    groups: np.ndarray


@dataclass(frozen=True)
class Verdict:
    """`reasons` are sentences, none when it is accepted. `far` is how far from the training cases, `limit` how far it
    may be (in added standard deviations, see `distance`; of a run without gate.npz a cosine distance); `how` says what
    the limit rests on. `checks` are all that was asked, in order, the likeness last."""

    accepted: bool
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    far: float
    limit: float
    how: str = ""


@dataclass(frozen=True)
class Gate:
    """`swapped`: how much nearer the negative of a picture may lie than itself, by appearance; as a difference of
    logarithms. `sample` (n,) sorted: how far the cases lay that the limit was set on; `low` and `high` bound the share
    of new pictures of the right kind that the limit lets pass (95 %); `brightness` (n,) sorted, of the training
    pictures: what later pictures are compared with."""

    neighbours: Neighbours
    features: Cloud | None
    appearance: Cloud | None
    bounds: Bounds
    scale: Scale
    limit: float
    swapped: float
    sample: np.ndarray
    brightness: np.ndarray
    low: float
    high: float
    how: str

    def judge(self, features: np.ndarray, seen: Seen, nearest: np.ndarray) -> list[Verdict]:
        """(n, D) features and what was seen of n pictures; `nearest` (n, m) cosine distances to the training cases."""
        ways = _ways(self.features, self.appearance, features, seen.numbers, tenth(nearest))
        far, swapped = self.scale.sum(ways), _swapped(self.appearance, seen.numbers)
        made = []
        for height, other, checks in zip(far.tolist(), swapped.tolist(), self.bounds.checks(seen), strict=True):
            limit = self.limit if math.isfinite(self.limit) else None
            # Of a picture in the wrong colours, refused by that, nobody can say that black and white are swapped.
            asked = math.isfinite(self.swapped) and all(one.ok for one in checks if one.name == "coloured")
            every = (
                *checks,
                _check("negative", other, self.swapped if asked else None, NEGATIVE),
                _check(LIKENESS, height, limit, UNLIKE),
            )
            reasons = tuple(check.says for check in every if not check.ok)
            made.append(Verdict(not reasons, reasons, every, height, self.limit, self.how))
        return made

    def save(self, folder: Path) -> None:
        said = {
            "limit": self.limit,
            "swapped": self.swapped,
            "low": self.low,
            "high": self.high,
            "how": self.how,
            "said": dict(self.bounds.said),
        }
        arrays = {
            "version": VERSION, "text": json.dumps(said), "centre": self.scale.centre, "spread": self.scale.spread,
            "lowest": self.bounds.low, "highest": self.bounds.high, "sample": self.sample,
            "brightness": self.brightness,
            **_packed("features", self.features), **_packed("appearance", self.appearance),
        }  # fmt: skip
        np.savez(folder / FILE, **arrays)


def learn(
    neighbours: Neighbours, bank: np.ndarray, train: Cases, tune: Cases, frozen: bool, unseen: bool = True
) -> Gate:
    """`bank` (m,): the group of each of the training cases in `neighbours`; `train` and `tune`: cases of these parts.

    The limit is set on cases that the network did not learn from: the tune part. Where that is small, and the network
    was not trained (`frozen`), training cases join, each held against those of other groups: to a frozen network they
    are as new as any. A network that was trained on the tune part, too (not `unseen`), has no new cases left: then
    appearance alone is compared, which no training changes, again with the training cases.
    """
    whole, by_appearance = _Clouds.of(train), not frozen and not unseen
    rows = whole.distances(tune, neighbours.features, np.zeros((len(tune.groups), len(bank)), bool))
    how = f"set on {len(rows):,} cases that the model did not learn from"
    if (frozen or by_appearance) and len(tune.groups) < ENOUGH:
        crossed = _crossed(neighbours, bank, train)
        rows = np.concatenate([rows, crossed])
        how = (
            f"set on {len(tune.groups):,} cases that the model did not learn from and {len(crossed):,} training cases, "
            "each held against the others"
        )
    if by_appearance:
        how = f"set on {len(rows):,} cases, by what pictures look like alone, as the network learned from all of them"
    both = _joined(train.seen, tune.seen)
    brightness = np.sort(both.brightness)
    if len(rows) < FEWEST:
        nothing = Scale(np.zeros(3), np.ones(3))
        return Gate(
            neighbours, whole.features, whole.appearance, bounds(both), nothing, math.inf, math.inf, np.zeros(0),
            brightness, 0.0, 1.0, NO_LIMIT,
        )  # fmt: skip
    measured = scale(rows[:, :3])
    if by_appearance:
        measured = Scale(measured.centre, np.array([np.inf, np.inf, measured.spread[2]]))  # the first two do not count
    sample = np.sort(measured.sum(rows[:, :3]))
    swapped = max(0.0, float(np.sort(rows[:, 3])[-1 - len(rows) // TRIMMED]))
    limit, low, high = _limit(sample)
    how = f"The limit was {how}; of new images of this kind {100 * low:.0f} to {100 * high:.0f} % pass it."
    return Gate(
        neighbours, whole.features, whole.appearance, bounds(both), measured, limit, swapped, sample, brightness, low,
        high, how,
    )  # fmt: skip


def load(folder: Path, neighbours: Neighbours) -> Gate | None:
    """None for a run from before there was one, and where the file is damaged: then likeness alone is asked."""
    try:
        with np.load(folder / FILE, allow_pickle=False) as kept:
            if int(kept["version"]) > VERSION:
                return None
            said: Mapping[str, Any] = json.loads(str(kept["text"]))
            known = {name: tuple(values) for name, values in said["said"].items()}
            return Gate(
                neighbours, _unpacked("features", kept), _unpacked("appearance", kept),
                Bounds(kept["lowest"], kept["highest"], known), Scale(kept["centre"], kept["spread"]),
                float(said["limit"]), float(said["swapped"]), kept["sample"], kept["brightness"], said["low"],
                said["high"], said["how"],
            )  # fmt: skip
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


@dataclass(frozen=True)
class Baseline:
    """What later images are compared with: how far the cases lay that the limit was set on, how bright the training
    images were, both sorted, and the share of images of the right kind that pass at least (95 %)."""

    sample: np.ndarray
    brightness: np.ndarray
    low: float


def baseline(folder: Path) -> Baseline | None:
    found = load(folder, Neighbours((), np.zeros((0, 1)), 0.0))
    return Baseline(found.sample, found.brightness, found.low) if found else None


def by_likeness(neighbours: Neighbours, nearest: np.ndarray) -> list[Verdict]:
    """Of a run without the file: as it was judged when it was made. (n, m) cosine distances to the training cases."""
    made = []
    for distance in tenth(nearest).tolist():
        like = neighbours.accepts(distance)
        check = Check(LIKENESS, distance, None, neighbours.limit, like, "" if like else UNLIKE)
        made.append(Verdict(like, () if like else (UNLIKE,), (check,), distance, neighbours.limit, BEFORE))
    return made


# ---- learning -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Clouds:
    features: Cloud | None
    appearance: Cloud | None

    @staticmethod
    def of(cases: Cases) -> "_Clouds":
        width, numbers = cases.features.shape[1], cases.seen.numbers
        sphere = cloud(on_sphere(cases.features), np.ones(width, np.float32))
        return _Clouds(sphere, cloud(numbers, units_of(numbers)) if len(numbers) else None)

    def distances(self, cases: Cases, bank: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        """(n, 3), and in a fourth column how much nearer its negative lies; `hidden` (n, m): which of the training
        cases do not count as neighbours."""
        if not len(cases.groups) or not len(bank):
            return np.zeros((0, 4))
        nearest = np.where(hidden, 2.0, distances_between(on_sphere(cases.features), bank))
        ways = _ways(self.features, self.appearance, cases.features, cases.seen.numbers, tenth(nearest))
        return np.column_stack([ways, _swapped(self.appearance, cases.seen.numbers)])


def _swapped(appearance: Cloud | None, numbers: np.ndarray) -> np.ndarray:
    """(n,) logarithm of how many times nearer the negative of a picture lies than itself."""
    if appearance is None:
        return np.full(len(numbers), -np.inf)
    itself, other = appearance.distance(numbers), appearance.distance(negative(numbers))
    return np.asarray(np.log(np.maximum(itself, LEAST)) - np.log(np.maximum(other, LEAST)))


def _check(name: str, value: float, limit: float | None, says: str) -> Check:
    wrong = limit is not None and value > limit
    return Check(name, value, None, limit, not wrong, says if wrong else "")


def _ways(
    features: Cloud | None, appearance: Cloud | None, rows: np.ndarray, numbers: np.ndarray, nearest: np.ndarray
) -> np.ndarray:
    """(n, 3); a cloud that could not be learned says the same of every case."""
    nothing = np.ones(len(rows))
    return np.stack(
        [
            nearest,
            features.distance(on_sphere(rows)) if features else nothing,
            appearance.distance(numbers) if appearance else nothing,
        ],
        axis=1,
    )


def _crossed(neighbours: Neighbours, bank: np.ndarray, train: Cases) -> np.ndarray:
    """(n, 3): every training case held against those of other folds; groups are never divided."""
    names = np.unique(train.groups)
    fold_of = dict(
        zip(names.tolist(), (np.random.default_rng(0).permutation(len(names)) % FOLDS).tolist(), strict=True)
    )
    folds = np.array([fold_of[group] for group in train.groups.tolist()])
    found = np.zeros((len(folds), 4))
    for fold in np.unique(folds):
        mine = folds == fold
        clouds = _Clouds.of(_part(train, ~mine))
        hidden = np.broadcast_to(np.isin(bank, train.groups[mine]), (int(mine.sum()), len(bank)))
        found[mine] = clouds.distances(_part(train, mine), neighbours.features, hidden)
    return found


def _part(cases: Cases, mask: np.ndarray) -> Cases:
    facts = tuple(facts for facts, kept in zip(cases.seen.facts, mask, strict=True) if kept)
    seen = Seen(cases.seen.values[mask], cases.seen.numbers[mask], facts)
    return Cases(cases.features[mask], seen, cases.groups[mask])


def _joined(one: Seen, other: Seen) -> Seen:
    return Seen(
        np.concatenate([one.values, other.values]),
        np.concatenate([one.numbers, other.numbers]),
        one.facts + other.facts,
    )


def _limit(sample: np.ndarray) -> tuple[float, float, float]:
    """The limit, and between what shares of new cases it lets pass (95 %).

    With n cases the limit is the ceil((n + 1) 0.975)-th smallest; the share below it follows Beta(r, n + 1 - r). With
    too few cases for that it is what a normal curve through them predicts for the next one, and no less than the
    largest: then r is n, which is on the safe side.
    """
    n = len(sample)
    rank = math.ceil((n + 1) * ACCEPTED)
    limit = float(sample[min(rank, n) - 1])
    if rank > n:
        reach = float(stats.t.ppf(ACCEPTED, n - 1)) * float(sample.std(ddof=1)) * math.sqrt(1 + 1 / n)
        limit = max(limit, float(sample.mean()) + reach)
        rank = n
    low, high = stats.beta.ppf((0.025, 0.975), rank, n + 1 - rank)
    return limit, float(low), float(high)


# ---- on disk --------------------------------------------------------------------------------------------------------


def _packed(name: str, kept: Cloud | None) -> dict[str, Any]:
    if kept is None:
        return {}
    of = kept.statistics
    return {
        f"{name}-unit": kept.unit, f"{name}-count": of.count, f"{name}-mean": of.mean.astype(np.float32),
        f"{name}-directions": of.directions.astype(np.float32), f"{name}-variances": of.variances.astype(np.float32),
        f"{name}-rest": of.rest,
    }  # fmt: skip


def _unpacked(name: str, kept: Any) -> Cloud | None:
    if f"{name}-mean" not in kept.files:
        return None
    of = {word: kept[f"{name}-{word}"] for word in ("unit", "count", "mean", "directions", "variances", "rest")}
    statistics = Statistics(int(of["count"]), of["mean"], of["directions"], of["variances"], float(of["rest"]))
    return Cloud(statistics, of["unit"])
