"""A heat map laid over its picture, always in the same colours. No torch, no screen."""

import numpy as np
from PIL import Image

# Blue (looked least) over yellow to red (looked most): ColorBrewer's RdYlBu, readable with red-green blindness.
_STOPS = np.array(
    [[49, 54, 149], [116, 173, 209], [224, 243, 248], [255, 255, 191], [253, 174, 97], [244, 109, 67], [165, 0, 38]],
    dtype=np.float32,
)


def colours(values: np.ndarray) -> np.ndarray:
    """(...) in [0, 1] -> (..., 3) uint8 on the fixed scale."""
    position = np.clip(values, 0, 1) * (len(_STOPS) - 1)
    low = np.minimum(position.astype(int), len(_STOPS) - 2)
    share = (position - low)[..., None]
    return np.asarray(np.round(_STOPS[low] * (1 - share) + _STOPS[low + 1] * share), dtype=np.uint8)


def overlay(picture: np.ndarray, values: np.ndarray, opacity: float = 0.5) -> np.ndarray:
    """(H, W) or (H, W, 3) uint8 under an (h, w) map in [0, 1] -> (H, W, 3) uint8.

    The map is stretched to the picture. Where it is low the picture shows through more, so that what matters is seen.
    """
    height, width = picture.shape[:2]
    base = np.repeat(picture[..., None], 3, axis=2) if picture.ndim == 2 else picture
    smooth = Image.fromarray(np.asarray(values, np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    strength = np.clip(np.asarray(smooth), 0, 1)
    share = (opacity * (0.25 + 0.75 * strength))[..., None]
    mixed = base.astype(np.float32) * (1 - share) + colours(strength).astype(np.float32) * share
    return np.asarray(np.round(mixed), dtype=np.uint8)


def signed_overlay(picture: np.ndarray, values: np.ndarray, opacity: float = 0.5) -> np.ndarray:
    """As `overlay`, of a map in [-1, 1]: red where a place speaks for the class, blue where against it, nothing
    laid over where neither."""
    height, width = picture.shape[:2]
    base = np.repeat(picture[..., None], 3, axis=2) if picture.ndim == 2 else picture
    smooth = Image.fromarray(np.asarray(values, np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    strength = np.clip(np.asarray(smooth), -1, 1)
    ends = np.where(strength[..., None] > 0, _STOPS[-1], _STOPS[0])
    share = (min(1.0, 1.6 * opacity) * np.abs(strength))[..., None]
    mixed = base.astype(np.float32) * (1 - share) + ends * share
    return np.asarray(np.round(mixed), dtype=np.uint8)


def legend(height: int = 16, width: int = 256) -> np.ndarray:
    """(height, width, 3) uint8: the scale from "looked least" (left) to "looked most" (right)."""
    return np.repeat(colours(np.linspace(0, 1, width))[None], height, axis=0)
