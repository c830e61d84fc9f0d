"""What each number is called, how it is written and what it means: the same on the screen, in reports and in cards."""

from medtl.vocabulary import Estimate

PERCENT = (
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "accuracy",
    "balanced_accuracy",
    "exact_agreement",
    "within_one",
    "f1",
)

TITLES = {
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "PPV",
    "npv": "NPV",
    "lr_positive": "LR+",
    "lr_negative": "LR−",
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "brier": "Brier score",
    "ece": "Calibration error (ECE)",
    "calibration_slope": "Calibration slope",
    "calibration_intercept": "Calibration intercept",
    "balanced_accuracy": "Balanced accuracy",
    "accuracy": "Accuracy",
    "f1": "F1",
    "net_benefit": "Net benefit",
    "kappa_quadratic": "Quadratic kappa",
    "mean_grade_error": "Mean grade error",
    "exact_agreement": "Same grade",
    "within_one": "Same or next grade",
}

HELP = {
    "sensitivity": "Of those who have it, how many the model calls.",
    "specificity": "Of those who do not have it, how many it lets pass.",
    "ppv": "Of those called, how many have it. It changes with how common the disease is.",
    "npv": "Of those let pass, how many are free of it. It changes with how common the disease is.",
    "lr_positive": "How many times likelier a call is in one who has it than in one who has not: 1 says nothing, "
    "10 much.",
    "lr_negative": "How many times likelier no call is in one who has it than in one who has not: 1 says nothing, "
    "0.1 much.",
    "auroc": "Chance that an ill case scores above a well one: 0.5 is guessing, 1 is perfect ranking.",
    "auprc": "How pure the top of the ranking is; guessing gives the share of ill cases.",
    "brier": "Mean squared distance of the score from the truth: 0 is perfect, smaller is better.",
    "ece": "How far, on average, the share of ill cases lies from the score; some of it is chance when cases are few.",
    "calibration_slope": "Below 1: the scores are too extreme. Above 1: too timid.",
    "calibration_intercept": "Above 0: the scores are too low on average. Below 0: too high.",
    "balanced_accuracy": "Mean of the share found in each class, so that a rare class counts as much as a common one.",
    "accuracy": "Share of all cases named correctly. Misleads when one class is much more common.",
    "f1": "Found cases against misses and false alarms together. It weighs both alike, which is seldom what is wanted.",
    "net_benefit": "Found cases per person, less the false alarms at the price that the threshold sets on them.",
    "kappa_quadratic": "Agreement with the reference beyond chance; a grade two off weighs four times one next to it. "
    "0 is chance, 1 is the same everywhere.",
    "mean_grade_error": "How many grades off, on average.",
    "exact_agreement": "Share of cases that were given the grade of the reference.",
    "within_one": "Share of cases that were given the grade of the reference or the one next to it.",
}


def title(name: str) -> str:
    """ "auroc[benign]" reads "AUROC, benign"."""
    if name.endswith("]") and "[" in name:
        base, label = name[:-1].split("[", 1)
        return f"{TITLES.get(base, base)}, {label}"
    return TITLES.get(name, name.replace("_", " ").capitalize())


def value(estimate: Estimate) -> str:
    """ "90 %" for shares, "0.91" for the rest. Short of all is never written as "100 %", nor some as "0 %"."""
    if estimate.name.split("[")[0] not in PERCENT:
        return f"{estimate.value:.2f}"
    whole = f"{100 * estimate.value:.0f}"
    return (
        f"{min(99.9, max(0.1, 100 * estimate.value)):.1f} %"
        if whole in ("0", "100") and 0 < estimate.value < 1
        else f"{whole} %"
    )


def interval(estimate: Estimate) -> str:
    """ "62–98 %" or "0.86–0.95"."""
    if estimate.name.split("[")[0] in PERCENT:
        return span(estimate.low, estimate.high)
    low, high = f"{estimate.low:.2f}", f"{estimate.high:.2f}"
    return f"{low} to {high}" if estimate.low < 0 else f"{low}–{high}"


def span(low: float, high: float) -> str:
    """The bounds of a share: "62–98 %", "99.5–99.9 %". Short of all is never written as 100, nor some as 0."""
    return f"{_bound(low)}–{_bound(high)} %"


def _bound(share: float) -> str:
    text = f"{100 * share:.0f}"
    if text not in ("0", "100") or not 0 < share < 1:
        return text
    return f"{min(99.9, max(0.1, 100 * share)):.1f}"


def whole(estimate: Estimate) -> str:
    """ "0.91 (0.86–0.95)": a number never goes without its interval."""
    return f"{value(estimate)} ({interval(estimate)})"
