"""Whether a score means what it says: bins, smooth curve, slope, intercept, Brier, calibration error, and in words.

Acts on one score of "has it"; draws of patients serve every interval. Letters: n cases, b bins, d draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from medtl.evaluation import calibration, sides, smoothing, words
from medtl.evaluation.estimates import fitted, level
from medtl.evaluation.intervals import Interval, wilson
from medtl.evaluation.notes import CALIBRATION_CASES
from medtl.evaluation.operating import checked
from medtl.evaluation.recalibrating import Calibrator
from medtl.evaluation.resampling import Bools, Floats, Ints, Resampling, percentiles
from medtl.evaluation.smoothing import Curve
from medtl.vocabulary import Estimate

MOST_BINS, A_BIN = 10, 10  # no more bins than this, and no fewer cases in one
STEEP = (0.8, 1.25)  # a slope outside, and proven not to be 1, is clearly off
LEVEL = 0.25  # an intercept beyond, and proven not to be 0: the odds are off by more than a quarter
BARS = 20  # of the histogram, of equal width


@dataclass(frozen=True)
class Bin:
    """Cases of like score: their mean score and the share that has it with its interval. `widened` is the interval that
    decides: by Bonferroni's rule, as of ten bins of calibrated scores one lies outside its own in two plots of five."""

    low: float
    high: float
    mean: float
    share: Estimate
    having: int
    widened: Interval

    @property
    def off(self) -> bool:
        return not self.widened[0] <= self.mean <= self.widened[1]


@dataclass(frozen=True)
class Reliability:
    """What the page shows of one score. `rarer` counts patients of the rarer kind; `few`: too few to judge by. `chance`
    is the ECE that scores which mean just what they say would show on such cases. `brier_of_prevalence` is what always
    answering the share that has it would get. `histogram` (having, not having) of 20 bars from 0 to 1. `examples` are
    sentences, the bin that is furthest off first."""

    name: str
    n: int
    rarer: int
    few: bool
    bins: tuple[Bin, ...]
    curve: Curve | None
    histogram: tuple[tuple[int, ...], tuple[int, ...]]
    slope: Estimate | None
    intercept: Estimate | None
    brier: Estimate | None
    brier_of_prevalence: float | None
    ece: Estimate | None
    chance: float | None
    says: str
    examples: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def off(self) -> bool:
        """Clearly not what it says, whatever the n: slope or intercept far off, and more so than chance explains."""
        return _off(self.slope, 1.0, *STEEP) or _off(self.intercept, 0.0, -LEVEL, LEVEL)

    @property
    def departs(self) -> bool:
        """Slope or intercept off by more than chance explains, be it by little."""
        return _off(self.slope, 1.0, 1.0, 1.0) or _off(self.intercept, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Mended:
    """The test part before and after a calibration that knew the tune part only. `change` is the Brier score after
    less that before, from the same draws: below 0 is better."""

    before: Reliability
    after: Reliability
    change: Estimate | None
    says: str


def judge(
    has: Bools, score: Floats, resampling: Resampling, name: str = "positive", bins: int = MOST_BINS
) -> Reliability:
    """has (n,), score (n,) in [0, 1]. Fewer bins where there are fewer than ten cases for each."""
    has, score = checked(has, score)
    rarer = min(resampling.units(has), resampling.units(~has))
    few = rarer < CALIBRATION_CASES
    label, b = _bins(score, min(bins, max(1, len(has) // A_BIN)))
    made = _of_bins(has, score, label, b, resampling, name)
    line = _line(has, score, resampling)
    ece, chance = _ece(has, score, label, b, resampling)
    brier = _brier(has, score, resampling)
    curve = None if few else smoothing.curve(has, score, resampling)
    prevalence = float(has.mean()) if len(has) else None
    examples = tuple(_example(one, name) for one in sorted(made, key=_furthest))
    return Reliability(
        name=name, n=len(has), rarer=rarer, few=few, bins=made, curve=curve, histogram=_histogram(has, score),
        slope=line.get("calibration_slope"), intercept=line.get("calibration_intercept"), brier=brier,
        brier_of_prevalence=prevalence * (1 - prevalence) if prevalence is not None else None, ece=ece, chance=chance,
        says=_says(has, rarer, name, line, made, resampling), examples=examples, notes=_notes(has, score, line, ece),
    )  # fmt: skip


def of_calls(y: Ints, scores: Floats, resampling: Resampling) -> Reliability:
    """Of more than two classes: whether the highest score is the share of cases that are called right (top-label
    calibration, arXiv:1706.04599)."""
    scores = np.asarray(scores, float)
    return judge(np.argmax(scores, axis=1) == y, scores.max(axis=1, initial=0), resampling, "called right")


def mended(
    has: Bools, before: Floats, after: Floats, resampling: Resampling, calibrator: Calibrator, name: str = "positive"
) -> Mended:
    """Both on the same cases and draws, and whether it was worth it."""
    one, other = (judge(has, score, resampling, name) for score in (before, after))
    change = _change(has, before, after, resampling) if calibrator.fitted else None
    return Mended(one, other, change, _worth(one, other, change, calibrator))


def word(calibrator: Calibrator | None, shown: Reliability | None) -> str:
    """ "probability" or "score": what the output may be called.

    A probability was calibrated on the tune part, and the test part had at least 100 patients of the rarer kind to show
    how well that worked, and does not show it to be clearly off (`Reliability.off`). Anything else is a score.
    """
    calibrated = calibrator is not None and calibrator.fitted
    return "probability" if calibrated and shown is not None and not shown.few and not shown.off else "score"


# ---- bins -----------------------------------------------------------------------------------------------------------


def _bins(score: Floats, b: int) -> tuple[Ints, int]:
    """Bins of as nearly equal count as equal scores allow, which are never divided: label (n,), and how many."""
    if not len(score):
        return np.zeros(0, int), 0
    edges = np.unique(np.sort(score)[[len(score) * k // b for k in range(1, b)]])
    _, label = np.unique(np.searchsorted(edges, score, side="right"), return_inverse=True)
    return label, int(label.max()) + 1


def _of_bins(has: Bools, score: Floats, label: Ints, b: int, resampling: Resampling, name: str) -> tuple[Bin, ...]:
    made, z = [], NormalDist().inv_cdf(1 - 0.025 / max(1, b))
    for k in range(b):
        inside = label == k
        share = resampling.share(has & inside, inside)
        estimate = Estimate(f"share[{name}]", share.value, *share.interval, share.n, share.how)
        mine = score[inside]
        widened = wilson(share.value * share.effective, share.effective, z)
        made.append(Bin(float(mine.min()), float(mine.max()), float(mine.mean()), estimate, share.hits, widened))
    return tuple(made)


def _histogram(has: Bools, score: Floats) -> tuple[tuple[int, ...], tuple[int, ...]]:
    of = [np.histogram(score[kind], BARS, (0.0, 1.0))[0].tolist() for kind in (has, ~has)]
    return tuple(of[0]), tuple(of[1])


# ---- numbers --------------------------------------------------------------------------------------------------------


def _line(has: Bools, score: Floats, resampling: Resampling) -> dict[str, Estimate]:
    """Slope and intercept, from the fits and the draws that `estimates.measure` makes."""
    x = calibration.logit(score)
    whole = {name: float(one[0]) for name, one in calibration.line(x, has, np.ones((len(x), 1))).items()}
    parts = [calibration.line(x, has, weights, whole) for weights in resampling.chunks()]
    made = {
        name: fitted(name, whole[name], np.concatenate([part[name] for part in parts]), len(x), resampling)
        for name in ("calibration_slope", "calibration_intercept")
        if parts
    }
    return {
        name: level(one, x, has, resampling) if name == "calibration_intercept" else one
        for name, one in made.items()
        if one
    }


def _brier(has: Bools, score: Floats, resampling: Resampling) -> Estimate | None:
    """As `estimates.measure` has it."""
    return sides.mean("brier", (score - has) ** 2, np.ones(len(has), bool), resampling, top=1)


def _ece(
    has: Bools, score: Floats, label: Ints, b: int, resampling: Resampling
) -> tuple[Estimate | None, float | None]:
    """Mean over the cases of |share - mean score| of their bin, and what of it chance alone would show.

    It is never below 0, so it is too large on few cases, and in draws of those larger still (Bröcker and Smith, Weather
    Forecast 2007;22:651; Kumar, Liang and Ma, arXiv:1909.10155): the draws are moved back by as much as their mean lies
    above the value, and what chance would show is told beside it, a folded normal of each bin's spread over the draws.
    """
    if b == 0 or has.all() or not has.any():
        return None, None
    gaps = has - score
    whole = np.bincount(label, gaps, b)
    value = float(np.abs(whole).sum() / len(has))
    drawn = resampling.sums(label, b, gaps)  # (b, d)
    each = np.abs(drawn).sum(axis=0) / resampling.sizes
    chance = float(np.sqrt(2 / np.pi) * drawn.std(axis=1).sum() / len(has))
    low, high = np.array(percentiles(each)) - (float(each.mean()) - value)
    if not high > low:
        return None, chance
    how = f"{resampling.how}; {b} bin{'' if b == 1 else 's'} of equal count"
    low, high = max(0.0, min(low, value)), min(1.0, max(high, value))
    return Estimate("ece", value, float(low), float(high), len(has), how), chance


def _change(has: Bools, before: Floats, after: Floats, resampling: Resampling) -> Estimate | None:
    if not len(has):
        return None
    gain = (np.asarray(after, float) - has) ** 2 - (np.asarray(before, float) - has) ** 2
    low, high = percentiles(resampling.mean(gain))
    return Estimate("brier", float(gain.mean()), low, high, len(has), resampling.how) if low < high else None


# ---- words ----------------------------------------------------------------------------------------------------------


def _off(one: Estimate | None, ideal: float, low: float, high: float) -> bool:
    return one is not None and not one.low <= ideal <= one.high and not low <= one.value <= high


def _furthest(one: Bin) -> tuple[bool, float]:
    return not one.off, -abs(one.mean - one.share.value)


def _example(one: Bin, name: str) -> str:
    share = one.share
    return (
        f"Of {share.n:,} cases scored near {one.mean:.2f}, {100 * share.value:.0f} % were {name} "
        f"({words.span(share.low, share.high)})."
    )


def _says(
    has: Bools, rarer: int, name: str, line: dict[str, Estimate], bins: Sequence[Bin], resampling: Resampling
) -> str:
    if not len(has):
        return "There is no case in the test part, so calibration cannot be judged."
    if has.all() or not has.any():
        return f"Calibration cannot be judged: the test part holds no case that is {'not ' if has.all() else ''}{name}."
    if rarer < CALIBRATION_CASES:
        rare = name if resampling.units(has) <= resampling.units(~has) else f"not {name}"
        who = f"{resampling.unit}{'' if rarer == 1 else 's'}"
        return (
            f"Too few to judge calibration: {rarer} {who} {rare} in the test part, and {CALIBRATION_CASES} are needed."
        )
    said = []
    slope, level = line.get("calibration_slope"), line.get("calibration_intercept")
    if slope and not slope.low <= 1 <= slope.high:
        said.append(f"The scores were too {'extreme' if slope.value < 1 else 'timid'} (slope {_whole(slope)}).")
    if level and not level.low <= 0 <= level.high:
        said.append(f"They were too {'low' if level.value > 0 else 'high'} on average (intercept {_whole(level)}).")
    wrong = [one for one in sorted(bins, key=_furthest) if one.off]
    if wrong:
        said.append(_example(wrong[0], name))
    if not said:
        if not slope or not level:
            return "Calibration cannot be judged: the slope or the intercept cannot be computed."
        return "No departure shown: in no bin does what was seen lie further from the score than chance explains."
    return " ".join(said).replace("They were", "The scores were", 1 if said[0].startswith("They") else 0)


def _whole(one: Estimate) -> str:
    return f"{one.value:.2f}, {one.low:.2f} to {one.high:.2f}"


def _worth(before: Reliability, after: Reliability, change: Estimate | None, calibrator: Calibrator) -> str:
    if not calibrator.fitted:
        return calibrator.says
    if change is None or before.brier is None or after.brier is None:
        return f"{calibrator.says} What it changed cannot be shown on these cases."
    moved = f"Brier score {before.brier.value:.3f} before and {after.brier.value:.3f} after"
    bounds = f"{_signed(change.low)} to {_signed(change.high)}"
    if change.low <= 0 <= change.high:
        return f"{calibrator.says} {moved}: no difference seen (change {_signed(change.value)}, {bounds})."
    better = "smaller is better" if change.value < 0 else "it made the scores worse here"
    return f"{calibrator.says} {moved} (change {_signed(change.value)}, {bounds}): {better}."


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _notes(has: Bools, score: Floats, line: dict[str, Estimate], ece: Estimate | None) -> tuple[str, ...]:
    if not len(has) or has.all() or not has.any():
        return ()
    said = []
    constant = np.ptp(score) == 0
    if "calibration_slope" not in line:
        why = "all scores are the same" if constant else "the errors are too few for it"
        said.append(f"The calibration slope cannot be computed: {why}.")
    if "calibration_intercept" not in line:
        said.append("The calibration intercept cannot be computed: the cases are too few for it.")
    if ece is None:
        said.append("The calibration error has no interval here: all draws agree.")
    return tuple(said)
