"""What labels of several findings teach: nothing where nobody said anything, and where a reader was uncertain what the
policy of that finding says. Knows tables of labels and the outputs they train; no network.

Letters: N cases, K findings, O outputs, D features.

A finding of the policy "multi-class" has three outputs while it is trained: its own ("present") among the first K, and
behind them "absent" and "uncertain", two for each such finding in their order. At the end it is asked present against
absent only (arXiv:1901.07031 section 3), which is the difference of two outputs, so that a finished head has K.
"""

from collections.abc import Sequence

import numpy as np

from medtl.vocabulary import Cohort, Policy

PRESENT, ABSENT, UNCERTAIN, UNSAID = 1, 0, -1, -2  # of a table of targets, (N, K) int8
SMOOTH = (0.55, 0.85)  # Pham et al. 2019, arXiv:1911.06475 section 3.3: an uncertain label is probably right


def table(cohort: Cohort) -> np.ndarray:
    """(N, K) int8 of PRESENT, ABSENT, UNCERTAIN and UNSAID."""
    rows = [[case.labels.get(name, UNSAID) for name in cohort.classes] for case in cohort.cases]
    return np.array(rows, dtype=np.int8).reshape(len(rows), len(cohort.classes))


def taught(targets: np.ndarray, policies: Sequence[Policy], seed: int) -> np.ndarray:
    """(N, K) labels -> (N, K) float32 of what each case should be answered with, nan where it teaches nothing.

    The uncertain ones of a "multi-class" finding are nan, too: they teach an output of their own.
    """
    wanted = np.where(targets >= 0, targets, np.nan).astype(np.float32)
    drawn = np.random.default_rng(seed).uniform(*SMOOTH, targets.shape)
    values = {"zeros": np.zeros_like(drawn), "ones": np.ones_like(drawn), "smoothed": drawn}
    for k, policy in enumerate(policies):
        if policy in values:
            unsure = targets[:, k] == UNCERTAIN
            wanted[unsure, k] = values[policy][unsure, k]
    return wanted


def wide(policies: Sequence[Policy]) -> list[int]:
    """The findings that have three outputs while they are trained."""
    return [k for k, policy in enumerate(policies) if policy == "multi-class"]


def triple(policies: Sequence[Policy], k: int) -> list[int]:
    """The outputs "absent", "present", "uncertain" of such a finding."""
    extra = len(policies) + 2 * wide(policies).index(k)
    return [extra, k, extra + 1]


def narrowed(outputs: np.ndarray, policies: Sequence[Policy]) -> np.ndarray:
    """(O, ...) outputs of training, or the weights that make them -> (K, ...): present against absent."""
    kept = np.array(outputs[: len(policies)])
    for k in wide(policies):
        kept[k] -= outputs[triple(policies, k)[0]]
    return kept
