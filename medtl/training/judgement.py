"""How the tune part judges, whatever is learned. Knows numbers only."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

FOCUS = 2.0  # how fast the focal loss turns away from what is known: gamma of arXiv:1708.02002


class Judgement(NamedTuple):
    """Of the tune part: log-loss at the temperature that suits it, macro AUROC (nan when a class is missing there),
    that temperature, and for grades their quadratic kappa."""

    loss: float
    auroc: float
    temperature: float
    kappa: float = math.nan


def tempered(loss: Callable[[float], float]) -> tuple[float, float]:
    """The least loss over temperatures, and its temperature (arXiv:1706.04599 section 4.2)."""
    temperatures = np.geomspace(0.25, 10, 75)
    losses = [loss(float(t)) for t in temperatures]
    best = int(np.argmin(losses))
    return losses[best], float(temperatures[best])
