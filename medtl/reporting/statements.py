"""What can be said of a run on each topic that reporting guidelines ask about: in what words, by whom, and where it
stands in the report. One table serves every checklist, so that they never contradict each other.

"not stated" is an answer: what neither the app knows nor the user said is never filled by guessing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from medtl.evaluation import words
from medtl.reporting import content, model_card, report
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
    "variability": "no agreement between readers is part of this run",
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
            f"Deep learning: transfer of {facts.source_title} by “{facts.strategy.title}”; it sorts images into "
            f"{len(facts.classes)} classes ({listed(facts.classes)}).",
            "model",
        ),
        "summary": app(facts.result.sentence, "summary"),
        "goal": app("Development of a model with an internal test on a held-out part of the same cohort.", "summary"),
        "no-external": app("No external test was done in this run; the result is internal.", "limits"),
        "software": app(_versions(facts), "technical"),
        "no-clusters": app("Sites were not examined apart.", "limits"),
        "research": app(report.research_use(facts), "summary"),
        "interpretation": app(facts.result.control.says if facts.result.control else facts.result.sentence, "control"),
        "sizes": app(f"Train, tune and test: {_sizes(facts)}. Test: {report.people(test)}.", "cases"),
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
        "preprocessing": app(report.preprocessing(facts), "model"),
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
        "split": app(f"Split {cohort.split.rule}: {_sizes(facts)}. {report.uses_of_parts(facts)}", "split"),
        "disjoint": app(f"{content.level_of_split(cohort)} {near:,} pairs of near copies across parts.", "split"),
        "flow": app(f"{told.files:,} files, {told.read:,} cases read, {told.cases:,} taken; {_sizes(facts)}.", "cases"),
        "demographics": app(f"By part, where recorded: {model_card.groups(facts)}.", "cases"),
        "representative": app(f"Test part: {_shares(facts)}. Whether it is so in the clinic is not stated.", "cases"),
    }


def _model(facts: Facts) -> dict[str, Statement]:
    app, model = _filler, facts.model
    settings = "; ".join(f"{name} = {value}" for name, value in facts.recipe.settings.items()) or "none"
    chosen = facts.result.threshold
    value = f"Threshold {chosen.value:.3f}. " if chosen and chosen.value is not None else ""
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
        "imbalance": app(f"Settings of the strategy: {settings}. Ranking and per-class numbers are reported.", "model"),
        "output": app(f"{model_card.output(facts)} {value}{chosen.rule if chosen else ''}", "threshold"),
        "threshold": app(
            f"{value}{chosen.rule} Chosen on the {chosen.chosen_on} part and frozen before the test part was scored."
            if chosen
            else "The class with the highest score is called.",
            "threshold",
        ),
        "how-predicted": app(
            "By the stored network; its export (ONNX) carries preprocessing, classes, threshold and a self-test.",
            "technical",
        ),
        "explained": app(
            "Grad-CAM can be shown for each case in MedTL and is no part of these results; its agreement with lesions "
            "was not measured.",
            "limits",
        ),
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
    app, result = _filler, facts.result
    numbers = "; ".join(f"{words.title(one.name)} {words.whole(one)}" for one in result.estimates[:5])
    slope = result.estimate("calibration_slope")
    judged = f"Calibration slope {words.whole(slope)}. " if slope else "Slope and intercept are not computed here. "
    wrong = len(facts.failures)
    return {
        "metrics": app(
            "Sensitivity, specificity, PPV, NPV, AUROC, AUPRC, Brier score and accuracy on the test part, and the "
            "difference to a control without a source; ROC, table of calls and distribution of scores.",
            "numbers",
        ),
        "uncertainty": app(f"95 % intervals throughout. {report.METHODS}", "numbers"),
        "calibrated": app(f"{judged}A decision curve was not drawn.", "calibration"),
        "robust": app("No robustness analysis was done in this run.", "limits"),
        "fairness": app("Not examined: no group of patients was tested apart.", "limits"),
        "internal": app(
            "Tested once on the held-out part, after training and threshold were fixed. "
            + (result.cross_validated.says if result.cross_validated else ""),
            "numbers",
        ),
        "performance": app(f"{numbers}.", "numbers"),
        "two-by-two": app("Table of reference standard against call.", "calls"),
        "indeterminate": app("Every test case was called; none was left out as indeterminate.", "calls"),
        "failures": app(
            f"{wrong:,} of {len(facts.test):,} test cases called wrongly, listed surest first.", "failures"
        ),
        "limits": app(" ".join(report.limits(facts)), "limits"),
        "updating": app("The model was not updated after its test.", "limits"),
    }


def _filler(text: str, place: str) -> Statement:
    return Statement(text.strip(), "filled by app", place)


def _sizes(facts: Facts) -> str:
    return "; ".join(f"{part} {report.people(facts.count(part))}" for part in PARTS)


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
