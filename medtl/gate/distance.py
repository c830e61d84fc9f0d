"""How far a picture lies from the training cases, seen in three ways that miss different things, as one number.

- `nearest`: cosine distance of its features to the tenth nearest training case (Sun et al. 2022, arXiv:2204.06507);
- `cloud`: Mahalanobis distance of its features, on the unit sphere, to all of them (Lee et al. 2018, arXiv:1807.03888,
  with one cloud instead of one a class and the covariance shrunk by Ledoit and Wolf);
- `appearance`: the same of what the picture itself looks like (`cohorts.appearance`), which no training can change: the
  features of a network that learned to tell two classes may tell little else.

Each distance's logarithm is put in robust standard deviations of cases of the right kind, and the three are added. On
breast ultrasound and children's chest films the sum missed less than any one of them and less than the largest of them:
feature distances alone let 10 to 66 % of negatives pass, appearance alone half of pictures turned by a quarter.

Letters: n, m cases, D features.
"""

from dataclasses import dataclass

import numpy as np

from medtl.transferability.statistics import Statistics, learn

WAYS = ("nearest", "cloud", "appearance")
LEAST = 1e-9  # of a distance; copies have none at all
FLOOR = np.array([0.02, 0.05, 0.05])  # of a spread of logarithms
FLAT = 0.01  # smallest standard deviation of a number of the appearance; below lies rounding


@dataclass(frozen=True)
class Cloud:
    """Where cases lie and how they spread, after each number was divided by `unit`."""

    statistics: Statistics
    unit: np.ndarray  # (D,)

    def distance(self, rows: np.ndarray) -> np.ndarray:
        """(n, D) -> (n,) squared Mahalanobis distances."""
        of = self.statistics
        centred = (rows / self.unit - of.mean).astype(np.float32)
        along = centred @ of.directions.astype(np.float32).T
        least = max(1e-12, 1e-6 * float(of.variances.max(initial=0.0)))
        rest = np.maximum((centred**2).sum(axis=1) - (along**2).sum(axis=1), 0)
        return np.asarray((along**2 / np.maximum(of.variances, least)).sum(axis=1) + rest / max(of.rest, least))


def cloud(rows: np.ndarray, unit: np.ndarray) -> Cloud | None:
    """None where there are too few rows to say anything."""
    found = learn((rows / unit).astype(np.float32))
    return Cloud(found, unit) if found else None


def units_of(numbers: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(numbers.std(axis=0), FLAT), np.float32)


def on_sphere(features: np.ndarray) -> np.ndarray:
    return np.asarray(features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12), np.float32)


@dataclass(frozen=True)
class Scale:
    """How far cases of the right kind lie in each way: centre and spread of the logarithm, (3,) each."""

    centre: np.ndarray
    spread: np.ndarray

    def sum(self, distances: np.ndarray) -> np.ndarray:
        """(n, 3) -> (n,)"""
        return np.asarray(((np.log(np.maximum(distances, LEAST)) - self.centre) / self.spread).sum(axis=1))


def scale(distances: np.ndarray) -> Scale:
    """(n, 3) of cases of the right kind. The spread is that of the upper half, as only too far is of interest."""
    height = np.log(np.maximum(distances, LEAST))
    centre = np.median(height, axis=0)
    above = np.where(height > centre, height - centre, np.nan)
    spread = np.array([
        1.4826 * np.median(column[~np.isnan(column)]) if (column > 0).any() else 0 for column in above.T
    ])
    return Scale(centre, np.maximum(spread, FLOOR))
