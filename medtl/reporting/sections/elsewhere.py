"""How it does where things are otherwise: changed images, another cohort, and without the source."""

from medtl.evaluation import words
from medtl.reporting import figures, saying
from medtl.reporting.content import Facts
from medtl.reporting.document import Block, Bullets, Figure, Section, Table, Text
from medtl.runs.afterwards import Perturbed
from medtl.runs.results import Control
from medtl.trust.abroad import Abroad
from medtl.vocabulary import Estimate

# ---- changed images ------------------------------------------------------------------------------------------------


def robustness(facts: Facts) -> Section:
    found = facts.result.robustness
    if found is None:
        text = "Not examined: how the scores change when images are darker, blurred, turned or compressed."
        return Section("robustness", "Changed images", (Text(text, "quiet"),))
    rows = tuple(
        (
            _change(row), saying.cell(row.auroc, n=False), saying.signed(_minus(row.fall)),
            f"{round(row.changed.value * row.changed.n):,} of {row.changed.n:,}, "
            f"{saying.percent(row.changed)}",
            row.verdict,
        )
        for row in found.rows
    )  # fmt: skip
    of = f"all {found.of:,}" if found.cases == found.of else f"{found.cases:,} of the {found.of:,}"
    who = f" ({saying.patients(found.patients)})" if found.patients is not None else ""
    hows = ", ".join(dict.fromkeys(row.fall.how for row in found.rows))
    caption = (
        f"{of[:1].upper()}{of[1:]} test cases{who} were changed and scored again; AUROC unchanged "
        f"{saying.cell(found.auroc, n=False)}. Differences are paired: {hows}"
    )
    return Section(
        "robustness",
        "Changed images",
        (
            Text(found.says),
            Table(caption, ("change", "AUROC", "change of AUROC", "calls that change", "verdict"), rows,
                  (3, 1.3, 1.7, 1.6, 0.9)),
            *(Text(note, "quiet") for note in found.notes),
        ),
    )  # fmt: skip


def _change(row: Perturbed) -> str:
    """ "Strong darkening: darker by 20 % of the full range"."""
    return f"{row.name[:1].upper()}{row.name[1:]}: {row.does[:1].lower()}{row.does[1:].rstrip('.')}"


def _minus(fall: Estimate) -> Estimate:
    """A fall as a change: below 0 is worse."""
    return Estimate(fall.name, -fall.value, -fall.high, -fall.low, fall.n, fall.how)


# ---- another cohort ------------------------------------------------------------------------------------------------


def external(facts: Facts) -> Section:
    if not facts.abroad:
        text = "Not done: the model was tested on no other cohort. The result is internal."
        return Section("external", "External test", (Text(text, "quiet"),))
    blocks: list[Block] = []
    for one in facts.abroad:
        blocks += _abroad(one, facts)
    return Section("external", "External test", tuple(blocks))


def _abroad(one: Abroad, facts: Facts) -> list[Block]:
    tested = one.tested
    who = f" of {saying.patients(tested.patients)}" if tested.patients is not None else ", patients unknown"
    counts = ", ".join(f"{n:,} {name}" for name, n in tested.counts.items())
    text = (
        f"“{tested.title}”, {saying.day(tested.made)}: {saying.cases(tested.cases)}{who} ({counts}), with network, "
        "threshold and calibration as they were frozen."
    )
    blocks: list[Block] = [Text(text, "strong")]
    if not tested.other_patients:
        blocks.append(Text("That its patients are others than those learned from is not known: it may be no external "
                           "test at all.", "warning"))  # fmt: skip
    if tested.missing:
        blocks.append(Text(f"No case there of: {', '.join(tested.missing)}.", "warning"))
    everything = [*([one.whole] if one.whole else []), *one.views]
    for beside in everything:
        name = "" if len(everything) == 1 else f"{beside.about}: "
        rows = tuple(
            (words.title(row.name), saying.cell(row.internal), saying.cell(row.external),
             saying.signed(row.difference, row.name in words.PERCENT), row.standing)
            for row in beside.rows
        )  # fmt: skip
        blocks.append(Bullets(tuple(f"{name}{said}" for said in beside.says)))
        if rows:
            hows = ", ".join(dict.fromkeys(row.difference.how for row in beside.rows))
            head = ("number", "internal test", "external", "external less internal", "standing")
            blocks.append(Table(f"{name}Side by side; difference by {hows}", head, rows, (1.1, 1.9, 1.9, 1.8, 1.3)))
    for view, point in zip(facts.judgement.views, one.points, strict=True):
        if point is not None:
            found = f"{point.tp:,} found, {point.fn:,} missed"
            passed = f"{point.tn:,} let pass, {point.fp:,} false alarms"
            blocks.append(Text(f"{view.name} there: {found}; {passed}."))
    differs = [line for shift in one.shifts for line in shift.says]
    differs += [moved.says for moved in one.images]
    if one.features is not None:
        differs.append(one.features.says)
    if differs:
        blocks.append(Text("What else differs there; it may explain a fall and proves no cause:"))
        blocks.append(Bullets(tuple(dict.fromkeys(differs))))
    left = [f"{len(ids):,}: {why}" for why, ids in tested.excluded.items() if ids]
    if left:
        blocks.append(Text(f"Left out there: {'; '.join(left)}.", "quiet"))
    gate = tested.external.refused
    blocks.append(Text(f"{100 * gate:.0f} % of its images lie beyond the limit of likeness to the training images "
                       f"(internal test: {100 * tested.internal.refused:.0f} %).", "quiet"))  # fmt: skip
    return [*blocks, *(Text(note) for note in tested.notes)]


# ---- without the source --------------------------------------------------------------------------------------------


def control(facts: Facts) -> Section:
    """Every guard the run was held against, then what more cases would bring and what cross-validation says."""
    chosen, guards = facts.result.control, facts.result.guards
    everyone = guards or ((chosen,) if chosen else ())
    blocks: list[Block] = []
    if chosen:
        caption = (
            f"AUROC of this run minus that of the control ({chosen.name}), on the same n = {chosen.difference.n:,} "
            f"test cases; {chosen.difference.how}."
        )
        blocks.append(Figure(figures.difference(chosen.difference), caption))
    if everyone:
        head = ("against", "its AUROC", "difference of AUROC, paired", "verdict", "in words")
        rows = tuple((one.name, *_against(one), one.verdict, one.says) for one in everyone)
        blocks.append(Table("The same test cases, answered by each guard", head, rows, (1, 1.4, 1.8, 1, 3)))
    else:
        blocks.append(Text("No control was run.", "quiet"))
    if facts.result.cross_validated:
        blocks.append(Text(facts.result.cross_validated.says))
    if facts.result.learning_curve:
        blocks.append(Text(f"Learning curve: {facts.result.learning_curve.says}"))
    return Section("control", "Was the source worth it?", tuple(blocks))


def _against(one: Control) -> tuple[str, str]:
    gap, own = one.difference, one.auroc
    theirs = f"{words.whole(own)}, n = {own.n:,}" if own else "not kept"
    return theirs, f"{saying.signed(gap)}, n = {gap.n:,}, {gap.how}"
