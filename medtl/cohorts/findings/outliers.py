"""Pictures unlike the rest: blank, dark, blurred, of another size, colour or machine. Knows numbers, not the pixels.

A cohort is its own measure: a picture stands out when it lies far from the median in median absolute deviations, and
also beyond a floor that does not depend on the cohort. So a cohort whose pictures are all alike has no outliers, and
neither has one whose pictures are all different.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from medtl.cohorts.findings.looks import Looks
from medtl.cohorts.findings.phrases import counted, listed, percent, plural
from medtl.vocabulary import Case, Finding

DARK = 0.25  # of full brightness; hardly a pixel is brighter (CleanVision calls .22 to .32 dark, by 99th percentile)
DIM = 0.4  # the same, where the other pictures are much brighter and much alike
BLURRED = (
    0.06  # sharpness; on public ultrasound and chest films no picture is below .08, and half fall below if blurred
)
BLUR_SHARE = 1 / 3  # of the sharpness of the picture in the middle
FAR = 6.0  # median absolute deviations (scaled to standard deviations): one in 500 million if they were normal
COLOURED = 0.015  # mean distance of the channels; tints that a camera or JPEG leaves in grey stay below
SIDES = 2.0  # times longer or shorter sides than usual
ASPECT = 1.25  # times wider or taller than usual
FEW = 0.05  # of the cases: more than that is another kind of picture, not a slip
FEWEST = 8  # cases, below which "the rest" is not a word

Floats = NDArray[np.float64]  # (N,)


def findings(cases: Sequence[Case], looks: Mapping[str, Looks], constant: Sequence[str]) -> list[Finding | None]:
    """`looks` may lack cases; `constant` are the ids of blank pictures, which are left to their own finding."""
    blank = set(constant)
    seen = [case for case in cases if case.id in looks and case.id not in blank]
    dark = _dark(seen, looks)
    return [
        _constant(constant),
        dark,
        _blurred(seen, looks, dark.cases if dark else ()),
        _odd_size(cases),
        _colour(seen, looks),
        _odd_modality(cases),
    ]


def _constant(constant: Sequence[str]) -> Finding | None:
    if not constant:
        return None
    return Finding(
        "constant-image",
        "warn",
        f"{len(constant):,} {plural(len(constant), 'image has', 'images have')} one grey value all over.",
        "Export them again, or leave them out.",
        tuple(sorted(constant)),
    )


# ---- by their looks -------------------------------------------------------------------------------------------------


def _dark(cases: Sequence[Case], looks: Mapping[str, Looks]) -> Finding | None:
    """Dark is a picture without bright places: mean and two standard deviations. A film may be black for the most."""
    if not cases:
        return None
    brightest = np.array([looks[case.id].brightness + 2 * looks[case.id].contrast for case in cases])
    usual = float(np.median(brightest))
    if usual < DARK:
        return Finding(
            "dark-image",
            "warn",
            f"Most images are very dark: in the one in the middle hardly a pixel is above {percent(usual)} of full "
            "brightness.",
            "If this is how such images look, keep them; otherwise export them again with the window a viewer uses.",
        )
    odd = (brightest < DARK) & (brightest < usual / 2)
    if len(cases) >= FEWEST:
        odd |= (brightest < DIM) & (_distance(brightest) < -FAR)
    return _finding(
        "dark-image",
        cases,
        odd,
        brightest,
        lambda n: f"{counted(n, 'image is', 'images are')} far darker than the rest.",
        "Look whether anything can be seen on them; export them again with the right window, or leave them out.",
    )


def _blurred(cases: Sequence[Case], looks: Mapping[str, Looks], dark: Sequence[str]) -> Finding | None:
    """In the dark nothing is sharp: those have their finding already."""
    if len(cases) < FEWEST:
        return None
    sharpness = np.array([looks[case.id].sharpness for case in cases])
    log = np.log(np.maximum(sharpness, 1e-3))
    odd = (sharpness < BLURRED) & (sharpness < BLUR_SHARE * np.median(sharpness)) & (_distance(log) < -FAR / 2)
    odd &= np.array([case.id not in dark for case in cases])
    return _finding(
        "blurred-image",
        cases,
        odd,
        sharpness,
        lambda n: (
            f"{counted(n, 'image is', 'images are')} far less sharp than the rest: moved, out of focus, or "
            "enlarged from a small one."
        ),
        "Look whether the finding can still be seen; take the original, or leave them out.",
    )


def _colour(cases: Sequence[Case], looks: Mapping[str, Looks]) -> Finding | None:
    if len(cases) < FEWEST:
        return None
    colour = np.array([looks[case.id].colour for case in cases])
    coloured = colour > COLOURED
    grey_is_usual = 2 * np.count_nonzero(coloured) < len(cases)
    odd = coloured if grey_is_usual else ~coloured
    if not _few(odd):
        return None
    if grey_is_usual:
        says, why = "in colour among grey ones", "Doppler, a coloured drawing, a photograph or a screen capture"
    else:
        says, why = "grey among coloured ones", "another stain, another device, or saved without colour"
    return _finding(
        "colour-outlier",
        cases,
        odd,
        -colour if grey_is_usual else colour,
        lambda n: f"{counted(n, 'image is', 'images are')} {says}: {why}.",
        "If the colour is not part of the question, leave them out or take the plain image; if all of one class are "
        "so, a model will learn the colour.",
    )


# ---- by what is known of them ---------------------------------------------------------------------------------------


def _odd_size(cases: Sequence[Case]) -> Finding | None:
    """A few of another size or shape: a thumbnail, a cropped or turned image, a screen capture."""
    sized = [case for case in cases if case.facts.get("width") and case.facts.get("height")]
    if len(sized) < FEWEST:
        return None
    sides = np.log([[float(case.facts["width"]), float(case.facts["height"])] for case in sized])  # (N, 2)
    side, shape = sides.mean(axis=1), sides[:, 0] - sides[:, 1]
    far = np.maximum(_beyond(side, np.log(SIDES)), _beyond(shape, np.log(ASPECT)))
    if not _few(far > 1):
        return None
    widths = Counter(f"{case.facts['width']} x {case.facts['height']}" for case in sized)
    usual, count = widths.most_common(1)[0]
    rest = f"most are {usual} pixels" if 2 * count > len(sized) else "the rest are more alike"
    worst = sized[int(np.argmax(far))]
    return _finding(
        "odd-size",
        sized,
        far > 1,
        -far,
        lambda n: (
            f"{counted(n, 'image has', 'images have')} a size or shape unlike the others, for example "
            f"{worst.facts['width']} x {worst.facts['height']} ({rest})."
        ),
        "Look whether they are cropped, turned, thumbnails or screen captures; add the originals, or leave them out.",
    )


def _odd_modality(cases: Sequence[Case]) -> Finding | None:
    """Several DICOM modalities in one cohort, or a few files of another format than the rest."""
    modality = Counter(str(case.facts["modality"]) for case in cases if case.facts.get("modality"))
    if len(modality) > 1:
        usual, _ = modality.most_common(1)[0]
        counts = listed(f"{name} {count:,}" for name, count in modality.most_common(6))
        others = [case for case in cases if case.facts.get("modality") not in (None, "", usual)]
        return Finding(
            "odd-modality",
            "warn",
            f"Several kinds of examination are mixed: {counts}.",
            "A model will tell the machines apart before it tells the disease. Make a cohort of each kind, or leave "
            "the few others out.",
            tuple(case.id for case in others) if len(others) <= FEW * len(cases) or len(others) == 1 else (),
        )
    form = Counter(str(case.facts["format"]) for case in cases if case.facts.get("format"))
    usual = form.most_common(1)[0][0] if form else ""
    others = [case for case in cases if case.facts.get("format") not in (None, "", usual)]
    if not others or len(others) > max(1, FEW * len(cases)) or len(cases) < FEWEST:
        return None
    names = listed(f"{count:,} {name}" for name, count in form.most_common()[1:])
    return Finding(
        "odd-modality",
        "note",
        f"Nearly all files are {usual}, but {names}.",
        "Look whether these come from another place or device; if so, leave them out or collect more of them.",
        tuple(case.id for case in others),
    )


# ---- numbers --------------------------------------------------------------------------------------------------------


def _distance(values: Floats) -> Floats:
    """From the median, in median absolute deviations; 1.4826 makes them standard deviations of a normal."""
    off = values - np.median(values)
    spread = 1.4826 * float(np.median(np.abs(off)))
    return np.asarray(off / max(spread, 1e-9))


def _beyond(values: Floats, floor: float) -> Floats:
    """How far from the median, as a multiple of the floor or, if that is more, of FAR deviations."""
    off = np.abs(values - np.median(values))
    return np.asarray(off / max(floor, FAR * 1.4826 * float(np.median(off))) * (1 + 1e-9))


def _few(odd: NDArray[np.bool_]) -> bool:
    """One is few in any cohort; more only up to a twentieth."""
    return 0 < int(np.count_nonzero(odd)) <= max(1, FEW * len(odd))


def _finding(
    code: str,
    cases: Sequence[Case],
    odd: NDArray[np.bool_],
    worst_first: Floats,
    says: Callable[[int], str],
    advice: str,
) -> Finding | None:
    if not odd.any():
        return None
    order = [int(row) for row in np.argsort(worst_first, kind="stable") if odd[row]]
    return Finding(code, "warn", says(len(order)), advice, tuple(cases[row].id for row in order))
