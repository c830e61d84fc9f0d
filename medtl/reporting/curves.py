"""The drawings of scores: how they rank, how they are spread, whether they mean what they say, and whether acting on
them pays. Drawn from what was judged; every drawing says in words what it shows.
"""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from medtl.evaluation import words
from medtl.evaluation.reliability import BARS, Reliability
from medtl.evaluation.utility import DecisionCurve
from medtl.reporting.axes import (
    ACCENT,
    WARNING,
    WIDTH,
    Scale,
    colour,
    key,
    line_key,
    scale,
    side_ticks,
    steps,
    ticks,
    titles,
)
from medtl.reporting.content import Facts
from medtl.reporting.document import INK, LINE, QUIET, Box, Dot, Drawing, Path, Shape, Words, short
from medtl.trust.values import OfView

BINS = 20
BANDS = 2  # bands in one drawing; more of them hide each other
LINES = 10  # curves in one drawing that can still be told apart by their names


# ---- ranking -------------------------------------------------------------------------------------------------------


def roc(facts: Facts) -> Drawing | None:
    """ROC of the positive class, or of each class against the rest, with its band; None without a curve."""
    curves = facts.result.curves.get("roc", {})
    labels = [label for label in facts.classes if label in curves and facts.positive in (None, label)]
    if not labels:
        return None
    left, right, top, bottom = 60.0, 290.0, 12.0, 242.0
    x, y = scale(left, right), scale(bottom, top)
    shapes: list[Shape] = [*ticks(x, top, bottom), *side_ticks(y, left, right)]
    shapes.append(Path(((left, bottom), (right, top)), QUIET, dashed=True))
    inks = {label: colour(label, facts.classes) for label in labels}
    shapes += _bands(curves, labels, inks, ("fpr", "tpr"), x, y)
    after = 30.0 + 16 * min(LINES, len(labels))
    shapes += [*_names(labels, inks, facts), *line_key(340, after, "guessing")]
    if facts.two:
        point = facts.judgement.views[0].point
        found, passed = point.get("sensitivity"), point.get("specificity")
        if found and passed:
            shapes += [Dot(x(1 - passed.value), y(found.value), 4.2, INK), Dot(346, after + 16, 4.2, INK)]
            shapes.append(Words(358, after + 19, "at the threshold", 9))
    shapes += titles(
        (left + right) / 2, bottom + 30, "1 − specificity (called though without it)", 22, (top + bottom) / 2,
        "sensitivity (called of those with it)",
    )  # fmt: skip
    auroc = facts.result.estimate("auroc")
    says = f" AUROC {words.whole(auroc)}, n = {auroc.n}." if auroc else ""
    return Drawing(WIDTH, bottom + 38, tuple(shapes), f"ROC curve.{says}")


def banded(facts: Facts) -> bool:
    """Whether curves are drawn with their bands."""
    return facts.two or len(facts.judgement.views) <= BANDS


def pr(facts: Facts) -> Drawing | None:
    """Precision against recall of each question, with the line of its prevalence; None without a curve."""
    curves = {view.name: view.pr for view in facts.judgement.views if view.pr is not None}
    if not curves:
        return None
    labels = list(curves)
    left, right, top, bottom = 60.0, 290.0, 12.0, 212.0
    x, y = scale(left, right), scale(bottom, top)
    shapes: list[Shape] = [*ticks(x, top, bottom), *side_ticks(y, left, right)]
    inks = {label: _ink(facts, label, labels) for label in labels}
    for label in labels:
        at = y(curves[label]["prevalence"])
        shapes.append(Path(((left, at), (right, at)), inks[label], 0.9, dashed=True))
    shapes += _bands(curves, labels, inks, ("recall", "precision"), x, y)
    after = 30.0 + 16 * min(LINES, len(labels))
    shapes += [*_names(labels, inks, facts), *line_key(340, after, "share that has it (guessing)")]
    shapes += titles((left + right) / 2, bottom + 30, "recall = sensitivity", 22, (top + bottom) / 2, "precision = PPV")
    said = "; ".join(
        f"{label} {one['auprc']:.2f} at a share of {one['prevalence']:.2f}" for label, one in curves.items()
    )
    return Drawing(WIDTH, bottom + 38, tuple(shapes), f"Precision-recall curve. AUPRC: {said}.")


def _bands(
    curves: Mapping[str, Any], labels: Sequence[str], inks: Mapping[str, str], axes: tuple[str, str], x: Scale, y: Scale
) -> list[Shape]:
    """All bands under all lines."""
    shapes: list[Shape] = []
    across, up = axes
    for label in labels if len(labels) <= BANDS else ():
        curve = curves[label]
        upper = [(x(f), y(t)) for f, t in zip(curve[across], curve["high"], strict=True)]
        lower = [(x(f), y(t)) for f, t in zip(curve[across], curve["low"], strict=True)]
        shapes.append(Path((*upper, *lower[::-1]), "", fill=inks[label], closed=True, opacity=0.14))
    for label in labels:
        points = tuple((x(f), y(t)) for f, t in zip(curves[label][across], curves[label][up], strict=True))
        shapes.append(Path(points, inks[label], 1.8))
    return shapes


def _names(labels: Sequence[str], inks: Mapping[str, str], facts: Facts) -> list[Shape]:
    shapes: list[Shape] = []
    for i, label in enumerate(labels[:LINES]):
        name = (
            short(label, 30)
            if len(labels) > 1 or not facts.two
            else f"{short(label, 14)} against {short(facts.judgement.views[0].without, 14)}"
        )
        shapes += key(340, 30 + 16 * i, name, inks[label])
    return shapes


def _ink(facts: Facts, label: str, labels: Sequence[str]) -> str:
    """A class keeps its colour; cut points of grades have none and take theirs in order."""
    return colour(label, facts.classes if label in facts.classes else labels)


# ---- scores --------------------------------------------------------------------------------------------------------


def scores(facts: Facts, view: OfView) -> Drawing:
    """How the score of having it is spread in the test part, by reference; the threshold where there is one."""
    having, others = view.mended.before.histogram
    left, right, top, bottom = 60.0, 330.0, 14.0, 134.0
    x = scale(left, right)
    two = {view.name: having, view.without: others}
    inks = {view.name: _ink(facts, view.name, (view.name,)), view.without: colour(view.without, facts.classes)}
    most = max(1, max(map(max, two.values())))
    y = scale(bottom, top, most)
    shapes: list[Shape] = ticks(x, top, bottom)
    for level in sorted({0, most // 2, most}):
        shapes.append(Words(left - 6, y(level) + 3, f"{level:,}", 8, QUIET, "end"))
    for i, (label, table) in enumerate(two.items()):
        for k, n in enumerate(table):
            if n:
                wide = x(1 / BARS) - x(0) - 0.8
                shapes.append(Box(x(k / BARS) + 0.4, y(n), wide, bottom - y(n), inks[label], opacity=0.6))
        shapes += key(350, 30 + 16 * i, f"{short(label, 26)} ({sum(table):,})", inks[label])
    value = view.threshold.value if view.threshold else None
    if value is not None:
        shapes.append(Path(((x(value), top - 4), (x(value), bottom)), INK, 1.2, dashed=True))
        shapes += line_key(350, 62, f"threshold {value:.2f}", INK)
    shapes += titles(
        (left + right) / 2, bottom + 30, f"score for {short(view.name, 40)}", 22, (top + bottom) / 2, "test cases"
    )
    alt = f"Histogram of the score for {view.name} on the test part, by reference."
    return Drawing(WIDTH, bottom + 38, tuple(shapes), alt)


# ---- calibration ---------------------------------------------------------------------------------------------------


def reliability(before: Reliability, after: Reliability | None, word: str = "score") -> Drawing:
    """Share that has it against the score: bins with their intervals, the smooth curve where cases are enough, the line
    of a score that means what it says, and how many cases lie where. Side by side where it was calibrated."""
    pairs = [("as the network gives it", before)] + ([("calibrated on the tune part", after)] if after else [])
    shapes: list[Shape] = []
    said = []
    for number, (name, one) in enumerate(pairs):
        left = 60.0 + 238 * number
        shapes += _panel(one, left, left + 180, name if after else "", word if number else "score")
        said.append(f"{name}: " + "; ".join(f"near {b.mean:.2f} {b.share.value:.2f}" for b in one.bins))
    shapes.append(Words(22, 102, f"share {short(before.name, 30)}", 9, INK, "middle", turned=True))
    if not after:
        shapes += [Dot(306, 30, 3, ACCENT), Words(318, 33, "cases of like score, with interval", 9)]
        shapes += line_key(300, 46, "a score that means what it says")
        if before.curve:
            shapes += line_key(300, 62, "smooth curve, with band", ACCENT, dashed=False)
        shapes += [Box(300, 74, 12, 8, QUIET, opacity=0.5), Words(318, 81, "how many cases", 9)]
    return Drawing(WIDTH, 258, tuple(shapes), f"Calibration on the test part. {'. '.join(said)}.")


def _panel(one: Reliability, left: float, right: float, name: str, word: str) -> list[Shape]:
    top, bottom = 22.0, 182.0
    x, y = scale(left, right), scale(bottom, top)
    shapes: list[Shape] = [*ticks(x, top, bottom), *side_ticks(y, left, right)]
    shapes.append(Path(((left, bottom), (right, top)), QUIET, dashed=True))
    if one.curve is not None:
        upper = [(x(s), y(h)) for s, h in zip(one.curve.score, one.curve.high, strict=True)]
        lower = [(x(s), y(h)) for s, h in zip(one.curve.score, one.curve.low, strict=True)]
        shapes.append(Path((*upper, *lower[::-1]), "", fill=ACCENT, closed=True, opacity=0.14))
        points = tuple((x(s), y(h)) for s, h in zip(one.curve.score, one.curve.share, strict=True))
        shapes.append(Path(points, ACCENT, 1.4))
    for b in one.bins:
        at = x(b.mean)
        shapes.append(Path(((at, y(b.share.low)), (at, y(b.share.high))), ACCENT, 1.1))
        shapes.append(Dot(at, y(b.share.value), 3, ACCENT))
    return [
        *shapes,
        *_counts(one, x, bottom + 20, bottom + 54),
        Words((left + right) / 2, bottom + 70, short(word, 40), 9, INK, "middle"),
        *([Words(left, 12, name, 9, INK, bold=True)] if name else []),
    ]


def _counts(one: Reliability, x: Scale, top: float, bottom: float) -> list[Shape]:
    """The histogram under the plot: cases that have it upwards, the others downwards."""
    having, others = one.histogram
    most = max(1, *having, *others)
    middle = (top + bottom) / 2
    shapes: list[Shape] = [Path(((x(0), middle), (x(1), middle)), LINE, 0.6)]
    for k, (up, down) in enumerate(zip(having, others, strict=True)):
        at, wide = x(k / BARS) + 0.4, x(1 / BARS) - x(0) - 0.8
        high, low = (middle - top) * up / most, (bottom - middle) * down / most
        shapes += [Box(at, middle - high, wide, high, ACCENT, opacity=0.7)] if up else []
        shapes += [Box(at, middle, wide, low, QUIET, opacity=0.5)] if down else []
    return shapes


# ---- utility -------------------------------------------------------------------------------------------------------


def decision(curve: DecisionCurve) -> Drawing | None:
    """Net benefit over the range of threshold probabilities, against treating all and none; None without a curve."""
    if not curve.threshold:
        return None
    left, right, top, bottom = 66.0, 320.0, 12.0, 182.0
    highest = max(0.05, *curve.model, *curve.treat_all, *curve.high)
    lowest = -0.25 * highest
    t = curve.threshold
    x, y = scale(left, right, t[-1], t[0]), scale(bottom, top, highest, lowest)
    shapes: list[Shape] = [
        *ticks(x, top, bottom, steps(t[0], t[-1]), " %"),
        Path(((left, bottom), (right, bottom)), QUIET),
    ]
    shapes += side_ticks(y, left, right, steps(0, highest), ".2f")
    shapes.append(Path(((left, y(0)), (right, y(0))), INK, 1.2, dashed=True))

    def inside(values: Sequence[float]) -> tuple[tuple[float, float], ...]:
        pairs = zip(t, values, strict=True)
        return tuple((x(at), y(value)) for at, value in takewhile(lambda pair: pair[1] >= lowest, pairs))

    upper = [(x(at), y(max(lowest, value))) for at, value in zip(t, curve.high, strict=True)]
    lower = [(x(at), y(max(lowest, value))) for at, value in zip(t, curve.low, strict=True)]
    shapes.append(Path((*upper, *lower[::-1]), "", fill=ACCENT, closed=True, opacity=0.14))
    everybody = inside(curve.treat_all)
    if len(everybody) > 1:
        shapes.append(Path(everybody, WARNING, 1.4))
    model = tuple((x(at), y(max(lowest, value))) for at, value in zip(t, curve.model, strict=True))
    shapes.append(Path(model, ACCENT, 1.8))
    shapes += [
        *line_key(350, 30, "acting on the model, with band", ACCENT, dashed=False),
        *line_key(350, 46, "treating everybody", WARNING, dashed=False),
        *line_key(350, 62, "treating nobody", INK),
        *titles((left + right) / 2, bottom + 30, "threshold probability", 18, (top + bottom) / 2, "net benefit"),
    ]
    return Drawing(WIDTH, bottom + 38, tuple(shapes), f"Decision curve. {curve.says}")
