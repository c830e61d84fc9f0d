"""The model card: one page on what the model is for, on whom it was tried and where it fails (Mitchell et al. 2019,
arXiv:1810.03993, with clinical fields).
"""

from medtl.evaluation import words
from medtl.reporting import content, figures, report
from medtl.reporting.content import Facts
from medtl.reporting.document import Block, Bullets, Document, Section, Table, Text, listed
from medtl.vocabulary import PARTS, Threshold

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
        Section("limits", "Limits", (Bullets(report.limits(facts)),)),
    )
    return Document(
        title=f"Model card: {facts.recipe.title}",
        subtitle=f"Run {facts.recipe.run}, finished {report.day(facts.finished)}"
        + (" · SYNTHETIC data" if facts.cohort.synthetic else ""),
        sections=sections,
        foot=report.research_use(facts),
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
    what = f"a score from 0 to 1 for each of {len(facts.classes)} classes ({listed(facts.classes)}), which sum to 1"
    return f"For one image {what}. A score is not a probability."


def _model(facts: Facts) -> list[tuple[str, str]]:
    return [
        ("network", f"{facts.model.builder}, {facts.model.outline.parameters / 1e6:.1f} million values"),
        ("source", facts.source_title),
        ("strategy", facts.strategy.title),
        ("input", report.preprocessing(facts)),
        ("licence", facts.model.licence),
        ("weights", f"SHA-256 {facts.model.sha256}"),
        ("made with", ", ".join(f"{name} {version}" for name, version in facts.recipe.versions.items())),
    ]


def _data(facts: Facts) -> Table:
    rows = [(part, report.people(facts.count(part)), _classes(facts, part)) for part in PARTS]
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
    """Which groups of patients are known in the test part; results are not split by them."""
    known = sorted({one.name for one in facts.characteristics})
    if not known:
        return "none: neither age, sex, site nor scanner is recorded; no group was tested apart"
    return f"{listed(known)} (counts are in the report); no group was tested apart"


def _results(facts: Facts) -> tuple[Block, ...]:
    rows = tuple(
        (words.title(one.name), words.whole(one), content.counted(one, facts), one.how) for one in figures.shown(facts)
    )
    blocks: list[Block] = [Text(facts.result.sentence, "strong")]
    blocks += [Text(caveat, "warning") for caveat in facts.result.caveats]
    blocks.append(
        Table("Internal test", ("number", "value (95 % interval)", "counted", "interval by"), rows, (2, 2, 2, 2))
    )
    chosen = facts.result.threshold
    if chosen:
        blocks.append(Text(_threshold(chosen)))
    if facts.result.control:
        blocks.append(Text(facts.result.control.says))
    return tuple(blocks)


def _threshold(chosen: Threshold) -> str:
    if chosen.value is None:
        return f"What is called: {chosen.rule}"
    return f"Threshold {chosen.value:.3f}, chosen on the {chosen.chosen_on} part and frozen. {chosen.rule}"


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
    return (*said, "Images unlike the training images are flagged when MedTL is asked, not by an exported model.")
