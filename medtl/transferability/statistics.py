"""What a source keeps of the features it learned from: enough to measure a distance to, nothing of any one image.

Letters: n cases, D features, r directions kept.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from medtl.transferability.spectrum import shrinkage, spectrum

FILE = "statistics.npz"
KEPT = 64  # directions of the covariance that are kept; the others share one variance
FEWEST = 8  # cases below which a mean and a spread say nothing


@dataclass(frozen=True)
class Statistics:
    """Mean and shrunk covariance of the features of `count` cases, as U diag(variances) U' + rest (I - U U').

    Shrunk by Ledoit and Wolf (2004, J Multivar Anal 88:365), then the smallest variances replaced by their mean, so
    that 1,280 features take 170 KB and not 6.5 MB.
    """

    count: int
    mean: np.ndarray  # (D,) float32
    directions: np.ndarray  # (r, D) float32, orthonormal rows
    variances: np.ndarray  # (r,) float32, largest first
    rest: float

    @property
    def total(self) -> float:
        """Trace of the covariance."""
        return float(self.variances.sum()) + self.rest * (len(self.mean) - len(self.variances))


def save(folder: Path, kinds: Sequence[Statistics]) -> None:
    """One entry for each kind of images a source learned from: of several kinds taken together, none would be near."""
    arrays: dict[str, Any] = {}
    for number, kind in enumerate(kinds):
        arrays |= {
            f"count-{number}": kind.count,
            f"mean-{number}": kind.mean.astype(np.float32),
            f"directions-{number}": kind.directions.astype(np.float16),
            f"variances-{number}": kind.variances.astype(np.float32),
            f"rest-{number}": kind.rest,
        }
    np.savez(folder / FILE, **arrays)


@threadpool_limits.wrap(limits=1)
def learn(features: np.ndarray) -> Statistics | None:
    """From the features of the training cases (n, D); None when there are too few to say anything."""
    n, width = features.shape
    if n < FEWEST:
        return None
    mean = features.mean(axis=0, dtype=np.float64)
    centred = (features - mean).astype(np.float32)
    own, axes = spectrum(centred)
    share = shrinkage(centred, own)
    level = own.sum() / width
    kept = min(KEPT, len(own) - 1, width - 1)
    variances = (1 - share) * own[:kept] + share * level
    rest = ((1 - share) * own[kept:].sum() + share * level * (width - kept)) / (width - kept)
    return Statistics(
        n, mean.astype(np.float32), axes[:kept].astype(np.float32), variances.astype(np.float32), float(rest)
    )


def load(folder: Path) -> tuple[Statistics, ...]:
    """What lies beside a source's card, a kind of images each; empty where there is nothing, or nothing readable."""
    try:
        with np.load(folder / FILE, allow_pickle=False) as kept:
            return tuple(
                Statistics(
                    int(kept[f"count-{number}"]),
                    kept[f"mean-{number}"].astype(np.float32),
                    kept[f"directions-{number}"].astype(np.float32),
                    kept[f"variances-{number}"].astype(np.float32),
                    float(kept[f"rest-{number}"]),
                )
                for number in range(len(kept.files) // 5)
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return ()
