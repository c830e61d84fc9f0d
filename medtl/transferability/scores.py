"""Transferability scores: how well labels can be read off frozen features, without fitting a head case by case.

A second opinion only: on medical images none of them was consistent (Chaves et al. 2023, arXiv:2308.07444). Higher is
better for all four; their scales differ, so only sources of one cohort can be compared.

Letters: n cases, D features, K classes of the target, Z classes of the source.
"""

import numpy as np
from threadpoolctl import threadpool_limits

from medtl.transferability.spectrum import shrinkage, spectrum


@threadpool_limits.wrap(limits=1)  # several pools of threads fight over the cores (see `training.head`)
def log_me(features: np.ndarray, labels: np.ndarray, classes: int) -> float:
    """LogME: log evidence of a Bayesian linear model of each class's indicator, per case, averaged over classes.

    You et al. 2021, arXiv:2102.11005; alpha and beta by the fixed point of You et al. 2022, arXiv:2110.10545.
    """
    n = len(features)
    left, sigma = _left(features.astype(np.float64))
    found = []
    for k in range(classes):
        y = (labels == k).astype(np.float64)
        along = (left.T @ y) ** 2
        beside = max(float(y @ y - along.sum()), 0.0)  # what no direction of the features can say
        alpha = beta = 1.0
        for _ in range(50):
            t = alpha / beta
            gamma = float((sigma / (sigma + t)).sum())
            size = float((sigma * along / (t + sigma) ** 2).sum())  # of the mean weights, squared
            missed = float((along / (1 + sigma / t) ** 2).sum()) + beside
            alpha, beta = gamma / (size + 1e-12), (n - gamma) / (missed + 1e-12)
            if abs(alpha / beta - t) <= 1e-4 * t:
                break
        evidence = (
            len(sigma) * np.log(alpha) + n * np.log(beta) - np.log(alpha + beta * sigma).sum()
            - beta * missed - alpha * size - n * np.log(2 * np.pi)
        ) / 2  # fmt: skip
        found.append(evidence / n)
    return float(np.mean(found))


def _left(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, r) left singular vectors and (r,) squared singular values, by the smaller of the two Gram matrices."""
    n, width = features.shape
    sigma, vectors = np.linalg.eigh(features @ features.T if n <= width else features.T @ features)
    own = sigma > 1e-12 * max(float(sigma[-1]), 1e-30)
    sigma, vectors = sigma[own], vectors[:, own]
    return (vectors if n <= width else features @ vectors / np.sqrt(sigma)), sigma


@threadpool_limits.wrap(limits=1)
def h_score(features: np.ndarray, labels: np.ndarray, classes: int) -> float:
    """H-score: how much of the features' spread lies between the classes, tr(cov(f)^-1 cov(E[f|y])).

    Bao et al. 2019 (ICIP); with the covariance shrunk by Ledoit and Wolf, since it explodes where there are more
    features than cases (Ibrahim et al. 2021, arXiv:2110.06893). Between 0 and K - 1.
    """
    centred = (features - features.mean(axis=0, dtype=np.float64)).astype(np.float32)
    own, directions = spectrum(centred)
    share = shrinkage(centred, own)
    variances = (1 - share) * own + share * own.sum() / features.shape[1]
    score = 0.0
    for k in range(classes):
        mine = labels == k
        if mine.any():
            towards = directions @ centred[mine].mean(axis=0, dtype=np.float64)
            score += mine.mean() * float((towards**2 / np.maximum(variances, 1e-12)).sum())
    return float((1 - share) * score)


def leep(source_scores: np.ndarray, labels: np.ndarray, classes: int) -> float:
    """LEEP: mean log score of the target's label by way of the source's own classes (n, Z), rows sum to 1.

    Nguyen et al. 2020, arXiv:2002.12462, equation 2. At most 0.
    """
    joint = np.stack([source_scores[labels == k].sum(axis=0) for k in range(classes)]) / len(labels)  # (K, Z)
    given = joint / np.maximum(joint.sum(axis=0, keepdims=True), 1e-300)
    expected = np.einsum("nz,nz->n", source_scores, given[labels])
    return float(np.log(np.maximum(expected, 1e-300)).mean())


def nce(source_scores: np.ndarray, labels: np.ndarray, classes: int) -> float:
    """NCE: minus the entropy of the target's labels that is left when the source's own answer is known.

    Tran et al. 2019, arXiv:1908.08142. At most 0.
    """
    answers = np.unique(source_scores.argmax(axis=1), return_inverse=True)[1]
    joint = np.zeros((classes, answers.max() + 1))
    np.add.at(joint, (labels, answers), 1 / len(labels))
    known = joint > 0
    given = joint / joint.sum(axis=0, keepdims=True)
    return float((joint[known] * np.log(given[known])).sum())
