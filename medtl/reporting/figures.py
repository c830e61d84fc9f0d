"""The drawings of who was tested and what was called, made of the shapes of `document`: no plotting library, so that
HTML and PDF are the same vector picture. Every drawing says in words what it shows.
"""

from medtl.evaluation import words
from medtl.reporting import content
from medtl.reporting.axes import ACCENT, WIDTH, Scale, colour, scale, ticks
from medtl.reporting.content import Facts
from medtl.reporting.document import INK, LINE, PAPER, QUIET, Box, Dot, Drawing, Path, Shape, Words, short
from medtl.vocabulary import PARTS, Estimate

ORDER = ("kappa_quadratic", "within_one", "exact_agreement", "sensitivity", "specificity", "ppv", "npv", "auroc",
         "auprc", "brier", "balanced_accuracy", "accuracy")  # fmt: skip


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
    bottom = below + height
    if aside := _unanswered(facts):
        left, top = 10 + 2 * (width + 14), bottom + 20
        shapes += _arrow(left + width / 2, bottom, top)
        bottom = top + 13.0 * len(aside) + 8
        shapes.append(Box(left, top, width, bottom - top, PAPER, LINE, 3))
        shapes += [Words(left + 8, top + 15 + 13 * i, line, 8.5, QUIET) for i, line in enumerate(aside)]
        said += aside
    alt = f"Flow of cases: {steps[0][0]}; {'; '.join(steps[0][1]) or 'none skipped'}; {steps[1][0]}; "
    alt += f"{'; '.join(steps[1][1]) or 'none left out'}; {steps[2][0]}; {'; '.join(said)}."
    return Drawing(WIDTH, bottom + 6, tuple(shapes), alt)


def _unanswered(facts: Facts) -> list[str]:
    """Test cases that would get no answer in use: refused by the gate, or left open by their prediction set."""
    said = [f"{len(facts.refused):,} would be refused by the gate"] if facts.refused else []
    for one in facts.judgement.sets if not facts.several else ():
        said.append(f"{sum(one.unanswered):,} left open by their set")
    return said


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
    x = scale(left, right)
    shapes: list[Shape] = ticks(x, top, bottom)
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


def _whisker(one: Estimate, x: Scale, y: float) -> list[Shape]:
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
