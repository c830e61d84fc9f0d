"""What was called what, and how right that was: the operating point, all numbers at it, and the table of calls."""

from collections import Counter
from collections.abc import Sequence

from medtl.evaluation import words
from medtl.evaluation.operating import Point
from medtl.reporting import figures, saying
from medtl.reporting.content import Facts
from medtl.reporting.document import Block, Bullets, Drawing, Figure, Section, Table, Text
from medtl.trust import operating_point
from medtl.trust.values import OfView
from medtl.vocabulary import Estimate

AT_A_POINT = ("sensitivity", "specificity", "ppv", "npv", "lr_positive", "lr_negative")
LAST = ("accuracy", "f1")  # shown last: they mislead where one class is more common


# ---- operating point -----------------------------------------------------------------------------------------------


def threshold(facts: Facts) -> Section:
    """By which rule, on whom, and whether the test part can have had a share in it."""
    judged, chosen = facts.judgement, facts.result.threshold
    blocks: list[Block] = []
    placed = [one for one in judged.views if one.threshold is not None and one.threshold.value is not None]
    if len(placed) == 1 and placed[0].threshold is not None:
        one = placed[0].threshold
        of = saying.people(facts.count(one.chosen_on))
        blocks.append(Text(f"Threshold {one.value:.3f}, chosen on the {one.chosen_on} part ({of}) and frozen."))
        blocks.append(Text(one.rule))
    elif placed:
        rows = tuple(
            (one.name, f"{one.threshold.value:.3f}", one.threshold.rule)
            for one in placed
            if one.threshold is not None and one.threshold.value is not None
        )
        caption = f"One threshold a finding, by {judged.rule.says}"
        blocks.append(Table(caption, ("finding", "threshold", "how it was chosen"), rows, (1.5, 0.8, 4)))
    elif chosen is not None:
        blocks.append(Text(f"What is called: {chosen.rule[:1].lower()}{chosen.rule[1:]}"))
    blocks += [Text(said, "strong") for said in operating_point.wanted(judged)]
    if changed := saying.changed(facts):
        blocks.append(Text(changed, "warning"))
    elif placed:
        scored = f" ({saying.day(facts.finished)})" if facts.finished else ""
        text = f"Frozen before the test part was scored{scored}, which had no share in it; not changed since."
        blocks.append(Text(text, "quiet"))
    blocks.append(Text(saying.opened(facts), "quiet"))
    return Section("threshold", "Operating point", tuple(blocks))


# ---- all numbers ---------------------------------------------------------------------------------------------------


def numbers(facts: Facts) -> Section:
    """Sensitivity and specificity first, accuracy last."""
    n = saying.people(facts.count("test"))
    macro = "" if facts.two else " A number without a class is the mean over all of them."
    caption = f"Internal test: {n} of the same cohort, never trained on. Bars are 95 % intervals.{macro}"
    blocks: list[Block] = [
        Figure(figures.numbers(facts), caption),
        _alone(facts) if facts.two else _whole(facts),
    ]
    if not facts.two:
        blocks += _each(facts.judgement.views, facts)
    blocks.append(Text(saying.METHODS, "quiet"))
    notes = [*facts.result.notes, *(note for one in facts.judgement.views for note in _notes(one, facts))]
    blocks += [Text(note, "quiet") for note in dict.fromkeys(notes)]
    return Section("numbers", "Results on the test part", tuple(blocks))


def _notes(one: OfView, facts: Facts) -> list[str]:
    return list(one.point.notes) if facts.two else [f"{one.name}: {note}" for note in one.point.notes]


def _alone(facts: Facts) -> Table:
    view = facts.judgement.views[0]
    point = view.point
    ranked = [facts.result.estimate(name) for name in ("auroc", "auprc", "brier", "balanced_accuracy")]
    found = [*(point.get(name) for name in AT_A_POINT), *ranked, *(point.get(name) for name in LAST)]
    rows = tuple(
        (
            words.title(one.name), words.value(one), words.interval(one),
            saying.counted(one.name, point, view.name, view.without), one.how, words.HELP.get(one.name, ""),
        )
        for one in found
        if one is not None
    )  # fmt: skip
    head = ("number", "value", "95 % interval", "counted", "interval by", "meaning")
    return Table("Numbers on the test part", head, rows, (1.4, 0.7, 1.2, 1.7, 1.5, 3))


def _whole(facts: Facts) -> Table:
    off = facts.result.estimate("mean_grade_error")  # in grades, so not among the shares that are drawn
    rows = tuple(
        (words.title(one.name), words.value(one), words.interval(one), f"n = {one.n:,}", one.how, _help(one))
        for one in [*figures.shown(facts), *([off] if off else [])]
    )
    head = ("number", "value", "95 % interval", "n", "interval by", "meaning")
    return Table("Numbers on the test part, all together", head, rows, (1.7, 0.7, 1.2, 0.8, 1.6, 3))


def _help(one: Estimate) -> str:
    return words.HELP.get(one.name.split("[")[0], "")


def _each(views: Sequence[OfView], facts: Facts) -> list[Block]:
    """A line a class, cut point or finding, with its counts."""
    rows = tuple(
        (one.name, f"{one.having:,} of {one.cases:,}", *(_counted(one.point, name) for name in AT_A_POINT[:4]))
        for one in views
    )
    ratios = tuple(
        (one.name, *(saying.cell(one.point.get(name), n=False) for name in AT_A_POINT[4:]), _squares(one.point))
        for one in views
    )
    what = "finding" if facts.several else "grade" if facts.judgement.task == "ordinal" else "class"
    left = " Cases whose label of it is not sure are left out." if facts.several else ""
    how = ", clustered by patient" if any("clustered" in e.how for one in views for e in one.point.estimates) else ""
    heads = tuple(words.title(name) for name in AT_A_POINT[:4])
    return [
        Table(
            f"Each {what} against the rest, at its operating point (Wilson{how}).{left}",
            (what, "have it", *heads), rows, (1.6, 0.9, 1.7, 1.7, 1.7, 1.7),
        ),
        Table(
            "Likelihood ratios (log method), and the counts behind all of them",
            (what, "LR+", "LR−", "called right / missed / false alarms / let pass rightly"), ratios, (1.6, 1.5, 1.5, 3),
        ),
    ]  # fmt: skip


def _counted(point: Point, name: str) -> str:
    one = point.get(name)
    if one is None:
        return "not computed"
    hits = {"sensitivity": point.tp, "specificity": point.tn, "ppv": point.tp, "npv": point.tn}[name]
    return f"{words.whole(one)}, {hits:,} of {one.n:,}"


def _squares(point: Point) -> str:
    return f"{point.tp:,} / {point.fn:,} / {point.fp:,} / {point.tn:,}"


# ---- several findings ----------------------------------------------------------------------------------------------


def findings(facts: Facts) -> Section:
    """All findings in one table, then each in a sentence with what is to be read beside it."""
    if not facts.several:
        return Section("findings", "Findings", ())
    from medtl.runs import findings as of_findings

    rows = tuple(
        (
            one.name, f"{one.present:,}", f"{one.absent:,}", f"{one.left_out:,}",
            *(saying.cell(one.estimate(name), n=False) for name in ("auroc", "sensitivity", "specificity")),
            "too few to judge" if one.few else "",
        )
        for one in of_findings.rows(facts.result)
    )  # fmt: skip
    head = ("finding", "present", "absent", "left out", "AUROC", "sensitivity", "specificity", "")
    caption = "Every finding on the test part; left out: its label is uncertain or not stated"
    blocks: list[Block] = [Table(caption, head, rows, (1.6, 0.8, 0.8, 0.8, 1.5, 1.5, 1.5, 1))]
    said = []
    for name in facts.result.findings:
        one = of_findings.result_of(facts.result, name)
        small = f" {one.small_test}" if one.small_test else ""
        said.append(f"{name}: {one.sentence}{small}")
    return Section("findings", "Findings", (*blocks, Bullets(tuple(said))))


# ---- table of calls ------------------------------------------------------------------------------------------------


def calls(facts: Facts) -> Section:
    table = facts.result.confusion
    if table is None:
        return Section("calls", "Who was called what", ())
    k = len(table.classes)
    rows = tuple(
        (label, *(f"{n:,}" for n in row), f"{sum(row):,}")
        for label, row in zip(table.classes, table.counts, strict=True)
    )
    totals = ("all", *(f"{sum(row[j] for row in table.counts):,}" for j in range(k)))
    rows = (*rows, (*totals, f"{sum(map(sum, table.counts)):,}"))
    caption = "Cases by reference standard (rows) and call of the model (columns)"
    drawn: Drawing | None = figures.confusion(facts)
    n = sum(map(sum, table.counts))
    blocks: list[Block] = []
    if drawn:
        blocks.append(Figure(drawn, f"Shade and percentage are the share of the row; n = {n:,} test cases."))
    if k <= 8:
        blocks.append(Table(caption, ("reference", *(f"called {label}" for label in table.classes), "all"), rows))
    blocks += refused(facts)
    return Section("calls", "Who was called what", tuple(blocks))


def refused(facts: Facts) -> list[Block]:
    """Cases the gate would have refused: counted like all others above, and here said how it is without them."""
    if facts.refused is None:
        return [Text("Cases that the gate would refuse were scored like all others; how many is not known.", "quiet")]
    n = facts.count("test").cases
    if not facts.refused:
        return [Text(f"None of the {saying.cases(n)} would have been refused by the gate in use.", "quiet")]
    k = len(facts.refused)
    share = f"{k:,} of {saying.cases(n)} would have been refused in use. They are counted above like all others."
    why = Counter(reason for reasons in facts.refused.values() for reason in reasons)
    share += "".join(f" {many:,}: {reason}" for reason, many in why.most_common())
    parts = []
    if facts.two:
        without = [one for one in facts.told[""] if one.case not in facts.refused]
        for label, did in ((facts.positive, "found"), (facts.judgement.views[0].without, "let pass")):
            of = [one for one in without if one.reference == label]
            parts.append(f"{sum(one.right for one in of):,} of {len(of):,} {label} {did}")
        share += f" Without them: {' and '.join(parts)}."
    return [Text(share)]


# ---- elsewhere -----------------------------------------------------------------------------------------------------


def prevalence(facts: Facts) -> Section:
    """What a call is worth where the disease is as common as the user says."""
    known = [one for one in facts.judgement.views if one.here is not None]
    blocks: list[Block] = []
    for view in known:
        here = view.here
        assert here is not None
        share = f"{100 * here.prevalence:.3g} %"
        own = f"{100 * view.having / view.cases:.0f} %" if view.cases else "unknown"
        name = "" if facts.two else f"{view.name}: "
        blocks.append(Text(f"{name}At a prevalence of {share} (test part: {own}). {here.says}"))
        rows = tuple(
            (words.title(one.name), words.value(one), words.interval(one), one.how, words.HELP[one.name])
            for one in (here.ppv, here.npv)
            if one is not None
        )
        if rows:
            head = ("number", "value", "95 % interval", "interval by", "meaning")
            blocks.append(Table(f"{name}At a prevalence of {share}", head, rows, (1, 0.8, 1.2, 2, 3)))
        blocks.append(Text(here.assumes, "quiet"))
    if not known:
        blocks = [Text("No prevalence of a clinic was given: PPV and NPV above hold at that of the test part.",
                       "quiet")]  # fmt: skip
    return Section("prevalence", "At the prevalence of the clinic", tuple(blocks))
