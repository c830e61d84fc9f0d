"""The drawings of a report, made of the shapes of `document`: no plotting library, so that HTML and PDF are the same
vector picture. Colours are those of the screen (`pages.ui.plots`); every drawing says in words what it shows.
"""

from collections.abc import Callable, Sequence

from medtl.evaluation import words
from medtl.reporting import content
from medtl.reporting.content import Facts
from medtl.reporting.document import INK, LINE, PAPER, QUIET, Box, Dot, Drawing, Path, Shape, Words, short
from medtl.vocabulary import PARTS, Estimate

# Okabe and Ito's colours in class order, as on the screen: told apart by the colour-blind.
CLASSES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A8A8A", "#B8A500")
ACCENT, WARNING = "#0E8690", "#C77700"
WIDTH = 520.0  # points: a page of A4 between its margins
BINS = 20
ORDER = ("sensitivity", "specificity", "ppv", "npv", "auroc", "auprc", "brier", "balanced_accuracy", "accuracy")


def colour(label: str, classes: Sequence[str]) -> str:
    return CLASSES[list(classes).index(label) % len(CLASSES)] if label in classes else QUIET


def shown(facts: Facts) -> list[Estimate]:
    """The numbers in the order of the page: sensitivity and specificity first, accuracy last, then each class."""
    found = [facts.result.estimate(name) for name in ORDER]
    each = [one for one in facts.result.estimates if one.name.startswith("auroc[")]
    return [*(one for one in found if one is not None), *each]


# ---- flow of cases -------------------------------------------------------------------------------------------------


def flow(facts: Facts) -> Drawing:
    """From files brought to the three parts, as reporting guidelines ask for it."""
    told = facts.flow
    shapes: list[Shape] = []
    y = 6.0
    steps: list[tuple[str, list[str]]] = [
        (f"{told.files:,} files brought", [f"{n:,} skipped: {short(why, 60)}" for why, n in told.skipped]),
        (f"{told.read:,} cases read", [f"{n:,} {short(why, 64)}" for why, n in told.left_out]),
        (f"{told.cases:,} cases{_patients(facts.cohort.patients)}", []),
    ]
    for number, (title, aside) in enumerate(steps):
        lines = aside[:3] + ([f"and {len(aside) - 3} more reasons"] if len(aside) > 3 else [])
        shapes += [Box(10, y, 200, 30, "#E6F2F3", ACCENT, 4), Words(110, y + 19, title, 10, anchor="middle", bold=True)]
        gap = max(26.0, 14.0 * len(lines) + 12)
        if lines:
            middle = y + 30 + gap / 2
            shapes.append(Path(((110, middle), (236, middle)), LINE))
            height = 13.0 * len(lines) + 8
            shapes.append(Box(236, middle - height / 2, WIDTH - 242, height, PAPER, LINE, 3))
            top = middle - height / 2 + 13
            shapes += [Words(243, top + 13 * i, line, 8.5, QUIET) for i, line in enumerate(lines)]
        if number + 1 < len(steps):
            shapes += _arrow(110, y + 30, y + 30 + gap)
            y += 30 + gap
    y += 30
    width = (WIDTH - 20 - 2 * 14) / 3
    below = y + 34
    shapes += [
        Path(((110, y), (110, y + 14)), QUIET),
        Path(((10 + width / 2, y + 14), (10 + 2.5 * width + 28, y + 14)), QUIET),
    ]
    rows = facts.classes[:6]
    height = 36 + 13.0 * (len(rows) + (len(facts.classes) > 6))
    said = []
    for column, part in enumerate(PARTS):
        left = 10 + column * (width + 14)
        whole = facts.count(part)
        shapes += _arrow(left + width / 2, y + 14, below)
        shapes.append(Box(left, below, width, height, PAPER, ACCENT, 4))
        head = f"{part}: {whole.cases:,} cases{_patients(whole.patients)}"
        shapes.append(Words(left + width / 2, below + 16, head, 8.5, anchor="middle", bold=True))
        for i, label in enumerate(rows):
            one = facts.count(part, label)
            shapes += [
                Box(left + 9, below + 25 + 13 * i, 7, 7, colour(label, facts.classes)),
                Words(
                    left + 20, below + 32 + 13 * i, f"{short(label, 14)} {one.cases:,}{_patients(one.patients)}", 8.5
                ),
            ]
        if len(facts.classes) > 6:
            shapes.append(Words(left + 20, below + 32 + 13 * 6, f"{len(facts.classes) - 6} more classes", 8.5, QUIET))
        said.append(head)
    alt = f"Flow of cases: {steps[0][0]}; {'; '.join(steps[0][1]) or 'none skipped'}; {steps[1][0]}; "
    alt += f"{'; '.join(steps[1][1]) or 'none left out'}; {steps[2][0]}; {'; '.join(said)}."
    return Drawing(WIDTH, below + height + 6, tuple(shapes), alt)


def _patients(number: int | None) -> str:
    return "" if number is None else f" ({number:,} {'patient' if number == 1 else 'patients'})"


def _arrow(x: float, top: float, bottom: float) -> list[Shape]:
    head = ((x - 3.5, bottom - 6), (x, bottom), (x + 3.5, bottom - 6))
    return [Path(((x, top), (x, bottom)), QUIET), Path(head, QUIET, fill=QUIET, closed=True)]


# ---- numbers -------------------------------------------------------------------------------------------------------


def numbers(facts: Facts) -> Drawing:
    """Every number with its interval on one scale from 0 to 1."""
    rows = shown(facts)
    left, right, top, step = 118.0, 278.0, 10.0, 21.0
    bottom = top + step * len(rows)
    x = _scale(left, right)
    shapes: list[Shape] = _ticks(x, top, bottom)
    for i, one in enumerate(rows):
        y = top + step * (i + 0.5)
        shapes += [
            Words(left - 10, y + 3, short(words.title(one.name), 22), 9, anchor="end"),
            *_whisker(one, x, y),
            Words(right + 12, y + 3, words.value(one), 9.5, ACCENT, bold=True),
            Words(right + 44, y + 3, words.interval(one), 9),
            Words(right + 108, y + 3, short(content.counted(one, facts), 30), 8, QUIET),
        ]
    said = "; ".join(f"{words.title(one.name)} {words.whole(one)}, n = {one.n}" for one in rows)
    return Drawing(WIDTH, bottom + 18, tuple(shapes), f"Numbers with their 95 % intervals: {said}.")


def _whisker(one: Estimate, x: Callable[[float], float], y: float) -> list[Shape]:
    low, high = x(max(0.0, one.low)), x(min(1.0, one.high))
    bar = [Path(((low, y), (high, y)), ACCENT, 1.6)]
    ends = [Path(((end, y - 3), (end, y + 3)), ACCENT, 1.6) for end in (low, high)]
    return [*bar, *ends, Dot(x(min(1.0, max(0.0, one.value))), y, 3.4, ACCENT)]


def difference(gap: Estimate) -> Drawing:
    """The paired difference to the control against the line of no difference."""
    span = max(0.1, abs(gap.low), abs(gap.high)) * 1.25
    left, right, y = 60.0, WIDTH - 60, 22.0

    def x(value: float) -> float:
        return left + (value + span) / (2 * span) * (right - left)

    shapes: list[Shape] = [
        Path(((x(0), 6), (x(0), 38)), QUIET, dashed=True),
        Path(((left, 38), (right, 38)), LINE),
        Path(((x(gap.low), y), (x(gap.high), y)), ACCENT, 1.8),
        *(Path(((x(end), y - 4), (x(end), y + 4)), ACCENT, 1.8) for end in (gap.low, gap.high)),
        Dot(x(gap.value), y, 4, ACCENT),
        Words(x(0), 50, "0", 8.5, QUIET, "middle"),
        Words(left, 50, "control better", 8.5, QUIET),
        Words(right, 50, "this run better", 8.5, QUIET, "end"),
    ]
    alt = f"AUROC difference {gap.value:+.2f}, interval {gap.low:+.2f} to {gap.high:+.2f}."
    return Drawing(WIDTH, 56, tuple(shapes), alt)


# ---- curves --------------------------------------------------------------------------------------------------------


def roc(facts: Facts) -> Drawing | None:
    """ROC of the positive class, or of each class against the rest, with its band; None without a curve."""
    curves = facts.result.curves.get("roc", {})
    labels = [label for label in facts.classes if label in curves and facts.positive in (None, label)]
    if not labels:
        return None
    left, right, top, bottom = 60.0, 320.0, 12.0, 272.0
    x, y = _scale(left, right), _scale(bottom, top)
    shapes: list[Shape] = [*_ticks(x, top, bottom), *_side_ticks(y, left, right)]
    shapes.append(Path(((left, bottom), (right, top)), QUIET, dashed=True))
    for label in labels:
        curve, ink = curves[label], colour(label, facts.classes)
        upper = [(x(f), y(t)) for f, t in zip(curve["fpr"], curve["high"], strict=True)]
        lower = [(x(f), y(t)) for f, t in zip(curve["fpr"], curve["low"], strict=True)]
        shapes.append(Path((*upper, *lower[::-1]), "", fill=ink, closed=True, opacity=0.14))
    for label in labels:
        curve = curves[label]
        points = tuple((x(f), y(t)) for f, t in zip(curve["fpr"], curve["tpr"], strict=True))
        shapes.append(Path(points, colour(label, facts.classes), 1.8))
    for i, label in enumerate(labels[:10]):
        name = short(label, 30) if len(labels) > 1 else f"{short(label, 18)} against the rest"
        shapes += _key(340, 30 + 16 * i, name, colour(label, facts.classes))
    after = 30 + 16 * min(10, len(labels))
    shapes += [Path(((340, after), (352, after)), QUIET, dashed=True), Words(358, after + 3, "guessing", 9)]
    found, passed = facts.result.estimate("sensitivity"), facts.result.estimate("specificity")
    if facts.two and found and passed:
        shapes += [
            Dot(x(1 - passed.value), y(found.value), 4.2, WARNING),
            Dot(346, after + 16, 4.2, WARNING),
            Words(358, after + 19, "at the threshold", 9),
        ]
    shapes += [
        Words((left + right) / 2, bottom + 30, "1 − specificity (called though without it)", 9, INK, "middle"),
        Words(22, (top + bottom) / 2, "sensitivity (called of those with it)", 9, INK, "middle", turned=True),
    ]
    auroc = facts.result.estimate("auroc")
    says = f" AUROC {words.whole(auroc)}, n = {auroc.n}." if auroc else ""
    return Drawing(WIDTH, bottom + 38, tuple(shapes), f"ROC curve with its 95 % band.{says}")


def scores(facts: Facts, of: str) -> Drawing:
    """How the score for one class is spread in the test part, by reference class; the threshold where there is one."""
    groups = list(facts.classes) if facts.two else [of, ""]
    left, right, top, bottom = 60.0, 330.0, 14.0, 134.0
    x = _scale(left, right)
    tables = {label: _binned(facts, of, label) for label in groups}
    most = max(1, max(max(table) for table in tables.values()))
    y = _scale(bottom, top, most)
    shapes: list[Shape] = _ticks(x, top, bottom)
    for level in sorted({0, most // 2, most}):
        shapes.append(Words(left - 6, y(level) + 3, f"{level:,}", 8, QUIET, "end"))
    for i, (label, table) in enumerate(tables.items()):
        ink = colour(label, facts.classes)
        for k, n in enumerate(table):
            if n:
                shapes.append(Box(x(k / BINS) + 0.4, y(n), x(1 / BINS) - x(0) - 0.8, bottom - y(n), ink, opacity=0.6))
        name = short(label, 26) if label else "all other classes"
        shapes += _key(350, 30 + 16 * i, f"{name} ({sum(table):,})", ink)
    value = facts.result.threshold.value if facts.two and facts.result.threshold else None
    if value is not None:
        shapes += [
            Path(((x(value), top - 4), (x(value), bottom)), INK, 1.2, dashed=True),
            Path(((350, 62), (362, 62)), INK, 1.2, dashed=True),
            Words(368, 65, f"threshold {value:.2f}", 9),
        ]
    shapes += [
        Words((left + right) / 2, bottom + 30, f"score for {short(of, 40)}", 9, INK, "middle"),
        Words(22, (top + bottom) / 2, "test cases", 9, INK, "middle", turned=True),
    ]
    return Drawing(
        WIDTH, bottom + 38, tuple(shapes), f"Histogram of the score for {of} on the test part, by reference."
    )


def _binned(facts: Facts, of: str, label: str) -> list[int]:
    table = [0] * BINS
    for row in facts.test:
        if row.label == label or (not label and row.label != of):
            table[min(BINS - 1, int(row.scores[of] * BINS))] += 1
    return table


# ---- table of calls ------------------------------------------------------------------------------------------------


def confusion(facts: Facts) -> Drawing | None:
    """Reference standard on rows, model on columns; the shade is the share of the row. None without a table."""
    table = facts.result.confusion
    if table is None or len(table.classes) > 12:
        return None
    k = len(table.classes)
    left, top = 140.0, 44.0
    side = min(84.0, (WIDTH - left - 10) / k)
    tall = min(side, 46.0)
    letters = max(4, int(side / 5.2))
    shapes: list[Shape] = [
        Words(left + side * k / 2, 14, "model", 9, QUIET, "middle"),
        Words(14, top + tall * k / 2, "reference", 9, QUIET, "middle", turned=True),
    ]
    for j, label in enumerate(table.classes):
        shapes.append(Words(left + side * (j + 0.5), 34, short(label, letters), 9, anchor="middle"))
        shapes.append(Words(left - 8, top + tall * (j + 0.5) + 3, short(label, 20), 9, anchor="end"))
    for i, row in enumerate(table.counts):
        for j, n in enumerate(row):
            share = n / max(1, sum(row))
            ink = PAPER if share > 0.55 else INK
            middle = top + tall * (i + 0.5)
            shapes += [
                Box(left + side * j + 1, top + tall * i + 1, side - 2, tall - 2, _shade(share)),
                Words(left + side * (j + 0.5), middle - 1, f"{n:,}", 11, ink, "middle", bold=True),
                Words(left + side * (j + 0.5), middle + 11, f"{100 * share:.0f} %", 8, ink, "middle"),
            ]
    said = "; ".join(
        f"{table.classes[i]} called {table.classes[j]}: {n}"
        for i, row in enumerate(table.counts)
        for j, n in enumerate(row)
    )
    return Drawing(WIDTH, top + tall * k + 8, tuple(shapes), f"Table of calls, reference on rows: {said}.")


def _shade(share: float) -> str:
    """From the palest to the darkest of the screen's scale."""
    pale, dark = (0xE6, 0xF2, 0xF3), (0x0A, 0x6A, 0x72)
    return "#" + "".join(f"{round(p + share * (d - p)):02X}" for p, d in zip(pale, dark, strict=True))


# ---- axes ----------------------------------------------------------------------------------------------------------


def _scale(start: float, end: float, most: float = 1.0) -> Callable[[float], float]:
    return lambda value: start + value / most * (end - start)


def _ticks(x: Callable[[float], float], top: float, bottom: float) -> list[Shape]:
    shapes: list[Shape] = []
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        shapes.append(Path(((x(value), top), (x(value), bottom)), LINE, 0.6))
        shapes.append(Words(x(value), bottom + 12, f"{value:g}", 8, QUIET, "middle"))
    return [*shapes, Path(((x(0), bottom), (x(1), bottom)), QUIET, 0.8)]


def _side_ticks(y: Callable[[float], float], left: float, right: float) -> list[Shape]:
    shapes: list[Shape] = []
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        shapes.append(Path(((left, y(value)), (right, y(value))), LINE, 0.6))
        shapes.append(Words(left - 6, y(value) + 3, f"{value:g}", 8, QUIET, "end"))
    return shapes


def _key(x: float, y: float, name: str, ink: str) -> list[Shape]:
    return [Box(x, y - 4, 12, 8, ink), Words(x + 18, y + 3, name, 9)]
