"""The covariance of features as its directions and variances, and how far it should be shrunk.

Letters: n cases, D features, r directions with any variance.
"""

import numpy as np


def spectrum(centred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, D) centred -> (r,) eigenvalues of the covariance, largest first, and (r, D) their directions.

    By the smaller of the two Gram matrices.
    """
    n, width = centred.shape
    if n > width:
        values, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64) / n)
        return np.maximum(values[::-1], 0), vectors[:, ::-1].T
    values, vectors = np.linalg.eigh((centred @ centred.T).astype(np.float64) / n)
    values = np.maximum(values[::-1], 0)
    own = values > 1e-9 * max(values[0], 1e-30)
    axes = vectors[:, ::-1].T[own] @ centred / np.sqrt(values[own] * n)[:, None]
    return values[own], axes


def shrinkage(centred: np.ndarray, own: np.ndarray) -> float:
    """Ledoit and Wolf's share of the identity, from the eigenvalues `own` of the (biased) covariance."""
    n, width = centred.shape
    level = own.sum() / width
    spread = (own**2).sum() - width * level**2  # squared distance of the covariance from level times identity
    fourth = float((np.einsum("nd,nd->n", centred, centred, dtype=np.float64) ** 2).sum()) / n
    noise = (fourth - (own**2).sum()) / n
    return float(min(1.0, max(0.0, noise / spread))) if spread > 0 else 1.0
