"""Finds writing in pictures: where it stands and how long it is, never what it says. An aid; a person must confirm.

It uses RapidOCR's detector and recogniser with the models that lie in its package, and asks no network. What was read
is looked at to tell a marker from text, and forgotten: it may be a name, so it is not returned, logged or stored.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from medtl.cohorts.formats.images import Picture
from medtl.errors import NotReady

Kind = Literal["marker", "text"]

SMALLEST = 64  # px of the shorter side; nothing can be read in less
LARGEST = 1600  # px of the longer side that is looked at
ENLARGED = 480  # px; smaller pictures are enlarged to this for the detector
SMOOTHED = 0.6  # a second look at large pictures: writing on speckle is seen better when shrunk
SMOOTHED_FROM = 400  # px of the shorter side
SURE_TEXT = 0.6  # how sure the recogniser must be, 0 to 1
SURE_SHORT = 0.9
MARGIN = 2  # px around what was found, for blacking it out
TALLEST = 0.2  # of the picture's side; taller "letters" are blood cells in a row, or ribs
TALL = 32  # px that are never too tall

# What is put into a picture and names nobody: sides, views, positions, places.
MARKERS = {
    *("L", "R", "LT", "RT", "LEFT", "RIGHT", "LI", "RE", "LINKS", "RECHTS", "LAT", "LATERAL", "LL", "RL"),
    *("AP", "PA", "A", "P", "OBL", "DECUB", "DECUBITUS", "CC", "MLO", "ML", "LM", "RCC", "LCC", "RMLO", "LMLO"),
    *("UP", "UPRIGHT", "ERECT", "STANDING", "SITTING", "SUPINE", "PRONE", "SEMI", "PORTABLE", "PORT", "MOBILE"),
    *("BED", "BEDSIDE", "ICU", "INSP", "EXP", "GRID"),
    *("BREAST", "AXILLA", "AX", "NIPPLE", "UOQ", "UIQ", "LOQ", "LIQ", "TRANS", "SAG", "LONG"),
}
CLOCK = re.compile(r"(?:[LR]T?|)(?:1[0-2]|[1-9])")  # "RT8", "L 11": a side and where on the clock


@dataclass(frozen=True)
class Writing:
    """Where something is written, as shares of width and height (0 to 1), and of how many letters or digits."""

    left: float
    top: float
    right: float
    bottom: float
    letters: int
    kind: Kind


@dataclass(frozen=True)
class _Line:
    box: tuple[float, float, float, float]  # px of the picture as given: left, top, right, bottom
    letters: int
    kind: Kind


class Glasses:
    """To look for writing with. Making it loads the models (31 MB), looking takes 0.2 to 0.6 seconds a picture.

    Measured with 60 pictures into which one line of 12 to 40 px was drawn that differs from its ground by 50 of 255
    grey values: found in 36 of 36 breast ultrasounds and chest films and in 22 of 24 of speckle (in 20 of the 24 when
    they were shrunk to 512 px first). Single letters are found in 13 of 19, hardly ever on speckle. Of 150 pictures of
    blood cells none was named; of 55 boxes in 300 breast ultrasounds and 150 chest films, every one held writing.
    """

    def __init__(self, threads: int = 2) -> None:
        self._engine = _engine(threads)

    def look(self, picture: Picture) -> tuple[Writing, ...]:
        """(H, W) or (H, W, 3) uint8 -> what is written in it, from top to bottom."""
        height, width = picture.shape[:2]
        if min(height, width) < SMALLEST:
            return ()
        lines: list[_Line] = []
        for scale in _scales(height, width):
            lines += [line for line in self._lines(_scaled(picture, scale), scale) if not _known(line, lines)]
        found = [_as_shares(line, height, width) for line in lines]
        return tuple(sorted(found, key=lambda writing: (writing.top, writing.left)))

    def _lines(self, picture: Picture, scale: float) -> Iterator[_Line]:
        height, width = picture.shape[:2]
        colour = picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)
        read = self._engine(colour)
        if read.boxes is None or read.txts is None:
            return
        for corners, text, sure in zip(read.boxes, read.txts, read.scores, strict=True):
            left, top = corners.min(axis=0)
            right, bottom = corners.max(axis=0)
            kind = _kind(text, float(sure))
            tall = min(bottom - top, right - left)  # a line may stand upright
            if kind and tall <= max(TALL, TALLEST * min(height, width)):
                box = (left / scale, top / scale, right / scale, bottom / scale)
                yield _Line(box, _letters(text), kind)


def _engine(threads: int) -> Any:
    """RapidOCR with the models of its own package, named by their paths, so that it has nothing to fetch."""
    try:
        import rapidocr
    except ImportError as error:
        raise NotReady(
            "Writing in pictures was not looked for: the library rapidocr is not installed.",
            "Install it with `pip install rapidocr onnxruntime`, or look at the pictures yourself.",
        ) from error
    folder = Path(rapidocr.__file__).parent / "models"
    models = {task: sorted(folder.glob(f"*_{task}_*.onnx")) for task in ("det", "rec")}
    if not all(models.values()):
        raise NotReady(
            "Writing in pictures was not looked for: rapidocr's models are not in its package.",
            "Install rapidocr anew, or look at the pictures yourself.",
        )
    return rapidocr.RapidOCR(
        params={
            "Global.log_level": "critical",  # its log could quote what it reads
            "Global.use_cls": False,
            "Global.text_score": 0.0,
            "Global.max_side_len": LARGEST,
            "Det.model_path": str(models["det"][0]),
            "Det.limit_side_len": ENLARGED,
            "Det.box_thresh": 0.4,
            "Rec.model_path": str(models["rec"][0]),
            "EngineConfig.onnxruntime.intra_op_num_threads": threads,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )


def _scales(height: int, width: int) -> tuple[float, ...]:
    first = min(1.0, LARGEST / max(height, width))
    return (first, first * SMOOTHED) if min(height, width) * first >= SMOOTHED_FROM else (first,)


def _scaled(picture: Picture, scale: float) -> Picture:
    if scale == 1:
        return picture
    height, width = picture.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))


def _kind(text: str, sure: float) -> Kind | None:
    """What was read is a marker, text, or too little to say anything."""
    words = re.findall(r"[^\W_]+", text)
    if not words:
        return None
    if _side_or_view([word.upper() for word in words]):
        return "marker" if sure >= (SURE_TEXT if _letters(text) > 2 else SURE_SHORT) else None
    if _letters(text) > 2:
        return "text" if sure >= SURE_TEXT else None
    # Two characters are a whole name in some scripts, and an abbreviation in ours.
    return "text" if _letters(text) == 2 and sure >= SURE_SHORT and not text.isdecimal() else None


def _side_or_view(words: Sequence[str]) -> bool:
    return any(not word.isdecimal() for word in words) and all(
        word in MARKERS or CLOCK.fullmatch(word) for word in words
    )


def _letters(text: str) -> int:
    return sum(character.isalnum() for character in text)


def _known(line: _Line, lines: Iterable[_Line]) -> bool:
    """Found before, at another scale: half of the smaller box is shared."""
    return any(_shared(line.box, other.box) > 0.5 * min(_area(line.box), _area(other.box)) for other in lines)


def _shared(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, width) * max(0.0, height)


def _area(box: tuple[float, ...]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _as_shares(line: _Line, height: int, width: int) -> Writing:
    left, top, right, bottom = line.box
    return Writing(
        round(max(0.0, float(left - MARGIN) / width), 4),
        round(max(0.0, float(top - MARGIN) / height), 4),
        round(min(1.0, float(right + MARGIN) / width), 4),
        round(min(1.0, float(bottom + MARGIN) / height), 4),
        line.letters,
        line.kind,
    )
