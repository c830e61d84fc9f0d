"""The model card: one page on what the model is for, on whom it was tried and where it fails (Mitchell et al. 2019,
arXiv:1810.03993, with clinical fields).
"""

from medtl.evaluation import words
from medtl.reporting import content, figures, report, saying
from medtl.reporting.content import Facts
from medtl.reporting.document import Block, Bullets, Document, Section, Table, Text, listed
from medtl.reporting.sections import cases
from medtl.trust import failures
from medtl.vocabulary import PARTS

NOT_FOR = (
    "Diagnosis, treatment or screening of real patients: it is not a medical device.",
    "Images of another kind, site, scanner or period than those it was made from, before it was tested there.",
    "Patients unlike those of the cohort.",
)


def make(facts: Facts) -> Document:
    sections = (
        Section("intended", "Intended use", _intended(facts)),
        Section("not-for", "Not for", (Bullets(NOT_FOR),)),
        Section("model", "Model", (Table("What it is", (), tuple(_model(facts)), (1, 3)),)),
        Section("data", "Data", (_data(facts), _tested_on(facts))),
        Section("results", "Results and threshold", _results(facts)),
        Section("failures", "Known failures", (Bullets(known_failures(facts)),)),
        Section("limits", "Limits", (Bullets(saying.limits(facts)),)),
    )
    return Document(
        title=f"Model card: {facts.recipe.title}",
        subtitle=f"Run {facts.recipe.run}, finished {saying.day(facts.finished)}"
        + (" · SYNTHETIC data" if facts.cohort.synthetic else ""),
        sections=sections,
        foot=saying.research_use(facts),
    )


def _intended(facts: Facts) -> tuple[Block, ...]:
    rows = (
        ("clinical question", facts.answer("question")),
        ("users, patients, moment", facts.answer("use")),
        ("compared with", facts.answer("comparator")),
        ("output", output(facts)),
    )
    return (Table("As stated by the user; MedTL does not guess", (), rows, (1, 3)),)


def output(facts: Facts) -> str:
    """What the model answers, in a sentence."""
    if facts.several:
        what = f"{len(facts.classes)} scores from 0 to 1, one for each finding ({listed(facts.classes)}), on their own"
    else:
        what = f"a score from 0 to 1 for each of {len(facts.classes)} classes ({listed(facts.classes)}), which sum to 1"
    fitted = [one.calibrator for one in facts.judgement.views if one.calibrator.fitted]
    if saying.called(facts) == "probability":
        more = "Calibrated on the tune part and shown on the test part, it may be read as a probability there."
    elif fitted:
        more = "It can be calibrated as the tune part says, which was not shown on enough cases: it stays a score."
    else:
        more = "A score is not a probability."
    return f"For one image {what}. {more}"


def _model(facts: Facts) -> list[tuple[str, str]]:
    return [
        ("network", f"{facts.model.builder}, {facts.model.outline.parameters / 1e6:.1f} million values"),
        ("source", facts.source_title),
        ("strategy", facts.strategy.title),
        ("input", saying.preprocessing(facts)),
        ("licence", facts.model.licence),
        ("weights", f"SHA-256 {facts.model.sha256}"),
        ("made with", ", ".join(f"{name} {version}" for name, version in facts.recipe.versions.items())),
    ]


def _data(facts: Facts) -> Table:
    rows = [(part, saying.people(facts.count(part)), _classes(facts, part)) for part in PARTS]
    return Table(
        f"“{facts.cohort.title}”, split {facts.cohort.split.rule}", ("part", "cases", "classes"), tuple(rows), (1, 2, 3)
    )


def _classes(facts: Facts, part: str) -> str:
    return ", ".join(f"{facts.count(part, label).cases:,} {label}" for label in facts.classes)


def _tested_on(facts: Facts) -> Block:
    told = (
        ("included, left out", facts.answer("included")),
        ("reference standard", facts.answer("labelled")),
        ("sites, dates, scanners", facts.answer("where")),
        ("groups recorded", groups(facts)),
        ("ethics and consent", facts.answer("ethics")),
    )
    return Table("Who is in it", (), told, (1, 3))


def groups(facts: Facts) -> str:
    """Which groups of patients are known in the test part, and whether results were split by them."""
    known = sorted({one.name for one in facts.characteristics})
    if not known:
        return "none: neither age, sex, site nor scanner is recorded; no group was tested apart"
    fields = dict.fromkeys(row.field for one in facts.judgement.subgroups for row in one.rows)
    tested = f"tested apart by {listed(list(fields))}" if fields else "no group was tested apart"
    return f"{listed(known)} (counts are in the report); {tested}"


def fairness(facts: Facts) -> tuple[str, ...]:
    """What was seen of groups, never more than was looked at."""
    said = []
    for one in facts.judgement.subgroups:
        about = "" if len(facts.judgement.subgroups) == 1 else f"{one.about}: "
        said += [f"{about}{text}" for text in one.says]
    return tuple(said)


def _results(facts: Facts) -> tuple[Block, ...]:
    rows = tuple(
        (words.title(one.name), words.whole(one), content.counted(one, facts), one.how) for one in figures.shown(facts)
    )
    blocks: list[Block] = [Text(facts.result.sentence, "strong"), Text(cases.coded(facts.verdict, facts))]
    blocks += [Text(caveat, "warning") for caveat in facts.result.caveats]
    blocks.append(
        Table("Internal test", ("number", "value (95 % interval)", "counted", "interval by"), rows, (2, 2, 2, 2))
    )
    blocks.append(Text(threshold(facts)))
    blocks += [Text(said) for said in report.headlines(facts) if said not in facts.verdict]
    blocks += [
        Text(f"{'' if facts.two else one.name + ': '}{one.here.says}")
        for one in facts.judgement.views
        if one.here is not None
    ]
    return tuple(blocks)


def threshold(facts: Facts) -> str:
    """The operating point in force, and whether it was touched since."""
    chosen = facts.result.threshold
    if facts.several:
        values = "; ".join(
            f"{one.name} {one.threshold.value:.3f}"
            for one in facts.judgement.views
            if one.threshold is not None and one.threshold.value is not None
        )
        said = f"One threshold a finding, chosen on the tune part by {facts.judgement.rule.says}: {values or 'none'}."
    elif chosen is None:
        said = "The class with the highest score is called."
    elif chosen.value is None:
        said = f"What is called: {chosen.rule}"
    else:
        said = f"Threshold {chosen.value:.3f}, chosen on the {chosen.chosen_on} part and frozen. {chosen.rule}"
    return " ".join(filter(None, (said, saying.changed(facts))))


def known_failures(facts: Facts) -> tuple[str, ...]:
    """Which confusions the test part showed, commonest first, and what is not known."""
    table = facts.result.confusion
    said = []
    if table:
        cells = [
            (n, sum(row), table.classes[i], table.classes[j])
            for i, row in enumerate(table.counts)
            for j, n in enumerate(row)
            if i != j and n
        ]
        for n, of, label, called in sorted(cells, key=lambda cell: -cell[0])[:6]:
            said.append(f"{n:,} of {of:,} {label} in the test part were called {called}.")
        if not cells:
            said.append("No test case was called wrongly; with so few cases that does not mean there are none.")
    said += _alarms(facts)
    return (*said, "Images unlike the training images are flagged when MedTL is asked, not by an exported model.")


def _alarms(facts: Facts) -> list[str]:
    """Where it falls and what its maps say, where that was looked at; of findings which were missed most."""
    said = []
    for name, wrong in facts.wrong.items():
        if name:
            kinds = failures.kinds(wrong)
            said.append(f"{name}: {kinds.get('missed', 0):,} missed and {kinds.get('false alarm', 0):,} false alarms.")
    if facts.result.robustness is not None:
        said += [row.says for row in facts.result.robustness.falls[:4]]
    if facts.attention is not None:
        said += [one.says for one in facts.attention.alarms]
        said += [one.says for one in facts.attention.checks if one.passed is False]
    return said
