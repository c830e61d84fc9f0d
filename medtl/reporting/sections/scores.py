"""What the scores say: how they rank, how they lie, whether they mean what they say, whether acting on them pays, and
which cases they leave open."""

from collections.abc import Sequence

from medtl.evaluation import words
from medtl.evaluation.reliability import Reliability
from medtl.evaluation.utility import exchange
from medtl.reporting import curves, saying
from medtl.reporting.content import Facts
from medtl.reporting.document import Block, Bullets, Figure, Section, Table, Text
from medtl.trust.values import OfView
from medtl.vocabulary import Estimate

DRAWN = 6  # questions with drawings of their own; the tables hold all


def _drawn(facts: Facts) -> Sequence[OfView]:
    return facts.judgement.views[:DRAWN]


def _rest(facts: Facts) -> list[Block]:
    more = len(facts.judgement.views) - DRAWN
    return [Text(f"Drawn for the first {DRAWN}; the other {more} are in the tables only.", "quiet")] if more > 0 else []


# ---- ranking -------------------------------------------------------------------------------------------------------


def ranking(facts: Facts) -> Section:
    drawn, auroc = curves.roc(facts), facts.result.estimate("auroc")
    if drawn is None or auroc is None:
        return Section("ranking", "Ranking", (Text("A curve needs cases of two classes in the test part.", "quiet"),))
    mean = "" if facts.two else "mean over all "
    each = "" if facts.two else " of each against the rest"
    says = f"ROC curve{each}. AUROC {mean}{words.whole(auroc)}, n = {auroc.n:,}, {auroc.how}. {words.HELP['auroc']}"
    band = " Band: pointwise 95 % interval by patients drawn again." if curves.banded(facts) else ""
    blocks: list[Block] = [Figure(drawn, f"{says}{band}")]
    precision, auprc = curves.pr(facts), facts.result.estimate("auprc")
    if precision is not None:
        says = f" AUPRC {mean}{words.whole(auprc)}, n = {auprc.n:,}, {auprc.how}." if auprc else ""
        if facts.judgement.task == "ordinal":  # drawn at the cut points, and the AUPRC is of each grade by itself
            says = f" One for each cut point, n = {facts.count('test').cases:,}."
        blocks.append(Figure(precision, f"Precision-recall curve.{says} Guessing lies on the dashed line."))
    return Section("ranking", "Ranking", tuple(blocks))


def spread(facts: Facts) -> Section:
    blocks: list[Block] = [
        Figure(
            curves.scores(facts, view),
            f"Score for {view.name} as the network gives it, n = {view.cases:,} test cases, by reference."
            + (" A score is not a probability." if number == 0 else ""),
        )
        for number, view in enumerate(_drawn(facts))
        if view.cases
    ]
    return Section("scores", "Scores of the test cases", (*blocks, *(_rest(facts) if blocks else ())))


# ---- calibration ---------------------------------------------------------------------------------------------------


def calibration(facts: Facts) -> Section:
    """Before and after, with what always answering the prevalence would get, and what chance would show."""
    judged = facts.judgement
    blocks: list[Block] = []
    if judged.calls is not None:
        one = judged.calls
        caption = (
            f"Whether the highest score is the share of cases called right, n = {one.n:,}; bins of equal count with "
            "Wilson's intervals."
        )
        blocks += [Text(one.says), Figure(curves.reliability(one, None), caption)]
    if not (facts.two or facts.several):  # all share one temperature
        blocks += [Text(said) for said in dict.fromkeys(one.calibrator.says for one in judged.views)]
    for view in judged.views:
        blocks += _of_view(view, facts, view in _drawn(facts))
    blocks += _rest(facts)
    rows = [row for view in judged.views for row in _rows(view, facts)]
    head = ("scores", "slope", "intercept", "Brier score", "always the share", "ECE", "by chance")
    blocks.append(
        Table("Ideal: slope 1, intercept 0. Brier score: smaller is better than always answering the share that has "
              "it. ECE: what cases this few would show by chance alone stands beside it",
              head, tuple(rows), (1.4, 1.6, 1.8, 1.6, 1, 1.6, 0.9))
    )  # fmt: skip
    blocks.append(Text(_methods(judged.views), "quiet"))
    if saying.called(facts) == "score":
        blocks.append(
            Text("Outputs are called scores throughout: calibration was not shown to hold for every question.", "quiet")
        )
    return Section("calibration", "Calibration", tuple(blocks))


def _of_view(view: OfView, facts: Facts, drawn: bool) -> list[Block]:
    name = "" if facts.two else f"{view.name}: "
    said = view.mended.says
    if not (facts.two or facts.several):  # how it was fitted stands above, once for all
        said = said.removeprefix(view.calibrator.says).strip()
    blocks: list[Block] = [Text(f"{name}{said}")] if said else []
    after = view.mended.after
    if after.says != view.mended.says and (facts.two or not after.few):
        blocks.append(Text(f"{name}{after.says}"))
    if facts.two and after.examples:
        blocks.append(Text(after.examples[0]))
    if drawn and view.cases and (facts.two or facts.several):
        both = view.mended.after if view.calibrator.fitted else None
        caption = (
            f"Share of {view.name} against the {view.word}, n = {view.cases:,}; {len(after.bins)} bins of equal count "
            "with Wilson's intervals, dashed: what was promised. Below: cases with it upwards, the others downwards."
        )
        blocks.append(Figure(curves.reliability(view.mended.before, both, view.word), caption))
    return blocks


def _rows(view: OfView, facts: Facts) -> list[tuple[str, ...]]:
    of = "" if facts.two else f"{view.name}, "
    made = [_row(f"{of}as given", view.mended.before)]
    return [*made, _row(f"{of}calibrated", view.mended.after)] if view.calibrator.fitted else made


def _row(name: str, one: Reliability) -> tuple[str, ...]:
    def part(value: float | None) -> str:
        return "not computed" if value is None else f"{value:.2f}"

    numbers = (one.slope, one.intercept, one.brier)
    cells = [saying.cell(number, n=False) for number in numbers]
    return (name, *cells, part(one.brier_of_prevalence), saying.cell(one.ece, n=False), part(one.chance))


def _methods(views: Sequence[OfView]) -> str:
    found = [one for view in views for one in (view.mended.after.slope, view.mended.after.brier, view.mended.after.ece)]
    by = dict.fromkeys(f"{words.title(one.name)}: {one.how}, n = {one.n:,}" for one in found if one is not None)
    return f"Intervals. {'; '.join(list(by)[:4])}." if by else "No interval could be computed."


# ---- utility -------------------------------------------------------------------------------------------------------


def utility(facts: Facts) -> Section:
    blocks: list[Block] = []
    for view in facts.judgement.views:
        one = view.utility
        name = "" if facts.two else f"{view.name}: "
        blocks.append(Text(f"{name}{one.says}"))
        drawn = curves.decision(one) if view in _drawn(facts) else None
        if drawn is not None:
            weighed = f"{exchange(one.threshold[0])}; {exchange(one.threshold[-1])}"
            caption = (
                f"Decision curve for {view.name}, n = {one.n:,}, at a prevalence of {100 * one.prevalence:.1f} %; "
                f"band: pointwise 95 % interval, {one.how}. Range: {weighed}."
            )
            blocks.append(Figure(drawn, caption))
        blocks += [Text(note, "quiet") for note in one.notes]
    return Section("utility", "Is acting on it worth it?", tuple(_once(blocks)) + tuple(_rest(facts)))


def _once(blocks: Sequence[Block]) -> list[Block]:
    """The same note under many drawings is said once."""
    made: list[Block] = []
    for one in blocks:
        if not (isinstance(one, Text) and one.tone == "quiet" and one in made):
            made.append(one)
    return made


# ---- what is left open ---------------------------------------------------------------------------------------------


def indeterminate(facts: Facts) -> Section:
    """Prediction sets: how often they held the truth, and the numbers with and without the cases they leave open."""
    blocks: list[Block] = []
    for one in facts.judgement.sets:
        about = f"{one.by_class[-1].name}: " if facts.several else ""
        blocks.append(Bullets(tuple(f"{about}{said}" for said in one.says)))
        rows = tuple(
            (
                part.name, f"{part.n:,}", f"{limit:.3f}" if not part.open else "none: never ruled out",
                _share(part.held), _share(part.answered), _share(part.right), _share(part.strict),
            )
            for part, limit in zip(one.by_class, one.limits, strict=True)
        )  # fmt: skip
        head = ("class", "cases", "least score", "set held it", "answered", "right, of those answered",
                "right, open ones as errors")  # fmt: skip
        aim = f"{100 * (1 - one.error):.0f} %"
        blocks.append(Table(f"{about}Aim: {aim} of each class keep their class in the set", head, rows,
                            (1.3, 0.6, 1, 1.4, 1.4, 1.5, 1.5)))  # fmt: skip
    for one in facts.judgement.sets_of_patients:
        about = f"{one.by_class[-1].name}: " if facts.several else ""
        blocks.append(Bullets(tuple(f"{about}One answer a patient. {said}" for said in one.says[:1])))
    if blocks:
        what = (
            "A prediction set holds every class that cannot be ruled out, with a limit for each class from the tune "
            "part (split conformal). One class in it is an answer; any other set says “don't know”. The results above "
            "call every case and leave none open."
        )
        blocks.insert(0, Text(what))
        blocks.append(Text("The tune part also placed the threshold, so coverage is near the aim, not guaranteed. "
                           "Intervals: Wilson's, clustered where patients have several images.", "quiet"))  # fmt: skip
    else:
        blocks = [Text("No prediction sets: the answers of the tune part were not kept.", "quiet")]
    return Section("sets", "Cases left open", tuple(blocks))


def _share(one: Estimate | None) -> str:
    if one is None:
        return "no case"
    return f"{round(one.value * one.n):,} of {one.n:,}, {saying.percent(one)}"
