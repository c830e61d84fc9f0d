"""The study report: the facts of a run as a document whose sections are the places checklists point to."""

from medtl.reporting import answers, saying
from medtl.reporting.content import Facts
from medtl.reporting.document import Block, Bullets, Document, Section, Table, Text, listed
from medtl.reporting.sections import calls, cases, elsewhere, looked, model, patients, readers, scores
from medtl.trust import operating_point
from medtl.workspace import Workspace


def make(facts: Facts, ws: Workspace | None = None) -> Document:
    """With `ws` the failure gallery has pictures, except of cases in which text was found."""
    sections = [
        _summary(facts),
        _verdict(facts),
        _asked(facts),
        cases.cases(facts),
        cases.split(facts),
        model.model(facts),
        calls.threshold(facts),
        calls.numbers(facts),
        calls.findings(facts),
        calls.calls(facts),
        calls.prevalence(facts),
        scores.ranking(facts),
        scores.spread(facts),
        scores.calibration(facts),
        scores.utility(facts),
        scores.indeterminate(facts),
        patients.patients(facts),
        patients.groups(facts),
        elsewhere.robustness(facts),
        elsewhere.external(facts),
        elsewhere.control(facts),
        readers.readers(facts),
        looked.explanation(facts, pictures=ws is not None),
        looked.failures(facts, ws),
        cases.data_checks(facts),
        model.technical(facts),
        Section("limits", "Limits", (Bullets(saying.limits(facts)),)),
    ]
    numbered = [
        Section(one.id, f"{number}. {one.title}", one.blocks)
        for number, one in enumerate((one for one in sections if one.blocks), 1)
    ]
    return Document(
        title=facts.recipe.title,
        subtitle=f"Study report of run {facts.recipe.run}, finished {saying.day(facts.finished)}"
        + (" · SYNTHETIC data: no patient behind it" if facts.cohort.synthetic else ""),
        sections=tuple(numbered),
        foot=saying.research_use(facts),
    )


def places(document: Document) -> dict[str, str]:
    """Section id -> "section 3, Cases", for checklists."""
    return {one.id: f"section {one.title.replace('. ', ', ', 1)}" for one in document.sections}


# ---- what was asked and found --------------------------------------------------------------------------------------


def _summary(facts: Facts) -> Section:
    result = facts.result
    blocks: list[Block] = [Text(result.sentence, "strong")]
    blocks += [Text(said, "strong") for said in operating_point.wanted(facts.judgement)]
    blocks += [Text(cases.coded(facts.verdict, facts))]
    blocks += [Text(caveat, "warning") for caveat in result.caveats]
    if result.small_test:
        blocks.append(Text(result.small_test, "warning"))
    blocks += [Text(said) for said in headlines(facts) if said not in facts.verdict]
    looked_at = (
        f"{facts.tested} runs of this cohort have been scored on the same test part: the best of them looks better "
        "than it is. "
        if facts.tested > 1
        else ""
    )
    blocks.append(Text(f"{looked_at}{saying.research_use(facts)}", "quiet"))
    return Section("summary", "What was found", tuple(blocks))


def headlines(facts: Facts) -> list[str]:
    """A sentence on each thing that was examined, in the order of the sections."""
    judged = facts.judgement
    said = []
    if facts.two:
        view = judged.views[0]
        said += [view.mended.after.says, f"Decision curve: {view.utility.says}"]
    flagged = [f"{row.field}, {row.group}: {row.says}" for one in judged.subgroups for row in one.flagged]
    every = [row for one in judged.subgroups for row in one.rows]
    rows = sum(one.looked_at for one in judged.subgroups)
    if flagged:
        said.append(" ".join(flagged))
    elif may := [f"{row.field}, {row.group}" for row in every if row.standing.startswith("may")]:
        said.append(
            "Groups of patients may differ, not beyond chance when so many are looked at: "
            f"{listed(list(dict.fromkeys(may)))}."
        )
    elif rows:
        said.append(f"No difference shown between groups of patients ({rows} rows looked at).")
    if facts.result.robustness is not None:
        said.append(facts.result.robustness.says)
    said += [f"On “{one.tested.title}”: {one.says}" for one in facts.abroad]
    if facts.result.control:
        said.append(facts.result.control.says)
    return said


def _verdict(facts: Facts) -> Section:
    """What of it holds, each by a rule that was written down before."""
    rows = tuple(
        (one.name, one.state, cases.coded(" ".join([one.reason, *one.also]), facts), one.rule) for one in facts.lights
    )
    table = Table("By the same rules for every run", ("about", "state", "why", "rule"), rows, (1.1, 1, 3, 4))
    return Section("verdict", "What holds, by rules", (table,))


def _asked(facts: Facts) -> Section:
    rows = tuple((one.asks, facts.answer(one.key)) for one in answers.QUESTIONS)
    note = "In the words of those who made this run. What nobody answered is printed as “not stated”."
    return Section("asked", "Stated by the user", (Table(note, ("question", "answer"), rows, (2, 3)),))


__all__ = ["headlines", "make", "places"]
