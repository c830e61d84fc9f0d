"""What can be said of a run on each topic that reporting guidelines ask about: in what words, by whom, and where it
stands in the report. One table serves every checklist, so that they never contradict each other.

"not stated" is an answer: what neither the app knows nor the user said is never filled by guessing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from medtl.evaluation import words
from medtl.reporting import content, figures, model_card, saying
from medtl.reporting.answers import NOT_STATED
from medtl.reporting.content import Facts
from medtl.reporting.document import listed
from medtl.vocabulary import PARTS, Blend, PseudoLabel, Solve, Train

By = Literal["filled by app", "stated by user", "not stated"]


@dataclass(frozen=True)
class Statement:
    """`place` is the id of a section of the report, "" where it stands in none."""

    text: str
    by: By
    place: str = ""


def about(facts: Facts) -> dict[str, Statement]:
    """Topic -> what is said of it."""
    return {**_user(facts), **_unknown(facts), **_design(facts), **_data(facts), **_model(facts), **_results(facts)}


def together(topics: Sequence[str], said: dict[str, Statement]) -> Statement:
    """One answer of several topics. The first is what the item asks for: while it is not stated the item is not, and
    what is known besides is added as such."""
    first, *rest = (said[topic] for topic in topics)
    known = [one for one in rest if one.by != "not stated"]
    place = next((one.place for one in (first, *known) if one.place and one.by != "not stated"), "")
    more = " ".join(one.text for one in known)
    if first.by == "not stated" and more:
        return Statement(f"{first.text}. MedTL knows: {more}", first.by, place)
    return Statement(f"{first.text} {more}".strip(), first.by, place)


def _user(facts: Facts) -> dict[str, Statement]:
    def one(key: str) -> Statement:
        if key in facts.answers:
            return Statement(facts.answers[key], "stated by user", "asked")
        return Statement(NOT_STATED, "not stated", "asked")

    keys = ("question", "use", "included", "labelled", "where", "ethics", "weaknesses", "comparator")
    return {key: one(key) for key in keys}


UNKNOWN = {
    "manuscript": "to be written in the manuscript",
    "design": "whether data were collected before or after the study was planned is not known to MedTL",
    "sample-size": "no sample size calculation is known to MedTL; all cases that could be read were used",
    "reference-cutoff": "the labels were taken as they were brought",
    "blinding-reference": "not known to MedTL",
    "severity": "not recorded in the cohort",
    "alternatives": "classes are all that is recorded",
    "interval-between": "not recorded in the cohort",
    "treatments": "not recorded in the cohort",
    "inequalities": "to be written in the manuscript",
    "adverse": "not recorded",
    "registration": "no register is known to MedTL",
    "protocol": "no protocol is known to MedTL",
    "funding": "not known to MedTL",
    "conflicts": "not known to MedTL",
    "involvement": "not known to MedTL",
    "data-sharing": "whether the data may be shared is not known to MedTL",
    "next-steps": "to be written in the manuscript",
}


def _unknown(facts: Facts) -> dict[str, Statement]:
    return {topic: Statement(f"{NOT_STATED}: {why}", "not stated") for topic, why in UNKNOWN.items()}


def _design(facts: Facts) -> dict[str, Statement]:
    app = _filler
    test = facts.count("test")
    return {
        "technique": app(
            f"Deep learning: transfer of {facts.source_title} by “{facts.strategy.title}”; it {_task(facts)} "
            f"({listed(facts.classes)}).",
            "model",
        ),
        "summary": app(facts.result.sentence, "summary"),
        "goal": app(_goal(facts), "summary"),
        "external": app(_external(facts), "external"),
        "software": app(_versions(facts), "technical"),
        "clusters": app(_clusters(facts), "groups"),
        "research": app(saying.research_use(facts), "summary"),
        "interpretation": app(facts.result.control.says if facts.result.control else facts.result.sentence, "control"),
        "sizes": app(f"Train, tune and test: {_sizes(facts)}. Test: {saying.people(test)}.", "cases"),
    }


def _data(facts: Facts) -> dict[str, Statement]:
    app, cohort, told = _filler, facts.cohort, facts.flow
    skipped, left = sum(n for _, n in told.skipped), sum(n for _, n in told.left_out)
    scanners = sorted({one.value for one in facts.characteristics if one.name == "scanner"})
    near = cohort.split.near_duplicates_across
    return {
        "files": app(
            f"{told.files:,} files brought, {skipped:,} skipped; {told.cases:,} cases in the cohort.", "cases"
        ),
        "subset": app(f"{left:,} of {told.read:,} cases read were left out by the user, with the reason.", "cases"),
        "missing": app(
            f"A file without a label or that cannot be read is skipped ({skipped:,}); nothing is imputed. Fields "
            "that are not recorded are counted as such.",
            "cases",
        ),
        "preprocessing": app(saying.preprocessing(facts), "model"),
        "variability": app(saying.labellers(facts), "data-checks")
        if facts.labellers is not None
        else Statement(f"{NOT_STATED}: no second reading of the labels is known to MedTL", "not stated"),
        "quality": app(
            f"Checked for copies, conflicting labels, shortcuts, outliers and text in images; "
            f"{len(cohort.findings)} findings still stand.",
            "data-checks",
        ),
        "deidentified": app(
            f"On import, by the Basic Profile of DICOM PS3.15 and for other formats alike; file names "
            f"{cohort.privacy.names}, key {cohort.privacy.key}.",
            "data-checks",
        ),
        "acquisition": app(f"Scanners recorded: {', '.join(scanners)}.", "cases")
        if scanners
        else Statement(f"{NOT_STATED}: no scanner is recorded in the files", "not stated"),
        "split": app(f"Split {cohort.split.rule}: {_sizes(facts)}. {saying.uses_of_parts(facts)}", "split"),
        "disjoint": app(f"{content.level_of_split(cohort)} {near:,} pairs of near copies across parts.", "split"),
        "flow": app(f"{told.files:,} files, {told.read:,} cases read, {told.cases:,} taken; {_sizes(facts)}.", "cases"),
        "demographics": app(f"By part, where recorded: {model_card.groups(facts)}.", "cases"),
        "representative": app(f"Test part: {_shares(facts)}. Whether it is so in the clinic is not stated.", "cases"),
    }


def _model(facts: Facts) -> dict[str, Statement]:
    app, model = _filler, facts.model
    settings = "; ".join(f"{name} = {value}" for name, value in facts.recipe.settings.items()) or "none"
    return {
        "architecture": app(
            f"{model.builder}, {model.outline.parameters / 1e6:.1f} million values in {len(model.outline.stages)} "
            f"stages; input {model.input.channels} x {model.input.size} x {model.input.size}; "
            f"{len(facts.classes)} outputs.",
            "model",
        ),
        "initialised": app(
            f"Weights of {facts.source_title} ({facts.recipe.source}), by their hash in the report.",
            "model",
        ),
        "training": app(f"{' '.join(facts.plan)} Settings: {settings}. Seed {facts.recipe.seed}.", "model"),
        "selection": app(_selection(facts), "model"),
        "ensemble": app("One network; no ensemble.", "model"),
        "imbalance": app(
            f"Settings of the strategy: {settings}. Ranking and per-class numbers are reported. Recalibration: "
            + " ".join(dict.fromkeys(one.calibrator.says for one in facts.judgement.views)),
            "model",
        ),
        "output": app(f"{model_card.output(facts)} {model_card.threshold(facts)}", "threshold"),
        "threshold": app(
            f"{model_card.threshold(facts)} Rule: {facts.judgement.rule.says}, on the tune part "
            f"({saying.people(facts.count('tune'))}). {_fixed(facts)} {saying.opened(facts)}",
            "threshold",
        ),
        "how-predicted": app(
            "By the stored network; its export (ONNX) carries preprocessing, classes, threshold, calibration, limits "
            "of the prediction sets and a self-test.",
            "technical",
        ),
        "explained": app(_explained(facts), "explanation"),
        "gate": app(
            "In MedTL a new image is compared with the training images first and flagged when unlike them; an exported "
            "model does not do that.",
            "limits",
        ),
        "blind-index": app(
            "The network was shown pixels only; labels of the test part were used for nothing but the count.", "split"
        ),
        "repeatable": app(
            "Recipe, seed, versions and hashes of data, source and weights are recorded; weights and recipe can be "
            "exported.",
            "technical",
        ),
        "audit": app(
            "The score of every tune and test case and the log of the run are stored in the run's folder.", "technical"
        ),
    }


def _results(facts: Facts) -> dict[str, Statement]:
    app, result, judged = _filler, facts.result, facts.judgement
    numbers = "; ".join(f"{words.title(one.name)} {words.whole(one)}" for one in figures.shown(facts)[:6])
    wrong = {name: len(found) for name, found in facts.wrong.items()}
    listed_wrong = "; ".join(
        f"{name + ': ' if name else ''}{n:,} of {len(facts.told[name]):,} test cases called wrongly"
        for name, n in wrong.items()
    )
    alike = " with the labels and distances of the training cases most like them" if facts.neighbours else ""
    return {
        "metrics": app(
            "Sensitivity, specificity, PPV, NPV, likelihood ratios, AUROC, AUPRC, Brier score and accuracy on the test "
            "part, and the difference to a control without a source; ROC and precision-recall curve, table of calls, "
            "distribution of scores, calibration plot and decision curve, as far as the cases allow.",
            "numbers",
        ),
        "uncertainty": app(f"95 % intervals throughout. {saying.METHODS}", "numbers"),
        "calibrated": app(_calibrated(facts), "calibration"),
        "utility": app(" ".join(_each(facts, [one.utility.says for one in judged.views])), "utility"),
        "robust": app(_robust(facts), "robustness"),
        "fairness": app(_fair(facts), "groups"),
        "readers": app(_read(facts), "readers")
        if facts.readings
        else Statement(f"{NOT_STATED}: no reader study is part of this run", "not stated"),
        "internal": app(
            "Tested once on the held-out part, after training and threshold were fixed. "
            + (result.cross_validated.says if result.cross_validated else ""),
            "numbers",
        ),
        "performance": app(f"{numbers}.", "numbers"),
        "two-by-two": app(
            "For each finding the counts found, missed, let pass and falsely called."
            if facts.several
            else "Table of reference standard against call.",
            "numbers" if facts.several else "calls",
        ),
        "indeterminate": app(_indeterminate(facts), "sets"),
        "failures": app(f"{listed_wrong}, listed surest first{alike}.", "failures"),
        "limits": app(" ".join(saying.limits(facts)), "limits"),
        "updating": app("The model was not updated after its test.", "limits"),
    }


# ---- what was examined, and what not ---------------------------------------------------------------------------------


def _task(facts: Facts) -> str:
    n = len(facts.classes)
    if facts.several:
        return f"says of each of {n} findings whether an image shows it"
    return f"grades images in {n} steps" if facts.judgement.task == "ordinal" else f"sorts images into {n} classes"


def _goal(facts: Facts) -> str:
    goal = "Development of a model with an internal test on a held-out part of the same cohort"
    return f"{goal}, and a test of the frozen model on another cohort." if facts.abroad else f"{goal}."


def _each(facts: Facts, said: Sequence[str]) -> list[str]:
    """A sentence a question, with its name where there are several; at most six."""
    if facts.two:
        return list(said)
    pairs = zip(facts.judgement.views, said, strict=True)
    made = [f"{view.name}: {text}" for view, text in pairs][:6]
    return made + (["The others are in the report."] if len(said) > len(made) else [])


def _fixed(facts: Facts) -> str:
    if changed := saying.changed(facts):
        return changed
    return "It was fixed before the test part was scored, and not changed since."


def _external(facts: Facts) -> str:
    if not facts.abroad:
        return "No external test was done in this run; the result is internal."
    said = []
    for one in facts.abroad:
        doubt = "" if one.tested.other_patients else " That its patients are others is not known."
        shifted = [text for shift in one.shifts for text in shift.says][:2]
        said.append(f"“{one.tested.title}”, {saying.cases(one.tested.cases)}: {' '.join([one.says, *shifted])}{doubt}")
    return " ".join(said)


def _clusters(facts: Facts) -> str:
    rows = [row for one in facts.judgement.subgroups[:1] for row in one.rows if row.field in ("site", "scanner")]
    if not rows:
        return "Sites and scanners were not examined apart: they are not recorded, or all cases are from one."
    return " ".join(row.says for row in rows[:6])


def _fair(facts: Facts) -> str:
    rows = sum(one.looked_at for one in facts.judgement.subgroups)
    if not any(one.rows for one in facts.judgement.subgroups):
        return "Not examined: nothing is recorded of the patients by which they could be told apart."
    return f"{rows:,} rows of groups were compared. {' '.join(model_card.fairness(facts))}"


def _robust(facts: Facts) -> str:
    found = facts.result.robustness
    if found is None:
        return "No robustness analysis was done in this run."
    return f"{len(found.rows)} changes of the images, {found.cases:,} test cases each. {found.says}"


def _explained(facts: Facts) -> str:
    found = facts.attention
    if found is None:
        return (
            "Heat maps can be shown for each case in MedTL and are no part of these results; they were not validated "
            "here."
        )
    checks = "; ".join(
        f"{one.title} {'not told' if one.passed is None else 'passed' if one.passed else 'not passed'}"
        for one in found.checks
    )
    held = f"Checked on {found.sample:,}: {checks}." if checks else "The maps were not validated here."
    return (
        f"{found.method} at {found.layer}, over {len(found.cases):,} test cases. {held} Agreement with outlined "
        "lesions was not measured."
    )


def _calibrated(facts: Facts) -> str:
    said = _each(facts, [one.mended.says for one in facts.judgement.views])
    judged = _each(facts, [one.mended.after.says for one in facts.judgement.views]) if facts.two else []
    return " ".join([*said, *judged, f"Outputs are called {saying.called(facts)}."])


def _indeterminate(facts: Facts) -> str:
    said = ["For the numbers at the threshold every test case was called; none was left out."]
    for one in facts.judgement.sets:
        if one.single is not None:
            n = len(one.unanswered)
            about = f" of {one.by_class[-1].name}" if facts.several else ""
            said.append(
                f"Prediction sets{about} leave {sum(one.unanswered):,} of {n:,} open; numbers are given without these "
                "and with these as errors."
            )
    if facts.refused:
        said.append(f"{len(facts.refused):,} would have been refused by the gate in use.")
    return " ".join(said)


def _read(facts: Facts) -> str:
    return " ".join(text for one in facts.readings for text in one.study.says)


def _filler(text: str, place: str) -> Statement:
    return Statement(text.strip(), "filled by app", place)


def _sizes(facts: Facts) -> str:
    return "; ".join(f"{part} {saying.people(facts.count(part))}" for part in PARTS)


def _shares(facts: Facts) -> str:
    whole = facts.count("test").cases or 1
    counts = ((label, facts.count("test", label).cases) for label in facts.classes)
    return ", ".join(f"{n:,} {label} ({100 * n / whole:.0f} %)" for label, n in counts)


def _versions(facts: Facts) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in facts.recipe.versions.items())
    return f"{versions}; on {facts.result.device}."


def _selection(facts: Facts) -> str:
    """What was decided on the tune part, by the steps of the plan."""
    said = []
    if any(isinstance(step, Solve) for step in facts.steps):
        said.append("the strength of the head with the least log-loss on the tune part")
    if any(isinstance(step, Train) and step.patience for step in facts.steps):
        said.append("the epoch of least (tempered) log-loss on the tune part")
    if any(isinstance(step, Train) and not step.patience for step in facts.steps):
        said.append("the last epoch")
    if any(isinstance(step, (Blend, PseudoLabel)) for step in facts.steps):
        said.append("mixing and pseudo-labels as the plan says")
    return f"Kept: {listed(said)}." if said else "Nothing was selected."
