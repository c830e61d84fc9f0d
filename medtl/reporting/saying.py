"""Sentences that several papers share: who was tested, when, how pictures were prepared, and what cannot be said."""

from collections.abc import Sequence

from medtl.cohorts.readings import OWN
from medtl.evaluation import words
from medtl.evaluation.operating import Point
from medtl.reporting import content
from medtl.reporting.content import Facts
from medtl.reporting.document import listed
from medtl.vocabulary import Estimate

METHODS = (
    "Every interval is a 95 % interval. Shares have Wilson's; of several images a patient, clustered by patient. "
    "Likelihood ratios have the log method's. An AUROC has DeLong's, clustered likewise. The rest rests on patients "
    "drawn again (bootstrap) within each kind, so that it holds given their mix. Without any error, or with too few "
    "patients of a kind, it is Newcombe's or Wilson's score interval. The column says which was used. Intervals are "
    "not widened for the number of measures shown."
)


def research_use(facts: Facts) -> str:
    """What was tested and what follows from it, as every paper carries it."""
    where = facts.answers.get("where", "sites and dates not stated")
    return (
        f"Research use only, not a medical device. Tested on {people(facts.count('test'))} of one held-out part of "
        f"“{facts.cohort.title}” (internal test; {where.rstrip('.')})."
    )


def people(count: content.Count) -> str:
    """ "48 cases of 43 patients"."""
    text = cases(count.cases)
    return text if count.patients is None else f"{text} of {patients(count.patients)}"


def cases(n: int) -> str:
    return f"{n:,} {'case' if n == 1 else 'cases'}"


def patients(n: int) -> str:
    return f"{n:,} {'patient' if n == 1 else 'patients'}"


def day(iso: str) -> str:
    """ "2026-11-28, 04:05 UTC": the same on every computer."""
    return f"{iso[:10]}, {iso[11:16]} UTC" if len(iso) >= 16 else iso or "at an unknown time"


def preprocessing(facts: Facts) -> str:
    """From the file to the network, in a sentence or two."""
    spec = facts.model.input
    window = facts.cohort.reading.window
    ct = "" if window == "as-stored" else f" CT is shown in the {window} window."
    return (
        "Each image is decoded to 8 bits, reduced to at most 512 pixels a side, stretched to "
        f"{spec.size} x {spec.size} pixels (bilinear, antialiased), scaled to 0–1 and standardised per channel."
        f"{ct}"
    )


def uses_of_parts(facts: Facts) -> str:
    """What was learned, chosen and tested on which part."""
    tune = "tune: when to stop, strength of the head, threshold, calibration, limits of the prediction sets"
    if facts.learns_tune:
        tune += (
            "; in the end it was learned from as well (its scores, on which the threshold rests, come from networks "
            "that had not seen the case)"
        )
    return f"train: weights; {tune}; test: scored once, at the end."


def called(facts: Facts) -> str:
    """What the outputs may be called: "probability" only where calibration was shown for every question."""
    views = facts.judgement.views
    return "probability" if views and all(one.word == "probability" for one in views) else "score"


def changed(facts: Facts) -> str:
    """ "threshold changed after the test part was seen", with the times; empty where it was not."""
    times = facts.judgement.changed
    if not times:
        return ""
    return (
        f"Threshold changed after the test part was seen: {listed([day(at) for at in times])}. It still comes from the "
        "tune part, but sensitivity and specificity may look better than they are."
    )


def opened(facts: Facts) -> str:
    """How often the test part was looked at."""
    told = facts.judgement
    if not told.openings:
        return "How often the result of the test part was opened is not on record."
    times = {1: "once", 2: "twice"}.get(told.openings, f"{told.openings:,} times")
    return f"The result of the test part was opened {times}, first on {day(told.opened)}."


def counted(name: str, point: Point, having: str, without: str) -> str:
    """ "38 of 42 malignant found"."""
    said = {
        "sensitivity": f"{point.tp:,} of {point.tp + point.fn:,} {having} found",
        "specificity": f"{point.tn:,} of {point.tn + point.fp:,} {without} let pass",
        "ppv": f"{point.tp:,} of {point.tp + point.fp:,} calls right",
        "npv": f"{point.tn:,} of {point.tn + point.fn:,} let pass rightly",
        "accuracy": f"{point.tp + point.tn:,} of {point.tp + point.fn + point.fp + point.tn:,} named correctly",
    }
    return said.get(name, f"n = {point.tp + point.fn + point.fp + point.tn:,}")


def cell(one: Estimate | None, n: bool = True) -> str:
    """A number for a table: never without its interval."""
    if one is None:
        return "not computed"
    text = words.whole(one).replace("-", "−")
    return f"{text}, n = {one.n:,}" if n else text


def labellers(facts: Facts) -> str:
    """How far those who labelled agree, without their names; empty where nobody read the cases twice."""
    found = facts.labellers
    if found is None:
        return ""
    who = "A reader and the labels of the cohort" if OWN in found.readers else "Two readers"
    same = round(found.agreed.value * found.n)
    text = f"{who} agree on {same:,} of {cases(found.n)} ({percent(found.agreed)})"
    if found.kappa is not None:
        weighted = "" if found.weights == "none" else f", {found.weights} weights"
        text += f"; kappa {cell(found.kappa, n=False)}{weighted}"
    return f"{text}; {len(found.disagreements):,} answers differ."


def percent(one: Estimate) -> str:
    """A share with its interval, whatever its name: "18 % (15–21 %)"."""
    return f"{100 * one.value:.0f} % ({words.span(one.low, one.high)})"


def signed(one: Estimate | None, points: bool = False) -> str:
    """A difference with its sign: "−0.03 (−0.10 to 0.04)", of shares in points."""
    if one is None:
        return "not computed"
    by, digits = (100, 0) if points else (1, 2)
    value, low, high = (_signed(by * x, digits) for x in (one.value, one.low, one.high))
    return f"{value} ({low} to {high}){' points' if points else ''}"


def _signed(value: float, digits: int) -> str:
    text = f"{value:+.{digits}f}".replace("-", "−")
    return text[1:] if not float(text[1:]) else text


def limits(facts: Facts) -> tuple[str, ...]:
    """What this result cannot say, for report and card."""
    if facts.abroad:
        where = listed([f"“{one.tested.title}”" for one in facts.abroad])
        first = f"Internal test on a held-out part of the same cohort; tested besides on {where}, as reported."
        if not all(one.tested.other_patients for one in facts.abroad):
            first += " That the patients there are others is not known."
    else:
        first = (
            "Internal test: measured on a held-out part of the same cohort. Nothing here says how the model does at "
            "another site, on another scanner or in another year."
        )
    said = [first]
    missing = not_done(facts)
    if missing:
        said.append(f"Not done in this run: {', '.join(missing)}.")
    if any(one.mended.after.few for one in facts.judgement.views):
        said.append("Calibration cannot be judged on so few cases; outputs stay scores, not probabilities.")
    if changed(facts):
        said.append(changed(facts))
    said.append("A heat map shows where the network looked, not where the disease is.")
    if facts.cohort.patients is None:
        said.append("Patients are unknown: images of one patient may lie in two parts.")
    if facts.answers.get("weaknesses"):
        said.append(f"Stated by the user: {facts.answers['weaknesses']}")
    if facts.cohort.synthetic:
        said.append("The images are synthetic; the numbers say nothing about patients.")
    return tuple(said)


def not_done(facts: Facts) -> list[str]:
    """Which of the examinations that guidelines ask for this run does not have."""
    judged = facts.judgement
    there: Sequence[tuple[str, bool]] = (
        ("external test", bool(facts.abroad)),
        ("reader study", bool(facts.readings)),
        ("robustness to changed images", facts.result.robustness is not None),
        ("check of the heat maps", facts.attention is not None and bool(facts.attention.checks)),
        ("subgroups (nothing is recorded of the patients)", any(one.rows for one in judged.subgroups)),
        ("recalibration (for the reason given under calibration)", any(one.calibrator.fitted for one in judged.views)),
        ("decision curve", any(one.utility.threshold for one in judged.views)),
        ("PPV and NPV at the prevalence of a clinic", any(one.here for one in judged.views)),
        ("prediction sets", bool(judged.sets)),
    )
    return [name for name, done in there if not done]
