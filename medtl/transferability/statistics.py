"""What a source keeps of the features it learned from: enough to measure a distance to, nothing of any one image.

Letters: n cases, D features, r directions kept.
"""

from dataclasses import dataclass
from pathlib import Path

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

    def save(self, folder: Path) -> None:
        np.savez(
            folder / FILE,
            count=self.count,
            mean=self.mean.astype(np.float32),
            directions=self.directions.astype(np.float16),
            variances=self.variances.astype(np.float32),
            rest=self.rest,
        )


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


def load(folder: Path) -> Statistics | None:
    """What lies beside a source's card; None where there is nothing, or nothing readable."""
    try:
        with np.load(folder / FILE, allow_pickle=False) as kept:
            return Statistics(
                int(kept["count"]),
                kept["mean"].astype(np.float32),
                kept["directions"].astype(np.float32),
                kept["variances"].astype(np.float32),
                float(kept["rest"]),
            )
    except (OSError, ValueError, KeyError, EOFError):
        return None
